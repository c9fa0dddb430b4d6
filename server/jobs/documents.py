"""States as JSON documents and back; the ledger keeps them so."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, assert_never

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
from atelier_mcp.server.providers.base import Output, UpstreamTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Document = dict[str, Any]


def state_to_document(state: State) -> Document:
    """What a state holds, as JSON; its name is kept beside it."""
    match state:
        case Submitting() | Unconfirmed():
            return {}
        case Queued(task):
            return {"task": _task_out(task)}
        case Running(task, progress, note):
            return {"task": _task_out(task), "progress": progress, "note": note}
        case Saving(task, outputs, data, lost):
            return {
                "task": task and _task_out(task),
                "outputs": [_output_out(output) for output in outputs],
                "data": dict(data),
                "lost": list(lost),
            }
        case Succeeded(images, data, lost):
            return {
                "images": [{"handle": image.handle, "seed": image.seed} for image in images],
                "data": dict(data),
                "lost": list(lost),
            }
        case Failed(what, spent, then):
            return {"what": what, "spent": spent, "then": then}
        case Cancelled(upstream_stopped):
            return {"upstream_stopped": upstream_stopped}
        case _:
            assert_never(state)


def state_from_document(name: str, document: Mapping[str, Any]) -> State:
    """The state called ``name`` from what ``state_to_document`` made of it."""
    return _READERS[name](document)


def _queued(document: Mapping[str, Any]) -> Queued:
    return Queued(_task_in(document["task"]))


def _running(document: Mapping[str, Any]) -> Running:
    return Running(_task_in(document["task"]), document["progress"], document["note"])


def _saving(document: Mapping[str, Any]) -> Saving:
    task = document["task"]
    return Saving(
        _task_in(task) if task else None,
        tuple(_output_in(output) for output in document["outputs"]),
        document["data"],
        tuple(document["lost"]),
    )


def _succeeded(document: Mapping[str, Any]) -> Succeeded:
    images = tuple(JobImage(image["handle"], image["seed"]) for image in document["images"])
    return Succeeded(images, document["data"], tuple(document["lost"]))


_READERS: dict[str, Callable[[Mapping[str, Any]], State]] = {
    "submitting": lambda _: Submitting(),
    "queued": _queued,
    "running": _running,
    "saving": _saving,
    "succeeded": _succeeded,
    "failed": lambda document: Failed(**document),
    "cancelled": lambda document: Cancelled(document["upstream_stopped"]),
    "unconfirmed": lambda _: Unconfirmed(),
}


def _task_out(task: UpstreamTask) -> Document:
    return {"id": task.id, "kind": task.kind}


def _task_in(document: Mapping[str, Any]) -> UpstreamTask:
    return UpstreamTask(document["id"], document["kind"])


def _output_out(output: Output) -> Document:
    data = None if output.data is None else b64encode(output.data).decode("ascii")
    return {"url": output.url, "data": data, "seed": output.seed}


def _output_in(document: Mapping[str, Any]) -> Output:
    data = document["data"]
    return Output(document["url"], None if data is None else b64decode(data), document["seed"])
