"""A request on its way to an upstream: prepared, written down, sent once, and its answer written down.

    prepare -> deliver -> write ahead -> send -> record the answer
    '---- nothing ----'   '------- the ledger knows -------------'
      is left behind        the job: its state says what is
      by a refusal          known of the money

What is sent is sent once, whatever happens: a lost answer leaves the job ``unconfirmed``. What was begun goes on
whether or not the caller stays: a submit belongs to the ``Submitter``, not to the call.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.errors import ProviderUnavailable, SubmitUnconfirmed, TransientError
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.model import Job, JobId, Submitting, get_own_task
from atelier_mcp.server.jobs.running_calls import RunningCalls
from atelier_mcp.server.jobs.submit_recorder import SubmitRecorder, build_unconfirmed_error
from atelier_mcp.server.jobs.transparency import list_transparency_notes, needs_png
from atelier_mcp.server.providers.base import Plan, SubmitCall
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import JobOperation, NamedJobOperation
from atelier_mcp.server.providers.planning import RouteSearch
from atelier_mcp.server.providers.provider import is_free
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.prompt_syntax import has_prompt_signs, use_plain_prompts

if TYPE_CHECKING:
    from collections.abc import Coroutine, Generator, Mapping, Sequence
    from datetime import datetime
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.finish import Finish
    from atelier_mcp.server.images.pipeline import AdmittedImage, ImagePipeline
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.jobs.running_calls import RunningCall
    from atelier_mcp.server.providers.base import ProgressCallback, SubmitAnswer, UpstreamTask
    from atelier_mcp.server.providers.operation import Operation
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

log: logging.Logger = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Submits under way may take this long when the submitter is left; then they are unconfirmed."""
MIN_PREPARE_S: Final = 3.0
"""A call gets so long for its pictures however short its wait: with none at all no picture could be named."""
MAX_CHOSEN_SEED: Final = 9_999_000
"""Below every service's highest seed, with room for eight pictures."""
_STEPS: Final = re.compile(r"(?:(?<=, )|\A)\d+ steps(?=,|\Z)")
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, slots=True)
class Submission:
    """A request that may be sent. Nothing is spent yet."""

    provider: Provider
    operation: Operation[Any]
    """The one of the provider's that does it."""
    request: Request
    """The provider's choices filled in, pictures named by handle."""
    sent_request: Request
    """The same in the service's own steps and sizes; what comes of it goes through ``finish``."""
    finish: Finish | None
    image_count: int
    """Pictures it counts as."""
    image_rules: Mapping[str, ImageRule]
    admitted_images: Mapping[str, AdmittedImage]
    notes: tuple[str, ...]
    """What was chosen or changed for the caller."""
    fingerprint: str
    """The same for whoever asks the same of the same account."""
    needs_seed: bool = False
    """``Plan.needs_seed``."""

    def choose_seed(self, rng: Random) -> Submission:
        """With a seed of our choice, where the plan needs one; two requests that leave it open stay the same."""
        if not self.needs_seed or getattr(self.request, "seed", 0) is not None:
            return self
        update = {"seed": rng.randrange(1, MAX_CHOSEN_SEED)}
        request, sent_request = (r.model_copy(update=update) for r in (self.request, self.sent_request))
        return dataclasses.replace(self, request=request, sent_request=sent_request)

    async def deliver(self, pipeline: ImagePipeline) -> Mapping[str, str]:
        """Each picture as the upstream will get it, by place: a link or base64."""
        return await pipeline.deliver(self.admitted_images, self.image_rules, local=self.provider.is_local)


