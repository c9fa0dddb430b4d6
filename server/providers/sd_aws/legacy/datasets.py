"""Data sets of 2023."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.errors import NO_SUCH_ROUTE, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.legacy.calls import LegacyCalls, add_query
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    parse_upload_links,
    unwrap_list,
)
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence


class LegacyDatasetCalls(LegacyCalls):
    """Data sets."""

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file, whose two names are the same (create_dataset.name_vs_filename)."""
        content: list[dict[str, Any]] = [
            {"filename": file, "name": file, "type": "image", "params": {}} for file in files
        ]
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": content,
            "params": {},
            "creator": self._middleware.username,
        }
        document = await self._request(HttpRequest("POST", "/dataset", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", "/dataset", body={"dataset_name": name, "status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> list[SdAwsDatasetBody]:
        """The data sets."""
        path = add_query("/datasets", dataset_status=states)
        return parse_models(
            SdAwsDatasetBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "datasets"))
        )

    async def list_dataset_items(self, name: str) -> list[SdAwsDatasetItemBody]:
        """The files of one: the deployed path first, then the documented one (contract: get_dataset_items)."""
        http_request = HttpRequest("GET", f"/dataset/{quote(name, safe='')}/data")
        try:
            document = await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise err.error from None
            document = await self._request(HttpRequest("GET", f"/{quote(name, safe='')}/data"))
        return parse_models(SdAwsDatasetItemBody, list(unwrap_list(document, "data")))
