"""The tools on real photos with the real engine: what a person would look at first, through the MCP door."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from atelier_mcp.server.engine.pool import EnginePool
from atelier_mcp.server.images.decode import decode_upright
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import mcp_types as types
    from numpy.typing import NDArray

    Call = Callable[..., Awaitable[types.CallToolResult]]
    Pixels = NDArray[np.int16]

ROCKET = (305, 120, 345, 340)
"""Left, top, right and bottom of the launch tower's rocket in the photo."""
REACH_PX = 12
"""Further from a mask than its margin and feather reach."""
CUP = (90, 40, 470, 370)
WATERMARK = (0.45, 0.10)
"""The lower right corner that the mark may touch, as shares of width and height."""
WAIT_S = 50


@pytest.fixture(scope="module")
async def pool() -> AsyncGenerator[EnginePool]:
    """Two workers for all of this module."""
    async with EnginePool() as engine_pool:
        yield engine_pool


@pytest.fixture
def engine(pool: EnginePool) -> EnginePool:
    """The real engine behind the emulator."""
    return pool


@pytest.fixture
def environ(environ: dict[str, str], photos: Path, tmp_path: Path) -> dict[str, str]:
    """PNG, so that untouched pixels stay what they were; the photos may be read."""
    return {**environ, "ATELIER_FORMAT": "png", "ATELIER_INPUT_ROOTS": f"{photos},{tmp_path}"}


def load_pixels(path: Path | str, mode: str = "RGB") -> Pixels:
    """A picture as rows, columns and channels."""
    with Image.open(path) as image:
        return np.asarray(image.convert(mode)).astype(np.int16)


async def make_image(call: Call, tool: str, **arguments: Any) -> Path:
    """The file of the one picture a tool makes."""
    image, *_ = get_structured(await call(tool, **arguments, wait_s=WAIT_S))["images"]
    return Path(image["path"])


def find_changes(one: Pixels, other: Pixels) -> NDArray[np.bool_]:
    """Where two pictures differ at all, the corner of the watermark left out."""
    changes = np.abs(one - other).max(axis=2) > 0
    height, width = changes.shape
    changes[round(height * (1 - WATERMARK[1])) :, round(width * (1 - WATERMARK[0])) :] = False
    return changes


def slice_box(box: tuple[int, int, int, int], *, grown_px: int = 0) -> tuple[slice, slice]:
    """The rows and columns of a box."""
    left, top, right, bottom = box
    return slice(max(0, top - grown_px), bottom + grown_px), slice(max(0, left - grown_px), right + grown_px)


async def test_what_is_erased_is_gone_and_the_rest_stands_bit_for_bit(call: Call, photos: Path, tmp_path: Path) -> None:
    """The rocket is no longer there; nothing beyond the mask's feather is another pixel."""
    photo = tmp_path / "rocket.png"  # in sRGB: the photo itself is in Adobe RGB, and would be converted on its way
    decode_upright((photos / "rocket.jpg").read_bytes()).save(photo)
    shapes = [{"type": "box", "points": list(ROCKET)}]
    before, after = (
        load_pixels(photo),
        load_pixels(await make_image(call, "erase_object", image=str(photo), shapes=shapes)),
    )
    differs = find_changes(before, after)
    assert differs[slice_box(ROCKET)].mean() > 0.9
    assert np.abs(before - after)[slice_box(ROCKET)].mean() > 10
    differs[slice_box(ROCKET, grown_px=REACH_PX)] = False
    assert not differs.any()


