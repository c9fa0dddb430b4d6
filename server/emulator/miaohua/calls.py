"""What a handler of Miaohua gets and answers: the caller, the parameters, and an envelope around what it found."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import LinkError, get_origin
from atelier_mcp.server.emulator.miaohua.auth import TokenIssuer
from atelier_mcp.server.emulator.miaohua.dataset_store import DataSetStore
from atelier_mcp.server.emulator.miaohua.errors import TOO_FAST, MiaohuaHttpError, invalid_parameter
from atelier_mcp.server.emulator.miaohua.switches import MiaohuaSwitches
from atelier_mcp.server.emulator.settings import MEBIBYTE
from atelier_mcp.server.emulator.sources import SourceError, SourceImage, SourceRule

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.engine_calls import EngineTask
    from atelier_mcp.server.emulator.miaohua.parameters import ParameterReader
    from atelier_mcp.server.emulator.miaohua.switches import MiaohuaEnvelope
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

Handler: TypeAlias = "Callable[[MiaohuaCall], Awaitable[MiaohuaApiResponse]]"
CallRow: TypeAlias = tuple[str, str, Handler, "Collection[str]"]
"""Method, path, handler and the parameters it knows, of a call that wants a token; ``app`` makes routes of them."""
OpenHandler: TypeAlias = "Callable[[MiaohuaState, Request], Awaitable[MiaohuaApiResponse]]"
OpenRow: TypeAlias = tuple[str, str, OpenHandler]
"""Method, path and handler of a call that looks after its own admission."""

ANY_SOURCE: Final = SourceRule(min_side_px=256, max_side_px=6240)
LARGEST_SOURCE_BYTES: Final = 64 * MEBIBYTE
LARGEST_SEED: Final = 9_999_999
CHINA: Final = timezone(timedelta(hours=8))
"""Times carry no zone; this is the vendor's (contract: dataset_all.time_zone)."""


@dataclass(frozen=True, slots=True)
class MiaohuaApiResponse:
    """A success. ``mirrored`` for the five answers that are printed without the envelope: theirs has both shapes."""

    info: Any
    msg: str = ""
    mirrored: bool = False

    def to_document(self, envelope: MiaohuaEnvelope) -> Any:
        """The body; ``envelope`` says how the five are sent (task_submit.submit_envelope)."""
        info, wrapped = self.info, {"code": 0, "info": self.info, "msg": self.msg}
        if not self.mirrored or envelope == "wrapped":
            return wrapped
        return info if envelope == "flat" else {**wrapped, **info}


class MiaohuaState:
    """What the calls of one emulator share."""

    def __init__(self, emulator: EmulatorState) -> None:
        """Serve an emulator."""
        self.emulator = emulator
        self.tokens: TokenIssuer = TokenIssuer(emulator)
        self.datasets: DataSetStore = DataSetStore(emulator.store)
        self._status_calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def count_status_call(self, account: Account) -> None:
        """Refuse with 429 above the rate of the account's batch calls (task_results.rate_scope)."""
        now, limit = self.emulator.clock.now(), self.emulator.settings.get_switches(MiaohuaSwitches).status_calls_per_s
        calls = self._status_calls[account.access_key]
        while calls and calls[0] <= now - 1:
            calls.popleft()
        if len(calls) >= limit:
            raise MiaohuaHttpError(TOO_FAST, f"at most {limit} calls a second")
        calls.append(now)


@dataclass(frozen=True, slots=True)
class MiaohuaCall:
    """An admitted call; ``account`` is its own e-mail's."""

    state: MiaohuaState
    account: Account
    request: Request
    parameters: ParameterReader

    @property
    def emulator(self) -> EmulatorState:
        """What is behind the routes."""
        return self.state.emulator

    @property
    def switches(self) -> MiaohuaSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.get_switches(MiaohuaSwitches)

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    def create_link(self, path: str) -> str:
        """A link to a file of the store."""
        return self.emulator.links.create_link(path, origin=self.origin, seconds=self.emulator.settings.link_seconds)

    def choose_seed(self, requested: int) -> int:
        """The seed of the first picture; drawn now for -1, so that rendering needs no rng."""
        return self.emulator.rng.randint(0, LARGEST_SEED) if requested < 0 else requested

    async def fetch_source(self, url: str, place: str, *, from_anywhere: bool = False) -> SourceImage:
        """The picture behind a link of an upload or a result; ``place`` is the parameter's name for the refusal."""
        try:
            # Only what was uploaded here, or made here, is taken (contract: task_submit.init_img).
            own_file = self.emulator.links.resolve(url)
            if own_file is None and not (from_anywhere or self.switches.any_source):
                raise invalid_parameter(f"{place} must be a link from upload_img or upload_imgs")
            return await self.emulator.sources.fetch(url, ANY_SOURCE, most_bytes=LARGEST_SOURCE_BYTES)
        except (SourceError, LinkError) as err:
            raise invalid_parameter(f"{place} {err}") from err

    async def accept(
        self, service: str, engine_task: EngineTask, *, facts: Mapping[str, Any], lasting: bool = False
    ) -> TaskRecord:
        """Take on a task."""
        verdict = get_verdict(self.request)
        return await self.emulator.tasks.accept(
            service, self.account.access_key, engine_task, facts=facts, verdict=verdict, lasting=lasting
        )


def format_time(unix_s: float) -> str:
    """A moment as the service writes it: ``2026-11-27 18:30:00``, in the vendor's zone."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