async def prepare(
    request: Request, *, providers: Sequence[Provider], pipeline: ImagePipeline, now: datetime
) -> Submission:
    """Plan a request at the first provider that can do it, and check its pictures.

    Raises any ``AtelierError``; nothing was spent then.
    """
    opened_images = await pipeline.open(dict(request.list_image_references()))
    headers = {place: image.header for place, image in opened_images.items()}
    if needs_png(request, opened_images):
        request = request.model_copy(update={"format": "png"})
    search, plans = RouteSearch(), dict[str, Plan]()
    for candidate in providers:
        plain_request, sign_notes = request, ()
        operation = candidate.operations[request.capability]
        if has_prompt_signs(request):
            plain_request, sign_notes = use_plain_prompts(request, keeps_weights=operation.reads_prompt_weights)
        with search.collect_refusal(candidate):
            plan = await operation.plan(plain_request, headers)
            plans[candidate.name] = replace(plan, notes=(*sign_notes, *plan.notes))
            if not plan.has_unchecked_ids:
                break
    provider = search.choose(providers, plans)
    operation, plan = provider.operations[request.capability], plans[provider.name]
    final_request, notes = plan.request, (*search.explain(provider), *plan.notes)
    if provider.is_emulated:
        notes = _qualify_steps(notes)
    admitted_images = await pipeline.admit(opened_images, plan.image_rules, now=now)
    if admitted_images:
        handles = {place: image.original or image.handle for place, image in admitted_images.items()}
        final_request = final_request.replace_image_references(handles)
        notes += tuple(note for image in admitted_images.values() for note in image.notes)
        notes += list_transparency_notes(final_request, admitted_images)
    notes = tuple(note for note in notes if note)
    # Of the final request: the same picture by two names is the same picture.
    fingerprint = _compute_fingerprint(final_request, provider)
    admitted_images, image_rules = await _cut_tiles(plan, admitted_images, pipeline, now=now)
    image_count = final_request.image_count() if plan.image_count is None else plan.image_count
    return Submission(
        provider=provider,
        operation=operation,
        request=final_request,
        sent_request=plan.sent_request or final_request,
        finish=plan.finish,
        image_count=0 if is_free(provider) else image_count,
        image_rules=image_rules,
        admitted_images=admitted_images,
        notes=notes,
        fingerprint=fingerprint,
        needs_seed=plan.needs_seed,
    )


async def _cut_tiles(
    plan: Plan, images: Mapping[str, AdmittedImage], pipeline: ImagePipeline, *, now: datetime
) -> tuple[Mapping[str, AdmittedImage], Mapping[str, ImageRule]]:
    """Images and rules with the tiles of a picture in its place."""
    images, rules = dict(images), dict(plan.image_rules)
    for place, boxes in plan.tiles.items():
        rule = rules.pop(place)
        for index, tile in enumerate(await pipeline.cut_tiles(images.pop(place), boxes, now=now)):
            images[format_place(place, index)], rules[format_place(place, index)] = tile, rule
    return images, rules


