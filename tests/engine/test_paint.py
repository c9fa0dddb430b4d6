"""Pictures painted from prompts: sizes, sameness, differences, and that words show."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from atelier_mcp.server.engine.paint import build_palette, paint, paint_element, space
from atelier_mcp.server.engine.paint.canvas import Canvas
from atelier_mcp.server.engine.paint.colour import choose_accents, choose_mood
from atelier_mcp.server.engine.paint.landscape import paint_mountains
from atelier_mcp.server.engine.paint.scene import choose_kind
from atelier_mcp.server.engine.paint.sky import choose_sun_position
from atelier_mcp.server.engine.paint.stage import Stage
from atelier_mcp.server.engine.paint.subjects import SUBJECTS
from atelier_mcp.server.engine.prompt import read_prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Pixels

SMALL = 288

SCENES = [
    "a lighthouse in a storm",
    "mountain lake at night under the moon, aurora",
    "three red boats on the sea at sunset, rainbow",
    "misty autumn forest with a path",
    "cyberpunk city, rain",
    "desert, comet",
    "a vase of roses, apples and a cup on a table",
    "planets and a purple nebula",
    "bauhaus pattern",
    "abstract marble",
    "portrait of a woman in a blue dress and a hat",
    "coral reef",
    "",
]


def paint_text(text: str, seed: int = 1, width: int = SMALL, height: int = SMALL) -> Pixels:
    return paint(read_prompt(text), seed=seed, width=width, height=height)


def compute_digest(image: Pixels) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def compute_difference(first: Pixels, second: Pixels) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean())


def compute_share(image: Pixels, condition: NDArray[np.bool_]) -> float:
    return float(condition.sum()) / (image.shape[0] * image.shape[1])


def paint_no_rings(*_: object, **__: object) -> None:
    """A planet without them."""


def compute_red_share(image: Pixels) -> float:
    """How much of the picture is clearly red."""
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    return compute_share(image, (red > 90) & (red > 1.9 * green) & (red > 1.9 * blue))


@pytest.mark.parametrize("text", SCENES)
def test_every_scene_has_the_size_asked_for_and_something_in_it(text: str) -> None:
    image = paint_text(text, width=300, height=260)
    assert image.shape == (260, 300, 3)
    assert image.dtype == np.uint8
    assert image.std() > 8


@pytest.mark.parametrize("name", sorted(SUBJECTS))
def test_every_subject_can_stand_alone_on_transparency(name: str) -> None:
    image = paint_element(read_prompt(name), seed=3, width=200, height=240)
    assert image.shape == (240, 200, 4)
    alpha = image[..., 3]
    assert compute_share(image, alpha > 200) > 0.004
    assert compute_share(image, alpha < 16) > 0.2


def test_without_a_subject_the_element_is_the_scene_itself() -> None:
    image = paint_element(read_prompt("mountains at dawn"), seed=3, width=200, height=160)
    assert image.shape == (160, 200, 4)
    assert (image[..., 3] == 255).all()
    assert compute_digest(image[..., :3]) == compute_digest(paint_text("mountains at dawn", 3, 200, 160))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 300), (640, 90), (96, 512), (257, 255)])
def test_odd_sizes_are_exact(width: int, height: int) -> None:
    for text in ("a boat on a lake", "a vase of flowers", "bauhaus"):
        assert paint_text(text, 1, width, height).shape == (height, width, 3)


def test_a_size_beyond_the_painted_one_is_reached_by_enlarging() -> None:
    assert paint_text("abstract", 1, 2600, 400).shape == (400, 2600, 3)


def test_two_fresh_processes_paint_the_same_bytes() -> None:
    """Neither hash seeds nor the order of earlier pictures may show."""
    program = (
        "import hashlib, numpy\n"
        "from atelier_mcp.server.engine.paint import paint, paint_element\n"
        "from atelier_mcp.server.engine.prompt import read_prompt\n"
        "total = hashlib.sha256()\n"
        f"for text in {SCENES[:6]!r}:\n"
        "    total.update(paint(read_prompt(text), seed=5, width=288, height=288).tobytes())\n"
        "total.update(paint_element(read_prompt('a cat'), seed=5, width=120, height=120).tobytes())\n"
        "print(total.hexdigest())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True) for _ in range(2)
    ]
    total = hashlib.sha256()
    for text in reversed(SCENES):
        paint_text(text, 5)
    for text in SCENES[:6]:
        total.update(paint_text(text, 5).tobytes())
    total.update(paint_element(read_prompt("a cat"), seed=5, width=120, height=120).tobytes())
    assert runs[0].stdout.strip() == runs[1].stdout.strip() == total.hexdigest()


@pytest.mark.parametrize("text", SCENES)
def test_another_seed_is_another_picture(text: str) -> None:
    assert compute_difference(paint_text(text, 1), paint_text(text, 2)) > 6


def test_the_same_words_in_other_case_and_spacing_are_the_same_picture() -> None:
    assert compute_digest(paint_text("A red  Boat")) == compute_digest(paint_text("a red boat"))


def test_an_unknown_word_changes_the_composition() -> None:
    assert compute_difference(paint_text("a lake"), paint_text("a lake with a zorgon")) > 6
    assert compute_difference(paint_text("zorgon"), paint_text("blurgh")) > 6


def test_the_same_seed_keeps_its_composition_at_another_size() -> None:
    small, large = (
        paint_text("snowy mountains at night", 1, 256, 256),
        paint_text("snowy mountains at night", 1, 512, 512),
    )
    reduced = large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3))
    assert compute_difference(small, reduced) < 16


def test_a_sunset_is_warmer_and_brighter_than_a_night() -> None:
    for seed in range(3):
        sunset, night = paint_text("mountains at sunset", seed), paint_text("mountains at night", seed)
        assert sunset[..., 0].mean() - sunset[..., 2].mean() > night[..., 0].mean() - night[..., 2].mean() + 15
        assert sunset.mean() > night.mean() + 15


def test_a_red_boat_leaves_red_on_the_water_and_a_blue_one_does_not() -> None:
    assert compute_red_share(paint_text("a red boat on the sea by day")) > 0.002
    assert compute_red_share(paint_text("a blue boat on the sea by day")) < 0.0005


def test_three_boats_leave_more_red_than_one_far_away() -> None:
    """Counted as separate patches of hull on the water."""
    image = paint_text("three red boats on a calm sea by day", 4, 512, 512)
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    hulls = ((red > 90) & (red > 1.8 * green) & (red > 1.8 * blue)).astype(np.uint8)
    hulls = cv2.morphologyEx(hulls, cv2.MORPH_CLOSE, np.ones((9, 15), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(hulls)
    assert int((stats[1:, cv2.CC_STAT_AREA] > 40).sum()) == 3


@pytest.mark.parametrize("seed", range(1, 7))
def test_counted_boats_are_wholly_in_the_picture(seed: int) -> None:
    image = paint_text("three red boats on a calm sea by day", seed, 512, 512)
    red, green, blue = (image[..., channel].astype(int) for channel in range(3))
    hulls = (red > 90) & (red > 1.8 * green) & (red > 1.8 * blue)
    assert hulls.any()
    assert not hulls[:, :3].any()
    assert not hulls[:, -3:].any()


@pytest.mark.parametrize("text", ["a red kite over dunes by day", "白天，沙丘上的红色风筝"])
def test_a_red_kite_flies_in_the_sky(text: str) -> None:
    image = paint_text(text, 1, 512, 512)
    assert compute_red_share(image[:256]) > 0.008
    assert compute_red_share(image[330:]) < 0.001


def test_a_blue_kite_is_not_red() -> None:
    assert compute_red_share(paint_text("a blue kite over dunes by day", 1, 512, 512)) < 0.001


@pytest.mark.parametrize("text", ["a bouquet of red roses", "一束红玫瑰", "a bunch of red roses"])
def test_a_bouquet_alone_is_many_flowers(text: str) -> None:
    """Its blossoms cover far more than the one of a single flower, in the colour asked for."""
    bouquet = paint_element(read_prompt(text), seed=2, width=300, height=300)[..., :3]
    single = paint_element(read_prompt("a red rose"), seed=2, width=300, height=300)[..., :3]
    assert compute_red_share(bouquet) > 3 * compute_red_share(single) > 0


def test_a_bouquet_is_painted_as_a_still_life() -> None:
    assert choose_kind(read_prompt("a bouquet of roses")) == "still life"
    assert choose_kind(read_prompt("a bouquet of roses in a meadow")) == "outdoors"


def test_a_black_cat_among_red_flowers_is_the_black_thing_there() -> None:
    image = paint_text("a black cat in a meadow with red flowers by day", 1, 512, 512)
    assert compute_share(image, image.max(axis=2) < 70) > 0.02
    assert compute_red_share(image) > 0.004
    plain = paint_text("a white cat in a meadow with red flowers by day", 1, 512, 512)
    assert compute_share(plain, plain.max(axis=2) < 45) < compute_share(image, image.max(axis=2) < 45) / 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mountain_faces_are_not_streaked_downwards(seed: int) -> None:
    """On a streaked face brightness changes across and hardly down; on rock it changes both ways."""
    prompt = read_prompt("mountains by day")
    canvas = Canvas(512, 512, "mountains", seed)
    mood = choose_mood(prompt, canvas.make_rng("mood"))
    stage = Stage(
        canvas,
        prompt,
        mood,
        340,
        choose_sun_position(canvas, mood, 340),
        choose_accents(prompt, canvas.make_rng("accents")),
    )
    skyline = paint_mountains(stage)
    grey = canvas.image.mean(axis=2)
    faces = np.arange(512)[:, None] > skyline[None, :] + 6
    faces[330:] = False
    across = float((np.diff(grey, axis=1)[:-1] ** 2)[faces[:-1, :-1]].mean())
    down = float((np.diff(grey, axis=0)[:, :-1] ** 2)[faces[:-1, :-1]].mean())
    assert faces.sum() > 8000
    assert 0.3 < across / down < 3.5


def test_rings_pass_behind_the_planet_and_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the globe they show on one side of its middle only; beside it they reach out on both."""
    prompt = read_prompt("a red planet")
    ringed = paint_element(prompt, seed=2, width=480, height=480)
    monkeypatch.setattr(space, "_paint_rings", paint_no_rings)
    bare = paint_element(prompt, seed=2, width=480, height=480)
    rows, columns = np.nonzero(bare[..., 3] > 250)
    centre_y, centre_x, radius = rows.mean(), columns.mean(), np.ptp(rows) / 2
    differs_y, differs_x = np.nonzero(np.abs(ringed.astype(int) - bare.astype(int)).sum(axis=2) > 24)
    away = np.hypot(differs_y - centre_y, differs_x - centre_x) / radius
    on_globe = away < 0.9
    off_centre = np.hypot((differs_y - centre_y)[on_globe].mean(), (differs_x - centre_x)[on_globe].mean()) / radius
    assert on_globe.sum() > 200
    assert off_centre > 0.2
    outside = differs_x[away > 1.2] - centre_x
    assert (outside > 0).sum() > 200
    assert (outside < 0).sum() > 200


def test_black_and_white_has_no_hue() -> None:
    image = paint_text("mountains, black and white")
    assert int(np.ptp(image.astype(int), axis=2).max()) == 0


def test_the_palette_is_the_prompts() -> None:
    palette = build_palette(read_prompt("a red boat at sunset"), seed=1)
    assert all(0 <= part <= 1 for colour in palette for part in colour)
    assert palette == build_palette(read_prompt("a red boat at sunset"), seed=1)
    assert palette != build_palette(read_prompt("a red boat at night"), seed=1)
