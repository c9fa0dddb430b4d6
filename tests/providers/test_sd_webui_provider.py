"""A WebUI against a script: which server it is, what is sent to it, and what is made of what it says."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import (
    AtelierError,
    ConfigurationError,
    InvalidRequest,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.images.finish_plan import Reframe
from atelier_mcp.server.images.probe import ImageHeader
from atelier_mcp.server.providers.base import TaskFailed, TaskPending, TaskRunning, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.operation import JobOperation
from atelier_mcp.server.providers.sd_webui.advanced import SdWebuiOptions
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.requests.edit import CutOutSubject, InpaintImage, OutpaintImage, UpscaleImage
from atelier_mcp.server.requests.faces import SwapFaces
from atelier_mcp.server.requests.understand import DescribeImage
from atelier_mcp.server.testing import provider_calls
from tests.support.sd_webui_script import (
    CHECKPOINTS,
    IMAGE,
    IMG2IMG,
    REQUEST,
    TASK,
    TXT2IMG,
    build_drawing,
    create_webui,
    encode_colour,
    script_server,
    set_answers,
)
from tests.support.upstream_script import UpstreamScript, build_response

if TYPE_CHECKING:
    import httpx2

    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.sd_webui.provider import SdWebuiProvider
    from atelier_mcp.server.requests.base import Request
    from tests.support.clock import AutoAdvanceClock

SOURCE = ImageHeader("PNG", "image/png", 321, 257, 1000)
SWAP = SwapFaces.model_validate({"image": "img_a", "faces": [{"image": "img_b"}]})
CUT_OUT = CutOutSubject.model_validate({"image": "img_a"})


async def plan(provider: SdWebuiProvider, request: Request, **headers: ImageHeader) -> Plan:
    return await provider_calls.plan(provider, request, headers)


def generate(**fields: Any) -> GenerateImage:
    advanced = fields.pop("advanced", None)
    options = None if advanced is None else SdWebuiOptions.model_validate(advanced)
    request = GenerateImage.model_validate({"prompt": "a kite", **fields})
    return request.model_copy(update={"advanced": options})


async def send(provider: SdWebuiProvider, script: UpstreamScript, request: Request, **images: str) -> dict[str, Any]:
    """The body of the call that a request makes, from plan to wire."""
    headers = dict.fromkeys(images, SOURCE)
    planned = await provider_calls.plan(provider, request, headers)
    script.requests.clear()
    await provider_calls.submit(provider, planned.sent_request or planned.request, images)
    (sent,) = [sent for sent in script.requests if sent.path in (TXT2IMG, IMG2IMG)]
    return sent.body


async def test_a_call_is_named_by_its_job_and_has_a_seed_of_ours(
    webui: SdWebuiProvider, script: UpstreamScript
) -> None:
    body = await send(webui, script, generate(samples=3, seed=5))
    assert body["force_task_id"].startswith("task(")
    assert (body["seed"], body["n_iter"], body["batch_size"]) == (5, 3, 1)
    assert (await plan(webui, generate())).needs_seed
    outpainting = OutpaintImage.model_validate({"image": "img_a"})
    assert (await send(webui, script, outpainting, image=IMAGE))["seed"] >= 0


async def test_sd_next_is_sent_no_task_id(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    set_answers(script, {"/sdapi/v1/version": {}, "/sdapi/v1/progress": {"progress": 0.5}})
    assert "force_task_id" not in await send(webui, script, generate())


async def test_loras_are_tags_but_for_the_server_that_takes_a_field(
    webui: SdWebuiProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    request = generate(loras=[{"model": "Ink drawing", "weight": 0.8}])
    assert (await send(webui, script, request))["prompt"] == "a kite <lora:ink:0.8>"
    set_answers(script, {"/v1/models": {"data": [{"id": "sd-cpp-local"}]}, "/sdapi/v1/progress": None})
    other = create_webui(script, clock)
    body = await send(other, script, request)
    await other.close()
    assert (body["prompt"], body["lora"]) == ("a kite", [{"path": "ink", "multiplier": 0.8}])


@pytest.mark.parametrize(
    ("fields", "settings", "restores"),
    [
        ({}, None, None),
        ({"model": "sd_xl_base"}, {"sd_model_checkpoint": "sd_xl_base"}, False),
        ({"model": "DD33ee44ff".lower()}, {"sd_model_checkpoint": "sd_xl_base"}, False),
        ({"advanced": {"clip_skip": 2}}, {"CLIP_stop_at_last_layers": 2}, True),
        (
            {"model": "v1-5", "advanced": {"vae": "soft.safetensors"}},
            {"sd_vae": "soft.safetensors", "sd_model_checkpoint": "v1-5"},
            True,
        ),
        (
            {"advanced": {"override_settings": {"eta": 1}, "override_settings_restore_afterwards": False}},
            {"eta": 1},
            False,
        ),
    ],
    ids=str,
)
async def test_a_checkpoint_stays_loaded_and_other_settings_are_put_back(
    webui: SdWebuiProvider, script: UpstreamScript, fields: dict[str, Any], settings: Any, restores: Any
) -> None:
    body = await send(webui, script, generate(**fields))
    assert (body.get("override_settings"), body.get("override_settings_restore_afterwards")) == (settings, restores)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"model": "nobody"}, "model: the WebUI has no checkpoint 'nobody'; there is v1-5, sd_xl_base."),
        ({"loras": [{"model": "nobody"}]}, "loras[0].model: the WebUI has no lora"),
        ({"advanced": {"sampler_name": "k_euler"}}, "advanced.sampler_name: the WebUI has no sampler"),
        ({"advanced": {"scheduler": "nobody"}}, "advanced.scheduler"),
        ({"advanced": {"enable_hr": True, "hr_upscaler": "nobody"}}, "advanced.hr_upscaler"),
        (
            {"controls": [{"type": "openpose", "image": "img_a"}]},
            "controls[0].type: the WebUI has no model for openpose",
        ),
        ({"controls": [{"type": "canny", "image": "img_a", "pre_processor": "x"}]}, "controls[0].pre_processor"),
        ({"width": 4000}, "width, height: 4000x4000 is too large; at most 2048"),
        ({"advanced": {"hr_scale": 2}}, "advanced.hr_scale: it is of the second pass"),
        ({"image": "img_a", "advanced": {"enable_hr": True}}, "advanced.enable_hr: with a source picture"),
        ({"advanced": {"resize_mode": "Just Resize"}}, "advanced.resize_mode: it needs a source picture"),
        ({"samples": 3, "advanced": {"batch_size": 2}}, "advanced.batch_size: 2 does not divide 3 samples"),
        ({"advanced": {"control_units": [{"low_vram": True}]}}, "advanced.control_units: there are more"),
    ],
    ids=str,
)
async def test_what_it_has_not_or_would_ignore_is_refused(
    webui: SdWebuiProvider, fields: dict[str, Any], place: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await plan(webui, generate(**fields))
    assert caught.value.message.startswith(place)


async def test_a_file_that_was_just_put_there_is_found(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    """The server looks into its folders when it is told to."""
    await plan(webui, generate(model="v1-5"))
    new = {"title": "fresh.safetensors [00]", "model_name": "fresh"}
    script.set_steps("/sdapi/v1/sd-models", build_response(json.dumps([*CHECKPOINTS, new])))
    assert getattr((await plan(webui, generate(model="fresh"))).request, "model", "") == "fresh"
    assert "/sdapi/v1/refresh-checkpoints" in script.list_paths()


@pytest.mark.parametrize(
    ("fields", "size", "sent"),
    [
        ({}, (512, 512), (512, 512)),
        ({"model": "sd_xl_base"}, (1024, 1024), (1024, 1024)),
        ({"aspect": "16:9"}, (912, 512), (912, 512)),
        ({"width": 500, "height": 301}, (500, 301), (504, 304)),
    ],
)
async def test_sizes_are_exact_whatever_steps_it_draws_in(
    webui: SdWebuiProvider, fields: dict[str, Any], size: tuple[int, int], sent: tuple[int, int]
) -> None:
    planned = await plan(webui, generate(**fields))
    assert isinstance(planned.request, GenerateImage)
    assert isinstance(planned.sent_request, GenerateImage)
    assert (planned.request.width, planned.request.height) == size
    assert (planned.sent_request.width, planned.sent_request.height) == sent
    expected = None if size == sent else Reframe(size=size, canvas=sent, region=(0, 0, *size))
    assert planned.finish == expected


async def test_a_control_is_sent_with_its_model_and_its_words(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    units = [{"control_mode": "My prompt is more important", "hr_option": "Both"}]
    controls = [{"type": "canny", "image": "img_a", "weight": 0.7, "end": 0.8}, {"type": "depth", "image": "img_a"}]
    request = generate(controls=controls, advanced={"control_units": units})
    body = await send(webui, script, request, **{"controls[0].image": IMAGE, "controls[1].image": IMAGE})
    canny, depth = body["alwayson_scripts"]["controlnet"]["args"]
    assert canny == {
        "enabled": True, "module": "canny", "model": "canny_sd15 [d14c016b]", "weight": 0.7, "image": IMAGE,
        "guidance_start": 0, "guidance_end": 0.8, "save_detected_map": False, "pixel_perfect": True,
        "threshold_a": 100, "threshold_b": 200, "control_mode": "My prompt is more important", "hr_option": "Both",
    }  # fmt: skip
    assert (depth["module"], depth["model"]) == ("depth_midas", "depth_sd15 [cfd03158]")


async def test_a_source_is_redrawn_at_the_size_that_was_asked_for(
    webui: SdWebuiProvider, script: UpstreamScript
) -> None:
    body = await send(webui, script, generate(image="img_a", strength=0.4), image=IMAGE)
    assert (body["init_images"], body["denoising_strength"], body["resize_mode"]) == ([IMAGE], 0.4, 1)
    assert (body["width"], body["height"]) == (640, 512), "by the source's ratio, and never the server's 512"


async def test_a_mask_is_turned_and_the_marked_part_alone_is_worked_on(
    webui: SdWebuiProvider, script: UpstreamScript
) -> None:
    request = InpaintImage.model_validate({"image": "img_a", "mask": "img_b", "prompt": "a boat", "samples": 2})
    source, mask = encode_colour("teal", (321, 257)), encode_colour("black", (321, 257))
    body = await send(webui, script, request, image=source, mask=mask)
    assert (body["mask"], body["inpainting_mask_invert"]) == (mask, 1)
    assert (body["inpainting_fill"], body["inpaint_full_res"], body["inpaint_full_res_padding"]) == (1, True, 32)
    assert (body["width"], body["height"], body["n_iter"]) == (328, 264, 2)
    assert (await plan(webui, request, image=SOURCE, mask=SOURCE)).finish == Reframe(size=(321, 257))


async def test_a_canvas_that_is_too_large_is_drawn_smaller(script: UpstreamScript, clock: AutoAdvanceClock) -> None:
    script_server(script)
    webui = create_webui(script, clock, SD_WEBUI_MAX_SIDE="512")
    planned = await plan(webui, OutpaintImage.model_validate({"image": "img_a", "right": 679}), image=SOURCE)
    await webui.close()
    assert isinstance(planned.sent_request, OutpaintImage)
    assert (planned.sent_request.width, planned.sent_request.height) == (512, 136)
    assert isinstance(planned.finish, Reframe)
    assert (planned.finish.size, planned.finish.source) == ((1000, 257), "image")
    assert planned.image_rules["image"].resize_to == (164, 132)


@pytest.mark.parametrize(
    ("info", "note"),
    [
        ({"sd_model_name": "v1-5"}, "with the checkpoint v1-5 instead of sd_xl_base"),
        ({"sd_model_name": "sd_xl_base", "sampler_name": "DPM++ 2M"}, "with the sampler DPM++ 2M instead of Euler"),
        (
            {"sd_model_name": "sd_xl_base", "extra_generation_params": {"Schedule type": "Automatic"}},
            "with the scheduler Automatic instead of karras",
        ),
    ],
)
async def test_a_silent_replacement_is_told(
    webui: SdWebuiProvider, script: UpstreamScript, info: dict[str, Any], note: str
) -> None:
    script.set_steps(TXT2IMG, build_drawing(**info))
    advanced = {"sampler_name": "Euler", "scheduler": "karras"}
    planned = await plan(webui, generate(model="sd_xl_base", advanced=advanced))
    done = await provider_calls.submit(webui, planned.request)
    assert isinstance(done, TaskSucceeded)
    assert [text for text in done.data["notes"] if note in text]


async def test_nothing_is_told_where_it_drew_as_it_was_asked(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    said = {"Schedule type": "Karras"}
    script.set_steps(
        TXT2IMG, build_drawing(sd_model_name="v1-5", sampler_name="DPM++ 2M Karras", extra_generation_params=said)
    )
    request = generate(model="v1-5", advanced={"sampler_name": "DPM++ 2M", "scheduler": "karras"})
    done = await provider_calls.submit(webui, (await plan(webui, request)).request)
    assert isinstance(done, TaskSucceeded)
    assert done.data == {}


@pytest.mark.parametrize("info", ["", {"index_of_first_image": 1, "all_seeds": [7, 8]}, '{"index_of_first_image": 1}'])
async def test_grids_and_maps_are_no_results(webui: SdWebuiProvider, script: UpstreamScript, info: Any) -> None:
    """A grid may come first, maps come last; what is said of them may be text, an object or nothing."""
    one, two = encode_colour("red"), f"data:image/png;base64,{encode_colour('blue')}"
    images = [one, two, IMAGE] if info == "" else [IMAGE, one, two, IMAGE]
    script.set_steps(TXT2IMG, build_response({"images": images, "info": info}))
    done = await provider_calls.submit(webui, (await plan(webui, generate(samples=2))).request)
    assert isinstance(done, TaskSucceeded)
    assert [base64.b64encode(output.data or b"").decode() for output in done.outputs] == [one, encode_colour("blue")]


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (build_response({"images": [], "info": ""}), UpstreamFailed),
        (
            build_response({"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"}, 500),
            UpstreamFailed,
        ),
        (build_response({"error": "RuntimeError", "detail": "", "message": "broken"}, 500), UpstreamFailed),
        *((build_response("<html>", status), SubmitUnconfirmed) for status in (408, 409, 460, 499, 502, 504)),
        (build_response({"info": ""}), SubmitUnconfirmed),
        (build_response({"detail": "Not Found"}, 404), ConfigurationError),
        (build_response({"detail": [{"loc": ["body", "steps"], "msg": "bad", "type": "x"}]}, 422), InvalidRequest),
    ],
    ids=lambda value: getattr(value, "text", None),
)
async def test_only_what_was_certainly_refused_or_failed_is_said_to_be(
    webui: SdWebuiProvider, script: UpstreamScript, answer: httpx2.Response, error_class: type[AtelierError]
) -> None:
    script.set_steps(TXT2IMG, answer)
    with pytest.raises(error_class) as caught:
        await provider_calls.submit(webui, REQUEST)
    assert type(caught.value) is error_class


async def test_out_of_memory_advises_a_smaller_size(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    script.set_steps(TXT2IMG, build_response({"error": "OutOfMemoryError", "detail": "", "errors": ""}, 500))
    with pytest.raises(UpstreamFailed) as caught:
        await provider_calls.submit(webui, REQUEST)
    assert "smaller size" in caught.value.hint


@pytest.mark.parametrize(
    ("task", "progress", "expected"),
    [
        ({"queued": True}, {}, TaskPending),
        ({"active": True, "progress": 0.5}, {"state": {"job_count": 1}}, TaskRunning),
        ({"active": True}, {"progress": 0, "state": {"job_count": 0, "job": ""}}, UpstreamFailed),
        ({"completed": True}, {}, UpstreamFailed),
        ({}, {}, SubmitUnconfirmed),
        (None, {}, SubmitUnconfirmed),
    ],
    ids=str,
)
async def test_a_lost_call_is_asked_about_by_its_task_id(
    webui: SdWebuiProvider, script: UpstreamScript, task: Any, progress: dict[str, Any], expected: type[Any]
) -> None:
    """A task that failed stays at work by name; then nothing else is at work."""
    set_answers(script, {TASK: task, "/sdapi/v1/progress": progress})
    snapshot = (await webui.poll([UpstreamTask("task(job_x)", "drawing")]))["task(job_x)"]
    assert isinstance(snapshot.reason if isinstance(snapshot, TaskFailed) else snapshot, expected)
    assert script.requests[0].body["id_task"] == "task(job_x)"


@pytest.mark.parametrize(
    ("task", "stopped"), [({"active": True}, True), ({"queued": True}, False), ({}, False), (None, False)], ids=str
)
async def test_only_a_job_that_is_certainly_at_work_is_interrupted(
    webui: SdWebuiProvider, script: UpstreamScript, task: Any, stopped: bool
) -> None:
    """An interrupt would hit whoever is."""
    set_answers(script, {TASK: task, "/sdapi/v1/interrupt": {}})
    assert await webui.cancel(UpstreamTask("task(job_x)", "drawing")) is stopped
    assert ("/sdapi/v1/interrupt" in script.list_paths()) is stopped


async def test_all_calls_share_one_place(webui: SdWebuiProvider) -> None:
    """The server works on one at a time, and what waits there cannot be cancelled."""
    operations = [operation for operation in webui.operations.values() if isinstance(operation, JobOperation)]
    assert len(operations) == 7
    assert len({id(operation.call_slots) for operation in operations}) == 1


@pytest.mark.parametrize(
    ("request_", "path", "name"), [(SWAP, "/reactor/models", "ReActor"), (CUT_OUT, "/rembg", "rembg")]
)
async def test_an_extension_that_is_missing_is_named_and_found_when_it_comes(
    webui: SdWebuiProvider, script: UpstreamScript, request_: Request, path: str, name: str
) -> None:
    set_answers(script, {path: None})
    with pytest.raises(InvalidRequest, match=name):
        await plan(webui, request_, image=SOURCE)
    script_server(script)
    assert await plan(webui, request_, image=SOURCE)


async def test_a_swap_that_changed_nothing_is_no_result(webui: SdWebuiProvider, script: UpstreamScript) -> None:
    request = (await plan(webui, SWAP, image=SOURCE)).request
    images = {"image": IMAGE, "faces[0].image": IMAGE}
    script.set_steps("/reactor/image", build_response({"image": IMAGE}))
    with pytest.raises(UpstreamFailed, match="no face 0"):
        await provider_calls.submit(webui, request, images)
    script.set_steps("/reactor/image", build_response({"image": encode_colour("red")}))
    assert isinstance(await provider_calls.submit(webui, request, images), TaskSucceeded)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (DescribeImage.model_validate({"image": "img_a", "question": "who?"}), "answers no question"),
        (CutOutSubject.model_validate({"image": "img_a", "mask": "img_b"}), "marks can only limit it"),
        (SWAP.model_copy(update={"likeness": 0.5}), "likeness: A WebUI's ReActor does not have that"),
        (UpscaleImage.model_validate({"image": "img_a", "model": "nobody"}), "no upscaler 'nobody'"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.capability,
)
async def test_other_capabilities_refuse_what_they_cannot_do(
    webui: SdWebuiProvider, request_: Request, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        await plan(webui, request_, image=SOURCE)


async def test_a_very_large_picture_is_enlarged_in_tiles_by_one_call(
    webui: SdWebuiProvider, script: UpstreamScript
) -> None:
    large = ImageHeader("PNG", "image/png", 3000, 1000, 1000)
    planned = await plan(webui, UpscaleImage.model_validate({"image": "img_a", "ratio": 2}), image=large)
    assert len(planned.tiles["image"]) == 2
    script.set_steps("/sdapi/v1/extra-batch-images", build_response({"images": [IMAGE, IMAGE], "html_info": ""}))
    done = await provider_calls.submit(webui, planned.request, {"image[0]": IMAGE, "image[1]": IMAGE})
    assert isinstance(done, TaskSucceeded)
    assert len(done.outputs) == 2
    assert script.requests[-1].body["upscaler_1"] == "R-ESRGAN 4x+"


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        ("checkpoint", ["v1-5", "sd_xl_base"]),
        ("lora", ["ink"]),
        ("sampler", ["DPM++ 2M", "Euler"]),
        ("scheduler", ["automatic", "karras"]),
        ("controlnet", ["canny", "depth", "reference_only"]),
        ("upscale", ["None", "Lanczos", "R-ESRGAN 4x+"]),
        ("vae", ["soft.safetensors"]),
        ("embedding", ["easynegative"]),
        ("face", ["inswapper_128.onnx"]),
    ],
)
async def test_lists_hold_what_is_sent_and_no_paths(webui: SdWebuiProvider, kind: str, ids: list[str]) -> None:
    page = await webui.list_models(kind, base=None, offset=0, limit=20)
    assert [model.id for model in page.models] == ids
    assert "/srv" not in str(page)
