"""Asking for news: inferences, deployments and trainings at the service, uploads by carrying them on."""

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
from atelier_mcp.server.providers.base import Done, Output, Pending, Refused, Snapshot, UpstreamTask, Working
from atelier_mcp.server.providers.sd_aws.errors import Rejected, error_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.middleware import Middleware
    from atelier_mcp.server.providers.sd_aws.uploads import Upload, Uploads
    from atelier_mcp.server.providers.sd_aws.wire import Endpoint, Inference, Training

INFERENCE = "inference"
ENDPOINT = "endpoint"
TRAINING = "training"
FETCH = "fetch"
CHECKPOINT_UPLOAD = "upload.checkpoint"
BASE_UPLOAD = "upload.base"
DATASET_UPLOAD = "upload.dataset"
UPLOADS = frozenset({CHECKPOINT_UPLOAD, BASE_UPLOAD, DATASET_UPLOAD})
LISTED = frozenset({ENDPOINT, TRAINING})
"""Kinds that one list answers for, however many tasks there are."""
AT_ONCE = 50
SOON_S = 0.05
"""An upload goes on at once: the look itself does the work."""


class Looks:
    """Reads states through the dialect of the deployment."""

    def __init__(self, dialect: Callable[[], Awaitable[Dialect]], middleware: Middleware, uploads: Uploads) -> None:
        """Hold the ways to ask."""
        self._dialect = dialect
        self._middleware = middleware
        self._uploads = uploads

    def batch_size(self, kind: str) -> int:
        """How many tasks of a kind one request can cover."""
        return AT_ONCE if kind in LISTED else 1

    async def news(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        """What is known of tasks of one kind. Raises ``TransientError`` where nothing could be learnt."""
        kind = tasks[0].kind
        if kind == ENDPOINT:
            return await self._endpoints(tasks)
        if kind == TRAINING:
            return await self._trainings(tasks)
        answers = await asyncio.gather(*(self._one(task) for task in tasks))
        return {task.id: answer for task, answer in zip(tasks, answers, strict=True)}

    async def _one(self, task: UpstreamTask) -> Snapshot:
        dialect = await self._dialect()
        try:
            if task.kind == INFERENCE:
                return self._inference(await dialect.inference(task.id, polling=True))
            if task.kind == FETCH:
                return await self._fetched(dialect, task.id)
            return await self._uploaded(dialect, task)
        except (TransientError, OperatorError):
            raise
        except Rejected as err:
            return self._refused(error_for(err.fault, account=self._middleware.http, submit=False))
        except AtelierError as err:
            return self._refused(err)

    def _refused(self, error: AtelierError) -> Refused:
        if isinstance(error, TransientError):
            raise error
        if isinstance(error, OperatorError):
            raise ProviderUnavailable(error.what, then=error.then) from error
        error.spent = Spent.UNKNOWN
        return Refused(error)

    def _inference(self, inference: Inference) -> Snapshot:
        if inference.failed:
            says = self._middleware.http.quote(inference.raw)
            return Refused(UpstreamFailed(f"{self._service} could not finish the job. {says}"))
        if not inference.done:
            return Pending() if inference.status == "created" else Working()
        if not inference.pictures:
            return Refused(UpstreamFailed(f"{self._service} finished the job without a picture."))
        return Done(tuple(Output(url=link) for link in inference.pictures))

    # Lists that answer for many.

    async def _endpoints(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        dialect = await self._dialect()
        endpoints = await dialect.endpoints()
        found: dict[str, Snapshot] = {}
        for task in tasks:
            known = [e for e in endpoints if task.id in (e.job_id, e.name)]
            found[task.id] = await self._endpoint(dialect, known[0] if known else None, task.id)
        return found

    async def _endpoint(self, dialect: Dialect, endpoint: Endpoint | None, task_id: str) -> Snapshot:
        if endpoint is None:
            return Refused(UpstreamFailed(f"{self._service} does not list the endpoint any more: it was deleted."))
        if endpoint.ready:
            return Done(data={"endpoint": endpoint.name, "state": endpoint.state})
        if endpoint.failed:
            about = await dialect.deployment(task_id) or endpoint
            says = self._middleware.http.quote(about.error or endpoint.error)
            return Refused(
                UpstreamFailed(
                    f"The endpoint could not be deployed. {says}",
                    then="Most often the AWS account's quota for the machine type is used up.",
                )
            )
        return Working(note=f"{endpoint.name} is {endpoint.state or 'being created'}")

    async def _trainings(self, tasks: Sequence[UpstreamTask]) -> dict[str, Snapshot]:
        known = {training.id: training for training in await (await self._dialect()).trainings()}
        return {task.id: self._training(known.get(task.id)) for task in tasks}

    def _training(self, training: Training | None) -> Snapshot:
        if training is None:
            return Refused(UpstreamFailed(f"{self._service} does not list the training any more."))
        if training.failed:
            return Refused(UpstreamFailed(f"The training ended as {training.state}."))
        if training.done:
            remarks = "its file is in list_models, kind lora or checkpoint"
            return Done(data={"training": training.id, "name": training.name, "remarks": remarks})
        return Working(note=training.state.lower())

    # Files.

    async def _fetched(self, dialect: Dialect, task_id: str) -> Snapshot:
        """Whether files that the service fetches are there (contract: upload_checkpoint.long_call)."""
        wanted: dict[str, Any] = json.loads(task_id)
        for entry in await dialect.checkpoints([wanted["kind"]]):
            named = entry.id == wanted["id"] if wanted["id"] else set(wanted["names"]) <= set(entry.names)
            if named and entry.state == "Active":
                return Done(data={"checkpoint_id": entry.id, "files": list(entry.names)})
        return Working(note="the service fetches the files")

    async def _uploaded(self, dialect: Dialect, task: UpstreamTask) -> Snapshot:
        """Carry an upload on for a while; finish it at the service when all has arrived."""
        upload = await self._uploads.get(task.id)
        if upload is None:
            return await self._finished(dialect, task, {})
        if not upload.complete:
            upload = await self._uploads.advance(task.id, upload)
        if not upload.complete:
            return Working(upload.share, "uploading", again_s=SOON_S)
        snapshot = await self._finished(dialect, task, upload.facts)
        if isinstance(snapshot, Pending):
            await self._finish(dialect, task, upload)
            return Working(upload.share, "uploaded", again_s=SOON_S)
        if isinstance(snapshot, Done):
            await self._uploads.forget(task.id)
        return snapshot

    async def _finish(self, dialect: Dialect, task: UpstreamTask, upload: Upload) -> None:
        name, parts = str(upload.facts.get("name", "")), upload.parts()
        match task.kind:
            case "upload.checkpoint":
                await dialect.finish_checkpoint(task.id, name, parts)
            case "upload.base":
                await dialect.finish_base(task.id, name, parts)
            case _:
                await dialect.finish_dataset(task.id)

    async def _finished(self, dialect: Dialect, task: UpstreamTask, facts: dict[str, Any]) -> Snapshot:
        """What the service's own list says: ``Pending`` while it waits for the end of the upload.

        The answer to that end shows an old state (contract: update_checkpoint.stale_status), and may have been lost.
        """
        match task.kind:
            case "upload.checkpoint":
                found = [e.state for e in await dialect.checkpoints() if e.id == task.id]
                data = {"checkpoint_id": task.id, **_named(facts)}
            case "upload.base":
                found = [base.state for base in await dialect.bases() if base.id == task.id]
                data = {"base": task.id, **_named(facts)}
            case _:
                found = [entry.state for entry in await dialect.datasets() if entry.name == task.id]
                data = {"dataset": task.id, "files": int(facts.get("files", 0))}
        return self._stage(found[0] if found else "", data, begun=bool(facts))

    def _stage(self, state: str, data: dict[str, Any], *, begun: bool) -> Snapshot:
        match state:
            case "Active" | "Enabled" | "Complete":
                return Done(data=data)
            case "Creating" | "Created":
                return Working(note="the service makes the base")
            case "Fail" | "Disabled" | "":
                return Refused(UpstreamFailed(f"{self._service} gave the upload up ({state or 'not listed'})."))
            case _ if not begun:
                return Refused(UpstreamFailed("The state of this upload is lost; begin it again."))
            case _:
                return Pending()

    @property
    def _service(self) -> str:
        return self._middleware.http.service


def _named(facts: dict[str, Any]) -> dict[str, Any]:
    return {"file": facts["name"]} if facts.get("name") else {}
