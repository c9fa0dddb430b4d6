"""Recorded exchanges of Stable Diffusion on AWS, each answered to the provider by the call that would have made it.

A caller (``sd_aws_provider_callers``) asks the provider for what leads to an exchange's request; a scripted deployment
of that version gives the recorded answer to it, and whatever else is asked on the way is answered as a deployment in
good order would. What the provider makes of the answer is reported; what is right is decided elsewhere
(``sd_aws_provider_verdicts``).
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import httpx2
from pydantic import ValidationError

from atelier_mcp.server.errors import AtelierError, Spent
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.sd_aws.model_list import CACHE_TTL_S
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
from atelier_mcp.server.testing import provider_calls
from tests.support.recordings import load_exchanges
from tests.support.sd_aws_script import KEY, ScriptedDeployment
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock
    from tests.support.recordings import Exchange

STORAGE: Final = "https://storage.example/"
_PLACEHOLDER = re.compile(
    r"<signed link: (?P<link>(?:[^<>]|<[^<>]*>)*)>"
    r"|<first seven of id:(?P<seven>\d+)>|<id:(?P<id>\d+)>|<(?P<word>[^<>\n]*)>"
)


def realize(document: Any) -> Any:
    """A recorded document with values in place of its placeholders, always the same ones; links lead to the storage."""
    match document:
        case str():
            return _PLACEHOLDER.sub(_realize_placeholder, document)
        case dict():
            return {realize(key): realize(value) for key, value in cast("dict[str, Any]", document).items()}
        case list():
            return [realize(value) for value in cast("list[Any]", document)]
        case _:
            return document


def _realize_placeholder(found: re.Match[str]) -> str:
    if found["link"] is not None:
        return STORAGE + re.sub(r"[^\w./-]+", "-", realize(found["link"]))
    if found["id"]:
        return f"00000000-0000-4000-8000-{int(found['id']):012d}"
    return f"{int(found['seven']):07d}" if found["seven"] else re.sub(r"\W+", "-", found["word"]).strip("-")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the provider made of an answer."""

    error: str = ""
    """The class of the error it raised or failed a task with; empty for none."""
    spent: Spent | None = None
    """Of the error."""
    value: Any = None
    """A result, the id of a task, or a snapshot by its name and what it holds."""
    was_sent: bool = True
    """Whether the provider asked the service at all."""
    sent_body: Any = None
    """What it sent for the exchange's own call."""


@dataclass
class Replay:
    """One exchange on its way through the provider."""

    version: str
    exchange: Exchange
    deployment: ScriptedDeployment
    provider: SdAwsProvider
    folder: Path
    path: str = field(init=False)
    answer: httpx2.Response = field(init=False)

    def __post_init__(self) -> None:
        self.path = realize(self.exchange.request["path"])
        response = self.exchange.response
        body = realize(response["body"])
        text = body if isinstance(body, str) and response["status"] >= 400 else json.dumps(body)
        if response["status"] == 204:
            text = ""
        self.answer = build_response(text, response["status"], response["headers"])

    @property
    def call(self) -> str:
        """The exchange's call, as scripts name it."""
        return f"{self.exchange.request['method']} {self.path}"

    @property
    def body(self) -> dict[str, Any]:
        """The recorded body of the request."""
        body = realize(self.exchange.request["body"])
        return cast("dict[str, Any]", body) if isinstance(body, dict) else {}

    @property
    def query(self) -> dict[str, Any]:
        """The recorded query."""
        return cast("dict[str, Any]", realize(self.exchange.request["query"] or {}))

    @property
    def is_legacy(self) -> bool:
        return self.version == "1.3"

    def give(self, call: str, key: str, rows: Any, **more: Any) -> None:
        """Answer a call with a list, in the envelope of the version."""
        inner = {key: rows, **more}
        self.deployment.on(call, build_response(inner if self.is_legacy else {"statusCode": 200, "data": inner}))

    def build(self, request_type: type[Request], plain: Mapping[str, Any], **fields: Any) -> Request:
        """The request with the recorded values where our arguments take them, else a plain one."""
        try:
            return request_type.model_validate({**plain, **fields})
        except ValidationError:
            return request_type.model_validate(plain)

    async def submit(self, request: Request) -> Any:
        plan = await provider_calls.plan(self.provider, request, {})
        self.deployment.on(self.call, self.answer)
        task = await provider_calls.submit(self.provider, plan.request, {}, lambda share, word: None)
        return task.id if isinstance(task, UpstreamTask) else task

    async def execute(self, request: Request) -> Any:
        return await provider_calls.execute(self.provider, request)

    async def poll(self, task: UpstreamTask) -> TaskSnapshot:
        return (await self.provider.poll([task]))[task.id]

    async def get_dialect(self) -> Any:
        return await self.provider._get_dialect()  # pyright: ignore[reportPrivateUsage]  # closing calls have no door of their own

    def find_next(self, pattern: str) -> Exchange | None:
        """The next exchange of the story whose path fits."""
        exchanges = load_exchanges("sd_aws", self.version)
        position = exchanges.index(self.exchange)
        return next(
            (
                other
                for other in exchanges[position + 1 :]
                if other.story == self.exchange.story and re.fullmatch(pattern, realize(other.request["path"]))
            ),
            None,
        )


