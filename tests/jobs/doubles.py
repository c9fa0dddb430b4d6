"""The network and the picture store, as scripts in memory, and a whole jobs harness built on them."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

from atelier_mcp.server.images.exchange import ImageRule, OutputImage
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.jobs.budget import Spending
from atelier_mcp.server.jobs.ledger import Ledger, open_ledger
from atelier_mcp.server.jobs.ownership_choice import create_ownership
from atelier_mcp.server.jobs.poller import Poller
from atelier_mcp.server.jobs.service import JobService
from atelier_mcp.server.jobs.submitter import Submitter
from atelier_mcp.server.jobs.tables import spending
from atelier_mcp.server.providers.base import (
    AccountId,
    ModelPage,
    Plan,
    SubmitCall,
    TaskPending,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.operation_index import OperationIndex
from atelier_mcp.server.providers.rate_limit import RateLimit
from atelier_mcp.server.providers.routing import Router
from atelier_mcp.server.providers.spec import OperationSpec, ProviderSettings, ProviderSpec
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.ledger_places import create_plain_engine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from datetime import datetime

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.provenance import Generated
    from atelier_mcp.server.images.transparency import TransparentEdit
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.consent import ConsentRule
    from atelier_mcp.server.jobs.ownership import FileOwnership
    from atelier_mcp.server.jobs.postgres_ownership import PostgresOwnership
    from atelier_mcp.server.providers.base import ProgressCallback, SubmitAnswer
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import ManualClock


def build_done(*names: str) -> TaskSucceeded:
    """An upstream's last word: one picture for each name."""
    return TaskSucceeded(
        tuple(OutputImage(url=f"https://pictures.example/{name}", seed=n) for n, name in enumerate(names))
    )


SCRIPTED_OPERATIONS = OperationIndex(
    [
        ProviderSpec(
            name="scripted",
            title="Scripted",
            settings=ProviderSettings,
            operations={"aws_add_checkpoint": OperationSpec(deadline_s=7 * 24 * 3600, polls_from_start=True)},
            factory="tests.jobs.doubles:ScriptedProvider",
        )
    ]
)
"""What differs from the usual half hour and the usual first poll."""


class ScriptedOperation(JobOperation[Any]):
    """A capability of the scripted provider, which hears of every submit."""

    def __init__(self, provider: ScriptedProvider, request_type: type[Any] = GenerateImage) -> None:
        self.request_type = request_type
        self.call_slots = provider.call_slots
        self._provider = provider

    async def plan(self, request: Request, headers: Mapping[str, ImageHeader]) -> Plan:
        return Plan(request, dict.fromkeys(headers, ImageRule()), ("scripted",))

    async def submit(self, request: Request, images: Mapping[str, str], call: SubmitCall) -> SubmitAnswer:
        self._provider.job_ids.append(call.job_id)
        return await self._provider.answer_submit(request, call.report)

    async def stop_call(self, job_id: str) -> bool:
        return await self._provider.answer_stop(job_id)


