"""Cropping, turning, resizing, converting and laying over one another: to the pixel, and for free."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageSequence

from tests.support.tool_results import decode_previews, get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Call

RED, BLUE, ORANGE = (220, 30, 20), (20, 40, 210), (255, 128, 0)
QUARTERS = {(0, 0): RED, (1, 0): BLUE, (0, 1): (30, 160, 60), (1, 1): (250, 240, 230)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A PNG of 120x80 pixels with a colour in each quarter."""
    image = Image.new("RGB", (120, 80))
    for (column, row), color in QUARTERS.items():
        image.paste(color, (column * 60, row * 40, column * 60 + 60, row * 40 + 40))
    image.save(tmp_path / "quarters.png")
    return tmp_path / "quarters.png"


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A red disc of 40 pixels on transparency."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((0, 0, 39, 39), fill=(*RED, 255))
    image.save(tmp_path / "disc.png")
    return tmp_path / "disc.png"


async def make(call: Call, tool: str, **arguments: Any) -> Image.Image:
    """The picture that the tool made, from the file it names."""
    facts = get_structured(await call(tool, **arguments))
    image = facts["image"]
    with Image.open(image["path"]) as made:
        made.load()
    assert (image["width"], image["height"]) == made.size
    return made


def is_same(one: Image.Image, other: Image.Image) -> bool:
    return (
        one.size == other.size and ImageChops.difference(one.convert("RGBA"), other.convert("RGBA")).getbbox() is None
    )


async def test_a_crop_is_these_pixels_and_the_source_stays(call: Call, source: Path) -> None:
    before = source.read_bytes()
    made = await make(call, "transform_image", image=str(source), crop=[50, 30, 20, 25])
    assert is_same(made, Image.open(source).crop((50, 30, 70, 55)))
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rotate": 90}, Image.Transpose.ROTATE_270),
        ({"rotate": -90}, Image.Transpose.ROTATE_90),
        ({"rotate": 180}, Image.Transpose.ROTATE_180),
        ({"flip": "horizontal"}, Image.Transpose.FLIP_LEFT_RIGHT),
        ({"flip": "vertical"}, Image.Transpose.FLIP_TOP_BOTTOM),
    ],
)
async def test_a_turn_moves_every_pixel_and_changes_none(
    call: Call, source: Path, arguments: dict[str, Any], expected: Image.Transpose
) -> None:
    made = await make(call, "transform_image", image=str(source), **arguments)
    assert is_same(made, Image.open(source).transpose(expected))


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"width": 60}, (60, 40)),
        ({"height": 20}, (30, 20)),
        ({"width": 60, "height": 60}, (60, 40)),
        ({"width": 60, "height": 60, "fit": "cover"}, (60, 60)),
        ({"width": 60, "height": 60, "fit": "pad"}, (60, 60)),
        ({"width": 60, "height": 60, "fit": "stretch"}, (60, 60)),
        ({"aspect": "1:1"}, (120, 120)),
        ({"aspect": "1:1", "fit": "cover"}, (80, 80)),
        ({"aspect": "16:9", "width": 320}, (320, 180)),
    ],
)
async def test_a_size_comes_out_as_asked(
    call: Call, source: Path, arguments: dict[str, Any], size: tuple[int, int]
) -> None:
    assert (await make(call, "transform_image", image=str(source), **arguments)).size == size


async def test_what_is_padded_lies_in_the_middle_of_the_colour(call: Call, source: Path) -> None:
    made = await make(call, "transform_image", image=str(source), aspect="1:1", color="#ff8000")
    assert is_same(made.crop((0, 20, 120, 100)), Image.open(source))
    assert made.convert("RGB").getpixel((60, 5)) == ORANGE
    assert made.convert("RGB").getpixel((60, 115)) == ORANGE


async def test_transparency_is_laid_on_a_colour_when_told(call: Call, disc: Path) -> None:
    made = await make(call, "transform_image", image=str(disc), color="orange")
    assert made.mode == "RGB"
    assert made.getpixel((0, 0)) == (255, 165, 0)
    assert made.getpixel((20, 20)) == RED


