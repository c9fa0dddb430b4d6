"""What a caller can ask of a picture, of faces and of training, and what is refused at the door."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import (
    CutOutSubject,
    EraseObject,
    InpaintImage,
    OutpaintImage,
    Shape,
    StylizeImage,
    UpscaleImage,
)
from atelier_mcp.server.requests.faces import DetectFaces, SwapFaces
from atelier_mcp.server.requests.train import TrainLora


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"type": "box", "points": [10, 10, 5, 20]}, "x2 > x1"),
        ({"type": "ellipse", "points": [10, 10]}, "two corners"),
        ({"type": "polygon", "points": [1, 1, 2, 2]}, "three points"),
        ({"type": "stroke", "points": [1, 1, 2]}, "odd"),
        ({"type": "stroke", "points": [-1, 1]}, "greater than or equal to 0"),
        ({"type": "star", "points": [1, 1]}, "box"),
    ],
)
def test_a_shape_that_cannot_be_drawn_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Shape.model_validate(fields)


def test_a_single_point_is_a_stroke() -> None:
    assert Shape.model_validate({"type": "stroke", "points": [7, 9], "width": 30}).points == (7, 9)


def test_an_area_is_needed_and_may_be_a_mask_shapes_or_both() -> None:
    shapes = [{"type": "stroke", "points": [1, 1]}]
    with pytest.raises(ValidationError, match="mask or shapes, or both"):
        EraseObject.model_validate({"image": "img_a"})
    for area in ({"mask": "img_m"}, {"shapes": shapes}, {"mask": "img_m", "shapes": shapes}):
        assert EraseObject.model_validate({"image": "img_a", **area}).has_area


@pytest.mark.parametrize("field", ["strict", "invert"])
def test_what_is_said_of_marks_needs_marks(field: str) -> None:
    with pytest.raises(ValidationError, match=f"{field} needs marks"):
        CutOutSubject.model_validate({"image": "img_a", field: True})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"left": 0, "top": 0}, "nothing is added"),
        ({"left": 9, "aspect": "16:9"}, "give one of them"),
        ({"scale": 2, "width": 900, "height": 900}, "give one of them"),
        ({"width": 900, "height": 600, "aspect": "1:1"}, "900x600 is not 1:1: give two of width, height and aspect"),
        ({"x": 8}, "x and y need aspect, scale, width or height"),
        ({"x": 8, "left": 9}, "say the place themselves"),
        ({"scale": 1}, "greater than 1"),
        ({"aspect": "wide"}, "width:height"),
        ({"aspect": "0:5"}, "width:height"),
    ],
)
def test_a_canvas_is_said_in_one_way(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        OutpaintImage.model_validate({"image": "img_a", **fields})


def test_a_picture_has_one_shape() -> None:
    with pytest.raises(ValidationError, match="900x800 is not 1:1"):
        StylizeImage.model_validate({"image": "img_a", "style": "oil", "width": 900, "height": 800, "aspect": "1:1"})


@pytest.mark.parametrize(("width", "height", "aspect"), [(900, 900, "1:1"), (1000, 562, "16:9"), (333, 500, "2:3")])
def test_a_shape_may_be_said_twice(width: int, height: int, aspect: str) -> None:
    sides = {"width": width, "height": height, "aspect": aspect}
    stylized = StylizeImage.model_validate({"image": "img_a", "style": "oil", **sides})
    assert (stylized.width, stylized.height) == (width, height)


def test_points_in_thousandths_lie_in_the_picture() -> None:
    with pytest.raises(ValidationError, match="between 0 and 1000"):
        Shape.model_validate({"type": "stroke", "points": [1001, 9], "unit": "permille"})


def test_a_blank_prompt_paints_nothing() -> None:
    with pytest.raises(ValidationError, match="blank"):
        InpaintImage.model_validate({"image": "img_a", "mask": "img_m", "prompt": "  "})


def test_a_face_is_replaced_once() -> None:
    faces = [{"image": "img_a", "target_index": 1}, {"image": "img_b", "target_index": 1}]
    with pytest.raises(ValidationError, match="same target_index"):
        SwapFaces.model_validate({"image": "img_t", "faces": faces})


def test_training_pictures_are_counted_once() -> None:
    request = TrainLora.model_validate({"images": ["img_a", "img_b", "img_a"], "base": "artist"})
    assert request.images == ("img_a", "img_b")
    assert [where for where, _ in request.list_image_references()] == ["images[0]", "images[1]"]


def test_every_picture_of_an_edit_is_named() -> None:
    request = EraseObject.model_validate({"image": "img_a", "mask": "img_m"})
    assert dict(request.list_image_references()) == {"image": "img_a", "mask": "img_m"}
    swap = SwapFaces.model_validate({"image": "img_t", "faces": [{"image": "img_a"}]})
    assert dict(swap.replace_image_references({"faces[0].image": "img_z"}).list_image_references()) == {
        "image": "img_t",
        "faces[0].image": "img_z",
    }


def test_replacing_names_changes_only_the_pictures_that_are_named() -> None:
    """Other fields stay, also one whose path is given by mistake; the request itself is not touched."""
    fields: dict[str, Any] = {
        "prompt": "a kite",
        "image": "img_a",
        "controls": [{"type": "canny", "image": "img_b"}, {"type": "depth", "image": "img_c", "weight": 0.5}],
    }
    request = GenerateImage.model_validate(fields)
    replaced = request.replace_image_references({"controls[1].image": "img_z", "prompt": "no picture"})
    assert dict(request.list_image_references()) == {
        "image": "img_a",
        "controls[0].image": "img_b",
        "controls[1].image": "img_c",
    }
    expected = {**fields, "controls": [fields["controls"][0], {"type": "depth", "image": "img_z", "weight": 0.5}]}
    assert replaced == GenerateImage.model_validate(expected)
    assert replaced.model_fields_set == request.model_fields_set


def test_budgets_count_the_pictures_that_are_made() -> None:
    assert EraseObject.model_validate({"image": "a", "mask": "m", "samples": 3}).image_count() == 3
    assert DetectFaces.model_validate({"image": "a"}).image_count() == 0


@pytest.mark.parametrize(("side", "ratio"), [({"width": 2048}, 2048 / 960), ({"height": 1280}, 2)])
def test_a_picture_is_enlarged_to_a_side(side: dict[str, int], ratio: float) -> None:
    request = UpscaleImage.model_validate({"image": "img_a", **side})
    assert request.choose_by_sizes({"image": (960, 640)})["ratio"] == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (960, "width: the picture has 960 pixels already; transform_image makes it smaller"),
        (3000, "width: at most 2880 at once, 3 times what it has; upscale the result again"),
    ],
)
def test_a_side_out_of_reach_is_refused_with_what_is_in_reach(width: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UpscaleImage.model_validate({"image": "img_a", "width": width}).choose_by_sizes({"image": (960, 640)})


def test_how_far_a_picture_is_enlarged_is_said_once() -> None:
    with pytest.raises(ValidationError, match="ratio and width say the same"):
        UpscaleImage.model_validate({"image": "img_a", "width": 2048, "ratio": 2})
