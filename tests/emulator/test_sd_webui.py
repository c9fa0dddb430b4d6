"""A WebUI as the emulator plays it: strict where the service is, silent where it is silent."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from atelier_mcp.server.emulator.sd_webui.auth import WEBUI_ACCOUNT
from tests.support.emulator_harness import BOUND_S, encode_plain_image, read_image_size

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

IMAGE = base64.b64encode(encode_plain_image(64, 48)).decode()
TXT2IMG = "/sd_webui/sdapi/v1/txt2img"
IMG2IMG = "/sd_webui/sdapi/v1/img2img"


async def post(site: EmulatorHarness, path: str, **body: Any) -> httpx2.Response:
    return await site.client.post(path, json=body)


async def set_switches(site: EmulatorHarness, **switches: Any) -> None:
    await site.call_control("PATCH", "/settings", {"sd_webui": switches})


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND_S):
        while not condition():
            await asyncio.sleep(0)


async def get_info(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    return json.loads(response.json()["info"])


async def test_pictures_come_as_bare_base64_with_their_seeds(site: EmulatorHarness) -> None:
    response = await post(site, TXT2IMG, prompt="a kite", seed=7, batch_size=2, n_iter=2)
    info = await get_info(response)
    assert len(response.json()["images"]) == 4
    assert base64.b64decode(response.json()["images"][0]).startswith(b"\x89PNG")
    assert (info["all_seeds"], info["index_of_first_image"]) == ([7, 8, 9, 10], 0)
    assert response.json()["parameters"]["prompt"] == "a kite"


@pytest.mark.parametrize(
    ("asked", "field", "drawn"),
    [
        ({"override_settings": {"sd_model_checkpoint": "nobody-has-it"}}, "sd_model_name", "v1-5-pruned-emaonly"),
        ({"override_settings": {"sd_model_checkpoint": "sd_xl_base_1.0"}}, "sd_model_name", "sd_xl_base_1.0"),
        ({"sampler_name": "k_euler"}, "sampler_name", "DPM++ 2M"),
        ({"sampler_name": "Euler a"}, "sampler_name", "Euler a"),
        ({"sampler_name": "DPM++ 2M Karras"}, "extra_generation_params", {"Schedule type": "Karras"}),
        ({"scheduler": "karras"}, "extra_generation_params", {"Schedule type": "Karras"}),
        ({"scheduler": "nobody"}, "extra_generation_params", {"Schedule type": "Automatic"}),
    ],
    ids=str,
)
async def test_what_it_does_not_know_is_replaced_without_a_word(
    site: EmulatorHarness, asked: dict[str, Any], field: str, drawn: Any
) -> None:
    """Only the info tells the truth."""
    assert (await get_info(await post(site, TXT2IMG, **asked)))[field] == drawn


async def test_a_checkpoint_stays_loaded_unless_it_is_put_back(site: EmulatorHarness) -> None:
    for restores in (True, False):
        override = {"sd_model_checkpoint": "sd_xl_base_1.0"}
        await post(site, TXT2IMG, override_settings=override, override_settings_restore_afterwards=restores)
        options = (await site.client.get("/sd_webui/sdapi/v1/options")).json()
        assert options["sd_model_checkpoint"].startswith("v1-5" if restores else "sd_xl")


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (TXT2IMG, {"steps": "many"}, 422, "value is not a valid integer"),
        (TXT2IMG, {"script_name": "outpainting mk2"}, 422, "Script 'outpainting mk2' not found"),
        (TXT2IMG, {"alwayson_scripts": {"adetailer": {"args": []}}}, 422, "always on script adetailer not found"),
        (TXT2IMG, {"width": 5000}, 500, "OutOfMemoryError"),
        (IMG2IMG, {}, 404, "Init image not found"),
        (IMG2IMG, {"init_images": ["no picture"]}, 500, "Invalid encoded image"),
        ("/sd_webui/sdapi/v1/extra-single-image", {"image": IMAGE, "upscaler_1": "nobody"}, 500, "nobody"),
        ("/sd_webui/sdapi/v1/extra-single-image", {}, 422, "field required"),
        ("/sd_webui/sdapi/v1/interrogate", {"image": IMAGE, "model": "llava"}, 404, "Model not found"),
        ("/sd_webui/sdapi/v1/options", {"sd_model_checkpoint": "nobody"}, 500, "not found"),
        ("/sd_webui/controlnet/detect", {"controlnet_module": "canny"}, 422, "No image selected"),
        ("/sd_webui/controlnet/detect", {"controlnet_module": "nobody"}, 422, "Module not available"),
        ("/sd_webui/sdapi/v1/nothing", {}, 404, "Not Found"),
        ("/sd_webui/sdapi/v1/caption", {"image": IMAGE}, 404, "Not Found"),
    ],
)
async def test_what_it_refuses_it_says_in_its_own_words(
    site: EmulatorHarness, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    response = await post(site, path, **body)
    assert response.status_code == status
    assert words in response.text


@pytest.mark.parametrize(
    ("variant", "keys"),
    [
        ("a1111", {"error", "detail", "body", "errors"}),
        ("forge", {"error", "detail", "body", "message"}),
        ("sdnext", {"error", "code", "detail", "body", "errors"}),
    ],
)
async def test_a_fault_inside_has_the_body_of_its_server(site: EmulatorHarness, variant: str, keys: set[str]) -> None:
    await set_switches(site, variant=variant)
    response = await post(site, TXT2IMG, width=5000)
    assert (response.status_code, set(response.json())) == (500, keys)


@pytest.mark.parametrize(
    ("variant", "there", "missing"),
    [
        ("a1111", ["sd-vae", "schedulers"], ["sd-modules", "version"]),
        ("reforge", ["sd-vae", "schedulers"], ["sd-modules", "version"]),
        ("forge", ["sd-modules", "schedulers"], ["sd-vae", "version"]),
        ("forge_classic", ["sd-vae"], ["sd-modules", "schedulers"]),
        ("sdnext", ["version"], ["schedulers", "sd-modules"]),
        ("sdcpp", ["samplers", "sd-models"], ["progress", "scripts", "memory"]),
    ],
)
async def test_servers_of_the_family_differ_in_their_routes(
    site: EmulatorHarness, variant: str, there: list[str], missing: list[str]
) -> None:
    await set_switches(site, variant=variant)
    for name, status in [*((name, 200) for name in there), *((name, 404) for name in missing)]:
        response = await site.client.get(f"/sd_webui/sdapi/v1/{name}")
        assert response.status_code == status, name


async def test_with_a_password_the_extensions_stay_open(site: EmulatorHarness) -> None:
    """AUTOMATIC1111 says nothing of how to log in, either."""
    await set_switches(site, asks_credentials=True)
    refused = await site.client.get("/sd_webui/sdapi/v1/samplers")
    assert refused.status_code == 401
    assert "www-authenticate" not in refused.headers
    assert (await site.client.get("/sd_webui/reactor/models")).status_code == 200
    auth = (WEBUI_ACCOUNT.access_key, WEBUI_ACCOUNT.secret_key)
    assert (await site.client.get("/sd_webui/sdapi/v1/samplers", auth=auth)).status_code == 200
    await set_switches(site, asks_credentials=True, guards_extensions=True)
    assert (await site.client.get("/sd_webui/reactor/models")).status_code == 401


async def test_tasks_wait_run_and_are_done_in_order(site: EmulatorHarness, engine: FakeEngine) -> None:
    async def ask(task_id: str) -> dict[str, Any]:
        return (await post(site, "/sd_webui/internal/progress", id_task=task_id)).json()

    engine.answer_gate.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(post(site, TXT2IMG, force_task_id="task(one)"))
        await wait_until(lambda: bool(engine.calls))
        group.create_task(post(site, TXT2IMG, force_task_id="task(two)"))
        async with asyncio.timeout(BOUND_S):
            while (await site.client.get("/sd_webui/internal/pending-tasks")).json()["size"] == 0:
                await asyncio.sleep(0)
        one, two, three = [await ask(f"task({name})") for name in ("one", "two", "three")]
        assert (one["active"], two["queued"], two["textinfo"]) == (True, True, "In queue: 1/1")
        assert [three[name] for name in ("active", "queued", "completed")] == [False, False, False]
        engine.answer_gate.set()
    assert [(await ask(f"task({name})"))["completed"] for name in ("one", "two")] == [True, True]


async def test_a_failed_task_stays_at_work_by_name(site: EmulatorHarness, engine: FakeEngine) -> None:
    """Until the next one begins; the general progress says that nothing is at work."""
    engine.error = RuntimeError("broken")
    assert (await post(site, TXT2IMG, force_task_id="task(bad)")).status_code == 500
    engine.error = None
    answer = (await post(site, "/sd_webui/internal/progress", id_task="task(bad)")).json()
    assert answer["active"]
    progress = (await site.client.get("/sd_webui/sdapi/v1/progress")).json()
    assert (progress["progress"], progress["state"]["job_count"]) == (0, 0)
    await post(site, TXT2IMG)
    assert not (await post(site, "/sd_webui/internal/progress", id_task="task(bad)")).json()["active"]


@pytest.mark.parametrize(("path", "count"), [("interrupt", 1), ("skip", 3)])
async def test_an_interrupt_ends_the_job_and_a_skip_its_batch(site: EmulatorHarness, path: str, count: int) -> None:
    """It answers with what it has."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 3 * BOUND_S})
    async with asyncio.TaskGroup() as group:
        drawing = group.create_task(post(site, TXT2IMG, n_iter=3))
        async with asyncio.timeout(BOUND_S):
            while not drawing.done():
                await site.client.post(f"/sd_webui/sdapi/v1/{path}", json={})
                await asyncio.sleep(0.02)
    assert len(drawing.result().json()["images"]) == count


