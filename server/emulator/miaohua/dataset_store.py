"""Data sets as files: one JSON document each, and their pictures, which stay as long as they do."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock

from atelier_mcp.server.private_files import FILE_MODE, make_private_folder, write_private_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atelier_mcp.server.emulator.task_store import TaskStore

FOLDER: Final = "datasets"


@dataclass(frozen=True, slots=True)
class DataSetRecord:
    """One data set. Times are Unix seconds; ``images`` names files of the folder."""

    id: int
    account: str
    name: str
    description: str
    created_at: float
    updated_at: float
    images: tuple[str, ...] = ()


class DataSetStore:
    """The data sets of all accounts. Every method blocks on files: call them in a thread."""

    def __init__(self, store: TaskStore) -> None:
        """Keep them in the store's folder, once that is open."""
        self._store = store

    def add(self, *, account: str, name: str, description: str, images: Sequence[Path], now: float) -> DataSetRecord:
        """A new data set with copies of these pictures."""
        with self._create_lock():
            # Under the lock, which makes two of one number impossible.
            number = 1 + max((int(path.stem) for path in self._folder.glob("*.json")), default=0)
            data_set = DataSetRecord(number, account, name, description, now, now, self._link_images(images))
            self._write(data_set)
            return data_set

    def list_for_account(self, account: str) -> list[DataSetRecord]:
        """An account's data sets, oldest first."""
        found = [self._read(path) for path in self._folder.glob("*.json")]
        return sorted((entry for entry in found if entry.account == account), key=lambda entry: entry.id)

    def find(self, number: int, account: str) -> DataSetRecord | None:
        """One data set, if it is the account's."""
        path = self._folder / f"{number}.json"
        entry = self._read(path) if path.is_file() else None
        return entry if entry is not None and entry.account == account else None

    def add_images(self, entry: DataSetRecord, images: Sequence[Path], *, now: float) -> None:
        """Add pictures; those that are in it already stay once."""
        with self._create_lock():
            # Read again under the lock: another call may have changed it since it was found.
            entry = self.find(entry.id, entry.account) or entry
            all_images = tuple(dict.fromkeys((*entry.images, *self._link_images(images))))
            self._write(replace(entry, images=all_images, updated_at=now))

    def remove_images(self, entry: DataSetRecord, names: Sequence[str], *, now: float) -> bool:
        """Remove pictures by name; False, and nothing done, when one is not in it."""
        with self._create_lock():
            entry = self.find(entry.id, entry.account) or entry
            if not set(names) <= set(entry.images):
                return False
            self._write(replace(entry, images=tuple(n for n in entry.images if n not in names), updated_at=now))
            return True

    @property
    def _folder(self) -> Path:
        folder = self._store.folder / FOLDER
        make_private_folder(folder)
        return folder

    def _create_lock(self) -> FileLock:
        return FileLock(self._folder / "changing.lock", thread_local=False, mode=FILE_MODE)

    def _link_images(self, images: Sequence[Path]) -> tuple[str, ...]:
        """Their names here; linked rather than copied, as uploads are never changed."""
        for image in images:
            target = self._folder / image.name
            if not target.exists():
                # A hard link: the upload may be deleted when it gets old, and the picture stays.
                os.link(image, target)
        return tuple(dict.fromkeys(image.name for image in images))

    def _write(self, entry: DataSetRecord) -> None:
        path = self._folder / f"{entry.id}.json"
        draft = path.with_suffix(".draft")
        write_private_text(draft, json.dumps(asdict(entry), ensure_ascii=False))
        draft.replace(path)

    def _read(self, path: Path) -> DataSetRecord:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        images = tuple(document.pop("images"))
        return DataSetRecord(**document, images=images)
