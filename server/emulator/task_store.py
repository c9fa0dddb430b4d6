"""Tasks as files, so that another instance of the emulator, or a later one, answers for them too.

One folder per task: ``tasks/<service>/<task id>/`` with ``task.json``, the pictures it was given (named by their
hash), and, once it is over, its results with ``outcome.json``. A file appears whole or not at all, ``task.json`` and
``outcome.json`` after what they refer to; whoever writes the outcome first wins. A lock file is held by the instance
that renders the task and falls free when that process ends, however it ends.

Beside the tasks, ``pictures/`` are those handed in, and ``unmarked/`` holds each marked result as it was before its
mark, under the SHA-256 of the bytes delivered, so that further work on a result does not start from its mark.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from atelier_mcp.server.emulator.former_names import update_outcome, update_task
from atelier_mcp.server.private_files import FILE_MODE, make_private_folder, write_private_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE_KEY: Final = "$file"
IMAGES_FOLDER: Final = "pictures"
UNMARKED_FOLDER: Final = "unmarked"
TASK_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fault has decided about a task beforehand."""

    failed: str = ""
    """The reason for the whole task to fail."""
    code: str = ""
    """The error code of single pictures."""
    images: tuple[int, ...] | None = None
    """Which pictures get the code; all when absent."""

    def get_error_code(self, index: int) -> str:
        """The error code of one picture, empty when it is good."""
        return self.code if self.images is None or index in self.images else ""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One accepted task. Times are Unix seconds; ``arguments`` is JSON in which files stand for bytes.

    ``function`` is the engine's, by its name alone: ``"erase"``.
    """

    service: str
    task_id: str
    account: str
    function: str
    arguments: Mapping[str, Any]
    accepted_at: float
    starts_at: float
    ends_at: float
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the upstream module wants to remember of the request."""
    verdict: Verdict = field(default_factory=Verdict)
    lasting: bool = False
    """Whether its outcome is kept for good, as a trained model is."""


@dataclass(frozen=True, slots=True)
class ResultImage:
    """One result: the names of its files in the task's folder, and its seed."""

    raw: str
    small: str
    seed: int


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """How a task ended: pictures, another file, a JSON document, or a failure."""

    images: tuple[ResultImage, ...] = ()
    notes: tuple[str, ...] = ()
    file: str = ""
    document: Any = None
    failed: str = ""


