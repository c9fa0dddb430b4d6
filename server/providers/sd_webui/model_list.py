"""Everything a WebUI lets choose from, by our kinds; names are looked up here before they are sent.

An unknown checkpoint, sampler or scheduler is replaced without a word (contract: txt2img.checkpoint_override,
txt2img.scheduler), and an unknown upscaler fails inside (contract: extras.unknown_upscaler).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.base import ListedModel, ModelPage
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.model_cache import ModelCache
from atelier_mcp.server.providers.plan_defaults import format_model_ids
from atelier_mcp.server.providers.sd_webui.control_types import list_control_types

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiFacts, SdWebuiProbe
    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession

MODEL_KINDS: Final = (
    "checkpoint", "lora", "sampler", "scheduler", "controlnet", "upscale", "vae", "embedding", "segment", "face",
)  # fmt: skip
CUT_OUT_MODELS: Final = (
    "u2net", "u2netp", "u2net_human_seg", "u2net_cloth_seg", "silueta", "isnet-general-use", "isnet-anime",
)  # fmt: skip
"""What the extension's page offers; it lists them nowhere (contract: rembg.models)."""
PLAIN_UPSCALERS: Final = frozenset({"None", "Lanczos", "Nearest"})
"""Always there; they add no detail."""
PREFERRED_UPSCALER: Final = "R-ESRGAN 4x+"
REFRESH_PATHS: Final = {"checkpoint": "/sdapi/v1/refresh-checkpoints", "lora": "/sdapi/v1/refresh-loras"}
"""Where it is told to look for new files."""
CHECKPOINT_ABILITIES: Final = ("text to picture", "picture to picture", "inpainting", "LoRAs")
_PATHS: Final = {
    "checkpoint": "/sdapi/v1/sd-models",
    "lora": "/sdapi/v1/loras",
    "sampler": "/sdapi/v1/samplers",
    "scheduler": "/sdapi/v1/schedulers",
    "upscale": "/sdapi/v1/upscalers",
    "latent_mode": "/sdapi/v1/latent-upscale-modes",
    "vae": "/sdapi/v1/sd-vae",
    "embedding": "/sdapi/v1/embeddings",
}


