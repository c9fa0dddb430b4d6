"""Wrong arguments in plain words."""

from __future__ import annotations

from typing import Any

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.tool_arguments import build_flat_arguments
from atelier_mcp.server.validation import INVALID_JSON_MESSAGE


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
        ({"prompt": "x", "width": 639}, "width: 639 given; at least 640 is allowed."),
        ({"prompt": "x", "seed": 99_999_999}, "seed: 99999999 given; at most 99,999,998 is allowed."),
        ({"prompt": "x", "samples": None}, "samples: null given; a whole number is needed."),
        ({"prompt": "x", "n": 3}, "n: there is no such argument; did you mean samples?"),
        ({"prompt": "x", "loras": ["ink", "wash"]}, "loras[0]: 'ink' given; an object is needed."),
        ({"prompt": "x", "loras": "[{model: ink}]"}, f"loras: '[{{model: ink}}]' given; {INVALID_JSON_MESSAGE}"),
        ({"prompt": "x", "seed": -1}, "seed: -1 given; at least 0 is allowed."),
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
    assert line.endswith("format, watermark, provider.")


def test_an_unknown_argument_of_an_object_names_what_the_object_takes() -> None:
    """Not what the tool takes."""
    (line,) = explain_arguments(prompt="x", loras=[{"model": "ink", "colour": "red"}])
    assert line == "loras[0].colour: there is no such argument. There are: model, weight."


def test_each_wrong_argument_has_its_line() -> None:
    """A model corrects everything in one go."""
    assert len(explain_arguments(prompt="", samples=0, width=1)) == 3


def test_a_long_value_is_not_repeated() -> None:
    """It may be a picture as a data URL, or a key in the wrong place."""
    (line,) = explain_arguments(prompt="x", format="data:image/png;base64," + "A" * 5_000)
    assert len(line) < 200
    assert "AAAA" not in line