def _qualify_steps(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes of what was chosen, where no diffusion takes the steps it chose: the stand-in runs none."""
    return tuple(_STEPS.sub(r"\g<0> (the stand-in runs none)", note) for note in notes)


@dataclass(frozen=True, slots=True)
class StartedJob:
    """The job to wait for, and whether it was under way already."""

    job: Job
    joined: bool


class SubmitResult:
    """What became of a request, for whoever still waits for it; nobody has to."""

    def __init__(self) -> None:
        """Nothing is known yet. Make it inside the event loop."""
        self.recorded: asyncio.Future[Job] = asyncio.Future()
        """The job in the ledger, once there is one."""
        self.outcome: asyncio.Future[StartedJob] = asyncio.Future()
        """The job when the upstream has answered, or the error for the caller."""
        self.outcome.add_done_callback(_read_error)
        self.is_prepared: bool = False
        """Whether it is on its way to the ledger and the upstream, from where nothing calls it back."""
        self.waiter_count: int = 0
        """Calls that wait for it."""

    @contextmanager
    def catch_error(self) -> Generator[None]:
        """Make an error the outcome: raised in a task group, it would end every other submit."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again where the call still waits
            self.outcome.set_exception(error)

    async def wait(self, clock: Clock, *, wait_s: float | None) -> StartedJob:
        """The outcome, or after ``wait_s`` the job as it was written down, which then is still being sent.

        Raises ``TransientError`` where by then its pictures are still on their way; that goes on.
        """
        # ``asyncio.wait`` leaves the futures alone when the caller is cancelled; awaiting one would cancel it.
        if wait_s is None:
            await asyncio.wait({self.outcome})
        elif not await wait_with_timeout(clock, wait_s, asyncio.wait({self.outcome})):
            await self._wait_until_recorded(clock, at_most_s=max(0.0, MIN_PREPARE_S - wait_s))
        if self.outcome.done():
            return self.outcome.result()
        if not self.recorded.done():
            raise TransientError(
                "The pictures of this call are still on their way; once they are there, the job is sent.",
                hint="Call again with the same arguments to wait on: nothing is fetched or paid for twice.",
            )
        return StartedJob(self.recorded.result(), joined=False)

    async def _wait_until_recorded(self, clock: Clock, *, at_most_s: float) -> None:
        def build_wait() -> Coroutine[object, object, object]:
            return asyncio.wait({self.outcome, self.recorded}, return_when=asyncio.FIRST_COMPLETED)

        await wait_with_timeout(clock, at_most_s, build_wait())
        if self.is_prepared:  # it is being written down, which takes a moment
            await build_wait()


def _read_error(outcome: asyncio.Future[StartedJob]) -> None:
    """Read an error that nobody may wait for any more, so that it does not count as overlooked."""
    if not outcome.cancelled():
        outcome.exception()


def ignore_report(_share: float | None, _word: str) -> None:
    """A ``ProgressCallback`` nobody reads."""


class Submitter:
    """Starts jobs. Use it with ``async with``; leaving waits a while for submits under way."""

    def __init__(
        self,
        ledger: Ledger,
        router: Router,
        pipeline: ImagePipeline,
        *,
        ownership: Ownership,
        clock: Clock,
        rng: Random,
        budget: Budget | None = None,
    ) -> None:
        """``rng`` draws job ids: give it a ``SystemRandom`` outside of tests."""
        self._ledger = ledger
        self._router = router
        self._pipeline = pipeline
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._budget = budget or Budget()
        self._recorder = SubmitRecorder(ledger, clock=clock, rng=rng)
        self.calls = RunningCalls(ledger)
        """The submits under way, for whoever wants to stop one."""
        self._task_group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparations: dict[str, tuple[SubmitResult, asyncio.Task[None]]] = {}
        """By what was asked and by whom: requests whose pictures are on their way."""

    async def __aenter__(self) -> Self:
        await self._task_group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, preparation in self._preparations.values():  # nothing was sent, and nothing more shall be
            preparation.cancel()
        await self.calls.drop_unsent()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_S)
        for task in self._tasks:
            task.cancel()
        # without the error of the body, which is passed on as it is and not in a group
        await self._task_group.__aexit__(None, None, None)

    async def start(
        self,
        request: Request,
        *,
        caller: str,
        provider: str | None = None,
        report: ProgressCallback = ignore_report,
        wait_s: float | None = None,
    ) -> StartedJob:
        """Begin a job, or join the unfinished one by which the same caller asked for the same.

        Returns when the upstream has answered, or after ``wait_s``: the job is then still ``submitting`` and goes on.
        Raises any ``AtelierError``. Before the job is written down a refusal leaves nothing behind; afterwards the
        job is failed and paid back, or ``unconfirmed`` where the answer was lost (``SubmitUnconfirmed``).
        ``TransientError`` says that the pictures are still on their way after ``wait_s``: who asks for the same again
        waits for the same job.
        """
        identity = _compute_identity(request, caller=caller, provider=provider)
        is_joined = identity in self._preparations
        if not is_joined:
            self._begin(identity, request, caller=caller, provider=provider, report=report)
        result, preparation = self._preparations[identity]
        result.waiter_count += 1
        try:
            started = await result.wait(self._clock, wait_s=wait_s)
        except asyncio.CancelledError:
            # Nobody wants it any more, and nothing has been sent yet.
            if result.waiter_count == 1 and not result.is_prepared:
                self._forget(identity, result)  # at once: the next call for the same begins afresh
                preparation.cancel()
            raise
        finally:
            result.waiter_count -= 1
        return StartedJob(started.job, joined=True) if is_joined else started

    def _begin(
        self, identity: str, request: Request, *, caller: str, provider: str | None, report: ProgressCallback
    ) -> None:
        """Prepare a request beside the call, whose wait may end before its pictures are here."""
        result = SubmitResult()
        task = self._task_group.create_task(
            self._prepare(request, caller=caller, provider=provider, report=report, result=result), name="prepare"
        )
        self._preparations[identity] = (result, task)
        task.add_done_callback(partial(self._end_preparation, identity, result))

    async def _prepare(
        self, request: Request, *, caller: str, provider: str | None, report: ProgressCallback, result: SubmitResult
    ) -> None:
        """Get a request ready and send it, unless the same is under way. Never raises but for cancellation."""
        with result.catch_error():
            submission = await prepare(
                request,
                providers=self._router.find_candidates(request, provider),
                pipeline=self._pipeline,
                now=self._clock.now(),
            )
            duplicate = await self._ledger.find_unfinished_duplicate(caller, submission.fingerprint)
            if duplicate is not None:
                result.outcome.set_result(StartedJob(duplicate, joined=True))
                return
            submission = submission.choose_seed(self._rng)
            images = await submission.deliver(self._pipeline)
            job = await self._build_job(submission, caller)
            # Before this process' name is written down as the sender: another process would take the job for an orphan.
            self._ownership.announce()
            result.is_prepared = True
            # A task of its own, so that neither cancelling the call nor its end stops the submit.
            task = self._task_group.create_task(
                self._submit(job, submission, images, report=report, result=result), name=f"submit {job.id}"
            )
            self._tasks.add(task)
            task.add_done_callback(partial(self._end_submit, job, result))

    def _end_preparation(self, identity: str, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._forget(identity, result)
        if task.cancelled() and not result.outcome.done():
            result.outcome.set_exception(ProviderUnavailable("The server stopped before the job was sent."))

    def _forget(self, identity: str, result: SubmitResult) -> None:
        if identity in self._preparations and self._preparations[identity][0] is result:
            del self._preparations[identity]

    async def _submit(
        self,
        job: Job,
        submission: Submission,
        images: Mapping[str, str],
        *,
        report: ProgressCallback,
        result: SubmitResult,
    ) -> None:
        """Send a job, or find that it is under way already. Never raises but for cancellation.

        ``images`` is what ``Submission.deliver`` gave. The outcome in ``result`` is ``SubmitUnconfirmed`` when nobody
        knows whether the upstream took the job, any other ``AtelierError`` when it was certainly refused.
        """
        with result.catch_error():
            operation = submission.operation
            if not isinstance(operation, JobOperation):
                raise TypeError(f"{submission.provider.name} makes no job of {operation.request_type.capability}")
            # Before the POST and flushed: killed right after it, we must still know that something may have been paid
            # for. The unique claim in the same transaction makes one of two identical requests the sender.
            ledger_job = await self._ledger.open_job(
                job, fingerprint=submission.fingerprint, budget=self._budget, process=self._ownership.process
            )
            result.recorded.set_result(ledger_job)
            if ledger_job.id != job.id:
                result.outcome.set_result(StartedJob(ledger_job, joined=True))
                return
            with self.calls.add(job, operation) as call:
                try:
                    answered_job = await self._call(call, submission, images, report=report)
                except asyncio.CancelledError:
                    if call.ended_job is not None:
                        result.outcome.set_result(StartedJob(call.ended_job, joined=False))
                    raise
            result.outcome.set_result(StartedJob(answered_job, joined=False))

    async def _call(
        self,
        call: RunningCall,
        submission: Submission,
        images: Mapping[str, str],
        *,
        report: ProgressCallback,
    ) -> Job:
        """The job with what came of its call; raises as ``SubmitRecorder.record_failure`` does."""
        job_id = call.job.id

        def report_to_all(share: float | None, word: str) -> None:
            report(share, word)
            self.calls.report(job_id, share, word)

        async with self.calls.take_turn(call) as job:
            if job.is_finished:  # cancelled by another process, before its turn
                return job
            async with self._recorder.record_failure(job):
                with raise_rejection_errors():
                    submit_call = SubmitCall(job_id, _guard_report(report_to_all))
                    answer = await _send(call.operation, job, submission.sent_request, images, submit_call)
            async with call.answer_lock:
                return await self._recorder.record_answer(job, submission.provider, answer)

    def _end_submit(self, job: Job, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not result.outcome.done():
            error = build_unconfirmed_error(job, "The server stopped before the service answered.")
            result.outcome.set_exception(error)

    async def _build_job(self, submission: Submission, caller: str) -> Job:
        job_id = JobId("job_" + "".join(self._rng.choices(_ID_LETTERS, k=16)))
        task = await _name_task(submission, job_id)
        has_slots = isinstance(submission.operation, JobOperation) and submission.operation.call_slots is not None
        now = self._clock.now()
        capability = submission.request.capability
        operation = self._router.operations.find(submission.provider.name, capability)
        return Job(
            id=job_id,
            capability=capability,
            provider=submission.provider.name,
            account=submission.provider.account,
            caller=caller,
            request=submission.request.to_document(),
            notes=submission.notes,
            image_count=submission.image_count,
            created_at=now,
            updated_at=now,
            deadline=now + timedelta(seconds=operation.deadline_s),
            state=Submitting(is_waiting=has_slots, task=task),
            finish=submission.finish,
        )


async def _name_task(submission: Submission, job_id: JobId) -> UpstreamTask | None:
    """The task that the submit will make, where its upstream takes an id of ours."""
    operation = submission.operation
    if not isinstance(operation, NamedJobOperation):
        return None
    with raise_rejection_errors():
        return await operation.name_task(submission.sent_request, job_id)


async def _send(
    operation: JobOperation[Any], job: Job, request: Request, images: Mapping[str, str], call: SubmitCall
) -> SubmitAnswer:
    """The answer to the submit; where it was lost, the task of our own naming, which is polled then."""
    task = get_own_task(job)
    if task is None or not isinstance(operation, NamedJobOperation):
        return await operation.submit_job(request, images, call)
    try:
        # A rejection may stand for an answer that leaves it open, too.
        with raise_rejection_errors():
            return await operation.submit_as(task, request, images, call.report)
    except SubmitUnconfirmed as error:
        log.warning("a submit was not answered: %s", error.message, extra={"job": job.id, "provider": job.provider})
        return task


def _compute_identity(request: Request, *, caller: str, provider: str | None) -> str:
    """The same for the same words of the same caller, before anything is looked up."""
    return json.dumps([caller, provider, request.capability, request.to_document()], sort_keys=True)


def _compute_fingerprint(request: Request, provider: Provider) -> str:
    identity = [request.capability, provider.account, request.to_document()]
    return sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _guard_report(report: ProgressCallback) -> ProgressCallback:
    """The same report, unable to break a submit: its reader may be gone."""

    def report_safely(share: float | None, word: str) -> None:
        try:
            report(share, word)
        except Exception:  # a reader who fails must not fail the job
            log.debug("nobody reads the progress of a submit", exc_info=True)

    return report_safely
