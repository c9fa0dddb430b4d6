"""The emulated SenseNova and Miaohua under clients such as people have published: their paths, names and habits.

Each is written anew after the shape of such a program, with the standard library alone, so that it shares no reading of
the contracts with the provider or with the emulator.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import plain_client
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import BOUND_S, encode_plain_image, read_image_size

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

API_KEY = "atelier-demo-api-key-0123456789abcdef"
ACCESS_KEY, SECRET_KEY = "atelier-demo-ak", "atelier-demo-sk-0123456789abcdef0123456789abcdef"
EMAIL, PASSWORD = "demo@atelier.example", "atelier-demo-password"
TUNING = {"temperature": 0.5, "top_p": 0.7, "max_new_tokens": 2048, "repetition_penalty": 1, "stream": False}


@pytest.fixture
def clock() -> ManualUnixClock:
    """The time of day, which is what signed tokens go by."""
    now = ManualUnixClock()
    now.now = time.time()
    return now


@pytest.fixture
def sensenova(site: EmulatorHarness) -> str:
    """SenseNova's address."""
    return f"{site.emulator.base_url}/sensenova"


@pytest.fixture
def miaohua(site: EmulatorHarness) -> str:
    """Miaohua's address."""
    return f"{site.emulator.base_url}/miaohua/api/v1b"


async def log_in(miaohua: str) -> str:
    """A token, from where the reference prints it."""
    return (await plain_client.post_json(f"{miaohua}/get_token", {"email": EMAIL, "password": PASSWORD}))["token"]


async def wait_until_done(miaohua: str, path: str, token: str, task_id: str) -> dict[str, Any]:
    """A task or a training, asked about until it is over."""
    async with asyncio.timeout(BOUND_S):
        while True:
            document = await plain_client.post_json(f"{miaohua}{path}", {"task_id": task_id, "token": token})
            if document["info"]["state"] == "done":
                return document["info"]


async def test_a_chat_bot_that_sends_messages_and_nothing_else(sensenova: str) -> None:
    """It takes an empty message for a refusal."""
    document = await plain_client.post_json(
        f"{sensenova}/v1/nlp/chat/completions",
        {"messages": [{"role": "user", "content": "你是谁？"}]},
        authorization=API_KEY,
    )
    assert document["data"]["choices"][0]["message"].startswith("我是内置的替身")
    assert document["data"]["status"] == 0
    refused = await plain_client.post_json(
        f"{sensenova}/v1/nlp/chat/completions",
        {"messages": [{"role": "user", "content": "a forbiddenberry?"}]},
        authorization=API_KEY,
    )
    assert (refused["data"]["choices"][0]["message"], refused["data"]["status"]) == ("", 4)


@pytest.mark.parametrize(
    "path",
    [
        "/nlp/v1/chat/completions",
        "/v1/nlp/chat/completions",
        "/test/v1/nlp/chat/completions",
        "/v1/nlp/extra/completions",
    ],
)
async def test_a_script_with_a_system_message_and_every_tuning(sensenova: str, path: str) -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "who are you?"},
    ]
    body = {"model": "nova-ptc-xl-v1", "messages": messages, **TUNING, "user": "test"}
    document = await plain_client.post_json(f"{sensenova}{path}", body, authorization=API_KEY)
    choice = document["data"]["choices"][0]
    assert choice["message"] == choice["content"]
    assert choice["message"].startswith("I am the built-in stand-in")


async def test_a_game_that_keeps_the_conversation_and_a_service_that_looks_at_the_code(sensenova: str) -> None:
    """What was answered becomes the assistant's turn."""
    body: dict[str, Any] = {"messages": [], **TUNING, "user": "test", "model": "SC-PTC-XL-V1-20230609"}
    for question in ("hi", "how many messages are there?"):
        body["messages"].append({"role": "user", "content": question})
        document = await plain_client.post_json(
            f"{sensenova}/v1/nlp/chat/completions", body, authorization=f"Bearer {API_KEY}"
        )
        assert document["code"] == 200
        (answer,) = [choice["message"] for choice in document["data"]["choices"] if choice["finish_reason"] == "stop"]
        body["messages"].append({"role": "assistant", "content": answer})
    assert "3 messages: 2 of yours and 1" in body["messages"][-1]["content"]


