"""Stable Diffusion on AWS as an agent meets it, through an MCP client, in both generations of the middleware."""

from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest
from answers import refusal, structured
from emulated import picture

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.providers.sd_aws import uploads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from emulated import PaintBox, Site
    from mcp import Client

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(params=["2023", "2024"])
async def generation(request: pytest.FixtureRequest, site: Site) -> str:
    """Which generation the emulator is of."""
    await site.control("PATCH", "/settings", {"sd_aws": {"generation": request.param}})
    return request.param


@pytest.fixture
def environ(site: Site, tmp_path: Path) -> dict[str, str]:
    """This service alone, with the tools for it."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "SD_AWS_URL": f"{site.emulator.base_url}/sd_aws/prod",
        "SD_AWS_API_KEY": DEMO_API_KEY,
    }


async def test_from_no_endpoint_to_a_picture_and_back(generation: str, call: Call, engine: PaintBox) -> None:
    assert generation in structured(await call("test_connection"))["done"]
    said = refusal(await call("generate_image", prompt="a kite"))
    assert "deploy_endpoint" in said
    assert "costs money" in said
    endpoint = structured(await call("deploy_endpoint", name="one"))["data"]["endpoint"]
    made = await call("generate_image", prompt="a kite", samples=2, seed=4, advanced={"tiling": True, "batch_size": 1})
    assert len(structured(made)["images"]) == 2
    assert engine.last("generate")["seed"] == 4
    (job,) = structured(await call("list_inference_jobs"))["jobs"]
    (one,) = structured(await call("list_inference_jobs", job_id=job["id"]))["jobs"]
    assert one["parameters"]["tiling"] is True
    assert "exact names" in refusal(await call("delete_endpoints", names=["infer-*"]))
    assert endpoint in structured(await call("delete_endpoints", names=[endpoint]))["done"]
    assert structured(await call("list_endpoints"))["endpoints"] == []


async def test_pictures_become_a_training_and_its_lora_is_there_to_use(
    generation: str, call: Call, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(picture(colour="red" if name == "a" else "blue"))
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert structured(await call("create_aws_dataset", name="kites", files=files))["data"]["files"] == 2
    listed = structured(await call("list_aws_datasets", name="kites"))["datasets"][0]["files"]
    assert [file["name"] for file in listed] == ["a.png", "b.png"]
    base = "v1-5-pruned-emaonly.safetensors"
    if generation == "2023":
        checkpoints = structured(await call("list_checkpoints", kinds=["Stable-diffusion"]))["checkpoints"]
        made = await call("create_training_base", name="base", checkpoint_id=checkpoints[0]["id"])
        base = structured(made)["data"]["base"]
    prepared = structured(await call("create_training", name="kite", base=base, datasets=["kites"]))["data"]
    (waiting,) = structured(await call("list_trainings"))["trainings"]
    assert waiting["state"] == "Initial", "nothing is started by itself"
    structured(await call("start_training", **prepared))
    models = structured(await call("list_models", kind="lora", limit=100))["models"]
    assert any(model["id"].startswith("kite") for model in models)


async def test_an_upload_broken_off_is_finished_by_the_next_server_without_a_part_sent_twice(
    generation: str, site: Site, new_client: NewClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE_OF_WORK_S", 0.0)
    monkeypatch.setattr(uploads, "LEAST_PART_BYTES", 100_000)
    file = tmp_path / "ink.safetensors"
    file.write_bytes(os.urandom(1_950_000))
    halted = {"kind": "status", "status": 503, "method": "PUT", "path": "*/s3/*", "times": 1000}
    async with asyncio.timeout(10), new_client() as client:
        begun = await client.call_tool("add_checkpoint", {"kind": "Lora", "file": str(file), "wait_s": 0})
        job_id = structured(begun)["job_id"]
        while not taken(tmp_path):
            await asyncio.sleep(0)
        await site.control("POST", "/faults", halted)
    assert 0 < len(taken(tmp_path)) < 20
    await site.control("DELETE", "/faults")
    async with new_client() as client:
        ended = structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id], "wait_s": 20}))
    assert ended["jobs"][0]["state"] == "succeeded"
    assert sorted(taken(tmp_path)) == list(range(1, 21))


def taken(folder: Path) -> list[int]:
    """The parts that the storage has acknowledged, in order."""
    lines = [json.loads(line) for line in (folder / "access.jsonl").read_text("utf-8").splitlines()]
    parts = [line for line in lines if line["method"] == "PUT" and "partNumber" in line["query"]]
    return [int(line["query"]["partNumber"]) for line in parts if line["status"] == 200]
