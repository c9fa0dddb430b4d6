"""How this Atelier was installed, and so with which line it is given an extra or started by another program."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

Installation = Literal["checkout", "pipx", "uv tool", "uvx", "environment"]

DISTRIBUTION: Final = "atelier-mcp"
EXTRA_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "engine": ("cv2", "numpy"),
    "heif": ("pillow_heif",),
    "bucket": ("obstore",),
}
"""By extra: what it brings."""


def find_installation(prefix: str = sys.prefix, package: str = __file__) -> Installation:
    """Which of the usual ways led to the environment at ``prefix``, whose code is at ``package``."""
    folder = Path(prefix)
    if Path(package).resolve().parents[2].joinpath("pyproject.toml").is_file():
        return "checkout"
    # By the notes that they leave, wherever they were told to put their environments.
    if folder.joinpath("pipx_metadata.json").is_file():
        return "pipx"
    if folder.joinpath("uv-receipt.toml").is_file():
        return "uv tool"
    # uvx makes its environments in uv's cache, where they last until the cache is cleaned.
    if any(part.startswith(("archive-v", "environments-v")) for part in folder.parts):
        return "uvx"
    return "environment"


def find_extras() -> set[str]:
    """The extras whose libraries are installed."""
    return {extra for extra, modules in EXTRA_MODULES.items() if all(find_spec(name) for name in modules)}


def format_requirement(extras: str) -> str:
    """This package with these extras, as installers take it: from where it came, where that was not the index."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin: dict[str, Any] = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:
        origin = {}
    requirement = f"{DISTRIBUTION}[{extras}]"
    if not origin.get("url") or origin.get("dir_info", {}).get("editable"):
        return requirement
    vcs = origin.get("vcs_info", {}).get("vcs")
    return f"{requirement} @ {vcs}+{origin['url']}" if vcs else f"{requirement} @ {origin['url']}"


def format_install(extra: str, *, installation: Installation | None = None, executable: str = sys.executable) -> str:
    """The line that adds an extra to this installation; it can be pasted into a shell of this system."""
    # With those that are there: a tool that is installed anew has no others.
    extras = ",".join(sorted({extra, *find_extras()}))
    requirement = format_requirement(extras)
    match installation or find_installation():
        case "checkout":
            root = Path(__file__).resolve().parents[2]
            return format_command([executable, "-m", "pip", "install", "-e", f"{root}[{extras}]"])
        case "pipx":
            return format_command(["pipx", "install", "--force", requirement])
        case "uv tool":
            return format_command(["uv", "tool", "install", "--force", requirement])
        case "uvx":
            return format_command(["uvx", "--from", requirement, "atelier", "serve"])
        case "environment":
            return format_command([executable, "-m", "pip", "install", requirement])


def format_setting(variable: str, value: str = "...") -> str:
    """The line that sets a variable in a shell of this system."""
    return f'$env:{variable} = "{value}"' if os.name == "nt" else f"export {variable}={value}"


def format_command(words: list[str]) -> str:
    """A command as it is pasted into a shell of this system."""
    if os.name == "nt":
        return subprocess.list2cmdline(words)
    # Double quotes, which every shell takes, where they are enough.
    return " ".join(
        f'"{word}"' if _needs_quotes(word) and not set(word) & set('"$`\\!') else shlex.quote(word) for word in words
    )


def _needs_quotes(word: str) -> bool:
    return shlex.quote(word) != word


@dataclass(frozen=True, slots=True)
class StartCommand:
    """How a program of somebody else's starts the server: a command and its arguments."""

    command: str
    args: tuple[str, ...]


def find_start_command() -> StartCommand:
    """The command that starts this installation from anywhere, by its full path where it has a lasting one."""
    if find_installation() == "uvx":
        return StartCommand("uvx", ("--from", format_requirement("engine"), "atelier", "serve"))
    script = Path(sys.executable).with_name("atelier.exe" if os.name == "nt" else "atelier")
    # Without resolving links: the interpreter of an environment is a link out of it.
    if script.is_file():
        return StartCommand(str(script), ("serve",))
    return StartCommand(sys.executable, ("-m", "atelier_mcp", "serve"))


def format_own_command(*arguments: str) -> str:
    """A command of ours as it can be pasted: by its name where the shell finds this one, else by its full path."""
    start = find_start_command()
    # Somebody else's program of that name is not ours. uvx: the one that is found is that of this run's environment,
    # which is not on the path of the next.
    found = shutil.which("atelier")
    if found and find_installation() != "uvx" and Path(found).resolve() == Path(start.command).resolve():
        return format_command(["atelier", *arguments])
    return format_command([start.command, *start.args[:-1], *arguments])
