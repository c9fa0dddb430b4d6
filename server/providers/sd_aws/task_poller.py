"""Polls for the states of tasks: inferences, deployments and trainings at the service, uploads on their way to it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    AtelierError,
    OperatorError,
    ProviderUnavailable,
    Spent,
    TransientError,
    UpstreamFailed,
)
from atelier_mcp.server.images.exchange import OutputImage
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection, build_error
from atelier_mcp.server.providers.sd_aws.uploads.targets import UPLOAD_TARGETS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.uploads.upload_poller import UploadPoller
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsEndpointBody, SdAwsInferenceBody, SdAwsTrainingBody

INFERENCE = "inference"
ENDPOINT = "endpoint"
TRAINING = "training"
FETCH = "fetch"
LISTED_KINDS = frozenset({ENDPOINT, TRAINING})
"""Kinds that one list answers for, however many tasks there are."""
BATCH_SIZE = 50


class SdAwsTaskPoller:
    """Reads states through the dialect of the deployment."""

    def __init__(
        self, get_dialect: Callable[[], Awaitable[Dialect]], middleware: MiddlewareClient, upload_poller: UploadPoller
    ) -> None:
        """Hold the ways to ask."""
        self._get_dialect = get_dialect
        self._middleware = middleware
        self._upload_poller = upload_poller

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        return BATCH_SIZE if kind in LISTED_KINDS else 1

    async def poll(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        """What is known of tasks of one kind. Raises ``TransientError`` where nothing could be learnt."""
        kind = tasks[0].kind
        if kind == ENDPOINT:
            return await self._poll_endpoints(tasks)
        if kind == TRAINING:
            return await self._poll_trainings(tasks)
        snapshots = await asyncio.gather(*(self._poll_one(task) for task in tasks))
        return {task.id: answer for task, answer in zip(tasks, snapshots, strict=True)}

    async def _poll_one(self, task: UpstreamTask) -> TaskSnapshot:
        dialect = await self._get_dialect()
        try:
            if task.kind == INFERENCE:
                return self._parse_inference(await dialect.get_inference(task.id, is_poll=True))
            if task.kind == FETCH:
                return await self._poll_fetch(dialect, task.id)
            return await self._poll_upload(task)
        except (TransientError, OperatorError):
            raise
        except SdAwsRejection as err:
            return self._parse_error(build_error(err.fault, client=self._middleware.client, is_submit=False))
        except AtelierError as err:
            return self._parse_error(err)

    def _parse_error(self, error: AtelierError) -> TaskFailed:
        if isinstance(error, TransientError):
            raise error
        if isinstance(error, OperatorError):
            raise ProviderUnavailable(error.message, hint=error.hint) from error
        error.spent = Spent.UNKNOWN
        return TaskFailed(error)

    def _parse_inference(self, inference: SdAwsInferenceBody) -> TaskSnapshot:
        if inference.has_failed:
            reason = self._middleware.client.quote(inference.raw)
            return TaskFailed(UpstreamFailed(f"{self._service} could not finish the job. {reason}"))
        if not inference.is_done:
            return TaskPending() if inference.status == "created" else TaskRunning()
        if not inference.pictures:
            return TaskFailed(UpstreamFailed(f"{self._service} finished the job without a picture."))
        return TaskSucceeded(tuple(OutputImage(url=link) for link in inference.pictures))

    # Lists that answer for many.

    async def _poll_endpoints(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        dialect = await self._get_dialect()
        endpoints = await dialect.list_endpoints()
        found: dict[str, TaskSnapshot] = {}
        for task in tasks:
            known = [e for e in endpoints if task.id in (e.job_id, e.name)]
            found[task.id] = await self._parse_endpoint(dialect, known[0] if known else None, task.id)
        return found

    async def _parse_endpoint(self, dialect: Dialect, endpoint: SdAwsEndpointBody | None, task_id: str) -> TaskSnapshot:
        if endpoint is None:
            return TaskFailed(UpstreamFailed(f"{self._service} does not list the endpoint any more: it was deleted."))
        if endpoint.is_ready:
            return TaskSucceeded(data={"endpoint": endpoint.name, "state": endpoint.state})
        if endpoint.has_failed:
            deployment = await dialect.get_deployment(task_id) or endpoint
            reason = self._middleware.client.quote(deployment.error or endpoint.error)
            return TaskFailed(
                UpstreamFailed(
                    f"The endpoint could not be deployed. {reason}",
                    hint="Most often the AWS account's quota for the machine type is used up.",
                )
            )
        return TaskRunning(note=f"{endpoint.name} is {endpoint.state or 'being created'}")

    async def _poll_trainings(self, tasks: Sequence[UpstreamTask]) -> dict[str, TaskSnapshot]:
        known = {training.id: training for training in await (await self._get_dialect()).list_trainings()}
        return {task.id: self._parse_training(known.get(task.id)) for task in tasks}

    def _parse_training(self, training: SdAwsTrainingBody | None) -> TaskSnapshot:
        if training is None:
            return TaskFailed(UpstreamFailed(f"{self._service} does not list the training any more."))
        if training.has_failed:
            return TaskFailed(UpstreamFailed(f"The training ended as {training.state}."))
        if training.is_done:
            remarks = "its file is in list_models, kind lora or checkpoint"
            return TaskSucceeded(data={"training": training.id, "name": training.name, "remarks": remarks})
        return TaskRunning(note=training.state.lower())

    # Files.

    async def _poll_fetch(self, dialect: Dialect, task_id: str) -> TaskSnapshot:
        """Whether files that the service fetches are there (contract: upload_checkpoint.long_call)."""
        fetch: dict[str, Any] = json.loads(task_id)
        for entry in await dialect.list_checkpoints([fetch["kind"]]):
            is_same = entry.id == fetch["id"] if fetch["id"] else set(fetch["names"]) <= set(entry.names)
            if is_same and entry.state == "Active":
                return TaskSucceeded(data={"checkpoint_id": entry.id, "files": list(entry.names)})
        return TaskRunning(note="the service fetches the files")

    async def _poll_upload(self, task: UpstreamTask) -> TaskSnapshot:
        return await self._upload_poller.poll(UPLOAD_TARGETS[task.kind], task.id)

    @property
    def _service(self) -> str:
        return self._middleware.client.service
