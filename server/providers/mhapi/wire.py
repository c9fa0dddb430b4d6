"""What MHAPI answers, read liberally: extra fields ignored, null for missing, both spellings, wrapped or flat.

Everything but a task's state and a model's id may be missing (contract: shared.zero_values, shared.model_fields).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, Field

from atelier_mcp.server.providers.wire import JsonObjects, Text, WireModel, parse_models

WRAPPER_KEYS = ("task", "data", "result")


class MhapiErrorBody(WireModel):
    """The inside of the error envelope."""

    code: int | None = None
    message: Text = ""
    details: list[Any] | None = None


class MhapiSubmitBody(WireModel):
    """The answer to a submit."""

    task_id: Annotated[str, Field(min_length=1)]


class MhapiImageBody(WireModel):
    """One picture of a task: a link, or a data URL where base64 was asked for."""

    index: int | None = None
    seed: int | None = None
    small: Text = ""
    raw: Text = ""
    error_code: Text = ""


class MhapiFaceBody(WireModel):
    """One face found. The shape of ``coords`` is not printed in the contract."""

    index: int | None = None
    coords: Any = None


class MhapiTaskBody(WireModel):
    """The state of a task of any service; each fills what it has."""

    state: Text = ""
    state_message: Text = Field("", validation_alias=AliasChoices("state_message", "state_msg"))
    task_id: Text = ""
    images: JsonObjects = Field(default_factory=list[dict[str, Any]])
    faces: JsonObjects = Field(default_factory=list[dict[str, Any]])
    img_url: Text = ""
    img_raw_url: Text = ""
    lora_id: Text = ""
    training_progress: float | None = None


class MhapiModelBody(WireModel):
    """One listed model."""

    id: Annotated[str, Field(min_length=1)]
    name: Text = ""
    description: Text = ""
    base_model_type: Text = ""
    model_type: Text = ""
    trigger_words: Text = Field("", validation_alias=AliasChoices("trigger_words", "trigger_word"))


class MhapiControlBody(WireModel):
    """One controlnet of a checkpoint."""

    cn: Annotated[str, Field(min_length=1)]
    name: Text = ""
    description: Text = ""


class MhapiModelPageBody(WireModel):
    """One page of a listing."""

    have_next: bool | None = False
    data: JsonObjects = Field(default_factory=list[dict[str, Any]])


class MhapiCancelBody(WireModel):
    """The answer to a cancel."""

    success: bool | None = False


def unwrap_data(document: Any) -> Any:
    """The object inside ``task``, ``data`` or ``result``, or the document itself where it is flat."""
    if isinstance(document, dict):
        for key in WRAPPER_KEYS:
            if isinstance(inner := document.get(key), dict):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
                return inner  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return document  # pyright: ignore[reportUnknownVariableType]  # any JSON


def parse_batch(document: Any) -> list[MhapiTaskBody] | None:
    """The tasks in a batch answer: a ``results`` list or a bare one; None where there is neither."""
    results: Any = document.get("results") if isinstance(document, dict) else document  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
    if not isinstance(results, list):
        return None
    entries: list[Any] = [unwrap_data(entry) for entry in results]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return parse_models(MhapiTaskBody, entries)
