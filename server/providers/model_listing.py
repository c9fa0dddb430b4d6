"""Models of several kinds, of all providers that have them, as one list that can be paged through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.faults import raise_rejection_errors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from atelier_mcp.server.providers.base import ListedModel, ModelPage
    from atelier_mcp.server.providers.provider import Provider

PAGE_SIZE: Final = 100
TRAINING_BASE: Final = "training_base"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model, and who has it."""

    model: ListedModel
    kind: str
    """The kind it was listed as."""
    provider: str
    is_trainable: bool = False


@dataclass(slots=True)
class ModelListing:
    """A part of the list."""

    entries: list[ModelEntry] = field(default_factory=list[ModelEntry])
    has_more: bool = False
    errors: list[tuple[str, AtelierError]] = field(default_factory=list[tuple[str, AtelierError]])
    """Providers whose list could not be had, with the reason."""


async def list_models_of_all(
    providers: Sequence[Provider], kinds: Sequence[str], *, base: str | None, offset: int, limit: int
) -> ModelListing:
    """Models by kind, then by provider in order of preference, each once.

    ``base`` as for ``Provider.list_models``. A provider that refuses or fails leaves the others' lists whole; raises
    its error where nothing else was to be had.
    """
    sources = [(provider, kind) for kind in kinds for provider in providers if kind in provider.model_kinds]
    if len(sources) == 1:
        return await _list_one_source(*sources[0], base=base, offset=offset, limit=limit)
    listing, seen_ids = ModelListing(), set[tuple[str, str]]()
    for provider, kind in sources:
        try:
            async for entry in _iterate_entries(provider, kind, base):
                key = (entry.provider, entry.model.id)
                if key not in seen_ids:
                    seen_ids.add(key)
                    listing.entries.append(entry)
                if len(listing.entries) > offset + limit:
                    return ModelListing(listing.entries[offset : offset + limit], has_more=True, errors=listing.errors)
        except AtelierError as err:
            listing.errors.append((provider.name, err))
    if listing.errors and not listing.entries:
        raise listing.errors[0][1]
    return ModelListing(listing.entries[offset:], errors=listing.errors)


async def _list_one_source(provider: Provider, kind: str, *, base: str | None, offset: int, limit: int) -> ModelListing:
    """A part of one provider's list, as its service pages it."""
    page = await _fetch_page(provider, kind, base=base, offset=offset, limit=limit)
    trainable_ids = await _fetch_trainable_ids(provider, kind)
    entries = [ModelEntry(model, kind, provider.name, model.id in trainable_ids) for model in page.models]
    return ModelListing(entries, has_more=page.has_more)


async def _iterate_entries(provider: Provider, kind: str, base: str | None) -> AsyncIterator[ModelEntry]:
    """Every model of a kind, page by page as far as they are wanted."""
    trainable_ids, count = await _fetch_trainable_ids(provider, kind), 0
    while True:
        page = await _fetch_page(provider, kind, base=base, offset=count)
        for model in page.models:
            yield ModelEntry(model, kind, provider.name, model.id in trainable_ids)
        count += len(page.models)
        if not (page.has_more and page.models):
            return


async def _fetch_page(
    provider: Provider, kind: str, *, base: str | None, offset: int, limit: int = PAGE_SIZE
) -> ModelPage:
    with raise_rejection_errors():
        return await provider.list_models(kind, base=base, offset=offset, limit=limit)


async def _fetch_trainable_ids(provider: Provider, kind: str) -> frozenset[str]:
    """The checkpoints that can be trained on; none where that cannot be read, for it is only an addition."""
    if kind != "checkpoint" or TRAINING_BASE not in provider.model_kinds:
        return frozenset()
    try:
        page = await _fetch_page(provider, TRAINING_BASE, base=None, offset=0)
    except AtelierError:
        return frozenset()
    return frozenset(model.id for model in page.models)
