"""What every request has in common: frozen, strict about unknown arguments, and naming its own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT_DEFAULTS: Final = frozenset({"format", "watermark"})
"""Settings of every picture's file: the operator's choice, where the tool does not make it the caller's."""


class ImageReferenceMarker:
    """Marks a string field as a picture: a handle, a link, a path or a data URL."""


ImageReference = Annotated[str, ImageReferenceMarker(), Field(min_length=1)]
"""A picture as the caller names it; once accepted, always a handle."""


class RequestModel(BaseModel):
    """An object inside a request."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True)


ModelT = TypeVar("ModelT", bound=RequestModel)


class ToolArguments(RequestModel):
    """What a tool takes of its own. Most tools take a ``Request``; those that ask no service, just this."""

    hidden_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are accepted but not put before a model: settings or other arguments decide them."""


class Request(ToolArguments):
    """One thing a user wants done. Field names are ours; providers translate them."""

    capability: ClassVar[str]
    """The capability's name, which is also the tool's."""
    output_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS
    """Fields about the picture's file that are the operator's choice where the caller does not say."""
    exclusive_fields: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fields that one provider alone understands, with its name: a request that uses one is that provider's.

    Where the operator has configured it they are put before a model although they are ``hidden_fields``.
    """

    deferred_types: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The types of exclusive fields that are loaded only where they are offered, as ``module:class``."""

    def find_exclusive_provider(self) -> str | None:
        """The one provider that understands this request, where there is just one."""
        used_fields = [name for name in self.exclusive_fields if getattr(self, name) not in (None, ())]
        return self.exclusive_fields[used_fields[0]] if used_fields else None

    def with_output_defaults(self, defaults: Mapping[str, str]) -> Self:
        """The request with the operator's ``defaults`` for what the caller left open about the picture's file.

        A request that starts from PNG keeps it: a mask or a cut-out would be spoilt by another format.
        """
        open_fields = self.output_fields & type(self).model_fields.keys() - self.model_fields_set
        update = {name: defaults[name] for name in open_fields if getattr(self, name) != "png"}
        return self.model_copy(update=update)

    def list_image_references(self) -> Iterator[tuple[str, str]]:
        """Every picture named in the request as (where, reference), e.g. ``("controls[0].image", "img_...")``."""
        yield from _iterate_image_references(self, "")

    def replace_image_references(self, references: Mapping[str, str]) -> Self:
        """The same request with each picture reference replaced by ``names[where]``."""
        return _replace_image_references(self, "", references)

    def image_count(self) -> int:
        """How many pictures the request asks to be made, which is what budgets count."""
        return 1

    def to_document(self) -> dict[str, Any]:
        """The request as JSON, defaults left out: what the ledger keeps and what identifies a repetition."""
        return self.model_dump(mode="json", exclude_defaults=True)


def _iterate_image_references(model: RequestModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, str) and _is_image_reference(field.metadata, field.annotation):
            yield f"{prefix}{name}", value
        elif isinstance(value, RequestModel):
            yield from _iterate_image_references(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # a field may hold any tuple
                if isinstance(item, RequestModel):
                    yield from _iterate_image_references(item, f"{prefix}{name}[{index}].")
                elif isinstance(item, str) and _is_image_reference(field.metadata, field.annotation):
                    yield f"{prefix}{name}[{index}]", item


def _is_image_reference(metadata: list[Any], annotation: Any) -> bool:
    """True for ``ImageReference``, ``Picture | None`` and ``tuple[Picture, ...]``."""
    if any(isinstance(item, ImageReferenceMarker) for item in metadata):
        return True
    annotation_metadata: tuple[Any, ...] = getattr(annotation, "__metadata__", ())
    return any(isinstance(mark, ImageReferenceMarker) for mark in annotation_metadata) or any(
        _is_image_reference([], type_argument) for type_argument in getattr(annotation, "__args__", ())
    )


def _replace_image_references(model: ModelT, prefix: str, references: Mapping[str, str]) -> ModelT:
    update: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        path = f"{prefix}{name}"
        if path in references:
            update[name] = references[path]
        elif isinstance(value, RequestModel):
            update[name] = _replace_image_references(value, f"{path}.", references)
        elif isinstance(value, tuple):
            update[name] = tuple(
                _replace_image_references(item, f"{path}[{index}].", references)
                if isinstance(item, RequestModel)
                else references.get(f"{path}[{index}]", item)  # pyright: ignore[reportUnknownArgumentType]  # as above
                for index, item in enumerate(value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # as above
            )
    return model.model_copy(update=update)
