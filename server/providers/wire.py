"""Reading answers liberally: extra fields ignored, null for missing, numbers where text was promised.

Sending is strict: a name that has no value is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _keep_strings(value: Any) -> list[str]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A string; null and absent are empty, a number becomes text."""
JsonObjects = Annotated[list[dict[str, Any]], BeforeValidator(lambda value: [] if value is None else value)]
"""A list of objects; null and absent are empty."""

Strings = Annotated[
    list[str],
    BeforeValidator(_keep_strings),
]
"""The strings of a list; anything else is an empty one."""


class WireModel(BaseModel):
    """An answer or a part of one."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="ignore", frozen=True, coerce_numbers_to_str=True, populate_by_name=True
    )


WireModelT = TypeVar("WireModelT", bound=WireModel)


def parse_model(model_type: type[WireModelT], document: Any) -> WireModelT | None:
    """The document as ``model_type``, or None where it is something else."""
    try:
        return model_type.model_validate(document)
    except ValidationError:  # its text repeats the values, among them signed links
        return None


def parse_models(model_type: type[WireModelT], documents: list[Any]) -> list[WireModelT]:
    """Those of the documents that are of ``model_type``."""
    return [entry for document in documents if (entry := parse_model(model_type, document)) is not None]


def drop_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without the names that hold nothing."""
    return {name: value for name, value in body.items() if value is not None}