@pytest.mark.parametrize(
    ("mask", "fields", "expected"),
    [
        ("white", {}, "black"),
        ("black", {"inpainting_mask_invert": 1}, "black"),
        ("transparent", {}, "nothing"),
        ("black", {}, "nothing"),
    ],
)
async def test_white_is_redrawn_and_transparency_is_read_first(
    site: EmulatorHarness, engine: FakeEngine, mask: str, fields: dict[str, Any], expected: str
) -> None:
    """The engine's own masks are black where to work; a mask that marks nothing leaves the picture alone."""
    buffer = io.BytesIO()
    colour = (255, 255, 255, 0) if mask == "transparent" else mask
    Image.new("RGBA" if mask == "transparent" else "L", (64, 48), colour).save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    response = await post(site, IMG2IMG, init_images=[IMAGE], mask=encoded, width=64, height=48, **fields)
    assert response.status_code == 200
    if expected == "nothing":
        assert engine.get_last_arguments("generate")["strength"] == 0
        return
    with Image.open(io.BytesIO(engine.get_last_arguments("inpaint")["mask"])) as seen:
        assert seen.convert("L").getextrema() == (0, 0)


async def test_controls_send_their_maps_after_the_pictures(site: EmulatorHarness, engine: FakeEngine) -> None:
    unit = {"enabled": True, "module": "canny", "model": "control_v11p_sd15_canny", "image": IMAGE}
    for more, count in (({}, 2), ({"save_detected_map": False}, 1), ({"enabled": False}, 1)):
        response = await post(site, TXT2IMG, alwayson_scripts={"ControlNet": {"args": [{**unit, **more}]}})
        assert len(response.json()["images"]) == count
    assert engine.calls[0][1]["controls"][0]["kind"] == "canny"
    wrong = {**unit, "resize_mode": 1}
    assert (await post(site, TXT2IMG, alwayson_scripts={"controlnet": {"args": [wrong]}})).status_code == 422


