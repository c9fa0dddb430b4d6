"""The emulated ComfyUI: what it checks, how its queue moves, what it keeps, and what a restart loses."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
import websockets
from PIL import Image

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.comfyui_workflows import build_house
from tests.support.emulator_harness import BOUND_S, encode_plain_image

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx2

    from tests.support.clock import ManualUnixClock
    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    NewSite = Callable[..., Awaitable[EmulatorHarness]]

FIRST = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"
THIRD = "33333333-3333-4333-8333-333333333333"


def vary(prefix: str, **inputs: Any) -> dict[str, Any]:
    """The house with other files and, in its sampler, other inputs."""
    graph = build_house()
    graph["9"]["inputs"]["filename_prefix"] = prefix
    graph["3"]["inputs"] |= inputs
    return graph


async def post(site: EmulatorHarness, path: str, **body: Any) -> httpx2.Response:
    return await site.client.post(f"/comfyui{path}", json=body)


async def get(site: EmulatorHarness, path: str, **query: Any) -> Any:
    response = await site.client.get(f"/comfyui{path}", params=query)
    assert response.is_success, response.text
    return response.json()


async def wait_for_history(site: EmulatorHarness, prompt_id: str) -> dict[str, Any]:
    async with asyncio.timeout(BOUND_S):
        while not (found := await get(site, f"/history/{prompt_id}")):
            await asyncio.sleep(0.01)
    return found[prompt_id]


async def wait_for_start(site: EmulatorHarness) -> None:
    async with asyncio.timeout(BOUND_S):
        while not (await get(site, "/queue"))["queue_running"]:
            await asyncio.sleep(0.01)


async def upload(site: EmulatorHarness, data: bytes, name: str = "photo.png", **form: str) -> dict[str, Any]:
    response = await site.client.post("/comfyui/upload/image", data=form, files={"image": (name, data, "image/png")})
    assert response.is_success, response.text
    return response.json()


def break_node(node_id: str, **inputs: Any) -> dict[str, Any]:
    graph = build_house()
    graph[node_id]["inputs"] |= inputs
    return graph


@pytest.mark.parametrize(
    ("graph", "kind", "node_kind"),
    [
        (break_node("4", ckpt_name="gone"), "prompt_outputs_failed_validation", "value_not_in_list"),
        (break_node("3", steps=0), "prompt_outputs_failed_validation", "value_smaller_than_min"),
        (break_node("3", cfg=101), "prompt_outputs_failed_validation", "value_bigger_than_max"),
        (break_node("3", steps="many"), "prompt_outputs_failed_validation", "invalid_input_type"),
        (break_node("3", latent_image=["4", 0]), "prompt_outputs_failed_validation", "return_type_mismatch"),
        (break_node("3", latent_image=["4"]), "prompt_outputs_failed_validation", "bad_linked_input"),
        (break_node("3", model="a text"), "prompt_outputs_failed_validation", "invalid_input_type"),
        (
            {"1": {"class_type": "SaveImage", "inputs": {}}},
            "prompt_outputs_failed_validation",
            "required_input_missing",
        ),
        ({"1": {"class_type": "EmptyLatentImage", "inputs": {}}}, "prompt_no_outputs", None),
        ({"1": {"class_type": "Nothing", "inputs": {}}}, "invalid_prompt", None),
        ({"1": {"inputs": {}}}, "invalid_prompt", None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_workflow_is_checked_node_by_node(
    site: EmulatorHarness, graph: dict[str, Any], kind: str, node_kind: str | None
) -> None:
    response = await post(site, "/prompt", prompt=graph)
    document = response.json()
    assert (response.status_code, document["error"]["type"]) == (400, kind)
    kinds = [error["type"] for node in document["node_errors"].values() for error in node["errors"]]
    assert (node_kind in kinds) if node_kind else kinds == []
    assert await get(site, "/prompt") == {"exec_info": {"queue_remaining": 0}}


@pytest.mark.parametrize("prompt_id", ["not-a-uuid", FIRST.upper().replace("1", "A"), FIRST.replace("-", "")])
async def test_an_id_is_a_uuid_as_it_is_usually_written(site: EmulatorHarness, prompt_id: str) -> None:
    response = await post(site, "/prompt", prompt=build_house(), prompt_id=prompt_id)
    assert response.json()["error"]["type"] == "invalid_prompt_id"


async def test_what_is_left_of_a_workflow_is_queued_with_its_errors(site: EmulatorHarness) -> None:
    graph = build_house()
    graph["20"] = {"class_type": "PreviewImage", "inputs": {"images": ["21", 0]}}
    graph["21"] = {"class_type": "LoadImage", "inputs": {"image": "nowhere.png"}}
    answer = (await post(site, "/prompt", prompt=graph, prompt_id=FIRST)).json()
    (error,) = answer["node_errors"]["21"]["errors"]
    assert error["type"] == "custom_validation_failed"
    assert list((await wait_for_history(site, FIRST))["outputs"]) == ["9"]


async def test_one_works_and_the_others_wait_in_order_but_for_who_goes_in_front(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    engine.answer_gate.clear()
    await post(site, "/prompt", prompt=vary("a"), prompt_id=FIRST)
    await wait_for_start(site)
    await post(site, "/prompt", prompt=vary("b", seed=2), prompt_id=SECOND)
    await post(site, "/prompt", prompt=vary("c", seed=3), prompt_id=THIRD, front=True)
    queue = await get(site, "/queue")
    assert [item[1] for item in queue["queue_running"]] == [FIRST]
    assert [item[1] for item in queue["queue_pending"]] == [THIRD, SECOND]
    await post(site, "/queue", delete=[SECOND])
    engine.answer_gate.set()
    await wait_for_history(site, THIRD)
    assert list(await get(site, "/history")) == [FIRST, THIRD]


async def test_the_same_id_twice_runs_twice_and_unchanged_nodes_do_not(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    """An unchanged workflow is answered with its old files."""
    await post(site, "/prompt", prompt=vary("a"), prompt_id=FIRST)
    first = (await wait_for_history(site, FIRST))["outputs"]["9"]["images"]
    await post(site, "/prompt", prompt=vary("a"), prompt_id=SECOND)
    assert (await wait_for_history(site, SECOND))["outputs"]["9"]["images"] == first
    assert len(engine.calls) == 1
    await post(site, "/prompt", prompt=vary("b"), prompt_id=THIRD)
    assert (await wait_for_history(site, THIRD))["outputs"]["9"]["images"] != first
    assert len(engine.calls) == 1, "the picture was there, only its file was not"


async def test_an_interrupt_stops_what_is_meant_or_on_old_servers_what_runs(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    engine.answer_gate.clear()
    await post(site, "/prompt", prompt=vary("a"), prompt_id=FIRST)
    await wait_for_start(site)
    await post(site, "/interrupt", prompt_id=SECOND)
    assert (await get(site, "/queue"))["queue_running"]
    await site.call_control("PATCH", "/settings", {"comfyui": {"interrupts_any": True}})
    await post(site, "/interrupt", prompt_id=SECOND)
    entry = await wait_for_history(site, FIRST)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"
    engine.answer_gate.set()
    await post(site, "/prompt", prompt=vary("b"), prompt_id=SECOND)
    assert (await wait_for_history(site, SECOND))["status"]["completed"]


async def test_a_restart_loses_everything_but_files(site: EmulatorHarness, engine: FakeEngine) -> None:
    await post(site, "/prompt", prompt=vary("atelier/a"), prompt_id=FIRST)
    await wait_for_history(site, FIRST)
    engine.answer_gate.clear()
    await post(site, "/prompt", prompt=vary("atelier/b", seed=2), prompt_id=SECOND)
    await wait_for_start(site)
    await site.call_control("POST", "/comfyui/restart")
    assert await get(site, "/history") == {}
    assert await get(site, "/queue") == {"queue_running": [], "queue_pending": []}
    engine.answer_gate.set()
    where = {"subfolder": "atelier", "type": "output"}
    for name, status in (("a_00001_.png", 200), ("b_00001_.png", 404)):
        response = await site.client.get("/comfyui/view", params={"filename": name, **where})
        assert response.status_code == status
    await post(site, "/prompt", prompt=vary("atelier/c", seed=3), prompt_id=THIRD)
    assert (await wait_for_history(site, THIRD))["status"]["completed"]


async def test_a_job_takes_the_time_that_is_set(new_site: NewSite, clock: ManualUnixClock) -> None:
    site = await new_site(task_seconds=60)
    await post(site, "/prompt", prompt=build_house(), prompt_id=FIRST)
    await wait_for_start(site)
    await site.call_control("POST", "/clock", {"advance_s": 30})
    assert await get(site, f"/history/{FIRST}") == {}
    await site.call_control("POST", "/clock", {"advance_s": 31})
    await wait_for_history(site, FIRST)


async def test_files_hold_the_workflow_and_previews_do_not(site: EmulatorHarness) -> None:
    extra = {"extra_pnginfo": {"workflow": {"id": 1}}}
    await post(site, "/prompt", prompt=vary("x"), prompt_id=FIRST, extra_data=extra)
    await wait_for_history(site, FIRST)
    query = {"filename": "x_00001_.png"}
    data = (await site.client.get("/comfyui/view", params=query)).content
    with Image.open(io.BytesIO(data)) as image:
        assert json.loads(image.info["prompt"])["6"]["inputs"]["text"] == "a house"
        assert json.loads(image.info["workflow"]) == {"id": 1}
    preview = await site.client.get("/comfyui/view", params={**query, "preview": "webp;50"})
    assert (preview.headers["content-type"], preview.content[:4]) == ("image/webp", b"RIFF")


async def test_a_taken_name_is_another_one_unless_it_may_be_written_over(site: EmulatorHarness) -> None:
    red, blue = encode_plain_image(colour="red"), encode_plain_image(colour="blue")
    assert (await upload(site, red))["name"] == "photo.png"
    assert (await upload(site, red))["name"] == "photo.png"
    assert (await upload(site, blue))["name"] == "photo (1).png"
    assert (await upload(site, blue, overwrite="true", subfolder="deep"))["subfolder"] == "deep"
    (choices, _) = (await get(site, "/object_info/LoadImage"))["LoadImage"]["input"]["required"]["image"]
    assert choices == ["photo (1).png", "photo.png"]


@pytest.mark.parametrize("subfolder", ["..", "../../x", "/etc"])
async def test_nothing_outside_of_the_folders_is_read(site: EmulatorHarness, subfolder: str) -> None:
    query = {"filename": "links.key", "subfolder": subfolder, "type": "input"}
    assert (await site.client.get("/comfyui/view", params=query)).status_code in (403, 404)
    names = [await site.client.get("/comfyui/view", params={"filename": name}) for name in ("../links.key", "..")]
    assert {response.status_code for response in names} == {403}


async def test_a_mask_becomes_the_transparency_of_a_stored_picture(site: EmulatorHarness) -> None:
    stored = await upload(site, encode_plain_image(64, 48))
    buffer = io.BytesIO()
    Image.new("RGBA", (64, 48), (0, 0, 0, 0)).save(buffer, "PNG")
    reference = json.dumps({"filename": stored["name"], "type": "input", "subfolder": ""})
    response = await site.client.post(
        "/comfyui/upload/mask",
        data={"original_ref": reference},
        files={"image": ("mask.png", buffer.getvalue(), "image/png")},
    )
    query = {"filename": response.json()["name"], "type": "input", "channel": "a"}
    data = (await site.client.get("/comfyui/view", params=query)).content
    with Image.open(io.BytesIO(data)) as image:
        assert image.getchannel("A").getextrema() == (0, 0)


async def test_only_transparent_pixels_are_redrawn_and_without_any_nothing_is(
    site: EmulatorHarness, engine: FakeEngine
) -> None:
    def inpaint(name: str) -> dict[str, Any]:
        graph = build_house()
        graph["30"] = {"class_type": "LoadImage", "inputs": {"image": name}}
        graph["31"] = {"class_type": "VAEEncode", "inputs": {"pixels": ["30", 0], "vae": ["4", 2]}}
        graph["5"] = {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["31", 0], "mask": ["30", 1]}}
        return graph

    await upload(site, encode_plain_image(64, 48), "solid.png")
    buffer = io.BytesIO()
    image = Image.new("RGBA", (64, 48), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    image.save(buffer, "PNG")
    await upload(site, buffer.getvalue(), "hole.png")
    await post(site, "/prompt", prompt=inpaint("solid.png"), prompt_id=FIRST)
    await wait_for_history(site, FIRST)
    assert engine.calls == []
    await post(site, "/prompt", prompt=inpaint("hole.png"), prompt_id=SECOND)
    await wait_for_history(site, SECOND)
    with Image.open(io.BytesIO(engine.get_last_arguments("inpaint")["mask"])) as mask:
        # Black is what the engine draws anew.
        assert (mask.getpixel((10, 10)), mask.getpixel((50, 10))) == (0, 255)


async def test_a_page_of_another_origin_is_refused(site: EmulatorHarness) -> None:
    response = await site.client.get("/comfyui/queue", headers={"Origin": "https://evil.example"})
    assert response.status_code == 403


async def test_the_cloud_asks_for_its_key(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"comfyui": {"is_cloud": True}})
    assert (await site.client.get("/comfyui/api/queue")).status_code == 401
    response = await site.client.get("/comfyui/api/history_v2", headers={"X-API-Key": DEMO_API_KEY})
    assert response.json() == {}


async def test_a_partners_key_is_used_and_not_kept(site: EmulatorHarness) -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "FluxProImageNode", "inputs": {"prompt": "x", "seed": 1, "width": 64, "height": 64}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    extra = {"api_key_comfy_org": "partner-secret"}
    await post(site, "/prompt", prompt=graph, prompt_id=FIRST, extra_data=extra)
    entry = await wait_for_history(site, FIRST)
    assert entry["status"]["completed"]
    assert "partner-secret" not in json.dumps(entry)
    graph["1"]["inputs"]["seed"] = 2  # or it would be answered from the cache
    await post(site, "/prompt", prompt=graph, prompt_id=SECOND)
    assert (await wait_for_history(site, SECOND))["status"]["status_str"] == "error"


async def test_the_jobs_of_2026_are_found_and_cancelled_in_any_state(site: EmulatorHarness, engine: FakeEngine) -> None:
    engine.answer_gate.clear()
    await post(site, "/prompt", prompt=vary("a"), prompt_id=FIRST)
    await wait_for_start(site)
    await post(site, "/prompt", prompt=vary("b", seed=2), prompt_id=SECOND)
    states = [(await get(site, f"/api/jobs/{one}"))["status"] for one in (FIRST, SECOND)]
    assert states == ["in_progress", "pending"]
    for job_id in (SECOND, FIRST):
        assert (await post(site, f"/api/jobs/{job_id}/cancel")).json() == {"cancelled": True}
    await wait_for_history(site, FIRST)
    assert [job["status"] for job in (await get(site, "/api/jobs"))["jobs"]] == ["cancelled"]
    assert (await site.client.get(f"/comfyui/api/jobs/{THIRD}")).status_code == 404
    engine.answer_gate.set()


async def test_whoever_sent_a_job_hears_of_it_and_nobody_else(site: EmulatorHarness) -> None:
    address = site.emulator.base_url.replace("http", "ws")
    async with (
        websockets.connect(f"{address}/comfyui/ws?clientId=ours") as ours,
        websockets.connect(f"{address}/comfyui/ws?clientId=theirs") as theirs,
    ):
        await post(site, "/prompt", prompt=build_house(), prompt_id=FIRST, client_id="ours")
        heard: list[dict[str, Any]] = []
        async with asyncio.timeout(BOUND_S):
            while not heard or heard[-1]["type"] != "executing" or heard[-1]["data"]["node"] is not None:
                heard.append(json.loads(await ours.recv()))
            kinds = [message["type"] for message in heard if message["type"] != "status"]
            assert kinds[:2] == ["execution_start", "execution_cached"]
            assert kinds[-2:] == ["execution_success", "executing"]
            assert {"executed", "progress"} <= set(kinds)
            messages = [json.loads(await theirs.recv()) for _ in range(3)]
        assert {message["type"] for message in messages} == {"status"}


async def test_lists_are_written_as_later_servers_write_them(site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"comfyui": {"names_combos": True}})
    described = (await get(site, "/object_info/VAELoader"))["VAELoader"]["input"]["required"]["vae_name"]
    assert described[0] == "COMBO"
    assert "sdxl_vae.safetensors" in described[1]["options"]
    assert await get(site, "/object_info/Nothing") == {}
    assert set(await get(site, "/object_info")) >= {"KSampler", "SaveImage"}
