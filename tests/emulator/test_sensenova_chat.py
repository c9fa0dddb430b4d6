"""SenseNova's emulator as a client meets it: who may talk, what is refused, what is said and drawn."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.emulator.faults import InjectedFault
from tests.support.emulator_harness import FakeEngine, read_image_size
from tests.support.sensenova_client import (
    CHAT_WITH_IMAGE_PATH,
    COMPLETIONS_PATH,
    build_user_messages,
    chat_with_image,
    fetch_miaohua_token,
    join_deltas,
    parse_chunks,
    post_to_sensenova,
    read_content,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.support.clock import ManualUnixClock
    from tests.support.emulator_harness import EmulatorHarness

    NewSite = Callable[..., Awaitable[EmulatorHarness]]


@pytest.mark.parametrize("key", [DEMO_API_KEY, f"Bearer {DEMO_API_KEY}"])
async def test_the_bare_key_opens_and_a_scheme_word_does_no_harm(site: EmulatorHarness, key: str) -> None:
    assert (
        await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi")}, key=key)
    ).status_code == 200


@pytest.mark.parametrize("key", [None, "", "wrong", "Basic abc"])
async def test_without_a_known_key_nothing_is_said(site: EmulatorHarness, key: str | None) -> None:
    for path in (COMPLETIONS_PATH, CHAT_WITH_IMAGE_PATH, "/nowhere"):
        response = await post_to_sensenova(site, path, {"messages": build_user_messages("hi")}, key=key)
        assert response.status_code == 401
        assert set(response.json()) == {"code", "msg", "data"}


async def test_an_account_added_by_the_control_api_may_chat(site: EmulatorHarness) -> None:
    await site.call_control("POST", "/accounts", {"access_key": "mine", "secret_key": "my key"})
    assert (
        await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi")}, key="my key")
    ).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        COMPLETIONS_PATH,
        "/v1/nlp/chat/completions",
        "/v1/llm/chat-completions",
        CHAT_WITH_IMAGE_PATH,
        "/fusion/v1/chat-with-image",
    ],
)
async def test_every_path_public_programs_use_is_served(site: EmulatorHarness, path: str) -> None:
    """The newest comes with a model field, which the documented path does not have."""
    body = {"messages": build_user_messages("hi"), "model": "SenseChat", "mh_key": await fetch_miaohua_token(site)}
    assert "stand-in" in read_content(await post_to_sensenova(site, path, body))


async def test_any_other_path_is_404_and_any_other_method_405(site: EmulatorHarness) -> None:
    assert (await post_to_sensenova(site, "/v1/chat", {})).status_code == 404
    response = await site.client.get(f"/sensenova{CHAT_WITH_IMAGE_PATH}", headers={"Authorization": DEMO_API_KEY})
    assert (response.status_code, response.json()["code"]) == (405, 405)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "teacher", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}, "messages[0].content[].text"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": 2.01}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": 1.5}, "max_new_tokens"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"stream": "yes"}, "stream"),
        ({"user_id": 7}, "user_id"),
        ({"mh_key": ""}, "mh_key"),
        ({"mh_output_size": "640"}, "mh_output_size"),
        ({"mh_output_size": "10x10"}, "mh_output_size"),
        ({"mh_scale": 21}, "mh_scale"),
        ({"mh_scale": 0}, "mh_scale"),
        ({"mh_ddim_steps": 0}, "mh_ddim_steps"),
        ({"mh_select_seed": -2}, "mh_select_seed"),
        ({"mh_controlnet_model": "tile"}, "mh_controlnet_model"),
        ({"output_img": 1}, "output_img"),
    ],
    ids=str,
)
async def test_what_the_contract_does_not_allow_is_named(
    site: EmulatorHarness, change: dict[str, Any], named: str
) -> None:
    response = await post_to_sensenova(
        site, CHAT_WITH_IMAGE_PATH, {"messages": build_user_messages("hi"), "mh_key": "x", "stream": True, **change}
    )
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/json"
    assert response.json()["msg"].startswith(f"Invalid Params: {named}")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7"])
async def test_a_body_that_is_no_object_is_refused(site: EmulatorHarness, body: bytes) -> None:
    headers = {"Authorization": DEMO_API_KEY}
    response = await site.client.post(f"/sensenova{COMPLETIONS_PATH}", content=body, headers=headers)
    assert response.status_code == 400


async def test_edges_of_the_ranges_are_allowed(site: EmulatorHarness) -> None:
    edges = {"temperature": 2, "top_p": 1, "max_new_tokens": 1, "mh_scale": 20, "mh_controlnet_model": "hed"}
    assert read_content(await chat_with_image(site, "hi", **edges)) == "I"


async def test_who_asks_too_often_is_told_when_to_come_back(new_site: NewSite) -> None:
    site = await new_site(rate_per_s=2)
    responses = [
        await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi")}) for _ in range(3)
    ]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["retry-after"] == "1"


async def test_a_picture_is_drawn_as_asked_and_its_link_leads_to_it(site: EmulatorHarness, engine: FakeEngine) -> None:
    response = await chat_with_image(
        site, "draw a red boat", mh_output_size="640x704", mh_select_seed=5, mh_scale=9, mh_ddim_steps=20
    )
    usage = response.json()["data"]["usage"]
    assert usage["picture"] is True
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    arguments = engine.get_last_arguments("generate")
    values = {name: arguments[name] for name in ("prompt", "width", "height", "seed", "guidance", "steps")}
    assert values == {"prompt": "a red boat", "width": 640, "height": 704, "seed": 5, "guidance": 9, "steps": 20}
    image = await site.client.get(read_content(response))
    assert read_image_size(image.content) == (64, 48)


async def test_a_change_keeps_the_scene_it_changes(site: EmulatorHarness, engine: FakeEngine) -> None:
    """The same seed and the same composition; a new wish, or the old one once more, is another scene."""
    for texts in (["draw a boat"], ["draw a boat", "make it blue"], ["draw a boat", "make it blue", "now at night"]):
        await chat_with_image(site, *texts)
    await chat_with_image(site, "draw a boat", "draw a lake")
    first, blue, night, lake = (arguments for _, arguments in engine.calls)
    assert [one["prompt"] for one in (first, blue, night)] == ["a boat", "blue boat", "at night, blue boat"]
    assert [one.get("composition") for one in (first, blue, night, lake)] == [None, "a boat", "a boat", None]
    assert first["seed"] == blue["seed"] == night["seed"] != lake["seed"]


async def test_without_a_seed_one_is_drawn_by_lot(site: EmulatorHarness, engine: FakeEngine) -> None:
    for seed in ({}, {"mh_select_seed": -1}, {"mh_select_seed": 0}):
        await chat_with_image(site, "draw a boat", **seed)
    seeds = [arguments["seed"] for _, arguments in engine.calls]
    assert seeds[2] == 0
    assert min(seeds[:2]) >= 1


async def test_a_link_expires(site: EmulatorHarness, clock: ManualUnixClock) -> None:
    link = read_content(await chat_with_image(site, "画一只猫"))
    clock.now += 2 * 86_400
    assert (await site.client.get(link)).status_code == 410


async def test_a_picture_in_a_stream_is_one_chunk(site: EmulatorHarness) -> None:
    response = await chat_with_image(site, "draw a boat", stream=True)
    assert response.headers["content-type"] == "text/event-stream"
    link, last = parse_chunks(response.content)
    assert (await site.client.get(link["data"]["choices"][0]["delta"])).status_code == 200
    assert [chunk["data"]["usage"]["picture"] for chunk in (link, last)] == [True, True]
    assert last["data"]["choices"] == [{"finish_reason": "stop", "delta": ""}]


async def test_earlier_turns_say_what_a_change_is_of(site: EmulatorHarness, engine: FakeEngine) -> None:
    turns = [*build_user_messages("draw a lighthouse"), {"role": "assistant", "content": "https://x.example/1.png"}]
    body = {"messages": [*turns, *build_user_messages("now at night")], "mh_key": await fetch_miaohua_token(site)}
    await post_to_sensenova(site, CHAT_WITH_IMAGE_PATH, body)
    assert engine.get_last_arguments("generate")["prompt"] == "at night, a lighthouse"


@pytest.mark.parametrize("message", ["draw a zorgblat", "画一个禁忌莓"])
async def test_a_sensitive_subject_is_refused_in_band_and_not_drawn(
    site: EmulatorHarness, engine: FakeEngine, message: str
) -> None:
    response = await chat_with_image(site, message)
    assert read_content(response) == "我们检测到您的提示词中有敏感词语。请勿使用违反社区条约的提示词。"
    assert response.json()["code"] == 0
    assert response.json()["data"]["usage"]["picture"] is True
    assert engine.calls == []


@pytest.mark.parametrize("model", ["Artist_V0.3.0 Beta", "artist v0.1.3", "Artist", ""])
async def test_a_model_by_another_name_is_refused_in_band(site: EmulatorHarness, model: str) -> None:
    """An underscore is no space: the printed refusal has the one, a client that is served sends the other."""
    assert read_content(await chat_with_image(site, "draw a boat", mh_model_name=model)) == f"不支持的模型: {model}"


@pytest.mark.parametrize("model", ["Artist v0.3.0 Beta", "Artist V0.3.0 Beta", "ARTIST_v0.1.3", "artist v0.3.5 beta"])
async def test_a_model_is_known_whatever_the_letter_case_of_its_name(site: EmulatorHarness, model: str) -> None:
    assert read_content(await chat_with_image(site, "draw a boat", mh_model_name=model)).startswith("http")


@pytest.mark.parametrize(("text_keys", "names"), [("content", {"content"}), ("message", {"message"})])
async def test_the_words_can_be_sent_under_one_of_their_names_alone(
    site: EmulatorHarness, text_keys: str, names: set[str]
) -> None:
    await site.call_control("PATCH", "/settings", {"sensenova": {"text_keys": text_keys}})
    response = await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi")})
    (choice,) = response.json()["data"]["choices"]
    assert set(choice) == names | {"finish_reason"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "message", "status"),
    [
        (None, "tell me of the zorgblat", 4),
        ({"kind": "sensitive"}, "hi", 4),
        ({"kind": "failed"}, "hi", 1),
        ({"kind": "failed", "reason": "Timeout"}, "hi", 3),
    ],
    ids=str,
)
async def test_a_conversation_that_fails_says_so_in_its_status_alone(
    site: EmulatorHarness, fault: dict[str, str] | None, message: str, status: int, stream: bool
) -> None:
    """Beside a code of success, and without words."""
    if fault is not None:
        await site.call_control("POST", "/faults", fault)
    body = {"messages": build_user_messages(message), "stream": stream}
    response = await post_to_sensenova(site, COMPLETIONS_PATH, body)
    if stream:
        (document,) = parse_chunks(response.content.removesuffix(b"data: [DONE]\n\n"))
    else:
        document = response.json()
        assert read_content(response) == ""
    assert (document["code"], document["data"]["status"]) == (0 if stream else 200, status)


async def test_what_a_client_leaves_open_with_null_is_left_open(site: EmulatorHarness) -> None:
    left_open = dict.fromkeys(("temperature", "top_p", "max_new_tokens", "stream", "user", "mh_scale", "mh_model_name"))
    assert "stand-in" in read_content(await chat_with_image(site, "hi", **left_open))


async def test_a_system_message_is_neither_answered_nor_counted_as_said(site: EmulatorHarness) -> None:
    messages = [{"role": "system", "content": "draw a cat"}, *build_user_messages("how many messages are there?")]
    response = await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": messages})
    assert "1 messages: 1 of yours and 0" in read_content(response)


async def test_the_intent_alone_draws_nothing_and_costs_no_token(site: EmulatorHarness, engine: FakeEngine) -> None:
    body = {"messages": build_user_messages("draw a boat"), "mh_key": "not a token", "output_img": False}
    response = await post_to_sensenova(site, CHAT_WITH_IMAGE_PATH, body)
    assert read_content(response) == "This is a drawing request*&^**#"
    assert response.json()["data"]["usage"]["picture"] is False
    assert engine.calls == []


async def test_a_bad_miaohua_token_matters_only_for_a_drawing(site: EmulatorHarness, clock: ManualUnixClock) -> None:
    await site.call_control("PATCH", "/settings", {"miaohua": {"token_seconds": 60}})
    token = await fetch_miaohua_token(site)
    clock.now += 61
    for bad in (token, "nonsense"):
        refused = await post_to_sensenova(
            site, CHAT_WITH_IMAGE_PATH, {"messages": build_user_messages("draw a boat"), "mh_key": bad, "stream": True}
        )
        assert (refused.status_code, refused.json()["code"]) == (401, 401)
        assert "mh_key" in refused.json()["msg"]
        assert (
            await post_to_sensenova(site, CHAT_WITH_IMAGE_PATH, {"messages": build_user_messages("hi"), "mh_key": bad})
        ).status_code == 200


async def test_faults_of_the_work_are_told_in_the_services_words(site: EmulatorHarness, engine: FakeEngine) -> None:
    await site.call_control("POST", "/faults", {"kind": "sensitive", "path": CHAT_WITH_IMAGE_PATH})
    assert "敏感" in read_content(await chat_with_image(site, "draw a boat"))
    engine.error = RuntimeError("a bug")
    failed = await chat_with_image(site, "draw a boat")
    assert (failed.status_code, failed.json()["data"]) == (500, None)


async def test_a_stream_can_be_cut_inside_a_character(site: EmulatorHarness) -> None:
    site.emulator.state.faults.add(InjectedFault("cut", path=COMPLETIONS_PATH, inside_character=True))
    body = {"messages": build_user_messages("你好"), "stream": True}
    received = bytearray()
    with pytest.raises(httpx2.RemoteProtocolError):
        await read_stream(site, body, received)
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        received.decode()


async def read_stream(site: EmulatorHarness, body: Any, received: bytearray) -> None:
    """Take in a stream as long as it comes."""
    headers = {"Authorization": DEMO_API_KEY}
    async with site.client.stream("POST", f"/sensenova{COMPLETIONS_PATH}", json=body, headers=headers) as response:
        async for part in response.aiter_raw():
            received += part


async def test_the_end_mark_belongs_to_completions_and_to_fusion_on_request(site: EmulatorHarness) -> None:
    plain = await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi"), "stream": True})
    assert plain.content.endswith(b'"status": 0}}\n\ndata: [DONE]\n\n')
    assert "connection" not in plain.headers
    unmarked = await chat_with_image(site, "hi", stream=True)
    assert b"[DONE]" not in unmarked.content
    assert unmarked.headers["connection"] == "close", "there is no other sign of the end"
    await site.call_control("PATCH", "/settings", {"sensenova": {"done_terminator": True}})
    assert (await chat_with_image(site, "hi", stream=True)).content.endswith(b"data: [DONE]\n\n")


async def test_a_stream_takes_its_time_and_says_the_same(new_site: NewSite) -> None:
    """The words come one by one over the time of a task."""
    site = await new_site(task_seconds=0.05)
    quick = await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi")})
    slow = await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("hi"), "stream": True})
    assert join_deltas(slow.content.removesuffix(b"data: [DONE]\n\n")) == read_content(quick)


async def test_a_listener_may_leave_in_the_middle(new_site: NewSite) -> None:
    site = await new_site(task_seconds=1000)
    body = {"messages": build_user_messages("hi"), "stream": True}
    headers = {"Authorization": DEMO_API_KEY}
    async with (
        asyncio.timeout(5),
        site.client.stream("POST", f"/sensenova{COMPLETIONS_PATH}", json=body, headers=headers) as response,
    ):
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (["who are you?"], "I am the built-in stand-in, not a language model."),
        (["你是谁？"], "我是内置的替身，不是语言模型。"),
        (["draw a cat", "now at night", "what did you draw?"], "(2): 1. a cat; 2. at night, a cat."),
        (["画一只猫", "你画了什么？"], "（1）：1. 一只猫。"),
        (["what did you draw?"], "Nothing was drawn"),
        (["hi", "how many messages are there?"], "2 messages: 2 of yours and 0"),
        (["你好", "有多少条消息？"], "共有 2 条消息"),
        (["the sky is blue", "what did I say?"], "“the sky is blue”"),
        (["我喜欢茶", "我刚才说了什么？"], "“我喜欢茶”"),
        (["what did I say?"], "your first message"),
        (["Is it raining?"], "You wrote: “Is it raining?”"),
    ],
)
async def test_the_stand_in_says_what_it_is_and_what_it_knows(
    site: EmulatorHarness, said: list[str], words: str
) -> None:
    response = read_content(await chat_with_image(site, *said))
    assert words in response
    assert "stand-in" in response or "替身" in response


async def test_plain_completions_draw_nothing_and_say_who_does(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert "chat_with_image" in read_content(
        await post_to_sensenova(site, COMPLETIONS_PATH, {"messages": build_user_messages("draw a cat")})
    )
    assert engine.calls == []


async def test_the_log_tells_the_contract_and_no_secret(new_site: NewSite, tmp_path: Path) -> None:
    file = tmp_path / "access.jsonl"
    site = await new_site(access_log=file)
    token = await fetch_miaohua_token(site)
    await post_to_sensenova(site, CHAT_WITH_IMAGE_PATH, {"messages": build_user_messages("hi"), "mh_key": token})
    await post_to_sensenova(site, CHAT_WITH_IMAGE_PATH, {"messages": build_user_messages("hi")}, key="wrong")
    while len(lines := file.read_text().splitlines()) < 3:
        await asyncio.sleep(0)
    _, known, stranger = [json.loads(line) for line in lines]
    assert (
        known.items()
        >= {"upstream": "sensenova_chat", "path": CHAT_WITH_IMAGE_PATH, "account": "atelier-demo-talker"}.items()
    )
    assert known["body"]["mh_key"] == "***"
    assert (stranger["status"], stranger["account"]) == (401, None)
    assert token not in file.read_text()
    assert DEMO_API_KEY not in file.read_text()
