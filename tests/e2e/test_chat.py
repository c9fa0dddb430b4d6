"""Conversations in words and pictures, as an agent holds them."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_EMAIL, DEMO_PASSWORD
from atelier_mcp.server.emulator.faults import InjectedFault
from atelier_mcp.server.settings import load_settings
from tests.support.emulator_harness import read_image_size
from tests.support.tool_results import (
    decode_previews,
    get_refusal,
    get_structured,
    get_text,
    read_access_log,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Environ = dict[str, str]

CHAT_WITH_IMAGE_PATH = "/v1/fusion/chat-with-image"


def build_user_messages(*texts: str) -> list[dict[str, str]]:
    """A conversation in which only the user speaks."""
    return [{"role": "user", "content": words} for words in texts]


@pytest.fixture
def new_chat_client(site: EmulatorHarness, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Client]]:
    """Starts a server for conversations and connects to it; keyword arguments are more settings."""
    base = site.emulator.base_url
    environ = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "chat,jobs",
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SENSENOVA_FUSION_URL": f"{base}/sensenova",
        "SENSENOVA_CHAT_URL": f"{base}/sensenova",
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "MIAOHUA_BASE_URL": f"{base}/miaohua/api/v1b",
    }

    @asynccontextmanager
    async def connect(**more: str) -> AsyncGenerator[Client]:
        settings = load_settings({name: value for name, value in {**environ, **more}.items() if value})
        async with Client(create_server(settings)) as client:
            yield client

    return connect


async def test_words_come_back_as_words(new_chat_client: Any) -> None:
    async with new_chat_client() as client:
        result = await client.call_tool("chat_with_image", {"messages": build_user_messages("who are you?")})
    content = get_structured(result)
    assert content["data"]["text"].startswith("I am the built-in stand-in")
    assert content["data"]["would_draw"] is False
    assert content["data"]["finish_reason"] == "stop"
    assert content["images"] == []
    assert content["data"]["text"] in get_text(result)


@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        (["draw a lighthouse"], "a lighthouse"),
        (["画一座灯塔", "换成晚上"], "晚上，一座灯塔"),
    ],
)
async def test_a_drawing_is_stored_and_shown_like_any_picture(
    new_chat_client: Any, engine: FakeEngine, said: list[str], prompt: str
) -> None:
    async with new_chat_client() as client:
        result = await client.call_tool(
            "chat_with_image", {"messages": build_user_messages(*said), "width": 640, "height": 704}
        )
    (image,) = get_structured(result)["images"]
    assert engine.get_last_arguments("generate").items() >= {"prompt": prompt, "width": 640, "height": 704}.items()
    assert read_image_size(Path(image["path"]).read_bytes()) == (image["width"], image["height"])
    assert len(decode_previews(result)) == 1
    assert get_structured(result)["data"]["would_draw"] is True


async def test_draw_false_only_tells_whether_it_would(new_chat_client: Any, engine: FakeEngine) -> None:
    async with new_chat_client() as client:
        would = await client.call_tool(
            "chat_with_image", {"messages": build_user_messages("draw a boat"), "draw": False}
        )
        would_not = await client.call_tool("chat_with_image", {"messages": build_user_messages("hello"), "draw": False})
    assert get_structured(would)["data"]["would_draw"] is True
    assert "It would draw a picture" in get_text(would)
    assert "*&^" not in get_text(would)
    assert get_structured(would_not)["data"]["would_draw"] is False
    assert engine.calls == []


async def test_plain_completions_take_every_tuning(new_chat_client: Any, site: EmulatorHarness, tmp_path: Path) -> None:
    tuning = {"temperature": 0, "top_p": 0.5, "max_tokens": 3, "repetition_penalty": 1.2}
    async with new_chat_client() as client:
        result = await client.call_tool("chat", {"messages": build_user_messages("who are you?"), **tuning})
    assert get_structured(result)["data"]["text"] == "I am the"
    (sent,) = [entry["body"] for entry in read_access_log(tmp_path / "access.jsonl")]
    expected = {"temperature": 0.01, "top_p": 0.5, "max_new_tokens": 3, "repetition_penalty": 1.2, "stream": True}
    assert sent.items() >= expected.items()
    assert sent["user"] == sent["user_id"]


async def test_one_login_serves_every_drawing(new_chat_client: Any, tmp_path: Path) -> None:
    async with new_chat_client() as client:
        calls = [
            client.call_tool("chat_with_image", {"messages": build_user_messages(f"draw {n} boats")}) for n in (2, 3, 4)
        ]
        for result in await asyncio.gather(*calls):
            get_structured(result)
    paths = [entry["path"] for entry in read_access_log(tmp_path / "access.jsonl")]
    assert len([path for path in paths if path.endswith("/get_token")]) == 1
    assert paths.count(CHAT_WITH_IMAGE_PATH) == 3


async def test_a_token_that_expired_is_renewed_without_a_word(new_chat_client: Any, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"miaohua": {"token_seconds": 60}})
    async with new_chat_client() as client:
        for _ in range(2):
            result = await client.call_tool(
                "chat_with_image", {"messages": build_user_messages("draw a boat"), "seed": 5}
            )
            assert len(get_structured(result)["images"]) == 1
            await site.call_control("POST", "/clock", {"advance_s": 61})


async def test_a_token_of_its_own_needs_no_login(new_chat_client: Any, site: EmulatorHarness, tmp_path: Path) -> None:
    login = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    login_response = (await site.client.post("/miaohua/api/v1b/get_token", json=login)).json()
    async with new_chat_client(
        SENSENOVA_MIAOHUA_TOKEN=(login_response.get("info") or login_response)["token"],
        MIAOHUA_EMAIL="",
        MIAOHUA_PASSWORD="",
    ) as client:
        result = await client.call_tool("chat_with_image", {"messages": build_user_messages("draw a boat")})
    assert len(get_structured(result)["images"]) == 1


async def test_without_a_token_the_settings_are_named_and_nothing_is_sent(new_chat_client: Any, tmp_path: Path) -> None:
    async with new_chat_client(MIAOHUA_EMAIL="", MIAOHUA_PASSWORD="") as client:
        words = get_refusal(await client.call_tool("chat_with_image", {"messages": build_user_messages("hello")}))
        assert "SENSENOVA_MIAOHUA_TOKEN" in words
        assert "MIAOHUA_EMAIL" in words
        get_structured(await client.call_tool("chat", {"messages": build_user_messages("hello")}))
    assert [entry["path"] for entry in read_access_log(tmp_path / "access.jsonl")] == ["/nlp/v1/chat/completions"]


async def test_a_stream_cut_inside_a_character_is_told_as_far_as_it_came(
    new_chat_client: Any, site: EmulatorHarness, tmp_path: Path
) -> None:
    """Money may be gone; the words that came are not. The job says so afterwards too, and nothing is sent again."""
    site.emulator.state.faults.add(InjectedFault("cut", path="/nlp/v1/chat/completions", inside_character=True))
    async with new_chat_client() as client:
        words = get_refusal(await client.call_tool("chat", {"messages": build_user_messages("你好")}))
        assert 'SenseNova had said: "我是内置的替身，不是语言模型' in words
        assert "\ufffd" not in words
        assert "It may have been charged" in words
        jobs = get_structured(await client.call_tool("list_jobs", {}))["jobs"]
    assert [job["state"] for job in jobs] == ["unconfirmed"]
    assert len(read_access_log(tmp_path / "access.jsonl")) == 1


@pytest.mark.parametrize(
    ("message", "more", "words"),
    [
        ("draw a zorgblat", {}, "sensitive words"),
        ("draw a boat", {"model": "Artist_V0.3.0 Beta"}, "does not draw with Artist_V0.3.0 Beta"),
    ],
)
async def test_a_refusal_that_looks_like_success_is_a_refusal(
    new_chat_client: Any, message: str, more: dict[str, str], words: str
) -> None:
    async with new_chat_client() as client:
        result = await client.call_tool("chat_with_image", {"messages": build_user_messages(message), **more})
    assert words in get_refusal(result)
    assert "Nothing was spent." in get_refusal(result)


@pytest.mark.parametrize(
    ("fault", "message", "words"),
    [
        (None, "what is a zorgblat?", "breaks its rules"),
        ({"kind": "failed"}, "hello", "internal error"),
        ({"kind": "failed", "reason": "Timeout"}, "hello", "ran out of time"),
    ],
    ids=["content", "internal error", "time-out"],
)
async def test_an_answer_that_fails_under_a_code_of_success_is_told_as_a_failure(
    new_chat_client: Any, site: EmulatorHarness, fault: dict[str, str] | None, message: str, words: str
) -> None:
    """Not as an answer of no words; whether a failure was charged stays open, a refusal was not."""
    if fault is not None:
        await site.call_control("POST", "/faults", fault)
    async with new_chat_client() as client:
        told = get_refusal(await client.call_tool("chat", {"messages": build_user_messages(message)}))
    assert words in told
    assert ("may have been charged" in told) == (fault is not None)


async def test_talking_leaves_the_budget_for_pictures_alone(new_chat_client: Any) -> None:
    async with new_chat_client(ATELIER_BUDGET_PER_DAY="1") as client:
        for _ in range(3):
            get_structured(await client.call_tool("chat_with_image", {"messages": build_user_messages("hello")}))
        get_structured(await client.call_tool("chat_with_image", {"messages": build_user_messages("draw a boat")}))
        spent = get_refusal(
            await client.call_tool("chat_with_image", {"messages": build_user_messages("draw a house")})
        )
        get_structured(
            await client.call_tool("chat_with_image", {"messages": build_user_messages("draw a house"), "draw": False})
        )
    assert "1 picture a day" in spent


async def test_the_text_grows_in_progress_messages(new_chat_client: Any, site: EmulatorHarness) -> None:
    """A reader sees the words while they come."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 2.5})
    messages: list[str] = []

    async def record_progress(_: float, __: float | None, message: str | None) -> None:
        messages.append(message or "")

    async with new_chat_client() as client:
        result = await client.call_tool(
            "chat", {"messages": build_user_messages("who are you?")}, progress_callback=record_progress
        )
    reply = get_structured(result)["data"]["text"]
    partial_texts = [message.rpartition(",")[0].lstrip("…") for message in messages]
    assert partial_texts
    assert all(words in reply for words in partial_texts)


