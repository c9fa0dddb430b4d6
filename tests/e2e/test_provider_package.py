"""The provider package of the examples, installed as anybody installs one, against its own small service."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    Environ = dict[str, str]

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "examples" / "provider-package"
BOUND_S = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the package is built and installed; nothing is downloaded."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(PACKAGE)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def service_url() -> Generator[str]:
    """The service of the package, in a process of its own."""
    command = [sys.executable, str(PACKAGE / "paint_service.py"), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def environ(site: Path, service_url: str, tmp_path: Path) -> Environ:
    """A process with the package on its path and an account at the service."""
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    account = {"PAINT_API_KEY": "paint-secret", "PAINT_BASE_URL": service_url}
    return {"PYTHONPATH": path, "ATELIER_HOME": str(tmp_path / "home"), **account}


async def run_python(*arguments: str, environ: Environ) -> tuple[int, str]:
    """Run a module in a process of its own; returns its exit code and everything it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environ},
    )
    out, _ = await asyncio.wait_for(process.communicate(), BOUND_S)
    return process.returncode or 0, out.decode()


async def generate(*arguments: str, environ: Environ) -> tuple[int, str]:
    """Call ``generate_image`` from the shell."""
    return await run_python("atelier_mcp.server", "call", "generate_image", *arguments, environ=environ)


async def test_it_is_found_by_its_entry_point_and_draws(environ: Environ, tmp_path: Path) -> None:
    """From words, then over the picture that came of it."""
    code, said = await generate("prompt=a red kite", "provider=paint", environ=environ)
    assert (code, "960x960" in said) == (0, True), said
    (handle,) = set(re.findall(r"img_\w+(?=  )", said))
    code, said = await generate("prompt=a blue kite", f"image={handle}", "width=700", "height=640", environ=environ)
    assert (code, "700x640" in said) == (0, True), said


@pytest.mark.parametrize(
    ("arguments", "changes", "expected"),
    [
        (["prompt=a kite", "steps=9"], {}, "steps: Paint does not have that.\nNothing was spent.\nLeave it out."),
        (["prompt=forbidden"], {}, 'Paint will not draw that. Paint says: "I do not paint that."\nNothing was spent.'),
        (["prompt=fail"], {}, 'Paint failed. Paint says: "The brush broke."'),
        (["prompt=a kite"], {"PAINT_API_KEY": "wrong-key"}, "Paint does not accept the key."),
    ],
)
async def test_what_it_refuses_is_said_and_ends_the_call(
    arguments: list[str], changes: dict[str, str], expected: str, environ: Environ
) -> None:
    code, said = await generate(*arguments, environ={**environ, **changes})
    assert (code, expected in said) == (1, True), said


async def test_its_own_tests_pass(environ: Environ) -> None:
    """The contract of every provider, from ``atelier_mcp.testing``."""
    code, said = await run_python("pytest", "-q", "-p", "no:cacheprovider", str(PACKAGE / "tests"), environ=environ)
    assert (code, " passed" in said) == (0, True), said
