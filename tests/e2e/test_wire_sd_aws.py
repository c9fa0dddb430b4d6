"""What Stable Diffusion on AWS takes is sent through an MCP client, but for what ``NEVER_SENT`` names."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio
import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured
from tests.support.upload_files import build_safetensors
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness

    Call = Callable[..., Awaitable[types.CallToolResult]]

SETTINGS: Final = {"sd_aws": {"version": "1.3"}}
"""The emulator as the version whose calls are measured."""
NEVER_SENT: Final = {
    **dict.fromkeys(
        (f"inference_v2/{name}" for name in ("do_not_save_samples", "do_not_save_grid", "send_images", "save_images")),
        "what a worker keeps and sends back is as the service needs it",
    ),
    **dict.fromkeys(
        (
            f"inference_v2/alwayson_scripts.controlnet.args[].{name}"
            for name in ("is_ui", "input_mode", "batch_images", "output_dir", "loopback")
        ),
        "of the web page that the extension belongs to",
    ),
    "run_model_merge": "printed, but no version that answered has it",
    **dict.fromkeys(
        (f"create_checkpoint/params.{name}" for name in ("new_model_name", "number", "string")),
        "keys of the sample that stand for any others",
    ),
    "create_training/filenames": "no tool takes a training's own configuration files",
    "list_checkpoints/username": "everything is listed, and the service shows what the account may use",
    "list_endpoints/username": "everything is listed, and the service shows what the account may use",
    "list_endpoints/endpointDeploymentJobId": "one deployment is asked about by get_endpoint_deployment_job",
    "presign_upload/s3_bucket_name": "the deployment's own bucket is the default, and the one that is tested",
}
OTHER_PATHS: Final = {"create_training": ("POST", "/train")}
"""Where calls are deployed that are printed elsewhere."""
CHECKPOINT: Final = "v1-5-pruned-emaonly.safetensors"
CONTROL_UNIT: Final[dict[str, Any]] = {
    "resize_mode": "Just Resize", "control_mode": "My prompt is more important", "processor_res": 512,
    "threshold_a": 10, "threshold_b": 20, "pixel_perfect": True, "low_vram": True,
    "model": "control_v11p_sd15_canny.pth",
}  # fmt: skip
ADVANCED: Final[dict[str, Any]] = {
    "sampler_name": "DDIM", "batch_size": 1, "vae": "soft.safetensors", "embeddings": ["style.safetensors"],
    "hypernetworks": ["softlight.pt"], "control_units": [CONTROL_UNIT], "enable_hr": True, "denoising_strength": 0.5,
    "firstphase_width": 512, "firstphase_height": 512, "hr_scale": 1.5, "hr_upscaler": "R-ESRGAN 4x+",
    "hr_second_pass_steps": 10, "hr_resize_x": 640, "hr_resize_y": 704, "hr_sampler_name": "DDIM",
    "hr_prompt": "a kite", "hr_negative_prompt": "rain", "styles": ["plain"], "subseed": 3, "subseed_strength": 0.2,
    "seed_resize_from_w": 512, "seed_resize_from_h": 512, "restore_faces": True, "tiling": True, "eta": 0.1,
    "s_min_uncond": 0.1, "s_churn": 1, "s_tmin": 0.1, "s_tmax": 2, "s_noise": 1.1, "script_name": "plain",
    "script_args": [1], "override_settings": {"CLIP_stop_at_last_layers": 2},
    "override_settings_restore_afterwards": False, "extra_options": [1],
}  # fmt: skip
"""Every input that only this service has."""


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


def save_image(tmp_path: Path, colour: str) -> str:
    """The path of a local picture of one colour."""
    path = tmp_path / f"{colour}.png"
    path.write_bytes(encode_plain_image(colour=colour))
    return str(path)


def save_file(tmp_path: Path, name: str) -> str:
    """The path of a local file that could be a checkpoint."""
    path = tmp_path / name
    path.write_bytes(build_safetensors())
    return str(path)


@asynccontextmanager
async def serve_file(data: bytes) -> AsyncGenerator[str]:
    """A link to a file, as long as the block lasts."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/style.safetensors"


