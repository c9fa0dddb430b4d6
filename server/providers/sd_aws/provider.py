"""Stable Diffusion on AWS behind the provider protocol."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atelier_mcp.server.errors import InvalidRequest, OperatorError, ProviderUnavailable
from atelier_mcp.server.providers.base import (
    AccountId,
    ModelPage,
    Plan,
    ProgressCallback,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.rate_limit import RateLimit, TokenBucket
from atelier_mcp.server.providers.sd_aws import inference_payload
from atelier_mcp.server.providers.sd_aws.dialect import Dialect, InferencePayload
from atelier_mcp.server.providers.sd_aws.direct_operations import execute_operation
from atelier_mcp.server.providers.sd_aws.generation_plan import plan_generation
from atelier_mcp.server.providers.sd_aws.legacy_dialect import LegacyDialect
from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
from atelier_mcp.server.providers.sd_aws.model_list import MODEL_KINDS, SdAwsModelList
from atelier_mcp.server.providers.sd_aws.restful_dialect import RestfulDialect
from atelier_mcp.server.providers.sd_aws.task_poller import (
    ENDPOINT,
    FETCH,
    INFERENCE,
    TRAINING,
    SdAwsTaskPoller,
)
from atelier_mcp.server.providers.sd_aws.training_drafts import TrainingDrafts
from atelier_mcp.server.providers.sd_aws.uploads.files import (
    UploadPart,
    UploadSource,
    count_parts,
    read_source,
    split_parts,
)
from atelier_mcp.server.providers.sd_aws.uploads.part_sender import PartSender
from atelier_mcp.server.providers.sd_aws.uploads.store import Upload, UploadStore
from atelier_mcp.server.providers.sd_aws.uploads.targets import BaseTarget, CheckpointTarget, DatasetTarget
from atelier_mcp.server.providers.sd_aws.uploads.transfer import TransferTasks
from atelier_mcp.server.providers.sd_aws.uploads.upload_poller import UploadPoller
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    CreateAwsDataset,
    CreateTrainingBase,
    DeployEndpoint,
    DisableCheckpoint,
    StartTraining,
)
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.base import Request

SERVICE_NAME = "Stable Diffusion on AWS"
JOB_CAPABILITIES = frozenset(
    {
        "generate_image",
        "deploy_endpoint",
        "add_checkpoint",
        "create_training_base",
        "create_aws_dataset",
        "start_training",
    }
)
DIRECT_CAPABILITIES = frozenset(
    {
        "list_endpoints",
        "delete_endpoints",
        "list_inference_jobs",
        "list_checkpoints",
        "disable_checkpoint",
        "list_training_bases",
        "list_aws_datasets",
        "create_training",
        "list_trainings",
        "merge_models",
        "test_connection",
    }
)
CAPABILITIES = JOB_CAPABILITIES | DIRECT_CAPABILITIES
POLLS_PER_S = 6.0
REQUESTS_PER_S = 20.0
"""No rate is published; this keeps a burst civil."""


class SdAwsProvider:
    """One deployment of the middleware, and one user of it."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        username: str,
        folder: Path,
        clock: Clock,
        endpoint: str = "",
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the key and the address, which ends with the stage; nothing is opened before the first request.

        ``folder`` keeps the state of uploads under way and of trainings that were not started. ``endpoint`` is the one
        to use where a request names none; without it the first in service is. ``is_local`` and ``is_emulated`` are set
        for the built-in emulator; ``transport`` replaces the network in tests.
        """
        self.is_local = is_local
        self.is_emulated = is_emulated
        self.poll_rate_limit = RateLimit(polls_per_s)
        self.account = AccountId(f"sd_aws:{hashlib.sha256(f'{api_key} {username}'.encode()).hexdigest()[:8]}")
        self._endpoint = endpoint
        client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=url,
            clock=clock,
            requests_per_s=REQUESTS_PER_S,
            secrets=(api_key,),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self._client = client
        self._middleware = MiddlewareClient(client, api_key=api_key, username=username)
        poll_rate_limit = TokenBucket(per_s=polls_per_s, clock=clock)
        self._legacy = LegacyDialect(self._middleware, poll_rate_limit=poll_rate_limit)
        self._restful = RestfulDialect(
            self._middleware, poll_rate_limit=poll_rate_limit, drafts=TrainingDrafts(folder / "trainings")
        )
        store = UploadStore(folder / "uploads")
        sender = PartSender(self._middleware, base_url=url, is_local=is_local)
        self._transfers = TransferTasks(sender, store, clock=clock)
        self._model_list = SdAwsModelList(self._get_dialect, clock=clock)
        upload_poller = UploadPoller(self._get_dialect, self._transfers, store, service=SERVICE_NAME, clock=clock)
        self._task_poller = SdAwsTaskPoller(self._get_dialect, self._middleware, upload_poller)

    @property
    def name(self) -> str:
        """The provider's name in settings and answers."""
        return "sd_aws"

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it."""
        return CAPABILITIES

    @property
    def model_kinds(self) -> tuple[str, ...]:
        """The kinds ``list_models`` knows here."""
        return MODEL_KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty for deployments and trainings, which one list answers for, else one."""
        return self._task_poller.batch_size(kind)

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:
        """Fill in what the caller left open; reads lists, spends nothing.

        Raises ``InvalidRequest`` for what the deployment cannot do.
        """
        if isinstance(request, GenerateImage):
            return await plan_generation(request, headers, self._model_list, endpoint=self._endpoint)
        if request.capability not in CAPABILITIES:
            raise InvalidRequest(f"{SERVICE_NAME} cannot {request.capability.replace('_', ' ')}.")
        return Plan(request)

    async def submit(
        self, request: Request, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask | TaskSucceeded:
        """Send a planned request; ``images`` maps each place to base64.

        Raises ``SubmitUnconfirmed`` when the answer was lost; any other error means that nothing was accepted.
        """
        dialect = await self._get_dialect()
        match request:
            case GenerateImage():
                return UpstreamTask(
                    await dialect.start_inference(_build_inference_payload(request, images), report), INFERENCE
                )
            case DeployEndpoint():
                endpoint = await dialect.deploy_endpoint(request)
                return UpstreamTask(endpoint.job_id or endpoint.name, ENDPOINT)
            case StartTraining():
                return UpstreamTask(await dialect.start_training(request.training_id), TRAINING)
            case AddCheckpoint():
                return await self._add_checkpoint(dialect, request)
            case CreateTrainingBase():
                return await self._create_base(dialect, request)
            case CreateAwsDataset():
                return await self._create_dataset(dialect, request)
            case _:
                raise InvalidRequest(f"{SERVICE_NAME} makes no job of {request.capability.replace('_', ' ')}.")

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind; the first poll of an upload in this process sets it going in the background.

        Raises ``TransientError`` when the poll failed, whatever the reason.
        """
        try:
            snapshots = await self._task_poller.poll(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.message, hint=err.hint) from err
        if tasks[0].kind not in (INFERENCE, ENDPOINT) and any(isinstance(n, TaskSucceeded) for n in snapshots.values()):
            self._model_list.clear()
        return snapshots

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing can be stopped: an endpoint is deleted by its name."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # the protocol's signature
        """Files of one kind, or what can be trained on."""
        return await self._model_list.fetch_page(kind, offset=offset, limit=limit)

    async def execute(self, request: Request, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Do at once what makes no job."""
        result = await execute_operation(request, await self._get_dialect(), self._middleware)
        if isinstance(request, DisableCheckpoint):
            self._model_list.clear()
        return result

    async def close(self) -> None:
        """End the uploads under way, which a later process resumes, and give up connections."""
        await self._transfers.close()
        await self._client.close()

    async def _get_dialect(self) -> Dialect:
        return self._restful if await self._middleware.get_generation() == "2024" else self._legacy

    async def _add_checkpoint(self, dialect: Dialect, request: AddCheckpoint) -> UpstreamTask:
        """Begin an upload, or have the service fetch; an answer that is late says nothing of the transfer."""
        description = request.description or ""
        if request.file is None:
            checkpoint_id = await dialect.fetch_checkpoint(request.kind, request.links, description)
            names = [PurePath(urlsplit(link).path).name for link in request.links]
            return UpstreamTask(json.dumps({"kind": request.kind, "id": checkpoint_id, "names": names}), FETCH)
        source, name = await read_source(request.file), PurePath(request.file).name
        parts = count_parts(source.size_bytes)
        checkpoint_id, links = await dialect.begin_checkpoint(request.kind, name, parts, description)
        await self._begin_upload(checkpoint_id, source, name, links)
        return UpstreamTask(checkpoint_id, CheckpointTarget.kind)

    async def _create_base(self, dialect: Dialect, request: CreateTrainingBase) -> UpstreamTask:
        if request.file is None:
            base_id, _ = await dialect.begin_base(request, "", 0)
            await self._transfers.register(base_id, Upload((), (), {}, {"name": "", "base": base_id}))
            return UpstreamTask(base_id, BaseTarget.kind)
        source, name = await read_source(request.file), PurePath(request.file).name
        base_id, links = await dialect.begin_base(request, name, count_parts(source.size_bytes))
        await self._begin_upload(base_id, source, name, links)
        return UpstreamTask(base_id, BaseTarget.kind)

    async def _create_dataset(self, dialect: Dialect, request: CreateAwsDataset) -> UpstreamTask:
        """One file is one piece; files of one name in different folders get a number in front."""
        sources = [await read_source(path) for path in request.files]
        names = _make_distinct([PurePath(path).name for path in request.files])
        links = await dialect.begin_dataset(request.name, names)
        missing_names = [name for name in names if name not in links]
        if missing_names:
            raise ProviderUnavailable(f"{SERVICE_NAME} answered without a link for {missing_names[0]}.")
        pieces = tuple(
            UploadPart(links[name], source.path, 0, source.size_bytes, name, 1)
            for name, source in zip(names, sources, strict=True)
        )
        facts = {"name": request.name, "files": len(names)}
        await self._transfers.register(request.name, Upload(pieces, tuple(sources), {}, facts))
        return UpstreamTask(request.name, DatasetTarget.kind)

    async def _begin_upload(self, upload_id: str, source: UploadSource, name: str, links: Sequence[str]) -> None:
        pieces = split_parts(source, name, links)
        await self._transfers.register(upload_id, Upload(pieces, (source,), {}, {"name": name}))


def _build_inference_payload(request: GenerateImage, images: Mapping[str, str]) -> InferencePayload:
    advanced = inference_payload.get_advanced(request)
    return InferencePayload(
        endpoint=advanced.endpoint or "",
        task_type=inference_payload.get_task_type(request),
        models=inference_payload.list_files(request),
        parameters={k: v for k, v in inference_payload.build_parameters(request, images).items() if v is not None},
        real_time=advanced.real_time,
    )


def _make_distinct(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    result: list[str] = []
    for number, name in enumerate(names, 1):
        result.append(name if name not in seen else f"{number}-{name}")
        seen.add(result[-1])
    return result
