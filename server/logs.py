"""Logs on stderr: one line each, with the facts that came with it. stdout belongs to the protocol."""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NETWORK_LOGGERS: Final = ("asyncio", "uvicorn.error", "atelier_mcp.server.http_connections")
"""Whose lines anybody who can open a connection can cause."""
MAX_REMEMBERED_KINDS: Final = 1000

_STANDARD_FIELDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    # Set by formatters and libraries after the record was made; they would be printed as facts of ours.
    "message",
    "asctime",
    "taskName",
    "color_message",
}


class ExtraFieldsFormatter(logging.Formatter):
    """``22:04:05 WARNING atelier_mcp.server.jobs.poller a look failed job=job_x provider=mhapi``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, its extra facts behind it."""
        line = super().format(record)
        extra_fields = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in _STANDARD_FIELDS)
        if not extra_fields:
            return line
        # Behind the first line: below it stands a traceback.
        first, separator, rest = line.partition("\n")
        return f"{first} {extra_fields}{separator}{rest}"


class RepetitionFilter(logging.Filter):
    """Lets a warning through once in a while and not each time: what a stranger can cause must not fill the disk.

    The next line that passes says how many were left out.
    """

    def __init__(self, *, pause_s: float = 10.0, read_clock: Callable[[], float] = time.monotonic) -> None:
        """Let the same message of the same logger pass every ``pause_s`` seconds."""
        super().__init__()
        self._pause_s = pause_s
        self._read_clock = read_clock
        self._passed: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for the first line of a kind, and for one after the pause."""
        # By the words before anything is put into them: in those of asyncio stands which socket it was.
        key, now_s = (record.name, str(record.msg).partition("\n")[0][:100]), self._read_clock()
        passed_s, left_out = self._passed.get(key, (-self._pause_s, 0))
        if now_s - passed_s < self._pause_s:
            self._passed[key] = passed_s, left_out + 1
            return False
        if len(self._passed) >= MAX_REMEMBERED_KINDS:
            self._passed.clear()
        self._passed[key] = now_s, 0
        if left_out:
            record.msg = f"{record.msg} ({left_out} more like it since the last)"
        return True


def configure_logging(level: str) -> None:
    """Send every log to stderr; libraries speak only from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ExtraFieldsFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    limit_repetitions(NETWORK_LOGGERS)
    # Replaced, not added: a handler set up before could write to stdout, which is the protocol's.
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("atelier_mcp").setLevel(level)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a retry that helps is no news; one that does not is told


def limit_repetitions(loggers: Iterable[str]) -> None:
    """Let each of these loggers say the same thing only once in a while."""
    for name in loggers:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RepetitionFilter) for one in logger.filters):
            logger.addFilter(RepetitionFilter())
