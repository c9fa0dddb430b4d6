"""Which ledgers this version of Atelier can work with, known before their libraries are loaded.

A ledger holds two numbers: the version of its tables, and the oldest version that may still work with them. Steps that
only add something leave the second one as it is, so that servers of two versions share a ledger while they are replaced
one after the other.
"""

from __future__ import annotations

from typing import Final

from atelier_mcp.server.errors import ConfigurationError

NEWEST_VERSION: Final = 8
"""Where the steps of ``migrations`` lead. Said here, too: loading them takes a quarter of a second at every start."""
OLDEST_READER: Final = 5
"""The oldest version that can work with tables as they are now. Raised by a step that older ones cannot live with."""


def check_version(version: int, *, oldest_reader: int, newest: int = NEWEST_VERSION) -> None:
    """Raise ``ConfigurationError``, in one line, for a ledger from a newer Atelier that this one cannot work with."""
    if newest < oldest_reader:
        raise ConfigurationError(
            f"The ledger was written by a newer Atelier (version {version} of it, this one knows {newest}): upgrade "
            "atelier-mcp, or use another ledger (ATELIER_HOME, ATELIER_DATABASE_URL)."
        )