@pytest.mark.parametrize("scheme", ["Bearer ", ""])
@pytest.mark.parametrize(
    "content",
    ["who are you?", [{"type": "image_base64", "image_base64": "aGk="}, {"type": "text", "text": "who are you?"}]],
    ids=["text", "parts"],
)
async def test_a_program_of_the_newer_path_that_signs_with_two_keys(sensenova: str, scheme: str, content: Any) -> None:
    body = {"model": "SenseChat-Vision", "messages": [{"role": "user", "content": content}], "n": 1, "know_ids": []}
    token = plain_client.sign_token(ACCESS_KEY, SECRET_KEY)
    document = await plain_client.post_json(
        f"{sensenova}/v1/llm/chat-completions", body, authorization=f"{scheme}{token}"
    )
    assert "error" not in document
    (choice,) = document["data"]["choices"]
    assert (choice["index"], choice["role"], choice["finish_reason"]) == (0, "assistant", "stop")
    assert choice["message"].strip().startswith("I am the built-in stand-in")
    forged = plain_client.sign_token(ACCESS_KEY, "another key of the same length as the other one")
    refused = await plain_client.post_json(f"{sensenova}/v1/llm/chat-completions", body, authorization=forged)
    assert refused["code"] == 401


async def test_a_load_test_behind_a_gateway_reads_streams_line_by_line(sensenova: str, miaohua: str) -> None:
    """Six characters are cut from every line; a mark at the end belongs to the plain conversation alone."""
    user = {"messages": [{"role": "user", "content": "画一张向日葵"}], "stream": True}
    drawing = {
        **user, "mh_controlnet_model": "", "mh_key": await log_in(miaohua), "mh_model_name": "Artist V0.3.0 Beta",
        "mh_output_size": "960x960", "mh_scale": 7, "mh_select_seed": 0, "mh_ddim_steps": 30, "mh_add_prompt": False,
        "output_img": True, "user_id": "string", "max_new_tokens": 512,
    }  # fmt: skip
    calls = {
        "/sense-chat/v1/llm/chat-completions": ({"model": "nova-ptc-xl-v1", **user}, True),
        "/fusion/v1/chat-with-image": (drawing, False),
    }
    for path, (body, ends_with_mark) in calls.items():
        headers = {"Content-Type": "application/json", "Authorization": API_KEY}
        data = await plain_client.send("POST", f"{sensenova}{path}", data=json.dumps(body).encode(), headers=headers)
        lines = [line[len("data: ") :] for line in data.decode().splitlines() if line]
        assert (lines[-1] == "[DONE]") == ends_with_mark
        chunks = [json.loads(line)["data"]["choices"][0] for line in lines if line != "[DONE]"]
        assert chunks[-1]["finish_reason"] == "stop"
        assert "".join(chunk["delta"] for chunk in chunks).strip()


@pytest.mark.parametrize("key", ["content", "message"])
async def test_a_drawing_in_one_answer_is_a_link_under_either_name(
    sensenova: str, miaohua: str, engine: FakeEngine, key: str
) -> None:
    body = {
        "messages": [{"role": "user", "content": "draw a lighthouse"}], **TUNING, "user_id": "test",
        "mh_key": await log_in(miaohua), "mh_model_name": "ARTIST V0.3.0 BETA", "mh_output_size": "640x640",
        "mh_scale": 7,
    }  # fmt: skip
    document = await plain_client.post_json(f"{sensenova}/v1/fusion/chat-with-image", body, authorization=API_KEY)
    assert document["data"]["usage"]["picture"] is True
    image = await plain_client.send("GET", document["data"]["choices"][0][key])
    assert read_image_size(image) == (64, 48)
    assert engine.get_last_arguments("generate")["prompt"] == "a lighthouse"


