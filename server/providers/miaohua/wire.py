"""What Miaohua answers: an envelope of code, info and msg around most answers, and none around some."""

from __future__ import annotations

from typing import Any, cast

from pydantic import Field

from atelier_mcp.server.providers.wire import JsonObjects, Strings, Text, WireModel


class MiaohuaImageBody(WireModel):
    """One picture of a task."""

    task_id: Text = ""
    large: Text = ""
    middle: Text = ""
    save_index: int | None = None


class MiaohuaTaskBody(WireModel):
    """The state of a task, alone or in a batch."""

    task_id: Text = ""
    state: Text = ""
    error_msg: Text = ""
    images: JsonObjects = Field(default_factory=list[dict[str, Any]])
    select_seed: int | None = None
    wait_time: int | None = None
    remarks: Strings = Field(default_factory=list[str])
    """What the built-in emulator says of its pictures (contract: task_result.remarks)."""


class MiaohuaTrainingBody(WireModel):
    """The state of a training."""

    state: Text = ""
    model_name: Text = ""
    training_progress: float | None = None
    error_msg: Text = ""


class MiaohuaModelBody(WireModel):
    """One listed model."""

    versionid: Text = ""
    model_id: int | None = None
    model_name: Text = ""
    description: Text = ""
    base_model: Text = ""
    tag: Text = ""
    author: Text = ""
    is_opensource: bool | None = None


class MiaohuaModelPageBody(WireModel):
    """One page of models."""

    has_next: bool | None = False
    models: JsonObjects = Field(default_factory=list[dict[str, Any]])


class MiaohuaControlBody(WireModel):
    """One type of control."""

    name: Text = ""
    local_name: Text = ""
    desc: Text = ""


class MiaohuaDatasetBody(WireModel):
    """One data set."""

    id: int
    name: Text = ""
    description: Text = ""
    create_time: Text = ""
    update_time: Text = ""
    images: list[str] | None = None
    images_num: int | None = None


class MiaohuaDatasetPageBody(WireModel):
    """One page of data sets."""

    items: JsonObjects = Field(default_factory=list[dict[str, Any]])
    has_next: bool | None = False


class MiaohuaFormFieldBody(WireModel):
    """One field of the generation form; ``string`` and ``str`` are the same type (contract: type_synonyms)."""

    name: Text = ""
    type: Text = ""
    description: Text = ""
    default: Any = None
    min: float | None = None
    max: float | None = None
    choices: Any = None


def unwrap_info(document: Any) -> Any:
    """What an answer holds: ``info`` where it is there and not null, else all of it (contract: client_rule)."""
    if isinstance(document, dict):
        body = cast("dict[str, Any]", document)
        # Some answers have no ``info`` and stand at the top.
        return body if body.get("info") is None else body["info"]
    return document


def unwrap_state(document: Any) -> Any:
    """The state of one task: inside ``info`` where that holds one, else at the top (contract: result_envelope)."""
    inner = unwrap_info(document)
    if isinstance(inner, dict) and not {"state", "images"}.isdisjoint(cast("dict[str, Any]", inner)):
        return cast("dict[str, Any]", inner)
    return document


def find_text(document: Any, name: str) -> str:
    """One text under its name inside ``info``, else at the top; empty where there is none."""
    for place in (unwrap_info(document), document):
        value: Any = place.get(name) if isinstance(place, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
        # Ids come as texts and as numbers.
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def parse_links(document: Any) -> list[str]:
    """The links in an upload's answer: a list, or a bare one (contract: upload_img.single_result_shape)."""
    inner = unwrap_info(document)
    found: list[Any] = cast("list[Any]", inner) if isinstance(inner, list) else [inner]
    return [link for link in found if isinstance(link, str) and link.startswith(("http://", "https://"))]


def unwrap_list(document: Any) -> list[Any]:
    """The entries of an answer that is a list; none where it is something else."""
    inner = unwrap_info(document)
    return cast("list[Any]", inner) if isinstance(inner, list) else []
