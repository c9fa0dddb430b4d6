"""Fetching the pictures of a job that the upstream has finished."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.addresses import get_host_and_port, is_loopback_url, list_own_names
from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.disk_errors import explain_disk_error
from atelier_mcp.server.errors import AtelierError, StorageUnavailable
from atelier_mcp.server.images.finish_plan import Join
from atelier_mcp.server.images.pipeline import OutputLost, OutputUnreadable
from atelier_mcp.server.images.provenance import Generated
from atelier_mcp.server.jobs.model import Job, JobImage, Saving
from atelier_mcp.server.jobs.outcomes import decide_after_saving
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.jobs.transparency import find_transparent_edit
from atelier_mcp.server.providers.base import TaskSucceeded
from atelier_mcp.server.providers.provider import ConfiguredService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import OutputImage
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.providers.provider import Provider

log: logging.Logger = logging.getLogger(__name__)

MAX_CONCURRENT_DOWNLOADS: Final = 8
DEAD_LINK_TIME_LIMIT_S: Final = 600.0
"""Links that lead to nothing are tried, and asked for anew, for at least this long: some come alive a little later."""
LONGEST_LINK_LIFETIME_S: Final = 7 * 24 * 3600.0
"""No storage signs a link for longer: after that it is dead, whether or not anybody was there to say so."""


class ImageSaver:
    """Stores finished pictures, however many tries that takes, and ends the job."""

    def __init__(
        self, ledger: Ledger, pipeline: ImagePipeline, *, clock: Clock, rng: Random, stop_event: asyncio.Event
    ) -> None:
        """Download at most ``MAX_CONCURRENT_DOWNLOADS`` pictures at a time; after ``stop_event`` try none again."""
        self._ledger = ledger
        self._pipeline = pipeline
        self._clock = clock
        self._rng = rng
        self._stop_event = stop_event
        self._download_slots = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)

    async def save(self, job: Job, provider: Provider, *, reload: Callable[[], Job | None]) -> None:
        """Fetch and store the pictures of a job in ``saving``, then end it.

        ``reload`` gives the job as it now stands: one that was cancelled meanwhile, or is gone, is let go.
        """
        # From now and not from when the job was asked for: a server that was down for a day still fetches.
        dead_at_s = self._clock.monotonic() + DEAD_LINK_TIME_LIMIT_S
        age_s = max(0.0, (self._clock.now() - job.created_at).total_seconds())
        unreachable_at_s = max(dead_at_s, self._clock.monotonic() + LONGEST_LINK_LIFETIME_S - age_s)
        stored_images: dict[int, list[JobImage]] = {}
        while (current_job := reload()) is not None and isinstance(saving := current_job.state, Saving):
            problems = await self._store_missing(provider, job, saving, stored_images)
            # Where nobody answered, nothing is known of the links: as long as that lasts, they are tried.
            are_dead = all(isinstance(problem, OutputLost | OutputUnreadable) for problem in problems)
            # What the answer itself held comes no other way, unless there is a task to ask about once more.
            is_over = are_dead and saving.task is None and all(output.url is None for output in saving.outputs)
            if not problems or is_over or self._clock.monotonic() >= (dead_at_s if are_dead else unreachable_at_s):
                images = [image for index in sorted(stored_images) for image in stored_images[index]]
                problem = problems[-1] if problems else None
                state, charge = decide_after_saving(job, saving, images, problem, missing_count=len(problems))
                await self._ledger.move(job.id, state, charge=charge)
                return
            tries = saving.tries + 1
            log.warning(
                "pictures could not be fetched, trying again",
                extra={"job": job.id, "provider": job.provider, "tries": tries, "reason": problems[-1].message},
            )
            saving = replace(saving, tries=tries, problem=problems[-1].message)
            await self._ledger.move(job.id, saving)
            pause_s = compute_backoff_s(tries, retry_after_s=None, rng=self._rng)
            if await wait_with_timeout(self._clock, pause_s, self._stop_event.wait()):
                return  # the job stays in ``saving``: whoever looks after it next begins here
            await self._renew_links(provider, job, saving)

    async def _store_missing(
        self, provider: Provider, job: Job, saving: Saving, stored_images: dict[int, list[JobImage]]
    ) -> list[AtelierError]:
        """Store what is not stored yet; returns why some pictures could not be, one error each."""
        missing = _list_missing(job, saving, stored_images)
        outcomes = await asyncio.gather(
            *(self._store_outputs(provider, job, _get_outputs(job, saving, index)) for index in missing)
        )
        problems: list[AtelierError] = []
        for index, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, list):
                stored_images[index] = outcome
            else:
                problems.append(outcome)
        return problems

    async def _store_outputs(
        self, provider: Provider, job: Job, outputs: tuple[OutputImage, ...]
    ) -> list[JobImage] | AtelierError:
        """What comes of one picture of the service, or of all of them where the job's finish joins them."""
        async with self._download_slots:
            try:
                return await self._finish_outputs(provider, job, outputs)
            except AtelierError as error:
                return error
            except Exception as err:  # a paid picture is tried again, whatever went wrong
                log.exception("storing a picture failed", extra={"job": job.id, "provider": job.provider})
                reason = explain_disk_error(err)
                return StorageUnavailable(f"storing the picture failed{reason and ': '}{reason}.")

    async def _finish_outputs(self, provider: Provider, job: Job, outputs: tuple[OutputImage, ...]) -> list[JobImage]:
        output = outputs[0]
        provenance = _build_provenance(job, output, provider)
        hosts = frozenset[str]().union(*(_find_allowed_hosts(provider, output) for output in outputs))
        now, edit = self._clock.now(), find_transparent_edit(job)
        pipeline = self._pipeline.for_owner(job.caller)
        if job.finish is None:
            stored = await pipeline.store_output(output, provenance=provenance, allow_hosts=hosts, now=now, edit=edit)
            return [JobImage(stored.handle, output.seed)]
        finished = await pipeline.store_finished(
            outputs, job.finish, _list_sources(job), provenance=provenance, allow_hosts=hosts, now=now, edit=edit
        )
        return [JobImage(stored.handle, output.seed, label) for stored, label in finished]

    async def _renew_links(self, provider: Provider, job: Job, saving: Saving) -> None:
        """Ask the upstream for its answer once more: its links may be fresh, its pictures sound."""
        task = saving.task
        if task is None:
            return
        await provider.poll_rate_limit.acquire(self._clock)
        try:
            snapshot = (await provider.poll([task])).get(task.id)
        except Exception as error:  # noqa: BLE001  # whatever it was, the old links are tried again
            log.warning("links were not renewed", extra={"job": job.id, "reason": type(error).__name__})
            return
        # What is stored already is known by its index: another number of pictures could not be matched.
        if isinstance(snapshot, TaskSucceeded) and len(snapshot.outputs) == len(saving.outputs):
            await self._ledger.move(job.id, replace(saving, outputs=snapshot.outputs))


