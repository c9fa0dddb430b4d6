"""The library in memory, for a page that shows all of it: read once, then only the day folders that changed.

Other processes of the same user write into the same folders, so what changed is seen by the folders' own times.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.images.handles import is_handle
from atelier_mcp.server.images.provenance import (
    WORKING_COPIES,
    Derived,
    DrawnMask,
    Generated,
    Imported,
    parse_provenance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from atelier_mcp.server.images.provenance import Provenance

MASK = "make_mask"
IMPORT = "import_image"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """What a wall of pictures needs of one of them. Width and height in pixels, the time in Unix seconds."""

    handle: str
    width: int
    height: int
    created_s: float
    tool: str
    provider: str
    parents: tuple[str, ...]
    """Handles of the pictures it was made of."""
    words: str
    """What it is searched by, in lower case."""

    @property
    def is_on_wall(self) -> bool:
        """Whether it is a picture that somebody wanted: no mask, and no copy that was made for a service alone."""
        return self.tool != MASK and not self.is_working_copy

    @property
    def is_working_copy(self) -> bool:
        """Whether it was made to fit a service's rule, of the picture that is its only parent."""
        return self.tool in WORKING_COPIES

    def to_row(self) -> list[Any]:
        """For the page: ``[handle, width, height, created_s, tool, provider]``."""
        return [self.handle, self.width, self.height, self.created_s, self.tool, self.provider]


class LibraryIndex:
    """The pictures of one library, or of several, newest first."""

    def __init__(self, list_folders: Callable[[], Iterable[Path]]) -> None:
        """Nothing is read yet; the folders are those of ``ImageStore``s, asked for anew with each ``refresh``."""
        self._list_folders = list_folders
        self._days: dict[Path, tuple[int, list[IndexEntry]]] = {}
        self._entries: list[IndexEntry] = []
        self._version = 0
        self._lock = threading.Lock()

    def snapshot(self) -> tuple[Sequence[IndexEntry], int]:
        """The entries as they were at the last ``refresh``, and a number that changes with them."""
        with self._lock:
            return self._entries, self._version

    def refresh(self) -> None:
        """Read the day folders that have changed. Blocks: call it in a thread."""
        with self._lock:
            days = set(self._list_days())
            has_changed = bool(self._days.keys() - days)
            for gone in self._days.keys() - days:
                del self._days[gone]
            for day in days:
                changed_ns = day.stat().st_mtime_ns
                if day not in self._days or self._days[day][0] != changed_ns:
                    # The time before the reading: what is written meanwhile is read again.
                    self._days[day] = (changed_ns, list(_read_day(day)))
                    has_changed = True
            if has_changed:
                # The same picture may lie in several libraries.
                found = {entry.handle: entry for _, entries in self._days.values() for entry in entries}
                self._entries = sorted(found.values(), key=lambda entry: (-entry.created_s, entry.handle))
                self._version += 1

    def search(self, query: str) -> list[IndexEntry]:
        """The pictures of the wall that have every word of the query, newest first."""
        words = query.lower().split()
        return [entry for entry in self._entries if entry.is_on_wall and all(word in entry.words for word in words)]

    def _list_days(self) -> Iterator[Path]:
        for folder in self._list_folders():
            with contextlib.suppress(FileNotFoundError):
                yield from [entry for entry in folder.iterdir() if entry.is_dir()]


def _read_day(day: Path) -> Iterator[IndexEntry]:
    for path in day.glob("img_*.json"):
        entry = _read_entry(path)
        if entry is not None:
            yield entry


def _read_entry(path: Path) -> IndexEntry | None:
    """None where the JSON is not one of ours, or is gone already."""
    try:
        document = json.loads(path.read_bytes())
        created_at = datetime.fromisoformat(document["created_at"])
        provenance = parse_provenance(document.get("made"))
        tool, provider = _get_maker(provenance)
        words = " ".join([path.stem, tool, provider, f"{created_at:%Y-%m-%d}", *_list_words(provenance)])
        return IndexEntry(
            handle=path.stem,
            width=int(document["width"]),
            height=int(document["height"]),
            created_s=round(created_at.timestamp(), 3),
            tool=tool,
            provider=provider,
            parents=_list_parents(provenance),
            words=words.lower(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _get_maker(provenance: Provenance) -> tuple[str, str]:
    """The tool that made a picture, and the service behind it."""
    match provenance:
        case Generated(capability=capability, provider=provider):
            return capability, provider
        case Derived(operation=operation):
            return operation, ""
        case DrawnMask():
            return MASK, ""
        case _:
            return IMPORT, ""


def _list_words(provenance: Provenance) -> list[str]:
    match provenance:
        case Generated(request=request, seed=seed):
            told = [request.get(name) for name in ("prompt", "negative_prompt", "style", "model")]
            return [*(text for text in told if isinstance(text, str)), *([] if seed is None else [str(seed)])]
        case Imported(source=source):
            return [source]
        case Derived(changes=changes):
            return [*changes]
        case _:
            return []


def _list_parents(provenance: Provenance) -> tuple[str, ...]:
    match provenance:
        case Generated(request=request):
            named = [request.get("image"), *_list_images(request.get("controls")), *_list_images(request.get("faces"))]
        case Derived(parents=parents):
            named = [*parents]
        case DrawnMask(image=image):
            named = [image]
        case _:
            named = []
    return tuple(name for name in named if isinstance(name, str) and is_handle(name))


def _list_images(parts: Any) -> list[Any]:
    """The pictures that parts of a request name."""
    if not isinstance(parts, list):
        return []
    return [part.get("image") for part in cast("list[Any]", parts) if isinstance(part, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON
