"""The commands; the only place with signals, exit codes and output for people."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import io
import sys
from typing import TYPE_CHECKING, cast

from atelier_mcp import __version__
from atelier_mcp.server.errors import AtelierError

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed with one clear line on stderr, 2 wrong usage."""
    _let_every_text_be_printed()
    arguments = build_parser().parse_args(argv or ["serve"])
    try:
        # Here and not at the top: --help and wrong usage need none of it.
        from atelier_mcp.server import logs
        from atelier_mcp.server.settings import load_settings

        settings = load_settings()
        logs.configure_logging(settings.log_level)
        command = importlib.import_module(f"atelier_mcp.server.cli.{arguments.module}")
        return command.run(arguments, settings)
    except AtelierError as err:
        print(err, file=sys.stderr)
        return 1
    except BaseExceptionGroup as group:
        error = _find_atelier_error(group)
        if error is None:
            raise
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        # What a shell reports of a process that Ctrl-C has ended.
        return 130
    # The reader has seen enough: `atelier tools | head`.
    except BrokenPipeError:
        return 0


def _let_every_text_be_printed() -> None:
    """Print a question mark for a letter that the terminal's encoding lacks: a paid job must not end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _find_atelier_error(group: BaseExceptionGroup[BaseException]) -> AtelierError | None:
    """The error of ours in a group: a client's task groups wrap what is raised inside them."""
    for err in group.exceptions:
        if isinstance(err, AtelierError):
            return err
        if isinstance(err, BaseExceptionGroup) and (
            error := _find_atelier_error(cast("BaseExceptionGroup[BaseException]", err))
        ):
            return error
    return None


def build_parser() -> argparse.ArgumentParser:
    """The command line's arguments."""
    top = argparse.ArgumentParser(prog="atelier", description="An image studio for LLM agents.")
    top.add_argument("--version", action="version", version=f"atelier {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add_command(name: str, description: str, *, json: bool = False) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=description, description=description)
        subparser.set_defaults(module=name)
        if json:
            subparser.add_argument("--json", action="store_true", help="print JSON for programs")
        return subparser

    serve = add_command("serve", "Serve MCP over stdio, or over HTTP.")
    serve.add_argument("--http", action="store_true", help="listen for HTTP clients at /mcp")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    serve.add_argument("--port", type=int, default=8765, help="port to listen on (%(default)s)")

    demo = add_command("demo", "Make pictures through a real MCP client and show where they are.")
    demo.add_argument("prompt", nargs="?", default="a lighthouse in a storm, oil painting", help="what to draw")
    demo.add_argument("--out", default="atelier-demo", help="folder for the pictures (%(default)s)")

    add_command("doctor", "Say what is configured, what works and what is missing.", json=True)
    tools = add_command("tools", "List the tools, or say what one of them takes.", json=True)
    tools.add_argument("tool", nargs="?", help="the tool's name")

    call = add_command("call", "Call a tool: atelier call generate_image prompt='a red kite' samples=2", json=True)
    call.add_argument("tool", help="the tool's name")
    call.add_argument("arguments", nargs="*", metavar="key=value", help="lists and objects as JSON")

    jobs = add_command("jobs", "List jobs, newest first.", json=True)
    jobs.add_argument("--limit", type=int, default=20, help="how many (%(default)s)")

    emulator = add_command("emulator", "Serve the built-in stand-in of the image services to any client.")
    emulator.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    emulator.add_argument("--port", type=int, default=8766, help="port to listen on (%(default)s)")
    emulator.add_argument("--task-seconds", type=float, default=0.0, help="how long tasks take at least (%(default)s)")
    emulator.add_argument("--access-log", metavar="FILE", help="write one JSON line per request")
    emulator.add_argument("--state", metavar="FOLDER", help="keep tasks here (default: forgotten at the end)")
    emulator.add_argument(
        "--set",
        metavar="SERVICE.NAME=VALUE",
        action="append",
        default=[],
        help="set a switch of a service, for example the version of one: sd_aws.version=1.4",
    )
    return top
