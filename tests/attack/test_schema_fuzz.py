"""Every tool with arguments of every wrong kind: each call is answered, and none with an incident."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.upstreams import collect_client_settings
from atelier_mcp.server.settings import load_settings
from tests.support.raw_session import RawSession, open_raw_session
from tests.support.schema_fuzzer import build_arguments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.attack_tally import AttackTally
    from tests.support.emulator_harness import EmulatorHarness

SEED = 20_261_127


async def test_no_call_breaks_a_tool_and_each_is_answered(
    site: EmulatorHarness, tmp_path: Path, tally: AttackTally, rounds: Callable[[int, int], int]
) -> None:
    """Over the lines of stdio, with all services and all tools. What breaks is named with the call that did it."""
    (tmp_path / "inputs").mkdir()
    environ = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_INPUT_ROOTS": str(tmp_path / "inputs"),
        "ATELIER_TOOLSETS": "all",
        **collect_client_settings(site.emulator.base_url),
    }
    rng = Random(SEED)
    async with open_raw_session(create_server(load_settings(environ))) as session:
        await session.initialize("2025-06-18")
        tools = (await session.request("tools/list"))["tools"]
        assert len(tools) > 30
        slowest, answered = (0.0, ""), Counter[str]()
        for number in range(rounds(1200, 30_000)):
            tool = rng.choice(tools)
            arguments = build_arguments(tool["inputSchema"], rng)
            if "wait_s" in tool["inputSchema"]["properties"] and rng.random() < 0.9:
                arguments["wait_s"] = 0
            # A wait that is allowed would be waited for.
            if isinstance(arguments.get("wait_s"), int | float) and 1 < arguments["wait_s"] <= 60:
                arguments["wait_s"] = 1
            began_s = time.monotonic()
            problem = await call(session, number, tool["name"], arguments)
            slowest = max(slowest, (time.monotonic() - began_s, tool["name"]))
            shown = json.dumps(arguments)[:300] if problem else ""
            tally.record(f"{number} {tool['name']} {shown}: {problem}", got_through=bool(problem))
            answered[tool["name"]] += 1
    tally.figures |= {"tools": str(len(answered)), "slowest call": f"{slowest[0]:.1f} s ({slowest[1]})"}
    assert len(answered) == len(tools), "each tool was tried"


async def call(session: RawSession, number: int, name: str, arguments: dict[str, Any]) -> str:
    """What is wrong with the answer to a call; nothing where it is one."""
    message = {"id": f"call-{number}", "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    session.send(message)
    try:
        # An answer that comes late is that of a call which was counted as unanswered.
        while (answer := await session.receive()).get("id") != message["id"]:
            if not str(answer.get("id")).startswith("call-"):
                return f"answered as {answer.get('id')}: {json.dumps(answer)[:300]}"
    except TimeoutError:
        return "unanswered"
    text = json.dumps(answer)
    if "inside Atelier" in text or "Traceback" in text or answer.get("error", {}).get("code") == -32603:
        return text[:600]
    return ""


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_jobs", {"offset": 2**63}),
        ("list_models", {"kind": "checkpoint", "offset": 2**63}),
        ("list_models", {"kind": "controlnet", "base": "x" * 70_000}),
        ("generate_image", {"prompt": "x", "loras": "[" * 100_000}),
        ("generate_image", {"prompt": "x", "image": "file://["}),
        ("make_mask", {"image": "img_aaaaaaaaaaaaaaaa", "shapes": "[" * 100_000}),
        ("wait_for_jobs", {"job_ids": "[" * 100_000}),
        ("aws_list_inference_jobs", {"job_id": "x" * 70_000}),
        ("aws_list_inference_jobs", {"job_id": "\u4e2d" * 30_000}),
        ("aws_list_inference_jobs", {"job_id": "../" * 30_000}),
        ("aws_list_datasets", {"name": "\u4e2d" * 70_000}),
        ("aws_disable_checkpoint", {"checkpoint_id": "x" * 70_000}),
        ("aws_add_checkpoint", {"kind": "Lora", "links": ["http://[/x.safetensors"], "wait_s": 0}),
        ("aws_add_checkpoint", {"kind": "Lora", "links": ["https://x:port/x.safetensors"], "wait_s": 0}),
        ("remove_dataset_images", {"dataset": 1, "images": ["http://[/x.png"]}),
        ("list_datasets", {"id": "x" * 70_000}),
        ("list_datasets", {"dataset": "x" * 70_000}),
        ("import_image", {"image": "http://[" + "x" * 70_000}),
        ("import_image", {"image": "https://example.org/" + "x" * 70_000}),
    ],
)
async def test_what_is_too_much_for_an_address_or_a_number_is_refused(
    tool: str, arguments: dict[str, Any], site: EmulatorHarness, tmp_path: Path
) -> None:
    environ = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        **collect_client_settings(site.emulator.base_url),
    }
    async with open_raw_session(create_server(load_settings(environ))) as session:
        await session.initialize("2025-06-18")
        assert not await call(session, 1, tool, arguments)


@pytest.mark.parametrize(
    "key", ["schl\u00fcssel-0123456789", "\u4e2d\u6587-0123456789", "key\nwith: lines", "key with\x7fcontrol"]
)
async def test_a_key_that_no_header_can_carry_is_named(key: str, site: EmulatorHarness, tmp_path: Path) -> None:
    """Typed with an odd keyboard, or copied with half a line too much: the setting is wrong, not the server."""
    settings = collect_client_settings(site.emulator.base_url)
    environ = {"ATELIER_HOME": str(tmp_path / "home"), "ATELIER_TOOLSETS": "all", **settings}
    for variable in [name for name in settings if name.endswith(("KEY", "TOKEN"))]:
        async with open_raw_session(create_server(load_settings({**environ, variable: key}))) as session:
            await session.initialize("2025-06-18")
            for number, (tool, arguments) in enumerate(PLAIN_CALLS):
                assert not await call(session, number, tool, arguments), variable


PLAIN_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("generate_image", {"prompt": "a kite", "provider": provider, "wait_s": 1})
    for provider in ("mhapi", "miaohua", "sd_aws", "sensenova")
] + [("chat", {"message": "hello"}), ("aws_test_connection", {})]


async def test_a_message_that_is_odd_is_answered(site: EmulatorHarness, tmp_path: Path, tally: AttackTally) -> None:
    """Ids of any kind, parameters that are none, and what is no message at all."""
    environ = {"ATELIER_HOME": str(tmp_path / "home"), **collect_client_settings(site.emulator.base_url)}
    ids: list[Any] = [1.5, True, -1, 2**70, "", "x" * 10_000, "\ud83d\ude00", [], {}, [1], {"a": 1}, 1e300, None]
    parameters: list[Any] = [[], [1], "x", 1, True, None, {"name": 1}, {"name": []}, {"arguments": []}, {"name": "x"}]
    methods: list[Any] = [1, None, [], "", "x" * 9999, "a/b"]
    async with open_raw_session(create_server(load_settings(environ))) as session:
        await session.initialize("2025-06-18")
        messages: list[Any] = [{"jsonrpc": "2.0", "id": one, "method": "tools/list"} for one in ids]
        messages += [
            {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": p} for n, p in enumerate(parameters, 5)
        ]
        messages += [{"jsonrpc": "2.0", "id": 90, "method": method} for method in methods]
        messages += [{"jsonrpc": "1.0", "id": 91, "method": "ping"}, {"id": 92, "method": "ping"}, [], "x", 1, None, {}]
        for message in messages:
            session.send(json.dumps(message))
            try:
                answered = bool(await session.receive())
            except TimeoutError:
                answered = False
            tally.record(json.dumps(message)[:100], got_through=not answered)
        for line in ("{", "nonsense", "[" * 100_000, '{"a":' * 9000, "\ufeff{}", "\x00"):
            session.send(line)
            async with asyncio.timeout(20):
                tally.record(line[:20], got_through=not await session.receive())
        assert (await session.request("tools/list"))["tools"], "it still works"
