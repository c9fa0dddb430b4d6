"""Miaohua's lists of models, controls and form fields, kept for a few minutes, and the choice of a model from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AccountRefused, InvalidRequest, TransientError, UpstreamFailed
from atelier_mcp.server.providers.base import Model, ModelPage
from atelier_mcp.server.providers.choices import some_ids
from atelier_mcp.server.providers.miaohua.errors import NO_SUCH_ENDPOINT, Rejected
from atelier_mcp.server.providers.miaohua.forms import generation_fields, training_bases, training_fields
from atelier_mcp.server.providers.miaohua.wire import ControlEntry, ModelEntry, ModelList, listed, payload
from atelier_mcp.server.providers.reading import read, read_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from atelier_mcp.server.providers.limits import Clock

KEPT_S = 300.0
FRESH_S = 15.0
"""A list this young is not read again for a name that is not in it."""
PAGE_SIZE = 100
MAX_PAGES = 20
KINDS = ("checkpoint", "lora", "controlnet", "training_base", "trained_lora", "form")
UNREADABLE_LIST = (TransientError, AccountRefused, UpstreamFailed)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model as a list shows it."""

    model: Model
    opensource: bool | None = None
    """Which of the two catalogues of controls applies; None where the list does not say."""
    number: int = 0
    """Later models have higher ones."""


@dataclass(frozen=True, slots=True)
class _Kept:
    entries: tuple[Listed, ...]
    read_at_s: float


