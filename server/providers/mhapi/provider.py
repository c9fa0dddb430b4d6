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
from atelier_mcp.server.providers.base import AccountId, Done, ModelPage, Plan, Refused, Report, Snapshot, UpstreamTask
from atelier_mcp.server.providers.http import Account, Answer, Call
from atelier_mcp.server.providers.limits import Clock, TokenBucket
from atelier_mcp.server.providers.mhapi.auth import Tokens
from atelier_mcp.server.providers.mhapi.catalogue import KINDS, Catalogue
from atelier_mcp.server.providers.mhapi.errors import (
    AUTHENTICATION,
    RATE,
    REPEATABLE,
    Fault,
    Rejected,
    error_for,
    fault_in,
)
from atelier_mcp.server.providers.mhapi.orders import Order, order_for
from atelier_mcp.server.providers.mhapi.planning import plan_request
from atelier_mcp.server.providers.mhapi.polling import Looks
from atelier_mcp.server.providers.mhapi.wire import Accepted, Cancelled, Task, unwrapped
from atelier_mcp.server.providers.reading import read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    import httpx2

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.requests.base import Request

SERVICE = "MHAPI"
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
CALLS_PER_S = 20.0
"""No rate is published; this keeps a burst of submits civil."""
LOCAL_CALLS_PER_S = 2000.0
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
        local: bool = False,
        disclaimer: str = "",
        polls_per_s: float = POLLS_PER_S,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the keys and the address; nothing is opened before the first request.

        ``local`` and ``disclaimer`` are set for the built-in stand-in; ``transport`` replaces the network in tests.
        """
        self.local = local
        self.disclaimer = disclaimer
        self.polls_per_s = polls_per_s
        self.account = AccountId(f"mhapi:{hashlib.sha256(access_key.encode()).hexdigest()[:8]}")
        self._clock = clock
        self._tokens = Tokens(access_key=access_key, secret_key=secret_key, clock=clock)
        self._polls = TokenBucket(per_s=polls_per_s, clock=clock)
        self._http = Account(
            service=SERVICE,
            base_url=base_url,
            clock=clock,
            pace=TokenBucket(per_s=LOCAL_CALLS_PER_S if local else CALLS_PER_S, clock=clock),
            secrets=(secret_key, access_key),
            local=local,
            transport=transport,
            rng=rng,
        )
        self._catalogue = Catalogue(self._listing, clock=clock)
        self._looks = Looks(self._look, self._http)

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
        return KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty, four where pictures come inside the answer, one for faces and where the batch form failed."""
        return self._looks.batch_size(kind)

    async def plan(self, request: Request, pictures: Mapping[str, Header]) -> Plan:
        """Fill in what the caller left open; reads model lists, spends nothing.

        Raises ``InvalidRequest`` for what MHAPI cannot do.
        """
        return await plan_request(request, pictures, self._catalogue)

    async def submit(self, request: Request, pictures: Mapping[str, str], report: Report) -> UpstreamTask | Done:
        """Send a planned request; ``pictures`` maps each place to a link or base64.

        Raises ``SubmitUnconfirmed`` when the answer was lost; any other error means that nothing was accepted.
        """
        order = order_for(request, pictures)
        if order.sync:
            report(None, "the service answers when it is done")
        timeout_s = SYNC_TIMEOUT_S if order.sync else SUBMIT_TIMEOUT_S
        call = Call("POST", order.path, submit=True, body=order.body, read_timeout_s=timeout_s)
        document = await self._ask(call)
        return self._finished(order, document) if order.sync else self._task(order, document)

    async def look(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, Snapshot]:
        """News of tasks of one kind. Raises ``TransientError`` when the look failed, whatever the reason."""
        try:
            return await self._looks.news(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.what, then=err.then) from err

    async def cancel(self, task: UpstreamTask) -> bool:
        """Stop a training that still waits; nothing else can be stopped (contract: lora.cancel)."""
        if task.kind != "lora":
            return False
        try:
            document = await self._ask(Call("POST", "/v1/lora/cancel", body={"task_id": task.id}))
        except (InvalidRequest, ProviderUnavailable):
            return False
        answer = read(Cancelled, unwrapped(document))
        return bool(answer and answer.success)

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind; for ``controlnet``, ``base`` names the checkpoint."""
        return await self._catalogue.page(kind, base=base, offset=offset, limit=limit)

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    def _task(self, order: Order, document: Any) -> UpstreamTask:
        accepted = read(Accepted, document) or read(Accepted, unwrapped(document))
        if accepted is None:
            raise SubmitUnconfirmed("MHAPI answered the submit without a task id.")
        return UpstreamTask(accepted.task_id, order.kind)

    def _finished(self, order: Order, document: Any) -> Done | UpstreamTask:
        """The result in a synchronous answer; one that is not ready is followed by its task id, if it has one.

        Without an id it is unconfirmed: to ask again the other way, as the contract suggests for face swaps, could
        pay twice (contract: face.imggen_sync.state).
        """
        task = read(Task, unwrapped(document))
        if task is None:
            raise SubmitUnconfirmed("MHAPI answered the submit with something unreadable.")
        snapshot = self._looks.snapshot(order.kind, task)
        if isinstance(snapshot, Done):
            return snapshot
        if isinstance(snapshot, Refused):
            raise snapshot.reason
        if task.task_id:
            return UpstreamTask(task.task_id, order.kind)
        raise SubmitUnconfirmed("MHAPI answered before the picture was ready, and without a task id.")

    async def _listing(self, path: str, query: Mapping[str, str | int]) -> Any:
        return await self._ask(Call("GET", path, query=query))

    async def _look(self, call: Call) -> Any:
        return await self._send(call, pace=self._polls)

    async def _ask(self, call: Call) -> Any:
        """The answer's JSON; a refusal as our error."""
        try:
            return await self._send(call)
        except Rejected as err:
            raise self._error(err.fault, call) from None

    async def _send(self, call: Call, *, pace: TokenBucket | None = None) -> Any:
        """The answer's JSON, signed, and signed once more if the first token is refused."""
        headers = self._tokens.headers()
        try:
            answer = await self._exchange(call, headers, pace)
        except AuthenticationFailed:
            answer = await self._exchange(call, self._tokens.headers(refused=headers["Authorization"]), pace)
        document = answer.json()
        if document is None:
            raise self._http.unreadable(call)
        return document

    async def _exchange(self, call: Call, headers: Mapping[str, str], pace: TokenBucket | None) -> Answer:
        signed = replace(call, headers={**headers, "Content-Type": "application/json"})
        return await self._http.request(signed, judge=self._judge(call), pace=pace)

    def _judge(self, call: Call) -> Callable[[Answer], None]:
        """Raise what may be repeated, or mended by a new token, as such; any other refusal as ``Rejected``."""

        def judge(answer: Answer) -> None:
            fault = fault_in(answer)
            if fault is None:
                return
            fault = replace(fault, retry_after_s=answer.retry_after_s(self._clock))
            repeatable = fault.code == RATE or (not call.submit and fault.code in REPEATABLE)
            if repeatable or fault.code == AUTHENTICATION:
                raise self._error(fault, call)
            raise Rejected(fault)

        return judge

    def _error(self, fault: Fault, call: Call) -> AtelierError:
        return error_for(fault, account=self._http, submit=call.submit)
