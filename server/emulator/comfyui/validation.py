"""A workflow checked before it is queued, node by node, as the service does (contract: errors.400)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from atelier_mcp.server.emulator.comfyui.errors import build_error, refuse_prompt
from atelier_mcp.server.emulator.comfyui.input_types import is_good_link, is_link
from atelier_mcp.server.emulator.comfyui.node_classes import CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atelier_mcp.server.emulator.comfyui.input_types import InputType

    FileCheck = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class CheckedGraph:
    """A workflow that can be carried out, at least in part."""

    outputs: tuple[str, ...]
    """The nodes that save or show, without those that were refused."""
    node_errors: Mapping[str, Any] = field(default_factory=dict[str, Any])


def check_graph(graph: Mapping[str, Any], *, has_file: FileCheck, no_errors: Any) -> CheckedGraph:
    """The workflow's good outputs; raises ComfyuiHttpError where there is none.

    ``has_file`` tells whether a file is in the input folder; ``no_errors`` is what no errors of nodes look like.
    """
    for node_id, node in graph.items():
        _check_class(node_id, node, no_errors)
    outputs = [node_id for node_id, node in graph.items() if CLASSES[node["class_type"]].is_output]
    if not outputs:
        raise refuse_prompt(build_error("prompt_no_outputs", "Prompt has no outputs"), no_errors)
    checker = _GraphChecker(graph, has_file)
    good = tuple(node_id for node_id in outputs if checker.is_good(node_id))
    node_errors = checker.build_node_errors([node_id for node_id in outputs if node_id not in good])
    if good:
        return CheckedGraph(good, node_errors)
    details = "\n".join(_format_errors(node_id, errors) for node_id, errors in node_errors.items())
    raise refuse_prompt(
        build_error("prompt_outputs_failed_validation", "Prompt outputs failed validation", details), node_errors
    )


def _format_errors(node_id: str, errors: Mapping[str, Any]) -> str:
    lines = [f"  - {error['message']}: {error['details']}" for error in errors["errors"]]
    return "\n".join([f"* {errors['class_type']} {node_id}:", *lines])


def _check_class(node_id: str, node: Any, no_errors: Any) -> None:
    class_type = cast("dict[str, Any]", node).get("class_type") if isinstance(node, dict) else None
    details = f"Node ID '#{node_id}'"
    if class_type is None:
        message = "Cannot execute because a node is missing the class_type property."
        raise refuse_prompt(build_error("invalid_prompt", message, details), no_errors)
    if class_type not in CLASSES:
        message = f"Cannot execute because node {class_type} does not exist."
        raise refuse_prompt(build_error("invalid_prompt", message, details), no_errors)


class _GraphChecker:
    """Looks at each node once, from the outputs on."""

    def __init__(self, graph: Mapping[str, Any], has_file: FileCheck) -> None:
        self._graph = graph
        self._has_file = has_file
        self._errors: dict[str, list[dict[str, Any]]] = {}
        self._good: dict[str, bool] = {}

    def is_good(self, node_id: str) -> bool:
        """Whether a node and all that it comes from can be carried out."""
        if node_id not in self._good:
            self._good[node_id] = False  # a circle comes back here
            node = self._graph[node_id]
            errors, before = self._check_inputs(node_id, node.get("inputs") or {})
            self._errors[node_id] = errors
            # Each of them, so that what is wrong behind a bad one is told as well.
            found = [self.is_good(other) for other in before]
            self._good[node_id] = not errors and all(found)
        return self._good[node_id]

    def build_node_errors(self, bad_outputs: list[str]) -> dict[str, Any]:
        """The errors by node, with the outputs that depend on them."""
        return {
            node_id: {
                "errors": errors,
                "dependent_outputs": bad_outputs,
                "class_type": self._graph[node_id]["class_type"],
            }
            for node_id, errors in self._errors.items()
            if errors
        }

    def _check_inputs(self, node_id: str, inputs: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
        """What is wrong with a node's inputs, and the nodes that they come from."""
        errors: list[dict[str, Any]] = []
        before: list[str] = []
        for name, kind in CLASSES[self._graph[node_id]["class_type"]].inputs.items():
            if name not in inputs:
                if not kind.is_optional:
                    message = "Required input is missing"
                    errors.append(build_error("required_input_missing", message, name, input_name=name))
                continue
            value = inputs[name]
            error = self._check_link(name, kind, value) if is_link(value) else self._check_value(name, kind, value)
            if error is not None:
                errors.append(error)
            elif is_link(value):
                before.append(value[0])
        return errors, before

    def _check_value(self, name: str, kind: InputType, value: Any) -> dict[str, Any] | None:
        if kind.is_file and not self._has_file(value):
            details = f"{name} - Invalid image file: {value}"
            message = "Custom validation failed for node"
            return build_error("custom_validation_failed", message, details, input_name=name)
        return kind.find_error(name, value)

    def _check_link(self, name: str, kind: InputType, value: Any) -> dict[str, Any] | None:
        if not is_good_link(value):
            message = "Bad linked input, must be a length-2 list of [node_id, slot_index]"
            return build_error("bad_linked_input", message, name, input_name=name, received_value=value)
        outputs = self._list_outputs(value[0])
        if value[1] >= len(outputs) or value[1] < 0:
            message = "Exception when validating inner node"
            return build_error("exception_during_inner_validation", message, f"{name}: '{value[0]}'", input_name=name)
        received: str = outputs[int(value[1])]
        if received != kind.kind:
            details = f"{name}, received_type({received}) mismatch input_type({kind.kind})"
            message = "Return type mismatch between linked nodes"
            return build_error("return_type_mismatch", message, details, input_name=name, linked_node=value)
        return None

    def _list_outputs(self, node_id: str) -> tuple[str, ...]:
        """The kinds of a node's outputs; none of one there is not."""
        return CLASSES[self._graph[node_id]["class_type"]].outputs if node_id in self._graph else ()
