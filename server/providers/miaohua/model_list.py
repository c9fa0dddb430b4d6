"""Miaohua's lists of models, controls and form fields, kept for a few minutes, and the choice of a model from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AccountRefused, InvalidRequest, TransientError, UpstreamFailed
from atelier_mcp.server.providers.base import ListedModel, ModelPage
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import NO_SUCH_ENDPOINT, MiaohuaRejection
from atelier_mcp.server.providers.miaohua.forms import (
    parse_generation_fields,
    parse_training_bases,
    parse_training_fields,
)
from atelier_mcp.server.providers.miaohua.wire import (
    MiaohuaControlBody,
    MiaohuaModelBody,
    MiaohuaModelPageBody,
    unwrap_info,
    unwrap_list,
)
from atelier_mcp.server.providers.model_cache import ModelCache
from atelier_mcp.server.providers.plan_defaults import format_model_ids
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from atelier_mcp.server.providers.miaohua.session import MiaohuaSession

PAGE_SIZE = 100
MAX_PAGES = 20
MODEL_KINDS = ("checkpoint", "lora", "controlnet", "training_base", "trained_lora", "form")
MODEL_LIST_ERRORS = (TransientError, AccountRefused, UpstreamFailed)


@dataclass(frozen=True, slots=True)
class MiaohuaModel:
    """A model as a list shows it."""

    model: ListedModel
    opensource: bool | None = None
    """Which of the two catalogues of controls applies; None where the list does not say."""
    model_number: int = 0
    """Later models have higher ones."""


class MiaohuaModelList:
    """Reads lists and keeps them for five minutes."""

    def __init__(self, session: MiaohuaSession) -> None:
        """Hold the way to ask; nothing is read yet. Besides ``AtelierError``, reading raises ``MiaohuaRejection``."""
        self._session = session
        self._cache = ModelCache[tuple[MiaohuaModel, ...]](session.client.clock)

    async def fetch_page(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """A part of a list. Raises ``InvalidRequest`` for an unknown kind, and what reading raises."""
        models = await self._fetch_models(kind, base)
        return ModelPage(models[offset : offset + limit], has_more=offset + limit < len(models))

    async def fetch_checkpoints(self, *, refresh: bool = False) -> tuple[MiaohuaModel, ...]:
        """The public base models: only these may start a task (contract: models_base)."""
        return await self._fetch_list("base", refresh=refresh)

    async def fetch_loras(self, *, refresh: bool = False) -> tuple[MiaohuaModel, ...]:
        """The public LoRAs and the account's own (contract: models_lora.catalogue_incomplete)."""
        own_models = await self.fetch_own_models(refresh=refresh)
        return (
            *await self._fetch_list("lora", refresh=refresh),
            *(entry for entry in own_models if entry.model.kind == "lora"),
        )

    async def fetch_own_models(self, *, refresh: bool = False) -> tuple[MiaohuaModel, ...]:
        """The account's own models: trained and uploaded ones."""
        return await self._fetch_list("private", refresh=refresh)

    async def find_checkpoint(self, name: str, *, place: str = "model") -> MiaohuaModel:
        """The base model with that version id, or else that name. Raises ``InvalidRequest`` naming ``place``."""
        return await self._find_model(place, name, self.fetch_checkpoints)

    async def find_lora(self, name: str, *, place: str) -> MiaohuaModel:
        """The LoRA with that version id, or else that name. Raises ``InvalidRequest`` naming ``place``."""
        return await self._find_model(place, name, self.fetch_loras)

    async def find_trained_lora(self, name: str) -> ListedModel | None:
        """The account's LoRA of that name, the latest where there are several; read anew, as it has just been made."""
        # A list of five minutes ago cannot hold it.
        self._cache.forget("private")
        entries = await self._fetch_all_pages("private", query=name)
        found = [entry for entry in entries if is_same_name(entry.model.name, name)]
        return max(found, key=lambda entry: entry.model_number).model if found else None

    async def fetch_controls(self, base: MiaohuaModel | None) -> tuple[ListedModel, ...]:
        """The types of control of a base model; those of both catalogues where none is named."""
        if base is None:
            both = (*await self._fetch_control_list("artist"), *await self._fetch_control_list("opensource"))
            return tuple({model.id: model for model in both}.values())
        try:
            return _parse_controls(unwrap_list(await self._fetch("/cn/list", {"versionid": base.model.id})))
        except MiaohuaRejection as err:
            if err.fault.code not in NO_SUCH_ENDPOINT:
                raise
        if base.opensource is None:
            return await self.fetch_controls(None)
        return await self._fetch_control_list("opensource" if base.opensource else "artist")

    async def fetch_training_bases(self) -> tuple[ListedModel, ...]:
        """What a LoRA can be trained on: the service's own choice first, then the form's names with their ids."""
        names = parse_training_bases(await self._fetch_form("/get_train_form"))
        return build_training_bases(names, [entry.model for entry in await self.fetch_checkpoints()])

    async def _fetch_models(self, kind: str, base: str | None) -> tuple[ListedModel, ...]:
        match kind:
            case "checkpoint":
                return tuple(entry.model for entry in await self.fetch_checkpoints(refresh=True))
            case "lora":
                return tuple(entry.model for entry in await self.fetch_loras(refresh=True))
            case "trained_lora":
                return tuple(_mark_own_base(entry.model) for entry in await self.fetch_own_models(refresh=True))
            case "controlnet":
                return await self.fetch_controls(await self.find_checkpoint(base, place="base") if base else None)
            case "training_base":
                return await self.fetch_training_bases()
            case "form":
                generation = parse_generation_fields(await self._fetch_form("/get_generation_form"))
                return (*generation, *parse_training_fields(await self._fetch_form("/get_train_form")))
            case _:
                raise InvalidRequest(f"kind {kind!r}: Miaohua has {', '.join(MODEL_KINDS)}.")

    async def _find_model(
        self, place: str, name: str, fetch_all: Callable[..., Awaitable[tuple[MiaohuaModel, ...]]]
    ) -> MiaohuaModel:
        entries: tuple[MiaohuaModel, ...] = ()
        for refresh in (False, True):
            entries = await fetch_all(refresh=refresh)
            by_id = [entry for entry in entries if entry.model.id == name]
            found = by_id or [entry for entry in entries if is_same_name(entry.model.name, name)]
            if found:
                return found[0]
        there_is = format_model_ids([entry.model for entry in entries])
        raise InvalidRequest(f"{place}: Miaohua lists no {name!r}; there is {there_is}.", hint="list_models shows all.")

    async def _fetch_list(self, list_name: str, *, refresh: bool) -> tuple[MiaohuaModel, ...]:
        """A whole list, at most five minutes old; with ``refresh`` at most fifteen seconds."""
        return await self._cache.get(list_name, lambda: self._fetch_all_pages(list_name), refresh=refresh)

    async def _fetch_all_pages(self, list_name: str, *, query: str = "") -> tuple[MiaohuaModel, ...]:
        """Every page of a list; there is no total, only ``has_next`` (contract: models_base.paging_end)."""
        entries: list[MiaohuaModel] = []
        # Pages count from 1; a service that never says it is done is left after twenty.
        for page in range(1, MAX_PAGES + 1):
            body: dict[str, Any] = {"page": page, "per_page": PAGE_SIZE, **({"query": query} if query else {})}
            model_page = (
                parse_model(MiaohuaModelPageBody, unwrap_info(await self._fetch(f"/models/{list_name}", body)))
                or MiaohuaModelPageBody()
            )
            found = [
                _to_miaohua_model(entry, list_name)
                for entry in parse_models(MiaohuaModelBody, model_page.models)
                if entry.versionid
            ]
            entries += found
            if not (model_page.has_next and model_page.models):
                break
        return tuple(entries)

    async def _fetch(self, path: str, body: dict[str, Any]) -> Any:
        return await self._session.send(HttpRequest("POST", path, body=body))

    async def _fetch_form(self, path: str) -> Any:
        """One of the two forms; they need no token (contract: get_generation_form, get_train_form)."""
        return await self._session.send_unsigned(HttpRequest("GET", path))

    async def _fetch_control_list(self, list_name: str) -> tuple[ListedModel, ...]:
        return _parse_controls(unwrap_list(await self._fetch(f"/cn/{list_name}", {})))


