"""What the images package costs a server that has not been asked for a picture yet."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import importlib, pkgutil, sys
import atelier_mcp.server.images as room
for module in pkgutil.iter_modules(room.__path__):
    if module.name not in {"public_network", "decoders"}:  # imported with the first download, TIFF or AVIF
        importlib.import_module(f"{room.__name__}.{module.name}")
print(*sorted({"PIL", "pillow_heif", "httpx2", "httpcore2", "starlette", "uvicorn", "filelock"} & set(sys.modules)))
"""


def test_importing_the_room_imports_no_heavy_library() -> None:
    """Decoders, HTTP and servers are imported by the call that needs them."""
    found = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
