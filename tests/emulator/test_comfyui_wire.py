"""ComfyUI's emulator takes the requests of the golden pairs and answers in their shape."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import BOUND_S
from tests.support.wire_pairs import describe_shape, format_name, load_pairs

if TYPE_CHECKING:
    import httpx2

    from tests.support.emulator_harness import EmulatorHarness

PAIRS = load_pairs("comfyui", side="emulator")
PAIRS_BY_NAME = {format_name(pair): pair for pair in PAIRS}


async def send(site: EmulatorHarness, request: dict[str, Any]) -> httpx2.Response:
    return await site.client.request(
        request["method"], f"/comfyui{request['path']}", params=request["query"], json=request["body"]
    )


@pytest.mark.parametrize("pair", PAIRS, ids=format_name)
async def test_the_emulator_answers_in_this_shape(pair: dict[str, Any], site: EmulatorHarness) -> None:
    if "after" in pair:
        await send(site, PAIRS_BY_NAME[pair["after"]]["request"])
    async with asyncio.timeout(BOUND_S):
        # A job is in the history when it is done.
        while not (response := await send(site, pair["request"])).json():
            await asyncio.sleep(0.01)
    assert response.status_code == pair["answer"]["status"]
    assert describe_shape(response.json()) == describe_shape(pair["answer"]["body"])
