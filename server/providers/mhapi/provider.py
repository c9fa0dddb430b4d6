"""SenseTime's open image API behind the provider protocol."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    OperatorError,
    ProviderUnavailable,
    SubmitUnconfirmed,
)
from atelier_mcp.server.providers.base import (
    AccountId,
    ModelPage,
    Plan,
    ProgressCallback,
    TaskFailed,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest, HttpResponse
from atelier_mcp.server.providers.mhapi.auth import MhapiTokenSigner
from atelier_mcp.server.providers.mhapi.errors import (
    RESOURCE_EXHAUSTED,
    RETRYABLE_CODES,
    UNAUTHENTICATED,
    MhapiFault,
    MhapiRejection,
    build_error,
    parse_fault,
)
from atelier_mcp.server.providers.mhapi.model_list import MODEL_KINDS, MhapiModelList
from atelier_mcp.server.providers.mhapi.payloads import MhapiPayload, build_payload
from atelier_mcp.server.providers.mhapi.plans import plan_request
from atelier_mcp.server.providers.mhapi.task_poller import MhapiTaskPoller
from atelier_mcp.server.providers.mhapi.wire import MhapiCancelBody, MhapiSubmitBody, MhapiTaskBody, unwrap_data
from atelier_mcp.server.providers.rate_limit import RateLimit, TokenBucket
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    import httpx2

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.requests.base import Request

SERVICE_NAME = "MHAPI"
CAPABILITIES = frozenset(
    {
        "generate_image",
        "inpaint_image",
        "erase_object",
        "cut_out_subject",
        "segment_image",
        "outpaint_image",
        "upscale_image",
        "stylize_image",
        "detect_faces",
        "swap_faces",
        "train_lora",
    }
)
POLLS_PER_S = 6.0
REQUESTS_PER_S = 20.0
"""No rate is published; this keeps a burst of submits civil."""
SUBMIT_TIMEOUT_S = 60.0
SYNC_TIMEOUT_S = 180.0
"""At least 120 s are asked for (contract: stylization.imgen_sync.timeout)."""


class MhapiProvider:
    """One MHAPI account."""

    def __init__(
        self,
        *,
        access_key: str,
        secret_key: str,
        base_url: str,
        clock: Clock,
        is_local: bool = False,
        is_emulated: bool = False,
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the keys and the address; nothing is opened before the first request.

        ``is_local`` and ``is_emulated`` are set for the built-in emulator; ``transport`` replaces the network in tests.
        """
        self.is_local = is_local
        self.is_emulated = is_emulated
        self.poll_rate_limit = RateLimit(polls_per_s)
        self.account = AccountId(f"mhapi:{hashlib.sha256(access_key.encode()).hexdigest()[:8]}")
        self._clock = clock
        self._token_signer = MhapiTokenSigner(access_key=access_key, secret_key=secret_key, clock=clock)
        self._poll_rate_limit = TokenBucket(per_s=polls_per_s, clock=clock)
        self._client = UpstreamClient(
            service=SERVICE_NAME,
            base_url=base_url,
            clock=clock,
            requests_per_s=REQUESTS_PER_S,
            secrets=(secret_key, access_key),
            is_local=is_local,
            transport=transport,
            rng=rng,
        )
        self._model_list = MhapiModelList(self._fetch_list, clock=clock)
        self._task_poller = MhapiTaskPoller(self._send_poll, self._client)

    @property
    def name(self) -> str:
        """The provider's name in settings and answers."""
        return "mhapi"

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be asked of it."""
        return CAPABILITIES

    @property
    def model_kinds(self) -> tuple[str, ...]:
        """The kinds ``list_models`` knows here."""
        return MODEL_KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty, four where pictures come inside the answer, one for faces and where the batch form failed."""
        return self._task_poller.batch_size(kind)

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:
        """Fill in what the caller left open; reads model lists, spends nothing.

        Raises ``InvalidRequest`` for what MHAPI cannot do.
        """
        return await plan_request(request, headers, self._model_list)

    async def submit(
        self, request: Request, images: Mapping[str, str], report: ProgressCallback
    ) -> UpstreamTask | TaskSucceeded:
        """Send a planned request; ``images`` maps each place to a link or base64.

        Raises ``SubmitUnconfirmed`` when the answer was lost; any other error means that nothing was accepted.
        """
        payload = build_payload(request, images)
        if payload.is_sync:
            report(None, "the service answers when it is done")
        timeout_s = SYNC_TIMEOUT_S if payload.is_sync else SUBMIT_TIMEOUT_S
        http_request = HttpRequest("POST", payload.path, is_submit=True, body=payload.body, read_timeout_s=timeout_s)
        document = await self._request(http_request)
        return self._parse_sync_result(payload, document) if payload.is_sync else self._parse_task(payload, document)

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        """The states of tasks of one kind. Raises ``TransientError`` when the poll failed, whatever the reason."""
        try:
            return await self._task_poller.poll(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.message, hint=err.hint) from err

    async def cancel(self, task: UpstreamTask) -> bool:
        """Stop a training that still waits; nothing else can be stopped (contract: lora.cancel)."""
        if task.kind != "lora":
            return False
        try:
            document = await self._request(HttpRequest("POST", "/v1/lora/cancel", body={"task_id": task.id}))
        except (InvalidRequest, ProviderUnavailable):
            return False
        cancellation = parse_model(MhapiCancelBody, unwrap_data(document))
        return bool(cancellation and cancellation.success)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind; for ``controlnet``, ``base`` names the checkpoint."""
        return await self._model_list.fetch_page(kind, base=base, offset=offset, limit=limit)

    async def close(self) -> None:
        """Give up connections."""
        await self._client.close()

    def _parse_task(self, payload: MhapiPayload, document: Any) -> UpstreamTask:
        submit_body = parse_model(MhapiSubmitBody, document) or parse_model(MhapiSubmitBody, unwrap_data(document))
        if submit_body is None:
            raise SubmitUnconfirmed("MHAPI answered the submit without a task id.")
        return UpstreamTask(submit_body.task_id, payload.kind)

    def _parse_sync_result(self, payload: MhapiPayload, document: Any) -> TaskSucceeded | UpstreamTask:
        """The result in a synchronous answer; one that is not ready is followed by its task id, if it has one.

        Without an id it is unconfirmed: to ask again the other way, as the contract suggests for face swaps, could
        pay twice (contract: face.imggen_sync.state).
        """
        task = parse_model(MhapiTaskBody, unwrap_data(document))
        if task is None:
            raise SubmitUnconfirmed("MHAPI answered the submit with something unreadable.")
        snapshot = self._task_poller.parse_snapshot(payload.kind, task)
        if isinstance(snapshot, TaskSucceeded):
            return snapshot
        if isinstance(snapshot, TaskFailed):
            raise snapshot.reason
        if task.task_id:
            return UpstreamTask(task.task_id, payload.kind)
        raise SubmitUnconfirmed("MHAPI answered before the picture was ready, and without a task id.")

    async def _fetch_list(self, path: str, query: Mapping[str, str | int]) -> Any:
        return await self._request(HttpRequest("GET", path, query=query))

    async def _send_poll(self, http_request: HttpRequest) -> Any:
        return await self._send_signed(http_request, rate_limit=self._poll_rate_limit)

    async def _request(self, http_request: HttpRequest) -> Any:
        """The answer's JSON; a refusal as our error."""
        try:
            return await self._send_signed(http_request)
        except MhapiRejection as err:
            raise self._build_error(err.fault, http_request) from None

    async def _send_signed(self, http_request: HttpRequest, *, rate_limit: TokenBucket | None = None) -> Any:
        """The answer's JSON, signed, and signed once more if the first token is refused."""
        headers = self._token_signer.build_headers()
        try:
            response = await self._send_once(http_request, headers, rate_limit)
        except AuthenticationFailed:
            response = await self._send_once(
                http_request, self._token_signer.build_headers(rejected_header=headers["Authorization"]), rate_limit
            )
        document = response.json()
        if document is None:
            raise self._client.build_unreadable_error(http_request)
        return document

    async def _send_once(
        self, http_request: HttpRequest, headers: Mapping[str, str], rate_limit: TokenBucket | None
    ) -> HttpResponse:
        signed_request = replace(http_request, headers={**headers, "Content-Type": "application/json"})
        return await self._client.request(
            signed_request, check_response=self._build_response_check(http_request), rate_limit=rate_limit
        )

    def _build_response_check(self, http_request: HttpRequest) -> Callable[[HttpResponse], None]:
        """Raise what may be repeated, or mended by a new token, as such; any other refusal as ``Rejected``."""

        def check_response(response: HttpResponse) -> None:
            fault = parse_fault(response)
            if fault is None:
                return
            fault = replace(fault, retry_after_s=response.get_retry_after_s(self._clock))
            is_retryable = fault.code == RESOURCE_EXHAUSTED or (
                not http_request.is_submit and fault.code in RETRYABLE_CODES
            )
            if is_retryable or fault.code == UNAUTHENTICATED:
                raise self._build_error(fault, http_request)
            raise MhapiRejection(fault)

        return check_response

    def _build_error(self, fault: MhapiFault, http_request: HttpRequest) -> AtelierError:
        return build_error(fault, client=self._client, is_submit=http_request.is_submit)
