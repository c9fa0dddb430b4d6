"""States as JSON documents and back; the ledger keeps them so."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, assert_never

from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.jobs.model import (
    Cancelled,
    Failed,
    JobImage,
    Queued,
    Running,
    Saving,
    State,
    Submitting,
    Succeeded,
    Unconfirmed,
)
from atelier_mcp.server.providers.base import UpstreamTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Document = dict[str, Any]


def encode_state(state: State) -> Document:
    """What a state holds, as JSON; its name is kept beside it."""
    match state:
        case Submitting(is_waiting=is_waiting, task=task):
            waiting = {"is_waiting": True} if is_waiting else {}
            return waiting if task is None else {**waiting, "task": _encode_task(task)}
        case Unconfirmed():
            return {}
        case Queued(task, problem):
            return {"task": _encode_task(task), **_encode_problem(problem)}
        case Running(task, progress, note, problem):
            return {"task": _encode_task(task), "progress": progress, "note": note, **_encode_problem(problem)}
        case Saving(task, outputs, data, lost, tries, problem):
            return {
                "task": task and _encode_task(task),
                "outputs": [_encode_output(output) for output in outputs],
                "data": dict(data),
                "lost": list(lost),
                "tries": tries,
                "problem": problem,
            }
        case Succeeded(images, data, lost):
            return {
                "images": [_encode_image(image) for image in images],
                "data": dict(data),
                "lost": list(lost),
            }
        case Failed(what, spent, then):
            return {"what": what, "spent": spent, "then": then}
        case Cancelled(upstream_stopped):
            return {"upstream_stopped": upstream_stopped}
        case _:
            assert_never(state)


def decode_state(name: str, document: Mapping[str, Any]) -> State:
    """The state called ``name`` from what ``encode_state`` made of it."""
    # Documents of older versions are read by the same decoders: a new field needs a default here.
    return _DECODERS[name](document)


def _decode_submitting(document: Mapping[str, Any]) -> Submitting:
    task = _decode_task(document["task"]) if "task" in document else None
    return Submitting(is_waiting=document.get("is_waiting", False), task=task)


def _decode_queued(document: Mapping[str, Any]) -> Queued:
    return Queued(_decode_task(document["task"]), document.get("problem", ""))


def _decode_running(document: Mapping[str, Any]) -> Running:
    task = _decode_task(document["task"])
    return Running(task, document["progress"], document["note"], document.get("problem", ""))


def _decode_saving(document: Mapping[str, Any]) -> Saving:
    task = document["task"]
    return Saving(
        _decode_task(task) if task else None,
        tuple(_decode_output(output) for output in document["outputs"]),
        document["data"],
        tuple(document["lost"]),
        document.get("tries", 0),  # not in ledgers of earlier versions
        document.get("problem", ""),
    )


def _decode_succeeded(document: Mapping[str, Any]) -> Succeeded:
    images = tuple(JobImage(image["handle"], image["seed"], image.get("label", "")) for image in document["images"])
    return Succeeded(images, document["data"], tuple(document["lost"]))


_DECODERS: dict[str, Callable[[Mapping[str, Any]], State]] = {
    "submitting": _decode_submitting,
    "queued": _decode_queued,
    "running": _decode_running,
    "saving": _decode_saving,
    "succeeded": _decode_succeeded,
    "failed": lambda document: Failed(**document),
    "cancelled": lambda document: Cancelled(document["upstream_stopped"]),
    "unconfirmed": lambda _: Unconfirmed(),
}


def _encode_image(image: JobImage) -> Document:
    label = {"label": image.label} if image.label else {}
    return {"handle": image.handle, "seed": image.seed, **label}


def _encode_problem(problem: str) -> Document:
    return {"problem": problem} if problem else {}


def _encode_task(task: UpstreamTask) -> Document:
    return {"id": task.id, "kind": task.kind}


def _decode_task(document: Mapping[str, Any]) -> UpstreamTask:
    return UpstreamTask(document["id"], document["kind"])


def _encode_output(output: OutputImage) -> Document:
    # An answer that holds the image itself is kept in the ledger until the image is stored: it cannot be fetched again.
    data = None if output.data is None else b64encode(output.data).decode("ascii")
    return {"url": output.url, "data": data, "seed": output.seed}


def _decode_output(document: Mapping[str, Any]) -> OutputImage:
    data = document["data"]
    return OutputImage(document["url"], None if data is None else b64decode(data), document["seed"])
