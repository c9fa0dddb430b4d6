"""Pictures cropped, turned, resized and converted here."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.outline import draw_outline
from atelier_mcp.server.images.probe import probe
from atelier_mcp.server.images.transform import transform
from atelier_mcp.server.images.transformation import Transformation

ORANGE = (255, 128, 0, 255)


def encode(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def run(data: bytes, **steps: Any) -> tuple[Image.Image, str]:
    """The new picture, and what is told of it."""
    result, done = transform(data, probe(data), Transformation(**steps))
    return Image.open(BytesIO(result)), "; ".join(done)


def draw_halves() -> bytes:
    """Red on the left, blue on the right: 60 x 40."""
    image = Image.new("RGB", (60, 40), "red")
    image.paste("blue", (30, 0, 60, 40))
    return encode(image)


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ({"crop": (10, 5, 30, 20)}, (30, 20)),
        ({"crop": (50, 30, 30, 20)}, (10, 10)),
        ({"rotate": 90}, (40, 60)),
        ({"rotate": -180}, (60, 40)),
        ({"rotate": 45}, (71, 71)),
        ({"width": 30}, (30, 20)),
        ({"height": 80}, (120, 80)),
        ({"width": 30, "height": 30}, (30, 20)),
        ({"width": 30, "height": 30, "fit": "cover"}, (30, 30)),
        ({"width": 30, "height": 30, "fit": "pad"}, (30, 30)),
        ({"width": 30, "height": 30, "fit": "stretch"}, (30, 30)),
        ({"ratio": 1, "fit": "pad"}, (60, 60)),
        ({"ratio": 1, "fit": "cover"}, (40, 40)),
        ({"ratio": 2, "width": 100, "fit": "cover"}, (100, 50)),
        ({"outline_width": 5}, (70, 50)),
        ({"outline_width": 5, "width": 100}, (100, 70)),
        ({"outline_width": 5, "height": 50}, (70, 50)),
        ({"outline_width": 5, "width": 90, "height": 90, "fit": "cover"}, (90, 90)),
        ({"outline_width": 5, "width": 90, "height": 90, "fit": "pad"}, (90, 90)),
        ({"outline_width": 5, "ratio": 1, "fit": "pad"}, (70, 70)),
    ],
)
def test_sizes_come_out_as_asked(steps: dict[str, Any], size: tuple[int, int]) -> None:
    image, _ = run(draw_halves(), **steps)
    assert all(abs(side - wanted) <= 1 for side, wanted in zip(image.size, size, strict=True)), image.size


@pytest.mark.parametrize("fit", ["contain", "cover", "pad", "stretch"])
@pytest.mark.parametrize("width", [333, 451, 999])
def test_one_side_comes_out_to_the_pixel_whatever_the_other_rounds_to(width: int, fit: Any) -> None:
    image, _ = run(encode(Image.new("RGB", (1000, 707))), width=width, fit=fit)
    assert image.size == (width, round(width * 0.707))
    assert image.mode == "RGB", "nothing was padded"


def test_turning_is_clockwise_and_flipping_is_as_named() -> None:
    turned, told = run(draw_halves(), rotate=90)
    assert turned.convert("RGB").getpixel((20, 5)) == (255, 0, 0)
    assert "turned 90 degrees clockwise" in told
    assert "turned 3 degrees anticlockwise" in run(draw_halves(), rotate=-3)[1]
    flipped, _ = run(draw_halves(), flip="horizontal")
    assert flipped.convert("RGB").getpixel((5, 20)) == (0, 0, 255)


def test_what_is_padded_is_transparent_or_has_the_colour() -> None:
    clear, _ = run(draw_halves(), ratio=1, fit="pad")
    assert (clear.mode, clear.getpixel((30, 2))) == ("RGBA", (0, 0, 0, 0))
    orange, told = run(draw_halves(), ratio=1, fit="pad", color=ORANGE)
    assert (orange.mode, orange.getpixel((30, 2))) == ("RGB", (255, 128, 0))
    assert "padded to 60x60; filled with #ff8000" in told, "an opaque picture has no transparency to fill"


def test_a_jpeg_of_something_transparent_is_filled_and_that_is_said() -> None:
    data = encode(Image.new("RGBA", (20, 20), (255, 0, 0, 0)))
    image, told = run(data, file_format="jpg")
    assert min(image.convert("RGB").getpixel((5, 5))) > 250  # pyright: ignore[reportArgumentType]  # three bands
    assert "transparency filled with white, which JPEG needs" in told


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (encode(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG"), "CMYK"),
        (encode(Image.new("I;16", (20, 20), 65535)), "8"),
        (
            encode(Image.new("P", (20, 20)), "GIF", save_all=True, append_images=[Image.new("P", (20, 20), 1)], loop=0),
            "animation",
        ),
    ],
    ids=["CMYK", "16 bit", "animation"],
)
def test_what_was_not_taken_as_it_was_is_said(data: bytes, word: str) -> None:
    image, told = run(data, width=10)
    assert image.size == (10, 10)
    assert word in told


@pytest.mark.parametrize("radius", [1, 3, 8, 40])
def test_an_outline_is_as_wide_as_asked_in_every_direction(radius: int) -> None:
    dot = Image.new("RGBA", (121, 121), (0, 0, 0, 0))
    dot.putpixel((60, 60), (255, 0, 0, 255))
    image, _ = run(encode(dot), outline_width=radius, outline_color=ORANGE)
    middle = 60 + radius
    assert image.getpixel((middle, middle)) == (255, 0, 0, 255)
    for x, y in ((1, 0), (0, -1), (-0.7, 0.7), (0.5, 0.85), (-0.9, -0.4)):
        inside, outside = ((round(middle + x * far), round(middle + y * far)) for far in (radius - 1, radius + 3))
        assert inside == (middle, middle) or image.getpixel(inside) == ORANGE
        assert image.getchannel("A").getpixel(outside) == 0


@pytest.mark.parametrize("steps", [{"crop": (60, 0, 5, 5)}, {"width": 20_000}, {"width": 20_000, "height": 20_000}])
def test_a_crop_outside_and_a_result_past_the_limit_are_refused(steps: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"crop: |100 megapixels"):
        run(draw_halves(), **steps)


def test_the_outline_of_a_very_large_picture_is_as_wide_too() -> None:
    """To a few pixels: it is found in a smaller one."""
    large = Image.new("RGBA", (2900, 2900), (0, 0, 0, 0))
    large.paste((255, 0, 0, 255), (1400, 1400, 1600, 1600))
    outlined = draw_outline(large, 100, ORANGE, follows_shape=True)
    assert outlined.size == (3100, 3100)
    box = outlined.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert box == pytest.approx((1400, 1400, 1800, 1800), abs=4)