class SdWebuiModelList:
    """Reads the lists and keeps each for a few minutes."""

    def __init__(self, session: SdWebuiSession, probe: SdWebuiProbe, *, clock: Clock) -> None:
        """Nothing is read yet."""
        self._session = session
        self._probe = probe
        self._cache: ModelCache[tuple[ListedModel, ...]] = ModelCache(clock)
        self._documents: ModelCache[dict[str, Any]] = ModelCache(clock)

    async def fetch_page(self, kind: str, *, offset: int, limit: int) -> ModelPage:
        """A part of a list. Raises ``InvalidRequest`` for a kind that there is not."""
        if kind not in MODEL_KINDS:
            raise InvalidRequest(f"kind {kind!r}: a WebUI has {', '.join(MODEL_KINDS)}.")
        models = await self.fetch(kind, refresh=True)
        return ModelPage(models[offset : offset + limit], has_more=offset + limit < len(models))

    async def fetch(self, kind: str, *, refresh: bool = False) -> tuple[ListedModel, ...]:
        """A whole list; empty where this server has none of the kind."""
        facts = await self._probe.get()
        return await self._cache.get(kind, lambda: self._read(kind, facts), refresh=refresh)

    async def fetch_control_documents(self) -> dict[str, Any]:
        """What the ControlNet extension says of types, modules and models, by the last word of each path."""
        return await self._documents.get("controlnet", self._read_control_documents)

    async def find(self, kind: str, name: str, *, place: str) -> str:
        """The model of that name, as it is sent; as it is named where the list cannot be read.

        A name that is missing is looked for once more, after the server has looked into its folders. Raises
        ``InvalidRequest`` naming ``place``.
        """
        models: tuple[ListedModel, ...] = ()
        for is_second in (False, True):
            if is_second:
                await self._refresh(kind)
            try:
                models = await self.fetch(kind, refresh=is_second)
            except AtelierError:
                return name
            if found := _find_by_name(name, models):
                return found.id
        raise InvalidRequest(
            f"{place}: the WebUI has no {_NAMES.get(kind, kind)} {name!r}; there is {format_model_ids(models)}.",
            hint="list_models shows all.",
        )

    async def choose_upscaler(self) -> str:
        """The one to enlarge with where none was named."""
        names = [model.id for model in await self.fetch("upscale")]
        good_names = [name for name in names if name not in PLAIN_UPSCALERS]
        if PREFERRED_UPSCALER in good_names:
            return PREFERRED_UPSCALER
        return good_names[0] if good_names else "Lanczos"

    async def _refresh(self, kind: str) -> None:
        self._cache.forget(kind)
        if (path := REFRESH_PATHS.get(kind)) is None:
            return
        try:
            with raise_rejection_errors():
                await self._session.post(path, {})
        except AtelierError:
            return  # the list as it is says what there is

    async def _read(self, kind: str, facts: SdWebuiFacts) -> tuple[ListedModel, ...]:
        with raise_rejection_errors():
            match kind:
                case "segment":
                    return _list_ids(kind, CUT_OUT_MODELS if facts.has_cut_out else ())
                case "face":
                    return _list_ids(kind, facts.swap_models or ())
                case "controlnet":
                    documents = await self.fetch_control_documents() if facts.has_controlnet else {}
                    return list_control_types(documents)
                case "vae" if facts.variant == "forge":
                    return _parse_entries(kind, await self._session.find("/sdapi/v1/sd-modules"))
                case "embedding":
                    document = await self._session.find(_PATHS[kind])
                    return _list_ids(kind, _get_object(document, "loaded"))
                case _:
                    return _parse_entries(kind, await self._session.find(_PATHS[kind]))

    async def _read_control_documents(self) -> dict[str, Any]:
        names = ("control_types", "module_list", "model_list")
        with raise_rejection_errors():
            # The folders are read again each time: a model that was just put there is found.
            query = {"model_list": {"update": "true"}, "module_list": {"alias_names": "false"}}
            answers = [await self._session.get(f"/controlnet/{name}", query.get(name)) for name in names]
        return {name: _get_value(answer, name) for name, answer in zip(names, answers, strict=True)}


_NAMES: Final = {"upscale": "upscaler", "face": "model for faces", "segment": "model for cut-outs"}


def _find_by_name(name: str, models: Sequence[ListedModel]) -> ListedModel | None:
    """By id, by its title or hash, then in any letter case."""
    for model in models:
        if name in (model.id, model.name) or name in model.name.split(" ") or f"[{name}]" in model.name:
            return model
    return next((model for model in models if name.lower() in (model.id.lower(), model.name.lower())), None)


def _list_ids(kind: str, names: Sequence[str] | Mapping[str, Any]) -> tuple[ListedModel, ...]:
    return tuple(ListedModel(name, kind) for name in names)


def _parse_entries(kind: str, document: Any) -> tuple[ListedModel, ...]:
    """The entries of a list that have a name."""
    entries = cast("list[Any]", document) if isinstance(document, list) else []
    rows = [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]
    found = (_build_model(kind, row) for row in rows)
    return tuple(model for model in found if model.id)


def _build_model(kind: str, row: Mapping[str, Any]) -> ListedModel:
    """The id is what is sent; never the path on the server (contract: sd_models)."""
    match kind:
        case "checkpoint":
            name = str(row.get("model_name") or row.get("title") or "")
            return ListedModel(name, kind, name=str(row.get("title") or ""), abilities=CHECKPOINT_ABILITIES)
        case "lora":
            name, alias = str(row.get("name") or ""), str(row.get("alias") or "")
            return ListedModel(name, kind, name=alias if alias not in (name, "None") else "")
        case "scheduler":
            return ListedModel(str(row.get("name") or ""), kind, name=str(row.get("label") or ""))
        case "vae":
            return ListedModel(str(row.get("model_name") or ""), kind)
        case _:
            return ListedModel(str(row.get("name") or ""), kind)


def _get_value(document: Any, name: str) -> Any:
    return cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None


def _get_object(document: Any, name: str) -> dict[str, Any]:
    value = _get_value(document, name)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