class TaskStore:
    """The state folder. Every method blocks on files: call them in a thread."""

    def __init__(self) -> None:
        """Belong to no folder yet."""
        self.folder: Path = Path()

    def open(self, folder: Path) -> None:
        """Work in ``folder``, which is created."""
        self.folder = folder
        make_private_folder(folder / "tasks")

    def build_path(self, service: str, task_id: str, name: str) -> Path:
        """Where a file of a task lies."""
        return self.folder / "tasks" / service / task_id / name

    def add(self, task: TaskRecord) -> TaskRecord:
        """Write a new task whose arguments hold bytes; answers it as it will be read, with files in their place."""
        make_private_folder(self.build_path(task.service, task.task_id, ""))
        stored = replace(task, arguments=self._store_bytes(task, task.arguments))
        self.put(stored)
        return stored

    def put(self, task: TaskRecord) -> None:
        """Write the task itself, anew when it is there already."""
        self._write_atomically(self.build_path(task.service, task.task_id, "task.json"), _encode_json(asdict(task)))

    def read_task(self, service: str, task_id: str) -> TaskRecord | None:
        """The task as it was accepted, by whichever instance."""
        # Ids come from requests and become names of folders.
        if not TASK_ID.fullmatch(task_id):
            return None
        document = _read_json(self.build_path(service, task_id, "task.json"))
        try:
            return None if document is None else _parse_task(document)
        except (TypeError, KeyError):  # written by another version of this program
            return None

    def list_tasks(self, service: str) -> list[TaskRecord]:
        """All tasks of a service, oldest first."""
        folder = self.folder / "tasks" / service
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        found = [task for name in names if (task := self.read_task(service, name)) is not None]
        return sorted(found, key=lambda task: (task.accepted_at, task.task_id))

    def find_services(self, task_id: str) -> Iterator[str]:
        """The services that know a task of this id."""
        if not TASK_ID.fullmatch(task_id):
            return
        for folder in (self.folder / "tasks").iterdir():
            if (folder / task_id / "task.json").exists():
                yield folder.name

    def find_before(self, before: float) -> list[Path]:
        """Folders of tasks, and pictures, that are older than ``before``, Unix seconds, except what lasts."""
        old: list[Path] = []
        for service in (self.folder / "tasks").iterdir():
            tasks = self.list_tasks(service.name)
            old += [service / task.task_id for task in tasks if not task.lasting and task.ends_at < before]
        for image in (path for folder in (IMAGES_FOLDER, UNMARKED_FOLDER) for path in (self.folder / folder).glob("*")):
            with suppress(OSError):
                if image.stat().st_mtime < before:
                    old.append(image)
        return old

    def delete_before(self, before: float) -> None:
        """Delete what is older than ``before``, as ``find_before`` says; other instances may be at it too."""
        for path in self.find_before(before):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()

    def read_arguments(self, task: TaskRecord) -> dict[str, Any]:
        """The arguments with their files read back into bytes."""
        return {name: self._load_bytes(task, value) for name, value in task.arguments.items()}

    def claim(self, task: TaskRecord) -> FileLock | None:
        """The right to render the task, to be released; None while another instance does, or when it is over."""
        # Given back by another thread than took it.
        path = self.build_path(task.service, task.task_id, "rendering.lock")
        lock = FileLock(path, thread_local=False, mode=FILE_MODE)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        # Looked at under the lock: another instance may have finished just before.
        if self.read_outcome(task) is not None:
            lock.release()
            return None
        return lock

    def write_file(self, task: TaskRecord, name: str, data: bytes) -> None:
        """Write a file of the task."""
        self._write_atomically(self.build_path(task.service, task.task_id, name), data)

    def write_outcome(self, task: TaskRecord, outcome: TaskOutcome) -> TaskOutcome:
        """Write the outcome unless there is one; answers the one that counts."""
        path = self.build_path(task.service, task.task_id, "outcome.json")
        draft = _write_draft(path, _encode_json(asdict(outcome)))
        try:
            # A hard link, unlike a rename, fails where the name is taken: the first one stays.
            os.link(draft, path)
        except FileExistsError:
            return self.read_outcome(task) or outcome
        finally:
            draft.unlink()
        return outcome

    def read_outcome(self, task: TaskRecord) -> TaskOutcome | None:
        """How the task ended; None while it has not."""
        document = _read_json(self.build_path(task.service, task.task_id, "outcome.json"))
        if document is None:
            return None
        document = update_outcome(document)
        images = tuple(ResultImage(**image) for image in document.pop("images"))
        notes = tuple(document.pop("notes"))
        return TaskOutcome(images=images, notes=notes, **document)

    def load_link_key(self) -> bytes:
        """The key that signs links, made by the first instance on the folder."""
        path = self.folder / "links.key"
        draft = _write_draft(path, secrets.token_bytes(32))
        # Whoever has the key can sign links to any file of the folder.
        draft.chmod(0o600)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return path.read_bytes()

    def store_image(self, data: bytes, suffix: str, *, now: float) -> str:
        """Keep a picture that belongs to no task; answers its name. Its file's time is the emulator's."""
        name = f"{hashlib.sha256(data).hexdigest()[:32]}.{suffix}"
        self._store_file(self.folder / IMAGES_FOLDER / name, data, time=now)
        return name

    def store_unmarked(self, task: TaskRecord, delivered: bytes, unmarked: bytes) -> None:
        """Keep what a result of the task is without its mark, found again by the bytes delivered; it is no link's.

        It is as old as the task, so that both are forgotten together.
        """
        self._store_file(self._build_unmarked_path(delivered), unmarked, time=task.ends_at)

    def find_unmarked(self, image: bytes) -> bytes:
        """The picture without our mark if it is a result of ours, of any task of the folder; else as it is."""
        try:
            return self._build_unmarked_path(image).read_bytes()
        except FileNotFoundError:
            return image

    def _build_unmarked_path(self, delivered: bytes) -> Path:
        return self.folder / UNMARKED_FOLDER / f"{hashlib.sha256(delivered).hexdigest()}.png"

    def _store_file(self, path: Path, data: bytes, *, time: float) -> None:
        make_private_folder(path.parent)
        draft = _write_draft(path, data)
        os.utime(draft, (time, time))
        draft.replace(path)

    def _store_bytes(self, task: TaskRecord, value: Any) -> Any:
        match value:
            case bytes():
                name = f"{hashlib.sha256(value).hexdigest()[:32]}.in"
                self.write_file(task, name, value)
                return {FILE_KEY: name}
            case dict():
                return {key: self._store_bytes(task, item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType] # JSON
            case list() | tuple():
                return [self._store_bytes(task, item) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
            case _:
                return value

    def _load_bytes(self, task: TaskRecord, value: Any) -> Any:
        match value:
            case {"$file": str(name)}:
                return self.build_path(task.service, task.task_id, name).read_bytes()
            case dict():
                return {key: self._load_bytes(task, item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType] # JSON
            case list():
                return [self._load_bytes(task, item) for item in value]  # pyright: ignore[reportUnknownVariableType] # JSON
            case _:
                return value

    def _write_atomically(self, path: Path, data: bytes) -> None:
        _write_draft(path, data).replace(path)


def _parse_task(document: dict[str, Any]) -> TaskRecord:
    document = update_task(document)
    verdict = document.pop("verdict")
    indexes = verdict.pop("images")
    verdict = Verdict(**verdict, images=None if indexes is None else tuple(indexes))
    return TaskRecord(**document, verdict=verdict)


def _write_draft(path: Path, data: bytes) -> Path:
    # A name of its own for each writer, or two would write into one draft.
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    write_private_bytes(draft, data)
    return draft


def _encode_json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