async def test_the_vendors_test_client_draws_by_the_older_path(miaohua: str) -> None:
    """It sends every field, the empty ones too, and reads the top level."""
    fields = {field["name"]: field["default"] for field in (await plain_client.get_json(
        f"{miaohua}/get_generation_form"
    ))["info"]}  # fmt: skip
    assert {"model_name", "n_images", "select_seed"} <= set(fields)
    token = await log_in(miaohua)
    body = {
        "token": token, "model_name": "Artist_V0.1.3", "prompt": "one girl, beautiful", "neg_prompt": "unsafe",
        "n_images": 2, "scale": 7, "select_seed": -1, "output_size": "640x640", "init_img": "", "controlnet_model": "",
    }  # fmt: skip
    task_id = (await plain_client.post_json(f"{miaohua}/txt2img_submit", body))["task_id"]
    result = await wait_until_done(miaohua, "/task_result", token, task_id)
    assert [image["save_index"] for image in result["images"]] == [0, 1]
    for image in result["images"]:
        assert read_image_size(await plain_client.send("GET", image["large"])) == (64, 48)


@pytest.mark.parametrize("model", ["Artist v0.3.5 Beta", "Artist v0.3.0 Beta", "ARTIST V0.3.0 beta"])
async def test_a_load_test_draws_with_a_model_by_name(miaohua: str, model: str) -> None:
    token = await log_in(miaohua)
    body = {
        "token": token, "model_name": model, "prompt": "画个台灯", "n_images": 1, "scale": 7, "strength": 0.6,
        "ddim_steps": 20, "output_size": "992x560", "add_prompt": False,
    }  # fmt: skip
    task_id = (await plain_client.post_json(f"{miaohua}/task_submit", body))["info"]["task_id"]
    assert len((await wait_until_done(miaohua, "/task_result", token, task_id))["images"]) == 1


async def test_a_script_of_the_older_reference_trains_with_its_token_among_the_files(miaohua: str) -> None:
    """And draws with the model by the name that the training reported."""
    token = await log_in(miaohua)
    images = [("init_img", encode_plain_image(colour=colour)) for colour in ("red", "blue")]
    uploaded = await plain_client.post_files(f"{miaohua}/upload_imgs", [*images, ("token", token.encode())])
    assert len(uploaded["info"]) == 2
    data_set = {"token": token, "name": "dataset1", "description": "", "images": uploaded["info"]}
    number = (await plain_client.post_json(f"{miaohua}/dataset", data_set))["info"]["dataset_id"]
    listed = await plain_client.post_json(f"{miaohua}/dataset_all", {"token": token})
    assert [entry["id"] for entry in listed["items"]] == [number]
    assert "Style" in (await plain_client.get_json(f"{miaohua}/train_form"))["info"]["main_body"]
    training = {
        "token": token, "name": "train model1", "description": "", "base_model": "自动选择", "trigger_word": "one girl",
        "main_body": "Style", "nsfw": 0, "dataset": [number],
    }  # fmt: skip
    task_id = (await plain_client.post_json(f"{miaohua}/train_submit", training))["info"]["task_id"]
    trained = await wait_until_done(miaohua, "/train_progress", token, task_id)
    assert (trained["model_name"], trained["training_progress"]) == ("train_model1", 1)
    body = {"token": token, "model_name": trained["model_name"], "prompt": "one girl", "n_images": 1, "scale": 7}
    drawn = (await plain_client.post_json(f"{miaohua}/task_submit", body))["info"]["task_id"]
    assert (await wait_until_done(miaohua, "/task_result", token, drawn))["images"]


async def test_a_token_among_the_files_is_checked_as_one_in_the_header_is(miaohua: str) -> None:
    image = ("init_img", encode_plain_image())
    for part, code in ((b"garbage", 412), (b"", 401)):
        assert (await plain_client.post_files(f"{miaohua}/upload_img", [image, ("token", part)]))["code"] == code
    good = f"Bearer {await log_in(miaohua)}"
    header_wins = [image, ("token", b"garbage")]
    assert (await plain_client.post_files(f"{miaohua}/upload_img", header_wins, authorization=good))["code"] == 0
