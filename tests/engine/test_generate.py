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

from atelier_mcp.server.engine.generate import generate
from atelier_mcp.server.engine.pixels import decode, encode
from atelier_mcp.server.engine.style_profile import learn
from atelier_mcp.server.engine.tasks import EngineControl, EngineResult, GenerateTask
from tests.support.photos import compute_distance, compute_mean_lab, load_photo, read_photo

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels

LAKE = GenerateTask(prompt="a sailboat on a calm lake at sunset", seed=11, width=320, height=256)
COFFEE = encode(load_photo("coffee.png"), "PNG")
FULL = replace(
    LAKE,
    prompt="a sailboat at sunset, watercolour",
    negative_prompt="birds",
    guidance=9,
    source=COFFEE,
    strength=0.6,
    controls=(EngineControl("canny", COFFEE), EngineControl("shuffle", COFFEE, weight=0.4, end=0.5)),
    profiles=((learn([load_photo("rocket.jpg")]), 0.5),),
    watermark="Default",
    samples=2,
)
ANOTHER_PROCESS = """
import pickle, sys
from atelier_mcp.server.engine.generate import generate
sys.stdout.buffer.write(pickle.dumps(generate(pickle.loads(sys.stdin.buffer.read()))))
"""


def generate_first(task: GenerateTask) -> Pixels:
    """The pixels of a task's first picture."""
    return decode(generate(task).images[0][0])


def test_the_same_order_gives_the_same_bytes_in_another_process():
    there = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS], input=pickle.dumps(FULL), capture_output=True, check=True
    )
    assert pickle.loads(there.stdout) == generate(FULL)


@pytest.mark.parametrize("size", [(320, 256), (257, 391), (640, 256)])
@pytest.mark.parametrize("file_format", ["JPG", "PNG"])
def test_pictures_have_exactly_the_size_and_the_format_ordered(size: tuple[int, int], file_format: str):
    task = replace(LAKE, width=size[0], height=size[1], file_format=file_format, source=COFFEE)
    data, _ = generate(task).images[0]
    assert decode(data).shape == (size[1], size[0], 3)
    assert data.startswith(b"\xff\xd8" if file_format == "JPG" else b"\x89PNG")


def test_sample_n_is_the_first_sample_of_its_own_seed():
    result = generate(replace(FULL, samples=3))
    assert [seed for _, seed in result.images] == [11, 12, 13]
    assert len({data for data, _ in result.images}) == 3
    for data, seed in result.images:
        assert generate(replace(FULL, samples=1, seed=seed)).images[0][0] == data


def test_every_picture_has_a_small_jpeg():
    result = generate(replace(LAKE, width=640, height=384, samples=2))
    assert [decode(data).shape for data in result.thumbnails] == [(154, 256, 3)] * 2
    assert (
        compute_distance(
            decode(result.thumbnails[0]), cv2.resize(decode(result.images[0][0]), (256, 154)).astype(np.uint8)
        )
        < 12
    )


def test_an_answer_survives_the_way_between_processes():
    result = generate(LAKE)
    assert pickle.loads(pickle.dumps(result)) == result
    assert isinstance(result, EngineResult)


def test_words_the_painter_does_not_know_are_named():
    (note,) = generate(replace(LAKE, prompt="a floxmortle on a lake")).notes
    assert note == "Not understood, and left out: floxmortle"


def test_a_prompt_the_painter_knows_leaves_no_note():
    assert generate(LAKE).notes == ()


def test_a_style_in_the_prompt_is_drawn():
    drawn = generate_first(replace(LAKE, prompt=f"{LAKE.prompt}, pencil sketch")).astype(int)
    assert (drawn.max(axis=2) - drawn.min(axis=2)).max() < 60


def test_a_style_in_the_negative_prompt_is_not_drawn():
    sketched = replace(LAKE, prompt=f"{LAKE.prompt}, pencil sketch")
    coloured = generate_first(replace(sketched, negative_prompt="pencil sketch")).astype(int)
    assert (coloured.max(axis=2) - coloured.min(axis=2)).max() > 60


def test_a_subject_in_the_negative_prompt_is_not_painted():
    with_boat, without_boat = generate_first(LAKE), generate_first(replace(LAKE, negative_prompt="sailboat"))
    assert compute_distance(with_boat, without_boat) > 0.3


def test_a_negative_prompt_about_other_things_changes_nothing():
    assert generate(replace(LAKE, negative_prompt="blurry, extra fingers, low quality")) == generate(LAKE)


def test_the_source_shows_by_strength():
    source = load_photo("coffee.png", longest_px=320)
    task = replace(LAKE, source=encode(source, "PNG"), width=source.shape[1], height=source.shape[0])
    away = [
        compute_distance(source, generate_first(replace(task, strength=s, file_format="PNG"))) for s in (0.0, 0.3, 0.9)
    ]
    assert away[0] == 0 < away[1] < away[2]


def test_a_control_makes_the_picture_follow_its_reference():
    plain = generate_first(LAKE)
    edges = generate_first(replace(LAKE, controls=(EngineControl("scribble", COFFEE),)))
    weak = generate_first(replace(LAKE, controls=(EngineControl("scribble", COFFEE, weight=0.2),)))
    assert compute_distance(plain, edges) > compute_distance(plain, weak) > 0.5


def test_a_face_control_without_a_face_is_said_to_be_left_out():
    result = generate(replace(LAKE, controls=(EngineControl("ip_adapter_faceid", COFFEE),)))
    assert result.notes == ("No face was found in the reference picture, so its face control was left out.",)
    assert result.images == generate(LAKE).images


def test_a_profile_carries_the_picture_to_its_palette():
    profile = learn([load_photo("rocket.jpg")])
    assert (
        compute_mean_lab(generate_first(replace(LAKE, profiles=((profile, 1.0),))))[2]
        < compute_mean_lab(generate_first(LAKE))[2] - 3
    )


def test_a_watermark_is_in_the_corner_and_nowhere_else():
    plain, marked = (generate_first(replace(LAKE, file_format="PNG", watermark=mark)) for mark in (None, "Default"))
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    assert rows.min() > 0.8 * LAKE.height
    assert columns.min() > 0.5 * LAKE.width


def test_more_guidance_gives_more_contrast():
    weak, plain, strong = (float(generate_first(replace(LAKE, guidance=g)).std()) for g in (2, 7, 14))
    assert weak < plain < strong


def test_bytes_that_are_no_picture_are_refused():
    with pytest.raises(OSError, match="not a picture"):
        generate(replace(LAKE, source=b"no picture"))


def test_the_example_photographs_can_be_sources_as_they_are():
    assert generate_first(replace(LAKE, source=read_photo("grace_hopper.jpg"))).shape == (256, 320, 3)
