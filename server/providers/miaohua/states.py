"""Miaohua's task states as ours: on paper there are only ``pending`` and ``done`` (contract: failed_state)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ContentRefused, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import Done, Output, Pending, Refused, Snapshot, Working
from atelier_mcp.server.providers.miaohua.wire import Picture, Task, Training
from atelier_mcp.server.providers.reading import read_all

if TYPE_CHECKING:
    from collections.abc import Callable

DONE = "done"
SENSITIVE = ("sensitive", "敏感", "违规")


def picture_task(task: Task, quote: Callable[[object], str], clean: Callable[[object], str]) -> Snapshot:
    """Done needs a picture; an error without pictures is a failure; whatever else is said means that it goes on."""
    pictures = sorted(_pictures(task), key=lambda picture: picture.save_index or 0)
    if task.state.lower() == DONE and pictures:
        outputs = tuple(_output(picture, task.select_seed) for picture in pictures)
        return Done(outputs, lost=(clean(task.error_msg),) if task.error_msg else ())
    if task.error_msg and not pictures:
        return Refused(failure(task.error_msg, quote))
    if task.state.lower() == DONE:
        return Refused(UpstreamFailed("Miaohua finished the job without a picture."))
    return Working() if task.wait_time == 0 else Pending()


def training_failed(training: Training) -> bool:
    """Failure has no name of its own (contract: train_progress.training_states)."""
    state = training.state.lower()
    return "fail" in state or "error" in state


def failure(message: str, quote: Callable[[object], str]) -> ContentRefused | UpstreamFailed:
    """The error a task's message stands for."""
    if any(word in message.lower() for word in SENSITIVE):
        return ContentRefused(
            f"Miaohua judged the finished picture sensitive and keeps it back. {quote(message)}",
            spent=Spent.UNKNOWN,
            then="Change the prompt or the picture.",
        )
    return UpstreamFailed(f"Miaohua could not finish the job. {quote(message)}")


def _pictures(task: Task) -> list[Picture]:
    listed = read_all(Picture, task.images)
    return [picture for picture in listed if (picture.large or picture.middle).startswith(("http://", "https://"))]


def _output(picture: Picture, seed: int | None) -> Output:
    """The task names one seed; it surely belongs to the first picture only."""
    return Output(url=picture.large or picture.middle, seed=seed if not picture.save_index else None)
