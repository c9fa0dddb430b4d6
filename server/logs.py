"""Logs on stderr: one line each, with the facts that came with it. stdout belongs to the protocol."""

from __future__ import annotations

import logging
import sys
from typing import Final

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


def configure_logging(level: str) -> None:
    """Send every log to stderr; libraries speak only from WARNING up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(ExtraFieldsFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    # Replaced, not added: a handler set up before could write to stdout, which is the protocol's.
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("atelier_mcp").setLevel(level)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # a retry that helps is no news; one that does not is told
