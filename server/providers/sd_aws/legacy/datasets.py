"""Data sets of 2023."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.dataset_files import build_content
from atelier_mcp.server.providers.sd_aws.legacy.calls import LegacyCalls, add_query
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    SdAwsRows,
    parse_rows,
    parse_upload_links,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class LegacyDatasetCalls(LegacyCalls):
    """Data sets."""

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file, whose two names are the same (create_dataset.name_vs_filename)."""
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": build_content(files),
            "params": {},
            "creator": self._middleware.username,
        }
        document = await self._request(HttpRequest("POST", "/dataset", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", "/dataset", body={"dataset_name": name, "status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsDatasetBody]:
        """The data sets."""
        path = add_query("/datasets", dataset_status=states)
        return parse_rows(SdAwsDatasetBody, await self._request(HttpRequest("GET", path)), "datasets")

    async def list_dataset_items(self, name: str) -> SdAwsRows[SdAwsDatasetItemBody]:
        """The files of one, on the path that is deployed (contract: get_dataset_items)."""
        document = await self._request(HttpRequest("GET", f"/dataset/{quote(name, safe='')}/data"))
        return parse_rows(SdAwsDatasetItemBody, document, "data")
