"""A provider of somebody else's package, from the entry point to the image in the answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.provider_packages import install_package, install_toy

if TYPE_CHECKING:
    from pathlib import Path

    Environ = dict[str, str]

BOUND_S = 60.0


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    """A process that has the toy provider on its path, beside a package that is broken, and no other service."""
    site = tmp_path / "site"
    install_toy(site)
    install_package(site, "atelier-broken", "broken = atelier_broken:SPEC")
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {"PYTHONPATH": path, "ATELIER_HOME": str(tmp_path / "home"), "TOY_COLOUR": "teal", "TOY_SIDE_PX": "640"}


async def run_atelier(*arguments: str, environ: Environ, code: int = 0) -> tuple[Any, str]:
    """Run a command in a process of its own, to its JSON and what it said on stderr; ``code`` is how it must end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier_mcp.server",
        *arguments,
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
    )
    out, err = await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode == code, err.decode()
    return json.loads(out) if out else None, err.decode()


async def test_it_serves_images_through_the_server(environ: Environ) -> None:
    """Planned, submitted, polled and stored as with any of ours; a broken package beside it is one line on stderr."""
    arguments = ("generate_image", "prompt=a kite", "provider=toy")
    answer, said = await run_atelier("call", *arguments, environ=environ)
    assert answer["state"] == "succeeded"
    (image,) = answer["images"]
    assert (image["width"], image["height"]) == (640, 640)
    (line,) = said.splitlines()
    assert line.startswith("provider broken of atelier-broken 1.0 is left out: ModuleNotFoundError")


async def test_only_what_it_can_do_is_offered(environ: Environ) -> None:
    """No tool without a service behind it, and no emulator beside a configured service."""
    tools, _ = await run_atelier("tools", environ=environ)
    names = {tool["name"] for tool in tools}
    assert "generate_image" in names
    assert not names & {"erase_object", "chat", "list_models"}


async def test_the_doctor_knows_whose_it_is(environ: Environ) -> None:
    """And it names what is left out, which is a fault."""
    findings, _ = await run_atelier("doctor", environ=environ, code=1)
    words = {finding["what"]: finding["words"] for finding in findings}
    assert words["Toy"] == "configured (from atelier-toy 1.0)"
    assert words["account toy:local"].endswith("serves generate_image")
    assert words["service left out"].startswith("provider broken of atelier-broken 1.0 is left out: ModuleNotFound")
    assert [finding["what"] for finding in findings if finding["good"] is False] == ["service left out"]


async def test_a_factory_that_fails_is_named_by_the_call_and_the_doctor(environ: Environ, tmp_path: Path) -> None:
    """Not its settings, which are set."""
    file = tmp_path / "site" / "atelier_toy.py"
    text = file.read_text("utf-8").replace("    return ToyProvider(", "    raise KeyError(")
    file.write_text(text, "utf-8")
    refusal, _ = await run_atelier("call", "generate_image", "prompt=a kite", environ=environ, code=1)
    assert (
        "Toy could not be built: KeyError: ('teal', 640).\nCorrect or uninstall atelier-toy 1.0"
        in refusal["error"]["message"]
    )
    findings, _ = await run_atelier("doctor", environ=environ, code=1)
    (words,) = [finding["words"] for finding in findings if finding["what"] == "Toy" and finding["good"] is False]
    assert words == "Toy could not be built: KeyError: ('teal', 640)."
