"""What a picture's file is like: the operator's choice, unless the caller said, or the request needs PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import CutOutSubject
from atelier_mcp.server.requests.understand import DescribeImage

if TYPE_CHECKING:
    from atelier_mcp.server.requests.base import Request

DEFAULTS = {"format": "png", "watermark": "logo"}
JPG_DEFAULTS = {"format": "jpg", "watermark": "logo"}
IMAGE = {"image": "img_aaaaaaaaaaaaaaaa"}


@pytest.mark.parametrize(
    ("model", "arguments", "defaults", "expected"),
    [
        (GenerateImage, {"prompt": "x"}, DEFAULTS, {"format": "png", "watermark": "logo"}),
        (GenerateImage, {"prompt": "x", "format": "jpg"}, DEFAULTS, {"format": "jpg", "watermark": "logo"}),
        (GenerateImage, {"prompt": "x", "watermark": "notice"}, DEFAULTS, {"format": "png", "watermark": "notice"}),
        (CutOutSubject, {**IMAGE, "mask": "m"}, JPG_DEFAULTS, {"watermark": "logo"}),
        (DescribeImage, IMAGE, DEFAULTS, {}),
    ],
)
def test_the_operator_decides_what_the_caller_left_open(
    model: type[Request], arguments: dict[str, Any], defaults: dict[str, str], expected: dict[str, str]
) -> None:
    request = model.model_validate(arguments).with_output_defaults(defaults)
    assert type(request) is model
    assert {name: value for name, value in request if name in DEFAULTS} == expected
