"""What every request has in common: frozen, strict about unknown arguments, and naming its own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterator


class PictureMark:
    """Marks a string field as a picture: a handle, a link, a path or a data URL."""


Picture = Annotated[str, PictureMark(), Field(min_length=1)]
"""A picture as the caller names it; once accepted, always a handle."""


class Part(BaseModel):
    """An object inside a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


P = TypeVar("P", bound=Part)


class Request(Part):
    """One thing a user wants done. Field names are ours; providers translate them."""

    capability: ClassVar[str]
    """The capability's name, which is also the tool's."""
    unoffered: ClassVar[frozenset[str]] = frozenset()
    """Fields that are accepted but not put before a model: settings or other arguments decide them."""
    exclusive: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fields that one provider alone understands, with its name: a request that uses one is that provider's.

    Where the operator has configured it they are put before a model although they are ``unoffered``.
    """

    typed_by: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The types of exclusive fields that are loaded only where they are offered, as ``module:class``."""

    def only_at(self) -> str | None:
        """The one provider that understands this request, where there is just one."""
        used = [name for name in self.exclusive if getattr(self, name) not in (None, ())]
        return self.exclusive[used[0]] if used else None

    def pictures(self) -> Iterator[tuple[str, str]]:
        """Every picture named in the request as (where, reference), e.g. ``("controls[0].image", "img_...")``."""
        yield from _pictures(self, "")

    def with_pictures(self, names: Mapping[str, str]) -> Self:
        """The same request with each picture reference replaced by ``names[where]``."""
        return _renamed(self, "", names)

    def cost(self) -> int:
        """How many pictures the request asks to be made, which is what budgets count."""
        return 1

    def document(self) -> dict[str, Any]:
        """The request as JSON, defaults left out: what the ledger keeps and what identifies a repetition."""
        return self.model_dump(mode="json", exclude_defaults=True)


def _pictures(part: Part, prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        if isinstance(value, str) and _is_picture(field.metadata, field.annotation):
            yield f"{prefix}{name}", value
        elif isinstance(value, Part):
            yield from _pictures(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # a field may hold any tuple
                if isinstance(item, Part):
                    yield from _pictures(item, f"{prefix}{name}[{index}].")
                elif isinstance(item, str) and _is_picture(field.metadata, field.annotation):
                    yield f"{prefix}{name}[{index}]", item


def _is_picture(metadata: list[Any], annotation: Any) -> bool:
    """True for ``Picture``, ``Picture | None`` and ``tuple[Picture, ...]``."""
    if any(isinstance(mark, PictureMark) for mark in metadata):
        return True
    marks: tuple[Any, ...] = getattr(annotation, "__metadata__", ())
    return any(isinstance(mark, PictureMark) for mark in marks) or any(
        _is_picture([], argument) for argument in getattr(annotation, "__args__", ())
    )


def _renamed(part: P, prefix: str, names: Mapping[str, str]) -> P:
    update: dict[str, Any] = {}
    for name in type(part).model_fields:
        value = getattr(part, name)
        where = f"{prefix}{name}"
        if where in names:
            update[name] = names[where]
        elif isinstance(value, Part):
            update[name] = _renamed(value, f"{where}.", names)
        elif isinstance(value, tuple):
            update[name] = tuple(
                _renamed(item, f"{where}[{index}].", names)
                if isinstance(item, Part)
                else names.get(f"{where}[{index}]", item)  # pyright: ignore[reportUnknownArgumentType]  # as above
                for index, item in enumerate(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # as above
            )
    return part.model_copy(update=update)
