"""Results of what is done at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.sd_aws.wire import RowT, SdAwsRows


def build_listing(name: str, entries: Sequence[Mapping[str, Any]], rows: SdAwsRows[RowT]) -> dict[str, Any]:
    """A list under its name, with how many of the service's ``rows`` could not be read, if any."""
    count = rows.unreadable_count
    return {name: list(entries), **({"unreadable": count} if count else {})}
