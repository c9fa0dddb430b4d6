"""The numbered points between the write-ahead and the stored picture at which a server is killed.

Each lies just before or just after a call of the product's own, in the order in which a job passes them. What a job is
afterwards follows from what was written down, and from nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Ending = Literal["unsent", "unconfirmed", "succeeded"]
Moment = Literal["before", "after"]

AT_UPSTREAM: Final = 3
"""The one point that only the upstream can see: it has accepted, and its answer has not left."""


@dataclass(frozen=True, slots=True)
class KillPoint:
    """One point, and what becomes of a job whose server dies there."""

    number: int
    moment: Moment
    target: str
    """``module:attribute`` of the call, below ``atelier_mcp.server``; empty for the point at the upstream."""
    ending: Ending
    reason: str
    """Why a kill just here is a case of its own."""
    state: str = ""
    """The state that a call of the ledger writes; empty for any call."""
    name: str = ""
    """How the name of the file ends that a call publishes; empty for any."""


KILL_POINTS: Final[Sequence[KillPoint]] = (
    KillPoint(1, "before", "jobs.ledger:Ledger.open_job", "unsent", "nothing is written, so nothing may be sent"),
    KillPoint(
        2, "after", "jobs.ledger:Ledger.open_job", "unconfirmed", "written ahead and not sent: nobody else can tell"
    ),
    KillPoint(AT_UPSTREAM, "before", "", "unconfirmed", "accepted and charged, the answer still at the service"),
    KillPoint(
        4, "before", "jobs.ledger:Ledger.move", "unconfirmed", "the answer was read, its task not written", "Queued"
    ),
    KillPoint(5, "after", "jobs.ledger:Ledger.move", "succeeded", "the task's id is written, nobody polls", "Queued"),
    KillPoint(
        6, "before", "jobs.status_poller:StatusPoller.poll", "succeeded", "a poll is due and the account is held"
    ),
    KillPoint(
        7, "before", "jobs.ledger:Ledger.move_all", "succeeded", "the poll said done, the links not written", "Saving"
    ),
    KillPoint(
        8, "after", "jobs.ledger:Ledger.move_all", "succeeded", "the links are written, nothing fetched", "Saving"
    ),
    KillPoint(
        9, "before", "images.pipeline:ImagePipeline.store_output", "succeeded", "the first download is about to begin"
    ),
    KillPoint(10, "after", "images.download:Downloader.fetch", "succeeded", "the picture is in memory alone"),
    KillPoint(11, "before", "images.folder_store:FolderStore.put", "succeeded", "checked, and no file of it yet"),
    KillPoint(
        12, "before", "images.folder_store:publish_file", "succeeded", "both files staged, neither has its name",
        name=".jpg",
    ),
    KillPoint(
        13, "before", "images.folder_store:publish_file", "succeeded", "the picture has its name, its record has not",
        name=".json",
    ),
    KillPoint(
        14, "after", "images.folder_store:publish_file", "succeeded", "the picture is visible, its job not done",
        name=".json",
    ),
    KillPoint(
        15, "before", "jobs.ledger:Ledger.move", "succeeded", "everything stored, the end not written", "Succeeded"
    ),
    KillPoint(16, "after", "jobs.ledger:Ledger.move", "succeeded", "written, and nobody has heard it", "Succeeded"),
    KillPoint(17, "before", "jobs.audit:AuditLog.append", "unconfirmed", "spent, and not yet in the audit log"),
    KillPoint(
        18, "after", "jobs.audit:AuditLog.append", "unconfirmed", "in the audit log, and still due in the ledger"
    ),
)  # fmt: skip
BUCKET_TARGETS: Final = {
    11: "images.bucket_store:BucketStore.put",
    12: "images.bucket_client:BucketClient.put",
    13: "images.bucket_client:BucketClient.put_new",
    14: "images.bucket_client:BucketClient.put_new",
}
"""The same points where pictures lie in a bucket: an object is written before its record, which makes it visible."""
