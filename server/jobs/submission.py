"""What is to be sent for a request: one provider's plan of it, with its pictures and its fingerprint."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.jobs.model import Job, Submitting
from atelier_mcp.server.jobs.transparency import needs_png
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import JobOperation, NamedJobOperation
from atelier_mcp.server.providers.price_file import PriceBook, PricedJob
from atelier_mcp.server.providers.provider import costs_nothing
from atelier_mcp.server.providers.quote import FREE_QUOTE
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.finish_plan import Finish
    from atelier_mcp.server.images.opening import OpenedImage
    from atelier_mcp.server.images.pipeline import AdmittedImage, ImagePipeline
    from atelier_mcp.server.jobs.model import JobId
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.operation import Operation
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.quote import Quote
    from atelier_mcp.server.requests.base import Request

_STEPS: Final = re.compile(r"(?:(?<=, )|\A)\d+ steps(?=,|\Z)")


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
    quote: Quote
    """What it will cost, as far as that is known."""
    image_rules: Mapping[str, ImageRule]
    admitted_images: Mapping[str, AdmittedImage]
    notes: tuple[str, ...]
    """What was chosen or changed for the caller."""
    fingerprint: str
    """The same for whoever asks the same of the same account."""

    @property
    def job_operation(self) -> JobOperation[Any]:
        """The operation, which must be one that makes a job."""
        if not isinstance(self.operation, JobOperation):
            raise TypeError(f"{self.provider.name} makes no job of {self.request.capability}")
        return self.operation

    async def build_job(self, job_id: JobId, *, caller: str, deadline_s: float, now: datetime) -> Job:
        """The job as it is written down before it is sent, with the task it will make where its id is ours."""
        operation, task = self.job_operation, None
        if isinstance(operation, NamedJobOperation):
            with raise_rejection_errors():
                task = await operation.name_task(self.sent_request, job_id)
        return Job(
            id=job_id,
            capability=self.request.capability,
            provider=self.provider.name,
            account=self.provider.account,
            caller=caller,
            request=self.request.to_document(),
            notes=self.notes,
            image_count=self.image_count,
            created_at=now,
            updated_at=now,
            deadline=now + timedelta(seconds=deadline_s),
            state=Submitting(is_waiting=operation.call_slots is not None, task=task),
            finish=self.finish,
            quote=self.quote,
        )

    async def deliver(self, pipeline: ImagePipeline) -> Mapping[str, str]:
        """Each picture as the upstream will get it, by place: a link or base64."""
        return await pipeline.deliver(self.admitted_images, self.image_rules, local=self.provider.is_local)


def choose_by_sources(request: Request, opened_images: Mapping[str, OpenedImage]) -> dict[str, Any]:
    """The fields that depend on its pictures: PNG where a JPEG would spoil one, a wanted side as a ratio of theirs.

    Raises ``InvalidRequest`` for what cannot be made of pictures of their sizes.
    """
    sizes = {place: (image.header.width, image.header.height) for place, image in opened_images.items()}
    try:
        chosen = request.choose_by_sizes(sizes)
    except ValueError as err:
        raise InvalidRequest(f"{err}.") from err
    return chosen | ({"format": "png"} if needs_png(request, opened_images) else {})


async def cut_tiles(
    plan: Plan, images: Mapping[str, AdmittedImage], pipeline: ImagePipeline, *, now: datetime
) -> tuple[Mapping[str, AdmittedImage], Mapping[str, ImageRule]]:
    """Images and rules with the tiles of a picture in its place."""
    images, rules = dict(images), dict(plan.image_rules)
    for place, boxes in plan.tiles.items():
        rule = rules.pop(place)
        for index, tile in enumerate(await pipeline.cut_tiles(images.pop(place), boxes, now=now)):
            images[format_place(place, index)], rules[format_place(place, index)] = tile, rule
    return images, rules


def quote_plan(
    plan: Plan, request: Request, provider: Provider, *, image_count: int, prices: PriceBook | None
) -> Quote:
    """What a job of so many pictures will cost, as far as the operator or the provider knows."""
    if costs_nothing(provider):
        return FREE_QUOTE
    model = str(getattr(request, "model", None) or "")
    job = PricedJob(provider.name, provider.account, request.capability, model)
    return (prices or PriceBook()).quote(
        job, image_count=image_count, own_price=plan.price, tokens=plan.expected_tokens
    )


def qualify_steps(notes: tuple[str, ...]) -> tuple[str, ...]:
    """The notes of what was chosen, where no diffusion takes the steps it chose: the stand-in runs none."""
    return tuple(_STEPS.sub(r"\g<0> (the stand-in runs none)", note) for note in notes)


def compute_fingerprint(request: Request, provider: Provider) -> str:
    """The same text for the same request to the same account."""
    identity = [request.capability, provider.account, request.to_document()]
    return sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
