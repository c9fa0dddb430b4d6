"""A workflow of the user's own: which arguments go where in it, and what is wrong with a file that is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.comfyui.families import find_family
from atelier_mcp.server.providers.comfyui.workflow import WorkflowProblem, parse_workflow
from atelier_mcp.server.providers.comfyui.workflow_folder import WorkflowFolder
from tests.support.comfyui_workflows import build_house, build_titled, write_workflow

if TYPE_CHECKING:
    from pathlib import Path


def fill(graph: dict[str, Any], *, custom: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    """The inputs of the nodes after values were put in, by node."""
    filled = parse_workflow("x", graph).fill_in(values, custom or {})
    return {node_id: node["inputs"] for node_id, node in filled.items()}


def test_ordinary_workflows_need_no_titles() -> None:
    values: dict[str, Any] = {
        "prompt": "a hut", "negative_prompt": "snow", "seed": 9, "steps": 5, "guidance": 4, "width": 640,
        "height": 320, "samples": 3, "model": "other",
    }  # fmt: skip
    inputs = fill(build_house(), **values)
    assert (inputs["6"]["text"], inputs["7"]["text"]) == ("a hut", "snow")
    assert (inputs["3"]["seed"], inputs["3"]["steps"], inputs["3"]["cfg"]) == (9, 5, 4.0)
    assert inputs["5"] == {"width": 640, "height": 320, "batch_size": 3}
    assert inputs["4"]["ckpt_name"] == "other"


def test_strength_and_a_picture_are_taken_by_a_workflow_that_begins_with_one() -> None:
    graph = build_house()
    graph["5"] = build_titled("VAEEncode", "VAE Encode", pixels=["11", 0], vae=["4", 2])
    graph["11"] = build_titled("LoadImage", "Load Image", image="example.png")
    workflow = parse_workflow("x", graph)
    assert {"image", "strength"} <= workflow.places.keys()
    assert not {"width", "height", "samples"} & workflow.places.keys()
    assert "strength" not in parse_workflow("x", build_house()).places


def test_texts_are_found_past_nodes_that_change_them() -> None:
    graph = build_house()
    graph["20"] = build_titled(
        "ControlNetApplyAdvanced", "Apply", positive=["6", 0], negative=["7", 0], control_net=["21", 0], strength=1.0
    )
    graph["21"] = build_titled("ControlNetLoader", "Load", control_net_name="x")
    graph["3"]["inputs"] |= {"positive": ["20", 0], "negative": ["20", 1]}
    inputs = fill(graph, prompt="a hut", negative_prompt="snow")
    assert (inputs["6"]["text"], inputs["7"]["text"]) == ("a hut", "snow")


def test_a_text_that_both_sides_share_is_the_prompt() -> None:
    graph = build_house()
    graph["20"] = build_titled("ConditioningZeroOut", "Nothing", conditioning=["6", 0])
    graph["3"]["inputs"]["negative"] = ["20", 0]
    assert "negative_prompt" not in parse_workflow("x", graph).places


def test_a_seed_from_another_node_is_set_there() -> None:
    graph = build_house()
    graph["20"] = build_titled("PrimitiveInt", "Seed", value=3)
    graph["3"]["inputs"]["seed"] = ["20", 0]
    inputs = fill(graph, seed=12)
    assert (inputs["20"]["value"], inputs["3"]["seed"]) == (12, ["20", 0])


def test_titles_win_over_what_is_usual() -> None:
    graph = build_house()
    graph["7"]["_meta"]["title"] = "Prompt"
    graph["5"]["_meta"]["title"] = "width, height"
    inputs = fill(graph, prompt="a hut", width=640, height=320)
    assert (inputs["7"]["text"], inputs["6"]["text"]) == ("a hut", "a house")
    assert (inputs["5"]["width"], inputs["5"]["height"]) == (640, 320)


def test_names_of_ones_own_are_given_by_titles() -> None:
    graph = build_house()
    graph["20"] = build_titled("PrimitiveString", "input: style", value="noir")
    inputs = fill(graph, custom={"style": "bright", "enlargement": 3})
    assert (inputs["20"]["value"], inputs["10"]["scale_by"]) == ("bright", 3.0)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("steps", 1.5, "steps: give a whole number"), ("prompt", 3, "prompt: give text"), ("seed", True, "whole number")],
)
def test_a_value_of_another_kind_is_refused(name: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        fill(build_house(), **{name: value})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "is no workflow in API form"),
        ({}, "is no workflow in API form"),
        ({"1": {"inputs": {}}}, "is no workflow in API form"),
        ({"nodes": [], "links": []}, "is saved for the editor"),
        ({"1": build_titled("SaveImage", "Save", images=["2", 0])}, "comes from 2, which is not there"),
        ({"1": build_titled("SaveImage", "input: x", images="a", other="b")}, "titled x"),
    ],
    ids=str,
)
def test_a_file_that_is_no_workflow_is_told_in_one_clear_sentence(document: Any, words: str) -> None:
    with pytest.raises(WorkflowProblem, match=words):
        parse_workflow("x", document)


def test_the_body_of_a_whole_call_is_a_workflow_as_well() -> None:
    assert "prompt" in parse_workflow("x", {"prompt": build_house(), "client_id": "me"}).places


def test_a_folder_is_read_anew_each_time(tmp_path: Path) -> None:
    folder = WorkflowFolder(str(tmp_path / "mine"))
    assert folder.list_problems() == [f"COMFYUI_WORKFLOWS: {tmp_path / 'mine'} is no folder"]
    write_workflow(tmp_path / "mine", "house", build_house())
    assert folder.get("house.json").name == "house"
    with pytest.raises(InvalidRequest, match="there is no hut; there are house"):
        folder.get("hut")
    with pytest.raises(InvalidRequest):
        folder.get("../house")


def test_without_a_folder_the_setting_is_named() -> None:
    with pytest.raises(ConfigurationError, match="No workflows are configured"):
        WorkflowFolder("").get("house")


@pytest.mark.parametrize(
    ("checkpoint", "family", "side_px"),
    [
        ("v1-5-pruned-emaonly.safetensors", "SD 1.5", 512),
        ("v2-1_768-ema-pruned.ckpt", "SD 2", 768),
        ("sd_xl_base_1.0.safetensors", "SDXL", 1024),
        ("ponyDiffusionV6XL.safetensors", "SDXL", 1024),
        ("sd3.5_large.safetensors", "SD 3", 1024),
        ("flux1-dev-fp8.safetensors", "Flux", 1024),
        ("somebodys.safetensors", "unknown", 1024),
    ],
)
def test_a_checkpoints_name_tells_what_it_likes(checkpoint: str, family: str, side_px: int) -> None:
    found = find_family(checkpoint)
    assert (found.name, found.side_px) == (family, side_px)


def test_a_distilled_checkpoint_takes_fewer_steps() -> None:
    plain, fast = find_family("sd_xl_base_1.0.safetensors"), find_family("sdxl_lightning_4step.safetensors")
    assert fast.steps < plain.steps
    assert fast.guidance < plain.guidance