def is_same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for case, spaces and underscores (contract: task_submit.model_selector)."""
    return bool(one) and _normalize_name(one) == _normalize_name(other)


def build_training_bases(names: Iterable[str], checkpoints: Sequence[ListedModel]) -> tuple[ListedModel, ...]:
    """The names of the training form as models: with the version id of the listed one of that name, where there is."""
    bases = [ListedModel(AUTOMATIC_BASE, "training_base", description="the service chooses")]
    for name in names:
        known = next((model for model in checkpoints if is_same_name(model.name, name)), None)
        bases.append(ListedModel(known.id if known else name, "training_base", name=name))
    return tuple(bases)


AUTOMATIC_BASE = "auto"
"""Our name for leaving the base of a training to the service (contract: train_submit.base_model_selector)."""


def _normalize_name(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "")


def _to_miaohua_model(entry: MiaohuaModelBody, list_name: str) -> MiaohuaModel:
    """In the list of own models only the tag tells a LoRA (contract: models_private.kind_detection)."""
    is_lora = list_name == "lora" or (list_name == "private" and entry.tag.upper() == "LORA")
    model = ListedModel(
        id=entry.versionid,
        kind="lora" if is_lora else "checkpoint",
        name=entry.model_name,
        description=entry.description,
        base=entry.base_model,
    )
    return MiaohuaModel(model, entry.is_opensource, entry.model_id or 0)


def _mark_own_base(model: ListedModel) -> ListedModel:
    """An own base model, with the word that it cannot start a task."""
    if model.kind == "lora":
        return model
    return replace(model, description=f"own base model, cannot start a task. {model.description}".strip())


def _parse_controls(documents: list[Any]) -> tuple[ListedModel, ...]:
    entries = parse_models(MiaohuaControlBody, documents)
    return tuple(
        ListedModel(id=entry.name, kind="controlnet", name=entry.local_name, description=entry.desc)
        for entry in entries
        if entry.name
    )
