"""Polls for the states of tasks: inferences, deployments and trainings at the service, uploads on their way to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import CallerError, ProviderUnavailable
from atelier_mcp.server.providers.base import TaskRunning, TaskSucceeded
from atelier_mcp.server.providers.sd_aws.operations import UPLOAD_TARGETS
from atelier_mcp.server.providers.sd_aws.operations.checkpoints import FETCH, CheckpointFetch
from atelier_mcp.server.providers.sd_aws.operations.endpoints import ENDPOINT
from atelier_mcp.server.providers.sd_aws.operations.generate import INFERENCE
from atelier_mcp.server.providers.sd_aws.operations.trainings import TRAINING
from atelier_mcp.server.providers.sd_aws.states import (
    parse_endpoint,
    parse_failed_endpoint,
    parse_inference,
    parse_training,
)
from atelier_mcp.server.providers.task_poller import TaskPoller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.base import TaskSnapshot, UpstreamTask
    from atelier_mcp.server.providers.rate_limit import PollAllowance, RateLimit
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.operation import SdAwsAccount
    from atelier_mcp.server.providers.sd_aws.uploads.upload_poller import UploadPoller
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody

LISTED_KINDS: Final = frozenset({ENDPOINT, TRAINING})
"""Kinds that one list answers for, however many tasks there are."""
KINDS_WITHOUT_FILES: Final = frozenset({INFERENCE, ENDPOINT})
"""All others add to the deployment's files when they succeed."""
BATCH_SIZE: Final = 50


class SdAwsTaskPoller(TaskPoller):
    """Reads states through the dialect of the deployment, at the pace of the account's status requests."""

    def __init__(self, account: SdAwsAccount, upload_poller: UploadPoller, *, rate_limit: RateLimit) -> None:
        """``upload_poller`` follows what is uploaded from here."""
        self._client = account.middleware.client
        super().__init__(rate_limit=rate_limit, clock=self._client.clock)
        self._account = account
        self._upload_poller = upload_poller

    def batch_size(self, kind: str) -> int:
        """Fifty for deployments and trainings, else one."""
        return BATCH_SIZE if kind in LISTED_KINDS else 1

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind, by id. Raises ``TransientError`` where nothing could be learnt."""
        snapshots = await super().poll(tasks)
        has_succeeded = any(isinstance(snapshot, TaskSucceeded) for snapshot in snapshots.values())
        if has_succeeded and tasks[0].kind not in KINDS_WITHOUT_FILES:
            self._account.model_list.clear()
        return snapshots

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:
        """All of them out of one list. A list that is refused says nothing of any task in it."""
        dialect = (await self._account.get_dialect()).limit_by(allowance)
        try:
            if tasks[0].kind == ENDPOINT:
                return await self._poll_endpoints(tasks, dialect)
            return await self._poll_trainings(tasks, dialect)
        except CallerError as err:
            raise ProviderUnavailable(err.message, hint=err.hint) from err

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task."""
        if task.kind in LISTED_KINDS:
            return (await self.poll_batch([task], allowance))[task.id]
        dialect = (await self._account.get_dialect()).limit_by(allowance)
        if task.kind == INFERENCE:
            return parse_inference(await dialect.get_inference(task.id), self._client)
        if task.kind == FETCH:
            return await self._poll_fetch(CheckpointFetch(**json.loads(task.id)), dialect)
        return await self._upload_poller.poll(UPLOAD_TARGETS[task.kind], task.id, dialect)

    async def _poll_endpoints(self, tasks: Sequence[UpstreamTask], dialect: Dialect) -> dict[str, TaskSnapshot]:
        endpoints = await dialect.list_endpoints()
        found: dict[str, TaskSnapshot] = {}
        for task in tasks:
            endpoint = next((e for e in endpoints if task.id in (e.job_id, e.name)), None)
            if endpoint is not None and endpoint.has_failed and not endpoint.is_ready:
                found[task.id] = await self._explain_failure(task, endpoint, dialect)
            else:
                found[task.id] = parse_endpoint(endpoint, self._client)
        return found

    async def _explain_failure(self, task: UpstreamTask, endpoint: SdAwsEndpointBody, dialect: Dialect) -> TaskSnapshot:
        """Only the single record of a deployment says why it failed."""
        deployment = await dialect.get_deployment(task.id) or endpoint
        return parse_failed_endpoint(deployment.error or endpoint.error, self._client)

    async def _poll_trainings(self, tasks: Sequence[UpstreamTask], dialect: Dialect) -> dict[str, TaskSnapshot]:
        known = {training.id: training for training in await dialect.list_trainings()}
        return {task.id: parse_training(known.get(task.id), self._client) for task in tasks}

    async def _poll_fetch(self, fetch: CheckpointFetch, dialect: Dialect) -> TaskSnapshot:
        """Whether files that the service fetches are there (contract: upload_checkpoint.long_call)."""
        for entry in await dialect.list_checkpoints([fetch.kind]):
            if fetch.matches(entry) and entry.state == "Active":
                return TaskSucceeded(data={"checkpoint_id": entry.id, "files": list(entry.names)})
        return TaskRunning(note="the service fetches the files")
