"""Pictures as phones, editors and cameras make them, by every route in, through the tools and the real engine."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

from atelier_mcp.server.engine.pool import EnginePool
from tests.images.samples import decode_image
from tests.images.test_colour import SWAPPED
from tests.images.test_upright import XMP
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import mcp_types as types

    Call = Callable[..., Awaitable[types.CallToolResult]]

BOX = (300, 200, 380, 280)
WAIT_S = 50


@pytest.fixture(scope="module")
async def pool() -> AsyncGenerator[EnginePool]:
    """One worker for all of this module."""
    async with EnginePool(1) as engine_pool:
        yield engine_pool


@pytest.fixture
def engine(pool: EnginePool) -> EnginePool:
    """The real engine behind the emulator."""
    return pool


def draw_photo() -> Image.Image:
    """Stripes, so that a change shows wherever it is."""
    image = Image.new("RGB", (640, 480), (90, 120, 90))
    pen = ImageDraw.Draw(image)
    for x in range(0, 640, 16):
        pen.rectangle((x, 0, x + 7, 480), fill=(70, 100, 160))
    pen.rectangle(BOX, fill=(200, 40, 40))
    return image


def save(image: Image.Image, folder: Path, name: str, **options: Any) -> str:
    """The picture as a file."""
    image.save(folder / name, **options)
    return str(folder / name)


def open_result(result: types.CallToolResult) -> Image.Image:
    """The one picture that a tool made."""
    assert not result.is_error, get_text(result)
    facts = get_structured(result)
    (image,) = facts.get("images") or [facts["image"]]
    return decode_image(Path(image["path"]).read_bytes())


def open_preview(result: types.CallToolResult) -> Image.Image:
    """The first picture that an answer shows."""
    block: Any = next(block for block in result.content if block.type == "image")
    return decode_image(base64.b64decode(block.data))


def build_data_url(path: str) -> str:
    """The file as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


async def test_a_hole_is_the_mask_by_every_route(call: Call, tmp_path: Path) -> None:
    """Editors save it so: path, data URL and handle, and never the rest of the picture."""
    photo = draw_photo()
    source = save(photo, tmp_path, "photo.png")
    holed = photo.convert("RGBA")
    holed.paste((0, 0, 0, 0), BOX)
    hole = save(holed, tmp_path, "hole.png")
    handle = get_structured(await call("import_image", image=hole))["image"]["handle"]
    for mask in (hole, build_data_url(hole), handle):
        result = await call("erase_object", image=source, mask=mask, format="png", wait_s=WAIT_S)
        assert "mask: 2.1 % of the picture is marked." in get_text(result)
        erased = open_result(result).convert("RGB")
        assert erased.crop((0, 0, 270, 400)).tobytes() == photo.crop((0, 0, 270, 400)).tobytes()
        assert erased.getpixel((340, 240)) != (200, 40, 40)


async def test_a_mask_that_is_none_is_refused_and_an_unlikely_one_asked_about(call: Call, tmp_path: Path) -> None:
    """Before money is spent; the answer names the share."""
    source = save(draw_photo(), tmp_path, "photo.png")
    refused = await call("erase_object", image=source, mask=source)
    assert refused.is_error
    assert "mask: This picture is no mask" in get_text(refused)
    assert "Nothing was spent." in get_text(refused)

    white_on_black = Image.new("L", (640, 480), "black")
    white_on_black.paste("white", BOX)
    white_on_black.paste("white", (0, 0, 640, 60))
    result = await call("erase_object", image=source, mask=save(white_on_black, tmp_path, "mask.png"), wait_s=WAIT_S)
    assert "mask: 85 % of the picture is marked. Was the rest meant?" in get_text(result)


async def test_a_cut_out_stays_one_through_edits_and_is_otherwise_said_to_lie_on_white(
    call: Call, tmp_path: Path
) -> None:
    """Whatever the service makes of transparency, it never sees any."""
    image = draw_photo().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 160, 480))
    source = save(image, tmp_path, "cut-out.png")
    box = {"type": "box", "points": list(BOX)}
    edits: tuple[tuple[str, dict[str, Any]], ...] = (
        ("upscale_image", {"ratio": 2}),
        ("erase_object", {"shapes": [box]}),
        ("inpaint_image", {"shapes": [box], "prompt": "a cat"}),
    )
    for tool, more in edits:
        result = await call(tool, image=source, **more, wait_s=WAIT_S)
        edited = open_result(result)
        assert edited.mode == "RGBA", tool
        alpha, width = edited.getchannel("A"), edited.width
        assert alpha.getpixel((width // 16, 20)) == 0, tool
        assert alpha.getpixel((width * 3 // 4, 20)) == 255, tool
        assert "the result has it back" in get_text(result)
    result = await call("outpaint_image", image=source, scale=1.5, wait_s=WAIT_S)
    assert open_result(result).mode == "RGB"
    assert "its transparency was laid on white for the service" in get_text(result)


async def test_an_edited_png_stays_one_unless_another_format_is_asked_for(call: Call, tmp_path: Path) -> None:
    """Transparency, where there is some, lies on white then, and the answer says so."""
    image = draw_photo().resize((384, 288)).convert("RGBA")
    opaque = save(image.convert("RGB"), tmp_path, "opaque.png")
    image.paste((0, 0, 0, 0), (0, 0, 96, 288))
    transparent = save(image, tmp_path, "transparent.png")
    photo = save(image.convert("RGB"), tmp_path, "photo.jpg")
    enlarge, extend = ("upscale_image", {"ratio": 2}), ("outpaint_image", {"scale": 1.5})
    for (tool, more), source, asked, wanted in (
        (enlarge, opaque, {}, "PNG"),
        (extend, opaque, {}, "PNG"),
        (enlarge, photo, {}, "JPEG"),
        (enlarge, opaque, {"format": "jpg"}, "JPEG"),
        (enlarge, transparent, {"format": "jpg"}, "JPEG"),
        (extend, transparent, {"format": "jpg"}, "JPEG"),
    ):
        result = await call(tool, image=source, **more, **asked, wait_s=WAIT_S)
        with Image.open(get_structured(result)["images"][0]["path"]) as edited:
            assert edited.format == wanted, (tool, source)
        assert ("laid on white for the service" in get_text(result)) == (source == transparent)
        assert "has it back" not in get_text(result)


async def test_what_xmp_says_squashes_nothing(call: Call, tmp_path: Path) -> None:
    """Stored, shown and made as it was drawn."""
    lying = draw_photo().resize((640, 960))
    source = save(lying, tmp_path, "xmp.jpg", xmp=XMP.encode())
    assert open_preview(await call("import_image", image=source)).size == (341, 512)
    assert open_result(await call("upscale_image", image=source, ratio=1.5, wait_s=WAIT_S)).size == (960, 1440)


async def test_colours_and_tones_are_those_the_file_means(call: Call, tmp_path: Path) -> None:
    """In the preview and in the result."""
    blue = save(Image.new("RGB", (320, 320), (20, 20, 230)), tmp_path, "swapped.png", icc_profile=SWAPPED)
    deep = save(Image.new("I;16", (320, 320), 32_767), tmp_path, "deep.png")
    for source, wanted in ((blue, (230, 20, 20)), (deep, (127, 127, 127))):
        shown = open_preview(await call("import_image", image=source)).convert("RGB").getpixel((60, 60))
        result = open_result(await call("upscale_image", image=source, format="png", wait_s=WAIT_S))
        assert shown == pytest.approx(wanted, abs=6)
        assert result.convert("RGB").getpixel((60, 60)) == pytest.approx(wanted, abs=6)
