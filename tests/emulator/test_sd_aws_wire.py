"""The emulator takes the requests of the golden pairs, told as one story each, and answers in their shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.emulator.sd_aws.switches import SdAwsSwitches
from tests.support.wire_pairs import WIRE_FOLDER, describe_shape, format_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.emulator_harness import EmulatorHarness

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

PART = b"x" * 10
"""What the ETag in the pairs is that of."""


@pytest.mark.parametrize("generation", ["2023", "2024"])
async def test_the_emulator_answers_each_request_of_the_story_in_its_shape(generation: Any, new_site: NewSite) -> None:
    """Ids and links of the pairs stand for those that the emulator gives on the way."""
    site = await new_site(task_seconds=1000, switches=(SdAwsSwitches(generation=generation),))
    headers = {"x-api-key": DEMO_API_KEY, **({"username": "api"} if generation == "2024" else {})}
    names: dict[str, str] = {}
    for pair in json.loads((WIRE_FOLDER / "sd_aws" / f"{generation}.json").read_text("utf-8")):
        if "emulator" not in pair["binds"]:
            continue
        request = json.loads(replace_names(json.dumps(pair["request"]), names))
        body = {} if request["body"] is None else {"json": request["body"]}
        path = f"/sd_aws/prod{request['path']}"
        response = await site.client.request(request["method"], path, params=request["query"], headers=headers, **body)
        assert response.status_code == pair["answer"]["status"], (format_name(pair), response.text)
        document = response.json() if response.content else None
        assert describe_shape(document) == describe_shape(pair["answer"]["body"]), format_name(pair)
        for placeholder, keys in pair.get("keep", {}).items():
            names[placeholder] = get_nested(document, keys)
            if names[placeholder].startswith("http"):
                assert (await site.client.put(names[placeholder], content=PART)).is_success
        for name in names.values():  # what takes time is over before the story goes on
            if not name.startswith("http"):
                await site.client.post(f"/_control/finish/{name}")


def replace_names(text: str, names: dict[str, str]) -> str:
    """The text with what the emulator gave in place of the placeholders."""
    for placeholder, real in names.items():
        text = text.replace(placeholder, real)
    return text


def get_nested(document: Any, keys: list[str | int]) -> str:
    """What lies under the keys, one below the other."""
    for key in keys:
        document = document[key]
    return document