async def run_atelier(*arguments: str, environ: Environ) -> tuple[int, str]:
    """Run a command; its exit code and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "atelier_mcp.server",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **environ, "COLUMNS": "200"},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_the_doctor_asks_no_question_that_costs_and_says_what_pictures_need(
    environ: Environ, site: EmulatorHarness
) -> None:
    sensenova_environ = {
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SENSENOVA_FUSION_URL": f"{site.emulator.base_url}/sensenova",
        "SENSENOVA_CHAT_URL": f"{site.emulator.base_url}/sensenova",
    }
    code, out = await run_atelier("doctor", environ={**environ, **sensenova_environ})
    assert code == 1
    assert "SENSENOVA_MIAOHUA_TOKEN" in out
    code, out = await run_atelier(
        "doctor", environ={**environ, **sensenova_environ, "SENSENOVA_MIAOHUA_TOKEN": "a token"}
    )
    assert code == 0
    assert "every answer costs; serves chat, chat_with_image" in out
    assert DEMO_API_KEY not in out


async def test_an_answer_that_takes_longer_than_the_call_is_found_later(
    new_chat_client: Any, site: EmulatorHarness
) -> None:
    """It streams on into the ledger, whoever waits for it."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 0.5})
    async with new_chat_client() as client:
        started = get_structured(
            await client.call_tool("chat", {"messages": build_user_messages("who are you?"), "wait_s": 0})
        )
        assert started["state"] == "submitting"
        found = await client.call_tool("wait_for_jobs", {"job_ids": [started["job_id"]]})
    (job,) = get_structured(found)["jobs"]
    assert job["state"] == "succeeded"
    assert job["data"]["text"].endswith("repeat what you said.")


async def test_an_answer_that_comes_while_it_is_given_up_is_kept(new_chat_client: Any, site: EmulatorHarness) -> None:
    """It was paid for: giving up says how the job ended, and asking again starts another."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 0.5})
    async with new_chat_client() as client:
        started = get_structured(
            await client.call_tool("chat", {"messages": build_user_messages("who are you?"), "wait_s": 0})
        )
        (ended,) = get_structured(await client.call_tool("cancel_jobs", {"job_ids": [started["job_id"]]}))["jobs"]
        again = get_structured(await client.call_tool("chat", {"messages": build_user_messages("who are you?")}))
        jobs = get_structured(await client.call_tool("list_jobs", {}))["jobs"]
    assert ended["state"] == "succeeded"
    assert {job["job_id"]: job["state"] for job in jobs} == {
        started["job_id"]: "succeeded",
        again["job_id"]: "succeeded",
    }
