"""Which jobs a caller was told of as unfinished, and not since: what it waits for when it names none.

Servers of one ledger tell each other, so that the next question may come to any of them. A note that is missed, as by
a server that starts later, costs a caller no more than to name its job. Nothing of it outlives the process.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.jobs.model import Job, JobId

_IDS_PER_PAYLOAD: Final = 200
"""A notification is less than 8,000 bytes."""


class AnswerNotes:
    """By caller: jobs that were answered as unfinished and not since, oldest first."""

    def __init__(self) -> None:
        """Nobody has been answered."""
        self._ids_by_caller: dict[str, dict[JobId, None]] = {}
        self._sender = uuid4().hex

    def list_unanswered(self, caller: str) -> list[JobId]:
        """The jobs whose end the caller has not been told."""
        return list(self._ids_by_caller.get(caller, {}))

    def add(self, caller: str, jobs: Sequence[Job]) -> list[str]:
        """Remember what a caller was told of these jobs; returns what tells other servers, where they need to know."""
        known = self._ids_by_caller.get(caller, {})
        unfinished = [job.id for job in jobs if not job.is_finished and job.id not in known]
        ended = [job.id for job in jobs if job.is_finished and job.id in known]
        self._note(caller, unfinished=unfinished, ended=ended)
        return [
            json.dumps({"sender": self._sender, "caller": caller, name: ids[start : start + _IDS_PER_PAYLOAD]})
            for name, ids in (("unfinished", unfinished), ("ended", ended))
            for start in range(0, len(ids), _IDS_PER_PAYLOAD)
        ]

    def hear(self, payload: str) -> None:
        """Remember what another server told a caller; what is none of ours is passed over."""
        try:
            document = json.loads(payload)
            sender, caller = str(document["sender"]), str(document["caller"])
            unfinished, ended = ([*map(str, document.get(name, ()))] for name in ("unfinished", "ended"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return
        if sender != self._sender:
            self._note(caller, unfinished=unfinished, ended=ended)  # pyright: ignore[reportArgumentType]  # ids of jobs

    def _note(self, caller: str, *, unfinished: Sequence[JobId], ended: Sequence[JobId]) -> None:
        ids = self._ids_by_caller.setdefault(caller, {})
        ids |= dict.fromkeys(unfinished)
        for job_id in ended:
            ids.pop(job_id, None)
        if not ids:
            del self._ids_by_caller[caller]
