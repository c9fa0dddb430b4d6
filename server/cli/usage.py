"""Wrong usage of a command: one line on stderr, exit code 2."""

from __future__ import annotations

import argparse
import errno
import math
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from atelier_mcp.server.errors import AtelierError, ConfigurationError, Spent
from atelier_mcp.server.private_files import make_private_folder, open_private

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_CODE: Final = 2
MAX_PORT: Final = 65_535
MAX_NAMED_BOUND: Final = 1_000_000
_REFUSED_CHOICE: Final = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")


class UsageError(AtelierError):
    """A command was called in a way that it does not understand; nothing was begun."""

    spent: Spent = Spent.UNKNOWN

    def __str__(self) -> str:
        """One line."""
        return " ".join(" ".join((self.message, self.hint)).split())


class LineParser(argparse.ArgumentParser):
    """A parser that tells of a wrong option in one line and raises it, instead of printing how all is used."""

    def error(self, message: str) -> NoReturn:
        """Raise ``UsageError`` with argparse's own words, and the choice that was probably meant."""
        hint = _suggest_choice(message) or f"{self.prog} --help shows what there is."
        raise UsageError(f"{self.prog}: {message.rstrip('.')}.", hint=hint)


def _suggest_choice(message: str) -> str:
    """The near one of the choices that argparse lists, with quotes or, from Python 3.14 on, without."""
    import difflib

    refused = _REFUSED_CHOICE.search(message)
    near = refused and difflib.get_close_matches(refused[1], re.findall(r"[\w-]+", refused[2]), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def build_listen_error(host: str, port: int, error: OSError) -> ConfigurationError:
    """What is wrong with an address to listen on; a name that leads nowhere is no matter of the port."""
    is_host = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
    option = "--host" if is_host else "--port"
    words = f"Cannot listen on {host} port {port}: {error.strerror or error}."
    return ConfigurationError(words, hint=f"Choose another with {option}.")


class _Number(Protocol):
    def __call__(self, text: str, /) -> float: ...


def parse_port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    return int(_parse_number(text, int, 0, MAX_PORT, "a port"))


def parse_seconds(text: str) -> float:
    """A duration, up to a day."""
    return _parse_number(text, float, 0, 86_400, "a number of seconds")


def parse_count(lowest: int, highest: int) -> Callable[[str], int]:
    """A parser of whole numbers within bounds."""
    return lambda text: int(_parse_number(text, int, lowest, highest, "a number"))


def _parse_number(text: str, kind: _Number, lowest: float, highest: float, what: str) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    # NaN is neither below nor above anything.
    if not lowest <= number <= highest:
        # A bound that nobody meets is no help.
        bounds = f"from {lowest:g}" if highest > MAX_NAMED_BOUND else f"from {lowest:g} to {highest:g}"
        raise argparse.ArgumentTypeError(f"{text} is not {what} {bounds}")
    return number


def parse_output_folder(text: str) -> Path:
    """A folder that is there or can be made."""
    return _parse_folder(text, lambda folder: folder.mkdir(parents=True, exist_ok=True))


def parse_state_folder(text: str) -> Path:
    """The same, made for this user alone: prompts lie in it."""
    return _parse_folder(text, make_private_folder)


def _parse_folder(text: str, make: Callable[[Path], None]) -> Path:
    folder = Path(text).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a file, and a folder is needed")
    try:
        make(folder)
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{text} cannot be made: {err.strerror or err}") from err
    return folder


def parse_log_file(text: str) -> Path:
    """A file that can be appended to, made for this user alone; its folder must be there."""
    path = Path(text).expanduser().absolute()
    try:
        with open(path, "ab", opener=open_private):  # Path.open takes no opener
            pass
    except OSError as err:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {err.strerror or err}") from err
    return path


def parse_text(text: str) -> str:
    """A text with something in it."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text
