"""From a request as asked to a request as it will be sent: planned, its pictures admitted, and recognisable."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atelier_mcp.server.jobs.gallery import Admitted, Gallery
    from atelier_mcp.server.providers.base import ImageRule, Provider
    from atelier_mcp.server.requests.base import Request


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that may be sent. Nothing is spent yet."""

    provider: Provider
    request: Request
    """The provider's choices filled in, pictures named by handle."""
    rules: Mapping[str, ImageRule]
    admitted: Mapping[str, Admitted]
    notes: tuple[str, ...]
    fingerprint: str
    """The same for whoever asks the same of the same account."""

    async def deliver(self, gallery: Gallery) -> Mapping[str, str]:
        """Each picture as the upstream will get it, by place."""
        return await gallery.deliver(self.admitted, self.rules, local=self.provider.local)


async def prepare(request: Request, *, provider: Provider, gallery: Gallery, now: datetime) -> Prepared:
    """Plan a request and check its pictures. Raises any ``AtelierError``; nothing was spent then."""
    opened = await gallery.open(dict(request.pictures()))
    plan = await provider.plan(request, {place: picture.header for place, picture in opened.items()})
    admitted = await gallery.admit(opened, plan.pictures, now=now)
    named = plan.request.with_pictures({place: picture.handle for place, picture in admitted.items()})
    changes = tuple(note for picture in admitted.values() for note in picture.notes)
    return Prepared(provider, named, plan.pictures, admitted, plan.notes + changes, _fingerprint(named, provider))


def _fingerprint(request: Request, provider: Provider) -> str:
    asked = [request.capability, provider.account, request.document()]
    return sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
