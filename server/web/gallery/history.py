"""A picture's whole history as a tree: what it was made of, from the beginning, and all that was made of that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from atelier_mcp.server.web.gallery.library_index import IndexEntry

    Children = Mapping[str, Sequence[IndexEntry]]
    History = list[tuple[IndexEntry, int]]

MAX_ROWS: Final = 200
"""A source of very many pictures: beyond this the tree has only what led to the picture and what was made of it."""


def trace_image(entries: Iterable[IndexEntry], handle: str) -> tuple[list[IndexEntry], History]:
    """What a picture was made of, the nearest first, and its history.

    The history is in reading order, each picture with its depth, which is 0 for a beginning. What was made of several
    pictures stands once, under the first of them. Both are empty where nothing is known of the picture.
    """
    by_handle = {entry.handle: entry for entry in _leave_out_copies([*entries])}
    if handle not in by_handle:
        return [], []
    ancestors = _find_ancestors(by_handle, handle)
    return ancestors, _build_tree(by_handle, handle, ancestors)


def _leave_out_copies(entries: Sequence[IndexEntry]) -> Iterator[IndexEntry]:
    """The pictures but for working copies; what was made of a copy was made of its picture."""
    copied_of = {entry.handle: entry.parents[0] for entry in entries if entry.is_working_copy and entry.parents}
    for entry in entries:
        if not entry.is_working_copy:
            is_of_copy = not copied_of.keys().isdisjoint(entry.parents)
            parents = tuple(_find_original(parent, copied_of) for parent in entry.parents)
            yield replace(entry, parents=parents) if is_of_copy else entry


def _find_original(handle: str, copied_of: Mapping[str, str]) -> str:
    # A copy of a copy of one; as many steps as there are copies, since files written by hand may go in a circle.
    for _ in copied_of:
        if handle not in copied_of:
            break
        handle = copied_of[handle]
    return handle


def _build_tree(by_handle: Mapping[str, IndexEntry], handle: str, ancestors: Sequence[IndexEntry]) -> History:
    beginnings = [entry for entry in [by_handle[handle], *ancestors] if not _has_parent(by_handle, entry)]
    children = _group_by_parent(by_handle.values())
    # Files written by hand may name each other in a circle, which has no beginning.
    tree = list(_walk(beginnings or [by_handle[handle]], children))
    if len(tree) <= MAX_ROWS:
        return tree
    related = {entry.handle for entry, _ in _walk([by_handle[handle]], children)} | {
        entry.handle for entry in ancestors
    }
    return [row for row in tree if row[0].handle in related][:MAX_ROWS]


def _find_ancestors(by_handle: Mapping[str, IndexEntry], handle: str) -> list[IndexEntry]:
    found: dict[str, IndexEntry] = {}
    waiting = [*by_handle[handle].parents]
    while waiting:
        parent = by_handle.get(waiting.pop(0))
        # A picture may be named more than once, and files written by hand might name each other.
        if parent is not None and parent.handle not in found and parent.handle != handle:
            found[parent.handle] = parent
            waiting += parent.parents
    return list(found.values())


def _has_parent(by_handle: Mapping[str, IndexEntry], entry: IndexEntry) -> bool:
    return any(parent in by_handle for parent in entry.parents)


def _group_by_parent(entries: Iterable[IndexEntry]) -> Children:
    """By handle of a picture: what was made of it, oldest first."""
    children: defaultdict[str, list[IndexEntry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.created_s):
        for parent in entry.parents:
            children[parent].append(entry)
    return children


def _walk(beginnings: Sequence[IndexEntry], children: Children) -> Iterator[tuple[IndexEntry, int]]:
    seen: set[str] = set()
    waiting = [(entry, 0) for entry in reversed(beginnings)]
    while waiting:
        entry, depth = waiting.pop()
        if entry.handle not in seen:
            seen.add(entry.handle)
            yield entry, depth
            waiting += [(child, depth + 1) for child in reversed(children.get(entry.handle, ()))]
