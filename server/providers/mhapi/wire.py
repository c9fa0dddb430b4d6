"""What MHAPI answers, read liberally: extra fields ignored, null for missing, both spellings, wrapped or flat.

Everything but a task's state and a model's id may be missing (contract: shared.zero_values, shared.model_fields).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from atelier_mcp.server.providers.reading import Documents, Text, Wire, read_all

WRAPPERS = ("task", "data", "result")


class ErrorBody(Wire):
    """The inside of the error envelope."""

    code: int | None = None
    message: Text = ""
    details: list[Any] | None = None


class Accepted(Wire):
    """The answer to a submit."""

    task_id: Annotated[str, Field(min_length=1)]


class Image(Wire):
    """One picture of a task: a link, or a data URL where base64 was asked for."""

    index: int | None = None
    seed: int | None = None
    small: Text = ""
    raw: Text = ""
    error_code: Text = ""


class Face(Wire):
    """One face found. The shape of ``coords`` is not printed in the contract."""

    index: int | None = None
    coords: Any = None


class Task(Wire):
    """The state of a task of any service; each fills what it has."""

    state: Text = ""
    state_message: Text = Field("", validation_alias=AliasChoices("state_message", "state_msg"))
    task_id: Text = ""
    images: Documents = Field(default_factory=list[dict[str, Any]])
    faces: Documents = Field(default_factory=list[dict[str, Any]])
    img_url: Text = ""
    img_raw_url: Text = ""
    lora_id: Text = ""
    training_progress: float | None = None


class ModelEntry(Wire):
    """One listed model."""

    id: Annotated[str, Field(min_length=1)]
    name: Text = ""
    description: Text = ""
    base_model_type: Text = ""
    model_type: Text = ""
    trigger_words: Text = Field("", validation_alias=AliasChoices("trigger_words", "trigger_word"))


class ControlEntry(Wire):
    """One controlnet of a checkpoint."""

    cn: Annotated[str, Field(min_length=1)]
    name: Text = ""
    description: Text = ""


class Page(Wire):
    """One page of a listing."""

    have_next: bool | None = False
    data: Documents = Field(default_factory=list[dict[str, Any]])


class Cancelled(Wire):
    """The answer to a cancel."""

    success: bool | None = False


def unwrapped(document: Any) -> Any:
    """The object inside ``task``, ``data`` or ``result``, or the document itself where it is flat."""
    if isinstance(document, dict):
        for key in WRAPPERS:
            if isinstance(inner := document.get(key), dict):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
                return inner  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return document  # pyright: ignore[reportUnknownVariableType]  # any JSON


def batch(document: Any) -> list[Task] | None:
    """The tasks in a batch answer: a ``results`` list or a bare one; None where there is neither."""
    listed: Any = document.get("results") if isinstance(document, dict) else document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    if not isinstance(listed, list):
        return None
    entries: list[Any] = [unwrapped(entry) for entry in listed]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return read_all(Task, entries)
