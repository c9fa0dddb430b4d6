"""The hosts' own programs read what ``atelier setup`` writes: ``python -m tests.interop hosts``.

Each gets a home folder of its own, in which setup writes its file as for anybody; then the program is asked for its
MCP servers. Most start the server for that, Codex lists its tools; Copilot CLI and Continue only read the file. A
machine that is very busy trips the five seconds that Gemini CLI and Qwen Code give a server.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.interop.environments import InstallError, prepare_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S: Final = 120.0
_READ_CONTINUE: Final = """
import { readFileSync } from "node:fs";
import { parseConfigYaml } from "@continuedev/config-yaml";
const path = `${process.env.HOME}/.continue/config.yaml`;
console.log(JSON.stringify(parseConfigYaml(readFileSync(path, "utf8")).mcpServers));
"""


@dataclass(frozen=True, slots=True)
class HostProgram:
    """A host's program: the package it comes in, what it is asked, and what its answer holds."""

    package: str
    command: tuple[str, ...]
    answer: str
    stdin: tuple[Mapping[str, object], ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """More files of its home folder, which is ``{home}`` in them."""


_CODEX_CALLS: Final[tuple[Mapping[str, object], ...]] = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "title": "t", "version": "1"}}},
    {"method": "initialized"},
    {"id": 2, "method": "mcpServerStatus/list", "params": {}},
)
PROGRAMS: Final = {
    "claude-code": HostProgram("@anthropic-ai/claude-code@2.1.332", ("claude", "mcp", "list"), "Connected"),
    "gemini-cli": HostProgram(
        "@google/gemini-cli@0.61.0",
        ("gemini", "mcp", "list"),
        "- Connected",
        files={".gemini/trustedFolders.json": '{"{home}": "TRUST_FOLDER"}'},
    ),
    "codex": HostProgram("@openai/codex@0.171.0", ("codex", "app-server"), '"generate_image"', stdin=_CODEX_CALLS),
    "opencode": HostProgram("opencode-ai@1.18.33", ("opencode", "mcp", "list"), "connected"),
    "qwen-code": HostProgram("@qwen-code/qwen-code@0.24.4", ("qwen", "mcp", "list"), "- Connected"),
    "copilot-cli": HostProgram("@github/copilot@1.0.102", ("copilot", "mcp", "get", "atelier"), "atelier serve"),
    "continue": HostProgram(
        "@continuedev/config-yaml@1", ("node", "--input-type=module", "-e", _READ_CONTINUE), '"name":"atelier"'
    ),
}


def try_hosts() -> Iterator[tuple[str, str]]:
    """Each host with what failed; nothing where all went well."""
    for name, program in PROGRAMS.items():
        try:
            yield name, _try_host(name, program)
        except InstallError as err:
            yield name, str(err)


def _try_host(name: str, program: HostProgram) -> str:
    binaries = prepare_node(f"host-{name}", ("node@22", program.package))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        environ = {**os.environ, "HOME": folder, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
        for variable in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "XDG_CONFIG_HOME"):
            environ.pop(variable, None)
        setup = [sys.executable, "-m", "atelier_mcp", "setup", name, "--env", f"ATELIER_HOME={home}/data"]
        subprocess.run(setup, env=environ, check=True, capture_output=True)
        for path, text in program.files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text.replace("{home}", str(home)), "utf-8")
        return _ask(program, environ, cwd=binaries.parent.parent if program.command[0] == "node" else home)


def _ask(program: HostProgram, environ: Mapping[str, str], *, cwd: Path) -> str:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        program.command, env=dict(environ), cwd=cwd, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            if not program.stdin:
                output, _ = process.communicate(timeout=TIMEOUT_S)
            else:
                output = _converse(process, program)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"did not answer within {TIMEOUT_S:.0f} s"
    return "" if program.answer in output else f"answered {' '.join(output.split())[-200:]!r}"


def _converse(process: subprocess.Popen[str], program: HostProgram) -> str:
    """Send the lines and read until the last is answered; a program that reads its stdin's end would leave before."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the program has no pipes")
    for message in program.stdin:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        process.stdin.flush()
    last = f'"id":{program.stdin[-1]["id"]}'
    output = next((line for line in process.stdout if last in line), "")
    process.kill()
    return output
