"""A ComfyUI of the user's own, through an MCP client: pictures, workflows, and what becomes of jobs."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.comfyui_workflows import build_house, write_workflow
from tests.support.commands import run_atelier
from tests.support.emulator_harness import BOUND_S, encode_plain_image
from tests.support.tool_results import get_refusal, get_structured, get_text, read_access_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    import mcp_types as types
    from mcp import Client

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The user's workflows: one."""
    folder = tmp_path / "workflows"
    write_workflow(folder, "house", build_house())
    return folder


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path, folder: Path) -> dict[str, str]:
    """A ComfyUI and a folder of workflows."""
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "COMFYUI_URL": f"{site.emulator.base_url}/comfyui",
        "COMFYUI_WORKFLOWS": str(folder),
    }


@pytest.fixture
def photo(tmp_path: Path) -> str:
    """A picture on the caller's disk."""
    path = tmp_path / "photo.png"
    path.write_bytes(encode_plain_image(330, 250))
    return str(path)


def list_prompts(tmp_path: Path) -> list[dict[str, Any]]:
    """The bodies of the workflows that were sent."""
    entries = read_access_log(tmp_path / "access.jsonl")
    return [entry["body"] for entry in entries if (entry["method"], entry["path"]) == ("POST", "/prompt")]


def find_nodes(body: Mapping[str, Any], class_type: str) -> list[dict[str, Any]]:
    """The inputs of the nodes of a class in a workflow that was sent."""
    return [node["inputs"] for node in body["prompt"].values() if node["class_type"] == class_type]


def open_image(image: Mapping[str, Any]) -> Image.Image:
    """A picture of an answer."""
    return Image.open(io.BytesIO(Path(image["path"]).read_bytes()))


async def test_pictures_have_the_size_and_the_seeds_that_were_asked_for(
    call: Call, engine: FakeEngine, tmp_path: Path
) -> None:
    """Steps of eight are the service's affair."""
    drawn = await call("generate_image", prompt="a red kite", width=500, height=303, samples=2, seed=7)
    images = get_structured(drawn)["images"]
    assert [(image["width"], image["height"], image["seed"]) for image in images] == [(500, 303, 7), (500, 303, 8)]
    assert [arguments["seed"] for _, arguments in engine.calls] == [7, 8]
    assert {(arguments["width"], arguments["height"]) for _, arguments in engine.calls} == {(504, 304)}
    assert "comfyui is free" in get_text(drawn)


async def test_nothing_of_the_workflow_is_left_in_a_picture(call: Call) -> None:
    """ComfyUI writes prompts into its files; whoever is given the picture is not given those."""
    (image,) = get_structured(await call("generate_image", prompt="a secret kite"))["images"]
    assert b"secret" not in Path(image["path"]).read_bytes()


async def test_steps_and_size_follow_the_checkpoint(call: Call, engine: FakeEngine) -> None:
    await call("generate_image", prompt="a kite", model="v1-5-pruned-emaonly", aspect="16:9")
    await call("generate_image", prompt="a kite", model="SD_XL_base_1.0", aspect="16:9")
    sizes = [(arguments["width"], arguments["height"]) for _, arguments in engine.calls]
    assert sizes == [(688, 384), (1368, 768)]


async def test_a_picture_is_drawn_from_a_picture_with_loras_and_edges(
    call: Call, engine: FakeEngine, photo: str, tmp_path: Path
) -> None:
    drawn = await call(
        "generate_image",
        prompt="a kite",
        image=photo,
        strength=0.4,
        loras=[{"model": "watercolour", "weight": 0.8}],
        controls=[{"type": "canny", "image": photo, "weight": 0.5}],
        width=320,
        height=320,
    )
    assert get_structured(drawn)["state"] == "succeeded"
    arguments = engine.get_last_arguments("generate")
    assert (arguments["strength"], arguments["profiles"]) == (0.4, [["watercolour", 0.8]])
    (control,) = arguments["controls"]
    assert (control["kind"], control["weight"], control["pre_processor"]) == ("canny", 0.5, None)
    with Image.open(io.BytesIO(arguments["source"])) as source:
        assert source.size == (320, 320)


