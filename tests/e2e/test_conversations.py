"""Conversations in words and pictures, as an agent holds them."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from answers import links, logged, previews, refusal, structured, text
from emulated import sides
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_EMAIL, DEMO_PASSWORD
from atelier_mcp.server.emulator.faults import Fault
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager

    from emulated import PaintBox, Site

    Environ = dict[str, str]

FUSION = "/v1/fusion/chat-with-image"


def user(*said: str) -> list[dict[str, str]]:
    """A conversation in which only the user speaks."""
    return [{"role": "user", "content": words} for words in said]


@pytest.fixture
def talker(site: Site, tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Client]]:
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


async def test_words_come_back_as_words(talker: Any) -> None:
    async with talker() as client:
        result = await client.call_tool("chat_with_image", {"messages": user("who are you?")})
    answer = structured(result)
    assert answer["data"]["text"].startswith("I am the built-in stand-in")
    assert answer["data"]["would_draw"] is False
    assert answer["data"]["finish_reason"] == "stop"
    assert answer["images"] == []
    assert answer["data"]["text"] in text(result)


@pytest.mark.parametrize(
    ("said", "prompt"),
    [
        (["draw a lighthouse"], "a lighthouse"),
        (["画一座灯塔", "换成晚上"], "晚上，一座灯塔"),
    ],
)
async def test_a_drawing_is_stored_and_shown_like_any_picture(
    talker: Any, engine: PaintBox, said: list[str], prompt: str
) -> None:
    async with talker() as client:
        result = await client.call_tool("chat_with_image", {"messages": user(*said), "width": 640, "height": 704})
    (image,) = structured(result)["images"]
    assert engine.last("generate").items() >= {"prompt": prompt, "width": 640, "height": 704}.items()
    assert sides(Path(image["path"]).read_bytes()) == (image["width"], image["height"])
    assert links(result) == [f"atelier://images/{image['handle']}"]
    assert len(previews(result)) == 1
    assert structured(result)["data"]["would_draw"] is True


async def test_draw_false_only_tells_whether_it_would(talker: Any, engine: PaintBox) -> None:
    async with talker() as client:
        would = await client.call_tool("chat_with_image", {"messages": user("draw a boat"), "draw": False})
        would_not = await client.call_tool("chat_with_image", {"messages": user("hello"), "draw": False})
    assert structured(would)["data"]["would_draw"] is True
    assert "It would draw a picture" in text(would)
    assert "*&^" not in text(would)
    assert structured(would_not)["data"]["would_draw"] is False
    assert engine.orders == []


async def test_plain_completions_take_every_tuning(talker: Any, site: Site, tmp_path: Path) -> None:
    tuning = {"temperature": 0, "top_p": 0.5, "max_tokens": 3, "repetition_penalty": 1.2}
    async with talker() as client:
        result = await client.call_tool("chat", {"messages": user("who are you?"), **tuning})
    assert structured(result)["data"]["text"] == "I am the"
    (sent,) = [entry["body"] for entry in logged(tmp_path / "access.jsonl")]
    expected = {"temperature": 0.01, "top_p": 0.5, "max_new_tokens": 3, "repetition_penalty": 1.2, "stream": True}
    assert sent.items() >= expected.items()
    assert sent["user"] == sent["user_id"]


async def test_one_login_serves_every_drawing(talker: Any, tmp_path: Path) -> None:
    async with talker() as client:
        talks = [client.call_tool("chat_with_image", {"messages": user(f"draw {n} boats")}) for n in (2, 3, 4)]
        for result in await asyncio.gather(*talks):
            structured(result)
    paths = [entry["path"] for entry in logged(tmp_path / "access.jsonl")]
    assert len([path for path in paths if path.endswith("/get_token")]) == 1
    assert paths.count(FUSION) == 3


async def test_a_token_that_expired_is_renewed_without_a_word(talker: Any, site: Site) -> None:
    await site.control("PATCH", "/settings", {"miaohua": {"token_seconds": 60}})
    async with talker() as client:
        for _ in range(2):
            result = await client.call_tool("chat_with_image", {"messages": user("draw a boat"), "seed": 5})
            assert len(structured(result)["images"]) == 1
            await site.control("POST", "/clock", {"advance_s": 61})


async def test_a_token_of_its_own_needs_no_login(talker: Any, site: Site, tmp_path: Path) -> None:
    login = {"email": DEMO_EMAIL, "password": DEMO_PASSWORD}
    answer = (await site.client.post("/miaohua/api/v1b/get_token", json=login)).json()
    async with talker(
        SENSENOVA_MIAOHUA_TOKEN=(answer.get("info") or answer)["token"], MIAOHUA_EMAIL="", MIAOHUA_PASSWORD=""
    ) as client:
        result = await client.call_tool("chat_with_image", {"messages": user("draw a boat")})
    assert len(structured(result)["images"]) == 1


async def test_without_a_token_the_settings_are_named_and_nothing_is_sent(talker: Any, tmp_path: Path) -> None:
    async with talker(MIAOHUA_EMAIL="", MIAOHUA_PASSWORD="") as client:
        words = refusal(await client.call_tool("chat_with_image", {"messages": user("hello")}))
        assert "SENSENOVA_MIAOHUA_TOKEN" in words
        assert "MIAOHUA_EMAIL" in words
        structured(await client.call_tool("chat", {"messages": user("hello")}))
    assert [entry["path"] for entry in logged(tmp_path / "access.jsonl")] == ["/nlp/v1/chat/completions"]


async def test_a_stream_cut_inside_a_character_is_told_as_far_as_it_came(
    talker: Any, site: Site, tmp_path: Path
) -> None:
    """Money may be gone; the words that came are not. The job says so afterwards too, and nothing is sent again."""
    site.emulator.world.faults.add(Fault("cut", path="/nlp/v1/chat/completions", inside_character=True))
    async with talker() as client:
        words = refusal(await client.call_tool("chat", {"messages": user("你好")}))
        assert 'SenseNova had said: "我是内置的替身，不是语言模型' in words
        assert "\ufffd" not in words
        assert "It may have been charged" in words
        jobs = structured(await client.call_tool("list_jobs", {}))["jobs"]
    assert [job["state"] for job in jobs] == ["unconfirmed"]
    assert len(logged(tmp_path / "access.jsonl")) == 1


@pytest.mark.parametrize(
    ("message", "more", "words"),
    [
        ("draw a zorgblat", {}, "sensitive words"),
        ("draw a boat", {"model": "Artist_V0.3.0 Beta"}, "does not draw with Artist_V0.3.0 Beta"),
    ],
)
async def test_a_refusal_that_looks_like_success_is_a_refusal(
    talker: Any, message: str, more: dict[str, str], words: str
) -> None:
    async with talker() as client:
        result = await client.call_tool("chat_with_image", {"messages": user(message), **more})
    assert words in refusal(result)
    assert "Nothing was spent." in refusal(result)


async def test_talking_leaves_the_budget_for_pictures_alone(talker: Any) -> None:
    async with talker(ATELIER_BUDGET_PER_DAY="1") as client:
        for _ in range(3):
            structured(await client.call_tool("chat_with_image", {"messages": user("hello")}))
        structured(await client.call_tool("chat_with_image", {"messages": user("draw a boat")}))
        spent = refusal(await client.call_tool("chat_with_image", {"messages": user("draw a house")}))
        structured(await client.call_tool("chat_with_image", {"messages": user("draw a house"), "draw": False}))
    assert "1 picture per day" in spent


async def test_the_text_grows_in_progress_messages(talker: Any, site: Site) -> None:
    """A reader sees the words while they come."""
    await site.control("PATCH", "/settings", {"task_seconds": 2.5})
    heard: list[str] = []

    async def progress(_: float, __: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with talker() as client:
        result = await client.call_tool("chat", {"messages": user("who are you?")}, progress_callback=progress)
    said = structured(result)["data"]["text"]
    grown = [message.rpartition(",")[0].lstrip("…") for message in heard]
    assert grown
    assert all(words in said for words in grown)


async def atelier(*arguments: str, environ: Environ) -> tuple[int, str]:
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


async def test_the_doctor_asks_no_question_that_costs_and_says_what_pictures_need(environ: Environ, site: Site) -> None:
    talking = {
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SENSENOVA_FUSION_URL": f"{site.emulator.base_url}/sensenova",
        "SENSENOVA_CHAT_URL": f"{site.emulator.base_url}/sensenova",
    }
    code, out = await atelier("doctor", environ={**environ, **talking})
    assert code == 1
    assert "SENSENOVA_MIAOHUA_TOKEN" in out
    code, out = await atelier("doctor", environ={**environ, **talking, "SENSENOVA_MIAOHUA_TOKEN": "a token"})
    assert code == 0
    assert "every answer costs; serves chat, chat_with_image" in out
    assert DEMO_API_KEY not in out


async def test_an_answer_that_takes_longer_than_the_call_is_found_later(talker: Any, site: Site) -> None:
    """It streams on into the ledger, whoever waits for it."""
    await site.control("PATCH", "/settings", {"task_seconds": 0.5})
    async with talker() as client:
        asked = structured(await client.call_tool("chat", {"messages": user("who are you?"), "wait_s": 0}))
        assert asked["state"] == "submitting"
        found = await client.call_tool("wait_for_jobs", {"job_ids": [asked["job_id"]]})
    (job,) = structured(found)["jobs"]
    assert job["state"] == "succeeded"
    assert job["data"]["text"].endswith("repeat what you said.")


async def test_an_answer_given_up_on_the_way_stays_given_up(talker: Any, site: Site) -> None:
    """The service talks on, and its words are not kept."""
    await site.control("PATCH", "/settings", {"task_seconds": 0.5})
    async with talker() as client:
        asked = structured(await client.call_tool("chat", {"messages": user("who are you?"), "wait_s": 0}))
        await client.call_tool("cancel_job", {"job_id": asked["job_id"]})
        again = structured(await client.call_tool("chat", {"messages": user("who are you?")}))
        jobs = structured(await client.call_tool("list_jobs", {}))["jobs"]
    assert again["state"] == "succeeded"
    assert {job["job_id"]: job["state"] for job in jobs} == {
        asked["job_id"]: "cancelled",
        again["job_id"]: "succeeded",
    }