def _list_missing(job: Job, saving: Saving, stored_images: Mapping[int, list[JobImage]]) -> list[int]:
    """The indices of the service's pictures that are not stored yet; a job whose pictures are joined has but one."""
    count = 1 if isinstance(job.finish, Join) else len(saving.outputs)
    return [index for index in range(count) if index not in stored_images]


def _get_outputs(job: Job, saving: Saving, index: int) -> tuple[OutputImage, ...]:
    return saving.outputs if isinstance(job.finish, Join) else (_add_known_seed(job, saving.outputs, index),)


def _add_known_seed(job: Job, outputs: tuple[OutputImage, ...], index: int) -> OutputImage:
    """An output with the seed of its request, where the service tells none: picture n has the seed plus n."""
    seed = job.request.get("seed")
    if not isinstance(seed, int) or any(output.seed is not None for output in outputs):
        return outputs[index]
    return replace(outputs[index], seed=seed + index)


def _list_sources(job: Job) -> dict[str, str]:
    """The job's own pictures that its finish may need, by place."""
    return {place: job.request[place] for place in ("image", "mask") if isinstance(job.request.get(place), str)}


def _build_provenance(job: Job, output: OutputImage, provider: Provider) -> Generated:
    """Where a picture comes from; what an emulator made is not said to be the service's."""
    return Generated(
        job=job.id,
        capability=job.capability,
        provider=job.provider,
        request=job.request,
        notes=tuple(job.notes),
        seed=output.seed,
        is_emulated=provider.is_emulated,
    )


def _find_allowed_hosts(provider: Provider, output: OutputImage) -> frozenset[str]:
    """The service's own host, which was trusted with the submit; any other is reached as a stranger's link is."""
    if isinstance(provider, ConfiguredService):
        host = get_host_and_port(provider.service_origin)
        return list_own_names(host) if provider.is_local else frozenset({host})
    # Of a package's provider that names no host nothing is known but that it works on this machine.
    is_here = provider.is_local and output.url is not None and is_loopback_url(output.url)
    return frozenset({get_host_and_port(output.url)}) if is_here and output.url else frozenset()
