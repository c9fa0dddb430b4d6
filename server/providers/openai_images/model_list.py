"""The models of an endpoint: what it lists, and what is known of those by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import ListedModel
from atelier_mcp.server.providers.model_cache import ModelCache
from atelier_mcp.server.providers.openai_images.models import find_model, is_image_model

if TYPE_CHECKING:
    from atelier_mcp.server.providers.openai_images.session import OpenaiSession

KIND: Final = "checkpoint"


class OpenaiModelList:
    """What ``GET /models`` lists, kept for a few minutes."""

    def __init__(self, session: OpenaiSession) -> None:
        """Nothing is asked yet."""
        self._session = session
        self._cache: ModelCache[tuple[ListedModel, ...]] = ModelCache(session.client.clock)

    async def load(self) -> tuple[ListedModel, ...]:
        """The models that draw, as far as their names tell; all of them on a server of one's own, which has no others.

        Raises what ``OpenaiSession.read`` raises.
        """
        return await self._cache.get(KIND, self._read)

    async def has(self, model_id: str) -> bool:
        """Whether the service lists a model, or knows one of that name all the same (contract: models.incomplete)."""
        try:
            if any(model.id == model_id for model in await self.load()):
                return True
            return bool(await self._session.read(f"/models/{quote(model_id, safe='')}"))
        except AtelierError:
            return False

    async def _read(self) -> tuple[ListedModel, ...]:
        listed = parse_models(await self._session.read("/models"))
        drawing = [model for model in listed if self._session.server.is_own_hardware or is_image_model(model.id)]
        return tuple(sorted(drawing, key=lambda model: model.id))


def parse_models(document: Any) -> list[ListedModel]:
    """The models of a list in whichever shape a server has it (contract: models.shape)."""
    return [model for entry in _find_entries(document) if (model := _parse_model(entry)) is not None]


def _find_entries(document: Any) -> list[Any]:
    if isinstance(document, list):
        return cast("list[Any]", document)
    if not isinstance(document, dict):
        return []
    answer = cast("dict[str, Any]", document)
    found = next((answer[name] for name in ("data", "models") if isinstance(answer.get(name), list)), None)
    return found if found is not None else [answer["model_path"]] if isinstance(answer.get("model_path"), str) else []


def _parse_model(entry: Any) -> ListedModel | None:
    match entry:
        case {"id": str(model_id), **facts}:
            pass
        case str(model_id):
            facts = {}
        case _:
            return None
    known = find_model(model_id)
    end = facts.get("shutdown_date") or (known.ends if known else "")
    abilities = ("picture to picture", *(("transparent pictures",) if known.is_transparent else ())) if known else ()
    return ListedModel(model_id, KIND, description=f"ends {end}" if end else "", abilities=abilities)
