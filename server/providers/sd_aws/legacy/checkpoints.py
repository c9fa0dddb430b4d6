"""Checkpoints of 2023: those that were registered, and files in the fixed folders of old."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection
from atelier_mcp.server.providers.sd_aws.legacy.calls import LegacyCalls, add_query
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsCheckpointBody,
    SdAwsRows,
    parse_rows,
    parse_texts,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag

FILE_LIST_PATHS = {
    "embeddings": "get-texual-inversion-list",
    "Lora": "get-lora-list",
    "hypernetworks": "get-hypernetwork-list",
    "ControlNet": "get-controlnet-model-list",
}
"""The first is misspelt and must stay so (contract: list_textual_inversions)."""
FETCH_TIMEOUT_S = 35.0
"""The gateway gives up after some thirty seconds (contract: upload_checkpoint.long_call)."""


class LegacyCheckpointCalls(LegacyCalls):
    """Checkpoints."""

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> SdAwsRows[SdAwsCheckpointBody]:
        """The deployment's files."""
        path = add_query("/checkpoints", types=kinds, status=states)
        return parse_rows(SdAwsCheckpointBody, await self._request(HttpRequest("GET", path)), "checkpoints")

    async def list_folder_files(self, kind: str) -> list[str]:
        """Files in the fixed folders; null is an empty list (contract: list_loras.null_reply)."""
        return (
            parse_texts(await self._get_bare(f"/inference/{FILE_LIST_PATHS[kind]}")) if kind in FILE_LIST_PATHS else []
        )

    async def begin_checkpoint(self, kind: str, name: str, part_count: int, description: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": part_count}],
            # The creator's roles decide who may use the file (contract: create_checkpoint).
            "params": {"creator": self._middleware.username, "message": description},
        }
        document = await self._request(HttpRequest("POST", "/checkpoint", body=body))
        return str(unwrap_object(document, "checkpoint").get("id", "")), self._get_part_links(
            document, name, part_count
        )

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Put an uploaded checkpoint into use."""
        tagged = {name: list(tags)}
        body = {"checkpoint_id": checkpoint_id, "status": "Active", "multi_parts_tags": tagged}
        await self._request(HttpRequest("PUT", "/checkpoint", body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoints(self, kind: str, links: Sequence[str], description: str) -> SdAwsCheckpointBody | None:
        """Have files fetched into one record, which only this answer shows whole.

        An impatient gateway does not stop that (contract: upload_checkpoint.long_call).
        """
        params = {"message": description, "creator": self._middleware.username}
        body = {"checkpointType": kind, "modelUrl": list(links), "params": params}
        http_request = HttpRequest(
            "POST", "/upload_checkpoint", is_submit=True, body=body, read_timeout_s=FETCH_TIMEOUT_S
        )
        try:
            document = await self._request(http_request)
        # The record appears in the list of checkpoints, by the names of its files, and is found there.
        except SubmitUnconfirmed:
            return None
        return parse_model(SdAwsCheckpointBody, unwrap_object(document, "checkpoint"))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        # The key must be there, and empty will do in v1.3 (contract: answered.checkpoint_tags).
        body: dict[str, Any] = {"checkpoint_id": checkpoint_id, "status": "Disabled", "multi_parts_tags": {}}
        await self._request(HttpRequest("PUT", "/checkpoint", body=body))

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Merge checkpoints where the service can; most cannot (contract: run_model_merge.unusable)."""
        keys = ("primary_model_name", "secondary_model_name", "tertiary_model_name")
        http_request = HttpRequest(
            "POST", "/inference/run-model-merge", is_submit=True, body=dict(zip(keys, names, strict=False))
        )
        try:
            document = await self._middleware.send(http_request, bare=True)
        except SdAwsRejection as err:
            if err.fault.is_missing_route:
                raise InvalidRequest("This deployment cannot merge models.") from None
            raise err.error from None
        return unwrap_object({"answer": document}, "answer")
