"""The command line: every command with its options. Imports nothing that a command needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp import __version__
from atelier_mcp.server.cli import usage

if TYPE_CHECKING:
    import argparse
    from argparse import ArgumentParser
    from collections.abc import Callable, Sequence

JOB_STATES: Final = (
    "active", "submitting", "queued", "running", "saving", "succeeded", "failed", "cancelled", "unconfirmed",
)  # fmt: skip
IMAGE_PROTOCOLS: Final = ("auto", "kitty", "iterm", "sixel", "none")
SHELLS: Final = ("bash", "zsh", "fish")
TOKEN_ACTIONS: Final = ("add", "list", "revoke")
TOP_OPTIONS: Final = ("-h", "--help", "--version")
DEFAULT_HOST: Final = "127.0.0.1"
HTTP_PORT: Final = 8765
EMULATOR_PORT: Final = 8766


def build_parser() -> ArgumentParser:
    """The command line's arguments; a wrong one raises ``UsageError``."""
    top = usage.LineParser(prog="atelier", description="An image studio for LLM agents.")
    top.add_argument("--version", action="version", version=f"atelier {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (description, add_options) in _COMMANDS.items():
        subparser = commands.add_parser(name, help=description, description=description)
        subparser.set_defaults(module=name, command=name)
        add_options(subparser)
    return top


def parse_command_line(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its options. Raises ``UsageError``."""
    parser = build_parser()
    # argparse would miss the command instead of naming the option that stands in its place.
    if argv and argv[0].startswith("-") and argv[0] not in TOP_OPTIONS:
        parser.error(f"{argv[0]} is no option before a command")
    arguments, unread = parser.parse_known_args(argv)
    # A list that options stand in the middle of: argparse itself reads it up to the first option only.
    if unread and "rest" in arguments and not any(word.startswith("-") for word in unread):
        getattr(arguments, arguments.rest).extend(unread)
    elif unread:
        usage.LineParser(prog=f"atelier {arguments.command}").error(f"unrecognized arguments: {' '.join(unread)}")
    return arguments


def _add_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs, errors too")


def _add_address(parser: ArgumentParser, port: int) -> None:
    """Without defaults: whether an address was given says something, too."""
    parser.add_argument("--host", type=usage.parse_text, help=f"address to listen on ({DEFAULT_HOST})")
    parser.add_argument("--port", type=usage.parse_port, help=f"port to listen on, 0 for a free one ({port})")


def _add_images(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--pictures",
        choices=IMAGE_PROTOCOLS,
        default="auto",
        help="how pictures are shown in the terminal (%(default)s: as it can)",
    )
    parser.add_argument("--open", action="store_true", help="open the pictures in their usual program")


def _add_serve_options(parser: ArgumentParser) -> None:
    parser.add_argument("--http", action="store_true", help="listen for HTTP clients at /mcp")
    _add_address(parser, HTTP_PORT)


def _add_demo_options(parser: ArgumentParser) -> None:
    parser.add_argument("prompt", nargs="?", default="a lighthouse in a storm, oil painting", help="what to draw")
    parser.add_argument(
        "--out", type=usage.parse_output_folder, default="atelier-demo", help="folder for the pictures (%(default)s)"
    )
    parser.add_argument("--open", action="store_true", help="open the folder when it is done")


def _add_setup_options(parser: ArgumentParser) -> None:
    parser.add_argument("hosts", nargs="*", metavar="HOST", help="such as cursor; without any, it asks")
    parser.set_defaults(rest="hosts")
    parser.add_argument("--list", action="store_true", help="list the hosts, and which of them are found here")
    parser.add_argument("--remove", action="store_true", help="take Atelier out again")
    parser.add_argument("--dry-run", action="store_true", help="show what would change and write nothing")
    parser.add_argument("--print", action="store_true", help="print the configuration, for pasting")
    parser.add_argument("--project", action="store_true", help="for the project in this folder, not for the user")
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="hand a setting on; without a value, the one it has now",
    )
    _add_json(parser)


def _add_tools_options(parser: ArgumentParser) -> None:
    parser.add_argument("tool", nargs="?", help="the tool's name")
    _add_json(parser)


def _add_call_options(parser: ArgumentParser) -> None:
    parser.add_argument("tool", help="the tool's name")
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="key=value",
        help="lists as a,b or JSON; key=@FILE reads a file, key=@- stdin",
    )
    parser.set_defaults(rest="arguments")
    parser.add_argument("--from", dest="source", metavar="FILE", help="take arguments from a JSON file, or - for stdin")
    _add_images(parser)
    _add_json(parser)


def _add_jobs_options(parser: ArgumentParser) -> None:
    parser.add_argument("--state", action="append", choices=JOB_STATES, help="only these; active: unfinished")
    parser.add_argument("--limit", type=usage.parse_count(1, 100), default=20, help="how many (%(default)s)")
    parser.add_argument("--offset", type=usage.parse_count(0, 2**62), default=0, help="how many to skip (%(default)s)")
    parser.add_argument("--follow", action="store_true", help="go on until none of them is unfinished")
    _add_json(parser)


def _add_show_options(parser: ArgumentParser) -> None:
    parser.add_argument("handle", help="img_... or job_..., or a picture's path")
    _add_images(parser)
    _add_json(parser)


def _add_spend_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=usage.parse_count(1, 36_500), default=31, help="how many, to today (%(default)s)"
    )
    parser.add_argument("--principal", metavar="NAME", help="of one caller, such as static:alice")
    _add_json(parser)


def _add_prune_options(parser: ArgumentParser) -> None:
    parser.add_argument("--older-than", metavar="AGE", help="such as 30d, 12h (default: ATELIER_KEEP_DAYS)")
    parser.add_argument("--max-size", metavar="SIZE", help="the oldest pictures go until the rest is this small: 5GB")
    parser.add_argument(
        "--only",
        action="append",
        choices=("pictures", "jobs", "emulator"),
        help="only these (default: pictures, finished jobs, and what the built-in emulator keeps)",
    )
    parser.add_argument("--yes", action="store_true", help="delete; without it, only what would go is told")
    _add_json(parser)


def _add_token_options(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=TOKEN_ACTIONS, help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose token it is")
    parser.add_argument(
        "--scope",
        action="append",
        metavar="SCOPE",
        help="what it is good for: read, create, train, admin; more than once, or a,b (default: read,create)",
    )
    parser.add_argument("--replace", action="store_true", help="let an earlier token of that name in no longer")
    _add_json(parser)


def _add_emulator_options(parser: ArgumentParser) -> None:
    _add_address(parser, EMULATOR_PORT)
    parser.set_defaults(host=DEFAULT_HOST, port=EMULATOR_PORT)
    parser.add_argument(
        "--task-seconds",
        type=usage.parse_seconds,
        default=0.0,
        help="how long tasks take at least (%(default)s)",
    )
    parser.add_argument(
        "--access-log", type=usage.parse_log_file, metavar="FILE", help="write one JSON line per request"
    )
    parser.add_argument(
        "--state",
        type=usage.parse_state_folder,
        metavar="FOLDER",
        help="keep tasks here (default: forgotten at the end)",
    )
    parser.add_argument(
        "--set",
        metavar="SERVICE.NAME=VALUE",
        action="append",
        default=[],
        help="set a switch of a service, for example the version of one: sd_aws.version=1.4",
    )


def _add_completion_options(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help='for bash: eval "$(atelier completion bash)"')


_COMMANDS: Final[dict[str, tuple[str, Callable[[ArgumentParser], None]]]] = {
    "serve": ("Serve MCP over stdio, or over HTTP.", _add_serve_options),
    "demo": ("Make pictures through a real MCP client and show where they are.", _add_demo_options),
    "setup": ("Write Atelier into the configuration of the programs that use it.", _add_setup_options),
    "doctor": ("Say what is configured, what works and what is missing.", _add_json),
    "tools": ("List the tools, or say what one of them takes.", _add_tools_options),
    "call": ("Call a tool: atelier call generate_image prompt='a red kite' samples=2", _add_call_options),
    "jobs": ("List jobs, newest first.", _add_jobs_options),
    "show": ("Show a picture or a job.", _add_show_options),
    "spend": ("Say what was spent by day, caller and service.", _add_spend_options),
    "prune": ("Delete old pictures, finished jobs and what the built-in emulator keeps.", _add_prune_options),
    "token": ("Add, list or revoke tokens of those who may come in over HTTP.", _add_token_options),
    "emulator": ("Serve the built-in stand-in of the image services to any client.", _add_emulator_options),
    "completion": ("Print what completes commands in a shell.", _add_completion_options),
}


def build_command_parsers() -> dict[str, ArgumentParser]:
    """Each command's own part, by its name."""
    parsers: dict[str, ArgumentParser] = {}
    for name, (_, add_options) in _COMMANDS.items():
        parsers[name] = usage.LineParser(prog=f"atelier {name}")
        add_options(parsers[name])
    return parsers
