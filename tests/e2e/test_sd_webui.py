"""A WebUI of the user's own behind an MCP client: what is said, what is waited for, and what is never lost."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.commands import run_atelier
from tests.support.emulator_harness import BOUND_S, encode_plain_image
from tests.support.server_process import spawn_server
from tests.support.tool_results import get_refusal, get_structured, get_text, read_access_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

TXT2IMG = "/sdapi/v1/txt2img"


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """A WebUI and nothing else."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "SD_WEBUI_URL": f"{site.emulator.base_url}/sd_webui",
    }


def count_submits(tmp_path: Path) -> int:
    """How often a picture was asked for."""
    return [entry["path"] for entry in read_access_log(tmp_path / "access.jsonl")].count(TXT2IMG)


async def draw_for_somebody_else(site: EmulatorHarness, engine: FakeEngine) -> asyncio.Task[Any]:
    """A job of another client at work in the WebUI, which the engine holds up."""
    count = len(engine.calls)
    task = asyncio.ensure_future(site.client.post(f"/sd_webui{TXT2IMG}", json={"prompt": "somebody else's"}))
    async with asyncio.timeout(BOUND_S):
        while len(engine.calls) == count:
            await asyncio.sleep(0.01)
    return task


def find_free_port() -> int:
    """A port of this machine on which nothing listens yet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


async def wait_for_engine(engine: FakeEngine, count: int) -> None:
    """Until the engine was asked so often."""
    async with asyncio.timeout(BOUND_S):
        while len(engine.calls) < count:
            await asyncio.sleep(0.01)


async def test_a_picture_is_drawn_and_said_to_be_free(call: Call) -> None:
    result = await call("generate_image", prompt="a red kite", samples=2, seed=7)
    facts = get_structured(result)
    assert (facts["state"], [image["seed"] for image in facts["images"]]) == ("succeeded", [7, 8])
    assert "AUTOMATIC1111 at 127.0.0.1" in get_text(result)
    assert "sd_webui is free: it counts against no budget." in get_text(result)


async def test_tools_that_only_it_serves_say_nothing_of_money(client: Client) -> None:
    tools = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
    assert set(tools) >= {"generate_image", "inpaint_image", "outpaint_image", "upscale_image", "describe_image"}
    assert not [name for name, description in tools.items() if "money" in description]


async def test_a_silent_replacement_is_told(call: Call, site: EmulatorHarness) -> None:
    """As when the file goes away between the list and the call: another checkpoint draws, and the answer says 200."""
    drawn = base64.b64encode(encode_plain_image()).decode()
    body = {"images": [drawn], "info": json.dumps({"sd_model_name": "v1-5-pruned-emaonly"})}
    await site.call_control("POST", "/faults", {"kind": "status", "path": TXT2IMG, "status": 200, "body": body})
    text = get_text(await call("generate_image", prompt="a red kite", model="dreamlike-anime"))
    assert "drew with the checkpoint v1-5-pruned-emaonly instead of dreamlike-anime." in text


async def test_what_is_not_there_is_named_with_what_is(call: Call) -> None:
    refusal = get_refusal(await call("generate_image", prompt="a kite", model="nobody"))
    assert refusal.startswith("model: the WebUI has no checkpoint 'nobody'; there is v1-5-pruned-emaonly, ")


async def test_progress_is_told_while_it_draws(client: Client, site: EmulatorHarness) -> None:
    heard: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress / (total or 1), message))

    await site.call_control("PATCH", "/settings", {"task_seconds": 3})
    await client.call_tool("generate_image", {"prompt": "a kite"}, progress_callback=note)
    assert [message for _, message in heard if message and "drawing" in message]


async def test_one_call_is_in_flight_and_the_next_can_be_cancelled(
    call: Call, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    first = get_structured(await call("generate_image", prompt="a red kite", wait_s=0))
    await wait_for_engine(engine, 1)
    second = get_structured(await call("generate_image", prompt="a blue kite", wait_s=0))
    waiting = get_structured(await call("wait_for_jobs", job_ids=[second["job_id"]], wait_s=0))["jobs"][0]
    assert "waits for its turn" in " ".join(waiting["notes"])
    (cancelled,) = get_structured(await call("cancel_jobs", job_ids=[second["job_id"]]))["jobs"]
    assert cancelled["state"] == "cancelled"
    engine.answer_gate.set()
    (drawn,) = get_structured(await call("wait_for_jobs", job_ids=[first["job_id"]]))["jobs"]
    assert drawn["state"] == "succeeded"
    assert count_submits(tmp_path) == 1


async def test_the_job_at_work_is_interrupted(call: Call, site: EmulatorHarness, tmp_path: Path) -> None:
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    started = get_structured(await call("generate_image", prompt="a red kite", wait_s=1))
    (job,) = get_structured(await call("cancel_jobs", job_ids=[started["job_id"]]))["jobs"]
    assert job["state"] == "cancelled"
    paths = [entry["path"] for entry in read_access_log(tmp_path / "access.jsonl")]
    assert "/sdapi/v1/interrupt" in paths


async def test_somebody_elses_job_is_not_interrupted(
    call: Call, site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    """Ours waits behind it in the WebUI, where nothing can take it back."""
    get_structured(await call("list_models"))
    engine.answer_gate.clear()
    other = await draw_for_somebody_else(site, engine)
    started = get_structured(await call("generate_image", prompt="a red kite", wait_s=0))
    async with asyncio.timeout(BOUND_S):
        while (await site.client.get("/sd_webui/internal/pending-tasks")).json()["size"] == 0:
            await asyncio.sleep(0.01)
    await call("cancel_jobs", job_ids=[started["job_id"]])
    paths = [entry["path"] for entry in read_access_log(tmp_path / "access.jsonl")]
    assert "/sdapi/v1/interrupt" not in paths
    engine.answer_gate.set()
    assert (await other).status_code == 200


async def test_a_lost_answer_is_asked_about_and_never_sent_again(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    """The pictures were drawn and cannot be fetched; that costs time and no money."""
    await site.call_control("POST", "/faults", {"kind": "lost", "path": TXT2IMG})
    result = await call("generate_image", prompt="a red kite", wait_s=20)
    text = get_text(result)
    assert "has drawn it, after the connection to it had broken" in text
    assert "it costs time, no money" in text
    assert count_submits(tmp_path) == 1


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        ({"kind": "status", "status": 502, "body": "a proxy's words"}, "unconfirmed", "asking again is free"),
        ({"kind": "failed", "reason": "OutOfMemoryError"}, "failed", "too little memory"),
    ],
    ids=str,
)
async def test_a_failure_at_work_is_told_and_nothing_is_sent_twice(
    call: Call, site: EmulatorHarness, tmp_path: Path, fault: dict[str, Any], state: str, words: str
) -> None:
    await site.call_control("POST", "/faults", {**fault, "path": TXT2IMG})
    text = get_text(await call("generate_image", prompt="a red kite", wait_s=20))
    assert words in text
    (job,) = get_structured(await call("list_jobs"))["jobs"]
    assert job["state"] == state
    assert count_submits(tmp_path) == 1


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("comes_to", ["drawn", "unknown"])
async def test_a_job_whose_server_was_killed_while_sending_is_asked_about(
    environ: dict[str, str], site: EmulatorHarness, engine: FakeEngine, tmp_path: Path, comes_to: str
) -> None:
    """Never a second submit; the WebUI is asked by the task id that was written down before the first."""
    engine.answer_gate.clear()
    pid_file, job_id = tmp_path / "pid", ""
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            started = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 0}))
            job_id = started["job_id"]
            await wait_for_engine(engine, 1)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id, "the server was killed on purpose, but only after it had answered"
    if comes_to == "unknown":
        await site.call_control("POST", "/faults", {"kind": "status", "path": "/internal/progress", "status": 404,
                                                    "body": {"detail": "Not Found"}, "times": 99})  # fmt: skip
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        (job,) = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id]}))["jobs"]
    assert job["state"] == ("failed" if comes_to == "drawn" else "unconfirmed")
    assert "no money" in " ".join(job["notes"]) if comes_to == "drawn" else "asking again is free" in str(job["notes"])
    assert count_submits(tmp_path) == 1


async def test_the_doctor_says_what_it_is_and_what_it_serves(environ: dict[str, str], site: EmulatorHarness) -> None:
    """Of a server without an extension, the tool that needs it is left out."""
    await site.call_control("PATCH", "/settings", {"sd_webui": {"variant": "forge", "has_reactor": False}})
    code, out, _ = await run_atelier("doctor", "--json", environ=environ)
    assert code == 0
    findings = json.loads(out)
    (words,) = [finding["words"] for finding in findings if finding["what"].startswith("account sd_webui:")]
    assert words.startswith("answers, Forge, 4 checkpoints, 3 LoRAs, 10 samplers, 8 upscalers, loaded v1-5-pruned")
    assert "extensions ControlNet, rembg" in words
    assert "8.0 of 12.0 GiB free on its card" in words
    served = (
        "cut_out_subject, describe_image, generate_image, inpaint_image, list_models, outpaint_image, upscale_image"
    )
    assert words.endswith(f"; serves {served}")


async def test_the_doctor_names_the_setting_where_nothing_answers(
    environ: dict[str, str],
) -> None:
    environ["SD_WEBUI_URL"] = f"http://127.0.0.1:{find_free_port()}"
    code, out, _ = await run_atelier("doctor", "--json", environ=environ)
    assert code == 1
    findings = json.loads(out)
    (finding,) = [finding for finding in findings if finding["what"].startswith("account sd_webui:")]
    assert (finding["good"], "SD_WEBUI_URL" in finding["words"]) == (False, True)


async def test_what_was_drawn_is_edited_on(call: Call, tmp_path: Path) -> None:
    """Every other capability, with a picture of its own; results have exactly the size that was asked for."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(321, 257))
    box = [{"type": "box", "points": [10, 10, 100, 100]}]
    for name, fields, size in (
        ("inpaint_image", {"prompt": "a boat", "shapes": box}, (321, 257)),
        ("outpaint_image", {"right": 101}, (422, 257)),
        ("upscale_image", {"ratio": 1.5}, (482, 386)),
        ("cut_out_subject", {}, (321, 257)),
        ("swap_faces", {"faces": [{"image": str(path)}]}, (321, 257)),
    ):
        image = get_structured(await call(name, image=str(path), **fields))["images"][0]
        assert (image["width"], image["height"]) == size, name
    described = await call("describe_image", image=str(path))
    assert "Teal all over." in get_text(described)


