"""MHAPI's task states as ours."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ContentRefused, Spent, UpstreamFailed
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
)
from atelier_mcp.server.providers.mhapi.wire import MhapiFaceBody, MhapiImageBody, MhapiTaskBody
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.providers.http import UpstreamClient

DONE_STATES = frozenset({"SUCCESS", "DONE"})
"""DONE stands in one LoRA example (contract: lora.state_done)."""
CANCELLED_STATES = frozenset({"CANCELLED", "CANCELED"})
SENSITIVE_CODE = "Sensitive"
NO_LINK = "no link"
NOT_LISTED = "none listed"


def parse_snapshot(kind: str, task: MhapiTaskBody, client: UpstreamClient) -> TaskSnapshot:
    """The state of a task of any kind; ``client`` cleans what the service says of it."""
    match kind:
        case "face.detect":
            return parse_detection_task(task)
        case "face.imggen":
            return parse_swap_task(task)
        case "lora":
            return parse_training_task(task, client.quote, client.clean)
        case _:
            return parse_image_task(task, client.quote, client.clean)


def combine_tiles(tiles: Sequence[TaskSnapshot]) -> TaskSnapshot:
    """The state of a picture that was sent in tiles: done when all are, failed or lost when one is.

    What the others made is paid for, and of no use without it.
    """
    ended = [tile for tile in tiles if isinstance(tile, TaskFailed | TaskLost)]
    if ended:
        failed = next((tile for tile in ended if isinstance(tile, TaskFailed)), ended[0])
        failed.reason.spent = Spent.MAYBE
        return failed
    done = [tile for tile in tiles if isinstance(tile, TaskSucceeded)]
    if len(done) < len(tiles):
        return TaskRunning(len(done) / len(tiles), f"{len(done)} of {len(tiles)} tiles are done")
    outputs = tuple(output for tile in done for output in tile.outputs)
    missing_reasons = tuple(reason for tile in done for reason in tile.missing_reasons)
    return TaskSucceeded(outputs, data=done[0].data, missing_reasons=missing_reasons)


def parse_image_task(
    task: MhapiTaskBody, quote: Callable[[object], str], clean: Callable[[object], str]
) -> TaskSnapshot:
    """The state of a task of a service with named states and ``images``."""
    state = task.state.upper()
    if state in DONE_STATES:
        return _parse_images(task, clean)
    if state == "FAILED":
        return _parse_failure(task, quote)
    return _parse_progress(task, clean)


def parse_training_task(
    task: MhapiTaskBody, quote: Callable[[object], str], clean: Callable[[object], str]
) -> TaskSnapshot:
    """The state of a LoRA training; a message in RUNNING is shown, not believed (contract: lora.running_with_error)."""
    state = task.state.upper()
    if state in CANCELLED_STATES:
        return TaskFailed(UpstreamFailed("The training was cancelled."))
    if state == "FAILED":
        return _parse_failure(task, quote)
    if state not in DONE_STATES:
        return _parse_progress(task, clean)
    if not task.lora_id:
        return TaskLost(UpstreamFailed("MHAPI finished the training without naming the LoRA."))
    return TaskSucceeded(data={"model": task.lora_id, **_build_remarks(task, clean)})


def parse_detection_task(task: MhapiTaskBody) -> TaskSnapshot:
    """The state of a face detection. Finished without faces means that there are none."""
    if not _is_face_task_done(task):
        return _parse_face_progress(task)
    faces = [
        {"index": position if face.index is None else face.index, "coords": face.coords, "box": parse_box(face.coords)}
        for position, face in enumerate(parse_models(MhapiFaceBody, task.faces))
    ]
    return TaskSucceeded(data={"faces": faces})


def parse_swap_task(task: MhapiTaskBody) -> TaskSnapshot:
    """The state of a face swap: one picture under two links, the better first (contract: face.swap.single_output)."""
    output = _parse_output(task.img_raw_url, None) or _parse_output(task.img_url, None)
    if output is not None:
        return TaskSucceeded(outputs=(output,))
    if not _is_face_task_done(task):
        return _parse_face_progress(task)
    return TaskLost(UpstreamFailed("MHAPI finished the face swap without a picture."))


def parse_box(coords: Any) -> list[float] | None:
    """Left, top, right and bottom in pixels, where four numbers can be recognised in any of the likely shapes."""
    numbers = _parse_numbers(coords)
    if numbers is None or len(numbers) != 4:
        return None
    x1, y1, x2, y2 = numbers
    return [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]


def _parse_images(task: MhapiTaskBody, clean: Callable[[object], str]) -> TaskSnapshot:
    """The pictures that came out; those with an error code or without a link are lost (contract: failed_shape)."""
    outputs: list[OutputImage] = []
    missing_reasons: list[str] = []
    for image in _sort_images(task):
        output = None if image.error_code else _parse_output(image.raw or image.small, image.seed)
        if output is None:
            missing_reasons.append(clean(image.error_code) if image.error_code else NO_LINK)
        else:
            outputs.append(output)
    if outputs:
        return TaskSucceeded(tuple(outputs), data=_build_remarks(task, clean), missing_reasons=tuple(missing_reasons))
    # One sensitive image among lost ones explains the loss best, and changing the prompt may help.
    if SENSITIVE_CODE in missing_reasons:
        return TaskFailed(_build_sensitive_error())
    failure = UpstreamFailed(f"MHAPI finished the job without a picture ({', '.join(missing_reasons) or NOT_LISTED}).")
    # Only an error code is the service's own word that no picture will come.
    has_codes = any(reason != NO_LINK for reason in missing_reasons)
    return TaskFailed(failure) if has_codes else TaskLost(failure)


def _sort_images(task: MhapiTaskBody) -> list[MhapiImageBody]:
    # The index may be missing where it is 0 (contract: shared.zero_values); the place in the list stands for it.
    images = list(enumerate(parse_models(MhapiImageBody, task.images)))
    images.sort(key=lambda item: item[0] if item[1].index is None else item[1].index)
    return [image for _, image in images]


def _parse_failure(task: MhapiTaskBody, quote: Callable[[object], str]) -> TaskFailed:
    # The body of a failed task is not shown anywhere (contract: shared.failed_shape): its images are looked at as well.
    if any(image.error_code == SENSITIVE_CODE for image in parse_models(MhapiImageBody, task.images)):
        return TaskFailed(_build_sensitive_error())
    message = "" if task.state_message.upper() == "OK" else task.state_message
    return TaskFailed(UpstreamFailed(f"MHAPI could not finish the job. {quote(message)}"))


def _build_sensitive_error() -> ContentRefused:
    return ContentRefused(
        "MHAPI judged the finished picture sensitive and keeps it back.",
        spent=Spent.UNKNOWN,
        hint="Change the prompt or the picture.",
    )


def _parse_progress(task: MhapiTaskBody, clean: Callable[[object], str]) -> TaskPending | TaskRunning:
    """An unknown state counts as work: the job's deadline ends it."""
    if task.state.upper() == "PENDING":
        return TaskPending()
    note = "" if task.state_message.upper() == "OK" else task.state_message
    return TaskRunning(_normalize_progress(task.training_progress), clean(note))


