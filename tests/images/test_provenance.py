"""How a picture came to be is read back as it was written, by every version from every version."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.images.folder_store import FolderStore
from atelier_mcp.server.images.handles import ImageHandle
from atelier_mcp.server.images.provenance import (
    Derived,
    DrawnMask,
    Generated,
    Imported,
    Unrecorded,
    parse_provenance,
    provenance_to_document,
)
from atelier_mcp.server.images.shapes import MaskShape
from atelier_mcp.server.images.stored_image import StoredImage
from atelier_mcp.server.images.titles import build_title
from tests.images.samples import make_image
from tests.support.store_places import get_file

if TYPE_CHECKING:
    from atelier_mcp.server.images.provenance import Provenance

HANDLE = "img_k3v7q2m4x5a6b7c2"
GENERATED = Generated(
    job="job_01",
    capability="generate_image",
    provider="mhapi",
    request={"prompt": "a red kite", "samples": 2},
    notes=("model artist_v0.4.0",),
    seed=11,
    is_emulated=True,
)
MASK = DrawnMask(
    image=HANDLE,
    shapes=(MaskShape("box", (1, 2, 3, 4)), MaskShape("stroke", (5, 6), 40)),
    base_mask="/home/me/mask.png",
    is_inverted=True,
)
DERIVED = Derived(parents=(HANDLE,), operation="convert", changes=("converted from GIF to PNG",))


@pytest.mark.parametrize(
    "provenance",
    [
        GENERATED,
        replace(GENERATED, seed=None, is_emulated=False),
        Imported(source="/home/me/photo.jpg", changes=("turned upright as its EXIF data asks",)),
        DERIVED,
        MASK,
        DrawnMask(),
        Unrecorded({"kind": "dreamt", "by": "a later version"}),
    ],
)
def test_what_is_written_is_read_back(provenance: Provenance) -> None:
    """Nothing is lost on the way."""
    assert parse_provenance(provenance_to_document(provenance)) == provenance


@pytest.mark.parametrize(
    ("document", "provenance"),
    [
        (
            {
                "job": "job_01",
                "capability": "generate_image",
                "provider": "mhapi",
                "disclaimer": "Made by the built-in preview engine, no neural model.",
                "request": {"prompt": "a red kite", "samples": 2},
                "notes": ["model artist_v0.4.0"],
                "seed": 11,
            },
            GENERATED,
        ),
        (
            {
                "job": "job_02",
                "capability": "erase_object",
                "provider": "mhapi",
                "request": {"image": HANDLE},
                "notes": [],
                "seed": None,
            },
            Generated(job="job_02", capability="erase_object", provider="mhapi", request={"image": HANDLE}),
        ),
        ({"imported_from": "a data URL", "changes": []}, Imported(source="a data URL")),
        ({"imported_from": HANDLE, "changes": ["converted from GIF to PNG"]}, DERIVED),
        ({"tool": "make_mask"}, DrawnMask()),
        ({"tool": "draw", "prompt": "a red kite"}, Unrecorded({"tool": "draw", "prompt": "a red kite"})),
        ({"kind": ["generated"]}, Unrecorded({"kind": ["generated"]})),
        ({}, Unrecorded()),
        ("a story", Unrecorded()),
        (None, Unrecorded()),
        ({"kind": "mask", "shapes": [1, {"type": "star"}], "image": 7}, DrawnMask()),
        ({"kind": "generated", "request": [], "seed": "x"}, Generated(job="", capability="", provider="", request={})),
    ],
)  # fmt: skip
def test_files_of_earlier_and_later_versions_are_understood(document: Any, provenance: Provenance) -> None:
    """What cannot be understood is kept as it is."""
    assert parse_provenance(document) == provenance


@pytest.mark.parametrize("made", ['"made": {"imported_from": "kite.png", "changes": []}', '"made": 7', '"else": 1'])
async def test_a_picture_is_shown_whatever_is_said_of_it(
    store: FolderStore, home: Path, now: datetime, made: str
) -> None:
    """Its JSON may be older than kinds, or mended by hand."""
    stored = await store.save(make_image(), provenance=GENERATED, now=now)
    size = f'"size_bytes": {stored.size_bytes}, "created_at": "2026-11-20T22:00:00+00:00"'
    get_file(stored).with_suffix(".json").write_text(
        f'{{"file": "{get_file(stored).name}", "media_type": "image/png", "width": 320, "height": 240, {size}, {made}}}'
    )
    (listed,) = await FolderStore(home).list_recent(5)
    assert listed.handle == stored.handle


@pytest.mark.parametrize(
    ("provenance", "title"),
    [
        (GENERATED, "a red kite"),
        (replace(GENERATED, request={"prompt": "a red\n kite " * 9}), "a red kite " * 7 + "a…"),
        (replace(GENERATED, request={"messages": [{"role": "user", "content": "Draw a kite"}]}), "Draw a kite"),
        (replace(GENERATED, capability="upscale_image", request={"image": HANDLE}), f"Upscale image: {HANDLE}"),
        (Imported(source="/home/me/photo.jpg"), "Imported photo.jpg"),
        (Imported(source="C:\\pictures\\photo.jpg"), "Imported photo.jpg"),
        (Imported(source="https://pictures.example/kites/red.png"), "Imported red.png"),
        (Imported(source="https://pictures.example/"), "Imported pictures.example"),
        (Imported(source="a data URL"), "Imported data URL"),
        (DERIVED, f"Convert: {HANDLE}"),
        (MASK, f"Mask of {HANDLE}"),
        (DrawnMask(), "Mask"),
        (Unrecorded({"prompt": "a red kite"}), "a red kite"),
        (Unrecorded(), f"{HANDLE}.png"),
    ],
)
def test_a_picture_is_titled_by_its_words_or_by_what_it_is(provenance: Provenance, title: str) -> None:
    """In one line that fits a list."""
    image = StoredImage(
        handle=ImageHandle(HANDLE),
        path=Path(f"/images/{HANDLE}.png"),
        media_type="image/png",
        width=320,
        height=240,
        size_bytes=1000,
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
        provenance=provenance,
    )
    assert build_title(image) == title
    assert len(title) <= 80
