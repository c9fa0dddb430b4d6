"""SenseTime Miaohua v1b behind the provider protocol."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    ContentRefused,
    InvalidRequest,
    OperatorError,
    ProviderUnavailable,
    SubmitUnconfirmed,
    UpstreamFailed,
)
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
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.auth import MiaohuaTokenCache, log_in
from atelier_mcp.server.providers.miaohua.datasets import MiaohuaDatasets
from atelier_mcp.server.providers.miaohua.errors import (
    IMAGE_CHECK_INTERVAL_S,
    IMAGE_IN_CHECK,
    MiaohuaRejection,
    build_error,
    build_response_check,
)
from atelier_mcp.server.providers.miaohua.image_uploader import MiaohuaImageUploader
from atelier_mcp.server.providers.miaohua.model_list import (
    AUTOMATIC_BASE,
    MODEL_KINDS,
    MODEL_LIST_ERRORS,
    MiaohuaModelList,
)
from atelier_mcp.server.providers.miaohua.payloads import (
    build_generation_payload,
    build_outpainting_payload,
    build_training_payload,
)
from atelier_mcp.server.providers.miaohua.plans import plan_request
from atelier_mcp.server.providers.miaohua.slot_queue import MiaohuaSlotQueue
from atelier_mcp.server.providers.miaohua.task_poller import IMAGE_TASK, TRAINING_TASK, MiaohuaTaskPoller
from atelier_mcp.server.providers.miaohua.wire import find_text, unwrap_info
from atelier_mcp.server.providers.rate_limit import RateLimit, TokenBucket
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.base import Request

SERVICE_NAME = "Miaohua"
CAPABILITIES = frozenset(
    {
        "generate_image",
        "outpaint_image",
        "describe_image",
        "train_lora",
        "create_dataset",
        "list_datasets",
        "add_dataset_images",
        "remove_dataset_images",
    }
)
POLLS_PER_S = 6.0
"""For the whole account (contract: limits.task_results)."""
POLL_RATE_MARGIN = 0.92
"""Polls leave a little further apart than the rate says, or the network could push seven into one second."""
REQUESTS_PER_S = 20.0
"""No other rate is published; this keeps a burst civil."""
MAX_IMAGE_CHECKS = 30
"""How often a picture in check is asked about again."""
SUBMIT_TIMEOUT_S = 60.0
DESCRIBE_TIMEOUT_S = 120.0


class MiaohuaProvider:
    """One Miaohua account."""

    def __init__(
        self,
        *,
        email: str,
        password: str,
        base_url: str,
        clock: Clock,
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        sensitive_limit: float | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the credentials and the address; nothing is opened before the first request.

        ``sensitive_limit`` in [0, 1] tightens the service's check of finished pictures. ``is_local``, ``is_emulated``
        are set for the built-in emulator; ``transport`` replaces the network in tests.
        """
        self.is_local = is_local
        self.is_emulated = is_emulated
        self.poll_rate_limit = RateLimit(polls_per_s)
        self.account = AccountId(f"miaohua:{hashlib.sha256(email.lower().encode()).hexdigest()[:8]}")
        self._clock = clock
        self._poll_rate_limit = TokenBucket(per_s=polls_per_s * POLL_RATE_MARGIN, clock=clock, burst=1)
        self._client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=base_url,
            clock=clock,
            requests_per_s=REQUESTS_PER_S,
            secrets=(password, email),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self.token_cache = MiaohuaTokenCache(lambda: log_in(self._client, email=email, password=password))
        self._model_list = MiaohuaModelList(self._fetch_list, clock=clock)
        self._uploader = MiaohuaImageUploader(self._send_past_image_check, self._client, clock=clock)
        self._datasets = MiaohuaDatasets(self._request)
        self._slot_queue = MiaohuaSlotQueue(clock)
        self._task_poller = MiaohuaTaskPoller(
            self._send_poll,
            self._client,
            find_trained_lora=self._model_list.find_trained_lora,
            sensitive_limit=sensitive_limit,
        )

    @property
    def name(self) -> str:
        """The provider's name in settings and answers."""
        return "miaohua"

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it."""
        return CAPABILITIES

    @property
    def model_kinds(self) -> tuple[str, ...]:
        """The kinds ``list_models`` knows here."""
        return MODEL_KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty for pictures, one for trainings and where the batch form does not exist."""
        return self._task_poller.batch_size(kind)

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:
        """Fill in what the caller left open; reads lists, spends nothing.

        Raises ``InvalidRequest`` for what Miaohua cannot do.
        """
        try:
            return await plan_request(request, headers, self._model_list)
        except MiaohuaRejection as err:
            raise build_error(err.fault, client=self._client, is_submit=False) from None

    async def submit(
        self, request: Request, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask | TaskSucceeded:
        """Send a planned request; its pictures, given as base64, are uploaded first.

        Waits while the service checks a picture or has no free slot. Raises ``SubmitUnconfirmed`` when the answer was
        lost; any other error means that nothing was accepted.
        """
        if images:
            report(None, "uploading")
        links = await self._uploader.upload_all(images)
        match request:
            case GenerateImage():
                return await self._submit_task(
                    "/task_submit", build_generation_payload(request, links), IMAGE_TASK, report
                )
            case OutpaintImage():
                return await self._submit_task(
                    "/task_submit", build_outpainting_payload(request, links), IMAGE_TASK, report
                )
            case TrainLora():
                return await self._submit_task(
                    "/train_submit", await self._build_training_body(request, links), TRAINING_TASK, report
                )
            case DescribeImage():
                return await self._describe_image(links["image"])
            case _:
                raise InvalidRequest(f"Miaohua cannot {request.capability.replace('_', ' ')}.")

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind. Raises ``TransientError`` when the poll failed, whatever the reason."""
        try:
            return await self._task_poller.poll(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.message, hint=err.hint) from err

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing can be stopped at Miaohua."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind, the fields of the forms, or, for ``controlnet``, what ``base`` or any model takes."""
        try:
            return await self._model_list.fetch_page(kind, base=base, offset=offset, limit=limit)
        except MiaohuaRejection as err:
            raise build_error(err.fault, client=self._client, is_submit=False) from None

    async def execute(self, request: Request, images: Mapping[str, str]) -> Mapping[str, Any]:
        """Do at once what is about data sets; pictures, given as base64, are uploaded first."""
        return await self._datasets.execute(request, await self._uploader.upload_all(images))

    async def upload(self, data: bytes, media_type: str) -> str:
        """A public link to a picture, remembered for half an hour.

        Raises ``ImageRefused`` for another format than JPEG, PNG or WebP, ``ContentRefused`` for a sensitive picture.
        """
        return await self._uploader.upload(data, media_type)

    async def close(self) -> None:
        """Give up connections."""
        await self._client.close()

    async def _submit_task(self, path: str, body: dict[str, Any], kind: str, report: ProgressCallback) -> UpstreamTask:
        http_request = HttpRequest("POST", path, is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            document = await self._slot_queue.submit_when_free(
                lambda: self._send_past_image_check(http_request), report
            )
        except MiaohuaRejection as err:
            raise build_error(err.fault, client=self._client, is_submit=True) from None
        task_id = find_text(document, "task_id")
        if not task_id:
            raise SubmitUnconfirmed("Miaohua answered the submit without a task id.")
        return UpstreamTask(task_id, kind)

    async def _build_training_body(self, request: TrainLora, links: Mapping[str, str]) -> dict[str, Any]:
        """The body of a training; its pictures become a data set first, under a name of its own."""
        dataset_ids = list(request.dataset_ids)
        if links:
            digest = hashlib.sha256("".join(request.images).encode()).hexdigest()[:8]
            try:
                dataset_ids.append(
                    await self._datasets.create(f"{request.name} {digest}", request.description, [*links.values()])
                )
            except SubmitUnconfirmed as err:  # a data set costs nothing: the training was surely not submitted
                raise ProviderUnavailable(err.message, hint="Try again.") from err
        return build_training_payload(request, dataset_ids, await self._find_base_name(request.base))

    async def _find_base_name(self, base: str) -> str:
        """The display name of a base to train on, where there is one and the lists tell it."""
        if base == AUTOMATIC_BASE:
            return ""
        try:
            return next((model.name for model in await self._model_list.fetch_training_bases() if model.id == base), "")
        except (*MODEL_LIST_ERRORS, MiaohuaRejection):
            return ""

    async def _describe_image(self, link: str) -> TaskSucceeded:
        """A picture in words. The vendor withdrew this later: any refusal means that it is not to be had."""
        http_request = HttpRequest(
            "POST", "/img2txt", is_submit=True, body={"init_img": link}, read_timeout_s=DESCRIBE_TIMEOUT_S
        )
        try:
            document = await self._send_past_image_check(http_request)
        except MiaohuaRejection as err:
            error = build_error(err.fault, client=self._client, is_submit=True)
            if isinstance(error, ContentRefused | OperatorError):
                raise error from None
            raise UpstreamFailed(
                f"Miaohua does not describe pictures at present. {self._client.quote(err.fault.message)}"
            ) from None
        description = unwrap_info(document)
        if not isinstance(description, str) or not description.strip():
            raise UpstreamFailed("Miaohua answered without a description.")
        return TaskSucceeded(data={"text": description.strip()})

    async def _fetch_list(self, path: str, body: dict[str, Any] | None) -> Any:
        return await self._send_signed(
            HttpRequest("GET", path) if body is None else HttpRequest("POST", path, body=body)
        )

    async def _send_poll(self, http_request: HttpRequest) -> Any:
        return await self._send_signed(http_request, rate_limit=self._poll_rate_limit)

    async def _request(self, http_request: HttpRequest) -> Any:
        """The answer's JSON; a refusal as our error."""
        try:
            return await self._send_past_image_check(http_request)
        except MiaohuaRejection as err:
            raise self._build_error(err, http_request) from None

    def _build_error(self, err: MiaohuaRejection, http_request: HttpRequest) -> AtelierError:
        return build_error(err.fault, client=self._client, is_submit=http_request.is_submit)

    async def _send_past_image_check(self, http_request: HttpRequest) -> Any:
        """The answer's JSON, asked for again as long as the service is still checking a picture."""
        for _ in range(MAX_IMAGE_CHECKS):
            try:
                return await self._send_signed(http_request)
            except MiaohuaRejection as err:
                if err.fault.code != IMAGE_IN_CHECK:
                    raise
                await self._clock.sleep(IMAGE_CHECK_INTERVAL_S)
        return await self._send_signed(http_request)

    async def _send_signed(self, http_request: HttpRequest, *, rate_limit: TokenBucket | None = None) -> Any:
        """The answer's JSON, with a token, and with a new one if the first is refused."""
        if http_request.method == "GET":  # the two forms need none
            return await self._send_once(http_request, rate_limit)
        token = await self.token_cache.get_token()
        try:
            return await self._send_once(self._add_token(token, http_request), rate_limit)
        except AuthenticationFailed:
            token = await self.token_cache.get_token(rejected_token=token)
            return await self._send_once(self._add_token(token, http_request), rate_limit)

    def _add_token(self, token: str, http_request: HttpRequest) -> HttpRequest:
        """The call with its token: in the body, or for uploads in the header (contract: auth)."""
        if http_request.files is None:
            return replace(http_request, body={"token": token, **http_request.body})
        if self._uploader.sends_token_as_part:
            return replace(http_request, form={"token": token})
        return replace(http_request, headers={"Authorization": f"Bearer {token}"})

    async def _send_once(self, http_request: HttpRequest, rate_limit: TokenBucket | None) -> Any:
        response = await self._client.request(
            http_request, check_response=build_response_check(http_request, self._client), rate_limit=rate_limit
        )
        document = response.json()
        if document is None:
            raise self._client.build_unreadable_error(http_request)
        return document
