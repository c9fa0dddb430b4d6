"""Polls Miaohua for the states of tasks: tasks up to fifty at once, trainings one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ContentRefused, ProviderUnavailable, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
)
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import (
    IMAGE_REFUSED,
    NO_SUCH_ENDPOINT,
    UNKNOWN_TASK_CODES,
    MiaohuaRejection,
)
from atelier_mcp.server.providers.miaohua.states import DONE_STATE, build_failure, has_training_failed, parse_image_task
from atelier_mcp.server.providers.miaohua.wire import (
    MiaohuaImageBody,
    MiaohuaTaskBody,
    MiaohuaTrainingBody,
    unwrap_list,
    unwrap_state,
)
from atelier_mcp.server.providers.task_poller import TaskPoller
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import UpstreamTask
    from atelier_mcp.server.providers.faults import Rejection
    from atelier_mcp.server.providers.miaohua.model_list import MiaohuaModelList
    from atelier_mcp.server.providers.miaohua.session import MiaohuaSession
    from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit

IMAGE_TASK = "pictures"
TRAINING_TASK = "training"
BATCH_SIZE = 50


class MiaohuaTaskPoller(TaskPoller):
    """Remembers whether the service has a batch call.

    The call is given up when it refused or knew none of the tasks, and single polls know one. Its refusal alone may be
    that of a gateway in trouble.
    """

    def __init__(
        self,
        session: MiaohuaSession,
        model_list: MiaohuaModelList,
        *,
        rate_limit: RateLimit,
        sensitive_limit: float | None = None,
    ) -> None:
        """Ask through ``session``; ``rate_limit`` is the account's for status requests.

        ``model_list`` has the LoRA of a finished training; ``sensitive_limit`` in [0, 1] tightens the image check.
        """
        super().__init__(rate_limit=rate_limit, clock=session.client.clock)
        self._session = session
        self._model_list = model_list
        self._check_options = {} if sensitive_limit is None else {"sensitive_limit_value": sensitive_limit}
        self._has_batch_call = True
        self._is_batch_call_missing = False
        """The last refusal of the batch call said that there is no such call."""

    def batch_size(self, kind: str) -> int:
        """Fifty for images, one for trainings and where the batch call does not exist."""
        return BATCH_SIZE if kind == IMAGE_TASK and self._has_batch_call else 1

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:
        """One batch answer; nothing where the service refuses to give one."""
        ids = list(dict.fromkeys(task.id for task in tasks))
        http_request = HttpRequest("POST", "/task_results", body={"task_ids": ids, **self._check_options})
        self._is_batch_call_missing = False
        try:
            entries = unwrap_list(await self._session.send(http_request, rate_limit=allowance))
        except MiaohuaRejection as err:
            self._is_batch_call_missing = err.fault.code in NO_SUCH_ENDPOINT
            # any other refusal is about these tasks or this moment, and single polls will tell
            return {}
        return {task_id: self._parse_snapshot(task) for task_id, task in match_entries(ids, entries).items()}

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task or training."""
        if task.kind == TRAINING_TASK:
            return await self._poll_training(task, allowance)
        return await self._poll_images(task, allowance)

    def give_up_batches(self, kind: str) -> None:  # noqa: ARG002  # one call for all kinds
        """Ask for tasks singly from now on, if it was the call that refused."""
        self._has_batch_call = not self._is_batch_call_missing

    def judge_rejection(self, task: UpstreamTask, rejection: Rejection) -> TaskFailed | TaskLost | None:  # noqa: ARG002  # the codes say enough
        """What a code in the body says of the task (contract: task_result.failed_state, errors.704)."""
        fault = rejection.fault
        if fault.by_status:
            return None
        if fault.code in UNKNOWN_TASK_CODES:
            return TaskLost(
                UpstreamFailed(f"Miaohua no longer knows this task. {self._session.client.quote(fault.message)}")
            )
        if fault.code == IMAGE_REFUSED:
            return TaskFailed(ContentRefused(rejection.error.message, hint=rejection.error.hint, spent=Spent.UNKNOWN))
        return None

    async def _poll_images(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        http_request = HttpRequest("POST", "/task_result", body={"task_id": task.id, **self._check_options})
        document = await self._session.send(http_request, rate_limit=allowance)
        state = parse_model(MiaohuaTaskBody, unwrap_state(document))
        # An answer with neither is no state, whatever error it names: gateways say error_msg, too.
        if state is None or not (state.state or state.images) or state.task_id not in ("", task.id):
            raise ProviderUnavailable("Miaohua answered the look at a task with something unreadable.")
        return self._parse_snapshot(state)

    async def _poll_training(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        http_request = HttpRequest("POST", "/train_progress", body={"task_id": task.id})
        document = await self._session.send(http_request, rate_limit=allowance)
        training = parse_model(MiaohuaTrainingBody, unwrap_state(document))
        if training is None or not training.state:
            raise ProviderUnavailable("Miaohua answered the look at a training with something unreadable.")
        if has_training_failed(training):
            return TaskFailed(build_failure(training.error_msg or training.state, self._session.client.quote))
        if training.state.lower() == DONE_STATE:
            return await self._build_training_result(training)
        # 0 or nothing said: it has not begun.
        progress = training.training_progress
        return TaskRunning(min(max(progress, 0.0), 1.0)) if progress else TaskPending()

    async def _build_training_result(self, training: MiaohuaTrainingBody) -> TaskSucceeded:
        """A finished training with the id of its LoRA; the name counts as the service tells it (contract: name_change).

        The id is what ``lora_configs`` wants, and only the list of own models has it (contract: trained_model_use).
        """
        try:
            lora = await self._model_list.find_trained_lora(training.model_name)
        except MiaohuaRejection:  # the training is over all the same
            lora = None
        if lora is None:
            return TaskSucceeded(
                data={"name": training.model_name, "remarks": "its id is in list_models, kind trained_lora"}
            )
        return TaskSucceeded(data={"model": lora.id, "name": training.model_name})

    def _parse_snapshot(self, task: MiaohuaTaskBody) -> TaskSnapshot:
        return parse_image_task(task, self._session.client.quote, self._session.client.clean)


def match_entries(ids: Sequence[str], entries: Sequence[Any]) -> dict[str, MiaohuaTaskBody]:
    """The entries of a batch answer by task id (contract: batch_correlation).

    By the id in their pictures, then by their own, and by position only when the counts agree: then an entry that
    names no task belongs to the id in its place, unless another entry claims that.
    """
    tasks = [parse_model(MiaohuaTaskBody, entry) for entry in entries]
    found: dict[str, MiaohuaTaskBody] = {}
    for task in tasks:
        own_id = _find_task_id(task)
        if task is not None and own_id in ids:
            found[own_id] = task
    # Otherwise something was left out, and nobody knows which: those ids are asked about singly.
    if len(tasks) == len(ids):
        for task_id, task in zip(ids, tasks, strict=True):
            if task is not None and not _find_task_id(task):
                found.setdefault(task_id, task)
    return found


def _find_task_id(task: MiaohuaTaskBody | None) -> str:
    if task is None:
        return ""
    image_task_ids = [image.task_id for image in parse_models(MiaohuaImageBody, task.images) if image.task_id]
    return image_task_ids[0] if image_task_ids else task.task_id
