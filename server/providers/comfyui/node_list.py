"""Which nodes a ComfyUI has and what they let one choose from: read when it is needed, kept for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import quote

from atelier_mcp.server.errors import AtelierError, InvalidRequest
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.model_cache import ModelCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession

ALL_NODES_TIMEOUT_S: Final = 120.0
"""The list of all nodes is megabytes, and some nodes look at disks and networks to make it."""
MAX_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class NodeClass:
    """A kind of node."""

    name: str
    choices: Mapping[str, tuple[str, ...]]
    """What an input can be, for inputs with a list."""
    is_paid: bool = False
    """A partner's node, each use of which costs credits (contract: auth.partner_nodes)."""


class NodeList:
    """The node classes of one server."""

    def __init__(self, session: ComfyuiSession) -> None:
        """Read through ``session``."""
        self._session = session
        self._cache: ModelCache[NodeClass | None] = ModelCache(session.client.clock)

    async def find_class(self, name: str, *, refresh: bool = False) -> NodeClass | None:
        """A class of nodes; None where the server does not have it."""
        try:
            return await self._cache.get(name, lambda: self._read_class(name), refresh=refresh)
        except AtelierError:
            # A server that was just started is not kept waiting for by what it was before.
            self._cache.forget(name)
            raise

    async def list_choices(self, class_name: str, input_name: str, *, refresh: bool = False) -> tuple[str, ...]:
        """What an input of a class can be; nothing where the server does not have the class."""
        node_class = await self.find_class(class_name, refresh=refresh)
        return () if node_class is None else node_class.choices.get(input_name, ())

    async def choose(self, class_name: str, input_name: str, wanted: str, *, place: str, what: str) -> str:
        """The file that ``wanted`` names, in full or by its stem.

        Read once more before it is refused: the file may have been put there meanwhile. Raises ``InvalidRequest``
        that begins with ``place``.
        """
        for refresh in (False, True):
            names = await self.list_choices(class_name, input_name, refresh=refresh)
            if (name := find_name(wanted, names)) is not None:
                return name
        raise InvalidRequest(f"{place}: ComfyUI has no {what} {wanted}; it has {format_names(names)}.")

    async def find_missing(self, class_names: Iterable[str]) -> list[str]:
        """Those of the classes that the server does not have."""
        return [name for name in dict.fromkeys(class_names) if await self.find_class(name) is None]

    async def has_paid(self, class_names: Iterable[str]) -> bool:
        """True where one of the classes costs credits."""
        found = [await self.find_class(name) for name in dict.fromkeys(class_names)]
        return any(node_class is not None and node_class.is_paid for node_class in found)

    async def count_classes(self) -> int:
        """How many classes there are, read anew."""
        return len(
            parse_classes(
                await self._session.send(HttpRequest("GET", "/object_info", read_timeout_s=ALL_NODES_TIMEOUT_S))
            )
        )

    async def _read_class(self, name: str) -> NodeClass | None:
        document = await self._session.send(HttpRequest("GET", f"/object_info/{quote(name, safe='')}"))
        return parse_classes(document).get(name)


def parse_classes(document: Any) -> dict[str, NodeClass]:
    """The classes in an answer of ``object_info``, read liberally."""
    if not isinstance(document, dict):
        return {}
    return {
        name: NodeClass(name, _parse_choices(described.get("input")), is_paid=described.get("api_node") is True)
        for name, described in cast("dict[str, dict[str, Any]]", document).items()
    }


def find_name(wanted: str, names: Sequence[str]) -> str | None:
    """The file of that name: in full, or without folder, ending and case, where that names one alone."""
    if wanted in names:
        return wanted
    matches = [name for name in names if _simplify(wanted) in (_simplify(name), name.lower())]
    return matches[0] if len(matches) == 1 else None


def format_names(names: Sequence[str]) -> str:
    """The first few names for an error's reader."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return f"{', '.join(names[:MAX_NAMED])}{more}" if names else "none"


def _simplify(name: str) -> str:
    path = PurePath(name.replace("\\", "/").lower())
    return path.stem if path.suffix in (".safetensors", ".ckpt", ".pt", ".pth", ".gguf", ".bin") else path.name


def _parse_choices(inputs: Any) -> dict[str, tuple[str, ...]]:
    choices: dict[str, tuple[str, ...]] = {}
    if not isinstance(inputs, dict):
        return choices
    for group in cast("dict[str, Any]", inputs).values():
        if isinstance(group, dict):
            for name, described in cast("dict[str, Any]", group).items():
                if (found := _parse_list(described)) is not None:
                    choices[name] = found
    return choices


def _parse_list(described: Any) -> tuple[str, ...] | None:
    """Older servers write ``[[names], {}]``, later ones ``["COMBO", {"options": names}]``.

    (contract: object_info.choices)
    """
    match described:
        case [[*names], *_] | ["COMBO", {"options": [*names]}, *_]:
            return tuple(str(name) for name in names)
        case _:
            return None
