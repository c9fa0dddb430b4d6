"""SenseNova's emulator takes the requests of the golden pairs and answers with their very bytes.

Only what is made up anew each time is set to the pair's value first: the answer's id and a picture's link. The pairs
have the words under the printed name alone; that both names are there by default is seen in ``test_public_clients``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.sensenova_client import fetch_miaohua_token, post_to_sensenova
from tests.support.wire_pairs import format_name, load_pairs

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

PAIRS = load_pairs("sensenova", side="emulator")
ANSWER_ID = "53c96a73178f000"
LINK = "https://oss.example.com/picture.png"
TOKEN = "MH-TOKEN"


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_answers_with_these_bytes(pair: dict[str, Any], site: EmulatorHarness) -> None:
    request, golden = pair["request"], pair["answer"]
    body = json.loads(json.dumps(request["body"]).replace(TOKEN, await fetch_miaohua_token(site)))
    key = "unknown" if golden["status"] == 401 else DEMO_API_KEY
    await site.call_control("PATCH", "/settings", {"sensenova": {"text_keys": "content"}})
    response = await post_to_sensenova(site, request["path"], body, key=key)
    assert response.status_code == golden["status"]
    assert response.headers["content-type"] == golden["headers"]["content-type"]
    expected = golden["stream"] if "stream" in golden else json.dumps(golden["body"], ensure_ascii=False)
    assert normalize_ids(response.content, site) == expected.encode()


def normalize_ids(body: bytes, site: EmulatorHarness) -> bytes:
    """The bytes with the id and the link of the pairs."""
    ids = set(re.findall(rb'"id": "([0-9a-f]{15})"', body))
    assert len(ids) <= 1, "the id stays the same over the chunks of a stream"
    for answer_id in ids:
        body = body.replace(answer_id, ANSWER_ID.encode())
    return re.sub(re.escape(site.emulator.base_url).encode() + rb'/files/[^"]+', LINK.encode(), body)
