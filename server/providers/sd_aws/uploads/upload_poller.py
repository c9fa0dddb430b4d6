"""How far an upload is: what its transfer says while it goes on, and after that what the service's own list says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import AtelierError, Spent, UpstreamFailed
from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskLost,
    TaskPending,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload, UploadStore
    from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget
    from atelier_mcp.server.providers.sd_aws.uploads.transfer import Transfer, TransferTasks

FINISH_AGAIN_AFTER_S: Final = 30.0
"""A list may lag behind; only when it shows the old state for so long is the end of an upload told once more."""
MAX_FINISHES: Final = 3
"""How often it is told at most."""


class UploadPoller:
    """Follows the uploads of one account, and starts or resumes the transfer of any that is polled without one."""

    def __init__(
        self,
        get_dialect: Callable[[], Awaitable[Dialect]],
        transfers: TransferTasks,
        store: UploadStore,
        *,
        service: str,
        clock: Clock,
    ) -> None:
        """``get_dialect`` is for what goes on in the background; ``service`` is the name errors use."""
        self._get_dialect = get_dialect
        self._transfers = transfers
        self._store = store
        self._service = service
        self._clock = clock

    async def poll(self, target: UploadTarget, upload_id: str, dialect: Dialect) -> TaskSnapshot:
        """The state of one upload, at the service by ``dialect``; sends nothing of it.

        What has ended its transfer ends the upload; a defect is raised.
        """
        transfer = self._transfers.find(upload_id)
        if transfer is not None and transfer.is_running:
            return self._format_running(transfer)
        if transfer is not None and transfer.error is not None:
            self._transfers.forget(upload_id)
            if isinstance(transfer.error, AtelierError):
                transfer.error.spent = Spent.NOTHING  # said, because a file on its way costs nothing
                return TaskFailed(transfer.error)
            raise transfer.error
        upload = await self._store.load(upload_id)
        # Only the service can say what became of it: the transfer may have ended in an earlier process.
        if upload is None or upload.is_complete:
            snapshot = await self._poll_service(target, upload_id, upload, dialect)
            if upload is None or not isinstance(snapshot, TaskPending):
                await self._clean_up(upload_id, snapshot)
                return snapshot
            if transfer is not None and self._was_just_finished(transfer):
                return self._format_running(transfer)
            if transfer is not None and transfer.finish_count >= MAX_FINISHES:
                self._transfers.forget(upload_id)
                return TaskFailed(
                    UpstreamFailed(f"{self._service} has all of the upload and does not put it into use.")
                )
        return self._start(target, upload_id, upload)

    def _start(self, target: UploadTarget, upload_id: str, upload: Upload) -> TaskRunning:
        async def finish(upload: Upload) -> None:
            """Unless the service knows already: an earlier process may have told it."""
            dialect = await self._get_dialect()
            if isinstance(await self._poll_service(target, upload_id, upload, dialect), TaskPending):
                await target.finish(dialect, upload_id, upload)

        return self._format_running(self._transfers.start(upload_id, upload, finish))

    async def _clean_up(self, upload_id: str, snapshot: TaskSnapshot) -> None:
        if isinstance(snapshot, TaskSucceeded):
            await self._store.delete(upload_id)
        if isinstance(snapshot, TaskSucceeded | TaskFailed):
            self._transfers.forget(upload_id)

    def _was_just_finished(self, transfer: Transfer) -> bool:
        return (
            transfer.finished_at_s is not None
            and self._clock.monotonic() - transfer.finished_at_s < FINISH_AGAIN_AFTER_S
        )

    def _format_running(self, transfer: Transfer) -> TaskRunning:
        if transfer.finished_at_s is not None:
            note = "uploaded"
        else:
            note = "interrupted, trying again" if transfer.is_interrupted else "uploading"
        poll_after_s = transfer.compute_poll_after_s(self._clock.monotonic())
        return TaskRunning(transfer.upload.progress, note, poll_after_s=poll_after_s)

    async def _poll_service(
        self, target: UploadTarget, upload_id: str, upload: Upload | None, dialect: Dialect
    ) -> TaskSnapshot:
        """What the service's own list says: ``TaskPending`` while it waits for the end of the upload."""
        facts: Mapping[str, Any] = upload.facts if upload else {}
        state = await target.fetch_state(dialect, upload_id)
        match state:
            case "Active" | "Enabled" | "Complete":
                return TaskSucceeded(data=target.build_data(upload_id, facts))
            case "Creating" | "Created":
                return TaskRunning(note="the service makes the base")
            # "" is "not listed"; find_state has made sure that the row is not an unreadable one.
            case "":
                return TaskLost(UpstreamFailed(f"{self._service} does not list the upload any more."))
            case "Fail" | "Disabled":
                return TaskFailed(UpstreamFailed(f"{self._service} gave the upload up ({state})."))
            case _ if upload is None:
                return TaskFailed(UpstreamFailed("The state of this upload is lost; begin it again."))
            case _:
                return TaskPending()