async def test_a_segment_covers_the_subject_and_lets_the_corners_through(call: Call, photos: Path) -> None:
    """The cup with its saucer, as a transparent PNG."""
    alpha = load_pixels(await make_image(call, "cut_out_subject", image=str(photos / "coffee.png")), "RGBA")[:, :, 3]
    left, top, right, bottom = CUP
    rows, columns = np.nonzero(alpha > 127)
    found = (columns.min(), rows.min(), columns.max(), rows.max())
    assert all(abs(edge - wanted) < 60 for edge, wanted in zip(found, CUP, strict=True)), found
    assert (alpha[(top + bottom) // 2 - 40 : (top + bottom) // 2 + 40, left + 100 : right - 100] > 200).mean() > 0.95
    assert alpha[:20, :20].max() == 0


async def test_an_extended_picture_holds_its_source_unchanged_at_its_place(call: Call, photos: Path) -> None:
    """On a canvas with offsets, and by a ratio with a position; the margins are filled, not blank."""
    photo = str(photos / "coffee.png")
    source = load_pixels(photo)
    free = load_pixels(await make_image(call, "outpaint_image", image=photo, width=768, height=640, x=64, y=120))
    assert free.shape == (640, 768, 3)
    assert not find_changes(free[120:520, 64:664], source).any()
    assert free[:100].std() > 5
    grown = load_pixels(await make_image(call, "outpaint_image", image=photo, scale=1.6, position="topleft"))
    assert grown.shape == (640, 960, 3)
    assert np.array_equal(grown[:400, :600], source)


async def test_a_face_in_a_small_picture_is_found_where_the_picture_has_it(
    call: Call, photos: Path, tmp_path: Path
) -> None:
    """The service takes 256 pixels at least; the box is told in the picture's own."""
    small = tmp_path / "small.png"
    with Image.open(photos / "astronaut.png") as photo:
        photo.crop((130, 20, 330, 220)).save(small)
    found = await call("detect_faces", image=str(small), wait_s=WAIT_S)
    (face,) = get_structured(found)["data"]["faces"]
    left, top, right, bottom = face["box"]
    assert left < 72 < 118 < right < 200, face  # the eyes
    assert top < 81 < bottom < 200, face
    assert "200x200 got a white border" in get_text(found)


async def test_a_swapped_face_changes_the_face_and_nothing_else(call: Call, photos: Path) -> None:
    """In the box that detect_faces tells; the picture around it stands."""
    photo = str(photos / "astronaut.png")
    found = await call("detect_faces", image=photo, wait_s=WAIT_S)
    (face,) = get_structured(found)["data"]["faces"]
    assert f"Face 0: box {', '.join(map(str, face['box']))}" in get_text(found)
    swapped = load_pixels(
        await make_image(call, "swap_faces", image=photo, faces=[{"image": str(photos / "grace_hopper.jpg")}])
    )
    before = load_pixels(photo)
    left, top, right, bottom = (round(edge) for edge in face["box"])
    box = (left, top, right, bottom)
    assert np.abs(swapped - before)[slice_box(box)].mean() > 5
    differs = find_changes(swapped, before)
    differs[slice_box(box, grown_px=(bottom - top) // 2)] = False
    assert not differs.any()


async def test_an_upscaled_picture_has_the_size_asked_for_and_is_the_same_picture(call: Call, photos: Path) -> None:
    """Scaled back down it is the photo again."""
    photo = photos / "chelsea.png"
    path = await make_image(call, "upscale_image", image=str(photo), ratio=2.5)
    with Image.open(path) as large, Image.open(photo) as small:
        assert large.size == (round(451 * 2.5), 750)
        back = np.asarray(large.convert("RGB").resize(small.size, Image.Resampling.BOX)).astype(np.int16)
    assert np.abs(back - load_pixels(photo)).mean() < 4


async def test_a_cut_out_is_the_mask_for_the_next_call(call: Call, photos: Path) -> None:
    """The handle it gives goes straight into erase_object."""
    photo = str(photos / "coffee.png")
    shapes = [{"type": "box", "points": [70, 10, 490, 385]}]
    cut = await call("cut_out_subject", image=photo, shapes=shapes, wait_s=WAIT_S)
    _, mask = get_structured(cut)["images"]
    assert "confidence" in get_text(cut)
    black = load_pixels(mask["path"])[:, :, 0] == 0
    assert black[slice_box((200, 120, 350, 250))].mean() > 0.9
    assert not black[:5].any()
    erased = load_pixels(await make_image(call, "erase_object", image=photo, mask=mask["handle"]))
    assert find_changes(erased, load_pixels(photo))[black].mean() > 0.9


async def test_the_same_request_with_a_seed_is_the_same_picture(call: Call) -> None:
    """Content-addressed: even its handle is the same, and another seed's is not."""
    kite = {"prompt": "a red kite over the sea", "width": 640, "height": 640, "wait_s": WAIT_S}
    results = [get_structured(await call("generate_image", **kite, seed=seed)) for seed in (7, 7, 8)]
    first, again, other = (result["images"][0]["handle"] for result in results)
    assert first == again
    assert first != other
    assert results[0]["job_id"] != results[1]["job_id"]


async def test_a_prompt_may_be_chinese(call: Call) -> None:
    """Red flowers make a red meadow and blue ones a blue one; nothing of the prompt is unknown."""
    red, blue = [
        await call("generate_image", prompt=prompt, width=640, height=640, seed=3, wait_s=WAIT_S)
        for prompt in ("红色的花", "蓝色的花")
    ]
    for result in (red, blue):
        assert "Not understood" not in get_text(result)
    meadows = [load_pixels(get_structured(result)["images"][0]["path"])[400:] for result in (red, blue)]
    in_red, in_blue = (
        [(meadow[:, :, 0] - meadow[:, :, 2] > 90).mean() for meadow in meadows],
        [(meadow[:, :, 2] - meadow[:, :, 0] > 15).mean() for meadow in meadows],
    )
    assert in_red[0] > 5 * in_red[1]
    assert in_blue[1] > 5 * in_blue[0]
