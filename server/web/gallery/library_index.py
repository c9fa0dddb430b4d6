"""The library in memory, for a page that shows all of it: each record is read once, however often it is shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.images.handles import is_handle
from atelier_mcp.server.images.provenance import WORKING_COPIES, Derived, DrawnMask, Generated, Imported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.images.provenance import Provenance
    from atelier_mcp.server.images.store import LibraryChanges, LibraryScanner
    from atelier_mcp.server.images.stored_image import StoredImage

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

    def __init__(self, scanner: LibraryScanner) -> None:
        """Nothing is read yet; ``scanner`` sees what changes from one ``refresh`` to the next."""
        self._scanner = scanner
        self._found: dict[tuple[str, str], IndexEntry] = {}
        """By library and handle: the same picture may lie in several."""
        self._entries: list[IndexEntry] = []
        self._version = 0
        self._lock = asyncio.Lock()
        self._refreshes = 0

    def snapshot(self) -> tuple[Sequence[IndexEntry], int]:
        """The entries as they were at the last ``refresh``, and a number that changes with them."""
        return self._entries, self._version

    async def refresh(self) -> None:
        """Take in what has changed. Raises ``StorageUnavailable``."""
        refreshes = self._refreshes
        async with self._lock:
            # A look that began after this call serves it, too: one beginning was waited for, the next one did it.
            if self._refreshes >= refreshes + 2:
                return
            changes = await self._scanner.scan()
            self._refreshes += 1
            if changes.added or changes.gone:
                await asyncio.to_thread(self._take_in, changes)

    async def remove(self, library: str, handle: str) -> None:
        """Forget a picture that was deleted here, before the scanner sees it."""
        async with self._lock:
            if self._found.pop((library, handle), None) is not None:
                await asyncio.to_thread(self._sort)

    def search(self, query: str) -> list[IndexEntry]:
        """The pictures of the wall that have every word of the query, newest first."""
        words = query.lower().split()
        return [entry for entry in self._entries if entry.is_on_wall and all(word in entry.words for word in words)]

    def _take_in(self, changes: LibraryChanges) -> None:
        for key in changes.gone:
            self._found.pop(key, None)
        for image in changes.added:
            self._found[image.library, image.handle] = _build_entry(image)
        self._sort()

    def _sort(self) -> None:
        by_handle = {entry.handle: entry for entry in self._found.values()}
        self._entries = sorted(by_handle.values(), key=lambda entry: (-entry.created_s, entry.handle))
        self._version += 1


def _build_entry(image: StoredImage) -> IndexEntry:
    tool, provider = _get_maker(image.provenance)
    words = [image.handle, tool, provider, f"{image.created_at:%Y-%m-%d}", *_list_words(image.provenance)]
    return IndexEntry(
        handle=image.handle,
        width=image.width,
        height=image.height,
        created_s=round(image.created_at.timestamp(), 3),
        tool=tool,
        provider=provider,
        parents=_list_parents(image.provenance),
        words=" ".join(words).lower(),
    )


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
            texts = [request.get(name) for name in ("prompt", "negative_prompt", "style", "model")]
            return [*(text for text in texts if isinstance(text, str)), *([] if seed is None else [str(seed)])]
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
