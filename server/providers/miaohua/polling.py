"""Asking Miaohua for news: tasks up to fifty at once, trainings one by one."""

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
from atelier_mcp.server.providers.base import Done, Pending, Refused, Snapshot, UpstreamTask, Working
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.miaohua.errors import NO_SUCH_ENDPOINT, UNKNOWN_TASK, Rejected, error_for
from atelier_mcp.server.providers.miaohua.states import DONE, failure, picture_task, training_failed
from atelier_mcp.server.providers.miaohua.wire import Picture, Task, Training, listed, state_in
from atelier_mcp.server.providers.reading import read, read_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.base import Model
    from atelier_mcp.server.providers.http import Account

PICTURES = "pictures"
TRAINING = "training"
BATCH_SIZE = 50


class Looks:
    """Reads the states of tasks through ``ask``."""

    def __init__(
        self,
        ask: Callable[[Call], Awaitable[Any]],
        account: Account,
        *,
        trained: Callable[[str], Awaitable[Model | None]],
        sensitive_limit: float | None = None,
    ) -> None:
        """``ask`` answers with JSON, raises ``Rejected`` for a refusal and ``TransientError`` for a failed call.

        ``trained`` finds the account's LoRA of a name; ``sensitive_limit`` in [0, 1] tightens the picture check.
        """
        self._ask = ask
        self._account = account
        self._trained = trained
        self._strictness = {} if sensitive_limit is None else {"sensitive_limit_value": sensitive_limit}
        self._batch = True

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        return BATCH_SIZE if kind == PICTURES and self._batch else 1

    async def news(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        """What is known of tasks of one kind; raises ``TransientError`` where nothing could be learnt."""
        if len(tasks) == 1 or tasks[0].kind == TRAINING or not self._batch:
            return await self._each(tasks)
        found = await self._many(list(dict.fromkeys(task.id for task in tasks)))
        missing = [task for task in tasks if task.id not in found]
        return found | (await self._each(missing, quietly=bool(found)) if missing else {})

    async def _many(self, ids: list[str]) -> dict[str, Snapshot]:
        """One batch answer; nothing where the service refuses to give one."""
        call = Call("POST", "/task_results", body={"task_ids": ids, **self._strictness})
        try:
            entries = listed(await self._ask(call))
        except Rejected as err:
            self._batch = err.fault.code not in NO_SUCH_ENDPOINT
            return {}
        return {task_id: self._snapshot(task) for task_id, task in matched(ids, entries).items()}

    async def _each(self, tasks: Sequence[UpstreamTask], *, quietly: bool = False) -> dict[str, Snapshot]:
        """Single looks side by side; one that failed leaves its task out, unless all failed."""
        answers = await asyncio.gather(*(self._one(task) for task in tasks))
        found = {task.id: a for task, a in zip(tasks, answers, strict=True) if not isinstance(a, TransientError)}
        failed = [answer for answer in answers if isinstance(answer, TransientError)]
        if failed and not found and not quietly:
            raise failed[0]
        return found

    async def _one(self, task: UpstreamTask) -> Snapshot | TransientError:
        try:
            return await (self._training(task) if task.kind == TRAINING else self._pictures(task))
        except TransientError as err:
            return err
        except OperatorError as err:  # says nothing of the task: it waits for the operator
            return ProviderUnavailable(err.what, then=err.then)
        except Rejected as err:
            return self._refused(err)

    async def _pictures(self, task: UpstreamTask) -> Snapshot:
        call = Call("POST", "/task_result", body={"task_id": task.id, **self._strictness})
        state = read(Task, state_in(await self._ask(call)))
        if state is None or not (state.state or state.images or state.error_msg):
            raise ProviderUnavailable("Miaohua answered the look at a task with something unreadable.")
        return self._snapshot(state)

    async def _training(self, task: UpstreamTask) -> Snapshot:
        document = await self._ask(Call("POST", "/train_progress", body={"task_id": task.id}))
        training = read(Training, state_in(document))
        if training is None or not training.state:
            raise ProviderUnavailable("Miaohua answered the look at a training with something unreadable.")
        if training_failed(training):
            return Refused(failure(training.error_msg or training.state, self._account.quote))
        if training.state.lower() == DONE:
            return await self._finished(training)
        share = training.training_progress
        return Working(min(max(share, 0.0), 1.0)) if share else Pending()

    async def _finished(self, training: Training) -> Done:
        """A finished training with the id of its LoRA; the name counts as the service tells it (contract: name_change).

        The id is what ``lora_configs`` wants, and only the list of own models has it (contract: trained_model_use).
        """
        try:
            lora = await self._trained(training.model_name)
        except Rejected:  # the training is over all the same
            lora = None
        if lora is None:
            return Done(data={"name": training.model_name, "remarks": "its id is in list_models, kind trained_lora"})
        return Done(data={"model": lora.id, "name": training.model_name})

    def _snapshot(self, task: Task) -> Snapshot:
        return picture_task(task, self._account.quote, self._account.clean)

    def _refused(self, err: Rejected) -> Snapshot | TransientError:
        """What a refused look says of the task."""
        if err.fault.code in UNKNOWN_TASK:
            says = self._account.quote(err.fault.message)
            return Refused(UpstreamFailed(f"Miaohua no longer knows this task. {says}"))
        error: AtelierError = error_for(err.fault, account=self._account, submit=False)
        if isinstance(error, TransientError):
            return error
        if isinstance(error, OperatorError):
            return ProviderUnavailable(error.what, then=error.then)
        error.spent = Spent.UNKNOWN
        return Refused(error)


def matched(ids: Sequence[str], entries: Sequence[Any]) -> dict[str, Task]:
    """The entries of a batch answer by task id (contract: batch_correlation).

    By the id in their pictures, then by their own, and by position only when the counts agree: then an entry that
    names no task belongs to the id in its place, unless another entry claims that.
    """
    tasks = [read(Task, entry) for entry in entries]
    found: dict[str, Task] = {}
    for task in tasks:
        named = _named(task)
        if task is not None and named in ids:
            found[named] = task
    if len(tasks) == len(ids):
        for task_id, task in zip(ids, tasks, strict=True):
            if task is not None and not _named(task):
                found.setdefault(task_id, task)
    return found


def _named(task: Task | None) -> str:
    if task is None:
        return ""
    inside = [picture.task_id for picture in read_all(Picture, task.images) if picture.task_id]
    return inside[0] if inside else task.task_id
