"""MHAPI's model lists, kept for a few minutes, and the choice of a model from them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.base import Model, ModelPage
from atelier_mcp.server.providers.mhapi.families import Family, family_of
from atelier_mcp.server.providers.mhapi.wire import ControlEntry, ModelEntry, Page
from atelier_mcp.server.providers.reading import read, read_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.providers.limits import Clock

KEPT_S = 300.0
FRESH_S = 15.0
"""A list this young is not read again for a name that is not in it."""
PAGE_SIZE = 100
MAX_PAGES = 10


@dataclass(frozen=True, slots=True)
class Listing:
    """Where models of one kind are listed: the service, and the filter it understands."""

    service: str
    filter: tuple[str, str] | None = None


LISTINGS: dict[str, Listing] = {
    "checkpoint": Listing("imgenstd", ("mtp", "Checkpoint")),
    "lora": Listing("imgenstd", ("mtp", "LORA")),
    "inpaint": Listing("inpaint"),
    "erase": Listing("erase"),
    "outpaint": Listing("outpaint"),
    "upscale": Listing("sup_res"),
    "segment": Listing("split"),
    "style": Listing("stylization"),
    "face": Listing("face"),
    "training_base": Listing("lora", ("type", "Checkpoint")),
    "trained_lora": Listing("lora", ("type", "LORA")),
}
CONTROLNET = "controlnet"
KINDS: tuple[str, ...] = (*LISTINGS, CONTROLNET)


@dataclass(frozen=True, slots=True)
class _Kept:
    models: tuple[Model, ...]
    error: AtelierError | None
    read_at_s: float

    def good(self, now_s: float, *, renew: bool) -> bool:
        return now_s - self.read_at_s < (FRESH_S if renew or self.error else KEPT_S)


class Catalogue:
    """Reads model lists through ``ask`` (path and query to JSON) and keeps them for five minutes."""

    def __init__(self, ask: Callable[[str, dict[str, str | int]], Awaitable[Any]], *, clock: Clock) -> None:
        """Hold the way to ask; nothing is read yet."""
        self._ask = ask
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._reading: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def page(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """One page straight from the service.

        Raises ``InvalidRequest`` for an unknown kind and for controlnets without ``base``, and what ``ask`` raises.
        """
        query: dict[str, str | int] = {"size": max(1, min(limit, PAGE_SIZE)), "offset": max(0, offset)}
        if kind == CONTROLNET:
            return await self._controls(base, query)
        listing = LISTINGS.get(kind)
        if listing is None:
            raise InvalidRequest(f"kind {kind!r}: MHAPI has {', '.join(KINDS)}.")
        if listing.filter is not None:
            query |= dict([listing.filter])
        page = read(Page, await self._ask(f"/v1/{listing.service}/models", query)) or Page()
        models = tuple(_model(entry, kind) for entry in read_all(ModelEntry, page.data))
        return ModelPage(models, more=bool(page.have_next and page.data))

    async def all(self, kind: str, *, base: str = "", renew: bool = False) -> tuple[Model, ...]:
        """Every model of a kind, at most five minutes old; with ``renew`` at most fifteen seconds.

        Many who ask at once cause one reading, and a reading that failed is not repeated for fifteen seconds. Raises
        what the reading raised.
        """
        async with self._reading[(kind, base)]:
            kept = self._kept.get((kind, base))
            now_s = self._clock.monotonic()
            if kept is None or not kept.good(now_s, renew=renew):
                kept = self._kept[(kind, base)] = await self._read(kind, base, now_s)
        if kept.error is not None:
            raise kept.error.with_traceback(None)  # raised many times: it must not grow
        return kept.models

    async def find(self, kind: str, name: str) -> Model | None:
        """The model with that id, or else with that name in any case; the list is read again for a new one."""
        for renew in (False, True):
            models = await self.all(kind, renew=renew)
            found = [m for m in models if m.id == name] or [m for m in models if name.lower() == m.name.lower()]
            if found:
                return found[0]
        return None

    async def _read(self, kind: str, base: str, now_s: float) -> _Kept:
        models: list[Model] = []
        try:
            for _ in range(MAX_PAGES):
                page = await self.page(kind, base=base or None, offset=len(models), limit=PAGE_SIZE)
                models += page.models
                if not page.more:
                    break
        except AtelierError as err:
            return _Kept((), err, now_s)
        return _Kept(tuple(models), None, now_s)

    async def _controls(self, base: str | None, query: dict[str, str | int]) -> ModelPage:
        if not base:
            raise InvalidRequest("base: name the checkpoint whose controlnets are wanted.")
        from urllib.parse import quote

        page = read(Page, await self._ask(f"/v1/imgenstd/model_cn/{quote(base, safe='')}", query)) or Page()
        models = tuple(
            Model(
                id=_control_type(entry.cn), kind=CONTROLNET, name=entry.name, description=entry.description, base=base
            )
            for entry in read_all(ControlEntry, page.data)
        )
        return ModelPage(models, more=bool(page.have_next and page.data))


def family_of_model(model: Model) -> Family | None:
    """A listed model's family: its id tells first, then its name, then its base."""
    return family_of(model.id, model.name, model.base)


def _model(entry: ModelEntry, kind: str) -> Model:
    """The filter tells the kind, unless the entry itself says otherwise (contract: shared.model_fields)."""
    model = Model(
        id=entry.id,
        kind=kind,
        name=entry.name,
        description=entry.description,
        base=entry.base_model_type,
        triggers=entry.trigger_words,
    )
    if kind in ("checkpoint", "lora") and entry.model_type:
        return replace(model, kind="lora" if entry.model_type.upper() == "LORA" else "checkpoint")
    return model


def _control_type(name: str) -> str:
    return "lineart_anime" if name == "lineartanime" else name
