"""A workflow of the user's own, and where in it the arguments of a request go.

A node's title says it: ``prompt``, ``seed``, ``image`` or several, ``width, height``. What is titled ``input: name``
takes the value of that name from ``workflow_inputs``; ``input: name = scale_by`` says which of its values. What no
title names is looked for where ordinary workflows have it (``usual_places``).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.providers.comfyui.graph import SEED_INPUTS, InputPlace, get_inputs, is_link, read_object
from atelier_mcp.server.providers.comfyui.usual_places import TEXT_INPUTS, find_usual_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.comfyui.graph import Graph

ARGUMENT_INPUTS: Final[dict[str, tuple[str, ...]]] = {
    "prompt": TEXT_INPUTS,
    "negative_prompt": TEXT_INPUTS,
    "image": ("image", "value"),
    "seed": (*SEED_INPUTS, "value"),
    "width": ("width", "value"),
    "height": ("height", "value"),
    "samples": ("batch_size", "amount", "value"),
    "steps": ("steps", "value"),
    "guidance": ("cfg", "guidance", "value"),
    "strength": ("denoise", "strength", "value"),
    "model": ("ckpt_name", "unet_name", "model_name", "value"),
}
"""The arguments of ``generate_image`` that a workflow may take, and the inputs of nodes that they may be, in order."""
CUSTOM_TITLE: Final = "input:"


class WorkflowProblem(Exception):
    """A file is no workflow that can be used; the text says why, in words that follow the file's name."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow and its named inputs."""

    name: str
    graph: Graph
    places: Mapping[str, tuple[InputPlace, ...]]
    """By argument of ``generate_image``."""
    custom_places: Mapping[str, tuple[InputPlace, ...]]
    """By name in ``workflow_inputs``."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes of its nodes, each once."""
        return tuple(dict.fromkeys(str(node["class_type"]) for node in self.graph.values()))

    def format_inputs(self) -> str:
        """What it takes, for a reader."""
        custom = f"; workflow_inputs {', '.join(self.custom_places)}" if self.custom_places else ""
        return f"{', '.join(self.places) or 'no arguments'}{custom}"

    def fill_in(self, values: Mapping[str, Any], custom_values: Mapping[str, Any]) -> Graph:
        """The graph with these values in their places. Raises ``InvalidRequest`` for one it cannot take."""
        graph = copy.deepcopy(self.graph)
        for name, value in values.items():
            _set_value(graph, self.places[name], value, name)
        for name, value in custom_values.items():
            if name not in self.custom_places:
                raise InvalidRequest(
                    f"workflow_inputs.{name}: {self.name} has no such input; it takes {self.format_inputs()}."
                )
            _set_value(graph, self.custom_places[name], value, f"workflow_inputs.{name}")
        return graph


def parse_workflow(name: str, document: Any) -> Workflow:
    """A workflow from a file's JSON. Raises ``WorkflowProblem``."""
    graph = _check_graph(document)
    places, custom_places = _read_titles(graph)
    for argument, found in find_usual_places(graph).items():
        places.setdefault(argument, found)
    ordered = {argument: tuple(places[argument]) for argument in ARGUMENT_INPUTS if places.get(argument)}
    return Workflow(name, graph, ordered, {key: tuple(found) for key, found in custom_places.items()})


def _check_graph(document: Any) -> Graph:
    nodes = read_object(document)
    if isinstance(nodes.get("nodes"), list):
        raise WorkflowProblem("is saved for the editor: export it in API form")
    # A whole body of a call holds the graph one level below.
    inner = read_object(nodes.get("prompt"))
    graph = inner if inner and "class_type" not in inner else nodes
    if not graph or not all(isinstance(read_object(node).get("class_type"), str) for node in graph.values()):
        raise WorkflowProblem("is no workflow in API form: a JSON object of nodes, each with class_type and inputs")
    for node_id, node in graph.items():
        for input_name, value in get_inputs(node).items():
            if is_link(value) and value[0] not in graph:
                raise WorkflowProblem(
                    f"is incomplete: {input_name} of node {node_id} comes from {value[0]}, which is not there"
                )
    return graph


def _read_titles(graph: Graph) -> tuple[dict[str, list[InputPlace]], dict[str, list[InputPlace]]]:
    """The places that titles name: for arguments, and for ``workflow_inputs``."""
    places: dict[str, list[InputPlace]] = {}
    custom_places: dict[str, list[InputPlace]] = {}
    for node_id, node in graph.items():
        title = str(read_object(node.get("_meta")).get("title") or "").strip()
        is_custom = title.lower().startswith(CUSTOM_TITLE)
        names = [_parse_name(part) for part in title[len(CUSTOM_TITLE) * is_custom :].split(",")]
        # A title that is nothing but names of arguments: "KSampler" and "Load Image" name none.
        if not is_custom and not all(name in ARGUMENT_INPUTS for name, _ in names):
            continue
        for name, input_name in names:
            place = _find_input(node_id, get_inputs(node), name, input_name, is_only=len(names) == 1)
            (custom_places if is_custom else places).setdefault(name, []).append(place)
    return places, custom_places


def _parse_name(text: str) -> tuple[str, str]:
    """The name in a title, and the node's input that it says it is: ``scale = scale_by``."""
    name, _, input_name = text.partition("=")
    return name.strip().lower().replace(" ", "_"), input_name.strip()


def _find_input(node_id: str, inputs: Mapping[str, Any], name: str, input_name: str, *, is_only: bool) -> InputPlace:
    """The input of a node that a name stands for. Raises ``WorkflowProblem`` where there is none."""
    open_inputs = [known for known, value in inputs.items() if not is_link(value)]
    for candidate in (input_name,) if input_name else (name, *ARGUMENT_INPUTS.get(name, ())):
        if candidate in open_inputs:
            return InputPlace(node_id, candidate)
    if is_only and not input_name and len(open_inputs) == 1:
        return InputPlace(node_id, open_inputs[0])
    raise WorkflowProblem(f"has a node {node_id} titled {name} without a value that could be it")


def _set_value(graph: Graph, places: tuple[InputPlace, ...], value: Any, name: str) -> None:
    for node_id, input_name in places:
        inputs = get_inputs(graph[node_id])
        inputs[input_name] = _convert(value, inputs[input_name], name)


def _convert(value: Any, former: Any, name: str) -> Any:
    """The value in the kind of the one that stands there. Raises ``InvalidRequest`` where it is of another."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(former, bool):
        fits = isinstance(value, bool)
    elif isinstance(former, int):
        fits = is_number and float(value).is_integer()
        value = int(value) if fits else value
    elif isinstance(former, float):
        fits = is_number
        value = float(value) if fits else value
    else:
        fits = isinstance(value, str)
    if not fits:
        raise InvalidRequest(f"{name}: give {_describe_kind(former)}, such as {former!r}.")
    return value


def _describe_kind(former: Any) -> str:
    match former:
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case _:
            return "text"
