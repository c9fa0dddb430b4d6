"""One JSON line for each spend: who, what, where, how much. The ledger stays the truth; this is for who keeps books.

    {"at": "2026-11-27T20:15:00+00:00", "event": "reserved", "principal": "static:alice",
     "capability": "generate_image", "provider": "mhapi", "account": "mhapi:3f9a12c4", "job": "job_x", "pictures": 2}

A job has a line when its pictures are reserved, before anything is sent, and one whenever what it counts as is settled:
the last one of a job holds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.jobs.model import Succeeded, get_state_name
from atelier_mcp.server.principals import find_principal
from atelier_mcp.server.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from atelier_mcp.server.jobs.model import Job, Move

log: logging.Logger = logging.getLogger(__name__)


class AuditLog:
    """Appends to one file, which other processes may append to as well."""

    def __init__(self, path: Path) -> None:
        """The file is made with the first line, for its owner alone."""
        self._path = path

    async def record_reservation(self, job: Job) -> None:
        """Write down that a job was accepted, by whoever asks at this moment."""
        principal = find_principal()
        # Of a tenant, or of several programs: the job itself knows only whose it is.
        person = {"subject": principal.subject, "client": principal.client} if principal else {}
        await self._append([{**_describe("reserved", job, job.image_count), **{k: v for k, v in person.items() if v}}])

    async def record_settlements(self, moves: Sequence[Move], jobs: Sequence[Job]) -> None:
        """Write down what jobs count as from now on; ``jobs`` are those that the moves led to."""
        await self._append(
            [
                {**_describe("settled", job, move.charge), "state": get_state_name(job.state), **_get_usage(job)}
                for move, job in zip(moves, jobs, strict=True)
                # A move that came too late changed nothing.
                if move.charge is not None and job.state == move.state and job.updated_at >= move.at
            ]
        )

    async def _append(self, documents: Sequence[dict[str, Any]]) -> None:
        if not documents:
            return
        lines = "".join(f"{json.dumps(document)}\n" for document in documents)
        try:
            await asyncio.to_thread(self._write, lines.encode())
        except OSError as err:
            # The job is paid for whether or not the books can be kept.
            log.error("spending is not in the audit log: %s", err.strerror or err)  # noqa: TRY400  # one sentence

    def _write(self, data: bytes) -> None:
        # Unbuffered, in one write at the end: lines of several processes do not mix.
        with open(self._path, "ab", buffering=0, opener=open_private) as file:  # Path.open takes no opener
            file.write(data)


def _describe(event: str, job: Job, pictures: int) -> dict[str, Any]:
    return {
        "at": job.updated_at.isoformat(),
        "event": event,
        "principal": job.caller,
        "capability": job.capability,
        "provider": job.provider,
        "account": job.account,
        "job": job.id,
        "pictures": pictures,
    }


def _get_usage(job: Job) -> dict[str, Any]:
    """What the service itself said of the price."""
    data: Mapping[str, Any] = job.state.data if isinstance(job.state, Succeeded) else {}
    return {name: data[name] for name in ("cost_usd", "usage") if name in data}
