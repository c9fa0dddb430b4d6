"""What a host's file holds under our name, in whatever shape that host has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND_KEYS: Final = ("command", "cmd")
ADDRESS_KEYS: Final = ("url", "serverUrl", "httpUrl", "uri")
SWITCH_KEYS: Final = ("enabled", "disabled")


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry with a command line or the address of a server over HTTP; with neither, its host can use it no more."""

    command: tuple[str, ...] = ()
    address: str = ""
    is_switched_off: bool = False


def read_entry(entry: Any) -> FoundEntry:
    """The entry as far as it is known."""
    if not isinstance(entry, dict):
        return FoundEntry()
    fields = cast("dict[str, Any]", entry)
    transport = fields.get("transport")
    fields = {**fields, **cast("dict[str, Any]", transport)} if isinstance(transport, dict) else fields
    command = _list_words(_find(fields, COMMAND_KEYS))
    return FoundEntry(
        command=(*command, *_list_words(fields.get("args"))) if command else (),
        address=str(_find(fields, ADDRESS_KEYS) or ""),
        is_switched_off=fields.get("disabled") is True or fields.get("enabled") is False,
    )


def _find(fields: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((fields[key] for key in keys if fields.get(key)), None)


def _list_words(value: Any) -> tuple[str, ...]:
    words = cast("list[Any]", value) if isinstance(value, list) else [value]
    return tuple(word for word in words if isinstance(word, str))
