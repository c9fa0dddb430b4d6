"""Signs in prompts that other tools read: kept in other ways or named, never drawn."""

from __future__ import annotations

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.requests.prompt_syntax import use_plain_prompts


def read(prompt: str, **arguments: str) -> tuple[str, str | None, str]:
    """The prompts that are sent, and what is told."""
    keeps_weights = arguments.pop("keeps_weights", "") == "yes"
    request = GenerateImage.model_validate({"prompt": prompt, **arguments})
    request, notes = use_plain_prompts(request, keeps_weights=keeps_weights)
    assert isinstance(request, GenerateImage)
    return request.prompt, request.negative_prompt, "; ".join(notes)


def test_a_lora_tag_is_taken_out_named_and_pointed_to_its_argument() -> None:
    prompt, _, notes = read("a sailboat <lora:space_cat_v2:0.8>, at dusk")
    assert prompt == "a sailboat, at dusk"
    assert "<lora:space_cat_v2:0.8>" in notes
    assert "loras" in notes


@pytest.mark.parametrize("prompt", ["a street, (people:0)", "a street (people:0.0), ", "a street --no people"])
def test_what_is_not_to_be_there_goes_where_such_things_go(prompt: str) -> None:
    assert read(prompt)[:2] == ("a street", "people")
    assert read(prompt, negative_prompt="cars")[1] == "cars, people"


def test_a_weight_is_named_and_its_words_stay() -> None:
    prompt, _, notes = read("((red:1.3) sails:1.1), (sea, storm:1.2)")
    assert prompt == "red sails, sea, storm"
    assert "(sea, storm:1.2)" in notes


def test_a_service_that_reads_weights_gets_them() -> None:
    """Tags are still no way to name a LoRA: its file has to be there."""
    prompt, _, _ = read("(storm:1.2) <lora:ink:1>", keeps_weights="yes")
    assert prompt == "(storm:1.2)"


def test_flags_are_taken_out_and_named() -> None:
    prompt, negative, notes = read("a lighthouse --ar 16:9 --no dog, cat --v 6.1 --style raw")
    assert (prompt, negative) == ("a lighthouse", "dog, cat")
    assert all(flag in notes for flag in ("--ar 16:9", "--v 6.1", "--style raw"))


@pytest.mark.parametrize(
    "prompt",
    [
        "a clock (12:30)",
        "a ship (scale 1:20)",
        "a poster (16:9)",
        "a well--known harbour",
        "a note: (see: below)",
        "x <3 y",
        "boats -- no sails",
    ],
)
def test_plain_words_stay_as_they_are(prompt: str) -> None:
    assert read(prompt) == (prompt, None, "")


def test_a_prompt_of_signs_alone_is_refused() -> None:
    """Before anything is spent."""
    with pytest.raises(InvalidRequest, match="leaves no words"):
        read("<lora:space_cat_v2:0.8>")


def test_a_tool_without_loras_says_so() -> None:
    request = SwapFaces.model_validate({"image": "img_x", "faces": [{"image": "img_y"}], "prompt": "smile <lora:a:1>"})
    changed, notes = use_plain_prompts(request)
    assert isinstance(changed, SwapFaces)
    assert changed.prompt == "smile"
    assert "takes none" in notes[0]