class ScriptedProvider:
    """An upstream whose tasks stand as the test says; it remembers what it was asked."""

    def __init__(
        self,
        clock: Clock,
        *,
        name: str = "scripted",
        batch: int = 50,
        polls_per_s: float = 6.0,
        calls_at_once: int | None = None,
    ) -> None:
        self.name = name
        self.call_slots = asyncio.Semaphore(calls_at_once) if calls_at_once else None
        self.can_stop_calls = False
        """Whether a call under way is stopped when that is asked; its answer then comes at once."""
        self.job_ids: list[str] = []
        """The jobs that were sent."""
        self.stopped_calls: list[str] = []
        self.account = AccountId(f"{name}:0001")
        self.operations: dict[str, ScriptedOperation] = {"generate_image": ScriptedOperation(self)}
        self.model_kinds: tuple[str, ...] = ()
        self.poll_rate_limit = RateLimit(polls_per_s)
        self.is_emulated = False
        self.is_free = False
        self.is_local = False
        self.max_batch = batch
        self.submits: list[Request] = []
        self.polls: list[tuple[float, tuple[str, ...]]] = []
        """When each poll came, and the tasks in it."""
        self.cancels: list[str] = []
        self.snapshots: dict[str, TaskSnapshot] = {}
        """What a poll says of each task; a task that is missing is ``TaskPending``."""
        self.done_after_s: float | None = None
        """When set, tasks are done this long after they were submitted."""
        self.submit_script: deque[Exception | SubmitAnswer] = deque()
        """What submits raise or answer before the usual new task."""
        self.poll_script: deque[Exception | None] = deque()
        """What polls raise; ``None`` is a poll that works."""
        self.answer_gate = asyncio.Event()
        """While clear, submits get no answer."""
        self.answer_gate.set()
        self.can_stop = False
        self._clock = clock
        self._submitted_at_s: dict[str, float] = {}

    def batch_size(self, kind: str) -> int:
        return self.max_batch

    async def answer_stop(self, job_id: str) -> bool:
        self.stopped_calls.append(job_id)
        if self.can_stop_calls:
            self.answer_gate.set()
            await asyncio.sleep(0)
        return self.can_stop_calls

    async def answer_submit(self, request: Request, report: ProgressCallback) -> SubmitAnswer:
        self.submits.append(request)
        report(0.5, "sending")
        await self.answer_gate.wait()
        step = self.submit_script.popleft() if self.submit_script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            return step
        task = UpstreamTask(f"task-{len(self.submits)}", "pictures")
        self._submitted_at_s[task.id] = self._clock.monotonic()
        return task

    async def poll(self, tasks: Sequence[UpstreamTask]) -> Mapping[str, TaskSnapshot]:
        assert len(tasks) <= self.max_batch
        assert len({task.kind for task in tasks}) == 1
        self.polls.append((self._clock.monotonic(), tuple(task.id for task in tasks)))
        problem = self.poll_script.popleft() if self.poll_script else None
        if problem is not None:
            raise problem
        return {task.id: self._get_snapshot(task.id) for task in tasks}

    def _get_snapshot(self, task_id: str) -> TaskSnapshot:
        if self.done_after_s is None or task_id in self.snapshots:
            return self.snapshots.get(task_id, TaskPending())
        age_s = self._clock.monotonic() - self._submitted_at_s.get(task_id, 0.0)
        return build_done(f"{task_id}.png") if age_s >= self.done_after_s else TaskPending()

    async def cancel(self, task: UpstreamTask) -> bool:
        self.cancels.append(task.id)
        return self.can_stop

    async def list_models(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        return ModelPage((), has_more=False)

    async def close(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class FakeStoredImage:
    handle: str
    path: Path = Path("/nowhere")


@dataclass(frozen=True, slots=True)
class FakeOpenedImage:
    reference: str
    header: ImageHeader = field(default_factory=lambda: ImageHeader("PNG", "image/png", 960, 960, 1000))


@dataclass(frozen=True, slots=True)
class FakeAdmittedImage:
    handle: str
    original: str | None = None
    notes: tuple[str, ...] = ()
    marked_share: float | None = None


class FakeImagePipeline:
    """Pictures that are only names."""

    def __init__(self) -> None:
        self.stored_names: list[str] = []
        self.provenances: list[Generated] = []
        self.allowed_hosts: list[frozenset[str]] = []
        self.store_script: deque[Exception | None] = deque()
        """What storing raises; ``None`` is a picture that is stored."""
        self.can_store = True
        """While false, nothing is ever stored: downloads hang."""
        self.open_gate = asyncio.Event()
        """While it is closed, pictures that were named are on their way."""
        self.open_gate.set()
        self.open_count = 0
        self.disk_trouble = ""

    async def find_disk_trouble(self) -> str:
        return self.disk_trouble

    def for_owner(self, owner: str) -> FakeImagePipeline:
        return self

    async def open(self, references: Mapping[str, str]) -> Mapping[str, FakeOpenedImage]:
        self.open_count += 1
        await self.open_gate.wait()
        return {place: FakeOpenedImage(reference) for place, reference in references.items()}

    async def admit(
        self, opened_images: Mapping[str, Any], rules: Mapping[str, ImageRule], *, now: datetime
    ) -> Mapping[str, FakeAdmittedImage]:
        return {place: FakeAdmittedImage(f"img_{image.reference}") for place, image in opened_images.items()}

    async def deliver(
        self, admitted_images: Mapping[str, Any], rules: Mapping[str, ImageRule], *, local: bool
    ) -> Mapping[str, str]:
        return {place: f"https://here.example/{image.handle}" for place, image in admitted_images.items()}

    async def store_output(
        self,
        output: OutputImage,
        *,
        provenance: Generated,
        allow_hosts: frozenset[str],
        now: datetime,
        edit: TransparentEdit | None = None,
    ) -> FakeStoredImage:
        if not self.can_store:
            await asyncio.Event().wait()
        problem = self.store_script.popleft() if self.store_script else None
        if problem is not None:
            raise problem
        name = output.url.rsplit("/", 1)[1] if output.url else str(len(output.data or b""))
        self.stored_names.append(name)
        self.provenances.append(provenance)
        self.allowed_hosts.append(allow_hosts)
        return FakeStoredImage(f"img_{name}")


@dataclass(slots=True)
class JobsHarness:
    """A jobs harness: what one ``atelier serve`` holds."""

    submitter: Submitter
    jobs: JobService
    ledger: Ledger
    poller: Poller
    provider: ScriptedProvider
    pipeline: FakeImagePipeline
    ownership: FileOwnership | PostgresOwnership
    folder: Path


@dataclass(slots=True)
class ManualJobsHarness(JobsHarness):
    """A jobs harness whose time is driven by hand."""

    clock: ManualClock


@asynccontextmanager
async def open_manual_harness(
    folder: Path,
    provider: ScriptedProvider,
    clock: ManualClock,
    *,
    pipeline: FakeImagePipeline | None = None,
    budget: Budget | None = None,
    seed: int = 0,
) -> AsyncGenerator[ManualJobsHarness]:
    """``open_harness`` in the time of a test."""
    async with open_harness(folder, provider, clock, pipeline=pipeline, budget=budget, seed=seed) as harness:
        clock.ledgers.append(harness.ledger)
        yield ManualJobsHarness(
            harness.submitter,
            harness.jobs,
            harness.ledger,
            harness.poller,
            harness.provider,
            harness.pipeline,
            harness.ownership,
            harness.folder,
            clock,
        )


@asynccontextmanager
async def open_harness(
    folder: Path,
    provider: ScriptedProvider,
    clock: Clock,
    *,
    pipeline: FakeImagePipeline | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    ledger_url: str = "",
    consent_rule: ConsentRule | None = None,
) -> AsyncGenerator[JobsHarness]:
    """A jobs harness on a folder; several may be open on the same one, as several processes would be.

    With ``ledger_url`` what they share is the database there.
    """
    fake_pipeline = pipeline or FakeImagePipeline()
    image_pipeline = cast("ImagePipeline", fake_pipeline)  # as much of it as jobs use
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(open_ledger(ledger_url or folder / "ledger.db", clock=clock))
        ownership = await stack.enter_async_context(create_ownership(ledger_url, locks_folder=folder / "locks"))
        poller = await stack.enter_async_context(
            Poller(
                ledger,
                [provider],
                image_pipeline,
                ownership=ownership,
                clock=clock,
                rng=Random(seed),
                operations=SCRIPTED_OPERATIONS,
            )
        )
        router = Router([provider], operations=SCRIPTED_OPERATIONS)
        submitter = await stack.enter_async_context(
            Submitter(
                ledger,
                router,
                image_pipeline,
                ownership=ownership,
                clock=clock,
                rng=Random(seed + 1),
                budget=budget,
                consent_rule=consent_rule,
            )
        )
        jobs = JobService(ledger, router, poller, calls=submitter.calls, clock=clock)
        yield JobsHarness(submitter, jobs, ledger, poller, provider, fake_pipeline, ownership, folder)


def build_request(prompt: str, **arguments: Any) -> GenerateImage:
    """A request for a picture."""
    return GenerateImage(prompt=prompt, **arguments)


def read_spending(location: Path | str, account: str, *, day: str = "2026-11-20") -> Spending:
    """Pictures that count on a UTC day, of all accounts and of one, read behind the ledger's back."""
    engine = create_plain_engine(str(location))
    with engine.connect() as connection:
        query = select(spending.c.account, spending.c.pictures).where(spending.c.day == day)
        counts = [(row.account, row.pictures) for row in connection.execute(query)]
    engine.dispose()
    return Spending(sum(count for _, count in counts), sum(count for owner, count in counts if owner == account))


async def count_spent_images(harness: JobsHarness) -> int:
    """Pictures that count today on the account."""
    return (await asyncio.to_thread(read_spending, harness.folder / "ledger.db", harness.provider.account)).account
