"""Asking MHAPI for news of tasks: many at once where that works, else one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import OperatorError, ProviderUnavailable, Spent, TransientError, UpstreamFailed
from atelier_mcp.server.providers.base import Refused, Snapshot, UpstreamTask
from atelier_mcp.server.providers.mhapi.errors import GONE, INTERNAL, NOT_OFFERED, STATE, Fault, Rejected, error_for
from atelier_mcp.server.providers.mhapi.states import faces_task, picture_task, swap_task, training_task
from atelier_mcp.server.providers.mhapi.wire import Task, batch, unwrapped
from atelier_mcp.server.providers.reading import read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.http import Account, Call

BATCH_SIZE = 50
BASE64_BATCH_SIZE = 4
"""Whole pictures come in such an answer."""
FACE_KINDS = frozenset({"face.detect", "face.imggen"})
PRINTED_ELSEWHERE = {"split": "sup_res"}
"""The batch path of split is printed as another service's (contract: split.results.path)."""


class Looks:
    """Reads the states of tasks through ``ask``, and remembers which batch paths do not work."""

    def __init__(self, ask: Callable[[Call], Awaitable[Any]], account: Account) -> None:
        """``ask`` answers with JSON, raises ``Rejected`` for a refusal and ``TransientError`` for a failed call."""
        self._ask = ask
        self._account = account
        self._paths: dict[str, list[str]] = {}

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        if not self._batch_paths(service_of(kind)):
            return 1
        return BASE64_BATCH_SIZE if kind.endswith(".base64") else BATCH_SIZE

    async def news(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        """What is known of tasks of one kind; raises ``TransientError`` where nothing could be learnt."""
        if len(tasks) > 1 and self._batch_paths(service_of(tasks[0].kind)):
            return await self._many(tasks)
        return await self._each(tasks)

    def snapshot(self, kind: str, task: Task) -> Snapshot:
        """One task's state as ours."""
        if kind == "face.detect":
            return faces_task(task)
        if kind == "face.imggen":
            return swap_task(task)
        read_state = training_task if kind == "lora" else picture_task
        return read_state(task, self._account.quote, self._account.clean)

    async def _many(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        """One batch answer, and single looks for tasks that are not in it.

        A batch path is given up when it refuses, or when it knew none of the tasks and single looks know one: somewhere
        on the way the body of the GET was dropped (contract: shared.results_get_body).
        """
        kind = tasks[0].kind
        service = service_of(kind)
        found: dict[str, Snapshot] = {}
        for path in tuple(self._batch_paths(service)):
            answered = await self._batch(path, tasks)
            if answered:
                found = answered
                break
            if answered is None:
                self._batch_paths(service).remove(path)
        missing = [task for task in tasks if task.id not in found]
        if not missing:
            return found
        singly = await self._each(missing, quietly=bool(found))
        if not found and any(not isinstance(snapshot, Refused) for snapshot in singly.values()):
            self._batch_paths(service).clear()
        return found | singly

    async def _batch(self, path: str, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot] | None:
        """The batch answer by task id; None where this path does not work."""
        from atelier_mcp.server.providers.http import Call

        body: dict[str, Any] = {"task_ids": list(dict.fromkeys(task.id for task in tasks))}
        query = _delivery(tasks[0].kind)  # in both places: which one is read is not said (contract: get_type_place)
        try:
            document = await self._ask(Call("GET", path, body=body | query, query=query))
        except Rejected as err:
            if err.fault.code in INTERNAL:
                raise error_for(err.fault, account=self._account, submit=False) from None
            return None
        listed = batch(document)
        if listed is None:
            return None
        wanted = set(body["task_ids"])
        return {task.task_id: self.snapshot(tasks[0].kind, task) for task in listed if task.task_id in wanted}

    async def _each(self, tasks: Sequence[UpstreamTask], *, quietly: bool = False) -> dict[str, Snapshot]:
        """Single looks side by side; one that failed leaves its task out, unless all failed."""
        answers = await asyncio.gather(*(self._one(task) for task in tasks))
        found = {task.id: a for task, a in zip(tasks, answers, strict=True) if not isinstance(a, TransientError)}
        failed = [answer for answer in answers if isinstance(answer, TransientError)]
        if failed and not found and not quietly:
            raise failed[0]
        return found

    async def _one(self, task: UpstreamTask) -> Snapshot | TransientError:
        from atelier_mcp.server.providers.http import Call

        call = Call("GET", _path(task), query=_delivery(task.kind))
        try:
            document = await self._ask(call)
        except TransientError as err:
            return err
        except OperatorError as err:  # says nothing of the task: it waits for the operator
            return ProviderUnavailable(err.what, then=err.then)
        except Rejected as err:
            return self._refused(err.fault)
        state = read(Task, unwrapped(document))
        if state is None or not _tells(state):
            return ProviderUnavailable("MHAPI answered the look at a task with something unreadable.")
        return self.snapshot(task.kind, state)

    def _refused(self, fault: Fault) -> Snapshot | TransientError:
        """What a refused look says of the task (contract: shared.unknown_task, face.no_failure_state)."""
        if fault.code == GONE:
            return Refused(UpstreamFailed(f"MHAPI no longer knows this task. {self._account.quote(fault.message)}"))
        if fault.code == STATE:
            return Refused(UpstreamFailed(f"MHAPI could not finish the job. {self._account.quote(fault.message)}"))
        error = error_for(fault, account=self._account, submit=False)
        if isinstance(error, TransientError):
            return error
        if isinstance(error, OperatorError) or fault.code == NOT_OFFERED:
            return ProviderUnavailable(error.what, then=error.then)
        error.spent = Spent.UNKNOWN
        return Refused(error)

    def _batch_paths(self, service: str) -> list[str]:
        """The batch paths still believed in, best first."""
        if service == "face":
            return []
        names = [service, *([PRINTED_ELSEWHERE[service]] if service in PRINTED_ELSEWHERE else [])]
        return self._paths.setdefault(service, [f"/v1/{name}/results" for name in names])


def service_of(kind: str) -> str:
    """The service that answers for a kind of task: ``stylization`` for ``stylization.base64``."""
    return kind.partition(".")[0]


def _path(task: UpstreamTask) -> str:
    name = quote(task.id, safe="")
    if task.kind in FACE_KINDS:
        return f"/v1/{task.kind.replace('.', '/')}/{name}"
    return f"/v1/{service_of(task.kind)}/result/{name}"


def _delivery(kind: str) -> dict[str, str | int]:
    """How a stylization hands over its pictures."""
    if service_of(kind) != "stylization":
        return {}
    return {"get_type": "base64" if kind.endswith(".base64") else "url"}


def _tells(task: Task) -> bool:
    """Whether an answer is about a task at all."""
    return bool(task.state or task.images or task.faces or task.img_url or task.img_raw_url)
