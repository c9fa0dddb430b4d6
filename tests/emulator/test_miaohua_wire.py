"""The emulated Miaohua takes the requests of the golden pairs and answers in their shape, told nothing but strictly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_PASSWORD
from atelier_mcp.server.emulator.miaohua.switches import MiaohuaSwitches
from tests.support.emulator_harness import EmulatorHarness, encode_plain_image
from tests.support.miaohua_member import MiaohuaMember
from tests.support.wire_pairs import DATASET_ID, SECOND_TASK_ID, TASK_ID, describe_shape, format_name, load_pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

PAIRS = load_pairs("miaohua", side="emulator")
BY_NAME = {format_name(pair): pair for pair in PAIRS}


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_takes_the_request_and_answers_in_its_shape(pair: dict[str, Any], new_site: NewSite) -> None:
    site = await new_site(switches=(MiaohuaSwitches(strict_names=True),))
    member = await MiaohuaMember(site).log_in()
    names = {"TOKEN": member.token, "EMAIL": DEMO_EMAIL, "PASSWORD": DEMO_PASSWORD}
    await _send_earlier_pairs(pair, member, names)
    document = await _send_pair(pair, member, names)
    assert describe_shape(document) == describe_shape(pair["answer"]["body"]), document


async def _send_earlier_pairs(pair: dict[str, Any], member: MiaohuaMember, names: dict[str, str]) -> None:
    """Send what the pair follows, and keep the ids that come of it."""
    if "after" not in pair:
        return
    earlier = BY_NAME[pair["after"]]
    await _send_earlier_pairs(earlier, member, names)
    for placeholder in (TASK_ID, SECOND_TASK_ID):
        if placeholder == TASK_ID or placeholder in json.dumps(pair["request"]):
            info = (await _send_pair(earlier, member, names))["info"]
            if "task_id" in info:
                names[placeholder] = info["task_id"]
                await member.emulator.finish_task(info["task_id"])
            if "dataset_id" in info:
                names[str(DATASET_ID)] = str(info["dataset_id"])


async def _send_pair(pair: dict[str, Any], member: MiaohuaMember, names: dict[str, str]) -> Any:
    """The answer to a pair's request with what exists in place of its placeholders."""
    text = json.dumps(pair["request"])
    for link, sides in pair.get("pictures", {}).items():
        if link not in names:
            colour = f"#{len(names):06x}"
            (names[link],) = await member.upload_images(
                encode_plain_image(sides["width"], sides["height"], colour=colour)
            )
    for placeholder, real in names.items():
        text = text.replace(placeholder, real)
    request = json.loads(text)
    if "form" in request:
        links = await member.upload_images(*(encode_plain_image() for _ in request["form"]), path=request["path"])
        return {"code": 0, "info": links, "msg": ""}
    body = {} if request["body"] is None else {"json": request["body"]}
    response = await member.request(request["method"], request["path"], params=request["query"], **body)
    assert response.status_code == pair["answer"]["status"], response.text
    return response.json()
