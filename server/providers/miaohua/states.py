"""Miaohua's task states as ours: on paper there are only ``pending`` and ``done`` (contract: failed_state)."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
from atelier_mcp.server.providers.miaohua.wire import MiaohuaImageBody, MiaohuaTaskBody, MiaohuaTrainingBody
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Callable

DONE_STATE = "done"
# The service has no code for it here, only words in either language.
SENSITIVE_WORDS = ("sensitive", "敏感", "违规")
UNKNOWN_TASK_WORDS = ("not found", "not exist", "不存在")


def parse_image_task(
    task: MiaohuaTaskBody, quote: Callable[[object], str], clean: Callable[[object], str]
) -> TaskSnapshot:
    """Done needs a picture; an error without pictures is a failure; whatever else is said means that it goes on."""
    # By save_index: a blocked picture is left out, and the others keep theirs (contract: task_result.sensitive_effect).
    images = sorted(_parse_images(task), key=lambda image: image.save_index or 0)
    if task.state.lower() == DONE_STATE and images:
        outputs = tuple(_to_output(image, task.select_seed) for image in images)
        remarks = clean("; ".join(task.remarks))
        return TaskSucceeded(
            outputs,
            data={"remarks": remarks} if remarks else {},
            missing_reasons=(clean(task.error_msg),) if task.error_msg else (),
        )
    if task.error_msg and not images:
        failure = build_failure(task.error_msg, quote)
        # An entry with a message alone stands for a task that is not known (contract: task_results.unknown_ids).
        is_unknown = not task.state or any(words in task.error_msg.lower() for words in UNKNOWN_TASK_WORDS)
        return TaskLost(failure) if is_unknown else TaskFailed(failure)
    if task.state.lower() == DONE_STATE:
        return TaskLost(UpstreamFailed("Miaohua finished the job without a picture."))
    # wait_time counts the tasks ahead; what says nothing of it counts as waiting.
    return TaskRunning() if task.wait_time == 0 else TaskPending()


def has_training_failed(training: MiaohuaTrainingBody) -> bool:
    """Failure has no name of its own (contract: train_progress.training_states)."""
    state = training.state.lower()
    return "fail" in state or "error" in state


def build_failure(message: str, quote: Callable[[object], str]) -> ContentRefused | UpstreamFailed:
    """The error a task's message stands for."""
    if any(word in message.lower() for word in SENSITIVE_WORDS):
        return ContentRefused(
            f"Miaohua judged the finished picture sensitive and keeps it back. {quote(message)}",
            spent=Spent.UNKNOWN,
            hint="Change the prompt or the picture.",
        )
    return UpstreamFailed(f"Miaohua could not finish the job. {quote(message)}")


def _parse_images(task: MiaohuaTaskBody) -> list[MiaohuaImageBody]:
    entries = parse_models(MiaohuaImageBody, task.images)
    return [image for image in entries if (image.large or image.middle).startswith(("http://", "https://"))]


def _to_output(image: MiaohuaImageBody, seed: int | None) -> OutputImage:
    """The task names one seed; it surely belongs to the first picture only."""
    return OutputImage(url=image.large or image.middle, seed=seed if not image.save_index else None)
