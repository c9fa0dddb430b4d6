"""Names in stored tasks and outcomes that older versions wrote otherwise, read as what they are called now."""

from __future__ import annotations

from typing import Any, Final

FORMER_KEYS: Final = {"picture": "image", "pictures": "images"}
FORMER_FUNCTIONS: Final = {"training_picture": "training_image"}


def update_task(document: dict[str, Any]) -> dict[str, Any]:
    """A stored task with today's names; its facts belong to the upstream's module and stay as they are."""
    return {
        **document,
        "function": _update_function(document["function"]),
        "arguments": _update_keys(document["arguments"]),
        "verdict": _update_keys(document["verdict"]),
    }


def update_outcome(document: dict[str, Any]) -> dict[str, Any]:
    """A stored outcome with today's names; the engine's own document in it stays as it is."""
    return {FORMER_KEYS.get(key, key): value for key, value in document.items()}


def _update_function(path: str) -> str:
    # The oldest stored the module's path in front of it, under names the module no longer has.
    name = path.rpartition(":")[2]
    return FORMER_FUNCTIONS.get(name, name)


def _update_keys(value: Any) -> Any:
    match value:
        case dict():
            return {FORMER_KEYS.get(key, key): _update_keys(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType] # JSON
        case list():
            return [_update_keys(item) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
        case _:
            return value
