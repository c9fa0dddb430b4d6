"""Polls Miaohua for the states of tasks: tasks up to fifty at once, trainings one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    AtelierError,
    OperatorError,
    ProviderUnavailable,
    Spent,
    TransientError,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import (
    NO_SUCH_ENDPOINT,
    UNKNOWN_TASK_CODES,
    MiaohuaRejection,
    build_error,
)
from atelier_mcp.server.providers.miaohua.states import DONE_STATE, build_failure, has_training_failed, parse_image_task
from atelier_mcp.server.providers.miaohua.wire import (
    MiaohuaImageBody,
    MiaohuaTaskBody,
    MiaohuaTrainingBody,
    unwrap_list,
    unwrap_state,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.base import ListedModel
    from atelier_mcp.server.providers.http import UpstreamClient

IMAGE_TASK = "pictures"
TRAINING_TASK = "training"
BATCH_SIZE = 50


class MiaohuaTaskPoller:
    """Reads the states of tasks through ``send``."""

    def __init__(
        self,
        send: Callable[[HttpRequest], Awaitable[Any]],
        client: UpstreamClient,
        *,
        find_trained_lora: Callable[[str], Awaitable[ListedModel | None]],
        sensitive_limit: float | None = None,
    ) -> None:
        """``send`` answers with JSON, raises ``Rejected`` for a refusal and ``TransientError`` for a failed call.

        ``find_trained_lora`` finds the account's LoRA of a name; ``sensitive_limit`` in [0, 1] tightens the picture
        check.
        """
        self._send = send
        self._client = client
        self._find_trained_lora = find_trained_lora
        self._check_options = {} if sensitive_limit is None else {"sensitive_limit_value": sensitive_limit}
        self._has_batch_call = True

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        return BATCH_SIZE if kind == IMAGE_TASK and self._has_batch_call else 1

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind; raises ``TransientError`` where nothing could be learnt."""
        if len(tasks) == 1 or tasks[0].kind == TRAINING_TASK or not self._has_batch_call:
            return await self._poll_each(tasks)
        found = await self._poll_batch(list(dict.fromkeys(task.id for task in tasks)))
        missing = [task for task in tasks if task.id not in found]
        return found | (await self._poll_each(missing, suppress_errors=bool(found)) if missing else {})

    async def _poll_batch(self, ids: list[str]) -> dict[str, TaskSnapshot]:
        """One batch answer; nothing where the service refuses to give one."""
        http_request = HttpRequest("POST", "/task_results", body={"task_ids": ids, **self._check_options})
        try:
            entries = unwrap_list(await self._send(http_request))
        except MiaohuaRejection as err:
            self._has_batch_call = err.fault.code not in NO_SUCH_ENDPOINT
            return {}
        return {task_id: self._parse_snapshot(task) for task_id, task in match_entries(ids, entries).items()}

    async def _poll_each(
        self, tasks: Sequence[UpstreamTask], *, suppress_errors: bool = False
    ) -> dict[str, TaskSnapshot]:
        """Single polls side by side; one that failed leaves its task out, unless all failed."""
        outcomes = await asyncio.gather(*(self._poll_one(task) for task in tasks))
        found = {task.id: a for task, a in zip(tasks, outcomes, strict=True) if not isinstance(a, TransientError)}
        errors = [answer for answer in outcomes if isinstance(answer, TransientError)]
        if errors and not found and not suppress_errors:
            raise errors[0]
        return found

    async def _poll_one(self, task: UpstreamTask) -> TaskSnapshot | TransientError:
        try:
            return await (self._poll_training(task) if task.kind == TRAINING_TASK else self._poll_images(task))
        except TransientError as err:
            return err
        except OperatorError as err:  # says nothing of the task: it waits for the operator
            return ProviderUnavailable(err.message, hint=err.hint)
        except MiaohuaRejection as err:
            return self._parse_rejection(err)

    async def _poll_images(self, task: UpstreamTask) -> TaskSnapshot:
        http_request = HttpRequest("POST", "/task_result", body={"task_id": task.id, **self._check_options})
        state = parse_model(MiaohuaTaskBody, unwrap_state(await self._send(http_request)))
        if state is None or not (state.state or state.images or state.error_msg):
            raise ProviderUnavailable("Miaohua answered the look at a task with something unreadable.")
        return self._parse_snapshot(state)

    async def _poll_training(self, task: UpstreamTask) -> TaskSnapshot:
        document = await self._send(HttpRequest("POST", "/train_progress", body={"task_id": task.id}))
        training = parse_model(MiaohuaTrainingBody, unwrap_state(document))
        if training is None or not training.state:
            raise ProviderUnavailable("Miaohua answered the look at a training with something unreadable.")
        if has_training_failed(training):
            return TaskFailed(build_failure(training.error_msg or training.state, self._client.quote))
        if training.state.lower() == DONE_STATE:
            return await self._build_training_result(training)
        progress = training.training_progress
        return TaskRunning(min(max(progress, 0.0), 1.0)) if progress else TaskPending()

    async def _build_training_result(self, training: MiaohuaTrainingBody) -> TaskSucceeded:
        """A finished training with the id of its LoRA; the name counts as the service tells it (contract: name_change).

        The id is what ``lora_configs`` wants, and only the list of own models has it (contract: trained_model_use).
        """
        try:
            lora = await self._find_trained_lora(training.model_name)
        except MiaohuaRejection:  # the training is over all the same
            lora = None
        if lora is None:
            return TaskSucceeded(
                data={"name": training.model_name, "remarks": "its id is in list_models, kind trained_lora"}
            )
        return TaskSucceeded(data={"model": lora.id, "name": training.model_name})

    def _parse_snapshot(self, task: MiaohuaTaskBody) -> TaskSnapshot:
        return parse_image_task(task, self._client.quote, self._client.clean)

    def _parse_rejection(self, err: MiaohuaRejection) -> TaskSnapshot | TransientError:
        """What a rejected poll says of the task."""
        if err.fault.code in UNKNOWN_TASK_CODES:
            reason = self._client.quote(err.fault.message)
            return TaskFailed(UpstreamFailed(f"Miaohua no longer knows this task. {reason}"))
        error: AtelierError = build_error(err.fault, client=self._client, is_submit=False)
        if isinstance(error, TransientError):
            return error
        if isinstance(error, OperatorError):
            return ProviderUnavailable(error.message, hint=error.hint)
        error.spent = Spent.UNKNOWN
        return TaskFailed(error)


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
    if len(tasks) == len(ids):
        for task_id, task in zip(ids, tasks, strict=True):
            if task is not None and not _find_task_id(task):
                found.setdefault(task_id, task)
    return found


def _find_task_id(task: MiaohuaTaskBody | None) -> str:
    if task is None:
        return ""
    image_task_ids = [picture.task_id for picture in parse_models(MiaohuaImageBody, task.images) if picture.task_id]
    return image_task_ids[0] if image_task_ids else task.task_id
