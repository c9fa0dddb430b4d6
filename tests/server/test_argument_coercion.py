"""Arguments as models and frameworks send them: what is meant is taken, and what is not plain is refused."""

from __future__ import annotations

from typing import Any

import pytest

from atelier_mcp.server.argument_coercion import coerce_arguments
from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.requests.aws import AdvancedOptions
from atelier_mcp.server.requests.chat import ChatWithImage
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.datasets import AddDatasetImages
from atelier_mcp.server.requests.edit import EraseObject, OutpaintImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.tool_arguments import build_flat_arguments
from atelier_mcp.tools.compose_images import ComposeImagesArguments
from atelier_mcp.tools.list_jobs import ListJobsArguments
from atelier_mcp.tools.view_image import ViewImageArguments
from atelier_mcp.tools.wait_for_jobs import WaitForJobsArguments

BOX = {"type": "box", "points": [10, 10, 60, 60]}
BOX_JSON = '{"type": "box", "points": [10, 10, 60, 60]}'


def parse(model: type[Any], /, **arguments: Any) -> Any:
    """The request that a tool would get."""
    request, _ = build_flat_arguments(model, waits=True).parse(arguments)
    return request


@pytest.mark.parametrize("loras", ["ink", ["ink"], '["ink"]', [{"model": "ink"}, None], {"model": "ink"}], ids=str)
def test_an_id_stands_for_a_lora(loras: Any) -> None:
    """At its usual weight."""
    request = parse(GenerateImage, prompt="a kite", loras=loras)
    assert [(lora.model, lora.weight) for lora in request.loras] == [("ink", 1)]


@pytest.mark.parametrize("loras", ["{ink", "[ink", ['{"model": "ink"']], ids=str)
def test_what_begins_like_json_is_no_id(loras: Any) -> None:
    """It is told instead of being looked for."""
    with pytest.raises(InvalidRequest, match="loras"):
        parse(GenerateImage, prompt="a kite", loras=loras)


def test_words_alone_are_the_users() -> None:
    """A message of a conversation."""
    request = parse(ChatWithImage, messages="Draw a sunflower")
    assert [(message.role, message.content) for message in request.messages] == [("user", "Draw a sunflower")]


def test_a_picture_alone_is_a_layer_and_a_new_face() -> None:
    """With everything else as usual."""
    layers = parse(ComposeImagesArguments, background="red", layers=["img_a", "img_b"]).layers
    assert [(layer.image, layer.position) for layer in layers] == [("img_a", "middle"), ("img_b", "middle")]
    assert [face.image for face in parse(SwapFaces, image="img_a", faces="img_b").faces] == ["img_b"]


@pytest.mark.parametrize(
    "shapes",
    [
        [BOX],
        BOX,
        BOX_JSON,
        f"[{BOX_JSON}]",
        [BOX_JSON],
        [None, BOX, None],
        [BOX, "null", ""],
        [{**BOX, "width": None}],
        [{**BOX, "points": "[10,10,60,60]"}],
        [{**BOX, "points": "10, 10, 60, 60"}],
        [{**BOX, "points": ["10", "10", "60", "60"]}],
        [{**BOX, "points": [[10, 10], [60, 60]]}],
        [{**BOX, "points": ["[10, 10]", [60, 60]]}],
        [{**BOX, "points": ["10, 10", "60, 60"]}],
        [{**BOX, "points": [{"x": 10, "y": 10}, '{"y": 60, "x": 60}']}],
        [{**BOX, "points": [10.4, 9.6, 60.0, 59.7]}],
        [{**BOX, "points": "[[10.4, 10.2], [60.1, 60]]"}],
        [{**BOX, "type": "Box"}],
        '["{\\"type\\": \\"box\\", \\"points\\": \\"[10, 10, 60, 60]\\"}"]',
    ],
    ids=str,
)
def test_a_shape_is_understood_however_it_is_packed(shapes: Any) -> None:
    """JSON texts are read at every depth, nulls are absent, one of something is a list of one."""
    request = parse(EraseObject, image="img_x", shapes=shapes)
    assert [shape.model_dump(include={"type", "points"}) for shape in request.shapes] == [
        {"type": "box", "points": (10, 10, 60, 60)}
    ]


@pytest.mark.parametrize("nothing", [None, "", "  ", "null", "None"])
@pytest.mark.parametrize("name", ["image", "model", "negative_prompt", "seed", "width", "controls", "loras", "format"])
def test_nothing_for_what_may_be_left_out_is_nothing(name: str, nothing: Any) -> None:
    """Also where a default stands: the operator's choice is not overruled by null."""
    request = parse(GenerateImage, prompt="a kite", **{name: nothing})
    assert request.model_fields_set == {"prompt"}


def test_a_list_of_one_is_that_one_where_one_is_taken() -> None:
    request = parse(GenerateImage, prompt=["a kite"], format=["PNG"], samples=["2"], image=["img_x"])
    assert (request.prompt, request.format, request.samples, request.image) == ("a kite", "png", 2, "img_x")
    with pytest.raises(InvalidRequest, match="prompt: 2 items given"):
        parse(GenerateImage, prompt=["a kite", "a boat"])


@pytest.mark.parametrize("items", [[None], ["null"], "[null]", '["null"]', '"null"', [""]])
@pytest.mark.parametrize("name", ["loras", "controls"])
def test_a_list_of_nothings_is_empty(name: str, items: Any) -> None:
    assert getattr(parse(GenerateImage, prompt="a kite", **{name: items}), name) == ()


