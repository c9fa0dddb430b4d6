"""The emulator accepts the requests of the golden pairs and answers with the same names and kinds of values."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from emulated import Site, picture
from wire_pairs import SECOND_TASK_ID, SOURCE_BASE64, TASK_ID, name_of, pairs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    NewSite = Callable[..., Awaitable[Site]]

PAIRS = pairs("mhapi", binding="emulator")
BY_NAME = {name_of(pair): pair for pair in PAIRS}
SOURCE_SIDES = (960, 640)


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
async def test_the_emulator_takes_the_request_and_answers_in_its_shape(pair: dict[str, Any], new_site: NewSite) -> None:
    waits = pair["asked"]["do"] == "cancel"
    site = await new_site(task_seconds=1000 if waits else 0)
    names: dict[str, str] = {}
    if "after" in pair:
        for placeholder in (TASK_ID, SECOND_TASK_ID):
            if placeholder in json.dumps(pair["request"]) or placeholder == TASK_ID:
                names[placeholder] = (await sent(site, BY_NAME[pair["after"]], {})).json()["task_id"]
        for task_id in () if waits else names.values():
            await site.finished(task_id)
    answer = await sent(site, pair, names)
    assert answer.status_code == pair["answer"]["status"], answer.text
    assert shape(answer.json()) == shape(pair["answer"]["body"])


async def sent(site: Site, pair: Mapping[str, Any], names: Mapping[str, str]) -> Any:
    """The answer to a pair's request with ids, links and pictures that exist in place of its placeholders."""
    links = {
        link: await site.hosted(picture(sides["width"], sides["height"], colour=f"#{number:06x}"))
        for number, (link, sides) in enumerate(pair.get("pictures", {}).items())
    }
    source = base64.b64encode(picture(*SOURCE_SIDES)).decode()
    text = json.dumps(pair["request"])
    for placeholder, real in {**links, **names, SOURCE_BASE64: source}.items():
        text = text.replace(placeholder, real)
    request = json.loads(text)
    body = {} if request["body"] is None else {"json": request["body"]}
    return await site.call(request["method"], request["path"], params=request["query"], **body)


def shape(value: Any) -> Any:
    """A JSON document with kinds in place of its values; a list is told by its entries' distinct shapes."""
    match value:
        case dict():
            return {name: shape(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType] # JSON
        case list():
            distinct = {json.dumps(shape(item), sort_keys=True) for item in value}  # pyright: ignore[reportUnknownVariableType] # JSON
            return sorted(distinct)
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str() if value.startswith(("http://", "https://")):
            return "link"
        case str() if value.startswith("data:"):
            return "data URL"
        case str():
            return "text"
        case _:
            return value
