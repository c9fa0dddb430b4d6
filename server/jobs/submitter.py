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
import json
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from atelier_mcp.server.errors import ProviderUnavailable, Spent, StorageUnavailable
from atelier_mcp.server.jobs.budget import Budget
from atelier_mcp.server.jobs.consent import ConsentRule
from atelier_mcp.server.jobs.image_notes import list_image_notes
from atelier_mcp.server.jobs.model import JobId, get_own_task
from atelier_mcp.server.jobs.running_calls import RunningCalls
from atelier_mcp.server.jobs.submission import (
    Submission,
    choose_by_sources,
    compute_fingerprint,
    cut_tiles,
    qualify_steps,
    quote_plan,
)
from atelier_mcp.server.jobs.submit_recorder import SubmitRecorder, build_unconfirmed_error
from atelier_mcp.server.jobs.submit_result import StartedJob, SubmitResult
from atelier_mcp.server.providers.base import Plan, SubmitCall
from atelier_mcp.server.providers.planning import RouteSearch
from atelier_mcp.server.providers.provider import costs_nothing
from atelier_mcp.server.requests.prompt_syntax import has_prompt_signs, use_plain_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random
    from types import TracebackType

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.jobs.consent import Consent
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.price_file import PriceBook
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.requests.base import Request

log: logging.Logger = logging.getLogger(__name__)

