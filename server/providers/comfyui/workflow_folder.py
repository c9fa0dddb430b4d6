"""The folder of the user's own workflows; it is read anew each time, so that a file put there is found at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ConfigurationError, InvalidRequest
from atelier_mcp.server.providers.comfyui.node_list import format_names
from atelier_mcp.server.providers.comfyui.workflow import Workflow, WorkflowProblem, parse_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES: Final = 4_000_000


class WorkflowFolder:
    """Workflows by the names of their files, without ``.json``. Its methods read files."""

    def __init__(self, path: str) -> None:
        """``path`` is empty where no folder is set."""
        self._path = Path(path).expanduser() if path else None

    def list_workflows(self) -> list[Workflow]:
        """Those that can be used, by name."""
        return [found for _, found in self._read_all() if isinstance(found, Workflow)]

    def list_broken(self) -> list[tuple[str, str]]:
        """The names of those that cannot, each with the reason, in words that follow the name."""
        return [(name, str(found)) for name, found in self._read_all() if isinstance(found, WorkflowProblem)]

    def list_problems(self) -> list[str]:
        """Whatever is wrong with the folder, a sentence each."""
        if self._path is not None and not self._path.is_dir():
            return [f"COMFYUI_WORKFLOWS: {self._path} is no folder"]
        return [f"{name}.json {reason}" for name, reason in self.list_broken()]

    def get(self, name: str) -> Workflow:
        """A workflow by name.

        Raises ``InvalidRequest`` for one there is not or that cannot be used, ``ConfigurationError`` without a folder.
        """
        if self._path is None:
            raise ConfigurationError("No workflows are configured.", hint="Set COMFYUI_WORKFLOWS to their folder.")
        found = dict(self._read_all()).get(name.removesuffix(".json"))
        if isinstance(found, Workflow):
            return found
        if found is not None:
            raise InvalidRequest(f"workflow: {name} cannot be used, for its file {found}.")
        names = format_names([workflow.name for workflow in self.list_workflows()])
        raise InvalidRequest(f"workflow: there is no {name}; there are {names}.")

    def _read_all(self) -> Iterator[tuple[str, Workflow | WorkflowProblem]]:
        if self._path is None or not self._path.is_dir():
            return
        for path in sorted(self._path.glob("*.json")):
            try:
                yield path.stem, _read(path)
            except WorkflowProblem as problem:
                yield path.stem, problem


def _read(path: Path) -> Workflow:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise WorkflowProblem("is too large for a workflow")
        document = json.loads(path.read_bytes())
    except OSError as err:
        raise WorkflowProblem(f"cannot be read: {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise WorkflowProblem("is not JSON") from err
    return parse_workflow(path.stem, document)
