"""How jobs and pictures are shown: a short text, a few small previews, and the facts for programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import mcp_types as types
from pydantic import BaseModel, Field

from atelier_mcp.server.errors import AtelierError, ImageRefused, Spent, UpstreamFailed
from atelier_mcp.server.images.finish_plan import MASK_LABEL, CutOut
from atelier_mcp.server.job_data import format_job_data
from atelier_mcp.server.tool_result import ToolResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.preview import Preview
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.jobs.model import Job, Saving, State
    from atelier_mcp.server.jobs.timing import JobTiming
    from atelier_mcp.server.services import Services

MAX_PREVIEWS = 4
MAX_PREVIEW_BYTES = 350_000
"""Of JPEG; as base64, with the words around it, an answer stays under 500 KB."""
JOINED_NOTE = "An identical request was still under way: this is its job, nothing was paid twice."
MASK_NOTE = "The mask is black on the subject, shown in red: other tools take its handle as mask."


class ImageResult(BaseModel):
    """One stored picture."""

    handle: str
    path: str | None = None
    """Its file, for a caller on this machine."""
    link: str | None = None
    """Where it can be read for half an hour, for any other caller."""
    width: int
    height: int
    size_bytes: int | None = None
    seed: int | None = None
    steps: int | None = None
    sampler: str | None = None
    label: str = ""
    """What it is, where an answer has pictures of several kinds: ``cut-out``, ``mask``."""


class JobResult(ToolResult):
    """One job and its pictures."""

    shows_images: ClassVar[bool] = True

    job_id: str
    state: str
    account: str
    images: list[ImageResult] = Field(default_factory=list[ImageResult])
    data: dict[str, Any] | None = None
    notes: list[str] = Field(default_factory=list[str])
    progress: float | None = None
    """The share that is done, in [0, 1], while it runs and where the service says."""
    typical_s: float | None = None
    """How long such jobs usually take, while it is unfinished and where that is known."""

    def format_text(self) -> str:
        """State first, then what was found out, one line per picture, and what the reader should know."""
        data_lines = format_job_data(self.data or {}, image_count=len(self.images))
        return "\n".join(
            [self._format_headline(), *data_lines, *(format_image_line(image) for image in self.images), *self.notes]
        )

    def _format_headline(self) -> str:
        if self.state == "succeeded":
            image_count_text = f"{len(self.images)} picture{'s' * (len(self.images) != 1)}" if self.images else "Done"
            return f"{image_count_text}, job {self.job_id} at {self.account}."
        if self.state in {"submitting", "queued", "running", "saving"}:
            return f"Job {self.job_id} is {self.state}; it goes on: call wait_for_jobs."
        return f"Job {self.job_id}: {self.state}."


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """A stored picture as it is put before a reader: a mask in red on the picture ``background`` it."""

    image: StoredImage
    background: StoredImage | None = None
    is_mask: bool = False


def format_image_line(image: ImageResult) -> str:
    """Handle, what it is, size, seed, steps, sampler, file size and file of one picture, as far as they are known."""
    label = f"  {image.label}" if image.label else ""
    facts = [
        f"{image.width}x{image.height}",
        "" if image.seed is None else f"seed {image.seed}",
        "" if image.steps is None else f"{image.steps} steps",
        image.sampler or "",
        f"{max(1, round(image.size_bytes / 1000)):,} kB" if image.size_bytes else "",
    ]
    return f"{image.handle}{label}  {', '.join(fact for fact in facts if fact)}  {image.path or image.link}"


async def build_job_result(job: Job, services: Services, *, joined: bool = False) -> JobResult:
    """The answer for one job; a job that failed is raised as its error."""
    error = _build_error(job, services)
    if error:
        raise error
    # None for a finished job: only the others are measured.
    timing = (await services.jobs.measure([job])).get(job.id)
    result, preview_images = await describe_job(job, services, joined=joined, timing=timing)
    result.notes += await add_previews(result, preview_images, services)
    return result


async def describe_job(
    job: Job, services: Services, *, joined: bool = False, timing: JobTiming | None = None
) -> tuple[JobResult, list[PreviewImage]]:
    """The structured answer for one job in any state, and its stored pictures.

    ``timing`` is said of a job that is not finished.
    """
    from atelier_mcp.server.jobs.model import Running, Submitting, Succeeded, get_state_name
    from atelier_mcp.server.providers.base import EMULATED_NOTE, EMULATED_WORDS_NOTE

    notes = [JOINED_NOTE] if joined else []
    notes += [*job.notes]
    result = JobResult(job_id=job.id, state=get_state_name(job.state), account=job.account, notes=notes)
    preview_images: list[PreviewImage] = []
    result.progress = job.state.progress if isinstance(job.state, Submitting | Running) else None
    notes += _describe_step(job.state) or await _describe_disk(job, services)
    if timing is not None:
        notes.append(timing.format())
        result.typical_s = timing.typical_s
    # By account and not by name: a job of another session may be of credentials that are no longer set.
    provider = services.router.find_by_account(job.account)
    is_emulated = provider is not None and provider.is_emulated
    if isinstance(job.state, Succeeded):
        background = await _find_background(job, services)
        for image in job.state.images:
            try:
                # The ledger remembers handles; the file itself may have been deleted by the user.
                stored = await services.image_store.find(image.handle)
            except ImageRefused:
                notes.append(f"{image.handle} is no longer in the library: its file was taken away.")
                continue
            notes += _describe_earlier_image(stored, job)
            is_mask = image.label == MASK_LABEL
            preview_images.append(PreviewImage(stored, background if is_mask else None, is_mask=is_mask))
            image_result = build_image_result(stored, services, seed=image.seed, label=image.label)
            # The stand-in runs no diffusion: the steps of the request are none that were taken.
            result.images.append(image_result if is_emulated else _add_sampling(image_result, job.request))
        notes += _describe_mark(job, services) if result.images else []
        notes += _describe_price(job, services) if result.images else []
        notes += [MASK_NOTE] * any(image.label == MASK_LABEL for image in job.state.images)
        notes += [f"One picture is missing: {reason}." for reason in job.state.lost]
        result.data = {**job.state.data, **_describe_cost(job)} or None
        notes += _describe_trigger(job)
    error = _build_error(job, services)
    if error:
        notes.append(str(error))
    if is_emulated and result.state == "succeeded":
        notes.append(EMULATED_WORDS_NOTE if job.capability == "describe_image" else EMULATED_NOTE)
    result.notes = notes
    return result, preview_images


def _describe_step(state: State) -> list[str]:
    """How far a job is that is not finished, and what holds it up."""
    from atelier_mcp.server.jobs.model import Queued, Running, Saving, Submitting

    notes: list[str] = []
    if isinstance(state, Submitting | Running) and state.progress is not None:
        notes.append(f"{state.progress:.0%} done.")
    if isinstance(state, Submitting) and state.is_waiting:
        notes.append("It waits for its turn at the service and is not sent yet.")
    if isinstance(state, Queued | Running) and state.problem:
        notes.append(f"It cannot be followed at the moment: {state.problem} It waits, and is asked about again.")
    # Only after a first try has failed: before it, saving takes a moment and needs no explanation.
    if isinstance(state, Saving) and state.tries:
        notes.append(_format_saving_problem(state))
    return notes


async def _describe_disk(job: Job, services: Services) -> list[str]:
    """Why an unfinished job does not get on, where that is the server's own disk."""
    trouble = "" if job.is_finished else await services.image_store.find_disk_trouble()
    return [f"The server cannot write its own files: {trouble}. The job goes on once it can."] * bool(trouble)


