"""Checkpoints of the later generation, listed page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.calls import SUBMIT_TIMEOUT_S, RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsCheckpointBody,
    parse_upload_links,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag

PAGE_SIZE = 100
MAX_PAGES = 20


class RestfulCheckpointCalls(RestfulCalls):
    """Checkpoints."""

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> list[SdAwsCheckpointBody]:
        """The deployment's files, page by page."""
        found: list[SdAwsCheckpointBody] = []
        filters = "".join(f"&types={quote(kind)}" for kind in kinds) + "".join(f"&status={state}" for state in states)
        for page in range(1, MAX_PAGES + 1):
            document = await self._request(
                HttpRequest("GET", f"/checkpoints?page={page}&per_page={PAGE_SIZE}{filters}")
            )
            found += parse_models(SdAwsCheckpointBody, list(unwrap_list(document, "data", "checkpoints")))
            if page >= int(unwrap_object(document, "data").get("pages") or 1):
                break
        return found

    async def list_folder_files(self, kind: str) -> list[str]:  # noqa: ARG002  # the protocol's signature
        """There are no fixed folders."""
        return []

    async def begin_checkpoint(self, kind: str, name: str, part_count: int, description: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": part_count}],
            "params": {"creator": self._middleware.username, "message": description},
        }
        document = await self._request(HttpRequest("POST", "/checkpoints", body=body))
        links = parse_upload_links(document).get(name, [])
        if len(links) != part_count:
            raise ProviderUnavailable(f"{self._service} answered without links for the {part_count} parts of {name}.")
        return str(unwrap_object(document, "data", "checkpoint").get("id", "")), links

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Put an uploaded checkpoint into use."""
        body = {"status": "Active", "multi_parts_tags": {name: list(tags)}}
        path = f"/checkpoints/{quote(checkpoint_id, safe='')}"
        await self._request(HttpRequest("PUT", path, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoint(self, kind: str, links: Sequence[str], description: str) -> str:
        """Have files fetched; the transfer goes on behind the answer."""
        params = {"message": description, "creator": self._middleware.username}
        body = {"checkpoint_type": kind, "urls": list(links), "params": params}
        try:
            document = await self._request(HttpRequest("POST", "/checkpoints", is_submit=True, body=body))
        except SubmitUnconfirmed:
            return ""
        return str(unwrap_object(document, "data", "checkpoint").get("id", ""))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        await self._request(
            HttpRequest("PUT", f"/checkpoints/{quote(checkpoint_id, safe='')}", body={"status": "Disabled"})
        )

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Nobody merges here."""
        raise InvalidRequest("This deployment cannot merge models.")