@pytest.mark.parametrize(("name", "expected"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
async def test_a_format_is_converted_to(call: Call, source: Path, name: str, expected: str) -> None:
    made = await make(call, "transform_image", image=str(source), format=name)
    assert made.format == expected
    assert is_close(made.convert("RGB").getpixel((15, 15)), RED)


def is_close(found: Any, color: tuple[int, int, int], *, by: int = 12) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, color, strict=False))


async def test_a_lower_quality_is_a_smaller_file(call: Call, tmp_path: Path) -> None:
    Image.effect_noise((200, 200), 80).convert("RGB").save(tmp_path / "noise.png")
    small = get_structured(await call("transform_image", image=str(tmp_path / "noise.png"), format="jpg", quality=20))
    large = get_structured(await call("transform_image", image=str(tmp_path / "noise.png"), format="jpg", quality=95))
    sizes = [Path(facts["image"]["path"]).stat().st_size for facts in (small, large)]
    assert sizes[0] * 2 < sizes[1]


async def test_steps_are_carried_out_in_the_order_that_is_said(call: Call, source: Path) -> None:
    made = await make(call, "transform_image", image=str(source), crop=[0, 0, 60, 80], rotate=90, width=40)
    assert made.size == (40, 30)
    # Turned clockwise, the lower left quarter of the source is at the left.
    assert is_close(made.convert("RGB").getpixel((5, 15)), QUARTERS[0, 1])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({}, "say what to do"),
        ({"crop": [120, 0, 50, 50]}, "120"),
        ({"crop": [1, 2, 3]}, "crop"),
        ({"width": 40_000, "fit": "stretch", "height": 40_000}, "megapixels"),
        ({"color": "no such colour"}, "colour"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words_and_leaves_nothing(
    call: Call, source: Path, tmp_path: Path, arguments: dict[str, Any], word: str
) -> None:
    refusal = get_refusal(await call("transform_image", image=str(source), **arguments))
    assert word in refusal.lower()
    assert "incident" not in refusal
    assert not list((tmp_path / "home").rglob("img_*"))


def save_sixteen_bits(path: Path) -> None:
    ramp = Image.new("I;16", (64, 64))
    ramp.putdata([value * 16 for value in range(64 * 64)])
    ramp.save(path.with_suffix(".png"))


def save_cmyk(path: Path) -> None:
    Image.new("CMYK", (64, 64), (0, 255, 255, 0)).save(path.with_suffix(".jpg"))


def save_palette(path: Path) -> None:
    Image.new("RGB", (64, 64), RED).quantize(4).save(path.with_suffix(".gif"))


def save_animation(path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), color) for color in (RED, BLUE)]
    frames[0].save(path.with_suffix(".webp"), save_all=True, append_images=frames[1:], lossless=True)


@pytest.mark.parametrize(
    ("save", "color", "word"),
    [
        (save_sixteen_bits, (0, 0, 0), "16"),
        (save_cmyk, (255, 0, 0), "cmyk"),
        (save_palette, RED, ""),
        (save_animation, RED, "animation"),
    ],
)
async def test_an_uncommon_source_is_read_and_what_was_taken_of_it_is_said(
    call: Call, tmp_path: Path, save: Any, color: tuple[int, int, int], word: str
) -> None:
    save(tmp_path / "uncommon")
    (path,) = tmp_path.glob("uncommon.*")
    answer = await call("transform_image", image=str(path), width=32, format="png")
    with Image.open(get_structured(answer)["image"]["path"]) as made:
        made.load()
    assert is_close(made.convert("RGB").getpixel((1, 1)), color, by=40)
    assert word in get_text(answer).lower()
    assert len(list(ImageSequence.Iterator(made))) == 1


async def test_a_cut_out_is_laid_on_a_colour_where_it_is_asked(call: Call, disc: Path) -> None:
    made = await make(
        call,
        "compose_images",
        background="#ff8000",
        width=100,
        height=60,
        layers=[{"image": str(disc), "x": 50, "y": 10}],
    )
    assert made.size == (100, 60)
    assert made.convert("RGB").getpixel((10, 10)) == ORANGE
    assert made.convert("RGB").getpixel((70, 30)) == RED
    # The corner of the disc's square is transparent: there the colour stays.
    assert made.convert("RGB").getpixel((50, 10)) == ORANGE