async def test_only_what_is_marked_is_drawn_anew(call: Call, engine: FakeEngine, photo: str) -> None:
    """Where nothing is marked every pixel is as it was, whatever size the checkpoint works in."""
    marked = [{"type": "box", "points": [20, 30, 120, 130]}]
    drawn = await call("inpaint_image", image=photo, shapes=marked, prompt="a hat", seed=3, format="png")
    (image,) = get_structured(drawn)["images"]
    image = open_image(image).convert("RGB")
    assert image.size == (330, 250)
    assert image.getpixel((300, 200)) == open_image({"path": photo}).convert("RGB").getpixel((300, 200))
    arguments = engine.get_last_arguments("inpaint")
    mask = Image.open(io.BytesIO(arguments["mask"])).convert("L")
    # The engine's masks, like ours, are black where something is drawn.
    assert mask.getpixel((70, 80)) == 0
    assert mask.getpixel((300, 200)) == 255


async def test_a_picture_is_enlarged_to_exactly_the_ratio(call: Call, photo: str, tmp_path: Path) -> None:
    (image,) = get_structured(await call("upscale_image", image=photo, ratio=1.7))["images"]
    assert open_image(image).size == (561, 425)
    assert find_nodes(list_prompts(tmp_path)[0], "UpscaleModelLoader") == [{"model_name": "RealESRGAN_x2.pth"}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "nowhere"}, "model: ComfyUI has no checkpoint nowhere; it has sd_xl_base_1.0.safetensors"),
        ({"loras": [{"model": "nowhere"}]}, "loras[0].model: ComfyUI has no lora nowhere"),
        ({"enhance_prompt": True}, "enhance_prompt: ComfyUI does not have that"),
        ({"workflow": "nowhere"}, "workflow: there is no nowhere; there are house"),
        ({"workflow": "house", "aspect": "1:1"}, "aspect: the workflow house (it takes"),
        (
            {"workflow": "house", "workflow_inputs": {"enlargement": "much"}},
            "workflow_inputs.enlargement: give a number",
        ),
        ({"workflow": "house", "workflow_inputs": {"colour": 1}}, "workflow_inputs.colour: house has no such input"),
        ({"workflow_inputs": {"colour": 1}}, "name the workflow"),
    ],
    ids=str,
)
async def test_what_cannot_be_drawn_is_refused_before_anything_is_sent(
    call: Call, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    refusal = get_refusal(await call("generate_image", prompt="a kite", **arguments))
    assert words in refusal
    assert list_prompts(tmp_path) == []


async def test_a_control_without_a_map_is_refused_with_what_works(call: Call, photo: str) -> None:
    refusal = get_refusal(await call("generate_image", prompt="a", controls=[{"type": "depth", "image": photo}]))
    assert "controls[0].pre_processor: this ComfyUI cannot make a depth map of a picture: its AIO" in refusal
    assert 'Give the map itself and pre_processor="pass"' in refusal
    ready = {"type": "depth", "image": photo, "pre_processor": "pass"}
    assert get_structured(await call("generate_image", prompt="a", controls=[ready]))["state"] == "succeeded"


async def test_a_map_is_made_by_the_extension_that_is_there(
    call: Call, engine: FakeEngine, photo: str, tmp_path: Path
) -> None:
    """By the preprocessor that is usual for the type, or the one that the call names."""
    for pre_processor in (None, "openpose", "OpenposePreprocessor"):
        pose = {"type": "openpose", "image": photo, "pre_processor": pre_processor}
        drawn = await call("generate_image", prompt="a dancer", controls=[pose], width=512, height=768)
        assert get_structured(drawn)["state"] == "succeeded"
        (control,) = engine.get_last_arguments("generate")["controls"]
        assert (control["kind"], control["pre_processor"]) == ("openpose", None)
    sent = [find_nodes(body, "AIO_Preprocessor")[0] for body in list_prompts(tmp_path)]
    assert [(node["preprocessor"], node["resolution"]) for node in sent] == [("OpenposePreprocessor", 512)] * 3
    wrong = {"type": "openpose", "image": photo, "pre_processor": "Guess"}
    refusal = get_refusal(await call("generate_image", prompt="a", controls=[wrong]))
    assert "cannot make Guess: its AIO_Preprocessor has CannyEdgePreprocessor" in refusal


# Workflows of the user's own


async def test_a_workflow_draws_with_the_arguments_of_the_call(call: Call, engine: FakeEngine, tmp_path: Path) -> None:
    """By the links of its sampler, and by the title of a node; the rest stays as it is in the file."""
    drawn = await call(
        "generate_image", prompt="a hut", negative_prompt="snow", workflow="house", seed=5, width=256,
        workflow_inputs={"enlargement": 3},
    )  # fmt: skip
    (image,) = get_structured(drawn)["images"]
    assert (image["seed"], open_image(image).size) == (5, (192, 144))
    arguments = engine.get_last_arguments("generate")
    assert (arguments["prompt"], arguments["negative_prompt"], arguments["seed"]) == ("a hut", "snow", 5)
    assert (arguments["width"], arguments["height"], arguments["steps"]) == (256, 512, 20)


async def test_a_seed_is_chosen_for_a_workflow_that_is_left_without(call: Call) -> None:
    """A repeated graph would be answered from the cache."""
    first, second = [
        get_structured(await call("generate_image", prompt="a hut", workflow="house"))["images"][0]["seed"]
        for _ in range(2)
    ]
    assert None not in (first, second)
    assert first != second


async def test_workflows_are_listed_with_what_they_take(call: Call, folder: Path) -> None:
    """A file that is put there is found at once; a bad one is listed with what is wrong with it."""
    write_workflow(folder, "editor", {"nodes": [], "links": []})
    (folder / "torn.json").write_text("{")
    listed = get_structured(await call("list_models", kind=["workflow"]))["models"]
    assert {model["id"]: model["description"] for model in listed} == {
        "house": "takes prompt, negative_prompt, seed, width, height, samples, steps, guidance, model; "
        "workflow_inputs enlargement",
        "editor": "cannot be used: is saved for the editor: export it in API form",
        "torn": "cannot be used: is not JSON",
    }
    refusal = get_refusal(await call("generate_image", prompt="a", workflow="editor"))
    assert "export it in API form" in refusal


async def test_a_workflow_with_nodes_that_are_not_there_is_refused(call: Call, folder: Path, tmp_path: Path) -> None:
    workflow = build_house()
    workflow["10"]["class_type"] = "SomebodysNode"
    write_workflow(folder, "strange", workflow)
    assert "SomebodysNode" in get_refusal(await call("generate_image", prompt="a", workflow="strange"))
    assert list_prompts(tmp_path) == []


async def test_what_comfyui_says_of_a_workflow_is_passed_on_node_by_node(call: Call, folder: Path) -> None:
    workflow = build_house()
    workflow["3"]["inputs"]["sampler_name"] = "fastest"
    write_workflow(folder, "wrong", workflow)
    refusal = get_refusal(await call("generate_image", prompt="a", workflow="wrong"))
    assert "KSampler: Value not in list (sampler_name: 'fastest' not in" in refusal
    assert "Nothing was spent." in refusal


async def test_a_workflow_with_a_partners_node_is_not_called_free(call: Call, folder: Path, tmp_path: Path) -> None:
    graph = {
        "1": {"class_type": "FluxProImageNode", "inputs": {"prompt": "x", "seed": 1, "width": 64, "height": 64}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    write_workflow(folder, "bought", graph)
    failed = await call("generate_image", prompt="a hut", workflow="bought")
    assert "Unauthorized" in get_refusal(failed)
    assert "free" not in get_text(failed)


# What becomes of jobs


async def test_a_running_job_says_how_much_of_it_is_done(call: Call, site: EmulatorHarness) -> None:
    """Of all its pictures, step by step; nothing of it is in any answer over HTTP."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    job_id = get_structured(await call("generate_image", prompt="a kite", samples=2, wait_s=0))["job_id"]
    heard: list[float] = []
    async with asyncio.timeout(BOUND_S):
        while len(set(heard)) < 2:
            await site.call_control("POST", "/clock", {"advance_s": 230})
            (job,) = get_structured(await call("wait_for_jobs", job_ids=[job_id], wait_s=1))["jobs"]
            heard += [job["progress"]] if job.get("progress") else []
    eighths = [share * 8 for share in heard]
    assert eighths == sorted(map(round, eighths))
    await site.call_control("POST", "/clock", {"advance_s": 3600})
    assert get_structured(await call("wait_for_jobs", job_ids=[job_id]))["jobs"][0]["state"] == "succeeded"


async def test_a_job_whose_answer_is_lost_is_found_by_its_id(call: Call, site: EmulatorHarness, tmp_path: Path) -> None:
    """It was queued: nothing is sent again and nothing asked of the caller."""
    await site.call_control("POST", "/faults", {"kind": "lost", "path": "/prompt", "method": "POST"})
    assert get_structured(await call("generate_image", prompt="a kite"))["state"] == "succeeded"
    assert len(list_prompts(tmp_path)) == 1


async def test_a_refused_partial_workflow_is_taken_out_of_the_queue(
    call: Call, engine: FakeEngine, site: EmulatorHarness, folder: Path
) -> None:
    """ComfyUI queues what is left of a workflow when a part of it is wrong."""
    engine.answer_gate.clear()
    workflow = build_house()
    workflow["20"] = {"class_type": "SaveImage", "inputs": {"images": ["99", 0], "filename_prefix": "x"}}
    workflow["99"] = {"class_type": "LoadImage", "inputs": {"image": "nowhere.png"}}
    workflow["98"] = {"class_type": "LoadImage", "inputs": {"image": "nowhere.png"}}
    write_workflow(folder, "half", workflow)
    await call("generate_image", prompt="first", wait_s=0)
    refusal = get_refusal(await call("generate_image", prompt="a", workflow="half"))
    assert "refuses a part of the workflow" in refusal
    queue = (await site.client.get("/comfyui/queue")).json()
    assert queue["queue_pending"] == []
    engine.answer_gate.set()


async def test_a_waiting_job_and_a_running_one_are_cancelled_and_nobody_elses(
    call: Call, engine: FakeEngine, site: EmulatorHarness
) -> None:
    engine.answer_gate.clear()
    begun = [get_structured(await call("generate_image", prompt=f"kite {n}", wait_s=0)) for n in range(2)]
    other = {"prompt": {"1": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}}, **_build_source()}}
    foreign = (await site.client.post("/comfyui/prompt", json=other)).json()["prompt_id"]
    for job in reversed(begun):
        answer = get_text(await call("cancel_jobs", job_ids=[job["job_id"]]))
        assert "cancelled" in answer.lower()
    engine.answer_gate.set()
    async with asyncio.timeout(BOUND_S):
        while foreign not in (history := (await site.client.get("/comfyui/history")).json()):
            await asyncio.sleep(0.01)
    assert history[foreign]["status"]["status_str"] == "success"
    # The waiting one left no trace, the running one says that it was interrupted.
    (interrupted,) = [entry for prompt_id, entry in history.items() if prompt_id != foreign]
    assert interrupted["status"]["messages"][-1][0] == "execution_interrupted"


def _build_source() -> dict[str, Any]:
    """A picture that is drawn, for a workflow of somebody else's."""
    house = build_house()
    return {"2": {"class_type": "VAEDecode", "inputs": house["8"]["inputs"]}, **{n: house[n] for n in "34567"}}


async def test_a_job_that_comfyui_lost_in_a_restart_fails_without_a_charge(
    call: Call, engine: FakeEngine, site: EmulatorHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atelier_mcp.server.providers.comfyui.task_poller.RECHECK_S", 0.01)
    engine.answer_gate.clear()
    job = get_structured(await call("generate_image", prompt="a kite", wait_s=0))
    await site.call_control("POST", "/comfyui/restart")
    engine.answer_gate.set()
    refusal = get_text(await call("wait_for_jobs", job_ids=[job["job_id"]]))
    assert "knows nothing of the job" in refusal
    assert "Nothing was spent." in refusal


async def test_a_picture_that_was_drawn_before_a_restart_is_found_by_its_file(
    call: Call, engine: FakeEngine, site: EmulatorHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queue and history are gone; the files are named by the job."""
    monkeypatch.setattr("atelier_mcp.server.providers.comfyui.task_poller.RECHECK_S", 0.01)
    # The poller is kept from hearing of it until the server was restarted.
    away = {"kind": "status", "status": 503, "path": "/queue", "times": 1000}
    await site.call_control("POST", "/faults", away)
    job = get_structured(await call("generate_image", prompt="a kite", samples=2, seed=11, wait_s=0))
    prompt_id = list_prompts(tmp_path)[0]["prompt_id"]
    async with asyncio.timeout(BOUND_S):
        while not (await site.client.get(f"/comfyui/history/{prompt_id}")).json():
            await asyncio.sleep(0.01)
    await site.call_control("POST", "/comfyui/restart")
    await site.call_control("DELETE", "/faults")
    (found,) = get_structured(await call("wait_for_jobs", job_ids=[job["job_id"]]))["jobs"]
    assert found["state"] == "succeeded"
    assert [image["seed"] for image in found["images"]] == [11, 12]


async def test_a_failure_is_told_with_the_node_it_was_in(call: Call, site: EmulatorHarness) -> None:
    fault = {"kind": "failed", "reason": "Allocation on device", "path": "/prompt", "method": "POST"}
    await site.call_control("POST", "/faults", fault)
    refusal = get_refusal(await call("generate_image", prompt="a kite"))
    assert "In KSampler" in refusal or "In EmptyLatentImage" in refusal
    assert "Allocation on device" in refusal


async def test_the_doctor_says_what_it_answers(environ: dict[str, str], folder: Path) -> None:
    write_workflow(folder, "editor", {"nodes": []})
    _, out, _ = await run_atelier("doctor", "--json", environ=environ)
    lines = [finding["words"] for finding in json.loads(out)]
    (account,) = [line for line in lines if "version" in line and "nodes" in line]
    assert "version 0.3.65" in account
    assert "3 checkpoints" in account
    assert "serves generate_image, inpaint_image, upscale_image" in account
    assert any("editor.json is saved for the editor" in line for line in lines)


@pytest.mark.parametrize(("partner_key", "warns"), [("", False), ("somebody-pays", True)])
async def test_only_what_can_be_charged_is_said_to_cost_money(
    new_client: NewClient, partner_key: str, warns: bool
) -> None:
    async with new_client(COMFYUI_PARTNER_KEY=partner_key) as client:
        tools = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
    assert ("Costs money" in tools["generate_image"]) == warns


async def test_the_doctor_prints_what_stands_in_brackets(environ: dict[str, str], folder: Path) -> None:
    """Names of files and extras, ``atelier-mcp[engine]`` for one, are no styles."""
    (folder / "night[red].json").write_text("{")
    _, out, _ = await run_atelier("doctor", environ=environ)
    assert "night[red].json is not JSON" in out
