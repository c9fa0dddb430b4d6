"""Miaohua as an agent meets it, through an MCP client: pictures, data sets, a training, and the account's pace."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_EMAIL, DEMO_PASSWORD
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]
    Log = Callable[[], list[dict[str, Any]]]

STATUS_PATHS = ("/api/v1b/task_result", "/api/v1b/task_results", "/api/v1b/train_progress")


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """Miaohua alone, with the tools for training."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "MIAOHUA_BASE_URL": f"{site.emulator.base_url}/miaohua/api/v1b",
    }


@pytest.fixture
def log(site: EmulatorHarness, tmp_path: Path) -> Log:
    """What Miaohua was asked so far."""

    def read_lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in (tmp_path / "access.jsonl").read_text("utf-8").splitlines()]

    return read_lines


def save_image(tmp_path: Path, name: str, colour: str) -> str:
    """The path of a local picture."""
    path = tmp_path / name
    path.write_bytes(encode_plain_image(colour=colour))
    return str(path)


async def test_only_what_miaohua_can_do_is_offered(client: Client) -> None:
    """With a provider argument nowhere, as there is one provider."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"generate_image", "outpaint_image", "describe_image", "train_lora", "create_dataset"} <= set(tools)
    assert not {"erase_object", "swap_faces", "upscale_image"} & set(tools)
    assert "provider" not in tools["generate_image"].input_schema["properties"]


async def test_a_local_picture_needs_no_bucket(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    """It is uploaded, and its bytes reach the engine."""
    guide = save_image(tmp_path, "guide.png", "red")
    result = await call(
        "generate_image",
        prompt="a cup",
        image=save_image(tmp_path, "cup.png", "brown"),
        controls=[{"type": "canny", "image": guide}],
        loras=[{"model": "Ink"}],
    )
    assert get_structured(result)["state"] == "succeeded"
    task = engine.get_last_arguments("generate")
    assert task["source"] == encode_plain_image(colour="brown")
    assert task["controls"][0]["image"] == Path(guide).read_bytes()
    assert task["profiles"] == [["ink", 1.0]]


async def test_a_description_is_in_the_text(call: Call, tmp_path: Path) -> None:
    """Where a model reads it."""
    result = await call("describe_image", image=save_image(tmp_path, "a.png", "teal"))
    assert "Teal all over." in get_text(result)


async def test_data_sets_are_made_seen_filled_and_trained_on(call: Call, tmp_path: Path) -> None:
    """And the LoRA that comes of it draws."""
    red, green, blue = (save_image(tmp_path, f"{colour}.png", colour) for colour in ("red", "green", "blue"))
    number = get_structured(await call("create_dataset", name="colours", images=[red, green]))["dataset_id"]
    filled = get_structured(await call("add_dataset_images", dataset_id=number, images=[blue]))["dataset"]
    (dataset,) = get_structured(await call("list_datasets"))["datasets"]
    assert (dataset["name"], dataset["count"], dataset["images"]) == ("colours", 3, [])
    left = await call("remove_dataset_images", dataset_id=number, images=[filled["images"][0]["name"]])
    assert get_structured(left)["dataset"]["count"] == 2
    trained = get_structured(
        await call("train_lora", name="my colours", base="auto", dataset_ids=[number], images=[red])
    )
    result = await call("generate_image", prompt="a cat", loras=[{"model": trained["data"]["model"]}])
    assert get_structured(result)["state"] == "succeeded"


async def test_pictures_of_a_data_set_go_by_their_handles(call: Call, tmp_path: Path) -> None:
    """What is in it is said after every change, and whose it is."""
    handles = [
        get_structured(await call("import_image", image=save_image(tmp_path, f"{colour}.png", colour)))["image"][
            "handle"
        ]
        for colour in ("red", "green", "blue")
    ]
    made = await call("create_dataset", name="colours", images=handles[:2])
    number = get_structured(made)["dataset_id"]
    assert f"Data set {number} at miaohua is made" in get_text(made)
    await call("add_dataset_images", dataset_id=number, images=handles[2:])
    seen = await call("list_datasets", dataset_id=number)
    (dataset,) = get_structured(seen)["datasets"]
    assert [image["handle"] for image in dataset["images"]] == handles
    for image in dataset["images"]:
        assert f"{image['name']}  {image['handle']}" in get_text(seen)
    left = await call("remove_dataset_images", dataset_id=number, images=[handles[0], dataset["images"][1]["link"]])
    assert [image["handle"] for image in get_structured(left)["dataset"]["images"]] == handles[2:]
    refusal = get_refusal(await call("remove_dataset_images", dataset_id=number, images=[handles[0]]))
    assert handles[0] in refusal
    assert handles[2] in refusal
    assert "999" in get_refusal(await call("list_datasets", dataset_id=999))


async def test_handles_of_a_data_set_outlive_the_server(new_client: NewClient, tmp_path: Path) -> None:
    """Another process put them in."""
    async with new_client() as client:
        images = [save_image(tmp_path, "red.png", "red")]
        made = await client.call_tool("create_dataset", {"name": "colours", "images": images})
        dataset = get_structured(made)["dataset"]
    async with new_client() as client:
        seen = await client.call_tool("list_datasets", {"dataset_id": dataset["id"]})
        (image,) = get_structured(seen)["datasets"][0]["images"]
    assert image["handle"] == dataset["images"][0]["handle"]
    assert image["handle"].startswith("img_")


async def test_a_token_that_expires_while_jobs_run_is_renewed(call: Call, site: EmulatorHarness, log: Log) -> None:
    """Once; nothing is submitted again."""
    expired = {"code": 411, "info": "", "msg": "the token has expired"}
    fault = {"kind": "status", "status": 200, "body": expired, "path": "*task_result"}
    await site.call_control("POST", "/faults", fault)
    assert get_structured(await call("generate_image", prompt="a cat"))["state"] == "succeeded"
    paths = [line["path"] for line in log()]
    assert paths.count("/api/v1b/get_token") == 2
    assert paths.count("/api/v1b/task_submit") == 1


async def test_a_busy_status_call_costs_no_job(call: Call, site: EmulatorHarness) -> None:
    """It is asked again."""
    busy = {
        "kind": "status",
        "status": 200,
        "body": {"code": 429, "msg": "too many"},
        "path": "*task_result",
        "times": 2,
    }
    await site.call_control("POST", "/faults", busy)
    assert get_structured(await call("generate_image", prompt="a cat"))["state"] == "succeeded"


async def test_no_balance_is_said_and_not_tried_again(call: Call, site: EmulatorHarness, log: Log) -> None:
    """Who can mend it is not the caller."""
    await site.call_control("PATCH", "/settings", {"miaohua": {"out_of_balance": True}})
    assert "no balance" in get_refusal(await call("generate_image", prompt="a cat"))
    assert [line["path"] for line in log()].count("/api/v1b/task_submit") == 1


async def test_an_older_service_is_understood(call: Call, site: EmulatorHarness, tmp_path: Path) -> None:
    """It has other codes, and wants an upload's token among the files."""
    await site.call_control("PATCH", "/settings", {"miaohua": {"old_codes": True, "token_in_files": True}})
    source = save_image(tmp_path, "cup.png", "brown")
    assert get_structured(await call("generate_image", prompt="a cup", image=source))["state"] == "succeeded"
    await site.call_control("PATCH", "/settings", {"miaohua": {"out_of_balance": True}})
    assert "no balance" in get_refusal(await call("generate_image", prompt="a cat"))


async def test_whatever_the_number_of_jobs_six_status_calls_a_second_are_enough(
    call: Call, site: EmulatorHarness, log: Log
) -> None:
    """Counted by the service, over all its status endpoints."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 1.5})
    results = await asyncio.gather(*(call("generate_image", prompt=f"a cat, number {number}") for number in range(20)))
    assert [get_structured(result)["state"] for result in results] == ["succeeded"] * 20
    lines = log()
    assert [line["path"] for line in lines].count("/api/v1b/get_token") == 1
    times = [datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["path"] in STATUS_PATHS]
    assert times
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 6
