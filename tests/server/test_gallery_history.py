"""What was made of what: the tree that the gallery shows of a picture."""

from __future__ import annotations

from dataclasses import replace

from atelier_mcp.server.web.gallery.history import MAX_ROWS, trace_image
from atelier_mcp.server.web.gallery.library_index import IndexEntry


def build_library(**parents: str) -> list[IndexEntry]:
    """Pictures by name in the order in which they were made, each with the names of what it was made of."""
    return [
        IndexEntry(name, 4, 3, float(index), "tool", "", tuple(made_of.split()), name)
        for index, (name, made_of) in enumerate(parents.items())
    ]


def draw(entries: list[IndexEntry], handle: str) -> str:
    """A history in reading order, each picture after its depth: ``0photo 1erased``."""
    _, history = trace_image(entries, handle)
    return " ".join(f"{depth}{entry.handle}" for entry, depth in history)


def test_every_picture_of_a_family_sees_the_whole_of_it() -> None:
    entries = build_library(photo="", erased="photo", other="", large="erased", extended="photo")
    for handle in ("photo", "erased", "large", "extended"):
        assert draw(entries, handle) == "0photo 1erased 2large 1extended"
    assert draw(entries, "other") == "0other"


def test_the_nearest_ancestor_comes_first() -> None:
    entries = build_library(photo="", erased="photo", large="erased")
    ancestors, _ = trace_image(entries, "large")
    assert [entry.handle for entry in ancestors] == ["erased", "photo"]


def test_what_was_made_of_two_pictures_stands_once_and_both_are_beginnings() -> None:
    entries = build_library(left="", right="", both="left right")
    assert draw(entries, "both") == "0left 1both 0right"


def test_a_copy_that_was_made_for_a_service_stands_for_its_picture() -> None:
    """Also a copy of a copy; nobody asked for either."""
    entries = build_library(photo="", enlarged="photo", flat="enlarged", erased="flat", circle="circle", lost="circle")
    made_by = {"enlarged": "convert", "flat": "flatten", "circle": "tile"}
    entries = [replace(entry, tool=made_by.get(entry.handle, entry.tool)) for entry in entries]
    assert draw(entries, "erased") == "0photo 1erased"
    assert draw(entries, "lost") == "0lost"
    assert [entry.handle for entry in trace_image(entries, "erased")[0]] == ["photo"]


def test_a_source_that_is_gone_is_left_out() -> None:
    assert draw(build_library(erased="gone", large="erased"), "large") == "0erased 1large"


def test_pictures_that_name_each_other_end() -> None:
    """As files written by hand may."""
    assert draw(build_library(a="b", b="a"), "a") == "0a 1b"
    assert draw(build_library(a="a"), "a") == "0a"


def test_a_picture_that_is_not_known_has_none() -> None:
    assert trace_image(build_library(photo=""), "nothing") == ([], [])


def test_of_a_very_large_family_the_own_line_is_left() -> None:
    """Else one photo with a thousand variations would bury what the picture came from."""
    others = {f"variation{index}": "photo" for index in range(MAX_ROWS + 50)}
    entries = build_library(photo="", **others, erased="photo", large="erased")
    assert draw(entries, "erased") == "0photo 1erased 2large"
    _, history = trace_image(entries, "photo")
    assert len(history) == MAX_ROWS
