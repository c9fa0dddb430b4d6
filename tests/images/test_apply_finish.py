"""What a service delivered becomes what was asked for."""

from __future__ import annotations

import json
from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from atelier_mcp.server.images.apply_finish import apply_finish, crop_tiles
from atelier_mcp.server.images.finish_plan import CutOut, Finish, Join, Patch, Reframe, finish_to_document, parse_finish
from atelier_mcp.server.images.placement import place
from atelier_mcp.server.providers.tiles import scale_boxes, split_into_tiles


def encode(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def decode(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def draw_noise(width: int, height: int) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise((width, height), 60) for _ in range(3)])


@pytest.mark.parametrize(
    "finish",
    [
        None,
        Reframe(size=(9, 8), canvas=(20, 10), region=(0.5, 0, 9.5, 8), source="image", at=(3, 4)),
        CutOut(outline="mask"),
        Patch(),
        Join(size=(9, 8), boxes=((0, 0, 5, 8), (4, 0, 9, 8))),
    ],
)
def test_a_finish_outlives_the_process_that_planned_it(finish: Finish | None) -> None:
    document = json.loads(json.dumps(finish_to_document(finish)))
    assert parse_finish(document) == finish


def test_the_source_is_put_back_pixel_for_pixel_and_a_mark_over_it_stays() -> None:
    source = draw_noise(300, 200)
    delivered = Image.new("RGB", (448, 256), "teal")
    delivered.paste(source.point([min(255, value + 3) for value in range(256)] * 3), (104, 8))
    ImageDraw.Draw(delivered).rectangle((340, 180, 400, 200), fill="white")
    finish = Reframe(size=(400, 200), canvas=(448, 256), region=(4, 8, 404, 208), source="image", at=(100, 0))
    (finished,) = apply_finish(finish, [encode(delivered)], {"image": encode(source)})
    result = decode(finished.data)
    assert result.size == (400, 200)
    assert result.crop((100, 0, 400, 140)).tobytes() == source.crop((0, 0, 300, 140)).tobytes()
    assert result.crop((337, 173, 395, 191)).getextrema() == ((255, 255),) * 3
    assert result.getpixel((5, 5)) == (0, 128, 128)


def test_a_service_that_delivers_another_size_than_it_was_asked_for_is_read_to_scale() -> None:
    delivered = Image.new("RGB", (200, 100), "teal")
    delivered.paste("red", (100, 0, 200, 100))
    (finished,) = apply_finish(
        Reframe(size=(100, 100), canvas=(400, 200), region=(200, 0, 400, 200)), [encode(delivered)], {}
    )
    assert decode(finished.data).convert("RGB").getpixel((50, 50)) == (255, 0, 0)


def test_what_needs_nothing_stays_the_same_bytes() -> None:
    data = encode(draw_noise(30, 20), "JPEG")
    assert apply_finish(Reframe(size=(30, 20)), [data], {})[0].data is data


@pytest.mark.parametrize("way", ["transparent", "black on white", "white ground"])
def test_a_cut_out_and_its_mask_come_of_whatever_a_service_says_the_subject_is(way: str) -> None:
    source, box = draw_noise(200, 100).point([value // 2 for value in range(256)] * 3), (50, 20, 150, 80)
    match way:
        case "transparent":
            delivered = Image.new("RGBA", (200, 100), (0, 0, 0, 0))
            delivered.paste(source.crop(box), box[:2])
        case "black on white":
            delivered = Image.new("L", (200, 100), 255)
            delivered.paste(0, box)
        case _:
            delivered = Image.new("RGB", (200, 100), "white")
            delivered.paste(source.crop(box), box[:2])
    cut_out, mask = apply_finish(CutOut(), [encode(delivered)], {"image": encode(source)})
    assert (cut_out.label, mask.label) == ("cut-out", "mask")
    image = decode(cut_out.data)
    assert image.mode == "RGBA"
    assert image.crop((60, 30, 140, 70)).convert("RGB").tobytes() == source.crop((60, 30, 140, 70)).tobytes()
    assert image.getchannel("A").getextrema() == (0, 255)
    assert ImageChops.invert(decode(mask.data).convert("L")).getbbox() == box


def test_a_strict_cut_out_ends_at_the_outline() -> None:
    source, outline = draw_noise(200, 100), Image.new("L", (200, 100), 255)
    outline.paste(0, (60, 30, 90, 60))
    delivered = Image.new("L", (200, 100), 255)
    delivered.paste(0, (50, 20, 150, 80))
    sources = {"image": encode(source), "mask": encode(outline)}
    cut_out, _ = apply_finish(CutOut(outline="mask"), [encode(delivered)], sources)
    assert decode(cut_out.data).getchannel("A").getbbox() == (60, 30, 90, 60)


def test_tiles_come_together_without_a_seam() -> None:
    source = Image.linear_gradient("L").resize((900, 700)).convert("RGB")
    boxes = split_into_tiles(source.size, 400)
    tiles = [decode(tile).resize((800, 800)) for tile in crop_tiles(encode(source), boxes)]
    finish = Join(size=(1800, 1400), boxes=scale_boxes(boxes, source.size, (1800, 1400)))
    (finished,) = apply_finish(finish, [encode(tile, "JPEG", quality=95) for tile in tiles], {})
    result = decode(finished.data)
    assert result.size == (1800, 1400)
    difference = ImageChops.difference(result.convert("RGB"), source.resize((1800, 1400)))
    assert max(high for _, high in difference.getextrema()) <= 8  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportUnknownArgumentType]  # three bands


def test_tiles_cover_the_picture_and_each_other() -> None:
    boxes = split_into_tiles((5000, 1000), 2000)
    assert (boxes[0][0], boxes[-1][2], {box[1:4:2] for box in boxes}) == (0, 5000, {(0, 1000)})
    assert all(left[2] - right[0] >= 400 for left, right in pairwise(boxes))
    assert max(right - left for left, _, right, _ in boxes) == 2000


@pytest.mark.parametrize(
    ("position", "at"), [("topleft", (0, 0)), ("middle", (50, 20)), ("bottomright", (100, 40)), ("topmiddle", (50, 0))]
)
def test_nine_places(position: str, at: tuple[int, int]) -> None:
    assert place((100, 60), (200, 100), position) == at


def test_beyond_the_mask_the_source_stays_pixel_for_pixel() -> None:
    source, drawn = Image.new("RGB", (96, 64), "teal"), Image.new("RGB", (192, 128), "red")
    mask = Image.new("L", (96, 64), 255)
    mask.paste(0, (20, 10, 70, 50))
    sources = {"image": encode(source), "mask": encode(mask)}
    (finished,) = apply_finish(Patch(), [encode(drawn)], sources)
    result = decode(finished.data).convert("RGB")
    assert result.size == (96, 64)
    assert result.getpixel((45, 30)) == (255, 0, 0)
    outside = ImageChops.multiply(ImageChops.difference(result, source), mask.convert("RGB"))
    assert outside.getbbox() is None


def test_of_whatever_size_a_service_delivers_the_middle_is_taken_undistorted() -> None:
    drawn = Image.new("RGB", (300, 100), "red")
    drawn.paste("teal", (100, 0, 200, 100))
    (finished,) = apply_finish(Reframe(size=(50, 50), keeps_ratio=True), [encode(drawn)], {})
    result = decode(finished.data).convert("RGB")
    assert result.size == (50, 50)
    assert result.getpixel((5, 25)) == result.getpixel((44, 25)) == (0, 128, 128)
