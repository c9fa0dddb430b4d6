"""lora: trained over time, cancelled while it waits, used when it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.emulator_harness import encode_plain_image, read_error_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

BASE = "artist_v0.4.0"


async def train(site: EmulatorHarness, **fields: Any) -> str:
    images = [await site.host_image(encode_plain_image(colour=colour)) for colour in ("red", "blue")]
    return await site.submit_task("/v1/lora/train", **{"base_model_id": BASE, "images": images, **fields})


async def wait_for_rendering(site: EmulatorHarness, task_id: str) -> None:
    """Wait until nothing but the clock keeps the task from being over."""
    tasks = site.emulator.state.tasks
    await tasks.wait_for_outcome((await tasks.find_by_id(task_id))[0])


async def get_result(site: EmulatorHarness, task_id: str) -> dict[str, Any]:
    return (await site.get(f"/v1/lora/result/{task_id}")).json()


async def test_a_training_goes_through_its_states_with_progress(new_site: NewSite) -> None:
    site = await new_site(task_seconds=100)
    task_id = await train(site)
    await wait_for_rendering(site, task_id)
    seen: list[tuple[str, float, bool]] = []
    for seconds in (0, 25, 30, 45):
        await site.call_control("POST", "/clock", {"advance_s": seconds})
        document = await get_result(site, task_id)
        assert document["state_message"] == document["state_msg"]
        seen.append((document["state"], document["training_progress"], bool(document["lora_id"])))
    assert seen == [("PENDING", 0, False), ("RUNNING", 0, False), ("RUNNING", 0.4, False), ("SUCCESS", 1, True)]


async def test_a_finished_training_is_listed_and_used(site: EmulatorHarness, engine: FakeEngine) -> None:
    task_id = await train(site, model_name="Red and blue", description="two colours", trigger_word="rnb")
    await site.finish_task(task_id)
    document = await get_result(site, task_id)
    batch = (await site.call_mhapi("GET", "/v1/lora/results", json={"task_ids": [task_id]})).json()
    assert batch == {"results": [document]}
    lora = {
        "id": document["lora_id"],
        "name": "Red and blue",
        "description": "two colours",
        "base_model_type": BASE,
        "model_type": "LORA",
        "trigger_words": "rnb",
    }
    assert (await site.get("/v1/lora/models", type="LORA")).json()["data"] == [lora]
    assert lora in (await site.get("/v1/imgenstd/models", mtp="LORA")).json()["data"]
    loras = [{"model_id": lora["id"], "merge_weight": 0.5}]
    body = {"model_id": BASE, "prompt": "a cat", "lora_configs": loras}
    await site.finish_task(await site.submit_task("/v1/imgenstd/imgen", **body))
    assert engine.get_last_arguments("generate")["profiles"] == [[b"profile of 2", 0.5]]


async def test_an_unfinished_training_is_no_model(new_site: NewSite) -> None:
    site = await new_site(task_seconds=100)
    task_id = await train(site)
    assert (await site.get("/v1/lora/models", type="LORA")).json()["data"] == []
    loras = [{"model_id": f"lora_{task_id}"}]
    response = await site.post("/v1/imgenstd/imgen", model_id=BASE, prompt="a cat", lora_configs=loras)
    assert read_error_code(response) == 5


async def test_the_bases_are_those_with_lora(site: EmulatorHarness) -> None:
    page = (await site.get("/v1/lora/models")).json()
    assert [(row["id"], row["model_type"]) for row in page["data"]] == [(BASE, "Checkpoint")]
    assert read_error_code(await site.get("/v1/lora/models", type="ALL")) == 3
    assert read_error_code(await site.get("/v1/lora/models", mtp="LORA")) == 3


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"base_model_id": "nothing"}, 5),
        ({"base_model_id": "artist_v0.5.0"}, 3),
        ({"images": []}, 3),
        ({"images": ["a", "a"]}, 3),
        ({"images": [str(number) for number in range(1001)]}, 3),
        ({"images": [""]}, 3),
        ({"images": [7]}, 3),
        ({"images": "one-upload-key"}, 0),
        ({"main_object": ""}, 0),
        ({"main_object": "Cat"}, 3),
        ({"task_type": "VIP"}, 0),
        ({"model_name": "猫" * 64, "trigger_word": "x" * 256, "description": "x" * 1024}, 0),
        ({"model_name": "x" * 65}, 3),
        ({"trigger_word": "x" * 257}, 3),
        ({"description": "x" * 1025}, 3),
        ({"trigger_words": "x"}, 3),
    ],
    ids=str,
)
async def test_a_training_is_held_against_its_table(
    site: EmulatorHarness, fields: dict[str, Any], expected: int
) -> None:
    response = await site.post("/v1/lora/train", **{"base_model_id": BASE, "images": ["a"], **fields})
    assert (0 if response.status_code == 200 else read_error_code(response)) == expected


async def test_pictures_that_cannot_be_had_or_do_not_suit_fail_the_training(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    unknown = await site.submit_task("/v1/lora/train", base_model_id=BASE, images=["an-upload-key"])
    await site.finish_task(unknown)
    document = await get_result(site, unknown)
    assert (document["state"], document["lora_id"]) == ("FAILED", "")
    assert "an-upload-key" in document["state_message"]
    engine.error = ValueError("the pictures do not suit Human")
    unsuited = await train(site)
    await site.finish_task(unsuited)
    assert (await get_result(site, unsuited))["state_msg"] == "the pictures do not suit Human"


async def test_only_a_waiting_training_can_be_cancelled(new_site: NewSite) -> None:
    site = await new_site(task_seconds=100)
    waiting, running = await train(site), await train(site, task_type="VIP")
    await wait_for_rendering(site, running)
    await site.call_control("POST", "/clock", {"advance_s": 10})
    assert (await get_result(site, running))["state"] == "RUNNING"
    assert (await site.post("/v1/lora/cancel", task_id=waiting)).json() == {"success": True}
    assert (await site.post("/v1/lora/cancel", task_id=running)).json() == {"success": False}
    cancelled = await get_result(site, waiting)
    assert (cancelled["state"], cancelled["state_message"]) == ("FAILED", "cancelled")
    await site.call_control("PATCH", "/settings", {"mhapi": {"late_cancel_code_9": True}})
    assert read_error_code(await site.post("/v1/lora/cancel", task_id=running)) == 9


async def test_a_cancel_of_what_is_no_training_is_refused(site: EmulatorHarness) -> None:
    task_id = await site.submit_task("/v1/imgenstd/imgen", model_id=BASE, prompt="a cat")
    assert read_error_code(await site.post("/v1/lora/cancel", task_id=task_id)) == 5
    assert read_error_code(await site.post("/v1/lora/cancel")) == 3


async def test_success_may_be_called_done(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"mhapi": {"lora_done": True}})
    task_id = await train(site)
    await site.finish_task(task_id)
    assert (await get_result(site, task_id))["state"] == "DONE"