@pytest.mark.parametrize("advanced", [{}, "{}", {"sampler_name": None}])
def test_an_object_with_nothing_in_it_is_left_out(advanced: Any) -> None:
    """It asks for nothing that only some services have."""
    assert parse(GenerateImage, prompt="a kite", advanced=advanced).model_fields_set == {"prompt"}


@pytest.mark.parametrize(("word", "kind"), [("rectangle", "box"), ("Oval", "ellipse"), ("line", "stroke")])
def test_a_shape_is_known_by_what_other_tools_call_it(word: str, kind: str) -> None:
    request = parse(EraseObject, image="img_x", shapes=[{"type": word, "points": [1, 2, 30, 40]}])
    assert request.shapes[0].type == kind


@pytest.mark.parametrize("seed", [-1, "-1", -1.0])
@pytest.mark.parametrize("model", [GenerateImage, ChatWithImage])
def test_a_seed_of_minus_one_is_none(model: type[Any], seed: Any) -> None:
    """As nearly every image tool says it."""
    asked = {"prompt": "x"} if model is GenerateImage else {"messages": [{"role": "user", "content": "x"}]}
    assert parse(model, **asked, seed=seed).seed is None


@pytest.mark.parametrize(
    ("model", "arguments", "name", "meant"),
    [
        (GenerateImage, {"prompt": "x", "format": "PNG"}, "format", "png"),
        (GenerateImage, {"prompt": "x", "format": "jpeg"}, "format", "jpg"),
        (GenerateImage, {"prompt": "x", "format": ".JPEG"}, "format", "jpg"),
        (GenerateImage, {"prompt": "x", "format": "image/png"}, "format", "png"),
        (OutpaintImage, {"image": "img_x", "position": "top left"}, "position", "topleft"),
        (OutpaintImage, {"image": "img_x", "position": "Bottom"}, "position", "bottommiddle"),
        (OutpaintImage, {"image": "img_x", "position": "center"}, "position", "middle"),
        (OutpaintImage, {"image": "img_x", "position": "Bottom-Right"}, "position", "bottomright"),
        (GenerateImage, {"prompt": "x", "width": 960.4}, "width", 960),
        (GenerateImage, {"prompt": "x", "width": "960.4"}, "width", 960),
        (GenerateImage, {"prompt": "x", "width": "960px"}, "width", 960),
        (GenerateImage, {"prompt": "x", "samples": "2"}, "samples", 2),
        (GenerateImage, {"prompt": 1984}, "prompt", "1984"),
        (ViewImageArguments, {"image": "img_x", "region": "0, 0.4, 20, 20.6"}, "region", [0, 0, 20, 21]),
        (WaitForJobsArguments, {"job_ids": "job_x"}, "job_ids", ["job_x"]),
        (WaitForJobsArguments, {"job_ids": '["job_x", "job_y"]'}, "job_ids", ["job_x", "job_y"]),
        (ListJobsArguments, {"states": "Running"}, "states", ["running"]),
        (AddDatasetImages, {"dataset_id": "7", "images": "[shot] 1.png"}, "images", ("[shot] 1.png",)),
    ],
    ids=str,
)
def test_what_is_meant_is_taken(model: type[Any], arguments: dict[str, Any], name: str, meant: Any) -> None:
    assert getattr(parse(model, **arguments), name) == meant


@pytest.mark.parametrize(
    ("model", "arguments", "part"),
    [
        (GenerateImage, {"prompt": ""}, "prompt: '' given; it must not be empty."),
        (GenerateImage, {"prompt": "x", "samples": 1.5}, "samples: 1.5 given; a whole number is needed."),
        (GenerateImage, {"prompt": "x", "width": float("inf")}, "width: inf given"),
        (GenerateImage, {"prompt": "x", "strength": float("nan")}, "strength: nan given; a number is needed."),
        (GenerateImage, {"prompt": "x", "wait_s": float("nan")}, "wait_s: nan given; a number is needed."),
        (ListJobsArguments, {"offset": 2**63}, "offset: at most 9,223,372,036,854,775,807 is allowed."),
        (ListJobsArguments, {"offset": 1e30}, "offset: at most 9,223,372,036,854,775,807 is allowed."),
        (GenerateImage, {"prompt": "x", "width": 1e300}, "at most 6,000 is allowed."),
        (AddDatasetImages, {"dataset_id": 10**30, "images": ["img_x"]}, "dataset_id: at most 9,223"),
        (AddDatasetImages, {"dataset_id": 1, "images": '["a", "b'}, "it is not valid JSON"),
        (EraseObject, {"image": "img_x", "shapes": "the dog"}, "shapes: 'the dog' given; a list is needed."),
    ],
    ids=str,
)
def test_what_is_not_plain_is_refused_in_words(model: type[Any], arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidRequest) as error_info:
        parse(model, **arguments)
    assert part in error_info.value.message


def test_where_any_plain_value_may_stand_a_text_is_read_as_what_it_says() -> None:
    """The schema can say no more than text there."""
    given = {"override_settings": {"a": "2", "b": None, "c": "x"}, "script_args": ["true", "0.5", 3]}
    meant = {"override_settings": {"a": 2, "c": "x"}, "script_args": [True, 0.5, 3]}
    assert coerce_arguments(given, AdvancedOptions) == meant


def test_a_text_is_left_as_it_came() -> None:
    """A prompt may be anything, JSON too."""
    for prompt in ("[a kite]", '{"subject": "kite"}', "null", "-1", "PNG"):
        assert parse(GenerateImage, prompt=prompt).prompt == prompt
