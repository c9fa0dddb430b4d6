"""Fetching the pictures of a job that the upstream has finished."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from atelier_mcp.server.errors import AtelierError, ProviderUnavailable
from atelier_mcp.server.images.finishing import Join
from atelier_mcp.server.images.provenance import Generated
from atelier_mcp.server.jobs.model import Job, JobImage, Saving
from atelier_mcp.server.jobs.outcomes import decide_after_saving
from atelier_mcp.server.jobs.schedule import compute_backoff_s
from atelier_mcp.server.providers.base import TaskSucceeded

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
SAVING_TIME_LIMIT_S: Final = 600.0
"""Pictures that were made are fetched for at least this long, whatever the job's deadline."""


class ImageSaver:
    """Stores finished pictures, however many tries that takes, and ends the job."""

    def __init__(self, ledger: Ledger, pipeline: ImagePipeline, *, clock: Clock, rng: Random) -> None:
        """Download at most ``MAX_CONCURRENT_DOWNLOADS`` pictures at a time."""
        self._ledger = ledger
        self._pipeline = pipeline
        self._clock = clock
        self._rng = rng
        self._download_slots = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)

    async def save(self, job: Job, provider: Provider, *, reload: Callable[[], Job | None]) -> None:
        """Fetch and store the pictures of a job in ``saving``, then end it.

        ``reload`` gives the job as it now stands: one that was cancelled meanwhile, or is gone, is let go.
        """
        # From now and not from when the job was asked for: a server that was down for a day still fetches.
        time_limit_at = max(job.deadline, self._clock.now() + timedelta(seconds=SAVING_TIME_LIMIT_S))
        stored_images: dict[int, list[JobImage]] = {}
        tries = 0
        while (current_job := reload()) is not None and isinstance(saving := current_job.state, Saving):
            problem = await self._store_missing(provider, job, saving, stored_images)
            if problem is None or self._clock.now() >= time_limit_at:
                images = [image for index in sorted(stored_images) for image in stored_images[index]]
                missing_count = 0 if problem is None else len(_list_missing(job, saving, stored_images))
                state, charge = decide_after_saving(saving, images, problem, missing_count=missing_count)
                await self._ledger.move(job.id, state, charge=charge)
                return
            tries += 1
            log.warning(
                "pictures could not be fetched, trying again",
                extra={"job": job.id, "provider": job.provider, "tries": tries, "reason": problem.message},
            )
            await self._clock.sleep(compute_backoff_s(tries, retry_after_s=None, rng=self._rng))
            await self._renew_links(provider, job, saving)

    async def _store_missing(
        self, provider: Provider, job: Job, saving: Saving, stored_images: dict[int, list[JobImage]]
    ) -> AtelierError | None:
        """Store what is not stored yet; returns why some pictures could not be."""
        missing = _list_missing(job, saving, stored_images)
        outcomes = await asyncio.gather(
            *(self._store_outputs(provider, job, _get_outputs(job, saving, index)) for index in missing)
        )
        problem: AtelierError | None = None
        for index, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, list):
                stored_images[index] = outcome
            else:
                problem = outcome
        return problem

    async def _store_outputs(
        self, provider: Provider, job: Job, outputs: tuple[OutputImage, ...]
    ) -> list[JobImage] | AtelierError:
        """What comes of one picture of the service, or of all of them where the job's finish joins them."""
        async with self._download_slots:
            try:
                return await self._finish_outputs(provider, job, outputs)
            except AtelierError as error:
                return error
            except Exception:  # a paid picture is tried again, whatever went wrong
                log.exception("storing a picture failed", extra={"job": job.id, "provider": job.provider})
                return ProviderUnavailable("storing the picture failed.")

    async def _finish_outputs(self, provider: Provider, job: Job, outputs: tuple[OutputImage, ...]) -> list[JobImage]:
        output = outputs[0]
        provenance = _build_provenance(job, output, provider)
        hosts = frozenset[str]().union(*(_find_allowed_hosts(provider, output) for output in outputs))
        now = self._clock.now()
        if job.finish is None:
            stored = await self._pipeline.store_output(output, provenance=provenance, allow_hosts=hosts, now=now)
            return [JobImage(stored.handle, output.seed)]
        finished = await self._pipeline.store_finished(
            outputs, job.finish, _list_sources(job), provenance=provenance, allow_hosts=hosts, now=now
        )
        return [JobImage(stored.handle, output.seed, label) for stored, label in finished]

    async def _renew_links(self, provider: Provider, job: Job, saving: Saving) -> None:
        """Ask the upstream for its answer once more: the links in it may be fresh."""
        task = saving.task
        if task is None or all(output.url is None for output in saving.outputs):
            return
        await provider.poll_rate_limit.acquire(self._clock)
        try:
            snapshot = (await provider.poll([task])).get(task.id)
        except Exception as error:  # noqa: BLE001  # whatever it was, the old links are tried again
            log.warning("links were not renewed", extra={"job": job.id, "reason": type(error).__name__})
            return
        # What is stored already is known by its index: another number of pictures could not be matched.
        if isinstance(snapshot, TaskSucceeded) and len(snapshot.outputs) == len(saving.outputs):
            await self._ledger.move(job.id, Saving(task, snapshot.outputs, saving.data, saving.lost))


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
    """An upstream on this machine hands out links to this machine, which are otherwise refused."""
    if not provider.is_local or output.url is None:
        return frozenset()
    return frozenset({urlsplit(output.url).netloc})
