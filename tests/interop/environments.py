"""The environments of public clients: each its own, made on first use, kept outside of the repository."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "atelier-interop"
INSTALL_TIMEOUT_S: Final = 900


class InstallError(Exception):
    """An environment could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class InteropClient:
    """A public client: what to install for it, and the script that uses it."""

    script: str
    packages: tuple[str, ...]


_NODE: Final = ("node@22",)
CLIENTS: Final = {
    "langchain": InteropClient("use_langchain.py", ("langchain-mcp-adapters==0.3.2",)),
    "crewai": InteropClient("use_crewai.py", ("crewai-tools[mcp]==1.15.30",)),
    "mcp-use": InteropClient("use_mcp_use.py", ("mcp-use==1.7.1",)),
    "pydantic-ai": InteropClient("use_pydantic_ai.py", ("pydantic-ai-slim[mcp]==2.68.0",)),
    "openai-agents": InteropClient("use_openai_agents.py", ("openai-agents==0.24.0",)),
    "fastmcp-tasks": InteropClient("use_fastmcp_tasks.py", ("fastmcp[tasks]==4.1.4", "fastmcp-tasks==4.1.4")),
    "google-genai": InteropClient("use_google_genai.py", ("google-genai==3.6.1", "mcp>=2.3")),
    "anthropic": InteropClient("use_anthropic.py", ("anthropic[mcp]==2.14.0",)),
    "semantic-kernel": InteropClient("use_semantic_kernel.py", ("semantic-kernel[mcp]==1.45.0", "mcp<2")),
    "autogen": InteropClient("use_autogen.py", ("autogen-ext[mcp]==0.7.5", "autogen-agentchat==0.7.5", "mcp<2")),
    "llama-index": InteropClient("use_llama_index.py", ("llama-index-tools-mcp==0.6.0",)),
    "typescript-sdk": InteropClient("use_typescript_sdk.mjs", (*_NODE, "@modelcontextprotocol/sdk@1.32")),
    "ai-sdk": InteropClient("use_ai_sdk.mjs", (*_NODE, "@ai-sdk/mcp@2", "zod@4")),
    "ext-tasks": InteropClient(
        "use_ext_tasks.mjs", (*_NODE, "@modelcontextprotocol/ext-tasks@0.2.2", "@modelcontextprotocol/client@2")
    ),
    "anthropic-node": InteropClient(
        "use_anthropic_node.mjs", (*_NODE, "@anthropic-ai/sdk", "@modelcontextprotocol/sdk@1.32", "zod@4")
    ),
}


def prepare(name: str, client: InteropClient) -> str:
    """The interpreter of a client's environment, which is made anew where its packages have changed."""
    folder = find_packages(name)
    is_node = client.script.endswith(".mjs")
    interpreter = folder / ("node_modules/.bin/node" if is_node else "bin/python")
    marker = folder / f"installed-{hashlib.sha256(json.dumps(client.packages).encode()).hexdigest()[:12]}"
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if is_node:
            (folder / "package.json").write_text('{"private": true}\n', "utf-8")
            _install(["npm", "install", "--no-audit", "--no-fund", "--silent", *client.packages], folder)
        else:
            uv = [sys.executable, "-m", "uv"]
            _install([*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder)], folder)
            _install([*uv, "pip", "install", "--quiet", "--python", str(interpreter), *client.packages], folder)
        marker.touch()
    return str(interpreter)


def prepare_node(name: str, packages: tuple[str, ...]) -> Path:
    """The folder of the programs that npm packages bring, in an environment of their own."""
    folder = find_packages(name)
    marker = folder / f"installed-{hashlib.sha256(json.dumps(packages).encode()).hexdigest()[:12]}"
    if not marker.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "package.json").write_text('{"private": true}\n', "utf-8")
        _install(["npm", "install", "--no-audit", "--no-fund", "--silent", *packages], folder)
        marker.touch()
    return folder / "node_modules" / ".bin"


def find_packages(name: str) -> Path:
    """The folder of a client's environment."""
    return CACHE / name


def _install(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(  # our own lists of packages
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        raise InstallError(f"cannot be installed: {err}") from err
    if done.returncode:
        raise InstallError(f"cannot be installed: {' '.join(done.stderr.split())[-300:]}")
