"""Several jobs in one answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import Field

from atelier_mcp.server.job_result import JobResult, PreviewImage, describe_job
from atelier_mcp.server.requests.recipe import build_recipe, format_call
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.jobs.model import Job, JobFilter
    from atelier_mcp.server.services import Services

# Of JPEG, beside which stand the texts of up to a hundred jobs.
MAX_SHEET_BYTES: Final = 200_000
RECENT_IMAGES: Final = 200
"""Among so many of the newest pictures those are looked for that no job made."""
MAX_LOCAL_IMAGES: Final = 5
"""Listed without being asked for by their time."""


class ListedJob(JobResult):
    """A job together with what was asked."""

    tool: str = ""
    request: dict[str, Any] | None = None
    """The arguments of ``tool`` that repeat the job."""
    created_at: str = ""

    def format_text(self) -> str:
        """What was asked and when, then the job's own text."""
        return f"{self.created_at}  {format_call(self.tool, self.request or {})}\n{super().format_text()}"


class JobsResult(ToolResult):
    """Jobs, each as its own tool would have answered."""

    shows_images: ClassVar[bool] = True

    now: str | None = None
    jobs: list[ListedJob] = Field(default_factory=list[ListedJob])
    more: bool | None = None
    notes: list[str] = Field(default_factory=list[str])
    unknown_ids: list[str] | None = None

    def format_text(self) -> str:
        """The time now, where it was asked for, then each job's own text."""
        parts = [f"It is {self.now}."] if self.now else []
        parts += [job.format_text() for job in self.jobs] or ["There are no such jobs."]
        parts += format_unknown_ids(self.unknown_ids or [])
        if self.more:
            parts.append("There are more: raise offset.")
        parts += ["\n".join(self.notes)] * bool(self.notes)
        # A blank line between jobs and a line break within: notes of one job must not pass for the next one's.
        return "\n\n".join(parts)


@dataclass(frozen=True, slots=True)
class JobSelection:
    """The jobs that were named, and the ids that no job has."""

    jobs: Sequence[Job]
    unknown_ids: list[str] = field(default_factory=list[str])


async def select_jobs(ids: Sequence[str], services: Services) -> JobSelection:
    """The jobs of these ids, each once. Raises ``JobNotFound`` when there is none of them."""
    from atelier_mcp.server.jobs.model import JobId

    # An id that is named twice would else be answered twice.
    job_ids = list(dict.fromkeys(JobId(job_id) for job_id in ids))
    jobs = await services.jobs.find(job_ids)
    if not jobs:
        await services.jobs.get(job_ids)  # raises: it words the refusal
    known_ids = {job.id for job in jobs}
    return JobSelection(jobs, [job_id for job_id in job_ids if job_id not in known_ids])


def format_unknown_ids(ids: Sequence[str]) -> list[str]:
    """A line for ids that no job has."""
    return [f"No job has the id {', '.join(ids)}: list_jobs shows those there are."] if ids else []


def format_moment(moment: datetime) -> str:
    """A moment in UTC: ``2026-11-20 13:05:09 UTC``."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


async def build_jobs_result(jobs: Sequence[Job], services: Services) -> tuple[JobsResult, list[PreviewImage]]:
    """The answer for several jobs, and their stored pictures, none of which is in it yet."""
    jobs_result = JobsResult()
    preview_images: list[PreviewImage] = []
    # All at once: one question to the ledger instead of one for each job.
    timings = await services.jobs.measure(jobs)
    for job in jobs:
        result, job_images = await describe_job(job, services, timing=timings.get(job.id))
        jobs_result.jobs.append(
            ListedJob(
                # The fields as they are, not model_dump: their pictures stay models.
                **dict(result),
                tool=job.capability,
                request=build_recipe(job.capability, job.request, provider=job.provider, seed=_get_first_seed(result)),
                created_at=format_moment(job.created_at),
            )
        )
        preview_images += job_images
    return jobs_result, preview_images


@dataclass(frozen=True, slots=True)
class LocalImages:
    """What was made here of others, without a job; the newest first."""

    results: Sequence[StoredImage]
    masks: Sequence[StoredImage]

    def format_lines(self) -> list[str]:
        """A line each, below one that says what they are; nothing without any."""
        groups = {"Made here without a job": self.results, "Masks drawn": self.masks}
        return [line for title, images in groups.items() if images for line in _format_images(title, images)]


async def find_local_images(services: Services, when: JobFilter, *, count: int) -> LocalImages:
    """The newest of that time, up to ``count`` pictures and as many masks."""
    from atelier_mcp.server.images.provenance import is_local_result, is_own_mask

    images = [
        image
        for image in await services.image_store.list_recent(RECENT_IMAGES)
        if (when.since is None or image.created_at >= when.since)
        and (when.until is None or image.created_at < when.until)
    ]
    return LocalImages(
        [image for image in images if is_local_result(image.provenance)][:count],
        [image for image in images if is_own_mask(image.provenance)][:count],
    )


def _format_images(title: str, images: Sequence[StoredImage]) -> list[str]:
    from atelier_mcp.server.images.titles import build_title

    lines = (f"{image.handle}  {build_title(image)}  {format_moment(image.created_at)}" for image in images)
    return [f"{title}, newest first:", *lines]


async def describe_spending(services: Services, now: datetime) -> list[str]:
    """What today's jobs count as, in one line."""
    from atelier_mcp.server.jobs.budget_day import to_utc_day
    from atelier_mcp.server.jobs.spending import amounts_to_document, sum_up

    if services.router.is_free:
        return ["None of it costs anything."]
    today = sum_up(await services.jobs.list_spending_by_caller(to_utc_day(now)))
    amounts = [f", {amount} {currency}" for currency, amount in amounts_to_document(today.cost).items()]
    unpriced = f"; jobs without a known price: {today.unpriced_jobs}" * bool(today.unpriced_jobs)
    return [f"Counted today (UTC), in pictures: {today.image_count}{''.join(amounts)}{unpriced}."]


def _get_first_seed(result: JobResult) -> int | None:
    return result.images[0].seed if result.images else None


async def add_contact_sheet(result: JobsResult, preview_images: Sequence[PreviewImage], services: Services) -> None:
    """Show the first of the pictures together, small, each with its handle; masks, black and white, tell nothing."""
    import base64

    import mcp_types as types

    from atelier_mcp.server.images.contact_sheet import MAX_IMAGES, create_contact_sheet

    all_images = [one.image for one in preview_images if not one.is_mask]
    if not all_images:
        return
    if len(all_images) > MAX_IMAGES:
        result.notes.append(
            f"The sheet shows {MAX_IMAGES} of {len(all_images)} pictures; until=... shows earlier ones."
        )
    images = all_images[:MAX_IMAGES]
    async with services.image_store.open_paths(images) as paths:
        named_files = [(image.handle, path) for image, path in zip(images, paths, strict=True)]
        sheet = await services.image_workers.run(create_contact_sheet, named_files, budget_bytes=MAX_SHEET_BYTES)
    result.blocks.append(
        types.ImageContent(type="image", data=base64.b64encode(sheet).decode(), mime_type="image/jpeg")
    )
