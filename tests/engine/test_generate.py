"""Orders for pictures: what comes back, and that it comes back the same."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from photographs import distance, mean_lab, photo, photo_bytes

from atelier_mcp.server.engine.generate import generate
from atelier_mcp.server.engine.orders import Control, Generated, GenerateOrder
from atelier_mcp.server.engine.pixels import decode, encode
from atelier_mcp.server.engine.style_profile import learn

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels

LAKE = GenerateOrder(prompt="a sailboat on a calm lake at sunset", seed=11, width=320, height=256)
COFFEE = encode(photo("coffee.png"), "PNG")
FULL = replace(
    LAKE,
    prompt="a sailboat at sunset, watercolour",
    negative_prompt="birds",
    guidance=9,
    source=COFFEE,
    strength=0.6,
    controls=(Control("canny", COFFEE), Control("shuffle", COFFEE, weight=0.4, end=0.5)),
    profiles=((learn([photo("rocket.jpg")]), 0.5),),
    watermark="Default",
    samples=2,
)
ANOTHER_PROCESS = """
import pickle, sys
from atelier_mcp.server.engine.generate import generate
sys.stdout.buffer.write(pickle.dumps(generate(pickle.loads(sys.stdin.buffer.read()))))
"""


def only(order: GenerateOrder) -> Pixels:
    """The pixels of an order's first picture."""
    return decode(generate(order).pictures[0][0])


def test_the_same_order_gives_the_same_bytes_in_another_process():
    there = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS], input=pickle.dumps(FULL), capture_output=True, check=True
    )
    assert pickle.loads(there.stdout) == generate(FULL)


@pytest.mark.parametrize("size", [(320, 256), (257, 391), (640, 256)])
@pytest.mark.parametrize("file_format", ["JPG", "PNG"])
def test_pictures_have_exactly_the_size_and_the_format_ordered(size: tuple[int, int], file_format: str):
    order = replace(LAKE, width=size[0], height=size[1], file_format=file_format, source=COFFEE)
    data, _ = generate(order).pictures[0]
    assert decode(data).shape == (size[1], size[0], 3)
    assert data.startswith(b"\xff\xd8" if file_format == "JPG" else b"\x89PNG")


def test_sample_n_is_the_first_sample_of_its_own_seed():
    made = generate(replace(FULL, samples=3))
    assert [seed for _, seed in made.pictures] == [11, 12, 13]
    assert len({data for data, _ in made.pictures}) == 3
    for data, seed in made.pictures:
        assert generate(replace(FULL, samples=1, seed=seed)).pictures[0][0] == data


def test_every_picture_has_a_small_jpeg():
    made = generate(replace(LAKE, width=640, height=384, samples=2))
    assert [decode(data).shape for data in made.small] == [(154, 256, 3)] * 2
    assert distance(decode(made.small[0]), cv2.resize(decode(made.pictures[0][0]), (256, 154)).astype(np.uint8)) < 12


def test_an_answer_survives_the_way_between_processes():
    made = generate(LAKE)
    assert pickle.loads(pickle.dumps(made)) == made
    assert isinstance(made, Generated)


def test_words_the_painter_does_not_know_are_named():
    (note,) = generate(replace(LAKE, prompt="a floxmortle on a lake")).notes
    assert note == "Not understood, and left out: floxmortle"


def test_a_prompt_the_painter_knows_leaves_no_note():
    assert generate(LAKE).notes == ()


def test_a_style_in_the_prompt_is_drawn():
    drawn = only(replace(LAKE, prompt=f"{LAKE.prompt}, pencil sketch")).astype(int)
    assert (drawn.max(axis=2) - drawn.min(axis=2)).max() < 60


def test_a_style_in_the_negative_prompt_is_not_drawn():
    sketched = replace(LAKE, prompt=f"{LAKE.prompt}, pencil sketch")
    coloured = only(replace(sketched, negative_prompt="pencil sketch")).astype(int)
    assert (coloured.max(axis=2) - coloured.min(axis=2)).max() > 60


def test_a_subject_in_the_negative_prompt_is_not_painted():
    with_boat, without_boat = only(LAKE), only(replace(LAKE, negative_prompt="sailboat"))
    assert distance(with_boat, without_boat) > 0.3


def test_a_negative_prompt_about_other_things_changes_nothing():
    assert generate(replace(LAKE, negative_prompt="blurry, extra fingers, low quality")) == generate(LAKE)


def test_the_source_shows_by_strength():
    source = photo("coffee.png", longest=320)
    order = replace(LAKE, source=encode(source, "PNG"), width=source.shape[1], height=source.shape[0])
    away = [distance(source, only(replace(order, strength=s, file_format="PNG"))) for s in (0.0, 0.3, 0.9)]
    assert away[0] == 0 < away[1] < away[2]


def test_a_control_makes_the_picture_follow_its_reference():
    plain = only(LAKE)
    edges = only(replace(LAKE, controls=(Control("scribble", COFFEE),)))
    weak = only(replace(LAKE, controls=(Control("scribble", COFFEE, weight=0.2),)))
    assert distance(plain, edges) > distance(plain, weak) > 0.5


def test_a_face_control_without_a_face_is_said_to_be_left_out():
    made = generate(replace(LAKE, controls=(Control("ip_adapter_faceid", COFFEE),)))
    assert made.notes == ("No face was found in the reference picture, so its face control was left out.",)
    assert made.pictures == generate(LAKE).pictures


def test_a_profile_carries_the_picture_to_its_palette():
    profile = learn([photo("rocket.jpg")])
    assert mean_lab(only(replace(LAKE, profiles=((profile, 1.0),))))[2] < mean_lab(only(LAKE))[2] - 3


def test_a_watermark_is_in_the_corner_and_nowhere_else():
    plain, marked = (only(replace(LAKE, file_format="PNG", watermark=mark)) for mark in (None, "Default"))
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    assert rows.min() > 0.8 * LAKE.height
    assert columns.min() > 0.5 * LAKE.width


def test_more_guidance_gives_more_contrast():
    weak, plain, strong = (float(only(replace(LAKE, guidance=g)).std()) for g in (2, 7, 14))
    assert weak < plain < strong


def test_bytes_that_are_no_picture_are_refused():
    with pytest.raises(OSError, match="image"):
        generate(replace(LAKE, source=b"no picture"))


def test_the_example_photographs_can_be_sources_as_they_are():
    assert only(replace(LAKE, source=photo_bytes("grace_hopper.jpg"))).shape == (256, 320, 3)
