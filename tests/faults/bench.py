"""Jobs at one service with faults on their way, and what came of them, as an MCP client sees it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import mcp_types as types

from tests.faults.kinds import Fault, Step
from tests.support.fault_proxy import FaultPlan, FaultProxy
from tests.support.stepped_server import UNFINISHED
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp import Client

    from tests.faults.services import FaultedService
    from tests.support.stepped_server import SteppedServer

MIN_MEETINGS: Final = 2
"""A poll or a download meets a fault at least so often."""
MEETING_TIME_S: Final = 400.0
"""Longer than any pause after a failure."""
DEADLINE_S: Final = 12.5 * 3600.0
"""Longer than any job may take."""
LINK_TIME_S: Final = 7.5 * 24 * 3600.0
"""Longer than any link lives."""
LONG_PAUSE_S: Final = 300.0


@dataclass(frozen=True)
class JobEnd:
    """A job after its fault."""

    state: str
    words: str
    """What the call or the job said last."""
    spent: int
    """Pictures that count against the budgets."""
    sent_count: int
    """How often its submit was sent."""
    taken_count: int
    """How often the service got it."""
    image_count: int


class FaultBench:
    """Drives one server through faults."""

    def __init__(self, world: SteppedServer, proxy: FaultProxy, service: FaultedService, client: Client) -> None:
        """``client`` is of a server that finds ``service`` behind ``proxy``."""
        self._world, self._proxy, self._service, self._client = world, proxy, service, client
        self._count = 0

    async def submit(self, fault: Fault, *, stays: bool) -> JobEnd:
        """A job whose submit meets the fault, once or as often as it is sent."""
        spent_before = await self._begin()
        self._plan(Step.SUBMIT, fault, times=None if stays else 1)
        answer = await self._draw(wait_s=50)
        if not answer.is_error:  # some pauses that a service asks for are longer than a call waits
            await self._wait_for_end()
        return await self._end(spent_before, words=get_text(answer) if answer.is_error else "")

    async def meet(self, step: Step, faults: Sequence[Fault]) -> tuple[dict[Fault, str], JobEnd]:
        """The states of one job while each fault lasts, and its end when the service has recovered."""
        spent_before = await self._begin()
        states: dict[Fault, str] = {}
        if step is Step.POLL:
            self._world.engine.answer_gate.clear()
            await self._draw(wait_s=10)
        for fault in faults:
            plan = self._plan(step, fault)
            if not states and step is Step.DOWNLOAD:
                await self._draw(wait_s=10)
            await self._world.clock.advance(MEETING_TIME_S, until=lambda: plan.met_count >= MIN_MEETINGS)  # noqa: B023
            assert plan.met_count >= MIN_MEETINGS, f"{fault}: nobody asked; the job is {await self._find_job()}"
            states[fault] = (await self._find_job())["state"]
        self._proxy.plan = None
        self._world.recover()
        await self._wait_for_end()
        return states, await self._end(spent_before)

    async def outlast(self, step: Step, faults: Sequence[Fault]) -> JobEnd:
        """The end of a job that meets faults for longer than it may take, or its links live."""
        spent_before = await self._begin()
        if step is Step.POLL:
            self._world.engine.answer_gate.clear()
            await self._draw(wait_s=10)
        else:
            self._plan(step, faults[0])
            await self._draw(wait_s=10)
        self._world.clock.skip(DEADLINE_S if step is Step.POLL else LINK_TIME_S)
        for number in range(2 * len(faults)):
            if (await self._find_job())["state"] not in UNFINISHED:
                break
            plan = self._plan(step, faults[number % len(faults)])
            self._world.clock.skip(LONG_PAUSE_S)
            await self._world.clock.advance(LONG_PAUSE_S, until=lambda: plan.met_count > 0)  # noqa: B023
        return await self._end(spent_before)

    async def _begin(self) -> int:
        self._world.recover()
        self._proxy.plan = None
        self._count += 1
        self._proxy.sent.clear()
        self._proxy.arrivals.clear()
        return await self._read_spent()

    async def _end(self, spent_before: int, *, words: str = "") -> JobEnd:
        self._proxy.plan = None
        job = await self._find_job()
        return JobEnd(
            state=job["state"],
            words=words or " ".join(job["notes"]),
            spent=await self._read_spent() - spent_before,
            sent_count=sum(map(self._service.is_submit, self._proxy.sent)),
            taken_count=sum(map(self._service.is_submit, self._proxy.arrivals)),
            image_count=len(job["images"]),
        )

    def _plan(self, step: Step, fault: Fault, *, times: int | None = None) -> FaultPlan:
        self._proxy.plan = FaultPlan(fault, re.compile(self._service.get_pattern(step)), times)
        return self._proxy.plan

    async def _draw(self, *, wait_s: int) -> types.CallToolResult:
        arguments = self._service.build_arguments(f"a kite, number {self._count}")
        return await self._world.call(self._client, self._service.tool, **arguments, wait_s=wait_s)

    async def _wait_for_end(self) -> None:
        await self._world.wait_for_end(self._client, (await self._find_job())["job_id"])

    async def _find_job(self) -> dict[str, Any]:
        """The newest job."""
        listed = get_structured(await self._world.call(self._client, "list_jobs", limit=1))
        return listed["jobs"][0]

    async def _read_spent(self) -> int:
        read = await self._world.clock.run(self._client.read_resource("atelier://spend"))
        (content,) = read.contents
        assert isinstance(content, types.TextResourceContents)
        document = json.loads(content.text)
        return sum(row["pictures"] for row in document["days"])