def _normalize_progress(progress: float | None) -> float | None:
    """Progress in [0, 1]; a value above 1 is a percentage (contract: lora.progress_scale)."""
    if progress is None:
        return None
    return min(1.0, max(0.0, progress / 100 if progress > 1 else progress))


def _build_remarks(task: MhapiTaskBody, clean: Callable[[object], str]) -> dict[str, str]:
    message = task.state_message.strip()
    return {} if message.upper() in ("", "OK") else {"remarks": clean(message)}


def _is_face_task_done(task: MhapiTaskBody) -> bool:
    return task.state.upper() in {"1", *DONE_STATES}


def _parse_face_progress(task: MhapiTaskBody) -> TaskSnapshot:
    """0 is at work; a state nobody knows ends it, for faces have no failed state (contract: no_failure_state)."""
    state = task.state.upper()
    if state in ("", "0", "RUNNING"):
        return TaskRunning()
    return TaskPending() if state == "PENDING" else TaskLost(UpstreamFailed("MHAPI could not finish the face job."))


def _parse_output(link: str, seed: int | None) -> OutputImage | None:
    """A link as it is; a data URL or bare base64 as bytes; None for neither (contract: stylization.get_type)."""
    if link.startswith(("http://", "https://")):
        return OutputImage(url=link, seed=seed)
    try:
        data = base64.b64decode(link.rpartition(",")[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return OutputImage(data=data, seed=seed) if data else None


def _parse_numbers(coords: Any) -> list[float] | None:
    if isinstance(coords, dict):
        return _parse_object_numbers(coords)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    if isinstance(coords, list):
        return _parse_list_numbers(coords)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    return None


def _parse_object_numbers(coords: dict[str, Any]) -> list[float] | None:
    for names in (("x1", "y1", "x2", "y2"), ("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax")):
        if all(name in coords for name in names):
            return _parse_list_numbers([coords[name] for name in names])
    points = [_parse_point(value) for value in coords.values()]
    return [*points[0], *points[1]] if len(points) == 2 and points[0] and points[1] else None


def _parse_list_numbers(values: list[Any]) -> list[float] | None:
    if values and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return [value if isinstance(value, int) else float(value) for value in values]
    points = [_parse_point(value) for value in values]
    return [*points[0], *points[1]] if len(points) == 2 and points[0] and points[1] else None


def _parse_point(value: Any) -> list[float] | None:
    if isinstance(value, dict) and "x" in value and "y" in value:
        return _parse_list_numbers([value["x"], value["y"]])
    if isinstance(value, list) and len(value) == 2:  # pyright: ignore[reportUnknownArgumentType]  # any JSON
        return _parse_list_numbers(value)  # pyright: ignore[reportUnknownArgumentType]  # any JSON
    return None
