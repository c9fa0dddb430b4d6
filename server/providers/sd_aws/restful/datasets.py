"""Data sets of the later generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.dataset_files import build_content
from atelier_mcp.server.providers.sd_aws.restful.calls import RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    SdAwsRows,
    parse_rows,
    parse_upload_links,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

REPEATS: Final = 10
"""How often the trainer takes each file in an epoch: it reads that from the name of the folder."""


class RestfulDatasetCalls(RestfulCalls):
    """Data sets."""

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file.

        Its files lie where the trainer of that version looks for them: below ``<repeats>_<name>``, or in the set
        itself (contract: routes, POST /datasets).
        """
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": build_content(files),
            "creator": self._middleware.username,
            "params": {},
        }
        if self._version.has_dataset_prefix:
            body["prefix"] = f"{REPEATS}_{name}"
        document = await self._request(HttpRequest("POST", "/datasets", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", f"/datasets/{quote(name, safe='')}", body={"status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsDatasetBody]:
        """The data sets."""
        rows = await self._list_rows(SdAwsDatasetBody, "/datasets", "datasets")
        # Filtered here: at the service a filter acts within a page and says nothing of the others
        # (contract: paging.keys).
        found = SdAwsRows(row for row in rows if not states or row.state in states)
        found.unreadable_count = rows.unreadable_count
        return found

    async def list_dataset_items(self, name: str) -> SdAwsRows[SdAwsDatasetItemBody]:
        """The files of one."""
        document = await self._request(HttpRequest("GET", f"/datasets/{quote(name, safe='')}"))
        return parse_rows(SdAwsDatasetItemBody, document, "data", "data")
