"""Signs in prompts that other tools read: kept in other ways or named, never drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.comfyui.operation import ComfyuiOperation
from atelier_mcp.server.providers.sd_webui.operations.generate import SdWebuiGeneration
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.requests.prompt_syntax import use_plain_prompts

if TYPE_CHECKING:
    from atelier_mcp.server.requests.prompt_notations import PromptNotation

NOTATIONS: dict[str, frozenset[PromptNotation]] = {
    "": frozenset(),
    "webui": SdWebuiGeneration.prompt_notations,
    "comfyui": ComfyuiOperation.prompt_notations,
}


def read(prompt: str, **arguments: str) -> tuple[str, str | None, str]:
    """The prompts that are sent, and what is told."""
    kept = NOTATIONS[arguments.pop("service", "")]
    request = GenerateImage.model_validate({"prompt": prompt, **arguments})
    request, notes = use_plain_prompts(request, kept=kept)
    assert isinstance(request, GenerateImage)
    return request.prompt, request.negative_prompt, "; ".join(notes)


def test_a_lora_tag_is_taken_out_named_and_pointed_to_its_argument() -> None:
    prompt, _, notes = read("a sailboat <lora:space_cat_v2:0.8>, at dusk")
    assert prompt == "a sailboat, at dusk"
    assert "<lora:space_cat_v2:0.8>" in notes
    assert "loras" in notes


@pytest.mark.parametrize(
    "prompt",
    [
        "a street, (people:0)",
        "a street (people:0.0), ",
        "a street --no people",
        "a street -no people",
        "a street -people",
        "-people, a street",
        "a street, \u2212people",
        "a street::2 people::-1",
        "a street:: 2 people::-.5",
        "a street\nNegative prompt: people",
        "a street\nNegative prompt: people\nSteps: 20, Sampler: Euler a, Size: 512x512",
    ],
)
def test_what_is_not_to_be_there_goes_where_such_things_go(prompt: str) -> None:
    assert read(prompt)[:2] == ("a street", "people")
    assert read(prompt, negative_prompt="cars")[1] == "cars, people"


def test_a_weight_is_named_and_its_words_stay() -> None:
    prompt, _, notes = read("((red:1.3) sails:1.1), (sea, storm:1.2)")
    assert prompt == "red sails, sea, storm"
    assert "(sea, storm:1.2)" in notes


def test_a_service_that_reads_weights_gets_them() -> None:
    """Tags are still no way to name a LoRA: its file has to be there."""
    prompt, _, _ = read("(storm:1.2) <lora:ink:1>", service="webui")
    assert prompt == "(storm:1.2)"


def test_flags_are_taken_out_and_named() -> None:
    prompt, negative, notes = read("a lighthouse --ar 16:9 --no dog, cat --v 6.1 --style raw")
    assert (prompt, negative) == ("a lighthouse", "dog, cat")
    assert all(flag in notes for flag in ("--ar 16:9", "--v 6.1", "--style raw"))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a road --ar 3:2", "a road"),
        ("a road -ar 3:2 -v 6", "a road"),
        ("a road —ar 3:2 --niji 6 --hd", "a road"),
        ("a road --sref https://site.example/a.png --sw 200", "a road"),
        ("a road --unheard 30 --of", "a road"),
        ("a cat BREAK a road", "a cat, a road"),
    ],
)
def test_every_setting_is_taken_out_and_named(prompt: str, words: str) -> None:
    read_words, negative, notes = read(prompt)
    assert (read_words, negative) == (words, None)
    assert "taken out" in notes


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a [cat:dog:0.5] asleep", "a cat asleep"),
        ("a [:dog:0.5] asleep", "a dog asleep"),
        ("a [dog:0.5] asleep", "a dog asleep"),
        ("a [cat|dog] asleep", "a cat asleep"),
        ("a {cat|dog} asleep", "a cat asleep"),
        ("a {2$$cat|{big|small} dog} asleep", "a cat asleep"),
        ("a {0.3::cat|0.7::dog} asleep", "a cat asleep"),
    ],
)
def test_of_several_the_first_is_taken_and_the_choice_is_named(prompt: str, words: str) -> None:
    read_words, _, notes = read(prompt)
    assert read_words == words
    assert "the first was taken" in notes


@pytest.mark.parametrize(
    "sign",
    ["embedding:bad_hands", "(embedding:bad_hands:1.2)", "<hypernet:bad:1>", "<wildcard:animal>", "__animal/small__"],
)
def test_files_of_another_tool_are_taken_out_and_named(sign: str) -> None:
    prompt, _, notes = read(f"a cat, {sign}, asleep")
    assert prompt == "a cat, asleep"
    assert sign in notes
    assert read("a cat", negative_prompt=f"blur, {sign}")[1] == "blur"


def test_parts_with_weights_are_joined_and_their_weights_named() -> None:
    prompt, _, notes = read("hot:: dog::2, sea::0.5")
    assert prompt == "hot, dog, sea"
    assert "dog::2" in notes


@pytest.mark.parametrize(
    ("service", "prompt"),
    [
        ("webui", "a [cat:dog:0.5] (asleep:1.2) BREAK [red|blue] sea <hypernet:ink:1>"),
        ("comfyui", "a (cat:1.2) embedding:ink, (embedding:ink:0.5)"),
    ],
)
def test_a_service_gets_the_notations_that_it_reads(service: str, prompt: str) -> None:
    assert read(prompt, service=service) == (prompt, None, "")


@pytest.mark.parametrize(
    ("service", "prompt", "words"),
    [
        ("webui", "a {cat|dog} embedding:ink", "a cat"),
        ("comfyui", "a {cat|dog} in a [red|blue] sea", "a cat in a red sea"),
        ("webui", "a cat -people", "a cat"),
        ("comfyui", "a cat::2 people::-1 --ar 3:2", "a cat"),
    ],
)
def test_no_service_gets_the_notations_that_it_does_not_read(service: str, prompt: str, words: str) -> None:
    assert read(prompt, service=service)[0] == words


@pytest.mark.parametrize(
    "prompt",
    [
        "a clock (12:30)",
        "a clock [12:30], at 12::30",
        "std::vector on a poster",
        "a sign [EXIT], a {name}",
        "at -5 degrees",
        "- a boat\n-red sails\n-sun",
        "a man -in black- on a bridge",
        "the sea -in winter",
        "a harbour --calm and blue",
        "the sea \u2014calm",
        "TAKE A BREAK ON THE BEACH",
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
