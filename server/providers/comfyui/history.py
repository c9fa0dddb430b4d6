"""An entry of the history: how a job ended, and what it saved (contract: history.one)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.providers.comfyui.graph import find_seed, read_object
from atelier_mcp.server.providers.comfyui.job_search import OutputFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTERRUPTED: Final = "execution_interrupted"
FAILED: Final = "execution_error"
_FULL_MEMORY: Final = "OutOfMemory"


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """A saved picture, with its seed where the graph tells it."""

    file: OutputFile
    seed: int | None


@dataclass(frozen=True, slots=True)
class HistoryProblem:
    """Why a job ended without its pictures."""

    what: str
    node_type: str = ""
    reason: str = ""
    hint: str = ""

    def format_place(self) -> str:
        """Where it was."""
        return f"In {self.node_type}:" if self.node_type else ""


class HistoryEntry:
    """One finished job."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """Read the entry liberally: old servers have no status."""
        self._document = document

    def find_problem(self) -> HistoryProblem | None:
        """Why it failed; None where it did not."""
        status = read_object(self._document.get("status"))
        if status.get("status_str") != "error":
            return None
        for kind, data in reversed(list(_iterate_messages(status))):
            if kind == INTERRUPTED:
                return HistoryProblem("The job was interrupted at ComfyUI.", hint="Ask again.")
            if kind == FAILED:
                is_full = _FULL_MEMORY in str(data.get("exception_type"))
                return HistoryProblem(
                    "ComfyUI could not carry out the workflow.",
                    node_type=str(data.get("node_type") or ""),
                    reason=str(data.get("exception_message") or "").strip(),
                    hint="Ask for a smaller picture." if is_full else "",
                )
        return HistoryProblem("ComfyUI could not carry out the workflow and gave no reason.")

    def list_outputs(self) -> list[SavedOutput]:
        """What it saved, in the order of the graph's nodes; what it only showed, where it saved nothing."""
        graph = self._read_graph()
        by_node = read_object(self._document.get("outputs"))
        order = {node_id: place for place, node_id in enumerate(graph)}
        files = [
            SavedOutput(file, find_seed(graph, node_id))
            for node_id in sorted(by_node, key=lambda node_id: order.get(node_id, len(order)))
            for file in _iterate_files(by_node[node_id])
        ]
        return [output for output in files if output.file.folder == "output"] or files

    def list_texts(self) -> list[str]:
        """What nodes said in words, each text once (contract: history.text)."""
        by_node = read_object(self._document.get("outputs"))
        texts = [text for output in by_node.values() for text in _iterate_texts(output)]
        return list(dict.fromkeys(texts))

    def _read_graph(self) -> dict[str, Any]:
        match self._document.get("prompt"):
            case [_, _, graph, *_] | {"prompt": graph}:  # Comfy Cloud's has names in the place of a list
                return read_object(graph)
            case _:
                return {}


def _iterate_messages(status: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in status.get("messages") or ():
        match message:
            case [str(kind), data]:
                yield kind, read_object(data)
            case _:
                continue


def _iterate_texts(output: Any) -> Iterator[str]:
    texts = read_object(output).get("text")
    for text in cast("list[Any]", texts) if isinstance(texts, list) else ():
        if isinstance(text, str) and text.strip():
            yield text.strip()


def _iterate_files(output: Any) -> Iterator[OutputFile]:
    images = read_object(output).get("images")
    for image in cast("list[Any]", images) if isinstance(images, list) else ():
        match image:
            case {"filename": str(name), **rest}:
                yield OutputFile(name, str(rest.get("subfolder") or ""), str(rest.get("type") or "output"))
            case _:
                continue
