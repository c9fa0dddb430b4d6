"""What the emulator says to whoever runs it of a call that it failed to do; the caller hears the service's words."""

from __future__ import annotations

import logging
from typing import Final

from atelier_mcp.server.disk_errors import explain_disk_error

log: Final = logging.getLogger(__name__)


def log_defect(what: str, error: Exception) -> None:
    """One line where the disk is at fault, which is for its owner to mend; anything else with its traceback."""
    if reason := explain_disk_error(error):
        log.error("%s failed: %s", what, reason)
    else:
        log.error("%s failed", what, exc_info=error)