def _format_saving_problem(saving: Saving) -> str:
    """Why pictures that are made and paid for are not here yet."""
    times = "once" if saving.tries == 1 else f"{saving.tries} times"
    return (
        f"The pictures are made, but could not be fetched yet, tried {times}: {saving.problem} They are tried on until "
        "their links are dead; atelier doctor checks the way."
    )


def build_image_result(
    stored: StoredImage, services: Services, *, seed: int | None = None, label: str = ""
) -> ImageResult:
    """The structured answer for one stored picture."""
    path, link = services.locate(stored)
    return ImageResult(
        handle=stored.handle,
        path=path,
        link=link,
        width=stored.width,
        height=stored.height,
        size_bytes=stored.size_bytes,
        seed=seed,
        label=label,
    )


def _add_sampling(image: ImageResult, request: Mapping[str, Any]) -> ImageResult:
    """With the steps and the sampler of the job's planned request."""
    advanced: Mapping[str, Any] = request.get("advanced") or {}
    return image.model_copy(update={"steps": request.get("steps"), "sampler": advanced.get("sampler_name")})


def _describe_trigger(job: Job) -> list[str]:
    """The word that calls up a LoRA that was trained."""
    trigger = job.request.get("trigger") if job.capability == "train_lora" else None
    return [f"Its trigger word in prompts is {trigger!r}."] if trigger else []


