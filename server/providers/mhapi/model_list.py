"""MHAPI's model lists, kept for a few minutes, and the choice of a model from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.base import ListedModel, ModelPage
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.mhapi.families import (
    CONTROL,
    IMAGE,
    LORA,
    TEXT,
    CheckpointFamily,
    guess_family,
)
from atelier_mcp.server.providers.mhapi.wire import MhapiControlBody, MhapiModelBody, MhapiModelPageBody
from atelier_mcp.server.providers.model_cache import ModelCache
from atelier_mcp.server.providers.model_names import find_by_name
from atelier_mcp.server.providers.plan_defaults import SIDES_ABILITY
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from atelier_mcp.server.providers.mhapi.session import MhapiSession

ABILITY_WORDS = {TEXT: "text to picture", IMAGE: "picture to picture", CONTROL: "controls", LORA: "LoRAs"}
PAGE_SIZE = 100
MAX_PAGES = 10


@dataclass(frozen=True, slots=True)
class MhapiListEndpoint:
    """Where models of one kind are listed: the service, and the filter it understands."""

    service: str
    filter: tuple[str, str] | None = None


LIST_ENDPOINTS: dict[str, MhapiListEndpoint] = {
    # The filter has another name at each of the two services (contract: imgenstd.models.filter_name).
    "checkpoint": MhapiListEndpoint("imgenstd", ("mtp", "Checkpoint")),
    "lora": MhapiListEndpoint("imgenstd", ("mtp", "LORA")),
    "inpaint": MhapiListEndpoint("inpaint"),
    "erase": MhapiListEndpoint("erase"),
    "outpaint": MhapiListEndpoint("outpaint"),
    "upscale": MhapiListEndpoint("sup_res"),
    "segment": MhapiListEndpoint("split"),
    "style": MhapiListEndpoint("stylization"),
    "face": MhapiListEndpoint("face"),
    "training_base": MhapiListEndpoint("lora", ("type", "Checkpoint")),
    "trained_lora": MhapiListEndpoint("lora", ("type", "LORA")),
}
CONTROLNET = "controlnet"
MODEL_KINDS: tuple[str, ...] = (*LIST_ENDPOINTS, CONTROLNET)


class MhapiModelList:
    """Reads model lists and keeps them for five minutes."""

    def __init__(self, session: MhapiSession) -> None:
        """Hold the way to ask; nothing is read yet."""
        self._session = session
        self._cache = ModelCache[tuple[ListedModel, ...]](session.client.clock)

    async def fetch_page(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """One page straight from the service.

        Raises ``InvalidRequest`` for an unknown kind and for controlnets without ``base``, and what the session raises.
        """
        # The size is always sent: its printed default, 0, is outside its own range (contract:
        # imgenstd.models.size_default).
        query: dict[str, str | int] = {"size": max(1, min(limit, PAGE_SIZE)), "offset": max(0, offset)}
        if kind == CONTROLNET:
            return await self._fetch_controlnets(base, query)
        endpoint = LIST_ENDPOINTS.get(kind)
        if endpoint is None:
            raise InvalidRequest(f"kind {kind!r}: MHAPI has {', '.join(MODEL_KINDS)}.")
        if endpoint.filter is not None:
            query |= dict([endpoint.filter])
        page = await self._fetch(f"/v1/{endpoint.service}/models", query)
        models = tuple(_to_listed_model(entry, kind) for entry in parse_models(MhapiModelBody, page.data))
        # An empty page ends the list whatever it says (contract: shared.paging_edge).
        return ModelPage(models, has_more=bool(page.have_next and page.data))

    async def fetch_models(self, kind: str, *, base: str = "", refresh: bool = False) -> tuple[ListedModel, ...]:
        """Every model of a kind, at most five minutes old; with ``refresh`` at most fifteen seconds.

        Raises what the reading raised.
        """
        return await self._cache.get((kind, base), lambda: self._fetch_all_pages(kind, base), refresh=refresh)

    async def find_model(self, kind: str, name: str) -> ListedModel | None:
        """The model with that id, or else with that name; the list is read again for a new one."""
        for refresh in (False, True):
            found = find_by_name(await self.fetch_models(kind, refresh=refresh), name)
            if found:
                return found
        return None

    async def _fetch_all_pages(self, kind: str, base: str) -> tuple[ListedModel, ...]:
        models: list[ListedModel] = []
        for _ in range(MAX_PAGES):
            page = await self.fetch_page(kind, base=base or None, offset=len(models), limit=PAGE_SIZE)
            models += page.models
            if not page.has_more:
                break
        return tuple(models)

    async def _fetch(self, path: str, query: dict[str, str | int]) -> MhapiModelPageBody:
        document = await self._session.request(HttpRequest("GET", path, query=query))
        return parse_model(MhapiModelPageBody, document) or MhapiModelPageBody()

    async def _fetch_controlnets(self, base: str | None, query: dict[str, str | int]) -> ModelPage:
        if not base:
            raise InvalidRequest("base: name the checkpoint whose controlnets are wanted.")
        from urllib.parse import quote

        page = await self._fetch(f"/v1/imgenstd/model_cn/{quote(base, safe='')}", query)
        models = tuple(
            ListedModel(
                id=_normalize_control_type(entry.cn),
                kind=CONTROLNET,
                name=entry.name,
                description=entry.description,
                base=base,
            )
            for entry in parse_models(MhapiControlBody, page.data)
        )
        return ModelPage(models, has_more=bool(page.have_next and page.data))


def guess_model_family(model: ListedModel) -> CheckpointFamily | None:
    """A listed model's family: its id tells first, then its name, then its base."""
    return guess_family(model.id, model.name, model.base)


def _to_listed_model(entry: MhapiModelBody, kind: str) -> ListedModel:
    """The filter tells the kind, unless the entry itself says otherwise (contract: shared.model_fields)."""
    model = ListedModel(
        id=entry.id,
        kind=kind,
        name=entry.name,
        description=entry.description,
        base=entry.base_model_type,
        triggers=entry.trigger_words,
    )
    if kind in ("checkpoint", "lora") and entry.model_type:
        model = replace(model, kind="lora" if entry.model_type.upper() == "LORA" else "checkpoint")
    return replace(model, abilities=_list_abilities(model)) if model.kind == "checkpoint" else model


def _list_abilities(checkpoint: ListedModel) -> tuple[str, ...]:
    """What its family is said to do; nothing of that for a family nobody knows."""
    family = guess_model_family(checkpoint)
    supports = (family.supports if family else None) or frozenset[str]()
    return (*(word for need, word in ABILITY_WORDS.items() if need in supports), SIDES_ABILITY)


def _normalize_control_type(name: str) -> str:
    # Printed both ways (contract: imgenstd.imgen.lineart_anime).
    return "lineart_anime" if name == "lineartanime" else name
