"""Stable Diffusion on AWS behind the provider protocol."""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from atelier_mcp.server.errors import InvalidRequest, OperatorError, ProviderUnavailable
from atelier_mcp.server.providers.base import AccountId, Done, ModelPage, Plan, Report, Snapshot, UpstreamTask
from atelier_mcp.server.providers.http import Account
from atelier_mcp.server.providers.limits import Clock, TokenBucket
from atelier_mcp.server.providers.sd_aws import inference
from atelier_mcp.server.providers.sd_aws.answers import answered
from atelier_mcp.server.providers.sd_aws.catalogue import KINDS, Catalogue
from atelier_mcp.server.providers.sd_aws.dialect import Dialect, InferenceOrder
from atelier_mcp.server.providers.sd_aws.legacy import Legacy
from atelier_mcp.server.providers.sd_aws.looks import (
    BASE_UPLOAD,
    CHECKPOINT_UPLOAD,
    DATASET_UPLOAD,
    ENDPOINT,
    FETCH,
    INFERENCE,
    TRAINING,
    Looks,
)
from atelier_mcp.server.providers.sd_aws.middleware import Middleware
from atelier_mcp.server.providers.sd_aws.planning import plan_generation
from atelier_mcp.server.providers.sd_aws.restful import Restful
from atelier_mcp.server.providers.sd_aws.training import Drafts
from atelier_mcp.server.providers.sd_aws.uploads import Piece, Source, Upload, Uploads, part_count, parts_of, source_of
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

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.requests.base import Request

