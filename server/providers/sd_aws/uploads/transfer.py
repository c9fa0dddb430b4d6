"""Uploads that go on in the background, whatever is polled meanwhile.

    a poll starts it -> parts are sent, one after the other -> finished at the service -> a poll finds it there
            ^                  |             |
            |            trouble: a pause    not polled any more, or the process ends: it stops
            +----------------------------------+

Only polls start a transfer, and only one process polls an account, so that no two send the same parts. One that is not
polled any more stops by itself: its job was given up, or another process has taken the account over. Whatever ends a
transfer, the next one goes on with the parts that are missing.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.clock import wait_with_timeout
from atelier_mcp.server.errors import OperatorError, TransientError
from atelier_mcp.server.providers.sd_aws.uploads.files import check_sources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_aws.uploads.part_sender import PartSender
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload, UploadStore

log: logging.Logger = logging.getLogger(__name__)

MIN_POLL_S: Final = 0.1
MAX_POLL_S: Final = 2.0
POLL_PER_AGE: Final = 0.25
"""A small upload is polled again soon, one that has gone on for longer every two seconds."""
LEASE_S: Final = 30.0
"""How long a transfer goes on after its last poll."""
GRACE_S: Final = 5.0
"""How long the parts on their way may take when the provider is closed."""
FIRST_PAUSE_S: Final = 1.0
MAX_DOUBLINGS: Final = 6
"""Of the first pause: about a minute."""


@dataclass(slots=True, eq=False)
class Transfer:
    """One upload under way. Moments are of the monotonic clock."""

    upload: Upload
    began_s: float
    polled_at_s: float
    is_interrupted: bool = False
    """It waits for the service or the storage to answer again."""
    finished_at_s: float | None = None
    """When the service was told that everything has arrived."""
    finish_count: int = 0
    """How often it was told, by this transfer and those before it."""
    error: Exception | None = None
    """Why it will never be finished."""
    task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether it is still at it."""
        return self.task is not None and not self.task.done()

    def compute_poll_after_s(self, now_s: float) -> float:
        """How long to wait for the next poll."""
        return min(max(MIN_POLL_S, POLL_PER_AGE * (now_s - self.began_s)), MAX_POLL_S)


class TransferTasks:
    """The transfers of one account, each a background task that ``close`` ends."""

    def __init__(self, sender: PartSender, store: UploadStore, *, clock: Clock) -> None:
        """Nothing is sent before ``start``."""
        self._sender = sender
        self._store = store
        self._clock = clock
        self._transfers: dict[str, Transfer] = {}
        self._stop_event = asyncio.Event()

    async def register(self, upload_id: str, upload: Upload) -> None:
        """Write a new upload down, for its first poll to begin; an older one of that id is replaced."""
        transfer = self._transfers.pop(upload_id, None)
        if transfer is not None and transfer.task is not None:
            await _cancel(transfer.task)  # or it would write its own state over the new one
        await self._store.save(upload_id, upload)

    def find(self, upload_id: str) -> Transfer | None:
        """The transfer of an upload that was started here, running or ended; by this it counts as polled."""
        transfer = self._transfers.get(upload_id)
        if transfer is not None:
            transfer.polled_at_s = self._clock.monotonic()
        return transfer

    def start(self, upload_id: str, upload: Upload, finish: Callable[[Upload], Awaitable[None]]) -> Transfer:
        """Send what is missing of an upload, then call ``finish`` to tell the service; one that is running stays."""
        running = self._transfers.get(upload_id)
        if running is not None and running.is_running:  # two jobs can be about one data set
            return running
        now_s = self._clock.monotonic()
        finish_count = running.finish_count if running is not None else 0
        transfer = Transfer(upload, began_s=now_s, polled_at_s=now_s, finish_count=finish_count)
        self._transfers[upload_id] = transfer
        transfer.task = asyncio.create_task(self._run(upload_id, transfer, finish), name=f"upload {upload_id}")
        return transfer

    def forget(self, upload_id: str) -> None:
        """Drop a transfer that has ended."""
        self._transfers.pop(upload_id, None)

    async def close(self) -> None:
        """Let the parts on their way arrive and be written down, for a few seconds; then end every transfer."""
        self._stop_event.set()
        tasks = [transfer.task for transfer in self._transfers.values() if transfer.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_S)
            await _cancel(*tasks)

    async def _run(self, upload_id: str, transfer: Transfer, finish: Callable[[Upload], Awaitable[None]]) -> None:
        try:
            await self._retry_until_finished(upload_id, transfer, finish)
        except Exception as err:  # noqa: BLE001  # a poll raises it, for it knows what the error means for the job
            transfer.error = err

    async def _retry_until_finished(
        self, upload_id: str, transfer: Transfer, finish: Callable[[Upload], Awaitable[None]]
    ) -> None:
        failures = 0
        while transfer.finished_at_s is None and not self._should_stop(transfer):
            sent_count = len(transfer.upload.tags)
            try:
                await self._send_missing(upload_id, transfer)
                # Not complete when a stop has ended the sending: then nothing is finished, either.
                if transfer.upload.is_complete:
                    transfer.finish_count += 1
                    await finish(transfer.upload)
                    transfer.finished_at_s = self._clock.monotonic()
            except (TransientError, OperatorError) as err:  # says nothing of the upload: it waits
                # A part that arrived in between shows that the service is back: the pauses start small again.
                failures = 1 if len(transfer.upload.tags) > sent_count else failures + 1
                log.warning("an upload was interrupted: %s", err.message, extra={"upload": upload_id})
                await self._pause(transfer, failures, err)

    async def _send_missing(self, upload_id: str, transfer: Transfer) -> None:
        """Send the missing parts one after the other, until all have arrived or it is time to stop."""
        upload = transfer.upload
        if not upload.is_complete:  # what has arrived does not need its file any more
            await check_sources(upload.sources)
        sources = {source.path: source for source in upload.sources}
        for key, part in list(upload.iterate_missing()):
            if self._should_stop(transfer):
                return
            upload.tags[key] = await self._sender.send(part, sources.get(part.path))
            await self._store.save(upload_id, upload)
            transfer.is_interrupted = False

    async def _pause(self, transfer: Transfer, failures: int, error: TransientError | OperatorError) -> None:
        """Wait longer with each failure in a row, at least as long as the service asks for; a stop ends the wait."""
        transfer.is_interrupted = True
        hint_s = error.retry_after_s if isinstance(error, TransientError) else None
        pause_s = max(FIRST_PAUSE_S * 2.0 ** min(failures - 1, MAX_DOUBLINGS), hint_s or 0.0)
        await wait_with_timeout(self._clock, pause_s, self._stop_event.wait())

    def _should_stop(self, transfer: Transfer) -> bool:
        return self._stop_event.is_set() or self._clock.monotonic() - transfer.polled_at_s > LEASE_S


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