@pytest.mark.wire_coverage
async def test_calls_and_parameters_of_the_aws_middleware_are_sent(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    """An inference's parameters count whether they are in the call or in the file that is uploaded for it."""
    await site.call_control("PATCH", "/settings", SETTINGS)
    get_structured(await call("aws_test_connection", storage=True))
    async with anyio.create_task_group() as group:
        group.start_soon(_train, call, tmp_path)
        group.start_soon(_make_images, call, site, tmp_path)
    entries = map(move_parameter_file, await read_whole_log(site, tmp_path / "access.jsonl"))
    check_coverage("sd_aws", entries, exceptions=NEVER_SENT, other_paths=OTHER_PATHS)


def move_parameter_file(entry: dict[str, Any]) -> dict[str, Any]:
    """The upload of a parameter file as a part of the call it was uploaded for; any other entry as it is."""
    is_parameter_file = entry["method"] == "PUT" and entry["path"].endswith("/api_param.json")
    return {**entry, "method": "POST", "path": "/prod/inference/v2"} if is_parameter_file else entry


async def _make_images(call: Call, site: EmulatorHarness, tmp_path: Path) -> None:
    """From files and an endpoint to pictures, and the endpoint is given up."""
    async with serve_file(b"a style" * 100) as link, anyio.create_task_group() as group:
        group.start_soon(_add_checkpoint, call, {"kind": "embeddings", "links": [link]})
        for kind, name in (("Lora", "kite.safetensors"), ("VAE", "soft.safetensors")):
            group.start_soon(_add_checkpoint, call, {"kind": kind, "file": save_file(tmp_path, name)})
    await _look_through_files(call)
    endpoint = await _deploy(call, site)
    await _draw(call, tmp_path, endpoint)
    get_structured(await call("aws_delete_endpoints", names=[endpoint]))


async def _add_checkpoint(call: Call, source: dict[str, Any]) -> None:
    added = await call("aws_add_checkpoint", **source, description="for a test")
    assert get_structured(added)["state"] == "succeeded"


async def _look_through_files(call: Call) -> None:
    """Checkpoints are listed, merged and taken out of use."""
    for kind in ("checkpoint", "lora", "embedding", "hypernetwork", "controlnet", "training_base"):
        get_structured(await call("list_models", kind=kind))
    loras = get_structured(await call("aws_list_checkpoints", kinds=["Lora"], states=["Active"]))["checkpoints"]
    added = next(row["id"] for row in loras if "kite.safetensors" in str(row))
    get_structured(await call("aws_disable_checkpoint", checkpoint_id=added))
    names = {"primary": CHECKPOINT, "secondary": "sd_xl_base_1.0.safetensors", "tertiary": "a third.safetensors"}
    # No version of the service that answered has this call (contract: run_model_merge.unusable).
    assert "cannot merge models" in get_refusal(await call("aws_merge_models", **names))


async def _deploy(call: Call, site: EmulatorHarness) -> str:
    """An endpoint with a name of its own, after one that could not be deployed and is asked why."""
    fault = {"kind": "failed", "reason": "no quota", "method": "POST", "path": "*/endpoints"}
    await site.call_control("POST", "/faults", fault)
    # Why is lost at the service (contract: conventions.states.endpoint).
    assert "gave no reason" in get_refusal(await call("aws_deploy_endpoint", name="none"))
    deployed = await call(
        "aws_deploy_endpoint", name="one", instance_type="ml.g4dn.2xlarge", instances=2, autoscaling=True,
        roles=["IT Operator"],
    )  # fmt: skip
    get_structured(await call("aws_list_endpoints"))
    return get_structured(deployed)["data"]["endpoint"]


async def _draw(call: Call, tmp_path: Path, endpoint: str) -> None:
    """Every input of an inference, from words and from a picture; then the service's own record of one."""
    guide = save_image(tmp_path, "brown")
    arguments: dict[str, Any] = {
        "prompt": "a kite", "negative_prompt": "rain", "samples": 2, "seed": 4, "model": CHECKPOINT, "steps": 20,
        "guidance": 5, "width": 640, "height": 704, "loras": [{"model": "ink.safetensors", "weight": 0.7}],
        "controls": [{"type": "canny", "image": guide, "start": 0.1, "end": 0.9, "weight": 0.5}],
        "advanced": {**ADVANCED, "endpoint": endpoint},
    }  # fmt: skip
    for more in ({}, {"image": guide, "strength": 0.4, "advanced": {"endpoint": endpoint}}):
        drawn = await call("generate_image", **{**arguments, **more})
        assert get_structured(drawn)["state"] == "succeeded"
    job, *_ = get_structured(await call("aws_list_inference_jobs"))["jobs"]
    get_structured(await call("aws_list_inference_jobs", job_id=job["id"]))


async def _train(call: Call, tmp_path: Path) -> None:
    """A base is made of a file, pictures become data sets, and a training is written down and run."""
    base = await call("aws_create_training_base", name="base", file=save_file(tmp_path, "base.safetensors"))
    assert get_structured(base)["state"] == "succeeded"
    checkpoints = get_structured(await call("aws_list_checkpoints", kinds=["Stable-diffusion"]))["checkpoints"]
    known = next(row["id"] for row in checkpoints if CHECKPOINT in str(row))
    assert (
        get_structured(await call("aws_create_training_base", name="known", checkpoint_id=known))["state"]
        == "succeeded"
    )
    get_structured(await call("aws_list_training_bases", states=["Complete"]))
    for name in ("kites", "things"):
        files = [save_image(tmp_path, colour) for colour in ("red", "blue")]
        get_structured(await call("aws_create_dataset", name=name, files=files))
    get_structured(await call("aws_list_datasets", states=["Enabled"]))
    get_structured(await call("aws_list_datasets", name="kites"))
    prepared = await call(
        "aws_create_training", name="kite", base=get_structured(base)["data"]["base"], datasets=["kites"],
        class_datasets=["things"], instance_type="ml.g5.2xlarge", prompt="a kite", class_prompt="a thing", epochs=10,
    )  # fmt: skip
    get_structured(await call("aws_list_trainings", states=["Initial"]))
    trained = await call("aws_start_training", training_id=get_structured(prepared)["data"]["training_id"])
    assert get_structured(trained)["state"] == "succeeded"
