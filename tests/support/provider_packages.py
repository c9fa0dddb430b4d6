"""Packages of somebody else's with a provider in them, as an installer leaves them on the path."""

from __future__ import annotations

import shutil
from pathlib import Path

TOY_FILE = Path(__file__).parent / "toy_package" / "atelier_toy.py"


def install_package(site: Path, name: str, entry_point: str) -> None:
    """Leave a distribution's metadata in a folder; its only entry point is a provider, ``name = module:object``."""
    metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[atelier_mcp.providers]\n{entry_point}\n")


def install_toy(site: Path) -> None:
    """Install the toy provider: one module and one entry point, which is all there is to it."""
    install_package(site, "atelier-toy", "toy = atelier_toy:SPEC")
    shutil.copy(TOY_FILE, site)
