"""Polls for the states of tasks: inferences, deployments and trainings at the service, uploads on their way to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.addresses import get_url_path
from atelier_mcp.server.errors import CallerError, ProviderUnavailable, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import TaskFailed, TaskLost, TaskRunning, TaskSucceeded
from atelier_mcp.server.providers.sd_aws.errors import RecordMissing
from atelier_mcp.server.providers.sd_aws.operations import UPLOAD_TARGETS
from atelier_mcp.server.providers.sd_aws.operations.checkpoints import FETCH, MAX_FETCH_S, CheckpointFetch
from atelier_mcp.server.providers.sd_aws.operations.endpoints import ENDPOINT
from atelier_mcp.server.providers.sd_aws.operations.generate import parse_image_count
from atelier_mcp.server.providers.sd_aws.operations.trainings import TRAINING
from atelier_mcp.server.providers.sd_aws.states import (
    parse_endpoint,
    parse_failed_endpoint,
    parse_fetch,
    parse_inference,
    parse_training,
)
from atelier_mcp.server.providers.sd_aws.wire import SdAwsCheckpointBody, SdAwsRows
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
BATCH_SIZE: Final = 50
MIN_FETCH_WATCH_S: Final = 60.0
"""A fetch taken up past its time is watched for so long all the same."""


class SdAwsTaskPoller(TaskPoller):
    """Reads states through the dialect of the deployment, at the pace of the account's status requests."""

    def __init__(self, account: SdAwsAccount, upload_poller: UploadPoller, *, rate_limit: RateLimit) -> None:
        """``upload_poller`` follows what is uploaded from here."""
        self._client = account.middleware.client
        super().__init__(rate_limit=rate_limit, clock=self._client.clock)
        self._account = account
        self._upload_poller = upload_poller
        self._fetch_ends_s: dict[str, float] = {}
        """By task: until when the service may take to fetch its files, on the monotonic clock."""

    def batch_size(self, kind: str) -> int:
        """Fifty for deployments and trainings, else one."""
        return BATCH_SIZE if kind in LISTED_KINDS else 1

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind, by id. Raises ``TransientError`` where nothing could be learnt."""
        snapshots = await super().poll(tasks)
        has_succeeded = any(isinstance(snapshot, TaskSucceeded) for snapshot in snapshots.values())
        # Uploads and trainings add files; endpoints and inferences do not, and would empty the lists for nothing.
        if has_succeeded and tasks[0].kind != ENDPOINT and parse_image_count(tasks[0].kind) is None:
            self._account.model_list.clear()
        return snapshots

    async def poll_batch(self, tasks: Sequence[UpstreamTask], allowance: PollAllowance) -> dict[str, TaskSnapshot]:
        """All of them out of one list. A list that is refused says nothing of any task in it."""
        dialect = (await self._account.get_dialect()).limit_by(allowance)
        try:
            if tasks[0].kind == ENDPOINT:
                return await self._poll_endpoints(tasks, dialect)
            return await self._poll_trainings(tasks, dialect)
        # As InvalidRequest it would end every job of the batch, for a call that none of them has asked for.
        except CallerError as err:
            raise ProviderUnavailable(err.message, hint=err.hint) from err

    async def poll_task(self, task: UpstreamTask, allowance: PollAllowance) -> TaskSnapshot:
        """The state of one task."""
        if task.kind in LISTED_KINDS:
            found = await self.poll_batch([task], allowance)
            if task.id not in found:
                raise ProviderUnavailable(f"{self._client.service} answered with a list that cannot be read.")
            return found[task.id]
        dialect = (await self._account.get_dialect()).limit_by(allowance)
        if (image_count := parse_image_count(task.kind)) is not None:
            return await self._poll_inference(task, dialect, image_count=image_count)
        if task.kind == FETCH:
            return await self._poll_fetch(task, dialect)
        return await self._upload_poller.poll(UPLOAD_TARGETS[task.kind], task.id, dialect)

    async def _poll_inference(self, task: UpstreamTask, dialect: Dialect, *, image_count: int) -> TaskSnapshot:
        try:
            inference = await dialect.get_inference(task.id)
        except RecordMissing as err:
            return TaskLost(UpstreamFailed(err.message))
        if inference.id != task.id:
            raise ProviderUnavailable(f"{self._client.service} answered the look at a job with something unreadable.")
        snapshot = parse_inference(inference, self._client, image_count=image_count)
        return await self._check_animation(snapshot) if inference.is_done else snapshot

    async def _check_animation(self, snapshot: TaskSnapshot) -> TaskSnapshot:
        """The same, or a failure where the first link of an inference that has succeeded leads nowhere.

        The later versions store an animation as .gif and name it .png (contract: names.pictures).
        """
        link = snapshot.outputs[0].url if isinstance(snapshot, TaskSucceeded) else None
        if link is None or not get_url_path(link).endswith(".png") or await self._account.middleware.has_file(link):
            return snapshot
        return TaskFailed(
            UpstreamFailed(
                f"{self._client.service} finished the job, and its picture cannot be fetched.",
                hint="Animations are stored under another name than the service tells: make still pictures.",
                spent=Spent.YES,
            )
        )

    async def _poll_endpoints(self, tasks: Sequence[UpstreamTask], dialect: Dialect) -> dict[str, TaskSnapshot]:
        endpoints = await dialect.list_endpoints()
        found: dict[str, TaskSnapshot] = {}
        for task in tasks:
            endpoint = endpoints.find(task.id, "job_id", "name")
            if endpoint is not None and endpoint.has_failed and not endpoint.is_ready:
                found[task.id] = await self._explain_failure(task, endpoint, dialect)
            elif endpoint is not None or not endpoints.unreadable_count:
                # Else it may be an unreadable row: what is left out is asked for again, and not taken for deleted.
                found[task.id] = parse_endpoint(endpoint, self._client)
        return found

    async def _explain_failure(self, task: UpstreamTask, endpoint: SdAwsEndpointBody, dialect: Dialect) -> TaskSnapshot:
        """Only the single record of a deployment says why it failed."""
        deployment = await dialect.get_deployment(task.id) or endpoint
        return parse_failed_endpoint(deployment.error or endpoint.error, self._client)

    async def _poll_trainings(self, tasks: Sequence[UpstreamTask], dialect: Dialect) -> dict[str, TaskSnapshot]:
        found = await dialect.find_trainings([task.id for task in tasks])
        # The files are read only when one has ended: the list of checkpoints is long.
        done = [training.id for training in found.values() if training is not None and training.is_done]
        checkpoints = await dialect.list_checkpoints(states=["Active"]) if done else SdAwsRows[SdAwsCheckpointBody]()
        files = {training_id: _list_files(training_id, checkpoints) for training_id in done}
        return {
            id_: parse_training(training, self._client, files=files.get(id_, ())) for id_, training in found.items()
        }

    async def _poll_fetch(self, task: UpstreamTask, dialect: Dialect) -> TaskSnapshot:
        """Whether files that the service fetches are there (contract: answered.checkpoints_by_link)."""
        fetch = CheckpointFetch(**json.loads(task.id))
        checkpoints = fetch.find_checkpoints(await dialect.list_checkpoints([fetch.kind]))
        present = {name for checkpoint in checkpoints for name in checkpoint.names}
        if not present.issuperset(fetch.names) and not self._is_late(task, fetch):
            return TaskRunning(note="the service fetches the files")
        self._fetch_ends_s.pop(task.id, None)
        lost = {*fetch.missing, *(name for checkpoint in checkpoints for name in checkpoint.missing_names)}
        return parse_fetch(fetch.names, checkpoints, present - lost)

    def _is_late(self, task: UpstreamTask, fetch: CheckpointFetch) -> bool:
        """Whether the service has had its time; the time of day, which may leap, counts at the first look only."""
        if fetch.since_s is None:
            return False
        now_s = self._clock.monotonic()
        if task.id not in self._fetch_ends_s:
            remaining_s = MAX_FETCH_S - (self._clock.now().timestamp() - fetch.since_s)
            self._fetch_ends_s[task.id] = now_s + min(max(remaining_s, MIN_FETCH_WATCH_S), MAX_FETCH_S)
        return now_s > self._fetch_ends_s[task.id]


def _list_files(training_id: str, checkpoints: Sequence[SdAwsCheckpointBody]) -> list[str]:
    """The files of a training: its checkpoint has its id, or lies in a folder of that name (from v1.7 on)."""
    made = [entry for entry in checkpoints if training_id in (entry.id, *entry.location.split("/"))]
    return [name for entry in made for name in entry.names]
