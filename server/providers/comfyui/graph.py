"""Workflows in API form: nodes by id, each with its class and its inputs; a link is ``[node id, output index]``."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Node: TypeAlias = dict[str, Any]
Graph: TypeAlias = dict[str, Node]
Link: TypeAlias = list[Any]

FOLDER: Final = "atelier"
"""Of everything we write at ComfyUI: uploads in ``input``, pictures in ``output``."""
SEED_INPUTS: Final = ("seed", "noise_seed")
FILE_INPUT: Final = "filename_prefix"


class InputPlace(NamedTuple):
    """An input of a node."""

    node_id: str
    input_name: str


def build_node(class_type: str, **inputs: Any) -> Node:
    """A node."""
    return {"class_type": class_type, "inputs": inputs}


def read_object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in the place of anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def is_link(value: Any) -> bool:
    """True for an input that comes from another node."""
    return isinstance(value, list) and len(cast("list[Any]", value)) == 2 and isinstance(value[0], str)


def get_inputs(node: Mapping[str, Any]) -> dict[str, Any]:
    """A node's inputs; none where it has none."""
    return read_object(node.get("inputs"))


def iterate_upstream(graph: Mapping[str, Mapping[str, Any]], node_id: str) -> Iterator[str]:
    """A node and those its inputs come from, nearest first, each once."""
    queue, seen = [node_id], {node_id}
    while queue:
        current = queue.pop(0)
        if current not in graph:
            continue
        yield current
        for value in get_inputs(graph[current]).values():
            if is_link(value) and value[0] not in seen:
                seen.add(value[0])
                queue.append(value[0])


def find_seed(graph: Mapping[str, Mapping[str, Any]], node_id: str) -> int | None:
    """The seed of what a node saves: that of the nearest node before it that has one."""
    for current in iterate_upstream(graph, node_id):
        inputs = get_inputs(graph[current])
        for name in SEED_INPUTS:
            if isinstance(seed := inputs.get(name), int):
                return seed
    return None


def name_files(graph: Graph, task_id: str) -> Graph:
    """A copy in which whatever is saved is named by the task: the first node's files ``<id>_00001_.png``, ...

    An unchanged graph would be answered from the cache with old files (contract: conventions.cache, comfy.cached).
    """
    named = copy.deepcopy(graph)
    saving_ids = [node_id for node_id, node in named.items() if FILE_INPUT in get_inputs(node)]
    for number, node_id in enumerate(saving_ids, 1):
        get_inputs(named[node_id])[FILE_INPUT] = f"{FOLDER}/{build_file_stem(task_id, number)}"
    return named


def build_file_stem(task_id: str, number: int) -> str:
    """How the files of a task's nth saving node begin."""
    return task_id if number == 1 else f"{task_id}-{number}"
