"""What a handler of MHAPI gets: the caller, the body, and the means to read it and to take on a task."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.links import get_origin
from atelier_mcp.server.emulator.mhapi.errors import invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import ANY_SOURCE, ParameterTable, Values, read_object
from atelier_mcp.server.emulator.mhapi.switches import MhapiSwitches
from atelier_mcp.server.emulator.sources import SourceError, SourceImage, SourceRule, has_same_ratio
from atelier_mcp.server.emulator.tasks import WAIT_SHARE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.engine_calls import EngineTask
    from atelier_mcp.server.emulator.state import EmulatorState
    from atelier_mcp.server.emulator.task_store import TaskRecord

Handler: TypeAlias = "Callable[[MhapiCall], Awaitable[Any]]"
CallRow: TypeAlias = tuple[str, str, Handler]
"""Method, path and handler of one call; ``app`` makes routes of them."""

LARGEST_SEED: Final = 99_999_998


def build_service_id(name: str) -> str:
    """The id space of a service: ``imgenstd`` is ``mhapi.imgenstd``."""
    return f"mhapi.{name}"


@dataclass(frozen=True, slots=True)
class MhapiCall:
    """An authenticated call. ``body`` is its JSON document, empty when it has none."""

    emulator: EmulatorState
    account: Account
    request: Request
    body: Mapping[str, Any]

    @property
    def switches(self) -> MhapiSwitches:
        """The readings of the contract in force."""
        return self.emulator.settings.get_switches(MhapiSwitches)

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters; of a repeated one the last."""
        return self.request.query_params

    @property
    def origin(self) -> str:
        """Scheme and host the caller reached us by."""
        return get_origin(self.request)

    def read_parameters(self, table: ParameterTable) -> Values:
        """The body held against a table."""
        return read_object(table, self.body, self.switches)

    def choose_seed(self, requested: int | None = None) -> int:
        """The seed of the first picture; drawn now when none, or 0, is given, so that rendering needs no rng."""
        # From 1: a seed of 0 in a result could not be asked for again, since it means random.
        return requested or self.emulator.rng.randint(1, LARGEST_SEED)

    async def fetch_source(self, url: str, place: str, rule: SourceRule = ANY_SOURCE) -> SourceImage:
        """The picture behind a link; ``place`` is the parameter's name for the refusal."""
        with _ParameterErrorContext(place):
            return await self.emulator.sources.fetch(url, rule, most_bytes=self.switches.max_source_bytes)

    async def check_source(self, data: bytes, place: str, rule: SourceRule = ANY_SOURCE) -> SourceImage:
        """The picture these bytes are."""
        with _ParameterErrorContext(place):
            return await self.emulator.sources.check(data, rule, most_bytes=self.switches.max_source_bytes)

    async def fetch_source_and_mask(
        self, values: Values, rule: SourceRule = ANY_SOURCE
    ) -> tuple[SourceImage, SourceImage]:
        """``img_url`` and ``mask_img_url``, which must have the same ratio of sides (shared.mask)."""
        source, mask = await asyncio.gather(
            self.fetch_source(values["img_url"], "img_url", rule),
            self.fetch_source(values["mask_img_url"], "mask_img_url", rule),
        )
        if not has_same_ratio(source, mask):
            raise invalid_parameter("mask_img_url must have the same aspect ratio as img_url")
        return source, mask

    async def accept(
        self,
        name: str,
        engine_task: EngineTask,
        *,
        facts: Mapping[str, Any] | None = None,
        wait_share: float = WAIT_SHARE,
        lasting: bool = False,
    ) -> TaskRecord:
        """Take on a task of the service ``name``."""
        verdict = get_verdict(self.request)
        return await self.emulator.tasks.accept(
            build_service_id(name),
            self.account.access_key,
            engine_task,
            facts=facts,
            verdict=verdict,
            wait_share=wait_share,
            lasting=lasting,
        )


class _ParameterErrorContext:
    """Turns a refused picture into code 3 that names the parameter."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, SourceError):
            raise invalid_parameter(f"{self._place} {error}") from error
