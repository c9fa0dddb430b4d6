"""The images API's stand-in takes the requests of the golden pairs and answers in their shape."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image
from tests.support.wire_pairs import describe_shape, format_name, load_pairs

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

PAIRS = load_pairs("openai_images", side="emulator")
PNG = encode_plain_image(64, 48)


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_answers_in_this_shape(pair: dict[str, Any], site: EmulatorHarness) -> None:
    request, golden = pair["request"], pair["answer"]
    response = await site.client.request(
        request["method"],
        f"/openai{request['path']}",
        headers={"Authorization": f"Bearer {DEMO_API_KEY}"},
        **build_body(request),
    )
    assert response.status_code == golden["status"], response.text
    assert response.headers["content-type"] == golden["headers"]["content-type"]
    if "stream" in golden:
        assert read_shapes(response.text) == read_shapes(golden["stream"])
    else:
        assert describe_shape(response.json()) == describe_shape(golden["body"])


def build_body(request: dict[str, Any]) -> dict[str, Any]:
    if "form" in request:
        files = [
            (name, (f"{name}.png", draw_hole() if name == "mask" else PNG, "image/png")) for name in request["files"]
        ]
        return {"data": request["form"], "files": files}
    if "body" not in request:
        return {}
    image = base64.b64encode(PNG).decode()
    return {"json": json.loads(json.dumps(request["body"]).replace("PICTURE", image))}


def draw_hole() -> bytes:
    mask = Image.new("RGBA", (64, 48), "black")
    mask.paste((255, 255, 255, 0), (10, 10, 30, 30))
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def read_shapes(stream: str) -> list[tuple[str, Any]]:
    """The events of a stream, each with its name and its shape."""
    blocks = [block.split("\n") for block in stream.strip().split("\n\n")]
    return [(name, describe_shape(json.loads(data.removeprefix("data: ")))) for name, data in blocks]
