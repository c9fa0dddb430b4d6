"""Drafts of trainings, for the versions that start one as soon as it is made."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest
from atelier_mcp.server.private_files import make_private_folder, write_private_text
from atelier_mcp.server.requests.aws import CreateTraining

if TYPE_CHECKING:
    from pathlib import Path

DRAFT_PREFIX = "draft-"


class TrainingDrafts:
    """Trainings that were created and not started, in a folder of ours."""

    def __init__(self, folder: Path) -> None:
        """Keep them in ``folder``, which is made when the first one comes."""
        self._folder = folder

    async def save(self, request: CreateTraining) -> str:
        """Write one down; the same request has the same id."""
        text = json.dumps(request.to_document(), sort_keys=True, ensure_ascii=False)
        draft_id = DRAFT_PREFIX + hashlib.sha256(text.encode()).hexdigest()[:16]
        await asyncio.to_thread(self._write, draft_id, text)
        return draft_id

    async def load(self, draft_id: str) -> CreateTraining:
        """The draft of that id. Raises ``InvalidRequest`` for none."""
        try:
            text = await asyncio.to_thread((self._folder / f"{draft_id}.json").read_text, "utf-8")
        except FileNotFoundError:
            raise InvalidRequest(f"training_id: there is no training {draft_id}.") from None
        return CreateTraining.model_validate_json(text)

    async def load_all(self) -> dict[str, CreateTraining]:
        """Every draft by its id."""
        paths = await asyncio.to_thread(lambda: sorted(self._folder.glob(f"{DRAFT_PREFIX}*.json")))
        return {path.stem: await self.load(path.stem) for path in paths}

    async def delete(self, draft_id: str) -> None:
        """Forget one that was started."""
        await asyncio.to_thread((self._folder / f"{draft_id}.json").unlink, missing_ok=True)

    def _write(self, draft_id: str, text: str) -> None:
        make_private_folder(self._folder)
        # Beside the target and then moved, so that a crash leaves no half a draft; load_all does not look at .tmp.
        staged = self._folder / f"{draft_id}.tmp"
        write_private_text(staged, text)
        staged.replace(self._folder / f"{draft_id}.json")
