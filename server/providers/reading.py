"""Reading answers liberally: extra fields ignored, null for missing, numbers where text was promised."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A string; null and absent are empty, a number becomes text."""
Documents = Annotated[list[dict[str, Any]], BeforeValidator(lambda value: [] if value is None else value)]
"""A list of objects; null and absent are empty."""


class Wire(BaseModel):
    """An answer or a part of one."""

    model_config = ConfigDict(extra="ignore", frozen=True, coerce_numbers_to_str=True, populate_by_name=True)


W = TypeVar("W", bound=Wire)


def read(shape: type[W], document: Any) -> W | None:
    """The document as ``shape``, or None where it is something else."""
    try:
        return shape.model_validate(document)
    except ValidationError:  # its text repeats the values, among them signed links
        return None


def read_all(shape: type[W], documents: list[Any]) -> list[W]:
    """Those of the documents that are of ``shape``."""
    return [entry for document in documents if (entry := read(shape, document)) is not None]
