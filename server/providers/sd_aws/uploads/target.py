"""What becomes of uploaded files at the service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload


class UploadTarget(ABC):
    """One kind of thing that is made of uploaded files; an upload's id is that thing's at the service."""

    kind: ClassVar[str]
    """Of the tasks that follow such uploads."""

    @abstractmethod
    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Tell the service that every part has arrived."""

    @abstractmethod
    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """What the service's own list says of it; empty where it is not in there.

        The answer to ``finish`` is no measure: it shows an old state (contract: update_checkpoint.stale_status), and
        may have been lost.
        """

    @abstractmethod
    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The result of an upload that has succeeded; without ``facts`` where its record here is lost."""
