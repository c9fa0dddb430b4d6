"""A picture made ready for its use: without colours, with an outline, in a file of at most so many bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Call

RED, BLUE = (220, 30, 20), (20, 40, 210)


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A red disc of 40 pixels in the middle of 80 transparent ones."""
    image = Image.new("RGBA", (80, 80), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, 59, 59), fill=(*RED, 255))
    image.save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A JPEG that is hard to make small."""
    image = Image.merge("RGB", [Image.effect_noise((900, 600), 60) for _ in range(3)])
    image.save(tmp_path / "noise.jpg", quality=95)
    return tmp_path / "noise.jpg"


async def make(call: Call, **arguments: Any) -> tuple[Image.Image, int]:
    """The picture that was made, and how many bytes its file has."""
    path = Path(get_structured(await call("transform_image", **arguments))["image"]["path"])
    with Image.open(path) as made:
        made.load()
    return made, path.stat().st_size


async def test_a_grey_picture_has_no_colours_and_keeps_its_transparency(call: Call, disc: Path) -> None:
    made, _ = await make(call, image=str(disc), grayscale=True)
    red, green, blue, alpha = made.split()
    assert ImageChops.difference(red, green).getbbox() is ImageChops.difference(green, blue).getbbox() is None
    assert ImageChops.difference(alpha, Image.open(disc).getchannel("A")).getbbox() is None


async def test_the_outline_of_a_grey_picture_has_its_colour(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), RED).save(tmp_path / "red.png")
    made, _ = await make(call, image=str(tmp_path / "red.png"), grayscale=True, outline=4, outline_color="blue")
    assert made.size == (58, 48)
    assert made.getpixel((1, 1)) == (0, 0, 255)
    inside = made.crop((4, 4, 54, 44))
    assert ImageChops.difference(inside, inside.convert("L").convert("RGB")).getbbox() is None


async def test_an_opaque_picture_gets_a_frame_with_sharp_corners(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (50, 40), BLUE).save(tmp_path / "blue.png")
    result = await call("transform_image", image=str(tmp_path / "blue.png"), outline=10)
    made = Image.open(get_structured(result)["image"]["path"])
    assert (made.size, made.mode) == ((70, 60), "RGB")
    assert {made.getpixel(corner) for corner in ((0, 0), (69, 0), (0, 59), (69, 59), (9, 30))} == {(255, 255, 255)}
    assert made.getpixel((10, 10)) == BLUE
    assert "Outlined with 10 pixels of #ffffff around it, now 70x60" in get_text(result)


async def test_a_cut_out_gets_its_outline_around_the_subject(call: Call, disc: Path) -> None:
    made, _ = await make(call, image=str(disc), outline=8, outline_color="#00ff00")
    assert made.size == (96, 96)
    assert made.getchannel("A").getpixel((2, 2)) == 0, "far from the subject nothing is drawn"
    assert made.getpixel((48, 48)) == (*RED, 255)
    assert made.getpixel((48, 24)) == (0, 255, 0, 255), "above the disc, which begins at 28"
    # By the diagonal: a square brush would reach further there than a round one.
    assert made.getchannel("A").getpixel((48 - 23, 48 - 23)) == 0


async def test_a_sticker_comes_in_the_size_that_was_asked_for(call: Call, disc: Path) -> None:
    made, _ = await make(call, image=str(disc), width=512, height=512, outline=16)
    assert made.size == (512, 512)
    assert made.getpixel((256, 256)) == (*RED, 255)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"outline_color": "blue"}, "outline"),
        ({"outline": 20, "width": 30}, "no room is left"),
        ({"outline": 5, "outline_color": "no such colour"}, "outline_color"),
        ({"border": 5}, "did you mean outline?"),
        ({"width": 40, "max_bytes": 1}, "did you mean max_kb?"),
    ],
)
async def test_an_outline_that_cannot_be_drawn_is_refused_in_words(
    call: Call, disc: Path, arguments: dict[str, Any], words: str
) -> None:
    assert words in get_refusal(await call("transform_image", image=str(disc), **arguments))


async def test_a_sticker_fills_the_size_it_is_given_wherever_its_subject_lay(call: Call, tmp_path: Path) -> None:
    image = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 150, 109, 249), fill=(*RED, 255))
    image.save(tmp_path / "off.png")
    made, _ = await make(call, image=str(tmp_path / "off.png"), width=256, height=256, outline=10)
    assert made.size == (256, 256)
    left, top, right, bottom = made.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert max(left, top, 256 - right, 256 - bottom) <= 2


async def test_a_picture_of_which_nothing_is_visible_has_no_outline(call: Call, tmp_path: Path) -> None:
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "empty.png")
    refusal = get_refusal(await call("transform_image", image=str(tmp_path / "empty.png"), outline=5))
    assert "nothing of the picture is visible" in refusal


@pytest.mark.parametrize("file_format", ["jpg", "webp"])
@pytest.mark.parametrize("limit_kb", [20, 60, 150])
async def test_a_file_is_at_most_as_large_as_was_asked_and_uses_that(
    call: Call, noise: Path, file_format: str, limit_kb: int
) -> None:
    _, size_bytes = await make(call, image=str(noise), format=file_format, max_kb=limit_kb)
    assert limit_kb * 700 < size_bytes <= limit_kb * 1000


async def test_quality_is_lowered_before_the_size_and_both_are_said(call: Call, noise: Path) -> None:
    coarser = get_text(await call("transform_image", image=str(noise), max_kb=300))
    assert "Saved as jpg at quality " in coarser
    assert "in at most 300 kB" in coarser
    assert "smaller" not in coarser
    smaller = get_text(await call("transform_image", image=str(noise), max_kb=20))
    assert "Made smaller, from 900x600 to " in smaller


async def test_a_size_that_was_asked_for_is_kept_and_the_quality_gives_way(call: Call, noise: Path) -> None:
    made, size_bytes = await make(call, image=str(noise), width=600, max_kb=40)
    assert made.size == (600, 400)
    assert size_bytes <= 40_000
    refusal = get_refusal(await call("transform_image", image=str(noise), width=600, max_kb=4))
    assert "even at quality 10" in refusal
    assert "Leave width and height out" in refusal
    freed, size_bytes = await make(call, image=str(noise), max_kb=4)
    assert size_bytes <= 4000
    assert freed.width < 600


async def test_a_file_that_is_small_enough_keeps_its_quality(call: Call, noise: Path) -> None:
    plain, limited = [
        await call("transform_image", image=str(noise), quality=80, **more) for more in ({}, {"max_kb": 5000})
    ]
    assert get_structured(plain)["image"]["handle"] == get_structured(limited)["image"]["handle"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
async def test_a_png_that_is_too_large_names_the_format_that_is_not(call: Call, tmp_path: Path, mode: str) -> None:
    image = Image.merge("RGB", [Image.effect_noise((300, 200), 60) for _ in range(3)]).convert(mode)
    if mode == "RGBA":
        image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "noise.png")
    refusal = get_refusal(await call("transform_image", image=str(tmp_path / "noise.png"), max_kb=30))
    named = "webp" if mode == "RGBA" else "jpg"
    assert f'Say format="{named}"' in refusal
    made, size_bytes = await make(call, image=str(tmp_path / "noise.png"), max_kb=30, format=named)
    assert size_bytes <= 30_000
    assert made.mode == mode
