"""What goes wrong on order, and on nothing else."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.support.emulator_harness import read_error_code

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

IMGEN = "/v1/imgenstd/imgen"
REQUEST = {"model_id": "artist_v1.0", "prompt": "a cat", "samples": 3}


async def count_tasks(site: EmulatorHarness) -> int:
    return len(await asyncio.to_thread(site.emulator.state.store.list_tasks, "mhapi.imgenstd"))


async def add_fault(site: EmulatorHarness, **fields: Any) -> None:
    await site.call_control("POST", "/faults", {"method": "POST", "path": IMGEN, **fields})


async def run_task(site: EmulatorHarness) -> dict[str, Any]:
    task_id = await site.submit_task(IMGEN, **REQUEST)
    await site.finish_task(task_id)
    return (await site.get(f"/v1/imgenstd/result/{task_id}")).json()


async def test_a_status_is_answered_without_doing_anything(site: EmulatorHarness) -> None:
    await add_fault(site, kind="status", status=429, retry_after_s=7, times=2)
    await add_fault(site, kind="status", status=503)
    responses = [await site.post(IMGEN, **REQUEST) for _ in range(4)]
    assert [response.status_code for response in responses] == [429, 429, 503, 200]
    assert [read_error_code(response) for response in responses[:3]] == [8, 8, 14]
    assert responses[0].headers["retry-after"] == "7"
    assert await count_tasks(site) == 1


async def test_a_status_can_have_a_body_of_its_own(site: EmulatorHarness) -> None:
    body = {"error": {"code": 18, "message": "Sensitive Words"}}
    await add_fault(site, kind="status", status=400, body=body)
    response = await site.post(IMGEN, **REQUEST)
    assert (response.status_code, response.json()) == (400, body)


async def test_a_fault_is_for_the_requests_it_matches(site: EmulatorHarness) -> None:
    await site.call_control("POST", "/faults", [{"kind": "status", "status": 500, "path": "/v1/face/*"}])
    await site.call_control("POST", "/faults", {"kind": "status", "status": 502, "path": "/mhapi/v1/imgenstd/*"})
    assert (await site.get("/v1/erase/models")).status_code == 200
    assert (await site.get("/v1/imgenstd/models")).status_code == 502
    assert [entry["path"] for entry in await site.call_control("GET", "/faults")] == ["/v1/face/*"]
    assert await site.call_control("DELETE", "/faults") == []
    assert (await site.get("/v1/face/models")).status_code == 200


@pytest.mark.parametrize(("kind", "accepted"), [("lost", 1), ("cut", 1), ("refused", 0)])
async def test_a_connection_that_breaks_is_an_error_on_the_wire(
    site: EmulatorHarness, kind: str, accepted: int
) -> None:
    await add_fault(site, kind=kind)
    with pytest.raises(httpx2.RemoteProtocolError):
        await site.post(IMGEN, **REQUEST)
    assert await count_tasks(site) == accepted
    assert (await site.post(IMGEN, **REQUEST)).status_code == 200


async def test_broken_json_arrives_whole_and_does_not_parse(site: EmulatorHarness) -> None:
    await add_fault(site, kind="broken")
    response = await site.post(IMGEN, **REQUEST)
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()
    assert await count_tasks(site) == 1


async def test_a_slow_answer_comes_too_late_for_a_task_that_is_accepted(site: EmulatorHarness) -> None:
    await add_fault(site, kind="slow", delay_s=60)
    with pytest.raises(httpx2.ReadTimeout):
        await site.call_mhapi("POST", IMGEN, json=REQUEST, timeout=0.05)
    async with asyncio.timeout(5):
        while not await count_tasks(site):
            await asyncio.sleep(0)


async def test_a_task_can_fail(site: EmulatorHarness) -> None:
    await add_fault(site, kind="failed", reason="InternalError")
    result = await run_task(site)
    assert (result["state"], result["state_message"], result["images"]) == ("FAILED", "InternalError", [])
    assert (await run_task(site))["state"] == "SUCCESS"


async def test_pictures_can_be_sensitive_all_or_some(site: EmulatorHarness) -> None:
    await add_fault(site, kind="sensitive")
    await add_fault(site, kind="partial", indexes=[1], reason="EngineGenError")
    every, some = (await run_task(site))["images"], (await run_task(site))["images"]
    assert [(image["error_code"], image["raw"], image["small"]) for image in every] == [("Sensitive", "", "")] * 3
    assert [image["error_code"] for image in some] == ["", "EngineGenError", ""]
    assert [bool(image["raw"]) for image in some] == [True, False, True]


@pytest.mark.parametrize("document", [{"kind": "flood"}, {"kind": "slow", "seconds": 3}, {}])
async def test_an_unknown_fault_is_refused(site: EmulatorHarness, document: dict[str, Any]) -> None:
    response = await site.client.post("/_control/faults", json=document)
    assert response.status_code == 400
    assert "kind" in response.json()["error"] or "seconds" in response.json()["error"]
