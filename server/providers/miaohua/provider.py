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
from atelier_mcp.server.providers.base import AccountId, Done, ModelPage, Plan, Report, Snapshot, UpstreamTask
from atelier_mcp.server.providers.http import Account, Call
from atelier_mcp.server.providers.limits import Clock, TokenBucket
from atelier_mcp.server.providers.miaohua.auth import Tokens, log_in
from atelier_mcp.server.providers.miaohua.catalogue import AUTOMATIC, KINDS, UNREADABLE_LIST, Catalogue
from atelier_mcp.server.providers.miaohua.datasets import DataSets
from atelier_mcp.server.providers.miaohua.errors import CHECK_S, PICTURE_IN_CHECK, Rejected, error_for, judge_for
from atelier_mcp.server.providers.miaohua.orders import extension_order, generation_order, training_order
from atelier_mcp.server.providers.miaohua.planning import plan_request
from atelier_mcp.server.providers.miaohua.polling import PICTURES, TRAINING, Looks
from atelier_mcp.server.providers.miaohua.slots import Slots
from atelier_mcp.server.providers.miaohua.uploads import Uploads
from atelier_mcp.server.providers.miaohua.wire import payload, text_in
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import OutpaintImage
from atelier_mcp.server.requests.train import TrainLora
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    import httpx2

    from atelier_mcp.server.images.probe import Header
    from atelier_mcp.server.requests.base import Request

