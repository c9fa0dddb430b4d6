"""What people install: wheel and sdist are built, and the wheel alone answers over stdio."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sdist, and the wheel built from it, so that the sdist is known to be complete."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_the_package_under_its_import_name(dist: Path) -> None:
    """``server/app.py`` is ``atelier_mcp/server/app.py`` there, with the marker that types are included."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {
        "atelier_mcp/server/app.py",
        "atelier_mcp/tools/generate_image.py",
        "atelier_mcp/__init__.py",
        "atelier_mcp/__main__.py",
        "atelier_mcp/testing.py",
        "atelier_mcp/py.typed",
    } <= names
    assert not any(name.startswith(("server/", "tools/", "tests/")) for name in names)


def test_the_long_description_leads_to_the_repository(dist: Path) -> None:
    """Relative links would lead nowhere on the package index."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        text = wheel.read(name).decode()
    assert "Description-Content-Type: text/markdown" in text
    assert "](https://github.com/atelier-mcp/atelier/blob/main/docs/" in text
    assert "](docs/" not in text


def test_the_sdist_holds_everything_needed_to_build_and_test(dist: Path) -> None:
    """Without an explicit list, the build back end leaves ``server/`` out and says nothing."""
    with tarfile.open(next(dist.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"server/app.py", "tools/generate_image.py", "tests/conftest.py", "LICENSE", "README.md"} <= names


def test_the_installed_wheel_lists_its_tools_over_stdio(dist: Path, tmp_path: Path) -> None:
    """A fresh environment, the wheel, and a client that speaks raw JSON-RPC."""
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    wheel = next(dist.glob("*.whl"))
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(scripts / "python")]
    subprocess.run([*install, "-c", str(_write_pins(tmp_path)), str(wheel)], check=True, capture_output=True)
    messages: list[dict[str, Any]] = [
        {
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "t", "version": "1"},
            },
        },
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/list", "params": {}},
    ]
    sent = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ATELIER_", "PYTHONPATH", "VIRTUAL_ENV"))}
    command = [str(scripts / "atelier"), "serve"]
    environ = {**clean, "ATELIER_HOME": str(tmp_path / "home")}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=tmp_path, env=environ, text=True) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(sent)
        process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.stdin.close()
        rest = process.stdout.read()
    assert process.returncode == 0
    assert rest == "", "stdout belongs to the protocol"
    assert "generate_image" in {tool["name"] for tool in answers[1]["result"]["tools"]}


def test_every_public_type_is_known_to_who_imports_it(tmp_path: Path) -> None:
    """A package that brings a provider is checked against ours: nothing in it may be a guess."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "pyright", "--verifytypes", "atelier_mcp", "--ignoreexternal"]
    environ = {**os.environ, "VIRTUAL_ENV": sys.prefix, "PATH": path}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert "Type completeness score: 100%" in done.stdout, done.stdout[-4000:]


def _write_pins(folder: Path) -> Path:
    """The locked versions without their hashes, as constraints: what is tested is what is locked."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = [line.rstrip(" \\") for line in lines if line and not line.startswith((" ", "#"))]
    path = folder / "pins.txt"
    path.write_text("\n".join(pins), "utf-8")
    return path


def test_the_lock_pins_every_dependency_with_hashes_and_names_no_index() -> None:
    """A clone installs the same bytes everywhere."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(requirements) > 30
    assert all("==" in line and line.endswith("\\") for line in requirements)
    assert "://" not in text
