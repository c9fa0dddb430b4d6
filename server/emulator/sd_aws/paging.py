"""Pages of tables: by key in v1.5 and later, of everything before (contract: paging.keys, paging.none)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall

DEFAULT_LIMIT: Final = 10
TOO_SMALL: Final = "Parameter validation failed:\nInvalid value for parameter Limit, value: {}, valid min value: 1"


def get_table_place(record: dict[str, Any]) -> list[Any]:
    """Where a table keeps a row: by its key's digest, which is no order anyone can use."""
    return [hashlib.sha256(str(record["id"]).encode()).hexdigest()]


def get_name_place(record: dict[str, Any]) -> list[Any]:
    """Where the table of data sets keeps a row: by its name."""
    return [str(record["id"])]


def get_newest_place(record: dict[str, Any]) -> list[Any]:
    """Where an index by time keeps a row: newest first."""
    return [-record["created"], record["id"]]


def read_page(
    call: SdAwsCall,
    records: Iterable[dict[str, Any]],
    get_place: Callable[[dict[str, Any]], list[Any]] = get_table_place,
) -> tuple[list[dict[str, Any]], str | None]:
    """The rows a query asks for, newest first, and the key of the last one where there may be more.

    Without pages, all rows in the order of the table. Raises SdAwsHttpError for a limit or a key that is none.
    """
    rows = sorted(records, key=get_place)
    if not call.version.has_pages:
        return rows, None
    limit, after = read_limit(call), _read_key(call)
    # By place and not by finding the row of the key: it may have been deleted in between.
    page = [row for row in rows if after is None or get_place(row) > after][:limit]
    # A full last page has a key, to a page with nothing (contract: paging.keys).
    last = _build_key(get_place(page[-1])) if len(page) == limit else None
    # Sorted within the page only, as answered.
    return sorted(page, key=get_newest_place), last


def read_limit(call: SdAwsCall) -> int:
    """The number of rows that are asked for; raises SdAwsHttpError."""
    limit = read_number(call, "limit", DEFAULT_LIMIT)
    if limit < 1:
        raise SdAwsHttpError(400, TOO_SMALL.format(limit))
    return limit


def read_number(call: SdAwsCall, name: str, default: int) -> int:
    """A whole number of the query; raises SdAwsHttpError with the words of the language the code is written in."""
    text = call.query.get(name)
    if text is None:
        return default
    try:
        return int(text[:20])
    except ValueError:
        raise SdAwsHttpError(400, build_no_number(text)) from None


def build_no_number(text: Any) -> str:
    """What is said of a text that is no whole number."""
    return f"invalid literal for int() with base 10: {str(text)[:40]!r}"


def _build_key(place: list[Any]) -> str:
    return base64.b64encode(json.dumps(place).encode()).decode()


def _read_key(call: SdAwsCall) -> list[Any] | None:
    text = call.query.get("exclusive_start_key")
    if not text:
        return None
    try:
        place = json.loads(base64.b64decode(text, validate=True))
        if not isinstance(place, list):
            raise TypeError(place)
    except (binascii.Error, ValueError, TypeError):
        raise SdAwsHttpError(400, "Incorrect padding") from None
    return place  # pyright: ignore[reportUnknownVariableType] # JSON
