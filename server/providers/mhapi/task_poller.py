"""Polls MHAPI for the states of tasks: many at once where that works, else one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import OperatorError, ProviderUnavailable, Spent, TransientError, UpstreamFailed
from atelier_mcp.server.providers.base import TaskFailed, TaskSnapshot, UpstreamTask
from atelier_mcp.server.providers.mhapi.errors import (
    FAILED_PRECONDITION,
    INTERNAL_CODES,
    NOT_FOUND,
    UNIMPLEMENTED,
    MhapiFault,
    MhapiRejection,
    build_error,
)
from atelier_mcp.server.providers.mhapi.states import (
    parse_detection_task,
    parse_image_task,
    parse_swap_task,
    parse_training_task,
)
from atelier_mcp.server.providers.mhapi.wire import MhapiTaskBody, parse_batch, unwrap_data
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.http import UpstreamClient
    from atelier_mcp.server.providers.http_messages import HttpRequest

BATCH_SIZE = 50
BASE64_BATCH_SIZE = 4
"""Whole pictures come in such an answer."""
FACE_KINDS = frozenset({"face.detect", "face.imggen"})
ALTERNATIVE_SERVICES = {"split": "sup_res"}
"""The batch path of split is printed as another service's (contract: split.results.path)."""


class MhapiTaskPoller:
    """Reads the states of tasks through ``send``, and remembers which batch paths do not work."""

    def __init__(self, send: Callable[[HttpRequest], Awaitable[Any]], client: UpstreamClient) -> None:
        """``send`` answers with JSON, raises ``Rejected`` for a refusal and ``TransientError`` for a failed call."""
        self._send = send
        self._client = client
        self._paths_by_service: dict[str, list[str]] = {}

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        if not self._get_batch_paths(get_service(kind)):
            return 1
        return BASE64_BATCH_SIZE if kind.endswith(".base64") else BATCH_SIZE

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind; raises ``TransientError`` where nothing could be learnt."""
        if len(tasks) > 1 and self._get_batch_paths(get_service(tasks[0].kind)):
            return await self._poll_many(tasks)
        return await self._poll_each(tasks)

    def parse_snapshot(self, kind: str, task: MhapiTaskBody) -> TaskSnapshot:
        """One task's state as ours."""
        if kind == "face.detect":
            return parse_detection_task(task)
        if kind == "face.imggen":
            return parse_swap_task(task)
        parse = parse_training_task if kind == "lora" else parse_image_task
        return parse(task, self._client.quote, self._client.clean)

    async def _poll_many(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """One batch answer, and single polls for tasks that are not in it.

        A batch path is given up when it refuses, or when it knew none of the tasks and single polls know one: somewhere
        on the way the body of the GET was dropped (contract: shared.results_get_body).
        """
        kind = tasks[0].kind
        service = get_service(kind)
        found: dict[str, TaskSnapshot] = {}
        for path in tuple(self._get_batch_paths(service)):
            batch_snapshots = await self._poll_batch(path, tasks)
            if batch_snapshots:
                found = batch_snapshots
                break
            if batch_snapshots is None:
                self._get_batch_paths(service).remove(path)
        missing = [task for task in tasks if task.id not in found]
        if not missing:
            return found
        single_snapshots = await self._poll_each(missing, suppress_errors=bool(found))
        if not found and any(not isinstance(snapshot, TaskFailed) for snapshot in single_snapshots.values()):
            self._get_batch_paths(service).clear()
        return found | single_snapshots

    async def _poll_batch(self, path: str, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot] | None:
        """The batch answer by task id; None where this path does not work."""
        from atelier_mcp.server.providers.http_messages import HttpRequest

        body: dict[str, Any] = {"task_ids": list(dict.fromkeys(task.id for task in tasks))}
        query = _build_delivery_query(
            tasks[0].kind
        )  # in both places: which one is read is not said (contract: get_type_place)
        try:
            document = await self._send(HttpRequest("GET", path, body=body | query, query=query))
        except MhapiRejection as err:
            if err.fault.code in INTERNAL_CODES:
                raise build_error(err.fault, client=self._client, is_submit=False) from None
            return None
        entries = parse_batch(document)
        if entries is None:
            return None
        task_ids = set(body["task_ids"])
        return {task.task_id: self.parse_snapshot(tasks[0].kind, task) for task in entries if task.task_id in task_ids}

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
        from atelier_mcp.server.providers.http_messages import HttpRequest

        http_request = HttpRequest("GET", _build_status_path(task), query=_build_delivery_query(task.kind))
        try:
            document = await self._send(http_request)
        except TransientError as err:
            return err
        except OperatorError as err:  # says nothing of the task: it waits for the operator
            return ProviderUnavailable(err.message, hint=err.hint)
        except MhapiRejection as err:
            return self._parse_rejection(err.fault)
        state = parse_model(MhapiTaskBody, unwrap_data(document))
        if state is None or not _has_state(state):
            return ProviderUnavailable("MHAPI answered the look at a task with something unreadable.")
        return self.parse_snapshot(task.kind, state)

    def _parse_rejection(self, fault: MhapiFault) -> TaskSnapshot | TransientError:
        """What a rejected poll says of the task (contract: shared.unknown_task, face.no_failure_state)."""
        if fault.code == NOT_FOUND:
            return TaskFailed(UpstreamFailed(f"MHAPI no longer knows this task. {self._client.quote(fault.message)}"))
        if fault.code == FAILED_PRECONDITION:
            return TaskFailed(UpstreamFailed(f"MHAPI could not finish the job. {self._client.quote(fault.message)}"))
        error = build_error(fault, client=self._client, is_submit=False)
        if isinstance(error, TransientError):
            return error
        if isinstance(error, OperatorError) or fault.code == UNIMPLEMENTED:
            return ProviderUnavailable(error.message, hint=error.hint)
        error.spent = Spent.UNKNOWN
        return TaskFailed(error)

    def _get_batch_paths(self, service: str) -> list[str]:
        """The batch paths still believed in, best first."""
        if service == "face":
            return []
        names = [service, *([ALTERNATIVE_SERVICES[service]] if service in ALTERNATIVE_SERVICES else [])]
        return self._paths_by_service.setdefault(service, [f"/v1/{name}/results" for name in names])


def get_service(kind: str) -> str:
    """The service that answers for a kind of task: ``stylization`` for ``stylization.base64``."""
    return kind.partition(".")[0]


def _build_status_path(task: UpstreamTask) -> str:
    name = quote(task.id, safe="")
    if task.kind in FACE_KINDS:
        return f"/v1/{task.kind.replace('.', '/')}/{name}"
    return f"/v1/{get_service(task.kind)}/result/{name}"


def _build_delivery_query(kind: str) -> dict[str, str | int]:
    """How a stylization hands over its pictures."""
    if get_service(kind) != "stylization":
        return {}
    return {"get_type": "base64" if kind.endswith(".base64") else "url"}


def _has_state(task: MhapiTaskBody) -> bool:
    """Whether an answer is about a task at all."""
    return bool(task.state or task.images or task.faces or task.img_url or task.img_raw_url)