GRACE_S: Final = 10.0
"""Submits under way may take this long when the submitter is left; then they are unconfirmed."""
MAX_CHOSEN_SEED: Final = 9_999_000
"""Below every service's highest seed, with room for eight pictures."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
_ID_LENGTH: Final = 16
_BITS_PER_LETTER: Final = 5


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
        prices: PriceBook | None = None,
        consent_rule: ConsentRule | None = None,
    ) -> None:
        """``rng`` draws job ids and seeds: give it a ``SystemRandom`` outside of tests. ``prices`` are the operator's.

        Without a ``budget`` there are no limits, and without a ``consent_rule`` nobody has to agree.
        """
        self._ledger = ledger
        self._router = router
        self._pipeline = pipeline
        self._ownership = ownership
        self._clock = clock
        self._rng = rng
        self._budget = budget or Budget()
        self._prices = prices
        self._consent_rule = consent_rule or ConsentRule()
        self._recorder = SubmitRecorder(ledger, clock=clock, rng=rng)
        self.calls: RunningCalls = RunningCalls(ledger)
        """The submits under way, for whoever wants to stop one."""
        self._task_group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._preparations: dict[str, SubmitResult] = {}
        """By what was asked and by whom: requests that are not yet on their way to the ledger."""

    async def __aenter__(self) -> Self:
        await self._task_group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for preparation in self._preparations.values():  # nothing was sent, and nothing more shall be
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
        answer_wait_s: float | None = None,
        consent: Consent | None = None,
    ) -> StartedJob:
        """Begin a job, or join the unfinished one by which the same caller asked for the same.

        Returns when the upstream has answered, or after ``wait_s``, or ``answer_wait_s`` after the job was written
        down: the job is then still ``submitting`` and goes on.
        Raises any ``AtelierError``. Before the job is written down a refusal leaves nothing behind; afterwards the
        job is failed and paid back, or ``unconfirmed`` where the answer was lost (``SubmitUnconfirmed``).
        ``ConsentNeeded`` says what a person has to agree to; with that as ``consent`` it is sent, once.
        ``TransientError`` says that the pictures are still on their way after ``wait_s``: who asks for the same again
        waits for the same job.
        """
        # The same for the same words of the same caller, before anything is looked up.
        asked = [caller, provider, request.capability, request.to_document(), consent and consent.job_id]
        identity = json.dumps(asked, sort_keys=True)
        is_joined = identity in self._preparations
        if not is_joined:
            result = self._preparations[identity] = SubmitResult(identity)
            # A task of its own: what was begun goes on though the wait of the call ends.
            submit = self._submit(
                request, caller=caller, provider=provider, report=report, result=result, consent=consent
            )
            result.task = self._task_group.create_task(submit, name="submit")
            self._tasks.add(result.task)
            result.task.add_done_callback(partial(self._end, result))
        result = self._preparations[identity]
        with result.count_waiter():
            try:
                started = await result.wait(self._clock, wait_s=wait_s, answer_wait_s=answer_wait_s)
            except asyncio.CancelledError:
                # Nobody wants it any more, and nothing has been sent yet.
                if result.waiter_count == 1 and result.job is None:
                    self._forget(result)  # at once: the next call for the same begins afresh
                    result.cancel()
                raise
        return StartedJob(started.job, joined=True) if is_joined else started

    async def _submit(
        self,
        request: Request,
        *,
        caller: str,
        provider: str | None,
        report: ProgressCallback,
        result: SubmitResult,
        consent: Consent | None,
    ) -> None:
        """Get a request ready and send it, unless the same is under way. Never raises but for cancellation.

        The outcome in ``result`` is ``SubmitUnconfirmed`` when nobody knows whether the upstream took the job, any
        other ``AtelierError`` when it was certainly refused.
        """
        with result.catch_error():
            submission = await prepare(
                request,
                providers=self._router.find_candidates(request, provider),
                others=self._router.find_candidates(request) if provider else (),
                pipeline=self._pipeline.for_owner(caller),
                now=self._clock.now(),
                rng=self._rng,
                prices=self._prices,
            )
            disk_trouble = await self._pipeline.for_owner(caller).find_disk_trouble()
            job = await self._find_earlier_job(submission, caller, consent, is_needed=bool(disk_trouble))
            if job is None:
                if disk_trouble:
                    raise _build_disk_error(disk_trouble)
                job_id = self._choose_job_id(submission, caller, consent)
                images = await submission.deliver(self._pipeline.for_owner(caller))
                result.job = await self._build_job(submission, job_id, caller)
                self._forget(result)
                job = await self._write_ahead(result.job, submission.fingerprint)
                result.recorded.set_result(job)
                # Not by its id: with the same consent another server may have written the same one.
                if job is result.job:
                    await self._send(job, submission, images, report=report, result=result)
                    return
            result.outcome.set_result(StartedJob(job, joined=True))

    async def _send(
        self,
        job: Job,
        submission: Submission,
        images: Mapping[str, str],
        *,
        report: ProgressCallback,
        result: SubmitResult,
    ) -> None:
        """Send a job that is written down, and write down what came of it; ``images`` is what ``deliver`` gave."""
        operation = submission.job_operation
        with self.calls.add(job, operation, report) as call:
            try:
                async with self.calls.take_turn(call) as job:
                    if not job.is_finished:  # cancelled by another process, before its turn
                        submit_call = SubmitCall(job.id, call.report, get_own_task(job))
                        async with self._recorder.record_failure(job):
                            answer = await operation.submit(submission.sent_request, images, submit_call)
                        async with call.answer_lock:
                            job = await self._recorder.record_answer(job, submission.provider, answer)
            except asyncio.CancelledError:
                if call.ended_job is not None:
                    result.outcome.set_result(StartedJob(call.ended_job, joined=False))
                raise
        result.outcome.set_result(StartedJob(job, joined=False))

    async def _find_earlier_job(
        self, submission: Submission, caller: str, consent: Consent | None, *, is_needed: bool
    ) -> Job | None:
        """The unfinished job that asks for the same, or the one that ``consent`` was given for and used up by.

        None, too, where it is early enough to find it when the new one is written down: unless it ``is_needed`` now, a
        picture has to be delivered before that, or somebody to be asked.
        """
        used_up = await self._ledger.find([JobId(consent.job_id)], caller=caller) if consent else []
        if used_up or not (is_needed or submission.admitted_images or self._consent_rule.ever_asks):
            return next(iter(used_up), None)
        return await self._ledger.find_unfinished_duplicate(caller, submission.fingerprint)

    def _choose_job_id(self, submission: Submission, caller: str, consent: Consent | None) -> JobId:
        """A new job's id: the one that a person agreed to, where that is needed. Raises ``ConsentNeeded``."""
        job_id = _draw_job_id(self._rng)
        self._consent_rule.check(submission, job_id, caller=caller, given=consent)
        return job_id if consent is None else JobId(consent.job_id)

    async def _build_job(self, submission: Submission, job_id: JobId, caller: str) -> Job:
        operation = self._router.operations.find(submission.provider.name, submission.request.capability)
        now = self._clock.now()
        return await submission.build_job(job_id, caller=caller, deadline_s=operation.deadline_s, now=now)

    async def _write_ahead(self, job: Job, fingerprint: str) -> Job:
        """The job in the ledger, before the POST and flushed: killed right after it, we must still know what was paid.

        The unique claim in the same transaction makes one of two identical requests the sender; the other one's job
        comes back to it.
        """
        # Before this process' name is written down as the sender: another process would take the job for an orphan.
        await self._ownership.announce()
        process = self._ownership.process
        return await self._ledger.open_job(job, fingerprint=fingerprint, budget=self._budget, process=process)

    def _forget(self, result: SubmitResult) -> None:
        if self._preparations.get(result.identity) is result:
            del self._preparations[result.identity]

    def _end(self, result: SubmitResult, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._forget(result)
        if not task.cancelled() or result.outcome.done():
            return
        if result.job is None:
            result.outcome.set_exception(ProviderUnavailable("The server stopped before the job was sent."))
        else:
            error = build_unconfirmed_error(result.job, "The server stopped before the service answered.")
            result.outcome.set_exception(error)


def _build_disk_error(trouble: str) -> StorageUnavailable:
    """What comes back could not be stored: it would be paid for all the same."""
    return StorageUnavailable(
        f"The server cannot use its own files: {trouble}.",
        hint="Whoever runs the server can mend it: look at the disk and at ATELIER_HOME.",
        spent=Spent.NOTHING,
    )


def _draw_job_id(rng: Random) -> JobId:
    # In one draw: the system's generator is a system call for each.
    bits = rng.getrandbits(_BITS_PER_LETTER * _ID_LENGTH)
    letters = (_ID_LETTERS[bits >> _BITS_PER_LETTER * index & 31] for index in range(_ID_LENGTH))
    return JobId("job_" + "".join(letters))


async def prepare(
    request: Request,
    *,
    providers: Sequence[Provider],
    others: Sequence[Provider] = (),
    pipeline: ImagePipeline,
    now: datetime,
    rng: Random | None = None,
    prices: PriceBook | None = None,
) -> Submission:
    """Plan a request at the first provider that can do it, and check its pictures.

    Where none can, the refusal names those of ``others`` that could. ``rng`` chooses the seed that a plan needs and
    nobody gave; without it none is chosen. ``prices`` are the operator's. Raises any ``AtelierError``; nothing was
    spent then.
    """
    opened_images = await pipeline.open(dict(request.list_image_references()))
    headers = {place: image.header for place, image in opened_images.items()}
    request = request.model_copy(update=choose_by_sources(request, opened_images))
    search, plans = RouteSearch(), dict[str, Plan]()
    for candidate in providers:
        operation = candidate.operations[request.capability]
        plain_request, sign_notes = request, ()
        if has_prompt_signs(request):
            plain_request, sign_notes = use_plain_prompts(request, kept=operation.prompt_notations)
        with search.collect_refusal(candidate):
            plan = await operation.plan(plain_request, headers)
            plans[candidate.name] = replace(plan, notes=(*sign_notes, *plan.notes))
            if not plan.has_unchecked_ids:
                break
    if not plans:
        await search.find_able([other for other in others if other not in providers], request, headers)
    provider = search.choose(providers, plans)
    operation, plan = provider.operations[request.capability], plans[provider.name]
    final_request, notes = plan.request, (*search.explain(provider), *plan.notes)
    if provider.is_emulated:
        notes = qualify_steps(notes)
    admitted_images = await pipeline.admit(opened_images, plan.image_rules, now=now)
    if admitted_images:
        handles = {place: image.original or image.handle for place, image in admitted_images.items()}
        final_request = final_request.replace_image_references(handles)
        notes += await list_image_notes(request, final_request, opened_images, admitted_images)
    notes = tuple(dict.fromkeys(note for note in notes if note))
    # Of the final request: the same picture by two names is the same picture. Before a seed is chosen for it: two
    # requests that leave it open stay the same.
    fingerprint = compute_fingerprint(final_request, provider)
    sent_request = plan.sent_request or final_request
    if rng is not None and plan.needs_seed and getattr(final_request, "seed", 0) is None:
        update = {"seed": rng.randrange(1, MAX_CHOSEN_SEED)}
        final_request, sent_request = (given.model_copy(update=update) for given in (final_request, sent_request))
    admitted_images, image_rules = await cut_tiles(plan, admitted_images, pipeline, now=now)
    image_count = 0
    if not costs_nothing(provider):
        image_count = final_request.image_count() if plan.image_count is None else plan.image_count
    return Submission(
        provider=provider,
        operation=operation,
        request=final_request,
        sent_request=sent_request,
        finish=plan.finish,
        image_count=image_count,
        quote=quote_plan(plan, final_request, provider, image_count=image_count, prices=prices),
        image_rules=image_rules,
        admitted_images=admitted_images,
        notes=notes,
        fingerprint=fingerprint,
    )
