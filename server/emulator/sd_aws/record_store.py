"""What an account keeps at the middleware: endpoints, checkpoints, data sets and so on, one JSON file each."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from atelier_mcp.server.private_files import make_private_folder, write_private_text

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.emulator.state import EmulatorState

RecordKind: TypeAlias = Literal[
    "endpoint", "checkpoint", "base", "dataset", "training", "inference", "role", "user", "upload"
]
FOLDER: Final = "sd_aws"
LAYOUT: Final = "records-2"
"""The folder of records in their present form; those of older versions of the emulator lie beside it, unread."""


class RecordStore:
    """The records of one account. They are on disk when a call returns."""

    def __init__(self, emulator: EmulatorState, account: str) -> None:
        """Below the emulator's folder, apart from other accounts."""
        self._emulator = emulator
        self._folder_name = _compute_digest(account)[:12]

    async def put(self, kind: RecordKind, record_id: str, record: dict[str, Any]) -> dict[str, Any]:
        """Write a record, anew when it is there already."""
        await asyncio.to_thread(_write, self._build_path(kind, record_id), {"id": record_id, **record})
        return {"id": record_id, **record}

    async def get(self, kind: RecordKind, record_id: str) -> dict[str, Any] | None:
        """The record of that id."""
        return await asyncio.to_thread(_read, self._build_path(kind, record_id))

    async def list_all(self, kind: RecordKind) -> list[dict[str, Any]]:
        """Every record of a kind, oldest first."""
        return await asyncio.to_thread(_read_all, self._build_path(kind, "").parent)

    async def delete(self, kind: RecordKind, record_id: str) -> bool:
        """Delete a record; False when there was none."""
        return await asyncio.to_thread(_delete, self._build_path(kind, record_id))

    def _build_path(self, kind: RecordKind, record_id: str) -> Path:
        folder = self._emulator.store.folder / FOLDER / LAYOUT / self._folder_name / kind
        return folder / f"{_compute_digest(record_id)[:32]}.json"


def create_id(emulator: EmulatorState) -> str:
    """A fresh id in the form the service uses."""
    digits = f"{emulator.rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _compute_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, record: dict[str, Any]) -> None:
    make_private_folder(path.parent)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
    write_private_text(draft, json.dumps(record, ensure_ascii=False))
    draft.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def _read_all(folder: Path) -> list[dict[str, Any]]:
    found = [record for path in folder.glob("*.json") if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: (record.get("created", 0.0), record["id"]))


def _delete(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