def _describe_mark(job: Job, services: Services) -> list[str]:
    """That the service puts a visible mark on its pictures, the first time its caller gets one."""
    note = format_mark(job.provider, job.capability, services)
    # By the service, whatever can be done about it with this tool.
    is_new = bool(note) and services.session_notes.add(job.caller, f"mark of {job.provider}")
    return [note] * is_new


def format_mark(provider: str, capability: str, services: Services) -> str:
    """That the service puts a visible mark on such pictures, and what can be done about it; "" where it puts none."""
    operation = services.router.operations.find(provider, capability)
    if not operation.puts_visible_mark:
        return ""
    return f"{provider} puts a visible mark on its pictures. {operation.mark_hint}".rstrip()


def _describe_price(job: Job, services: Services) -> list[str]:
    """That the service is free, the first time its caller gets a picture of it."""
    from atelier_mcp.server.providers.provider import is_free

    provider = services.router.find_by_account(job.account)
    note = f"{job.provider} is free: it counts against no budget."
    return [note] * (provider is not None and is_free(provider) and services.session_notes.add(job.caller, note))


def _describe_cost(job: Job) -> dict[str, Any]:
    """What the job cost and by whose prices, where that is known."""
    from atelier_mcp.server.jobs.cost import find_cost
    from atelier_mcp.server.providers.money import format_amount

    money, price = find_cost(job), job.quote.price
    if money is None or price is None:
        return {}
    return {"cost": {"amount": format_amount(money.amount), "currency": money.currency, "source": price.source}}


def _describe_earlier_image(stored: StoredImage, job: Job) -> list[str]:
    """What to say of a picture that was there before the job made it once more."""
    from atelier_mcp.server.images.provenance import Generated

    provenance = stored.provenance
    if not isinstance(provenance, Generated):
        return [f"{stored.handle} is byte for byte a picture that was stored before."]
    if provenance.job == job.id:
        return []
    return [f"{stored.handle} is byte for byte the picture of job {provenance.job}."]


async def _find_background(job: Job, services: Services) -> StoredImage | None:
    """The picture that the job's mask belongs to, as long as it is stored."""
    # No other job has a mask among its pictures.
    if not isinstance(job.finish, CutOut):
        return None
    try:
        return await services.image_store.find(str(job.request.get("image")))
    except ImageRefused:
        return None


