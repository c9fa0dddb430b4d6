"""Checkpoints of the later generation, listed by numbered pages."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.restful.calls import MAX_PAGES, PAGE_SIZE, RestfulCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsCheckpointBody,
    SdAwsRows,
    parse_rows,
    parse_upload_links,
    unwrap_object,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag

UNCHANGED_TAGS: Final[Mapping[str, list[PartTag]]] = {"none": []}
"""Whatever is not empty lets a state be changed (contract: answered.checkpoint_tags)."""


class RestfulCheckpointCalls(RestfulCalls):
    """Checkpoints."""

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> SdAwsRows[SdAwsCheckpointBody]:
        """The deployment's files, page by page, up to the ``total`` (contract: paging.checkpoints)."""
        found: SdAwsRows[SdAwsCheckpointBody] = SdAwsRows()
        filters = "".join(f"&types={quote(kind)}" for kind in kinds) + "".join(f"&status={state}" for state in states)
        for page in range(1, MAX_PAGES + 1):
            document = await self._request(
                HttpRequest("GET", f"/checkpoints?page={page}&per_page={PAGE_SIZE}{filters}")
            )
            rows = parse_rows(SdAwsCheckpointBody, document, "data", "checkpoints")
            known_ids = {row.id for row in found}
            found.extend(row for row in rows if row.id not in known_ids)  # a new file moves the others to a later page
            found.unreadable_count += rows.unreadable_count
            # Not by `pages`, which is one too many on even division (contract: paging.checkpoints).
            if page * PAGE_SIZE >= int(unwrap_object(document, "data").get("total") or 0) or not rows:
                return found
        raise ProviderUnavailable(f"The list of checkpoints of {self._service} has no end.")

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
        await self._set_state(checkpoint_id, "Active", {name: list(tags)})

    async def fetch_checkpoints(self, kind: str, links: Sequence[str], description: str) -> None:
        """Have files fetched: one record per link comes later (contract: answered.checkpoints_by_link).

        Its ``params.creator`` is believed in every version (contract: auth.acting_user).
        """
        params = {"message": description, "creator": self._middleware.username}
        body = {"checkpoint_type": kind, "urls": list(links), "params": params}
        with suppress(SubmitUnconfirmed):  # the records will tell
            await self._request(HttpRequest("POST", "/checkpoints", is_submit=True, body=body))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        await self._set_state(checkpoint_id, "Disabled", UNCHANGED_TAGS)

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Nobody merges here."""
        raise InvalidRequest("This deployment cannot merge models.")

    async def _set_state(self, checkpoint_id: str, state: str, tags: Mapping[str, list[PartTag]]) -> None:
        body = {"status": state, "multi_parts_tags": tags}
        path = f"/checkpoints/{quote(checkpoint_id, safe='')}"
        await self._request(HttpRequest("PUT", path, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))
