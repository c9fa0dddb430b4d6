"""Subjects and compositions by what is to be seen of them: denials, portraits of animals, plain grounds, poses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from atelier_mcp.server.engine.control.figures import JOINTS, LIMBS
from atelier_mcp.server.engine.generate import generate
from atelier_mcp.server.engine.paint import paint, paint_element
from atelier_mcp.server.engine.paint.scene import choose_kind, find_sitter
from atelier_mcp.server.engine.pixels import Pixels, decode, encode
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.tasks import EngineControl, GenerateTask
from tests.support.skeletons import draw_skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

WANTED = (
    "duck", "bear", "lion", "elephant", "cow", "sheep", "train", "bus", "tower", "church", "waterfall", "volcano",
    "chair", "bed", "pizza", "guitar", "astronaut", "baby",
)  # fmt: skip


def paint_text(text: str, seed: int = 1, side: int = 288) -> Pixels:
    return paint(read_prompt(text), seed=seed, width=side, height=side)


@pytest.mark.parametrize("word", WANTED)
def test_common_subjects_are_drawn_in_the_colour_asked_for(word: str) -> None:
    plain, purple = (
        paint_element(read_prompt(text), seed=1, width=240, height=240).astype(int)
        for text in (f"a {word}", f"a purple {word}")
    )
    assert (plain[..., 3] > 200).mean() > 0.03
    if word != "pizza":
        assert (np.abs(plain - purple)[..., :3].sum(axis=2) > 30).mean() > 0.01


@pytest.mark.parametrize(("one", "several"), [("a cow in a field", "four cows in a field"), ("一只羊", "三只羊")])
def test_more_of_them_take_more_of_the_picture(one: str, several: str) -> None:
    assert np.abs(paint_text(one).astype(int) - paint_text(several)).mean() > 2


def test_no_birds_means_none_of_the_painters_own() -> None:
    with_birds = [
        seed
        for seed in range(8)
        if (paint_text("the open sea by day", seed) != paint_text("the open sea by day no birds", seed)).any()
    ]
    assert with_birds
    prompt = read_prompt("the open sea by day, no birds, no clouds, no sun")
    assert prompt.unwanted == {"bird", "cloudy", "sun"}


@pytest.mark.parametrize("text", ["portrait of a cat", "a lion portrait", "大象的肖像"])
def test_an_animal_beats_the_word_portrait(text: str) -> None:
    prompt = read_prompt(text)
    assert choose_kind(prompt) == "portrait"
    assert find_sitter(prompt) == prompt.subjects[0]


@pytest.mark.parametrize("text", ["plain orange background", "纯橙色背景"])
def test_a_plain_ground_is_one_colour_everywhere(text: str) -> None:
    image = paint_text(text)
    assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0
    red, green, blue = (int(part) for part in image[0, 0])
    assert red > 220
    assert 90 < green < 170
    assert blue < 80


def test_things_stand_on_the_plain_ground_asked_for() -> None:
    image = paint_text("a red car, plain white background").astype(int)
    assert image[:20].min() > 235
    assert ((image[..., 0] > 90) & (image[..., 0] > 1.9 * image[..., 1])).mean() > 0.03


def test_a_sunflower_is_yellow_with_a_dark_disc_and_stands_alone() -> None:
    element = paint_element(read_prompt("a sunflower"), seed=1, width=300, height=300).astype(int)
    solid = element[..., 3] > 200
    yellow = solid & (element[..., 0] > 170) & (element[..., 1] > 110) & (element[..., 2] < 90)
    dark = solid & (element[..., :3].max(axis=2) < 120)
    assert yellow.sum() > 800
    assert dark.sum() > 400


def generate_in_pose(prompt: str, **joints: tuple[float, float]) -> Pixels:
    """A picture whose figure holds its joints as said, in face widths from the face."""
    moved = {name.replace("_", " "): point for name, point in joints.items()}
    image = encode(draw_skeleton({**JOINTS, **moved}, LIMBS, face_px=24, at=(148, 60), size=(320, 320)), "PNG")
    control = EngineControl("openpose", image, pre_processor="pass")
    task = GenerateTask(prompt=prompt, seed=3, width=320, height=320, file_format="PNG", controls=(control,))
    return decode(generate(task).images[0][0]).astype(int)


def test_the_prompted_person_takes_the_pose() -> None:
    hanging = generate_in_pose("a man in a green shirt")
    raised = generate_in_pose(
        "a man in a green shirt", left_elbow=(2.2, 0.2), left_wrist=(2.6, -1.2), right_elbow=(-2.2, 0.2),
        right_wrist=(-2.6, -1.2),
    )  # fmt: skip

    def is_green(image: Pixels) -> NDArray[np.bool]:
        return (image[..., 1] > 1.25 * image[..., 0]) & (image[..., 1] > 1.25 * image[..., 2]) & (image[..., 1] > 60)

    sleeve = np.s_[60:86, 196:222]
    assert is_green(raised)[sleeve].mean() > 0.12
    assert is_green(hanging)[sleeve].mean() < 0.02
    assert is_green(hanging).mean() > 0.02


def test_a_pose_control_of_no_weight_changes_nothing() -> None:
    image = encode(draw_skeleton(JOINTS, LIMBS, face_px=24, at=(148, 60), size=(320, 320)), "PNG")
    task = GenerateTask(prompt="a man", seed=3, width=320, height=320, file_format="PNG")
    posed = GenerateTask(
        prompt="a man", seed=3, width=320, height=320, file_format="PNG",
        controls=(EngineControl("openpose", image, weight=0.0, pre_processor="pass"),),
    )  # fmt: skip
    assert generate(posed).images == generate(task).images


def make_cutout(hidden: int) -> bytes:
    """A disc of warm tones on transparency, under which lies some grey."""
    rows, columns = np.mgrid[:256, :256]
    inside = (rows - 128) ** 2 + (columns - 128) ** 2 < 80**2
    pixels = np.full((256, 256, 4), hidden, np.uint8)
    pixels[..., 3] = np.where(inside, 255, 0)
    pixels[inside, :3] = np.dstack([rows // 2 + 100, columns // 2, rows // 4])[inside].astype(np.uint8)
    return encode(pixels, "PNG")


def test_what_is_hidden_under_transparency_has_no_part_in_the_palette() -> None:
    tasks = [
        GenerateTask(prompt="at sunset", seed=1, width=256, height=256, source=make_cutout(hidden), file_format="PNG")
        for hidden in (0, 255)
    ]
    first, second = (generate(task).images[0][0] for task in tasks)
    assert first == second


def test_transparency_is_carried_along_or_said_to_be_laid_on_white() -> None:
    task = GenerateTask(prompt="at sunset", seed=1, width=256, height=256, source=make_cutout(0))
    relit, note = generate(task).notes
    assert "relit" in relit
    assert "white" in note


@pytest.mark.parametrize(("text", "channel"), [("make it blue", 2), ("变成蓝色", 2), ("make it red", 0)])
def test_a_source_made_blue_is_blue_and_keeps_its_scene(text: str, channel: int) -> None:
    rows, columns = np.mgrid[:256, :256]
    grey = ((rows // 32 + columns // 32) % 2 * 120 + 60).astype(np.uint8)
    source = np.dstack([grey] * 3)
    task = GenerateTask(prompt=text, seed=1, width=256, height=256, source=encode(source, "PNG"), file_format="PNG")
    image = decode(generate(task).images[0][0]).astype(int)
    means = image.reshape(-1, 3).mean(axis=0)
    assert means[channel] == means.max()
    assert means[channel] > means.min() + 20
    assert np.corrcoef(image.mean(axis=2).ravel(), grey.ravel())[0, 1] > 0.9


def test_a_changed_wish_keeps_the_composition_it_changes() -> None:
    first = GenerateTask(prompt="a boat on a lake by day", seed=4, width=256, height=256, file_format="PNG")
    blue = GenerateTask(
        prompt="blue boat on a lake by day", composition=first.prompt, seed=4, width=256, height=256, file_format="PNG"
    )
    before, after = (decode(generate(task).images[0][0]).astype(int) for task in (first, blue))
    assert 0 < (np.abs(before - after).max(axis=2) > 12).mean() < 0.05