async def test_a_question_goes_to_the_server_that_answers_any(call: Call, client: Client, tmp_path: Path) -> None:
    """Which of the family is there is known only when it is asked."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(64, 64))
    (tool,) = (tool for tool in (await client.list_tools()).tools if tool.name == "describe_image")
    assert "question" in tool.input_schema["properties"]
    refusal = get_refusal(await call("describe_image", image=str(path), question="What colour is it?"))
    assert "AUTOMATIC1111 describes a picture and answers no question about it; SD.Next does." in refusal
    assert "did you mean question?" in get_refusal(await call("describe_image", image=str(path), prompt="Why?"))


async def test_sd_next_is_asked_in_the_words_of_the_caller(
    new_client: NewClient, site: EmulatorHarness, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(64, 64))
    await site.call_control("PATCH", "/settings", {"sd_webui": {"variant": "sdnext"}})
    async with new_client() as client:
        arguments = {"image": str(path), "question": "What colour is it?"}
        answer = get_text(await client.call_tool("describe_image", arguments))
    assert "This stand-in answers no questions about pictures; what it sees: " in answer
    assert "Teal all over." in answer
    log = read_access_log(tmp_path / "access.jsonl")
    (body,) = (entry["body"] for entry in log if entry["path"] == "/sdapi/v1/vqa")
    assert (body["question"], body["prompt"]) == ("What colour is it?", "What colour is it?")
