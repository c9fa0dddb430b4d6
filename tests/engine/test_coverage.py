"""What is reported as not drawn makes no difference to the picture, and what is not reported does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atelier_mcp.server.engine.likenesses import LIKENESSES
from atelier_mcp.server.engine.paint import paint
from atelier_mcp.server.engine.paint.coverage import find_undrawn
from atelier_mcp.server.engine.phrases import NOUN_KINDS
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.remarks import NOTHING_UNDERSTOOD, format_image_remarks, format_mask_remarks
from atelier_mcp.server.engine.vocabulary import COATED, LEXICON

CONTEXTS = [
    "portrait of a man at sunset", "a vase on a table", "a red planet", "a coral reef by day", "the sea by day",
    "a city by day", "a meadow by day", "a chair", "plain white background", "bauhaus pattern", "portrait of a cat",
]  # fmt: skip
ADDITIONS = [
    "a church", "a red boat", "a duck", "a dog", "a balloon", "a fish", "an apple", "a volcano", "a bed", "a forest",
    "a desert", "a road", "rain", "snow", "a rainbow", "a hat",
]  # fmt: skip
LEAST_CHANGE = 3.0
"""In byte steps: an hour or a weather that is not shown may still tint a thing a little."""


def compute_change(text: str, without: str) -> float:
    """How much the picture changes when a part of its prompt is taken out and the composition kept."""
    prompt = read_prompt(text)
    reduced = replace(read_prompt(without), words=prompt.words)
    images = [paint(one, seed=1, width=256, height=256).astype(np.int16) for one in (prompt, reduced)]
    return float(np.abs(images[0] - images[1]).mean())


@pytest.mark.parametrize("context", CONTEXTS)
def test_what_is_reported_is_not_in_the_picture_and_the_rest_is(context: str) -> None:
    for addition in ADDITIONS:
        text = f"{context}, {addition}"
        words = addition.removeprefix("a ").removeprefix("an ")
        change = compute_change(text, context)
        if words in find_undrawn(read_prompt(text)):
            assert change < LEAST_CHANGE, text
        else:
            assert change > 0, text


@pytest.mark.parametrize(
    ("text", "undrawn"),
    [
        ("portrait of a woman with a church", ("church",)),
        ("a vase of flowers at sunset", ("sunset",)),
        ("an old man", ("old",)),
        ("a tiny cat, bird's eye view", ("tiny", "bird eye view")),
        ("oil painting, watercolour boat", ("watercolour",)),
        ("a boat at dawn and at night", ("night",)),
        ("purple moon over the sea", ("purple (moon)",)),
        ("a red and blue car", ("blue (car)",)),
        ("two red umbrellas, portrait of a woman", ("two red umbrellas",)),
        ("静物，教堂", ("教堂",)),
        ("一个年轻的女人，两把红色的雨伞", ("年轻", "两红色雨伞")),
        ("a red boat on the sea at sunset", ()),
        ("an empty street, no cars, no people", ()),
    ],
)
def test_each_kind_of_dropped_part_is_named_in_the_callers_words(text: str, undrawn: tuple[str, ...]) -> None:
    assert find_undrawn(read_prompt(text)) == undrawn


def test_a_source_keeps_its_forms_and_the_caller_is_told_of_those_not_added() -> None:
    remarks = format_image_remarks(read_prompt("a church at sunset in blue, oil painting"), is_repaint=True)
    assert remarks == (
        "Understood, but the source keeps its own forms: church",
        "The source was relit and recoloured for sunset, at a strength of 1",
    )


def test_a_masked_area_has_no_hour_and_one_subject() -> None:
    assert format_mask_remarks(read_prompt("a duck and a church at sunset, close-up, in the snow")) == (
        "Understood, but left out under a mask: church, sunset, close up, snow",
    )
    assert format_mask_remarks(read_prompt("a red and blue car")) == (
        "Understood, but left out under a mask: blue (car)",
    )


@pytest.mark.parametrize("text", ["zorgon blurgh", "beautiful, highly detailed", "嘟嘟", "🙂"])
def test_a_prompt_of_which_nothing_is_understood_is_answered_with_that(text: str) -> None:
    assert format_image_remarks(read_prompt(text), is_repaint=False)[0] == NOTHING_UNDERSTOOD


@pytest.mark.parametrize("text", ["", "  ", "no people", "blue", "night"])
def test_a_prompt_that_says_something_is_not_called_incomprehensible(text: str) -> None:
    assert format_image_remarks(read_prompt(text), is_repaint=False) == ()


@pytest.mark.parametrize(
    ("text", "lettering"),
    [
        ('a poster "lemon festival", lemons', ("lemon festival",)),
        ("海报，上面写着“柠檬节”", ("柠檬节",)),
        ("a sign “OPEN” above a 「cafe」", ("OPEN", "cafe")),
        ("the dog's bed, a 5\" screen", ()),
    ],
)
def test_words_in_quotation_marks_are_said_not_to_be_written(text: str, lettering: tuple[str, ...]):
    for remarks in (format_image_remarks(read_prompt(text), is_repaint=False), format_mask_remarks(read_prompt(text))):
        said = [remark for remark in remarks if remark.startswith("No lettering is drawn")]
        assert said == [f"No lettering is drawn: {', '.join(lettering)}"] * bool(lettering)


@pytest.mark.parametrize(
    ("text", "likenesses"),
    [
        ("two corgis on an island", "corgis (dog), island (coast)"),
        ("a red barn", "barn (house)"),
        ("一只柯基在公园里", "柯基 (dog), 公园 (meadow)"),
    ],
)
def test_what_is_drawn_only_as_its_kind_is_said(text: str, likenesses: str) -> None:
    assert f"Drawn as the nearest the painter knows: {likenesses}" in format_image_remarks(
        read_prompt(text), is_repaint=False
    )


def test_of_what_is_not_drawn_at_all_no_likeness_is_named() -> None:
    remarks = " ".join(format_image_remarks(read_prompt("portrait of a woman, two red barns"), is_repaint=False))
    assert "two red barns" in remarks
    assert "(house)" not in remarks


def test_every_likeness_is_a_word_that_is_drawn() -> None:
    for word in LIKENESSES:
        assert any(term.kind in NOUN_KINDS for term in LEXICON[word]), word


@pytest.mark.parametrize(
    "text", ["a cat with white fur", "a night sky full of stars, milky way", "text-free poster of a boat"]
)
def test_what_is_plainly_there_is_not_reported(text: str) -> None:
    assert format_image_remarks(read_prompt(text), is_repaint=False) == ()


def test_an_animal_has_the_colour_of_its_fur() -> None:
    assert compute_change("a cat with white fur", "a cat") > 0
    assert find_undrawn(read_prompt("a man with blue fur")) == ("blue fur",)


@pytest.mark.parametrize(
    "text", ["a bird with blue feathers next to a cat", "a woman in a white fur coat with a dog, at the sea"]
)
def test_of_several_nobody_gets_the_colour_of_a_coat(text: str) -> None:
    assert all(not noun.colours for noun in read_prompt(text).subjects if noun.name in COATED)


def test_what_a_prompt_is_free_of_is_not_drawn() -> None:
    assert read_prompt("a bird-free sky over the sea").unwanted == {"bird"}
