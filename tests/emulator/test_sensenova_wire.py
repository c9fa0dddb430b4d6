"""SenseNova's emulator takes the requests of the golden pairs and answers with their very bytes.

Only what is made up anew each time is set to the pair's value first: the answer's id and a picture's link.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from conversing import miaohua_token, talk
from wire_pairs import name_of, pairs

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY

if TYPE_CHECKING:
    from emulated import Site

PAIRS = pairs("sensenova", binding="emulator")
ANSWER_ID = "53c96a73178f000"
LINK = "https://oss.example.com/picture.png"
TOKEN = "MH-TOKEN"


@pytest.mark.parametrize("pair", PAIRS, ids=name_of)
async def test_the_emulator_answers_with_these_bytes(pair: dict[str, Any], site: Site) -> None:
    request, golden = pair["request"], pair["answer"]
    body = json.loads(json.dumps(request["body"]).replace(TOKEN, await miaohua_token(site)))
    key = "unknown" if golden["status"] == 401 else DEMO_API_KEY
    answer = await talk(site, request["path"], body, key=key)
    assert answer.status_code == golden["status"]
    assert answer.headers["content-type"] == golden["headers"]["content-type"]
    expected = golden["stream"] if "stream" in golden else json.dumps(golden["body"], ensure_ascii=False)
    assert settled(answer.content, site) == expected.encode()


def settled(body: bytes, site: Site) -> bytes:
    """The bytes with the id and the link of the pairs."""
    ids = set(re.findall(rb'"id": "([0-9a-f]{15})"', body))
    assert len(ids) <= 1, "the id stays the same over the chunks of a stream"
    for answer_id in ids:
        body = body.replace(answer_id, ANSWER_ID.encode())
    return re.sub(re.escape(site.emulator.base_url).encode() + rb'/files/[^"]+', LINK.encode(), body)
