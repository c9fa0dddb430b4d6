"""What of a request only some services understand, and the refusal where none of them can be given it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.spec import load_field_type

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from atelier_mcp.server.providers.operation_index import FieldOwner, OperationIndex
    from atelier_mcp.server.requests.base import Request


def find_used_fields(request: Request, operations: OperationIndex) -> dict[str, tuple[FieldOwner, ...]]:
    """The fields a request uses that some providers alone understand, each with these.

    Of a field that services give types of their own it is what is set in it: ``advanced.scheduler``.
    """
    used: dict[str, tuple[FieldOwner, ...]] = {}
    for field_name, owners in operations.find_field_owners(request.capability).items():
        value = getattr(request, field_name, None)
        if value in (None, ()):
            continue
        keys = value.model_dump(exclude_defaults=True) if isinstance(value, BaseModel) else ()
        used |= {f"{field_name}.{key}": find_key_owners(owners, key) for key in keys} or {field_name: tuple(owners)}
    return used


def find_key_owners(owners: Sequence[FieldOwner], key: str) -> tuple[FieldOwner, ...]:
    """Those of the owners of an object who have a field of that name in it."""
    return tuple(owner for owner in owners if owner.type_path and key in load_field_type(owner.type_path).model_fields)


def build_field_refusal(
    used: Mapping[str, Sequence[FieldOwner]], *, configured: Collection[str], other_ways: Mapping[str, str]
) -> InvalidRequest:
    """The error for fields that no one service, or not the one that was named, can be given.

    ``configured`` are the providers that can do the request but for these fields; ``other_ways`` say by field what else
    to do.
    """
    common = [owner for owner in next(iter(used.values())) if all(owner in owners for owners in used.values())]
    sentences = [f"{', '.join(labels)}: {_format_owners(owners)}" for labels, owners in _group(used, configured)]
    if not common:
        return InvalidRequest(" ".join(sentences), hint="No service understands all of it: keep what is one's.")
    here = [owner.name for owner in common if owner.name in configured]
    way = f'say provider="{here[0]}"' if here else f"set {format_settings(common)}"
    others = [other_ways[name] for name in used if name in other_ways]
    return InvalidRequest(" ".join(sentences), hint=" ".join([f"Leave it out, or {way}.", *others]))


def format_settings(owners: Sequence[FieldOwner]) -> str:
    """What to set so that one of them can be asked."""
    return ", or ".join(owner.required_settings or f"up {owner.name}" for owner in owners)


def format_unconfigured_field(owners: Sequence[FieldOwner]) -> str:
    """What is wrong with a field that only these understand, none of which is configured."""
    return f"{_format_owners(owners)} Leave it out, or set {format_settings(owners)}."


def _group(
    used: Mapping[str, Sequence[FieldOwner]], configured: Collection[str]
) -> list[tuple[list[str], Sequence[FieldOwner]]]:
    """The fields that the same providers understand together, those named that are configured if there are any."""
    groups: dict[tuple[FieldOwner, ...], list[str]] = {}
    for label, owners in used.items():
        here = tuple(owner for owner in owners if owner.name in configured)
        groups.setdefault(here or tuple(owners), []).append(label)
    return [(labels, owners) for owners, labels in groups.items()]


def _format_owners(owners: Sequence[FieldOwner]) -> str:
    verb = "understands" if len(owners) == 1 else "understand"
    return f"only {', '.join(owner.name for owner in owners)} {verb} that."