SERVICE = "Miaohua"
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
SPACED = 0.92
"""Looks leave a little further apart than the rate says, or the network could push seven into one second."""
CALLS_PER_S = 20.0
"""No other rate is published; this keeps a burst civil."""
CHECKS = 30
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
        local: bool = False,
        disclaimer: str = "",
        polls_per_s: float = POLLS_PER_S,
        sensitive_limit: float | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        rng: Random | None = None,
    ) -> None:
        """Hold the credentials and the address; nothing is opened before the first request.

        ``sensitive_limit`` in [0, 1] tightens the service's check of finished pictures. ``local`` and ``disclaimer``
        are set for the built-in stand-in; ``transport`` replaces the network in tests.
        """
        self.local = local
        self.disclaimer = disclaimer
        self.polls_per_s = polls_per_s
        self.account = AccountId(f"miaohua:{hashlib.sha256(email.lower().encode()).hexdigest()[:8]}")
        self._clock = clock
        self._polls = TokenBucket(per_s=polls_per_s * SPACED, clock=clock, burst=1)
        self._http = Account(
            service=SERVICE,
            base_url=base_url,
            clock=clock,
            pace=TokenBucket(per_s=CALLS_PER_S, clock=clock),
            secrets=(password, email),
            local=local,
            transport=transport,
            rng=rng,
        )
        self.tokens = Tokens(lambda: log_in(self._http, email=email, password=password))
        self._catalogue = Catalogue(self._listing, clock=clock)
        self._uploads = Uploads(self._checked, self._http, clock=clock)
        self._datasets = DataSets(self._ask)
        self._slots = Slots(clock)
        self._looks = Looks(self._look, self._http, trained=self._catalogue.trained, sensitive_limit=sensitive_limit)

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
        return KINDS

    def batch_size(self, kind: str) -> int:
        """Fifty for pictures, one for trainings and where the batch form does not exist."""
        return self._looks.batch_size(kind)

    async def plan(self, request: Request, pictures: Mapping[str, Header]) -> Plan:
        """Fill in what the caller left open; reads lists, spends nothing.

        Raises ``InvalidRequest`` for what Miaohua cannot do.
        """
        try:
            return await plan_request(request, pictures, self._catalogue)
        except Rejected as err:
            raise error_for(err.fault, account=self._http, submit=False) from None

    async def submit(self, request: Request, pictures: Mapping[str, str], report: Report) -> UpstreamTask | Done:
        """Send a planned request; its pictures, given as base64, are uploaded first.

        Waits while the service checks a picture or has no free slot. Raises ``SubmitUnconfirmed`` when the answer was
        lost; any other error means that nothing was accepted.
        """
        if pictures:
            report(None, "uploading")
        links = await self._uploads.links(pictures)
        match request:
            case GenerateImage():
                return await self._task("/task_submit", generation_order(request, links), PICTURES, report)
            case OutpaintImage():
                return await self._task("/task_submit", extension_order(request, links), PICTURES, report)
            case TrainLora():
                return await self._task("/train_submit", await self._training(request, links), TRAINING, report)
            case DescribeImage():
                return await self._described(links["image"])
            case _:
                raise InvalidRequest(f"Miaohua cannot {request.capability.replace('_', ' ')}.")

    async def look(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, Snapshot]:
        """News of tasks of one kind. Raises ``TransientError`` when the look failed, whatever the reason."""
        try:
            return await self._looks.news(tasks)
        except OperatorError as err:  # says nothing of the tasks: they wait for the operator
            raise ProviderUnavailable(err.what, then=err.then) from err

    async def cancel(self, task: UpstreamTask) -> bool:  # noqa: ARG002  # the protocol's signature
        """Nothing can be stopped at Miaohua."""
        return False

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """Models of one kind, the fields of the forms, or, for ``controlnet``, what ``base`` or any model takes."""
        try:
            return await self._catalogue.page(kind, base=base, offset=offset, limit=limit)
        except Rejected as err:
            raise error_for(err.fault, account=self._http, submit=False) from None

    async def answer(self, request: Request, pictures: Mapping[str, str]) -> Mapping[str, Any]:
        """Do at once what is about data sets; pictures, given as base64, are uploaded first."""
        return await self._datasets.answer(request, await self._uploads.links(pictures))

    async def upload(self, data: bytes, media_type: str) -> str:
        """A public link to a picture, remembered for half an hour.

        Raises ``ImageRefused`` for another format than JPEG, PNG or WebP, ``ContentRefused`` for a sensitive picture.
        """
        return await self._uploads.link(data, media_type)

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    async def _task(self, path: str, body: dict[str, Any], kind: str, report: Report) -> UpstreamTask:
        call = Call("POST", path, submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            document = await self._slots.asked(lambda: self._checked(call), report)
        except Rejected as err:
            raise error_for(err.fault, account=self._http, submit=True) from None
        task_id = text_in(document, "task_id")
        if not task_id:
            raise SubmitUnconfirmed("Miaohua answered the submit without a task id.")
        return UpstreamTask(task_id, kind)

    async def _training(self, request: TrainLora, links: Mapping[str, str]) -> dict[str, Any]:
        """The order for a training; its pictures become a data set first, under a name of its own."""
        ids = list(request.dataset_ids)
        if links:
            digest = hashlib.sha256("".join(request.images).encode()).hexdigest()[:8]
            try:
                ids.append(
                    await self._datasets.create(f"{request.name} {digest}", request.description, [*links.values()])
                )
            except SubmitUnconfirmed as err:  # a data set costs nothing: the training was surely not submitted
                raise ProviderUnavailable(err.what, then="Try again.") from err
        return training_order(request, ids, await self._base_name(request.base))

    async def _base_name(self, base: str) -> str:
        """The display name of a base to train on, where there is one and the lists tell it."""
        if base == AUTOMATIC:
            return ""
        try:
            return next((model.name for model in await self._catalogue.training_bases() if model.id == base), "")
        except (*UNREADABLE_LIST, Rejected):
            return ""

    async def _described(self, link: str) -> Done:
        """A picture in words. The vendor withdrew this later: any refusal means that it is not to be had."""
        call = Call("POST", "/img2txt", submit=True, body={"init_img": link}, read_timeout_s=DESCRIBE_TIMEOUT_S)
        try:
            document = await self._checked(call)
        except Rejected as err:
            error = error_for(err.fault, account=self._http, submit=True)
            if isinstance(error, ContentRefused | OperatorError):
                raise error from None
            raise UpstreamFailed(
                f"Miaohua does not describe pictures at present. {self._http.quote(err.fault.message)}"
            ) from None
        words = payload(document)
        if not isinstance(words, str) or not words.strip():
            raise UpstreamFailed("Miaohua answered without a description.")
        return Done(data={"text": words.strip()})

    async def _listing(self, path: str, body: dict[str, Any] | None) -> Any:
        return await self._sent(Call("GET", path) if body is None else Call("POST", path, body=body))

    async def _look(self, call: Call) -> Any:
        return await self._sent(call, pace=self._polls)

    async def _ask(self, call: Call) -> Any:
        """The answer's JSON; a refusal as our error."""
        try:
            return await self._checked(call)
        except Rejected as err:
            raise self._error(err, call) from None

    def _error(self, err: Rejected, call: Call) -> AtelierError:
        return error_for(err.fault, account=self._http, submit=call.submit)

    async def _checked(self, call: Call) -> Any:
        """The answer's JSON, asked for again as long as the service is still checking a picture."""
        for _ in range(CHECKS):
            try:
                return await self._sent(call)
            except Rejected as err:
                if err.fault.code != PICTURE_IN_CHECK:
                    raise
                await self._clock.sleep(CHECK_S)
        return await self._sent(call)

    async def _sent(self, call: Call, *, pace: TokenBucket | None = None) -> Any:
        """The answer's JSON, with a token, and with a new one if the first is refused."""
        if call.method == "GET":  # the two forms need none
            return await self._exchange(call, pace)
        token = await self.tokens.current()
        try:
            return await self._exchange(self._with(token, call), pace)
        except AuthenticationFailed:
            token = await self.tokens.current(refused=token)
            return await self._exchange(self._with(token, call), pace)

    def _with(self, token: str, call: Call) -> Call:
        """The call with its token: in the body, or for uploads in the header (contract: auth)."""
        if call.files is None:
            return replace(call, body={"token": token, **call.body})
        if self._uploads.token_as_part:
            return replace(call, form={"token": token})
        return replace(call, headers={"Authorization": f"Bearer {token}"})

    async def _exchange(self, call: Call, pace: TokenBucket | None) -> Any:
        answer = await self._http.request(call, judge=judge_for(call, self._http), pace=pace)
        document = answer.json()
        if document is None:
            raise self._http.unreadable(call)
        return document
