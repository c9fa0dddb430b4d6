"""MHAPI's task states as ours."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ContentRefused, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import Done, Output, Pending, Refused, Snapshot, Working
from atelier_mcp.server.providers.mhapi.wire import Face, Image, Task
from atelier_mcp.server.providers.reading import read_all

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = frozenset({"SUCCESS", "DONE"})
"""DONE stands in one LoRA example (contract: lora.state_done)."""
CANCELLED = frozenset({"CANCELLED", "CANCELED"})
SENSITIVE = "Sensitive"


def picture_task(task: Task, quote: Callable[[object], str], clean: Callable[[object], str]) -> Snapshot:
    """News of a task of a service with named states and ``images``."""
    state = task.state.upper()
    if state in DONE:
        return _pictures(task, clean)
    if state == "FAILED":
        return _failed(task, quote)
    return _unfinished(task, clean)


def training_task(task: Task, quote: Callable[[object], str], clean: Callable[[object], str]) -> Snapshot:
    """News of a LoRA training; a message in RUNNING is shown, not believed (contract: lora.running_with_error)."""
    state = task.state.upper()
    if state in CANCELLED:
        return Refused(UpstreamFailed("The training was cancelled."))
    if state == "FAILED":
        return _failed(task, quote)
    if state not in DONE:
        return _unfinished(task, clean)
    if not task.lora_id:
        return Refused(UpstreamFailed("MHAPI finished the training without naming the LoRA."))
    return Done(data={"model": task.lora_id, **_remarks(task, clean)})


def faces_task(task: Task) -> Snapshot:
    """News of a face detection. Finished without faces means that there are none."""
    if not _face_finished(task):
        return _face_unfinished(task)
    faces = [
        {"index": position if face.index is None else face.index, "coords": face.coords, "box": box_of(face.coords)}
        for position, face in enumerate(read_all(Face, task.faces))
    ]
    return Done(data={"faces": faces})


def swap_task(task: Task) -> Snapshot:
    """News of a face swap: one picture under two links, the better first (contract: face.swap.single_output)."""
    output = _output(task.img_raw_url, None) or _output(task.img_url, None)
    if output is not None:
        return Done(outputs=(output,))
    if not _face_finished(task):
        return _face_unfinished(task)
    return Refused(UpstreamFailed("MHAPI finished the face swap without a picture."))


def box_of(coords: Any) -> list[float] | None:
    """Left, top, right and bottom in pixels, where four numbers can be recognised in any of the likely shapes."""
    numbers = _numbers(coords)
    if numbers is None or len(numbers) != 4:
        return None
    x1, y1, x2, y2 = numbers
    return [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]


def _pictures(task: Task, clean: Callable[[object], str]) -> Snapshot:
    """The pictures that came out; those with an error code or without a link are lost (contract: failed_shape)."""
    outputs: list[Output] = []
    lost: list[str] = []
    for image in _in_order(task):
        output = None if image.error_code else _output(image.raw or image.small, image.seed)
        if output is None:
            lost.append(clean(image.error_code) if image.error_code else "no link")
        else:
            outputs.append(output)
    if outputs:
        return Done(tuple(outputs), data=_remarks(task, clean), lost=tuple(lost))
    if SENSITIVE in lost:
        return Refused(_sensitive())
    return Refused(UpstreamFailed(f"MHAPI finished the job without a picture ({', '.join(lost) or 'none listed'})."))


def _in_order(task: Task) -> list[Image]:
    images = list(enumerate(read_all(Image, task.images)))
    images.sort(key=lambda item: item[0] if item[1].index is None else item[1].index)
    return [image for _, image in images]


def _failed(task: Task, quote: Callable[[object], str]) -> Refused:
    if any(image.error_code == SENSITIVE for image in read_all(Image, task.images)):
        return Refused(_sensitive())
    message = "" if task.state_message.upper() == "OK" else task.state_message
    return Refused(UpstreamFailed(f"MHAPI could not finish the job. {quote(message)}"))


def _sensitive() -> ContentRefused:
    return ContentRefused(
        "MHAPI judged the finished picture sensitive and keeps it back.",
        spent=Spent.UNKNOWN,
        then="Change the prompt or the picture.",
    )


def _unfinished(task: Task, clean: Callable[[object], str]) -> Pending | Working:
    """An unknown state counts as work: the job's deadline ends it."""
    if task.state.upper() == "PENDING":
        return Pending()
    note = "" if task.state_message.upper() == "OK" else task.state_message
    return Working(_share(task.training_progress), clean(note))


def _share(progress: float | None) -> float | None:
    """Progress in [0, 1]; a value above 1 is a percentage (contract: lora.progress_scale)."""
    if progress is None:
        return None
    return min(1.0, max(0.0, progress / 100 if progress > 1 else progress))


def _remarks(task: Task, clean: Callable[[object], str]) -> dict[str, str]:
    message = task.state_message.strip()
    return {} if message.upper() in ("", "OK") else {"remarks": clean(message)}


def _face_finished(task: Task) -> bool:
    return task.state.upper() in {"1", *DONE}


def _face_unfinished(task: Task) -> Snapshot:
    """0 is at work; a state nobody knows ends it, for faces have no failed state (contract: no_failure_state)."""
    state = task.state.upper()
    if state in ("", "0", "RUNNING"):
        return Working()
    return Pending() if state == "PENDING" else Refused(UpstreamFailed("MHAPI could not finish the face job."))


def _output(link: str, seed: int | None) -> Output | None:
    """A link as it is; a data URL or bare base64 as bytes; None for neither (contract: stylization.get_type)."""
    if link.startswith(("http://", "https://")):
        return Output(url=link, seed=seed)
    try:
        data = base64.b64decode(link.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Output(data=data, seed=seed) if data else None


def _numbers(coords: Any) -> list[float] | None:
    if isinstance(coords, dict):
        return _named_numbers(coords)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    if isinstance(coords, list):
        return _listed_numbers(coords)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    return None


def _named_numbers(coords: dict[str, Any]) -> list[float] | None:
    for names in (("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax")):
        if all(name in coords for name in names):
            return _listed_numbers([coords[name] for name in names])
    points = [_point(value) for value in coords.values()]
    return [*points[0], *points[1]] if len(points) == 2 and points[0] and points[1] else None


def _listed_numbers(values: list[Any]) -> list[float] | None:
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [value if isinstance(value, int) else float(value) for value in values]
    points = [_point(value) for value in values]
    return [*points[0], *points[1]] if len(points) == 2 and points[0] and points[1] else None


def _point(value: Any) -> list[float] | None:
    if isinstance(value, dict) and "x" in value and "y" in value:
        return _listed_numbers([value["x"], value["y"]])
    if isinstance(value, list) and len(value) == 2:  # pyright: ignore[reportUnknownArgumentType]  # any JSON
        return _listed_numbers(value)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    return None