async def test_a_picture_tells_what_it_was_made_with(site: EmulatorHarness) -> None:
    (image,) = (await post(site, TXT2IMG, prompt="a red kite", seed=5)).json()["images"]
    answer = (await post(site, "/sd_webui/sdapi/v1/png-info", image=image)).json()
    assert answer["info"].startswith("a red kite\nSteps: 50, ")
    assert answer["parameters"]["Seed"] == "5"


async def test_pictures_are_enlarged_by_a_factor_or_to_a_size(site: EmulatorHarness) -> None:
    async def enlarge(**fields: Any) -> tuple[int, int]:
        answer = await post(site, "/sd_webui/sdapi/v1/extra-single-image", image=IMAGE, **fields)
        return read_image_size(base64.b64decode(answer.json()["image"]))

    assert await enlarge(upscaler_1="Lanczos", upscaling_resize=1.5) == (96, 72)
    size = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 80}
    assert await enlarge(upscaler_1="ESRGAN_4x", **size) == (100, 80)
    assert await enlarge() == (64, 48)
    batch = {"imageList": [{"data": IMAGE, "name": "a.png"}] * 2, "upscaler_1": "Lanczos"}
    answer = await post(site, "/sd_webui/sdapi/v1/extra-batch-images", **batch)
    assert len(answer.json()["images"]) == 2


async def test_the_extensions_answer_as_theirs_do(site: EmulatorHarness, engine: FakeEngine) -> None:
    assert (await post(site, "/sd_webui/rembg", model="None")).json() is None
    assert (await post(site, "/sd_webui/rembg", input_image=IMAGE)).json()["image"]
    assert (await post(site, "/sd_webui/reactor/image", source_image=IMAGE, target_image=IMAGE)).json()["image"]
    engine.error = ValueError("no face")
    answer = await post(site, "/sd_webui/reactor/image", source_image=IMAGE, target_image=IMAGE)
    assert read_image_size(base64.b64decode(answer.json()["image"])) == (64, 48)
    await set_switches(site, has_rembg=False, has_reactor=False, has_controlnet=False)
    for path in ("rembg", "reactor/image", "controlnet/detect"):
        assert (await post(site, f"/sd_webui/{path}")).status_code == 404


async def test_a_fault_on_order_breaks_one_job(site: EmulatorHarness) -> None:
    await site.call_control("POST", "/faults", {"kind": "failed", "path": "/sdapi/v1/txt2img", "reason": "no luck"})
    broken = await post(site, TXT2IMG)
    assert (broken.status_code, broken.json()["errors"]) == (500, "no luck")
    assert (await post(site, TXT2IMG)).status_code == 200
