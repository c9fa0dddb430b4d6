"""Data sets of the later generation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.calls import RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    parse_upload_links,
    unwrap_list,
)
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence


class RestfulDatasetCalls(RestfulCalls):
    """Data sets."""

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file."""
        content: list[dict[str, Any]] = [
            {"filename": file, "name": file, "type": "image", "params": {}} for file in files
        ]
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": content,
            "creator": self._middleware.username,
            "prefix": "",
            "params": {},
        }
        document = await self._request(HttpRequest("POST", "/datasets", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", f"/datasets/{quote(name, safe='')}", body={"status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> list[SdAwsDatasetBody]:
        """The data sets."""
        document = await self._request(HttpRequest("GET", "/datasets"))
        found = parse_models(SdAwsDatasetBody, list(unwrap_list(document, "data", "datasets")))
        return [entry for entry in found if not states or entry.state in states]

    async def list_dataset_items(self, name: str) -> list[SdAwsDatasetItemBody]:
        """The files of one."""
        document = await self._request(HttpRequest("GET", f"/datasets/{quote(name, safe='')}"))
        return parse_models(SdAwsDatasetItemBody, list(unwrap_list(document, "data", "data")))
