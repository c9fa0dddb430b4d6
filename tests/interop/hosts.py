"""The hosts' own programs read what ``atelier setup`` writes: ``python -m tests.interop hosts``.

Each gets a home folder of its own, in which setup writes its file as for anybody; then the program is asked for its
MCP servers. Most start the server for that, Codex and Goose list its tools; Copilot CLI and Continue only read the
file. A machine that is very busy trips the five seconds that Gemini CLI and Qwen Code give a server.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.cli.hosts.catalog import HOSTS
from tests.interop.environments import InstallError, prepare_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S: Final = 120.0
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
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
    """Messages of JSON-RPC, each sent when the one before is answered; ``{session}`` in one is what that brought."""
    keys: tuple[str, str] | None = None
    """What is typed, in a terminal, once something is read there."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    daemon: str = ""
    """The file of its home folder, in JSON, with the ``pid`` of what it leaves running."""
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """More files of its home folder, which is ``{home}`` in them."""


_CODEX_CALLS: Final[tuple[Mapping[str, object], ...]] = (
    {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "title": "t", "version": "1"}}},
    {"method": "initialized"},
    {"id": 2, "method": "mcpServerStatus/list", "params": {}},
)
# Goose starts its extensions with a session; the model's address is one at which nobody answers, and is not asked.
_GOOSE_CALLS: Final[tuple[Mapping[str, object], ...]] = (
    {"id": 1, "method": "initialize", "params": {"protocolVersion": 1, "clientCapabilities": {}}},
    {"id": 2, "method": "session/new", "params": {"cwd": "/", "mcpServers": []}},
    {"id": 3, "method": "_goose/tools", "params": {"sessionId": "{session}"}},
)
_GOOSE_MODEL: Final = {
    "GOOSE_PROVIDER": "ollama",
    "GOOSE_MODEL": "none",
    "OLLAMA_HOST": "http://127.0.0.1:9",
    "GOOSE_DISABLE_KEYRING": "1",
}
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
    "goose": HostProgram(
        "@aaif/goose@0.20.1", ("goose", "acp"), "atelier__generate_image", stdin=_GOOSE_CALLS, environ=_GOOSE_MODEL
    ),
    # Its settings have no other form than pages of a terminal: one to the right of the first are the servers.
    "cline-cli": HostProgram(
        "cline@3.0.65",
        ("cline", "config"),
        "atelier stdio, local",
        keys=("Settings", "\x1b[C"),
        environ={"CLINE_HUB_PORT": "35463"},  # not that of one that this user may have running
        daemon=".cline/data/locks/hub/production.json",
    ),
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
        path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, **program.environ, "HOME": folder, "PATH": path, "NO_COLOR": "1"}
        for variable in (*(host.home_variable for host in HOSTS), "XDG_CONFIG_HOME"):
            environ.pop(variable, None)
        setup = [sys.executable, "-m", "atelier_mcp", "setup", name, "--env", f"ATELIER_HOME={home}/data"]
        subprocess.run(setup, env=environ, check=True, capture_output=True)
        for path, text in program.files.items():
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            (home / path).write_text(text.replace("{home}", str(home)), "utf-8")
        failure = _ask(program, environ, cwd=binaries.parent.parent if program.command[0] == "node" else home)
        if program.daemon and (home / program.daemon).is_file():
            os.kill(int(json.loads((home / program.daemon).read_text("utf-8"))["pid"]), signal.SIGTERM)
        return failure


def _ask(program: HostProgram, environ: Mapping[str, str], *, cwd: Path) -> str:
    if program.keys:
        output = _read_terminal(program, program.keys, environ, cwd)
        return "" if program.answer in output else f"showed {output[-200:]!r}"
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
    """Send the messages, each when the one before is answered, and return the last answer.

    stdin stays open: a program that reads its end leaves before it has answered.
    """
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the program has no pipes")
    answer = session = ""
    for message in program.stdin:
        text = json.dumps({"jsonrpc": "2.0", **message}).replace("{session}", session)
        process.stdin.write(f"{text}\n")
        process.stdin.flush()
        if "id" in message:
            answer = next((line for line in process.stdout if f'"id":{message["id"]}' in line), "")
            result: dict[str, Any] = json.loads(answer or "{}").get("result") or {}
            session = str(result.get("sessionId", ""))
    process.kill()
    return answer


def _read_terminal(program: HostProgram, keys: tuple[str, str], environ: Mapping[str, str], cwd: Path) -> str:
    """What stands in a terminal, without its colours and places, once the answer does or the time is over."""
    prompt, typed = keys
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        os.execvpe(program.command[0], program.command, dict(environ))
    output, is_typed, deadline_s = "", False, time.monotonic() + TIMEOUT_S
    try:
        while program.answer not in output and time.monotonic() < deadline_s:
            if select.select([terminal], [], [], 1.0)[0]:
                text = os.read(terminal, 1 << 16).decode(errors="replace")
                output = " ".join((output + _CONTROL.sub(" ", text)).split())
            if prompt in output and not is_typed:
                os.write(terminal, typed.encode())
                is_typed = True
    except OSError:  # it ended
        pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return output
