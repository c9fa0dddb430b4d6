"""How jobs and pictures are shown: a short text, a few small previews, a link to each picture, structured content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mcp_types as types
from pydantic import BaseModel, Field

from atelier_mcp.server.answers import Answer
from atelier_mcp.server.errors import AtelierError, ImageRefused, Spent, UpstreamFailed
from atelier_mcp.tools._findings import findings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atelier_mcp.server.images.store import StoredImage
    from atelier_mcp.server.jobs.model import Job
    from atelier_mcp.server.studio import Rooms, Studio

PREVIEWS = 4
PREVIEW_BYTES = 350_000
"""Of JPEG; as base64, with the words around it, an answer stays under 500 KB."""
CUTS_OUT = "cut_out_subject"
MASK_NOTE = "This is a mask, black on the subject and shown in red: give its handle as mask to another tool."


class ImageResult(BaseModel):
    """One stored picture."""

    handle: str
    path: str
    width: int
    height: int
    seed: int | None = None


class JobResult(Answer):
    """One job and its pictures."""

    job_id: str
    state: str
    account: str
    images: list[ImageResult] = Field(default_factory=list[ImageResult])
    data: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])

    def text(self) -> str:
        """State first, then what was found out, one line per picture, and what the reader should know."""
        found = findings(self.data or {}, pictures=len(self.images))
        return "\n".join([self._headline(), *found, *(image_line(image) for image in self.images), *self.notes])

    def _headline(self) -> str:
        if self.state == "succeeded":
            made = f"{len(self.images)} picture{'s' * (len(self.images) != 1)}" if self.images else "Done"
            return f"{made}, job {self.job_id} at {self.account}."
        if self.state in {"submitting", "queued", "running", "saving"}:
            return f"Job {self.job_id} is {self.state}; it goes on. Call wait_for_jobs with it."
        return f"Job {self.job_id}: {self.state}."


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored picture as it is put before a reader: a mask in red on the picture ``beneath`` it."""

    picture: StoredImage
    beneath: Path | None = None


def image_line(image: ImageResult) -> str:
    """Handle, size, seed and file of one picture."""
    seed = "" if image.seed is None else f", seed {image.seed}"
    return f"{image.handle}  {image.width}x{image.height}{seed}  {image.path}"


async def job_result(job: Job, studio: Studio, *, joined: bool = False) -> JobResult:
    """The answer for one job; a job that failed is raised as its error."""
    failure = failure_of(job)
    if failure:
        raise failure
    result, pictures = await described(job, studio.rooms, joined=joined)
    await show(result, pictures, studio.rooms)
    return result


async def described(job: Job, rooms: Rooms, *, joined: bool = False) -> tuple[JobResult, list[Shown]]:
    """The structured answer for one job in any state, and its stored pictures."""
    from atelier_mcp.server.jobs.model import Running, Succeeded, state_name

    notes = ["An identical request was still under way: this is its job, nothing was paid twice."] if joined else []
    notes += [*job.notes]
    result = JobResult(job_id=job.id, state=state_name(job.state), account=job.account, notes=notes)
    pictures: list[Shown] = []
    if isinstance(job.state, Running) and job.state.progress is not None:
        notes.append(f"{job.state.progress:.0%} done.")
    if isinstance(job.state, Succeeded):
        beneath = await _beneath(job, rooms)
        for image in job.state.images:
            try:
                stored = await rooms.images.find(image.handle)
            except ImageRefused:
                notes.append(f"{image.handle} is no longer in the library: its file was taken away.")
                continue
            pictures.append(Shown(stored, beneath))
            result.images.append(image_result(stored, seed=image.seed))
        notes += [MASK_NOTE] * (job.capability == CUTS_OUT)
        notes += [f"One picture is missing: {reason}." for reason in job.state.lost]
        result.data = dict(job.state.data) or None
    failure = failure_of(job)
    if failure:
        notes.append(str(failure))
    provider = rooms.router.by_account(job.account)
    if provider and provider.disclaimer and result.state == "succeeded":
        notes.append(provider.disclaimer)
    result.notes = notes
    return result, pictures


def image_result(stored: StoredImage, *, seed: int | None = None) -> ImageResult:
    """The structured answer for one stored picture."""
    return ImageResult(handle=stored.handle, path=str(stored.path), width=stored.width, height=stored.height, seed=seed)


async def _beneath(job: Job, rooms: Rooms) -> Path | None:
    """The picture whose subject the job marked, as long as it is stored."""
    if job.capability != CUTS_OUT:
        return None
    try:
        return (await rooms.images.find(str(job.request.get("image")))).path
    except ImageRefused:
        return None


async def show(answer: Answer, pictures: Sequence[Shown], rooms: Rooms) -> None:
    """Add previews of the first pictures and a resource link to each."""
    import base64

    from atelier_mcp.server.images.preview import previews

    small = await previews(
        [shown.picture.path for shown in pictures[:PREVIEWS]],
        longest_px=rooms.settings.preview_px,
        budget_bytes=PREVIEW_BYTES,
        beneath={shown.picture.path: shown.beneath for shown in pictures if shown.beneath},
    )
    answer.blocks.extend(
        types.ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/jpeg") for data in small
    )
    answer.blocks.extend(
        types.ResourceLink(
            type="resource_link",
            name=shown.picture.path.name,
            uri=f"atelier://images/{shown.picture.handle}",
            mime_type=shown.picture.media_type,
            size=shown.picture.size_bytes,
        )
        for shown in pictures
    )


def failure_of(job: Job) -> AtelierError | None:
    """The error that a job ended with, if it did."""
    from atelier_mcp.server.jobs.model import Failed, Unconfirmed

    match job.state:
        case Failed(what=what, spent=spent, then=then):
            return UpstreamFailed(f"Job {job.id} failed: {what}", then=" ".join(part for part in (spent, then) if part))
        case Unconfirmed():
            return UpstreamFailed(
                f"Job {job.id} was sent, but its answer was lost; whether it was accepted is not known.",
                spent=Spent.MAYBE,
                then="It is not sent again by itself. Ask again only if paying twice is acceptable.",
            )
        case _:
            return None
