"""The emulator accepts the requests of the golden pairs and answers with the same names and kinds of values."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import EmulatorHarness, encode_plain_image
from tests.support.wire_pairs import SECOND_TASK_ID, SOURCE_BASE64, TASK_ID, describe_shape, format_name, load_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

PAIRS = load_pairs("mhapi", side="emulator")
BY_NAME = {format_name(pair): pair for pair in PAIRS}
SOURCE_SIDES = (960, 640)


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_takes_the_request_and_answers_in_its_shape(pair: dict[str, Any], new_site: NewSite) -> None:
    waits = pair["asked"]["do"] == "cancel"
    site = await new_site(task_seconds=1000 if waits else 0)
    names: dict[str, str] = {}
    if "after" in pair:
        for placeholder in (TASK_ID, SECOND_TASK_ID):
            if placeholder in json.dumps(pair["request"]) or placeholder == TASK_ID:
                names[placeholder] = (await send_pair(site, BY_NAME[pair["after"]], {})).json()["task_id"]
        for task_id in () if waits else names.values():
            await site.finish_task(task_id)
    response = await send_pair(site, pair, names)
    assert response.status_code == pair["answer"]["status"], response.text
    assert describe_shape(response.json()) == describe_shape(pair["answer"]["body"])


async def send_pair(site: EmulatorHarness, pair: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """The answer to a pair's request with ids, links and pictures that exist in place of its placeholders."""
    links = {
        link: await site.host_image(encode_plain_image(sides["width"], sides["height"], colour=f"#{number:06x}"))
        for number, (link, sides) in enumerate(pair.get("pictures", {}).items())
    }
    source = base64.b64encode(encode_plain_image(*SOURCE_SIDES)).decode()
    text = json.dumps(pair["request"])
    for placeholder, real in {**links, **names, SOURCE_BASE64: source}.items():
        text = text.replace(placeholder, real)
    request = json.loads(text)
    body = {} if request["body"] is None else {"json": request["body"]}
    return await site.call_mhapi(request["method"], request["path"], params=request["query"], **body)
