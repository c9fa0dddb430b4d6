"""Notifications of changed jobs, between the processes that share a PostgreSQL: what one commits, the others hear.

A notification says only that there is something to read. It can be missed, while there is no connection, so whoever
hears it reads the ledger now and then all the same.
"""

from __future__ import annotations

import json
import threading
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from psycopg import Connection

    from atelier_mcp.server.jobs.model import Job, JobId

CHANNEL: Final = "atelier_jobs"
ANSWERS_CHANNEL: Final = "atelier_answers"
_IDS_PER_PAYLOAD: Final = 200
"""A payload is less than 8,000 bytes."""
_LISTEN_S: Final = 0.5
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class ChangedJobs(NamedTuple):
    """Jobs of one account that somebody changed."""

    sender: str
    account: str
    job_ids: Sequence[JobId]


def build_payloads(sender: str, changed_jobs: Sequence[Job]) -> list[str]:
    """What tells of changed jobs, in as few payloads as fit."""
    return [
        json.dumps({"sender": sender, "account": account, "jobs": ids[start : start + _IDS_PER_PAYLOAD]})
        for account, ids in _group_by_account(changed_jobs)
        for start in range(0, len(ids), _IDS_PER_PAYLOAD)
    ]


def _group_by_account(changed_jobs: Sequence[Job]) -> Iterator[tuple[str, list[JobId]]]:
    by_account = sorted({(job.account, job.id) for job in changed_jobs})
    for account, pairs in groupby(by_account, key=lambda pair: pair[0]):
        yield account, [job_id for _, job_id in pairs]


def parse_payload(payload: str) -> ChangedJobs | None:
    """What a payload says; None for what is none of ours: anybody may write to a channel."""
    try:
        document = json.loads(payload)
        return ChangedJobs(str(document["sender"]), str(document["account"]), [*map(str, document["jobs"])])  # pyright: ignore[reportArgumentType]
    except (ValueError, TypeError, KeyError):
        return None


class NotificationListener:
    """Hears notifications in a thread of its own, and connects again by itself when the server was gone."""

    def __init__(
        self,
        url: str,
        on_changes: Callable[[ChangedJobs | None], object],
        *,
        on_answer: Callable[[str], object] = lambda _payload: None,
    ) -> None:
        """Call ``on_changes``, in that thread, with each of them, and with None when some may have been missed.

        ``on_answer`` is called with the payload of each on the other channel, of what callers were told.
        """
        self._url = url
        self._on_answer = on_answer
        self._on_changes = on_changes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-notifications", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; returns when the thread has ended. Blocks for up to two seconds or so."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            from atelier_mcp.server.jobs import postgres_connection
        except ConfigurationError:  # the ledger says so itself
            return
        pause_s = _FIRST_PAUSE_S
        while not self._stopping.is_set():
            try:
                with postgres_connection.connect(
                    self._url, autocommit=True, application_name="atelier listener"
                ) as found:
                    found.execute(f"LISTEN {CHANNEL}; LISTEN {ANSWERS_CHANNEL}")
                    pause_s = _FIRST_PAUSE_S
                    self._on_changes(None)
                    self._listen(found)
            except (postgres_connection.DriverError, ConfigurationError):
                self._stopping.wait(pause_s)
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _listen(self, connection: Connection[Any]) -> None:
        while not self._stopping.is_set():
            # To its end each time: what was received by then would be lost with a generator that is left.
            for notice in connection.notifies(timeout=_LISTEN_S):
                if notice.channel == ANSWERS_CHANNEL:
                    self._on_answer(notice.payload)
                elif changed_jobs := parse_payload(notice.payload):
                    self._on_changes(changed_jobs)
            connection.execute("SELECT 1")  # the end of a connection shows only when something is sent
