"""What every request has in common: frozen, strict about unknown arguments, and naming its own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Self, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUT_DEFAULTS: Final = frozenset({"format", "watermark"})
"""Settings of every picture's file: the operator's choice, where the tool does not make it the caller's."""
MAX_WHOLE_NUMBER: Final = 2**63 - 1
"""No database and no service holds more."""


class ImageReferenceMarker:
    """Marks a string field as a picture: a handle, a link, a path or a data URL."""


ImageReference = Annotated[str, ImageReferenceMarker(), Field(min_length=1)]
"""A picture as the caller names it; in a request that was accepted, always a handle.

The stages it goes through from here to the upstream are described in ``images/pipeline.py``.
"""


class RequestModel(BaseModel):
    """An object inside a request."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True, allow_inf_nan=False)

    @classmethod
    def expand_text(cls, text: str) -> dict[str, Any] | None:
        """The values of the object that a bare text in its place stands for; None where a text says too little."""
        del text
        return None

    @model_validator(mode="after")
    def _require_64_bits(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            for item in cast("tuple[Any, ...]", value) if isinstance(value, tuple | list) else (value,):
                if isinstance(item, int) and abs(item) > MAX_WHOLE_NUMBER:
                    raise ValueError(f"{name}: at most {MAX_WHOLE_NUMBER:,} is allowed")
        return self


class ToolArguments(RequestModel):
    """What a tool takes of its own. Most tools take a ``Request``; those that ask no service, just this."""

    hidden_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are accepted but not put before a model: settings or other arguments decide them.

    One that a provider alone understands is put before a model where that provider is configured, as its spec says.
    """


class Request(ToolArguments):
    """One thing a user wants done. Field names are ours; providers translate them."""

    capability: ClassVar[str]
    """The capability's name, which is also the tool's."""
    output_fields: ClassVar[frozenset[str]] = OUTPUT_DEFAULTS
    """Fields about the picture's file that are the operator's choice where the caller does not say."""
    other_ways: ClassVar[Mapping[str, str]] = {}
    """What else to do, as a sentence, in place of a field that no configured provider understands."""

    def with_output_defaults(self, defaults: Mapping[str, str]) -> Self:
        """The request with the operator's ``defaults`` for what the caller left open about the picture's file.

        A request that starts from PNG keeps it: a mask or a cut-out would be spoilt by another format. They do not
        count as set: what suits the source may still take their place.
        """
        # "-" binds tighter than "&": of the request's own fields, those that the caller did not set.
        open_fields = self.output_fields & type(self).model_fields.keys() - self.model_fields_set
        update = {name: defaults[name] for name in open_fields if getattr(self, name) != "png"}
        request = self.model_copy(update=update)
        request.model_fields_set.difference_update(update)
        return request

    def list_image_references(self) -> Iterator[tuple[str, str]]:
        """Every picture named in the request as (place, reference): ``("controls[0].image", "img_...")``."""
        for path, reference in _iterate_image_references(self, ()):
            yield format_place(*path), reference

    def replace_image_references(self, references: Mapping[str, str]) -> Self:
        """The same request with other references in the places that ``references`` names; the rest stays."""
        request = self
        for path, _ in _iterate_image_references(self, ()):
            place = format_place(*path)
            if place in references:
                request = _replace_at(request, path, references[place])
        return request

    def choose_by_sizes(self, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
        """The fields that depend on the sizes of its pictures, width and height by place, worked out.

        Raises ``ValueError`` for what cannot be made of pictures of these sizes.
        """
        del sizes
        return {}

    def image_count(self) -> int:
        """How many pictures the request asks to be made, which is what budgets count."""
        return 1

    def to_document(self) -> dict[str, Any]:
        """The request as JSON, defaults left out: what the ledger keeps and what identifies a repetition."""
        # Without defaults, so that a default written out and one left out are the same request.
        return self.model_dump(mode="json", exclude_defaults=True)


def format_place(*path: str | int) -> str:
    """Where in a request something stands, as messages and the maps of images name it.

    ``format_place("controls", 0, "image")`` is ``controls[0].image``. The only place that spells it.
    """
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _iterate_image_references(
    model: RequestModel, prefix: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every picture in a request or an object inside it, with the steps that lead there, in the order of the fields."""
    image_fields = _find_image_fields(type(model))
    for name in type(model).model_fields:
        for path, value in _iterate_items(getattr(model, name), (*prefix, name)):
            if isinstance(value, RequestModel):
                yield from _iterate_image_references(value, path)
            elif isinstance(value, str) and name in image_fields:
                yield path, value


@cache
def _find_image_fields(model_type: type[RequestModel]) -> frozenset[str]:
    """The fields of a model that name images by themselves, and not only inside an object."""
    fields = model_type.model_fields.items()
    return frozenset(name for name, field in fields if _is_image_reference(field.metadata, field.annotation))


def _iterate_items(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The items of a tuple, each with its path; any other value as the one item there is."""
    if isinstance(value, tuple):
        for index, item in enumerate(cast("tuple[Any, ...]", value)):
            yield (*path, index), item
    else:
        yield path, value


def _is_image_reference(metadata: list[Any], annotation: Any) -> bool:
    """True for ``ImageReference``, ``ImageReference | None`` and ``tuple[ImageReference, ...]``."""
    # Pydantic moves the marker into the field's metadata, except where the type stands inside a union or a tuple.
    if any(isinstance(item, ImageReferenceMarker) for item in metadata):
        return True
    annotation_metadata: tuple[Any, ...] = getattr(annotation, "__metadata__", ())
    return any(isinstance(mark, ImageReferenceMarker) for mark in annotation_metadata) or any(
        _is_image_reference([], type_argument) for type_argument in getattr(annotation, "__args__", ())
    )


def _replace_at(node: Any, path: tuple[str | int, ...], reference: str) -> Any:
    """A copy of a request, or of a tuple in it, with ``reference`` at the end of ``path``; the rest is shared."""
    if not path:
        return reference
    step, *rest = path
    if isinstance(step, int):
        return (*node[:step], _replace_at(node[step], tuple(rest), reference), *node[step + 1 :])
    # ``model_copy`` validates nothing: what was checked when the request came stays as it was found.
    return node.model_copy(update={step: _replace_at(getattr(node, step), tuple(rest), reference)})
