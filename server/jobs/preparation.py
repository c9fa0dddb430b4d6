"""How a request becomes what may be sent: the provider that does it, its plan, its pictures checked. Spends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.jobs.submission import Submission, compute_fingerprint, cut_tiles, qualify_steps, quote_plan
from atelier_mcp.server.jobs.transparency import list_transparency_notes, needs_png
from atelier_mcp.server.providers.planning import RouteSearch
from atelier_mcp.server.providers.provider import costs_nothing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from random import Random

    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.providers.price_file import PriceBook
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.requests.base import Request

MAX_CHOSEN_SEED: Final = 9_999_000
"""Below every service's highest seed, with room for eight pictures."""


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
    if needs_png(request, opened_images):
        request = request.model_copy(update={"format": "png"})
    search = RouteSearch(request, headers)
    await search.plan_until_able(providers)
    await search.suggest(others)
    provider, plan = search.choose(providers)
    final_request, notes = plan.request, (*search.explain(provider), *plan.notes)
    if provider.is_emulated:
        notes = qualify_steps(notes)
    admitted_images = await pipeline.admit(opened_images, plan.image_rules, now=now)
    if admitted_images:
        handles = {place: image.original or image.handle for place, image in admitted_images.items()}
        final_request = final_request.replace_image_references(handles)
        notes += tuple(note for image in admitted_images.values() for note in image.notes)
        notes += list_transparency_notes(final_request, admitted_images)
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
        operation=provider.operations[request.capability],
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
