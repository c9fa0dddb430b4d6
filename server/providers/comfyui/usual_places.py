"""Where ordinary workflows have what a request says: along a sampler's links, and in the nodes that begin a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.comfyui.graph import SEED_INPUTS, InputPlace, get_inputs, is_link, iterate_upstream

if TYPE_CHECKING:
    from atelier_mcp.server.providers.comfyui.graph import Graph, Node

TEXT_INPUTS: Final = ("text", "prompt", "string", "value", "text_g", "text_l", "clip_l", "t5xxl")
_SIDES: Final = {"prompt": "positive", "negative_prompt": "negative"}
_PLAIN_INPUTS: Final = {"steps": "steps", "guidance": "cfg"}
_EMPTY_INPUTS: Final = {"width": "width", "height": "height", "samples": "batch_size"}


def find_usual_places(graph: Graph) -> dict[str, list[InputPlace]]:
    """The places of the arguments that can be told without any title, by argument."""
    found: dict[str, list[InputPlace]] = {}
    for node_id, node in graph.items():
        for argument, places in _find_in_node(graph, node_id, node).items():
            found.setdefault(argument, []).extend(place for place in places if place not in found.get(argument, ()))
    if image := _find_only_image(graph):
        found["image"] = [image]
    _share_no_texts(found)
    return found


def _find_in_node(graph: Graph, node_id: str, node: Node) -> dict[str, list[InputPlace]]:
    class_type = str(node["class_type"])
    places = {"seed": _list_open(node_id, node, *SEED_INPUTS)}
    if class_type.startswith("Empty") and "Latent" in class_type:
        places |= {argument: _list_open(node_id, node, name) for argument, name in _EMPTY_INPUTS.items()}
    if class_type == "CheckpointLoaderSimple":
        places["model"] = _list_open(node_id, node, "ckpt_name")
    if _is_sampler(node):
        places |= {argument: _list_open(node_id, node, name) for argument, name in _PLAIN_INPUTS.items()}
        places |= {argument: _find_texts(graph, node, side) for argument, side in _SIDES.items()}
        if _begins_with_image(graph, get_inputs(node).get("latent_image")):
            places["strength"] = _list_open(node_id, node, "denoise")
    return {argument: found for argument, found in places.items() if found}


def _list_open(node_id: str, node: Node, *names: str) -> list[InputPlace]:
    """Those of the inputs that the node has and that come from no other one."""
    inputs = get_inputs(node)
    return [InputPlace(node_id, name) for name in names if name in inputs and not is_link(inputs[name])]


def _is_sampler(node: Node) -> bool:
    inputs = get_inputs(node)
    return all(is_link(inputs.get(side)) for side in _SIDES.values()) and any(name in inputs for name in SEED_INPUTS)


def _find_texts(graph: Graph, sampler: Node, side: str) -> list[InputPlace]:
    """The texts that become a sampler's conditioning: those of the nearest node before it that has any."""
    queue: list[Any] = [get_inputs(sampler)[side][0]]
    for node_id in queue:  # which grows meanwhile
        inputs = get_inputs(graph[node_id])
        texts = [name for name in TEXT_INPUTS if isinstance(inputs.get(name), str)]
        if texts:
            return [InputPlace(node_id, name) for name in texts]
        # Past nodes that only change it; one with both sides is left on the side it was entered by.
        names = [side] if side in inputs else list(inputs)
        queue += [inputs[name][0] for name in names if is_link(inputs[name]) and inputs[name][0] not in queue]
    return []


def _begins_with_image(graph: Graph, latent: Any) -> bool:
    if not is_link(latent):
        return False
    return any("VAEEncode" in str(graph[node_id]["class_type"]) for node_id in iterate_upstream(graph, latent[0]))


def _find_only_image(graph: Graph) -> InputPlace | None:
    """The picture a workflow begins with, where it loads just one."""
    loaders = [node_id for node_id, node in graph.items() if node["class_type"] == "LoadImage"]
    places = _list_open(loaders[0], graph[loaders[0]], "image") if len(loaders) == 1 else []
    return places[0] if places else None


def _share_no_texts(found: dict[str, list[InputPlace]]) -> None:
    """A text that both sides are made of is the prompt alone."""
    prompts = found.get("prompt", [])
    negatives = [place for place in found.pop("negative_prompt", []) if place not in prompts]
    if negatives:
        found["negative_prompt"] = negatives