LAST_PAGE: Final = build_response(
    {
        "data": dict.fromkeys(("endpoints", "datasets", "trainings", "inferences"), ())
        | {"total": 0, "checkpoints": [], "last_evaluated_key": None}
    }
)
Caller: TypeAlias = "Callable[[Replay], Awaitable[Any]]"


class Replayer:
    """One version of the service and a provider of it, through which one exchange after the other goes."""

    def __init__(self, version: str, clock: AutoAdvanceClock, folder: Path) -> None:
        self.version = version
        self._clock = clock
        self._folder = folder
        self._deployment = ScriptedDeployment(version)
        self._provider = self._open_provider()

    async def replay(self, exchange: Exchange, caller: Caller, *, is_probe: bool = False) -> Outcome:
        """What the provider makes of a recorded answer when ``caller`` leads it there.

        ``is_probe`` is for answers that tell the version.
        """
        if is_probe:
            await self.close()
            self._provider = self._open_provider()  # one that does not know the version yet
        await self._clock.sleep(CACHE_TTL_S + 1)
        self._deployment = deployment = ScriptedDeployment(self.version)
        replay = Replay(self.version, exchange, deployment, self._provider, self._folder)
        deployment.on(replay.call, replay.answer, *([LAST_PAGE] if exchange.request["method"] == "GET" else []))
        try:
            outcome = _read_outcome(await caller(replay))
            sent = [body for method, path, body in deployment.sent if f"{method} {path}" == replay.call]
            return dataclasses.replace(outcome, sent_body=sent[-1] if sent else None)
        except AtelierError as err:
            was_sent = replay.path.startswith(STORAGE) or replay.call in deployment.calls()
            return Outcome(type(err).__name__, err.spent, str(err), was_sent=was_sent)

    async def close(self) -> None:
        await self._provider.close()

    def _open_provider(self) -> SdAwsProvider:
        return SdAwsProvider(
            url="https://x.example/prod", api_key=KEY, username="api", folder=self._folder / "sd_aws",
            clock=self._clock, polls_per_s=1000, transport=httpx2.MockTransport(self._handle),
        )  # fmt: skip

    async def _handle(self, request: httpx2.Request) -> httpx2.Response:
        return await self._deployment.handle(request)


def _read_outcome(value: Any) -> Outcome:
    match value:
        case TaskFailed(reason):
            return Outcome(type(reason).__name__, reason.spent, "failed")
        case TaskLost(reason):
            return Outcome(f"lost: {type(reason).__name__}", reason.spent)
        case TaskSucceeded(outputs):
            return Outcome(value=("succeeded", [output.url for output in outputs]))
        case TaskPending() | TaskRunning():
            return Outcome(value="unfinished")
        case _:
            return Outcome(value=value)
