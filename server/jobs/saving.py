"""Fetching the pictures of a job that the upstream has finished."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from atelier_mcp.server.errors import AtelierError, ProviderUnavailable
from atelier_mcp.server.jobs.model import Job, JobImage, Saving
from atelier_mcp.server.jobs.outcomes import after_saving
from atelier_mcp.server.jobs.schedule import backoff_s
from atelier_mcp.server.providers.base import Done, Output, Provider

if TYPE_CHECKING:
    from random import Random

    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.jobs.desk import Desk, Tracked
    from atelier_mcp.server.jobs.gallery import Gallery
    from atelier_mcp.server.jobs.ledger import Ledger

log = logging.getLogger(__name__)

DOWNLOADS_AT_ONCE: Final = 8
SAVING_PATIENCE_S: Final = 600.0
"""Pictures that were made are fetched for at least this long, whatever the job's deadline."""


class Saver:
    """Stores finished pictures, however many tries that takes, and ends the job."""

    def __init__(self, ledger: Ledger, gallery: Gallery, *, clock: Clock, random: Random) -> None:
        """Download at most ``DOWNLOADS_AT_ONCE`` pictures at a time."""
        self._ledger = ledger
        self._gallery = gallery
        self._clock = clock
        self._random = random
        self._downloads = asyncio.Semaphore(DOWNLOADS_AT_ONCE)

    async def save(self, desk: Desk, tracked: Tracked) -> None:
        """Fetch and store the pictures of a job in ``saving``, then end it."""
        give_up_at = max(tracked.job.deadline, self._clock.now() + timedelta(seconds=SAVING_PATIENCE_S))
        kept: dict[int, JobImage] = {}
        tries = 0
        while isinstance(saving := tracked.job.state, Saving):
            problem = await self._keep_missing(desk.provider, tracked.job, saving, kept)
            if problem is None or self._clock.now() >= give_up_at:
                images = [kept[index] for index in sorted(kept)]
                state, charge = after_saving(saving, images, problem)
                await self._ledger.move(tracked.job.id, state, charge=charge)
                return
            tries += 1
            log.warning(
                "pictures could not be fetched, trying again",
                extra={"job": tracked.job.id, "provider": tracked.job.provider, "tries": tries, "reason": problem.what},
            )
            await self._clock.sleep(backoff_s(tries, retry_after_s=None, random=self._random))
            await self._renew(desk, tracked, saving)

    async def _keep_missing(
        self, provider: Provider, job: Job, saving: Saving, kept: dict[int, JobImage]
    ) -> AtelierError | None:
        """Store what is not stored yet; returns why some pictures could not be."""
        missing = [index for index in range(len(saving.outputs)) if index not in kept]
        outcomes = await asyncio.gather(*(self._keep(provider, job, saving.outputs[index]) for index in missing))
        problem: AtelierError | None = None
        for index, outcome in zip(missing, outcomes, strict=True):
            if isinstance(outcome, JobImage):
                kept[index] = outcome
            else:
                problem = outcome
        return problem

    async def _keep(self, provider: Provider, job: Job, output: Output) -> JobImage | AtelierError:
        async with self._downloads:
            try:
                stored = await self._gallery.keep(
                    output,
                    made=_made(job, output, provider),
                    allow_hosts=_own_host(provider, output),
                    now=self._clock.now(),
                )
            except AtelierError as error:
                return error
            except Exception:  # a paid picture is tried again, whatever went wrong
                log.exception("storing a picture failed", extra={"job": job.id, "provider": job.provider})
                return ProviderUnavailable("storing the picture failed.")
        return JobImage(stored.handle, output.seed)

    async def _renew(self, desk: Desk, tracked: Tracked, saving: Saving) -> None:
        """Ask the upstream for its answer once more: the links in it may be fresh."""
        task = saving.task
        if task is None or all(output.url is None for output in saving.outputs):
            return
        while wait_s := desk.pace.wait_s(self._clock.monotonic(), haste=False):
            await self._clock.sleep(wait_s)
        desk.pace.take(self._clock.monotonic())
        try:
            snapshot = (await desk.provider.look([task])).get(task.id)
        except Exception as error:  # noqa: BLE001  # whatever it was, the old links are tried again
            log.warning("links were not renewed", extra={"job": tracked.job.id, "reason": type(error).__name__})
            return
        if isinstance(snapshot, Done) and len(snapshot.outputs) == len(saving.outputs):
            renewed = Saving(task, snapshot.outputs, saving.data, saving.lost)
            tracked.job = await self._ledger.move(tracked.job.id, renewed)


def _made(job: Job, output: Output, provider: Provider) -> dict[str, Any]:
    """Where a picture comes from; what a stand-in made is not said to be the service's."""
    return {
        "job": job.id,
        "capability": job.capability,
        "provider": job.provider,
        **({"disclaimer": provider.disclaimer} if provider.disclaimer else {}),
        "request": dict(job.request),
        "notes": list(job.notes),
        "seed": output.seed,
    }


def _own_host(provider: Provider, output: Output) -> frozenset[str]:
    """An upstream on this machine hands out links to this machine, which are otherwise refused."""
    if not provider.local or output.url is None:
        return frozenset()
    return frozenset({urlsplit(output.url).netloc})
