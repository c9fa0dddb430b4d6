"""What is to be sent for a request: one provider's plan of it, with its pictures and its fingerprint.

Until it is handed to the ``Submitter``, a refusal leaves nothing behind.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.jobs.transparency import list_transparency_notes, needs_png
from atelier_mcp.server.providers.base import Plan
from atelier_mcp.server.providers.planning import RouteSearch
from atelier_mcp.server.providers.provider import is_free
from atelier_mcp.server.requests.base import format_place
from atelier_mcp.server.requests.prompt_syntax import has_prompt_signs, use_plain_prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.images.finish import Finish
    from atelier_mcp.server.images.pipeline import AdmittedImage, ImagePipeline
    from atelier_mcp.server.providers.operation import Operation
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request

MAX_CHOSEN_SEED: Final = 9_999_000
"""Below every service's highest seed, with room for eight pictures."""
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


def _compute_fingerprint(request: Request, provider: Provider) -> str:
    identity = [request.capability, provider.account, request.to_document()]
    return sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