class Catalogue:
    """Reads lists through ``ask`` (path and body to JSON; None for a GET without token) and keeps them a while."""

    def __init__(self, ask: Callable[[str, dict[str, Any] | None], Awaitable[Any]], *, clock: Clock) -> None:
        """Hold the way to ask; nothing is read yet. ``ask`` raises ``Rejected`` or an ``AtelierError``."""
        self._ask = ask
        self._clock = clock
        self._kept: dict[str, _Kept] = {}

    async def page(self, kind: str, *, base: str | None, offset: int, limit: int) -> ModelPage:
        """A part of a list. Raises ``InvalidRequest`` for an unknown kind, and what ``ask`` raises."""
        models = await self._models(kind, base)
        return ModelPage(models[offset : offset + limit], more=offset + limit < len(models))

    async def checkpoints(self, *, renew: bool = False) -> tuple[Listed, ...]:
        """The public base models: only these may start a task (contract: models_base)."""
        return await self._list("base", renew=renew)

    async def loras(self, *, renew: bool = False) -> tuple[Listed, ...]:
        """The public LoRAs and the account's own (contract: models_lora.catalogue_incomplete)."""
        own = await self.own(renew=renew)
        return (*await self._list("lora", renew=renew), *(entry for entry in own if entry.model.kind == "lora"))

    async def own(self, *, renew: bool = False) -> tuple[Listed, ...]:
        """The account's own models: trained and uploaded ones."""
        return await self._list("private", renew=renew)

    async def checkpoint(self, name: str, *, place: str = "model") -> Listed:
        """The base model with that version id, or else that name. Raises ``InvalidRequest`` naming ``place``."""
        return await self._named(place, name, self.checkpoints)

    async def lora(self, name: str, *, place: str) -> Listed:
        """The LoRA with that version id, or else that name. Raises ``InvalidRequest`` naming ``place``."""
        return await self._named(place, name, self.loras)

    async def trained(self, name: str) -> Model | None:
        """The account's LoRA of that name, the latest where there are several; read anew, as it has just been made."""
        self._kept.pop("private", None)
        entries = await self._pages("private", query=name)
        found = [entry for entry in entries if same_name(entry.model.name, name)]
        return max(found, key=lambda entry: entry.number).model if found else None

    async def controls(self, base: Listed | None) -> tuple[Model, ...]:
        """The types of control of a base model; those of both catalogues where none is named."""
        if base is None:
            both = (*await self._controls("artist"), *await self._controls("opensource"))
            return tuple({model.id: model for model in both}.values())
        try:
            return _controls(listed(await self._ask("/cn/list", {"versionid": base.model.id})))
        except Rejected as err:
            if err.fault.code not in NO_SUCH_ENDPOINT:
                raise
        if base.opensource is None:
            return await self.controls(None)
        return await self._controls("opensource" if base.opensource else "artist")

    async def training_bases(self) -> tuple[Model, ...]:
        """What a LoRA can be trained on: the service's own choice first, then the form's names with their ids."""
        names = training_bases(await self._ask("/get_train_form", None))
        return training_fields_as_bases(names, [entry.model for entry in await self.checkpoints()])

    async def _models(self, kind: str, base: str | None) -> tuple[Model, ...]:
        match kind:
            case "checkpoint":
                return tuple(entry.model for entry in await self.checkpoints(renew=True))
            case "lora":
                return tuple(entry.model for entry in await self.loras(renew=True))
            case "trained_lora":
                return tuple(_marked(entry.model) for entry in await self.own(renew=True))
            case "controlnet":
                return await self.controls(await self.checkpoint(base, place="base") if base else None)
            case "training_base":
                return await self.training_bases()
            case "form":
                generation = generation_fields(await self._ask("/get_generation_form", None))
                return (*generation, *training_fields(await self._ask("/get_train_form", None)))
            case _:
                raise InvalidRequest(f"kind {kind!r}: Miaohua has {', '.join(KINDS)}.")

    async def _named(self, place: str, name: str, list_all: Callable[..., Awaitable[tuple[Listed, ...]]]) -> Listed:
        entries: tuple[Listed, ...] = ()
        for renew in (False, True):
            entries = await list_all(renew=renew)
            by_id = [entry for entry in entries if entry.model.id == name]
            found = by_id or [entry for entry in entries if same_name(entry.model.name, name)]
            if found:
                return found[0]
        there_is = some_ids([entry.model for entry in entries])
        raise InvalidRequest(f"{place}: Miaohua lists no {name!r}; there is {there_is}.", then="list_models shows all.")

    async def _list(self, which: str, *, renew: bool) -> tuple[Listed, ...]:
        """A whole list, at most five minutes old; with ``renew`` at most fifteen seconds."""
        kept, now_s = self._kept.get(which), self._clock.monotonic()
        if kept is not None and now_s - kept.read_at_s < (FRESH_S if renew else KEPT_S):
            return kept.entries
        entries = await self._pages(which)
        self._kept[which] = _Kept(entries, now_s)
        return entries

    async def _pages(self, which: str, *, query: str = "") -> tuple[Listed, ...]:
        """Every page of a list; there is no total, only ``has_next`` (contract: models_base.paging_end)."""
        entries: list[Listed] = []
        for page in range(1, MAX_PAGES + 1):
            body: dict[str, Any] = {"page": page, "per_page": PAGE_SIZE, **({"query": query} if query else {})}
            answer = read(ModelList, payload(await self._ask(f"/models/{which}", body))) or ModelList()
            found = [_listed(entry, which) for entry in read_all(ModelEntry, answer.models) if entry.versionid]
            entries += found
            if not (answer.has_next and answer.models):
                break
        return tuple(entries)

    async def _controls(self, which: str) -> tuple[Model, ...]:
        return _controls(listed(await self._ask(f"/cn/{which}", {})))


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for case, spaces and underscores (contract: task_submit.model_selector)."""
    return bool(one) and _plain(one) == _plain(other)


def training_fields_as_bases(names: Iterable[str], checkpoints: Sequence[Model]) -> tuple[Model, ...]:
    """The names of the training form as models: with the version id of the listed one of that name, where there is."""
    bases = [Model(AUTOMATIC, "training_base", description="the service chooses")]
    for name in names:
        known = next((model for model in checkpoints if same_name(model.name, name)), None)
        bases.append(Model(known.id if known else name, "training_base", name=name))
    return tuple(bases)


AUTOMATIC = "auto"
"""Our name for leaving the base of a training to the service (contract: train_submit.base_model_selector)."""


def _plain(name: str) -> str:
    return name.lower().replace(" ", "").replace("_", "")


def _listed(entry: ModelEntry, which: str) -> Listed:
    """In the list of own models only the tag tells a LoRA (contract: models_private.kind_detection)."""
    lora = which == "lora" or (which == "private" and entry.tag.upper() == "LORA")
    model = Model(
        id=entry.versionid,
        kind="lora" if lora else "checkpoint",
        name=entry.model_name,
        description=entry.description,
        base=entry.base_model,
    )
    return Listed(model, entry.is_opensource, entry.model_id or 0)


def _marked(model: Model) -> Model:
    """An own base model, with the word that it cannot start a task."""
    if model.kind == "lora":
        return model
    return replace(model, description=f"own base model, cannot start a task. {model.description}".strip())


def _controls(documents: list[Any]) -> tuple[Model, ...]:
    entries = read_all(ControlEntry, documents)
    return tuple(
        Model(id=entry.name, kind="controlnet", name=entry.local_name, description=entry.desc)
        for entry in entries
        if entry.name
    )
