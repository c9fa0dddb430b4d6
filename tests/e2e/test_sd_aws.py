"""Stable Diffusion on AWS as an agent meets it, through an MCP client, in every version of the middleware."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from atelier_mcp.server.providers.sd_aws.uploads import files
from tests.support.emulator_harness import encode_plain_image
from tests.support.server_process import spawn_server
from tests.support.tool_results import get_refusal, get_structured, get_text
from tests.support.upload_files import build_safetensors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

BOUND_S = 30.0
"""For a server in a process of its own, on a machine that does other things, too."""


@pytest.fixture(params=["1.3", "1.4", "1.5", "1.7"])
async def version(request: pytest.FixtureRequest, site: EmulatorHarness) -> str:
    """Which version of the middleware the emulator plays."""
    await site.call_control("PATCH", "/settings", {"sd_aws": {"version": request.param}})
    return request.param


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """This service alone, with the tools for it."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "SD_AWS_URL": f"{site.emulator.base_url}/sd_aws/prod",
        "SD_AWS_API_KEY": DEMO_API_KEY,
    }


async def test_from_no_endpoint_to_a_picture_and_back(version: str, call: Call, engine: FakeEngine) -> None:
    assert f"v{version} " in get_structured(await call("aws_test_connection"))["done"]
    message = get_refusal(await call("generate_image", prompt="a kite"))
    assert "aws_deploy_endpoint" in message
    assert "costs money" in message
    deployed = await call("aws_deploy_endpoint", name="one")
    endpoint = get_structured(deployed)["data"]["endpoint"]
    assert f"Endpoint {endpoint} is InService." in get_text(deployed)
    listed = get_text(await call("aws_list_endpoints"))
    for text in (get_text(deployed), listed):
        assert "ml.g4dn.xlarge" in text or version == "1.3"
        assert "price" in text
        assert endpoint in text
    result = await call(
        "generate_image", prompt="a kite", samples=2, seed=4, advanced={"tiling": True, "batch_size": 1}
    )
    assert len(get_structured(result)["images"]) == 2
    assert engine.get_last_arguments("generate")["seed"] == 4
    (job,) = get_structured(await call("aws_list_inference_jobs"))["jobs"]
    (one,) = get_structured(await call("aws_list_inference_jobs", job_id=job["id"]))["jobs"]
    assert one["parameters"]["parameters"]["tiling"] is True
    assert "exact names" in get_refusal(await call("aws_delete_endpoints", names=["infer-*"]))
    assert endpoint in get_structured(await call("aws_delete_endpoints", names=[endpoint]))["done"]
    left = get_structured(await call("aws_list_endpoints"))["endpoints"]
    assert [row["state"] for row in left] == (["Deleted"] if version == "1.3" else []), "v1.3 keeps the row"


@pytest.mark.parametrize("version", ["1.3", "1.4", "1.7"], indirect=True)
async def test_a_real_time_endpoint_draws_at_once(version: str, call: Call) -> None:
    if version == "1.3":
        assert "no Real-time endpoints" in get_refusal(await call("aws_deploy_endpoint", real_time=True))
        return
    get_structured(await call("aws_deploy_endpoint", real_time=True))
    drawn = await call("generate_image", prompt="a kite", advanced={"real_time": True})
    assert len(get_structured(drawn)["images"]) == 1


