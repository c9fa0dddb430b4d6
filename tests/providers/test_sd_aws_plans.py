"""How a neutral request becomes the parameters of an inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.sd_aws import inference_parameters
from atelier_mcp.server.providers.sd_aws.model_list import SdAwsModelList
from atelier_mcp.server.providers.sd_aws.operation import SdAwsAccount
from atelier_mcp.server.providers.sd_aws.operations.generate import SdAwsGeneration
from atelier_mcp.server.providers.sd_aws.versions import V1_4, V1_7
from atelier_mcp.server.providers.sd_aws.wire import SdAwsCheckpointBody, SdAwsEndpointBody
from atelier_mcp.server.requests.aws import AdvancedOptions
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.clock import AutoAdvanceClock

if TYPE_CHECKING:
    from collections.abc import Sequence


FILES = {
    "Stable-diffusion": ["other.ckpt", "v1-5-pruned.safetensors"],
    "Lora": ["ink.safetensors"],
    "ControlNet": ["control_v11p_sd15_canny.pth", "control_v11p_sd15s2_lineart_anime.pth"],
}


class FilesDialect:
    """A deployment with a few files and endpoints."""

    version = V1_7

    def __init__(self, *endpoints: dict[str, str]) -> None:
        self.rows = endpoints or ({"endpoint_name": "one", "endpoint_status": "InService"},)

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> list[SdAwsCheckpointBody]:
        assert list(states) == ["Active"]
        return [
            SdAwsCheckpointBody.model_validate({"id": "c", "type": kind, "name": FILES.get(kind, [])}) for kind in kinds
        ]

    async def list_folder_files(self, kind: str) -> list[str]:
        return ["of-old.safetensors"] if kind == "Lora" else []

    async def list_endpoints(self) -> list[SdAwsEndpointBody]:
        return [SdAwsEndpointBody.model_validate(row) for row in self.rows]


async def plan_request(
    files: FilesDialect | None = None, *, source: ImageHeader | None = None, **fields: Any
) -> GenerateImage:
    """The request after planning."""

    async def get_dialect() -> Any:
        return files or FilesDialect()

    if "advanced" in fields:
        fields["advanced"] = AdvancedOptions.model_validate(fields["advanced"])
    request = GenerateImage.model_validate({"prompt": "a kite", **fields})
    headers = {"image": source} if source else {}
    nothing: Any = None  # a plan neither sends nor uploads
    account = SdAwsAccount(nothing, get_dialect, SdAwsModelList(get_dialect, clock=AutoAdvanceClock()), nothing)
    plan = await SdAwsGeneration(account).plan(request, headers)
    assert isinstance(plan.request, GenerateImage)
    return plan.request


async def test_what_was_left_open_is_filled_in_as_the_contract_has_it() -> None:
    request = await plan_request()
    body = inference_parameters.build_parameters(request, {})
    assert inference_parameters.list_files(request) == {"Stable-diffusion": ["v1-5-pruned.safetensors"]}
    assert {name: body[name] for name in ("steps", "cfg_scale", "width", "height", "seed", "batch_size", "n_iter")} == {
        "steps": 28, "cfg_scale": 7.0, "width": 512, "height": 512, "seed": -1, "batch_size": 1, "n_iter": 1,
    }  # fmt: skip


async def test_a_lora_is_loaded_and_called_up_in_the_prompt() -> None:
    request = await plan_request(loras=[{"model": "ink", "weight": 0.5}])
    assert inference_parameters.list_files(request)["Lora"] == ["ink.safetensors"]
    assert inference_parameters.build_parameters(request, {})["prompt"] == "a kite <lora:ink:0.5>"


async def test_both_catalogues_of_files_count() -> None:
    request = await plan_request(loras=[{"model": "of-old"}])
    assert inference_parameters.list_files(request)["Lora"] == ["of-old.safetensors"]


async def test_a_source_makes_it_image_to_image_in_its_own_ratio() -> None:
    source = ImageHeader(format="PNG", width=1200, height=800, size_bytes=1000, media_type="image/png")
    request = await plan_request(image="img_source", strength=0.3, source=source)
    body = inference_parameters.build_parameters(request, {"image": "c29...".ljust(8, "=")})
    assert inference_parameters.get_task_type(request) == "img2img"
    assert (body["width"], body["height"], body["denoising_strength"]) == (768, 512, 0.3)
    assert body["init_images"] == ["c29...=="]


async def test_a_control_gets_the_file_of_its_type_and_its_thresholds() -> None:
    control = {"type": "canny", "image": "img_guide", "canny_high": 180, "end": 0.8}
    request = await plan_request(controls=[control], advanced={"control_units": [{"control_mode": "Balanced"}]})
    (unit,) = inference_parameters.build_parameters(request, {"controls[0].image": "Zw=="})["alwayson_scripts"][
        "controlnet"
    ]["args"]
    assert inference_parameters.list_files(request)["ControlNet"] == ["control_v11p_sd15_canny.pth"]
    assert unit == {
        "enabled": True, "module": "canny", "model": "control_v11p_sd15_canny", "weight": 1, "image": "Zw==",
        "guidance_start": 0, "guidance_end": 0.8, "save_detected_map": False,
        "threshold_a": 100, "threshold_b": 180, "control_mode": "Balanced",
    }  # fmt: skip


async def test_a_type_without_a_file_is_refused_before_anything_is_spent() -> None:
    with pytest.raises(InvalidRequest, match="no ControlNet file for lineart"):
        await plan_request(controls=[{"type": "lineart", "image": "img_guide"}])


async def test_advanced_inputs_go_by_their_own_names() -> None:
    advanced = {"sampler_name": "DDIM", "enable_hr": True, "hr_scale": 1.5, "batch_size": 2, "extra_options": [1]}
    body = inference_parameters.build_parameters(await plan_request(samples=4, advanced=advanced), {})
    assert (body["sampler_name"], body["enable_hr"], body["hr_scale"]) == ("DDIM", True, 1.5)
    assert (body["batch_size"], body["n_iter"]) == (2, 2)
    assert body["alwayson_scripts"] == {"extra options": {"args": [1]}}
    assert not {"endpoint", "real_time", "extra_options", "control_units"} & set(body)


NOT_POSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"model": "nothing"}, "model: the deployment has no checkpoint 'nothing'"),
    ({"samples": 3, "advanced": {"batch_size": 2}}, "does not divide"),
    ({"advanced": {"control_units": [{}]}}, "more of them than controls"),
    ({"advanced": {"endpoint": "two"}}, "There is no endpoint two"),
]


@pytest.mark.parametrize(("fields", "says"), NOT_POSSIBLE)
async def test_what_the_deployment_cannot_do_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        await plan_request(**fields)


async def test_an_endpoint_on_its_way_is_waited_for_and_no_second_one_proposed() -> None:
    with pytest.raises(InvalidRequest, match="on its way") as caught:
        await plan_request(FilesDialect({"endpoint_name": "one", "endpoint_status": "Creating"}))
    assert "deploy" not in caught.value.hint


REAL_TIME = {"endpoint_name": "sd-real-time-a", "endpoint_type": "Real-time", "endpoint_status": "InService"}
ASYNC = {"endpoint_name": "sd-async-b", "endpoint_type": "Async", "endpoint_status": "InService"}
COMFY = {"endpoint_name": "comfy-async-c", "endpoint_type": "Async", "endpoint_status": "InService"}


async def test_endpoints_of_comfyui_are_left_alone() -> None:
    """The service takes a picture's job for one of them and never does it."""
    request = await plan_request(FilesDialect(COMFY, ASYNC))
    assert inference_parameters.get_advanced(request).endpoint == "sd-async-b"
    by_type = {**ASYNC, "endpoint_name": "other", "service_type": "comfy"}
    with pytest.raises(InvalidRequest, match="No endpoint is in service"):
        await plan_request(FilesDialect(COMFY, by_type))
    with pytest.raises(InvalidRequest, match="no endpoint comfy-async-c for pictures"):
        await plan_request(FilesDialect(COMFY, ASYNC), advanced={"endpoint": "comfy-async-c"})


async def test_a_job_is_of_the_kind_of_the_endpoint_it_names() -> None:
    """The service does not notice when it is not."""
    files = FilesDialect(ASYNC, REAL_TIME)
    named = await plan_request(files, advanced={"endpoint": "sd-real-time-a"})
    assert inference_parameters.get_advanced(named).real_time
    chosen = await plan_request(files, advanced={"real_time": True})
    assert inference_parameters.get_advanced(chosen).endpoint == "sd-real-time-a"
    with pytest.raises(InvalidRequest, match="not a Real-time one"):
        await plan_request(files, advanced={"endpoint": "sd-async-b", "real_time": True})
    with pytest.raises(InvalidRequest, match="No Real-time endpoint"):
        await plan_request(advanced={"real_time": True})


async def test_an_endpoint_that_is_being_updated_takes_jobs_that_do_not_name_it() -> None:
    files = FilesDialect({**ASYNC, "endpoint_status": "Updating"})
    assert inference_parameters.get_advanced(await plan_request(files)).endpoint is None
    files.version = V1_4
    with pytest.raises(InvalidRequest, match="on its way"):
        await plan_request(files)
