"""Everything MHAPI takes is sent through an MCP client: each call and parameter of its contract, but those below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.emulator_harness import get_non_loopback_mhapi_url
from tests.support.mhapi_cases import (
    BOUND_S,
    CASES,
    MODEL_KINDS,
    TWO_FACES,
    fill_placeholders,
    wait_for_bodies,
    write_case_files,
)
from tests.support.tool_results import get_structured, get_text, read_access_log
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

FIRST_CASE_OF_EACH_SERVICE = (
    "generate", "erase", "outpaint by a ratio", "stylize", "inpaint", "upscale", "cut out without marks", "train"
)  # fmt: skip
NEVER_SENT = {
    "outpaint.imgen/type": "a second name of align_position, which is sent",
    "split.imgen/hd_ratio": "seems to be copied from super resolution: the result's size follows the source",
}
SERVICES = ("imgenstd", "erase", "outpaint", "stylization", "inpaint", "sup_res", "split", "lora")


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """With the toolsets that are not offered by default."""
    return {**environ, "ATELIER_TOOLSETS": "all"}


@pytest.mark.wire_coverage
async def test_every_call_and_parameter_of_mhapi_is_sent(
    call: Call, new_client: NewClient, site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    """One drive through everything: each result alone, and many at once while they are under way."""
    engine.faces = TWO_FACES
    files, log = write_case_files(tmp_path), tmp_path / "access.jsonl"
    for kind in (*MODEL_KINDS, "trained_lora"):
        get_structured(await call("list_models", kind=kind, base="artist_v0.4.0" if kind == "controlnet" else None))
    calls_by_name = {case.name: (case.tool, fill_placeholders(case.arguments, files)) for case in CASES}
    first_calls = [calls_by_name[name] for name in FIRST_CASE_OF_EACH_SERVICE]
    await _call_concurrently(call, first_calls)
    await _call_concurrently(
        call, [calls_by_name[name] for name in calls_by_name if name not in FIRST_CASE_OF_EACH_SERVICE]
    )
    async with new_client(MHAPI_BASE_URL=get_non_loopback_mhapi_url(site)) as client:
        for direct in (False, True):
            arguments_with_style = {"image": files["PHOTO"], "style": "style_ink", "direct": direct}
            get_structured(await client.call_tool("stylize_image", arguments_with_style))

    engine.answer_gate.clear()
    started = [
        await call(tool, **arguments, wait_s=0) for tool, arguments in [*first_calls, *map(_vary_call, first_calls)]
    ]
    async with anyio.create_task_group() as group:
        group.start_soon(_assert_succeeded, call, [get_structured(result)["job_id"] for result in started])
        await _wait_for_batch_polls(log)
        engine.answer_gate.set()

    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    waiting = get_structured(await call("train_lora", **{**calls_by_name["train"][1], "name": "Never", "wait_s": 2}))
    assert waiting["state"] == "queued"
    assert "mhapi stopped" in get_text(await call("cancel_jobs", job_ids=[waiting["job_id"]]))
    await wait_for_bodies(log, "/v1/lora/cancel")
    check_coverage("mhapi", await read_whole_log(site, log), exceptions=NEVER_SENT)


def _vary_call(tool_call: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """A call like it that is no repetition."""
    tool, arguments = tool_call
    if tool == "train_lora":
        return tool, {**arguments, "name": "Another"}
    if tool == "cut_out_subject":
        return tool, {**arguments, "watermark": "logo"}
    return tool, {**arguments, "format": "png" if arguments["format"] == "jpg" else "jpg"}


async def _call_concurrently(call: Call, tool_calls: list[tuple[str, dict[str, Any]]]) -> None:
    async def call_one(tool: str, arguments: dict[str, Any]) -> None:
        assert get_structured(await call(tool, **arguments))["state"] == "succeeded"

    async with anyio.create_task_group() as group:
        for tool, arguments in tool_calls:
            group.start_soon(call_one, tool, arguments)


async def _assert_succeeded(call: Call, job_ids: list[str]) -> None:
    jobs = get_structured(await call("wait_for_jobs", job_ids=job_ids, wait_s=BOUND_S))["jobs"]
    assert {job["state"] for job in jobs} == {"succeeded"}


async def _wait_for_batch_polls(log: Path) -> None:
    with anyio.fail_after(BOUND_S):
        while {f"/v1/{service}/results" for service in SERVICES} - {entry["path"] for entry in read_access_log(log)}:
            await anyio.sleep(0.05)