async def add_previews(result: ToolResult, preview_images: Sequence[PreviewImage], services: Services) -> list[str]:
    """Add previews of the first pictures; a resource link to each where the operator wants them.

    Returns what a reader must know to give coordinates: the scale of each picture that is shown smaller than it is.
    """
    import base64

    from atelier_mcp.server.images.preview import create_previews

    longest_px = services.settings.preview_px
    shown_images = preview_images[: MAX_PREVIEWS if longest_px else 0]
    backgrounds = {index: one.background for index, one in enumerate(shown_images) if one.background}
    async with services.image_store.open_paths([*(one.image for one in shown_images), *backgrounds.values()]) as paths:
        base_paths = zip(backgrounds, paths[len(shown_images) :], strict=True)
        previews = await services.image_workers.run(
            create_previews,
            paths[: len(shown_images)],
            longest_px=longest_px,
            budget_bytes=MAX_PREVIEW_BYTES,
            base_images={paths[index]: base_path for index, base_path in base_paths},
        )
    result.blocks.extend(
        types.ImageContent(type="image", data=base64.b64encode(preview.data).decode(), mime_type="image/jpeg")
        for preview in previews
    )
    if services.settings.resource_links:
        result.blocks.extend(_build_resource_link(one.image) for one in preview_images)
    images = [one.image for one in preview_images]
    return [*_name_shown(images, previews), *describe_scales(images, previews)]


def _name_shown(images: Sequence[StoredImage], previews: Sequence[Preview]) -> list[str]:
    """Which of the pictures are shown, where that is not all of them and any is."""
    if not 0 < len(previews) < len(images):
        return []
    shown = ", ".join(image.handle for image in images[: len(previews)])
    return [f"Shown here, in this order: {shown}. view_image shows the others."]


def _build_resource_link(image: StoredImage) -> types.ResourceLink:
    """A link for the person who asked; a model has the handle."""
    return types.ResourceLink(
        type="resource_link",
        name=image.name,
        uri=f"atelier://images/{image.handle}",
        mime_type=image.media_type,
        size=image.size_bytes,
        annotations=types.Annotations(audience=["user"]),
    )


def describe_scales(images: Sequence[StoredImage], previews: Sequence[Preview]) -> list[str]:
    """One line for each scale that pictures are shown at; none for those that are shown as large as they are."""
    handles_by_scale: dict[str, list[str]] = {}
    for image, preview in zip(images, previews, strict=False):
        if preview.width < image.width or preview.height < image.height:
            scale = format_scale((preview.width, preview.height), (image.width, image.height))
            handles_by_scale.setdefault(scale, []).append(image.handle)
    # One scale for all that are shown: the handles need not be told apart.
    if len(handles_by_scale) == 1 and len(images) == len(previews):
        return list(handles_by_scale)
    return [f"{', '.join(handles)}: {scale}" for scale, handles in handles_by_scale.items()]


def format_scale(shown_size: tuple[int, int], size: tuple[int, int]) -> str:
    """How a reader of a smaller picture finds the coordinates of the picture itself."""
    return (
        f"shown at {shown_size[0]}x{shown_size[1]}; coordinates are in {size[0]}x{size[1]} pixels, "
        f"times {size[0] / shown_size[0]:.3g}."
    )


def _build_error(job: Job, services: Services) -> AtelierError | None:
    from atelier_mcp.server.providers.provider import is_free

    provider = services.router.find_by_account(job.account)
    return build_job_error(job, costs_nothing=provider is not None and is_free(provider))


def build_job_error(job: Job, *, costs_nothing: bool = False) -> AtelierError | None:
    """The error that a job ended with, if it did; ``costs_nothing`` at a service that is free."""
    from atelier_mcp.server.jobs.model import Failed, Unconfirmed

    match job.state:
        case Failed(what=what, spent=spent, then=then):
            return UpstreamFailed(f"Job {job.id} failed: {what}", hint=" ".join(part for part in (spent, then) if part))
        case Unconfirmed() if costs_nothing:
            what = f"Job {job.id} was sent, but its answer was lost; what became of it is not known."
            return UpstreamFailed(
                what, spent=Spent.NOTHING, hint="It is not sent again by itself; asking again is free."
            )
        case Unconfirmed():
            return UpstreamFailed(
                f"Job {job.id} was sent, but its answer was lost; whether it was accepted is not known.",
                spent=Spent.MAYBE,
                hint="It is not sent again by itself. Ask again only if paying twice is acceptable.",
            )
        case _:
            return None
