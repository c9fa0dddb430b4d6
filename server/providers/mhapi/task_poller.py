"""Polls MHAPI for the states of tasks: many at once where that works, else one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import ContentRefused, ProviderUnavailable, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import TaskFailed, TaskLost, UpstreamTask
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.mhapi.errors import (
    FAILED_PRECONDITION,
    INTERNAL_CODES,
    NOT_FOUND,
    SENSITIVE_CONTENT,
    MhapiRejection,
)
from atelier_mcp.server.providers.mhapi.states import combine_tiles, parse_snapshot
from atelier_mcp.server.providers.mhapi.wire import MhapiTaskBody, parse_batch, unwrap_data
from atelier_mcp.server.providers.task_poller import TaskPoller
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import TaskSnapshot
    from atelier_mcp.server.providers.faults import Rejection
    from atelier_mcp.server.providers.mhapi.session import MhapiSession
    from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit

BATCH_SIZE = 50
TILE_KIND = "sup_res.tiles"
"""The kind of a picture that was sent in tiles; its id is theirs, joined."""
BASE64_BATCH_SIZE = 4
"""Whole images come in such an answer."""
FACE_KINDS = frozenset({"face.detect", "face.imggen"})
ALTERNATIVE_SERVICES = {"split": "sup_res"}
"""The batch path of split is printed as another service's (contract: split.results.path)."""


class MhapiTaskPoller(TaskPoller):
    """Remembers which batch paths do not work.

    A batch path is given up when it refused or knew none of the tasks, and another path or single polls know one:
    somewhere on the way the body of the GET was dropped (contract: shared.results_get_body). Its refusal alone may be
    that of a gateway in trouble.
    """

    def __init__(self, session: MhapiSession, *, rate_limit: RateLimit) -> None:
        """Ask through ``session``; ``rate_limit`` is the account's for status requests."""
        super().__init__(rate_limit=rate_limit, clock=session.client.clock)
        self._session = session
        self._paths_by_service: dict[str, list[str]] = {}

    def batch_size(self, kind: str) -> int:
        """Fifty, four where images come inside the answer, one for faces, tiles and where no batch path works."""
        if kind == TILE_KIND or not self._get_batch_paths(get_service(kind)):
            return 1
        return BASE64_BATCH_SIZE if kind.endswith(".base64") else BATCH_SIZE

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:
        """The answer of the first batch path that knows any of the tasks."""
        paths = self._get_batch_paths(get_service(tasks[0].kind))
        refused_paths: list[str] = []
        for path in tuple(paths):
            snapshots = await self._poll_path(path, tasks, allowance)
            if snapshots:
                paths[:] = [path for path in paths if path not in refused_paths]
                return snapshots
            if snapshots is None:  # an empty answer is kept: these tasks may be unknown for good reason
                refused_paths.append(path)
        return {}

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task."""
        if task.kind == TILE_KIND:
            return await self._poll_tiles(task, allowance)
        http_request = HttpRequest("GET", _build_status_path(task), query=_build_delivery_query(task.kind))
        document = await self._session.send(http_request, rate_limit=allowance)
        state = parse_model(MhapiTaskBody, unwrap_data(document))
        if state is None or not _has_state(state) or state.task_id not in ("", task.id):
            raise ProviderUnavailable("MHAPI answered the look at a task with something unreadable.")
        return parse_snapshot(task.kind, state, self._session.client)

    def give_up_batches(self, kind: str) -> None:
        """Ask for tasks of this service singly from now on."""
        self._get_batch_paths(get_service(kind)).clear()

    def judge_rejection(self, task: UpstreamTask, rejection: Rejection) -> TaskFailed | TaskLost | None:
        """What the error envelope says of the task (contract: shared.unknown_task, face.no_failure_state)."""
        fault, reason = rejection.fault, self._session.client.quote(rejection.fault.message)
        if not fault.in_envelope:
            return None
        if fault.code == NOT_FOUND:
            return TaskLost(UpstreamFailed(f"MHAPI no longer knows this task. {reason}"))
        if fault.code == SENSITIVE_CONTENT:
            return TaskFailed(ContentRefused(rejection.error.message, hint=rejection.error.hint, spent=Spent.UNKNOWN))
        if fault.code == FAILED_PRECONDITION and task.kind in FACE_KINDS:
            return TaskFailed(UpstreamFailed(f"MHAPI could not finish the job. {reason}"))
        return None

    async def _poll_tiles(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of a picture that was sent in tiles, each a task of the service's own."""
        tiles = [UpstreamTask(task_id, get_service(TILE_KIND)) for task_id in split_task_ids(task.id)]
        snapshots = await self.poll_batch(tiles, allowance) if self.batch_size(tiles[0].kind) > 1 else {}
        for tile in tiles:
            if tile.id not in snapshots:
                snapshots[tile.id] = await self.poll_task(tile, allowance)
        return combine_tiles([snapshots[tile.id] for tile in tiles])

    async def _poll_path(
        self, path: str, tasks: Sequence[UpstreamTask], allowance: PollAllowance
    ) -> dict[str, TaskSnapshot] | None:
        """The batch answer by task id; None where this path does not work."""
        body: dict[str, Any] = {"task_ids": list(dict.fromkeys(task.id for task in tasks))}
        # in both places: which one is read is not said (contract: get_type_place)
        query = _build_delivery_query(tasks[0].kind)
        http_request = HttpRequest("GET", path, body=body | query, query=query)
        try:
            entries = parse_batch(await self._session.send(http_request, rate_limit=allowance))
        except MhapiRejection as err:
            if err.fault.code in INTERNAL_CODES:  # trouble of the moment says nothing of the path
                raise err.error from None
            return None
        if entries is None:
            return None
        kind, client = tasks[0].kind, self._session.client
        return {t.task_id: parse_snapshot(kind, t, client) for t in entries if t.task_id in body["task_ids"]}

    def _get_batch_paths(self, service: str) -> list[str]:
        """The batch paths still believed in, best first."""
        if service == "face":
            return []
        names = [service, *([ALTERNATIVE_SERVICES[service]] if service in ALTERNATIVE_SERVICES else [])]
        return self._paths_by_service.setdefault(service, [f"/v1/{name}/results" for name in names])


def join_task_ids(task_ids: Sequence[str]) -> str:
    """The id of the task that tiles are to us."""
    return ",".join(task_ids)


def split_task_ids(task_id: str) -> list[str]:
    """The ids that ``join_task_ids`` joined."""
    return task_id.split(",")


def get_service(kind: str) -> str:
    """The service that answers for a kind of task: ``stylization`` for ``stylization.base64``."""
    return kind.partition(".")[0]


def _build_status_path(task: UpstreamTask) -> str:
    name = quote(task.id, safe="")
    if task.kind in FACE_KINDS:
        return f"/v1/{task.kind.replace('.', '/')}/{name}"
    return f"/v1/{get_service(task.kind)}/result/{name}"


def _build_delivery_query(kind: str) -> dict[str, str | int]:
    """How a stylization hands over its images."""
    if get_service(kind) != "stylization":
        return {}
    return {"get_type": "base64" if kind.endswith(".base64") else "url"}


def _has_state(task: MhapiTaskBody) -> bool:
    """Whether an answer is about a task at all."""
    return bool(task.state or task.images or task.faces or task.img_url or task.img_raw_url)
