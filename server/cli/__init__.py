"""The commands; the only place with signals, exit codes and output for people."""

from __future__ import annotations

import asyncio
import importlib
import io
import sys
from typing import TYPE_CHECKING, cast

from atelier_mcp.server.cli.parser import parse_command_line
from atelier_mcp.server.cli.usage import EXIT_CODE, UsageError
from atelier_mcp.server.errors import AtelierError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def run(argv: Sequence[str], *, on_loaded: Callable[[], None] = lambda: None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed with one clear line on stderr, 2 wrong usage.

    ``on_loaded`` is called once the modules that the command begins with are imported.
    """
    _let_every_text_be_printed()
    try:
        return _run(argv, on_loaded)
    except AtelierError as err:
        return _report(err, as_json="--json" in argv)
    except BaseExceptionGroup as group:
        error = _find_atelier_error(group)
        if error is None:
            raise
        return _report(error, as_json="--json" in argv)
    except (KeyboardInterrupt, asyncio.CancelledError):
        # What a shell reports of a process that Ctrl-C has ended.
        return 130
    # The reader has seen enough: `atelier tools | head`.
    except BrokenPipeError:
        return 0


def _run(argv: Sequence[str], on_loaded: Callable[[], None]) -> int:
    arguments = parse_command_line(argv or ["serve"])
    command = importlib.import_module(f"atelier_mcp.server.cli.{arguments.module}")
    if not getattr(command, "NEEDS_SETTINGS", True):
        on_loaded()
        return command.run(arguments)
    # Here and not at the top: --help and wrong usage need none of it.
    from atelier_mcp.server import logs
    from atelier_mcp.server.settings import load_settings

    on_loaded()
    settings = load_settings()
    logs.configure_logging(settings.log_level)
    return command.run(arguments, settings)


def _report(error: AtelierError, *, as_json: bool) -> int:
    """Tell of an error, for a program on stdout and in JSON where it asked for that."""
    if as_json:
        import json

        parts = {"message": error.message, "spent": error.spent.value, "hint": error.hint}
        document = {"error": {key: value for key, value in parts.items() if value}}
        print(json.dumps(document, indent=2))
    else:
        print(error, file=sys.stderr)
    return EXIT_CODE if isinstance(error, UsageError) else 1


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
