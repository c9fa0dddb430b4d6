"""A picture made lighter, stronger, paler or soft; and what is marked made a little wider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageStat

from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Call

SIDE = 256


@pytest.fixture
def two_halves(tmp_path: Path) -> Path:
    """Dull red on the left, dull blue on the right."""
    image = Image.new("RGB", (SIDE, SIDE), (120, 80, 80))
    image.paste((80, 80, 120), (SIDE // 2, 0, SIDE, SIDE))
    image.save(tmp_path / "halves.png")
    return tmp_path / "halves.png"


async def make(call: Call, **arguments: Any) -> Image.Image:
    """What transform_image made."""
    return load(get_structured(await call("transform_image", **arguments)))


async def draw(call: Call, **arguments: Any) -> Image.Image:
    """The mask that make_mask drew."""
    return load(get_structured(await call("make_mask", **arguments)))


def load(result: dict[str, Any]) -> Image.Image:
    """The picture of an answer."""
    with Image.open(Path(result["image"]["path"])) as made:
        made.load()
    return made


def measure(image: Image.Image) -> tuple[float, float, float]:
    """Mean lightness, spread of lightness, mean saturation; each of 255."""
    hue, saturation, value = image.convert("RGB").convert("HSV").split()
    del hue
    spread = ImageStat.Stat(image.convert("L")).stddev[0]
    return ImageStat.Stat(value).mean[0], spread, ImageStat.Stat(saturation).mean[0]


@pytest.mark.parametrize(("argument", "index"), [("brightness", 0), ("contrast", 1), ("saturation", 2)])
async def test_a_factor_above_one_is_more_and_one_below_is_less(
    call: Call, two_halves: Path, argument: str, index: int
) -> None:
    before = measure(Image.open(two_halves))[index]
    more = measure(await make(call, image=str(two_halves), **{argument: 1.5}))[index]
    less = measure(await make(call, image=str(two_halves), **{argument: 0.5}))[index]
    assert less < before < more


async def test_the_answer_says_what_was_changed_and_a_factor_of_one_is_no_change(call: Call, two_halves: Path) -> None:
    answer = get_text(await call("transform_image", image=str(two_halves), brightness=1.2, contrast=1, blur=3))
    assert "Brightness times 1.2; blurred by 3 pixels; saved as png." in answer
    assert "contrast" not in answer


async def test_a_percentage_is_refused_with_what_a_factor_is(call: Call, two_halves: Path) -> None:
    refusal = get_refusal(await call("transform_image", image=str(two_halves), brightness=120))
    assert "brightness: a factor from 0 to 4: 1 leaves it as it is, 1.2 is a fifth more" in refusal


async def test_a_blur_mixes_what_lies_beside_one_another_and_keeps_the_size(call: Call, two_halves: Path) -> None:
    made = await make(call, image=str(two_halves), blur=10)
    assert made.size == (SIDE, SIDE)
    red, _, blue = ImageStat.Stat(made.crop((SIDE // 2, 50, SIDE // 2 + 1, 51))).mean
    assert abs(red - blue) < 8
    assert made.getpixel((2, 2)) == (120, 80, 80)


async def test_a_blurred_cut_out_takes_no_colour_from_what_is_hidden(call: Call, tmp_path: Path) -> None:
    image = Image.new("RGBA", (SIDE, SIDE), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((60, 60, 190, 190), fill=(200, 0, 0, 255))
    image.save(tmp_path / "disc.png")
    made = await make(call, image=str(tmp_path / "disc.png"), blur=8)
    visible = made.getchannel("A").point([0] * 8 + [255] * 248)
    green = ImageChops.multiply(made.getchannel("G"), visible)
    assert ImageStat.Stat(green).extrema[0][1] < 8
    assert 0 < ImageStat.Stat(made.getchannel("A").crop((60, 125, 61, 126))).mean[0] < 255


@pytest.mark.parametrize("growth", [20, -20])
async def test_a_mask_grows_and_shrinks_by_its_pixels_on_every_side(call: Call, two_halves: Path, growth: int) -> None:
    box = {"type": "box", "points": [80, 90, 180, 170]}
    made = await draw(call, image=str(two_halves), shapes=[box], grow=growth)
    marked = ImageChops.invert(made.convert("L")).getbbox()
    assert marked == (80 - growth, 90 - growth, 180 + growth, 170 + growth)
    assert {color for _, color in made.convert("L").getcolors() or []} == {0, 255}


async def test_a_mask_at_the_border_stays_there_when_it_shrinks(call: Call, two_halves: Path) -> None:
    box = {"type": "box", "points": [0, 0, 100, SIDE]}
    made = await draw(call, image=str(two_halves), shapes=[box], grow=-10)
    assert ImageChops.invert(made.convert("L")).getbbox() == (0, 0, 90, SIDE)


async def test_a_mask_that_was_drawn_before_is_grown_and_its_story_repeats_it(call: Call, two_halves: Path) -> None:
    box = {"type": "box", "points": [80, 90, 180, 170]}
    first = get_structured(await call("make_mask", image=str(two_halves), shapes=[box]))["image"]["handle"]
    second = get_structured(await call("make_mask", image=str(two_halves), mask=first, grow=15))["image"]["handle"]
    assert "grow=15)" in get_text(await call("view_image", image=second))


async def test_a_mask_that_shrinks_to_nothing_is_refused(call: Call, two_halves: Path) -> None:
    box = {"type": "box", "points": [80, 90, 100, 110]}
    refusal = get_refusal(await call("make_mask", image=str(two_halves), shapes=[box], grow=-30))
    assert "grow: nothing is left of what was marked, 30 pixels narrower all round." in refusal
    assert "Take fewer pixels away." in refusal


async def test_a_large_mask_grows_as_well(call: Call, tmp_path: Path) -> None:
    """Beyond some megapixels it is worked on in a smaller picture."""
    Image.new("RGB", (4000, 3000), "white").save(tmp_path / "large.png")
    box = {"type": "box", "points": [1000, 1000, 3000, 2000]}
    made = await draw(call, image=str(tmp_path / "large.png"), shapes=[box], grow=100)
    left, top, right, bottom = ImageChops.invert(made.convert("L")).getbbox() or (0, 0, 0, 0)
    assert max(abs(left - 900), abs(top - 900), abs(right - 3100), abs(bottom - 2100)) <= 3


async def test_growing_loses_no_thin_mark_of_a_large_picture(call: Call, tmp_path: Path) -> None:
    Image.new("RGB", (4500, 3000), "white").save(tmp_path / "large.png")
    line = {"type": "stroke", "points": [100, 1500, 4400, 1500], "width": 1}
    arguments: dict[str, Any] = {"image": str(tmp_path / "large.png"), "shapes": [line]}
    thin = ImageChops.invert((await draw(call, **arguments)).convert("L"))
    for growth in (1, 20):
        grown = ImageChops.invert((await draw(call, **arguments, grow=growth)).convert("L"))
        assert ImageChops.subtract(thin, grown).getbbox() is None
        left, top, right, bottom = grown.getbbox() or (0, 0, 0, 0)
        assert abs(bottom - top - (1 + 2 * growth)) <= 2
        assert right - left > 4250


async def test_what_transparency_hides_has_no_part_in_the_contrast(call: Call, tmp_path: Path) -> None:
    seen: list[tuple[int, ...]] = []
    for hidden in ("black", "white"):
        image = Image.new("RGBA", (SIDE, SIDE), hidden)
        image.putalpha(0)
        image.paste((200, 150, 100, 255), (0, 0, 40, 40))
        image.paste((100, 80, 60, 255), (40, 0, 80, 40))
        image.save(tmp_path / f"{hidden}.png")
        made = await make(call, image=str(tmp_path / f"{hidden}.png"), contrast=1.5)
        seen.append(tuple(round(value) for value in ImageStat.Stat(made.crop((5, 5, 35, 35))).mean))
    assert seen[0] == seen[1]
    assert seen[0][0] > 200
