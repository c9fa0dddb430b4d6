"""What Miaohua answers: an envelope of code, info and msg around most answers, and none around some."""

from __future__ import annotations

from typing import Any, cast

from pydantic import Field

from atelier_mcp.server.providers.reading import Documents, Text, Wire

NOTHING = frozenset({"", "none", "null"})
"""Words that stand for a missing link (contract: cn_list.string_none)."""


class Picture(Wire):
    """One picture of a task."""

    task_id: Text = ""
    large: Text = ""
    middle: Text = ""
    save_index: int | None = None


class Task(Wire):
    """The state of a task, alone or in a batch."""

    task_id: Text = ""
    state: Text = ""
    error_msg: Text = ""
    images: Documents = Field(default_factory=list[dict[str, Any]])
    select_seed: int | None = None
    wait_time: int | None = None


class Training(Wire):
    """The state of a training."""

    state: Text = ""
    model_name: Text = ""
    training_progress: float | None = None
    error_msg: Text = ""


class ModelEntry(Wire):
    """One listed model."""

    versionid: Text = ""
    model_id: int | None = None
    model_name: Text = ""
    description: Text = ""
    base_model: Text = ""
    tag: Text = ""
    author: Text = ""
    is_opensource: bool | None = None


class ModelList(Wire):
    """One page of models."""

    has_next: bool | None = False
    models: Documents = Field(default_factory=list[dict[str, Any]])


class ControlEntry(Wire):
    """One type of control."""

    name: Text = ""
    local_name: Text = ""
    desc: Text = ""


class DataSet(Wire):
    """One data set."""

    id: int
    name: Text = ""
    description: Text = ""
    create_time: Text = ""
    update_time: Text = ""
    images: list[str] | None = None
    images_num: int | None = None


class DataSetPage(Wire):
    """One page of data sets."""

    items: Documents = Field(default_factory=list[dict[str, Any]])
    has_next: bool | None = False


class FormField(Wire):
    """One field of the generation form; ``string`` and ``str`` are the same type (contract: type_synonyms)."""

    name: Text = ""
    type: Text = ""
    description: Text = ""
    default: Any = None
    min: float | None = None
    max: float | None = None
    choices: Any = None


def payload(document: Any) -> Any:
    """What an answer holds: ``info`` where it is there and not null, else all of it (contract: client_rule)."""
    if isinstance(document, dict):
        body = cast("dict[str, Any]", document)
        return body if body.get("info") is None else body["info"]
    return document


def state_in(document: Any) -> Any:
    """The state of one task: inside ``info`` where that holds one, else at the top (contract: result_envelope)."""
    inner = payload(document)
    if isinstance(inner, dict) and not {"state", "images"}.isdisjoint(cast("dict[str, Any]", inner)):
        return cast("dict[str, Any]", inner)
    return document


def text_in(document: Any, name: str) -> str:
    """One text under its name inside ``info``, else at the top; empty where there is none."""
    for place in (payload(document), document):
        value: Any = place.get(name) if isinstance(place, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # any JSON
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def links_in(document: Any) -> list[str]:
    """The links in an upload's answer: a list, or a bare one (contract: upload_img.single_result_shape)."""
    inner = payload(document)
    found: list[Any] = cast("list[Any]", inner) if isinstance(inner, list) else [inner]
    return [link for link in found if isinstance(link, str) and link.startswith(("http://", "https://"))]


def listed(document: Any) -> list[Any]:
    """The entries of an answer that is a list; none where it is something else."""
    inner = payload(document)
    return cast("list[Any]", inner) if isinstance(inner, list) else []