@pytest.mark.parametrize("version", ["1.3", "1.7"], indirect=True)
async def test_a_checkpoint_is_uploaded_used_and_disabled(version: str, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "brush.safetensors"
    file.write_bytes(build_safetensors(1000))
    added = get_structured(await call("aws_add_checkpoint", kind="Lora", file=str(file)))["data"]
    assert added["file"] == "brush.safetensors"
    get_structured(await call("aws_deploy_endpoint"))
    drawn = await call("generate_image", prompt="a kite", loras=[{"model": "brush"}])
    assert len(get_structured(drawn)["images"]) == 1
    get_structured(await call("aws_disable_checkpoint", checkpoint_id=added["checkpoint_id"]))
    listed = get_structured(await call("aws_list_checkpoints", kinds=["Lora"], states=["Disabled"]))["checkpoints"]
    assert [row["id"] for row in listed] == [added["checkpoint_id"]]
    assert "no lora 'brush'" in get_refusal(await call("generate_image", prompt="a kite", loras=[{"model": "brush"}]))


async def test_pictures_and_captions_become_a_training_and_its_file_is_there_to_use(
    version: str, call: Call, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(encode_plain_image(colour="red" if name == "a" else "blue"))
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    created = await call("aws_create_dataset", name="kites", files=files, captions=["a red kite", "a blue kite"])
    assert get_structured(created)["data"]["files"] == 2
    listed = get_structured(await call("aws_list_datasets", name="kites"))["datasets"][0]["files"]
    assert sorted(file["name"] for file in listed) == ["a.png", "a.txt", "b.png", "b.txt"]
    assert "there is a data set kites" in get_refusal(await call("aws_create_dataset", name="kites", files=files))
    base = "v1-5-pruned-emaonly.safetensors"
    if version in ("1.3", "1.4"):
        checkpoints = get_structured(await call("aws_list_checkpoints", kinds=["Stable-diffusion"]))["checkpoints"]
        result = await call("aws_create_training_base", name="base", checkpoint_id=checkpoints[0]["id"])
        base = get_structured(result)["data"]["base"]
    before = {row["id"] for row in get_structured(await call("aws_list_checkpoints"))["checkpoints"]}
    prepared = get_structured(await call("aws_create_training", name="kite", base=base, datasets=["kites"]))["data"]
    (waiting,) = get_structured(await call("aws_list_trainings"))["trainings"]
    assert waiting["state"] == "Initial", "nothing is started by itself"
    get_structured(await call("aws_start_training", **prepared))
    after = get_structured(await call("aws_list_checkpoints", states=["Active"]))["checkpoints"]
    assert len([row for row in after if row["id"] not in before]) == 1


@pytest.mark.parametrize("version", ["1.3", "1.7"], indirect=True)
async def test_an_upload_broken_off_is_finished_by_the_next_server_without_a_part_sent_twice(
    version: str, site: EmulatorHarness, new_client: NewClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MIN_PART_BYTES", 100_000)
    file = tmp_path / "brush.safetensors"
    file.write_bytes(build_safetensors(1_950_000))
    storage = {"method": "PUT", "path": "*/s3/*"}
    await site.call_control("POST", "/faults", {**storage, "kind": "slow", "delay_s": 0, "times": 3})
    await site.call_control("POST", "/faults", {**storage, "kind": "status", "status": 503, "times": 1000})
    async with asyncio.timeout(10), new_client() as client:
        started = await client.call_tool("aws_add_checkpoint", {"kind": "Lora", "file": str(file), "wait_s": 0})
        job_id = get_structured(started)["job_id"]
        while len(list_acknowledged_parts(tmp_path)) < 3:
            await asyncio.sleep(0)
    assert list_acknowledged_parts(tmp_path) == [1, 2, 3]
    await site.call_control("DELETE", "/faults")
    async with new_client() as client:
        finished = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id], "wait_s": 20}))
    assert finished["jobs"][0]["state"] == "succeeded"
    assert sorted(list_acknowledged_parts(tmp_path)) == list(range(1, 21))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_an_upload_whose_server_was_killed_goes_on_with_the_parts_that_are_missing(
    environ: dict[str, str], site: EmulatorHarness, tmp_path: Path
) -> None:
    """Nothing was said goodbye to: the state on the disk is all that the next server has."""
    file = tmp_path / "brush.safetensors"
    file.write_bytes(build_safetensors(2 * files.MIN_PART_BYTES + 1))
    storage = {"method": "PUT", "path": "*/s3/*"}
    await site.call_control("POST", "/faults", {**storage, "kind": "slow", "delay_s": 0, "times": 2})
    await site.call_control("POST", "/faults", {**storage, "kind": "status", "status": 503, "times": 1000})
    pid_file, job_id = tmp_path / "pid", ""
    try:
        async with asyncio.timeout(BOUND_S), spawn_server(environ, pid_file=pid_file) as client:
            started = await client.call_tool("aws_add_checkpoint", {"kind": "Lora", "file": str(file), "wait_s": 0})
            job_id = get_structured(started)["job_id"]
            while 503 not in [line["status"] for line in list_sent_parts(tmp_path)]:
                await asyncio.sleep(0.02)
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert job_id, "the server was killed on purpose, but only after it had answered"
    await site.call_control("DELETE", "/faults")
    async with asyncio.timeout(BOUND_S), spawn_server(environ) as client:
        finished = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [job_id], "wait_s": 15}))
    assert finished["jobs"][0]["state"] == "succeeded"
    assert list_acknowledged_parts(tmp_path) == [1, 2, 3]


def list_acknowledged_parts(folder: Path) -> list[int]:
    """The parts that the storage has acknowledged, in order."""
    return [int(line["query"]["partNumber"]) for line in list_sent_parts(folder) if line["status"] == 200]


def list_sent_parts(folder: Path) -> list[dict[str, Any]]:
    """What the emulator logged of every part that came, in order."""
    lines = [json.loads(line) for line in (folder / "access.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if line["method"] == "PUT" and "partNumber" in line["query"]]
