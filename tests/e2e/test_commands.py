"""The commands, as people and programs use them."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.commands import run_atelier

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]


async def test_a_tool_is_called_from_the_shell(environ: Environ, site: EmulatorHarness) -> None:
    """Text for people, JSON for programs."""
    code, out, _ = await run_atelier("call", "generate_image", "prompt=a red kite", "samples=2", environ=environ)
    assert (code, out.count("img_") >= 2) == (0, True)
    code, out, _ = await run_atelier("call", "list_jobs", "--json", environ=environ)
    assert code == 0
    (job,) = json.loads(out)["jobs"]
    assert job["state"] == "succeeded"
    code, out, _ = await run_atelier("jobs", environ=environ)
    assert (code, job["job_id"] in out) == (0, True)


async def test_a_refused_call_is_one_clear_line_and_an_exit_code(environ: Environ, site: EmulatorHarness) -> None:
    """Nothing on stdout, no traceback."""
    code, out, err = await run_atelier("call", "generate_image", "prompt=x", "samples=9", environ=environ)
    assert (code, out) == (1, "")
    assert "samples: 9 given; at most 8 is allowed." in err
    assert "Traceback" not in err
    code, _, err = await run_atelier("call", "generate_image", "a red kite", environ=environ)
    assert (code, "is not key=value" in err) == (2, True)


async def test_the_doctor_says_what_works_without_a_secret(environ: Environ, site: EmulatorHarness) -> None:
    """Configured, reachable, what is missing."""
    code, out, _ = await run_atelier("doctor", "--json", environ=environ)
    assert code == 0
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert findings["SenseTime MHAPI"]["words"] == "configured"
    account = next(finding for what, finding in findings.items() if what.startswith("account mhapi:"))
    assert "checkpoints" in account["words"]
    assert environ["MHAPI_SECRET_KEY"] not in out


async def test_the_doctor_fails_when_the_keys_are_wrong(environ: Environ, site: EmulatorHarness) -> None:
    """And names the settings."""
    wrong = {**environ, "MHAPI_SECRET_KEY": "wrong-wrong-wrong-wrong-wrong-wrong-wrong"}
    code, out, _ = await run_atelier("doctor", environ=wrong)
    assert code == 1
    assert "MHAPI_SECRET_KEY" in out
    assert "wrong-wrong" not in out


async def test_the_doctor_tries_the_route(environ: Environ, site: EmulatorHarness) -> None:
    """A job could be paid for and its pictures never fetched."""
    broken = {**environ, "SSL_CERT_FILE": "/nonexistent.pem", "HTTPS_PROXY": "http://user:pass@127.0.0.1:9"}
    code, out, _ = await run_atelier("doctor", "--json", environ=broken)
    findings = {finding["what"]: finding for finding in json.loads(out)}
    assert code == 1
    assert findings["SSL_CERT_FILE"] == {
        "what": "SSL_CERT_FILE", "good": False, "words": "/nonexistent.pem is not there"
    }  # fmt: skip
    assert findings["HTTPS_PROXY"]["words"] == "http://127.0.0.1:9, takes no connection"
    assert "user:pass" not in out


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("HTTP_PROXY", "by the proxy http://127.0.0.1:9, which looks the name up"),
        ("HTTPS_PROXY", "its name cannot be looked up, and no proxy is set for it"),
    ],
)
async def test_the_doctor_takes_the_proxy_of_the_address_own_scheme(
    environ: Environ, variable: str, words: str
) -> None:
    """Whatever port the address names."""
    proxied = {**environ, "MHAPI_BASE_URL": "http://service.invalid:8123/mhapi", variable: "http://127.0.0.1:9"}
    _, out, _ = await run_atelier("doctor", "--json", environ=proxied)
    findings = {finding["what"]: finding["words"] for finding in json.loads(out)}
    assert findings["route to service.invalid:8123"] == words


async def test_a_wrong_setting_stops_every_command_with_its_name(environ: Environ) -> None:
    """Before anything is opened."""
    code, _, err = await run_atelier("tools", environ={**environ, "ATELIER_WAIT_S": "soon"})
    assert code == 1
    assert err.startswith("ATELIER_WAIT_S: ")


async def test_tools_are_listed_for_people_and_programs(environ: Environ) -> None:
    """Without opening anything."""
    code, out, _ = await run_atelier("tools", "--json", environ=environ)
    assert code == 0
    assert "generate_image" in {tool["name"] for tool in json.loads(out)}
    code, out, _ = await run_atelier("tools", environ=environ)
    assert (code, "negative_prompt" in out) == (0, True)


async def test_the_demo_leaves_its_pictures_in_a_folder(tmp_path: Path) -> None:
    """With no key at all: the embedded emulator and the real engine, through a real client over stdio.

    Its example photos lie outside of the folders that pictures are usually read from, as in an installation for all.
    """
    environ = {"ATELIER_HOME": str(tmp_path / "home"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    folder = tmp_path / "demo"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier_mcp.server",
        "demo",
        "a lighthouse in a storm",
        "--out",
        str(folder),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environ},
        cwd=tmp_path,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    lines = [line for line in out.decode().splitlines() if line.startswith("ok ")]
    assert len(lines) == len([path for path in folder.iterdir() if path.suffix in {".png", ".jpg"}])
    assert all(str(folder) in line for line in lines)
    program, *arguments = shlex.split(out.decode().splitlines()[-1].partition(": ")[2])
    assert (Path(shutil.which(program) or "").is_file(), arguments[-1]) == (True, "setup")