@pytest.mark.parametrize(
    ("position", "place"),
    [
        ("topleft", (0, 0)),
        ("topright", (80, 0)),
        ("bottomleft", (0, 40)),
        ("bottomright", (80, 40)),
        ("middle", (40, 20)),
    ],
)
async def test_an_anchor_places_a_layer(
    call: Call, source: Path, disc: Path, position: str, place: tuple[int, int]
) -> None:
    made = await make(
        call, "compose_images", background=str(source), layers=[{"image": str(disc), "position": position}]
    )
    expected = Image.open(source).convert("RGBA")
    expected.alpha_composite(Image.open(disc), place)
    assert is_same(made, expected)


async def test_layers_lie_over_one_another_in_their_order(call: Call, source: Path, disc: Path) -> None:
    layers = [{"image": str(source), "x": 0, "y": 0}, {"image": str(disc), "x": 0, "y": 0, "scale": 2}]
    made = await make(call, "compose_images", background="transparent", width=120, height=80, layers=layers)
    assert made.convert("RGB").getpixel((40, 40)) == RED
    assert made.convert("RGB").getpixel((110, 10)) == BLUE


async def test_a_mask_shows_its_black_part_or_turned_round_its_white_one(
    call: Call, source: Path, tmp_path: Path
) -> None:
    mask = Image.new("L", (120, 80), 255)
    mask.paste(0, (0, 0, 60, 80))
    mask.save(tmp_path / "mask.png")
    layer = {"image": str(source), "mask": str(tmp_path / "mask.png")}
    shown = await make(call, "compose_images", background="white", layers=[layer])
    turned = await make(call, "compose_images", background="white", layers=[{**layer, "invert": True}])
    assert is_same(shown.crop((0, 0, 60, 80)), Image.open(source).crop((0, 0, 60, 80)))
    assert shown.convert("RGB").getpixel((100, 10)) == (255, 255, 255)
    assert is_same(turned.crop((60, 0, 120, 80)), Image.open(source).crop((60, 0, 120, 80)))
    assert turned.convert("RGB").getpixel((10, 10)) == (255, 255, 255)


async def test_a_soft_edge_fades_over_its_pixels_and_leaves_the_middle(call: Call, source: Path) -> None:
    layer = {"image": str(source), "soft_edge": 10}
    made = (await make(call, "compose_images", background="black", width=120, height=80, layers=[layer])).convert("RGB")
    edge, inside = made.getpixel((0, 20)), made.getpixel((30, 20))
    assert isinstance(edge, tuple)
    assert edge[0] < RED[0] / 2
    assert is_close(inside, RED)


async def test_an_answer_shows_the_picture_and_costs_nothing(call: Call, disc: Path) -> None:
    answer = await call("compose_images", background="navy", width=64, height=64, layers=[{"image": str(disc)}])
    assert len(decode_previews(answer)) == 1
    assert get_structured(answer)["image"]["handle"].startswith("img_")
    assert get_structured(await call("list_jobs"))["jobs"] == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"layers": []}, "layers"),
        ({"layers": [{"image": "missing.png"}]}, "layers[0].image"),
        ({"layers": [{"image": "DISC", "width": 10, "scale": 2}]}, "scale"),
        ({"layers": [{"image": "DISC", "invert": True}]}, "mask"),
        ({"layers": [{"image": "DISC"}], "background": "no such colour"}, "background"),
        ({"layers": [{"image": "DISC"}], "width": 10}, "together"),
        ({"layers": [{"image": "DISC"}], "background": "red", "width": 20_000, "height": 20_000}, "megapixels"),
    ],
)
async def test_a_composition_that_cannot_be_made_is_refused_in_words(
    call: Call, disc: Path, arguments: dict[str, Any], word: str
) -> None:
    layers = [
        {key: str(disc) if value == "DISC" else value for key, value in layer.items()} for layer in arguments["layers"]
    ]
    refusal = get_refusal(await call("compose_images", **{**arguments, "layers": layers}))
    assert word in refusal.lower()
    assert "incident" not in refusal
