"""``atelier call``: what a shell gives is read as the tool's schema says."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from atelier_mcp.server.cli.call_arguments import read_value

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Atelier


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(make_png())
    return path


def make_png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "2024", "2024"),
        ({"type": "string"}, "true", "true"),
        ({"type": "string"}, '{"a": 1}', '{"a": 1}'),
        ({"type": "string"}, "@@home", "@home"),
        ({"type": "string"}, "@", "@"),
        ({"type": "integer"}, "7", 7),
        ({"type": "integer"}, "-1", -1),
        ({"type": "number"}, "0.7", 0.7),
        ({"type": "number"}, "1e-2", 0.01),
        ({"type": "integer"}, "seven", "seven"),
        ({"type": "integer"}, "true", "true"),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "False", False),
        ({"type": "array", "items": {"type": "string"}}, "a,b", ["a", "b"]),
        ({"type": "array", "items": {"type": "string"}}, "7, 8", ["7", "8"]),
        ({"type": "array", "items": {"type": "integer"}}, "0,0,60,40", [0, 0, 60, 40]),
        ({"type": "array", "items": {"type": "string"}}, '["a,b"]', ["a,b"]),
        ({"type": "array", "items": {"type": "string"}}, "", []),
        ({"type": "array", "items": {"type": "string"}}, "data:image/png;base64,AA", ["data:image/png;base64,AA"]),
        ({"type": "array", "items": {"type": "object"}}, '[{"type": "box"}]', [{"type": "box"}]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": "object"}, "null", None),
        ({"type": "array", "items": {"type": "object"}}, "null", None),
        ({"type": "array", "items": {"type": "string"}}, " null ", None),
        ({"type": "boolean"}, "null", None),
        ({"type": "integer"}, "null", None),
        ({"type": "string"}, "null", "null"),
        ({}, "12", "12"),
    ],
)
def test_the_schema_decides_about_types(schema: dict[str, object], text: str, value: object) -> None:
    read = read_value("x", text, schema)
    assert (read, type(read)) == (value, type(value))


def test_a_prompt_of_digits_is_a_text(atelier: Atelier) -> None:
    outcome = atelier("call", "generate_image", "prompt=2024", "width=640", "height=640", "--json")
    assert outcome.code == 0, outcome.out
    listed = atelier("jobs", "--json").read_json()["jobs"]
    assert listed[0]["request"]["prompt"] == "2024"


def test_files_and_stdin_hold_arguments(atelier: Atelier, photo: Path, tmp_path: Path) -> None:
    """A picture from stdin, a whole call from a file, a path as it is."""
    piped = atelier("call", "import_image", "image=@-", "--json", stdin=make_png())
    named = atelier("call", "import_image", f"image={photo}", "--json")
    assert piped.read_json()["image"]["handle"] == named.read_json()["image"]["handle"]
    arguments = tmp_path / "call.json"
    arguments.write_text(json.dumps({"image": str(photo), "width": 100}), "utf-8")
    turned = atelier("call", "transform_image", "--from", str(arguments), "rotate=90", "--json")
    assert turned.code == 0, turned.out
    assert turned.read_json()["image"]["width"] == 100
    from_stdin = atelier("call", "transform_image", "--from", "-", stdin=json.dumps({"image": str(photo)}).encode())
    assert from_stdin.code in (0, 1)


def test_a_text_is_read_from_a_file_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("a kite\nover dunes\n", "utf-8")
    assert read_value("prompt", f"@{tmp_path / 'prompt.txt'}", {"type": "string"}) == "a kite\nover dunes"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("generate_image", "prompt=a", "prompt=b"), "prompt is given twice"),
        (("generate_image", "a red kite"), "'a red kite' is not key=value"),
        (("generate_image", "=x"), "is not key=value"),
        (("generate_image", "prompt=@/nowhere.txt"), "/nowhere.txt cannot be read"),
        (("generate_image", "prompt=@-", "image=@-"), "stdin can be read for one argument only"),
        (("generate_image", "--from", "/nowhere.json"), "/nowhere.json cannot be read"),
        (("genrate_image", "prompt=a"), "Did you mean generate_image"),
        (("generate-image", "prompt=a"), "Did you mean generate_image"),
        (("qqqqqq",), "atelier tools lists those that are on"),
        (("chat", "messages=[]"), "chat is in toolset chat, which is off"),
        (("train_lora", "images=a,b"), "train_lora is in toolset train, which is off"),
        ((), "the following arguments are required: tool"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(atelier: Atelier, argv: tuple[str, ...], words: str) -> None:
    outcome = atelier("call", *argv)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_the_line_that_switches_a_toolset_on_does(atelier: Atelier) -> None:
    err = atelier("tools", "train_lora").err
    value = err.partition("ATELIER_TOOLSETS=")[2].split()[0].rstrip(".")
    assert atelier("tools", "train_lora", ATELIER_TOOLSETS=value).code == 0
    assert atelier("tools", "generate_image", ATELIER_TOOLSETS=value).code == 0


def test_a_tool_that_no_service_has_names_the_settings(atelier: Atelier) -> None:
    outcome = atelier("tools", "describe_image", MHAPI_ACCESS_KEY="a", MHAPI_SECRET_KEY="b")
    assert outcome.code == 2
    assert "Set MIAOHUA_EMAIL and MIAOHUA_PASSWORD" in outcome.err


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("call", "generate_image", "prompt=x", "samples=9"), 1, "samples: 9 given; at most 8 is allowed."),
        (("call", "generate_image", "prompt=x", "prompt=y"), 2, "prompt is given twice."),
        (("jobs", "--limit", "0"), 2, "0 is not a number from 1 to 100"),
        (("show", "img_aaaaaaaaaaaaaaaa"), 1, "img_aaaaaaaaaaaaaaaa"),
    ],
)
def test_errors_are_json_for_programs(atelier: Atelier, argv: tuple[str, ...], code: int, words: str) -> None:
    outcome = atelier(*argv, "--json")
    assert (outcome.code, outcome.err) == (code, "")
    assert words in outcome.read_json()["error"]["message"]


def test_a_picture_is_shown_as_the_terminal_takes_it(atelier: Atelier, photo: Path) -> None:
    """Each protocol begins with its own sequence; what is piped gets none."""
    starts = {"kitty": "\x1b_Ga=T,f=100", "iterm": "\x1b]1337;File=inline=1", "sixel": "\x1bPq"}
    for protocol, start in starts.items():
        assert start in atelier("show", str(photo), "--pictures", protocol).out
    assert "\x1b" not in atelier("show", str(photo)).out
