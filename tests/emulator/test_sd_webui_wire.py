"""The emulated WebUI takes the requests of the golden pairs and answers in their shape."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.contract_pages import read_calls
from tests.support.emulator_harness import encode_plain_image
from tests.support.wire_pairs import SOURCE_BASE64, describe_shape, format_name, load_pairs

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

PAIRS = load_pairs("sd_webui", side="emulator")
SOURCE = base64.b64encode(encode_plain_image(8, 8)).decode()
WITHOUT_PAIR = {"controlnet.module_list", "controlnet.control_types", "controlnet.detect"}
"""Long tables of names; ``test_sd_webui`` and the provider's tests read them."""


def test_every_call_of_the_contract_has_a_pair() -> None:
    assert {pair["id"] for pair in PAIRS} == {call.id for call in read_calls("sd_webui")} - WITHOUT_PAIR


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_takes_the_request_and_answers_in_its_shape(
    pair: dict[str, Any], site: EmulatorHarness
) -> None:
    request, golden = pair["request"], pair["answer"]
    body = json.loads(json.dumps(request["body"]).replace(SOURCE_BASE64, SOURCE))
    response = await site.client.request(
        request["method"], f"/sd_webui{request['path']}", params=request["query"], json=body
    )
    assert response.status_code == golden["status"], response.text
    document = response.json()
    if isinstance(golden["body"], dict) and "images" in golden["body"] and "info" in golden["body"]:
        check_drawing(document, golden["body"])
    else:
        assert describe_shape(document) == describe_shape(golden["body"])


def check_drawing(document: dict[str, Any], golden: dict[str, Any]) -> None:
    """As many pictures, and an info in a string that says the same; the echo is the request's."""
    assert set(document) == {"images", "parameters", "info"}
    assert len(document["images"]) == len(golden["images"])
    info = json.loads(document["info"])
    assert {name: info[name] for name in golden["info"]} == golden["info"]
