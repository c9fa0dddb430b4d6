"""What a tool is given for one call: the services, who calls, how to carry it out, and a way to report progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.job_result import JOINED_NOTE, build_job_result
from atelier_mcp.server.mcp_tasks.call_tasks import MAX_ID_LENGTH, JobTask, WaitTask
from atelier_mcp.server.progress import describe_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from atelier_mcp.server.approval import Approval
    from atelier_mcp.server.call_options import CallOptions
    from atelier_mcp.server.job_result import JobResult
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.mcp_tasks.call_tasks import CallTask, Until
    from atelier_mcp.server.mcp_tasks.negotiation import TaskForClient
    from atelier_mcp.server.principals import Principal
    from atelier_mcp.server.progress import ProgressReporter
    from atelier_mcp.server.requests.base import Request
    from atelier_mcp.server.services import Services

TASK_ANSWER_WAIT_S: Final = 2.0
"""How long a task waits for the upstream's answer to the submit: a refusal is an answer, and no task."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The services, for one call of one caller."""

    services: Services
    principal: Principal
    options: CallOptions
    progress: ProgressReporter
    approval: Approval
    started_s: float
    """The clock's monotonic time when the call came in: a wait counts from here, also what came before the submit."""
    accepts_task: bool = False
    """The client takes a task, by whose id it asks again, in place of an answer."""

    @property
    def caller(self) -> str:
        """Whose what comes of the call is: the principal's name."""
        return self.principal.name

    @property
    def wait_s(self) -> float:
        """How long this call waits in all, in seconds: as it says, or as the settings say."""
        wait_s = self.options.wait_s
        return self.services.settings.wait_s if wait_s is None else wait_s

    @property
    def remaining_s(self) -> float:
        """What remains of that wait; while a person is asked, it stands still."""
        gone_s = self.services.clock.monotonic() - self.started_s - self.approval.asked_s
        return max(0.0, self.wait_s - gone_s)

    @property
    def ends_with_task(self) -> bool:
        """Whether a task takes the place of waiting. Who says not to wait gets the answer of that moment, as ever."""
        return self.accepts_task and self.options.wait_s != 0

    async def run(self, request: Request) -> JobResult:
        """Start the request's job, wait for it within bounds, and answer with what there is then.

        A job that is not finished by then goes on. Raises any ``AtelierError``: of the submit, or of a failed job; and
        ``TaskForClient`` for a job that is under way, where the client takes that.
        """
        from atelier_mcp.server.jobs.consent import ConsentNeeded

        if self.principal.is_admin:
            await self._adopt_images(request)
        consent = self.approval.find_consent()
        while True:
            try:
                started = await self.services.submitter.start(
                    request,
                    caller=self.caller,
                    provider=self.options.provider,
                    report=self.progress.update,
                    # Of what is left: opening the services may have taken a part of it.
                    wait_s=self.remaining_s,
                    answer_wait_s=TASK_ANSWER_WAIT_S if self.ends_with_task else None,
                    consent=consent,
                )
                break
            except ConsentNeeded as needed:
                self.progress.update(None, "waits for a person's consent")
                consent = await self.approval.ask(needed, clock=self.services.clock)
        (job,) = await self.services.jobs.wait(
            [started.job.id],
            # Of what the submit has left: the caller's limit is for the whole call.
            wait_s=0.0 if self.ends_with_task else self.remaining_s,
            on_change=lambda job: self.progress.update(*describe_progress(job)),
        )
        # Before the result is built, which raises for a job that failed: it was answered all the same.
        await self.services.jobs.note_answer(self.caller, [job])
        if self.ends_with_task and not job.is_finished:
            raise await self._create_task(JobTask(job.id), [job], notes=[JOINED_NOTE] * started.joined)
        return await build_job_result(job, self.services, joined=started.joined)

    async def wait(
        self, names: Sequence[str], jobs: Sequence[Job], *, until: Until, on_change: Callable[[Job], None]
    ) -> list[Job]:
        """The ``jobs``, those that there are of ``names``, when all or any are finished, or when the wait is over.

        ``on_change`` is called with every step in between. Raises ``TaskForClient`` instead of waiting, where the
        client takes that.
        """
        task = WaitTask(tuple(names), until, self.services.clock.now())
        ends_with_task = self.ends_with_task and len(task.id) <= MAX_ID_LENGTH
        wait_s = 0.0 if ends_with_task else self.remaining_s
        jobs = await self.services.jobs.wait([job.id for job in jobs], wait_s=wait_s, until=until, on_change=on_change)
        if ends_with_task and task.get_status(jobs) == "working":
            raise await self._create_task(task, jobs)
        return jobs

    async def _create_task(self, task: CallTask, jobs: Sequence[Job], *, notes: Sequence[str] = ()) -> TaskForClient:
        from atelier_mcp.server.mcp_tasks.documents import create_task

        return await create_task(task, jobs, self.services, notes=notes)

    async def _adopt_images(self, request: Request) -> None:
        """Copy pictures of others that the request names into the caller's own library, where jobs look for them."""
        from atelier_mcp.server.errors import ImageRefused
        from atelier_mcp.server.images.handles import parse_handle

        store = self.services.image_store
        for _, reference in request.list_image_references():
            try:
                image = await store.find(parse_handle(reference) or "")
            except ImageRefused:  # no handle, or of no picture: whoever opens it says so, and names the argument
                continue
            if image.library != store.library:
                data = await store.read(image.handle)
                await store.save(data, provenance=image.provenance, now=self.services.clock.now())

    async def call(self, request: Request) -> Mapping[str, Any]:
        """What a service answers at once, without a job, and under ``provider`` which one it was.

        Raises any ``AtelierError``.
        """
        from atelier_mcp.server.jobs.submitter import prepare
        from atelier_mcp.server.providers.faults import raise_rejection_errors
        from atelier_mcp.server.providers.operation import DirectOperation

        pipeline = self.services.image_pipeline
        providers = self.services.router.find_candidates(request, self.options.provider)
        submission = await prepare(request, providers=providers, pipeline=pipeline, now=self.services.clock.now())
        if not isinstance(submission.operation, DirectOperation):
            raise TypeError(f"{submission.provider.name} makes a job of {request.capability}")
        images = await submission.deliver(pipeline)
        with raise_rejection_errors():
            data = await submission.operation.execute(submission.request, images)
        return {"provider": submission.provider.name, **data}
