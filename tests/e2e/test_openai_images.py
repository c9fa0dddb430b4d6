"""An OpenAI-compatible endpoint through the tools: what is drawn, what is said, and what is never paid for twice."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image
from tests.support.server_process import spawn_server
from tests.support.tool_results import get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]

BOUND_S = 20.0


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "OPENAI_API_KEY": DEMO_API_KEY,
        "OPENAI_BASE_URL": f"{site.emulator.base_url}/openai/v1",
        "OPENAI_SERVER": "openai",
    }


async def list_drawings(site: EmulatorHarness) -> list[dict[str, Any]]:
    return (await site.call_control("GET", "/openai_images/drawings"))["drawings"]


async def test_a_picture_has_exactly_the_size_that_was_asked_for(call: Call, site: EmulatorHarness) -> None:
    result = await call("generate_image", prompt="a red kite", width=1000, height=563)
    (image,) = get_structured(result)["images"]
    assert (image["width"], image["height"]) == (1000, 563)
    with Image.open(image["path"]) as stored:
        assert stored.size == (1000, 563)
    (drawing,) = await list_drawings(site)
    assert drawing["client_request_id"] == get_structured(result)["job_id"]
    assert "It cost about 0.00833 USD, by the prices of 2026-11." in get_text(result)


async def test_a_call_goes_on_after_its_wait_and_the_picture_comes(
    call: Call, site: EmulatorHarness, engine: FakeEngine
) -> None:
    engine.answer_gate.clear()
    started = get_structured(await call("generate_image", prompt="a red kite", wait_s=1))
    assert started["state"] == "submitting"
    engine.answer_gate.set()
    (job,) = get_structured(await call("wait_for_jobs", job_ids=[started["job_id"]]))["jobs"]
    assert job["state"] == "succeeded"
    assert len(await list_drawings(site)) == 1


async def test_beyond_the_mask_nothing_changes_though_the_service_changes_all(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    await site.call_control("PATCH", "/settings", {"openai_images": {"disturbs_outside": True}})
    (tmp_path / "source.png").write_bytes(encode_plain_image(700, 500, colour="navy"))
    box = {"type": "box", "points": [200, 100, 500, 400]}
    result = await call("inpaint_image", prompt="a window", image=str(tmp_path / "source.png"), shapes=[box])
    (image,) = get_structured(result)["images"]
    with Image.open(image["path"]) as stored, Image.open(tmp_path / "source.png") as source:
        assert stored.size == source.size
        changed = ImageChops.difference(stored.convert("RGB"), source.convert("RGB")).getbbox()
    assert changed is not None
    left, top, right, bottom = changed
    assert left >= 200
    assert top >= 100
    assert right <= 500
    assert bottom <= 400


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "failed"}, "failed while it drew"),
        ({"kind": "sensitive"}, "keeps it back"),
        ({"kind": "status", "status": 200, "body": {"created": 1, "data": []}}, "sent no picture"),
        (
            {
                "kind": "status",
                "status": 400,
                "body": {"error": {"message": "limit", "code": "billing_hard_limit_reached"}},
            },
            "no money or quota",
        ),
    ],
    ids=["failed", "kept back", "empty", "no money"],
)
async def test_a_failure_is_told_once_and_nothing_is_repeated(
    call: Call, site: EmulatorHarness, fault: dict[str, Any], words: str
) -> None:
    await site.call_control("POST", "/faults", {**fault, "path": "/v1/images/*", "times": 1})
    text = get_text(await call("generate_image", prompt="a red kite", samples=2))
    assert words in text
    assert len(await list_drawings(site)) <= 1


async def test_a_limit_is_waited_for_and_the_picture_comes(call: Call, site: EmulatorHarness) -> None:
    await site.call_control(
        "POST", "/faults", {"kind": "status", "status": 429, "retry_after_s": 0.1, "path": "/v1/images/*"}
    )
    assert get_structured(await call("generate_image", prompt="a red kite"))["state"] == "succeeded"
    assert len(await list_drawings(site)) == 1


async def test_a_picture_one_can_see_through_is_one(call: Call, engine: FakeEngine) -> None:
    result = await call("generate_image", prompt="a kite", advanced={"background": "transparent"})
    (image,) = get_structured(result)["images"]
    assert image["path"].endswith(".png")
    assert engine.get_last_arguments("segment")


async def test_the_wish_of_another_service_is_refused_with_its_name(call: Call) -> None:
    text = get_text(await call("generate_image", prompt="a kite", advanced={"sampler_name": "DDIM"}))
    assert "sampler_name" in text


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_server_killed_between_submit_and_answer_never_pays_twice(
    environ: dict[str, str], site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    pid_file = tmp_path / "pid"
    job_id = ""
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            started = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 2}))
            job_id = started["job_id"]
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id, "the server was killed on purpose, but only after it had answered"
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id]}))["jobs"]
        await client.call_tool("generate_image", {"prompt": "another kite"})
    assert job["state"] == "unconfirmed"
    drawings = await list_drawings(site)
    assert [drawing["prompt"] for drawing in drawings] == ["a red kite", "another kite"]
