"""What becomes of uploaded files at the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from atelier_mcp.server.errors import ProviderUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload
    from atelier_mcp.server.providers.sd_aws.wire import RowT, SdAwsRows


class UploadTarget(ABC):
    """One kind of thing that is made of uploaded files; an upload's id is that thing's at the service."""

    kind: ClassVar[str]
    """Of the tasks that follow such uploads."""

    @abstractmethod
    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Tell the service that every part has arrived."""

    @abstractmethod
    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """What the service's own list says of it; empty where it certainly is not in there.

        The answer to ``finish`` is no measure: it shows an old state (contract: update_checkpoint.stale_status), and
        may have been lost.
        """

    @abstractmethod
    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The result of an upload that has succeeded; without ``facts`` where its record here is lost."""


def find_state(rows: SdAwsRows[RowT], id_: str, field: str = "id") -> str:
    """The state of the row with that id; empty where there is none.

    Raises ``ProviderUnavailable`` when it may be one of those that could not be read.
    """
    row = rows.find(id_, field)
    if row is None and rows.unreadable_count:
        raise ProviderUnavailable("A part of the service's list cannot be read.")
    return str(getattr(row, "state", ""))
