"""Wrong arguments in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from atelier_mcp.server.error_reasons import INVALID_JSON_MESSAGE
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.tool_arguments import build_flat_arguments


def explain_arguments(**arguments: Any) -> list[str]:
    """The lines for a wrong ``generate_image`` call."""
    with pytest.raises(InvalidRequest) as error_info:
        build_flat_arguments(GenerateImage, waits=True, providers=("mhapi", "sd_aws")).parse(arguments)
    return error_info.value.message.splitlines()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"prompt": ""}, "prompt: '' given; it must not be empty."),
        ({"prompt": "x" * 2001}, "prompt: a text of 2,001 characters given; at most 2,000 characters are allowed."),
        ({"prompt": "   "}, "prompt is blank."),
        ({}, "prompt: is missing."),
        ({"prompt": "x", "samples": 9}, "samples: 9 given; at most 8 is allowed."),
        ({"prompt": "x", "width": 63}, "width: 63 given; at least 64 is allowed."),
        ({"prompt": "x", "seed": 99_999_999}, "seed: 99999999 given; at most 99,999,998 is allowed."),
        ({"prompt": None}, "prompt: is missing."),
        ({"prompt": "x", "samples": 2.5}, "samples: 2.5 given; a whole number is needed."),
        ({"prompt": "x", "n": 3}, "n: there is no such argument; did you mean samples?"),
        ({"prompt": "x", "controls": ["img_x"]}, "controls[0]: 'img_x' given; an object is needed."),
        ({"prompt": "x", "loras": "[{model: ink}]"}, f"loras: '[{{model: ink}}]' given; {INVALID_JSON_MESSAGE}"),
        ({"prompt": "x", "seed": -2}, "seed: -2 given; at least 0 is allowed."),
        ({"prompt": "x", "steps": "many"}, "steps: 'many' given; a whole number is needed."),
        ({"prompt": "x", "format": "gif"}, "format: 'gif' given; allowed: jpg, png."),
        (
            {"prompt": "x", "negativ_prompt": "y"},
            "negativ_prompt: there is no such argument; did you mean negative_prompt?",
        ),
        ({"prompt": "x", "loras": [{"model": "m", "weight": 2}]}, "loras[0].weight: 2 given; it must be below 2."),
        (
            {"prompt": "x", "controls": [{"type": "canny", "image": "img_x", "start": 0.6, "end": 0.5}]},
            "controls[0]: start 0.6 lies after end 0.5.",
        ),
    ],
)
def test_one_line_says_which_argument_what_was_given_and_what_is_allowed(arguments: dict[str, Any], line: str) -> None:
    """No type names, no links, no dump of the input."""
    assert explain_arguments(**arguments) == [line]


def test_unknown_arguments_are_told_together_with_what_they_may_mean() -> None:
    """The list of what there is comes once, and without what is not offered."""
    (line,) = explain_arguments(prompt="x", n=3, size="960x960", unicorn=1)
    assert line.startswith("n, size, unicorn: there are no such arguments. You may mean: n -> samples, size -> width")
    assert line.endswith("format, provider.")


@pytest.mark.parametrize("name", ["style", "timesteps", "unicorn", "sampler"])
def test_a_name_that_merely_shares_letters_is_not_suggested(name: str) -> None:
    """Neither is one that nothing here can take in its place."""
    (line,) = explain_arguments(prompt="x", **{name: 1})
    assert "mean" not in line
    assert "There are: " in line


def test_an_unknown_argument_of_an_object_names_what_the_object_takes() -> None:
    """Not what the tool takes."""
    (line,) = explain_arguments(prompt="x", loras=[{"model": "ink", "colour": "red"}])
    assert line == "loras[0].colour: there is no such argument. There are: model, weight."


def test_a_list_of_one_wrong_object_is_not_called_empty() -> None:
    with pytest.raises(InvalidRequest) as error_info:
        build_flat_arguments(SwapFaces).parse({"image": "img_x", "faces": [{"image": "img_y", "unicorn": 1}]})
    (line,) = error_info.value.message.splitlines()
    assert line.startswith("faces[0].unicorn: there is no such argument.")


def test_each_wrong_argument_has_its_line() -> None:
    """A model corrects everything in one go."""
    assert len(explain_arguments(prompt="", samples=0, width=1)) == 3


def test_a_long_value_is_not_repeated() -> None:
    """It may be a picture as a data URL, or a key in the wrong place."""
    (line,) = explain_arguments(prompt="x", format="data:image/png;base64," + "A" * 5_000)
    assert len(line) < 200
    assert "AAAA" not in line


@pytest.mark.parametrize("advanced", ['{"tiling": true}', {"tiling": True}])
def test_an_object_may_come_as_json_text(advanced: object) -> None:
    """Some clients send lists and objects so."""
    arguments = build_flat_arguments(
        GenerateImage, exclusive_fields={"advanced": "atelier_mcp.server.requests.aws:AdvancedOptions"}
    )
    request, _ = arguments.parse({"prompt": "x", "advanced": advanced, "loras": '[{"model": "ink"}]'})
    assert request.model_dump(exclude_unset=True) == {
        "prompt": "x",
        "advanced": {"tiling": True},
        "loras": ({"model": "ink"},),
    }


def test_a_text_is_called_invalid_json_only_where_it_is() -> None:
    """Good JSON of another kind is not what is needed, but it is JSON."""
    (line,) = explain_arguments(prompt="x", loras=["{model: ink}"])
    assert line == f"loras[0]: '{{model: ink}}' given; {INVALID_JSON_MESSAGE}"
    (line,) = explain_arguments(prompt="x", loras=['["ink"]'])
    assert line == "loras[0]: 1 item given; an object is needed."
    (line,) = explain_arguments(prompt="x", loras="[" * 100_000)
    assert line.endswith(INVALID_JSON_MESSAGE)


def test_a_text_that_begins_like_json_stays_a_text() -> None:
    """A prompt may be anything."""
    request, _ = build_flat_arguments(GenerateImage).parse({"prompt": "[a kite]"})
    assert request.model_dump(exclude_unset=True) == {"prompt": "[a kite]"}


def test_options_are_parsed_apart_and_keep_their_place_among_the_errors() -> None:
    """One line each, in the order in which the arguments are published."""
    request, options = build_flat_arguments(GenerateImage, waits=True).parse({"prompt": "x", "wait_s": 3})
    assert (type(request), options.wait_s, options.provider) == (GenerateImage, 3, None)
    lines = explain_arguments(provider="nobody", samples=9, wait_s=60)
    assert [line.partition(":")[0] for line in lines[:4]] == ["wait_s", "prompt", "samples", "provider"]


def test_an_option_that_a_tool_does_not_have_is_refused() -> None:
    """Neither a wait of a tool that does not wait, nor a service for one that needs none."""
    with pytest.raises(InvalidRequest, match="provider, wait_s: there are no such arguments"):
        build_flat_arguments(GenerateImage).parse({"prompt": "x", "provider": "mhapi", "wait_s": 1})


def test_the_only_service_may_be_named_though_no_model_is_asked_to() -> None:
    """A command that worked with two services works with one of them; another name is refused."""
    arguments = build_flat_arguments(GenerateImage, providers=("mhapi",))
    assert "provider" not in arguments.build_schema()["properties"]
    assert arguments.parse({"prompt": "x", "provider": "mhapi"})[1].provider == "mhapi"
    with pytest.raises(InvalidRequest, match="provider: 'sd_aws' given; allowed: mhapi"):
        arguments.parse({"prompt": "x", "provider": "sd_aws"})
