"""Where a job is: in the queue, in the history, or only its files, where the server was restarted since.

Queue and history live in the server's memory and its files do not (contract: conventions.history). The queue is always
read before the history: a job that moves on between the two cannot slip through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from atelier_mcp.server.providers.comfyui.graph import FOLDER, build_file_stem, read_object
from atelier_mcp.server.providers.http_messages import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import UpstreamTask
    from atelier_mcp.server.providers.comfyui.session import ComfyuiSession
    from atelier_mcp.server.providers.rate_limit import RequestLimiter

RECHECK_S: Final = 5.0
"""A request may still be on its way when its connection has broken (contract: durable.answer_lost)."""
MIN_HISTORY_ITEMS: Final = 64
MAX_FILES: Final = 64


@dataclass(frozen=True, slots=True)
class QueueState:
    """The jobs in the queue; the waiting ones in the order they will be drawn."""

    running: Mapping[str, Mapping[str, Any]]
    """Each with its graph."""
    waiting: tuple[str, ...] = ()

    def __contains__(self, task_id: str) -> bool:
        """Whether a job is there."""
        return task_id in self.running or task_id in self.waiting


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a job has made, and where ``view`` finds it."""

    name: str
    subfolder: str = FOLDER
    folder: str = "output"

    @property
    def query(self) -> dict[str, str | int]:
        """Of ``/view``."""
        return {"filename": self.name, "subfolder": self.subfolder, "type": self.folder}


class JobSearch:
    """Looks for jobs of one server."""

    def __init__(self, session: ComfyuiSession) -> None:
        """Ask through ``session``."""
        self._session = session
        # Comfy Cloud's is named otherwise (contract: auth.cloud).
        self._history_path = "/history_v2" if session.is_cloud else "/history"

    async def read_queue(self, rate_limit: RequestLimiter | None = None) -> QueueState:
        """Who draws and who waits."""
        document = await self._session.send(HttpRequest("GET", "/queue"), rate_limit=rate_limit)
        match document:
            case {"queue_running": [*running], "queue_pending": [*waiting]}:
                return QueueState(_map_graphs(running), tuple(_map_graphs(sorted(waiting, key=_get_number))))
            case _:
                raise self._session.client.build_unreadable_error(HttpRequest("GET", "/queue"))

    async def read_history(self, task_id: str, rate_limit: RequestLimiter | None = None) -> Mapping[str, Any] | None:
        """The entry of a finished job; None for one that is not finished, or not known."""
        path = f"{self._history_path}/{quote(task_id, safe='')}"
        document = await self._session.send(HttpRequest("GET", path), rate_limit=rate_limit)
        return _get_entry(document, task_id)

    async def read_histories(
        self, task_ids: list[str], rate_limit: RequestLimiter | None = None
    ) -> dict[str, Mapping[str, Any]]:
        """The entries of those of the jobs that are among the last that finished."""
        query = {"max_items": max(MIN_HISTORY_ITEMS, 2 * len(task_ids))}
        document = await self._session.send(HttpRequest("GET", self._history_path, query=query), rate_limit=rate_limit)
        entries = {task_id: _get_entry(document, task_id) for task_id in task_ids}
        return {task_id: entry for task_id, entry in entries.items() if entry is not None}

    async def find_after_silence(self, task: UpstreamTask) -> bool:
        """Whether a job that was sent without an answer has arrived, looked for twice and then by its files."""
        if await self._is_known(task.id):
            return True
        await self._session.client.clock.sleep(RECHECK_S)
        return await self._is_known(task.id) or await self.fetch(OutputFile(f"{task.id}_00001_.png")) is not None

    async def fetch(self, file: OutputFile) -> bytes | None:
        """A file's bytes; None where there is none."""
        return await self._session.fetch(HttpRequest("GET", "/view", query=file.query))

    async def fetch_left_files(self, task_id: str) -> tuple[bytes, ...]:
        """What a job has saved, where nothing but its files is left of it, in the order of its saving nodes."""
        files: list[bytes] = []
        for number in range(1, MAX_FILES):
            stem = build_file_stem(task_id, number)
            found = await self._fetch_numbered(stem)
            if not found:
                break
            files += found
        return tuple(files)

    async def _fetch_numbered(self, stem: str) -> list[bytes]:
        files: list[bytes] = []
        while len(files) < MAX_FILES:
            data = await self.fetch(OutputFile(f"{stem}_{len(files) + 1:05}_.png"))
            if data is None:
                break
            files.append(data)
        return files

    async def _is_known(self, task_id: str) -> bool:
        return task_id in await self.read_queue() or await self.read_history(task_id) is not None


def _map_graphs(items: list[Any]) -> dict[str, dict[str, Any]]:
    """Each id with its graph, in order."""
    found: dict[str, dict[str, Any]] = {}
    for item in items:
        match item:
            case [_, str(task_id), *rest]:  # ``[number, prompt_id, graph, extra, outputs]``
                found[task_id] = read_object(rest[0]) if rest else {}
            case _:
                continue
    return found


def _get_number(item: Any) -> float:
    return item[0] if isinstance(item, list) and item and isinstance(item[0], int | float) else 0.0


def _get_entry(document: Any, task_id: str) -> Mapping[str, Any] | None:
    return read_object(read_object(document).get(task_id)) or None
