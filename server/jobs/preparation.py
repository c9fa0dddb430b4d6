"""From a request as asked to a request as it will be sent: planned, its pictures admitted, and recognisable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atelier_mcp.server.images.exchange import ImageRule
    from atelier_mcp.server.jobs.image_pipeline import AdmittedImageProtocol, ImagePipelineProtocol
    from atelier_mcp.server.providers.base import Provider
    from atelier_mcp.server.requests.base import Request


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A request that may be sent. Nothing is spent yet."""

    provider: Provider
    request: Request
    """The provider's choices filled in, pictures named by handle."""
    rules: Mapping[str, ImageRule]
    admitted_images: Mapping[str, AdmittedImageProtocol]
    notes: tuple[str, ...]
    fingerprint: str
    """The same for whoever asks the same of the same account."""

    async def deliver(self, pipeline: ImagePipelineProtocol) -> Mapping[str, str]:
        """Each picture as the upstream will get it, by place."""
        return await pipeline.deliver(self.admitted_images, self.rules, local=self.provider.is_local)


async def prepare_request(
    request: Request, *, provider: Provider, pipeline: ImagePipelineProtocol, now: datetime
) -> PreparedRequest:
    """Plan a request and check its pictures. Raises any ``AtelierError``; nothing was spent then."""
    opened_images = await pipeline.open(dict(request.list_image_references()))
    plan = await provider.plan(request, {place: image.header for place, image in opened_images.items()})
    admitted_images = await pipeline.admit(opened_images, plan.image_rules, now=now)
    final_request = plan.request.replace_image_references(
        {place: picture.handle for place, picture in admitted_images.items()}
    )
    changes = tuple(note for picture in admitted_images.values() for note in picture.notes)
    return PreparedRequest(
        provider,
        final_request,
        plan.image_rules,
        admitted_images,
        plan.notes + changes,
        _compute_fingerprint(final_request, provider),
    )


def _compute_fingerprint(request: Request, provider: Provider) -> str:
    identity = [request.capability, provider.account, request.to_document()]
    return sha256(json.dumps(identity, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