SERVICE = "Stable Diffusion on AWS"
JOBS = frozenset(
    {
        "generate_image",
        "deploy_endpoint",
        "add_checkpoint",
        "create_training_base",
        "create_aws_dataset",
        "start_training",
    }
)
AT_ONCE = frozenset(
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
CAPABILITIES = JOBS | AT_ONCE
POLLS_PER_S = 6.0
CALLS_PER_S = 20.0
"""No rate is published; this keeps a burst civil."""
LOCAL_CALLS_PER_S = 2000.0


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
        local: bool = False,
        disclaimer: str = "",
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the key and the address, which ends with the stage; nothing is opened before the first request.

        ``folder`` keeps the state of uploads under way and of trainings that were not started. ``endpoint`` is the one
        to use where a request names none; without it the first in service is. ``local`` and ``disclaimer`` are set for
        the built-in stand-in; ``transport`` replaces the network in tests.
        """
        self.local = local
        self.disclaimer = disclaimer
        self.polls_per_s = polls_per_s
        self.account = AccountId(f"sd_aws:{hashlib.sha256(f'{api_key} {username}'.encode()).hexdigest()[:8]}")
        self._endpoint = endpoint
        http = Account(
            service=SERVICE,
            base_url=url,
            clock=clock,
            pace=TokenBucket(per_s=LOCAL_CALLS_PER_S if local else CALLS_PER_S, clock=clock),
            secrets=(api_key,),
            local=local,
            transport=transport,
            rng=rng,
        )
        self._http = http
        self._middleware = Middleware(http, api_key=api_key, username=username)
        polls = TokenBucket(per_s=polls_per_s, clock=clock)
        self._legacy = Legacy(self._middleware, polls=polls)
        self._restful = Restful(self._middleware, polls=polls, drafts=Drafts(folder / "trainings"))
        self._uploads = Uploads(self._middleware, folder / "uploads", clock=clock, base_url=url, local=local)
        self._catalogue = Catalogue(self._dialect, clock=clock)
        self._looks = Looks(self._dialect, self._middleware, self._uploads)

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
        return KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty for deployments and trainings, which one list answers for, else one."""
        return self._looks.batch_size(kind)

    async def plan(self, request: Request, pictures: Mapping[str, Header]) -> Plan:
        """Fill in what the caller left open; reads lists, spends nothing.

        Raises ``InvalidRequest`` for what the deployment cannot do.
        """
        if isinstance(request, GenerateImage):
            return await plan_generation(request, pictures, self._catalogue, endpoint=self._endpoint)
        if request.capability not in CAPABILITIES:
            raise InvalidRequest(f"{SERVICE} cannot {request.capability.replace('_', ' ')}.")
        return Plan(request)

    async def submit(self, request: Request, pictures: Mapping[str, str], report: Report) -> UpstreamTask | Done:
        """Send a planned request; ``pictures`` maps each place to base64.

        Raises ``SubmitUnconfirmed`` when the answer was lost; any other error means that nothing was accepted.
        """
        dialect = await self._dialect()
        match request:
            case GenerateImage():
                return UpstreamTask(await dialect.start(_order(request, pictures), report), INFERENCE)
            case DeployEndpoint():
                endpoint = await dialect.deploy(request)
                return UpstreamTask(endpoint.job_id or endpoint.name, ENDPOINT)
            case StartTraining():
                return UpstreamTask(await dialect.begin_training(request.training_id), TRAINING)
            case AddCheckpoint():
                return await self._add_checkpoint(dialect, request)
            case CreateTrainingBase():
                return await self._create_base(dialect, request)
            case CreateAwsDataset():
                return await self._create_dataset(dialect, request)
            case _:
                raise InvalidRequest(f"{SERVICE} makes no job of {request.capability.replace('_', ' ')}.")

    async def look(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, Snapshot]:
        """News of tasks of one kind; for an upload this sends the next parts, for about two seconds.

        Raises ``TransientError`` when the look failed, whatever the reason.
        """
        try:
            news = await self._looks.news(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.what, then=err.then) from err
        if tasks[0].kind not in (INFERENCE, ENDPOINT) and any(isinstance(n, Done) for n in news.values()):
            self._catalogue.forget()
        return news

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing can be stopped: an endpoint is deleted by its name."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:  # noqa: ARG002  # the protocol's signature
        """Files of one kind, or what can be trained on."""
        return await self._catalogue.page(kind, offset=offset, limit=limit)

    async def answer(self, request: Request, pictures: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Do at once what makes no job."""
        answer = await answered(request, await self._dialect(), self._middleware)
        if isinstance(request, DisableCheckpoint):
            self._catalogue.forget()
        return answer

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    async def _dialect(self) -> Dialect:
        return self._restful if await self._middleware.generation() == "2024" else self._legacy

    async def _add_checkpoint(self, dialect: Dialect, request: AddCheckpoint) -> UpstreamTask:
        """Begin an upload, or have the service fetch; an answer that is late says nothing of the transfer."""
        about = request.description or ""
        if request.file is None:
            checkpoint_id = await dialect.fetch_checkpoint(request.kind, request.links, about)
            names = [PurePath(urlsplit(link).path).name for link in request.links]
            return UpstreamTask(json.dumps({"kind": request.kind, "id": checkpoint_id, "names": names}), FETCH)
        source, name = await source_of(request.file), PurePath(request.file).name
        parts = part_count(source.size_bytes)
        checkpoint_id, links = await dialect.begin_checkpoint(request.kind, name, parts, about)
        await self._begin(checkpoint_id, source, name, links)
        return UpstreamTask(checkpoint_id, CHECKPOINT_UPLOAD)

    async def _create_base(self, dialect: Dialect, request: CreateTrainingBase) -> UpstreamTask:
        if request.file is None:
            base_id, _ = await dialect.begin_base(request, "", 0)
            await self._uploads.begin(base_id, Upload((), (), {}, {"name": "", "base": base_id}))
            return UpstreamTask(base_id, BASE_UPLOAD)
        source, name = await source_of(request.file), PurePath(request.file).name
        base_id, links = await dialect.begin_base(request, name, part_count(source.size_bytes))
        await self._begin(base_id, source, name, links)
        return UpstreamTask(base_id, BASE_UPLOAD)

    async def _create_dataset(self, dialect: Dialect, request: CreateAwsDataset) -> UpstreamTask:
        """One file is one piece; files of one name in different folders get a number in front."""
        sources = [await source_of(path) for path in request.files]
        names = _distinct([PurePath(path).name for path in request.files])
        links = await dialect.begin_dataset(request.name, names)
        missing = [name for name in names if name not in links]
        if missing:
            raise ProviderUnavailable(f"{SERVICE} answered without a link for {missing[0]}.")
        pieces = tuple(
            Piece(links[name], source.path, 0, source.size_bytes, name, 1)
            for name, source in zip(names, sources, strict=True)
        )
        facts = {"name": request.name, "files": len(names)}
        await self._uploads.begin(request.name, Upload(pieces, tuple(sources), {}, facts))
        return UpstreamTask(request.name, DATASET_UPLOAD)

    async def _begin(self, upload_id: str, source: Source, name: str, links: Sequence[str]) -> None:
        pieces = parts_of(source.path, source.size_bytes, name, links)
        await self._uploads.begin(upload_id, Upload(pieces, (source,), {}, {"name": name}))


def _order(request: GenerateImage, pictures: Mapping[str, str]) -> InferenceOrder:
    advanced = inference.advanced_of(request)
    return InferenceOrder(
        endpoint=advanced.endpoint or "",
        task_type=inference.task_type(request),
        models=inference.models(request),
        parameters={k: v for k, v in inference.parameters(request, pictures).items() if v is not None},
        real_time=advanced.real_time,
    )


def _distinct(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    distinct: list[str] = []
    for number, name in enumerate(names, 1):
        distinct.append(name if name not in seen else f"{number}-{name}")
        seen.add(distinct[-1])
    return distinct
