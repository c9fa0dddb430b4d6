"""Checkpoints: the model files of a deployment."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.addresses import get_url_path
from atelier_mcp.server.errors import InvalidRequest, UpstreamFailed
from atelier_mcp.server.images.model_files import check_model_file
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.providers.sd_aws.uploads.files import count_parts, read_source
from atelier_mcp.server.providers.sd_aws.uploads.store import create_upload
from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget, find_state
from atelier_mcp.server.requests.aws import AddCheckpoint, DisableCheckpoint, ListCheckpoints, MergeModels
from atelier_mcp.server.requests.base import format_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload
    from atelier_mcp.server.providers.sd_aws.wire import SdAwsCheckpointBody

FETCH: Final = "fetch"
"""The kind of a task that is the service's own fetching of files."""


MODEL_SUFFIXES: Final = (".pt", ".pth", ".ckpt", ".safetensors", ".yaml")
"""The later versions drop a link to any other file without a word (contract: upload_checkpoint)."""
MAX_FETCH_S: Final = 1800.0
"""The service's own work ends after a quarter of an hour; a file that is not there after twice that never comes."""


@dataclass(frozen=True, slots=True)
class CheckpointFetch:
    """Files that the service fetches; all of it is the id of the task, for the service may give none."""

    kind: str
    id: str
    """Of the one checkpoint they make; empty where each makes one, or the answer was late (contract: long_call)."""
    names: list[str]
    since_s: float | None = None
    """When it began, in Unix seconds; older tasks do not tell."""
    missing: list[str] = field(default_factory=list[str])
    """Files of which the answer said that they were not stored."""

    def to_task(self) -> UpstreamTask:
        """The task that follows it."""
        return UpstreamTask(json.dumps(asdict(self)), FETCH)

    def find_checkpoints(self, checkpoints: Sequence[SdAwsCheckpointBody]) -> list[SdAwsCheckpointBody]:
        """Those of the checkpoints that are in use and hold its files."""
        ready = [checkpoint for checkpoint in checkpoints if checkpoint.state == "Active"]
        if self.id:
            return [checkpoint for checkpoint in ready if checkpoint.id == self.id]
        # Without an id only the file names tell; they are unique over all checkpoints of the later versions.
        return [checkpoint for checkpoint in ready if set(self.names) & set(checkpoint.names)]


class CheckpointTarget(UploadTarget):
    """A checkpoint, from one file."""

    kind = "upload.checkpoint"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Put it into use."""
        await dialect.finish_checkpoint(upload_id, str(upload.facts.get("name", "")), upload.build_part_tags())

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of checkpoints."""
        return find_state(await dialect.list_checkpoints(), upload_id)

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its id and its file's name."""
        return {"checkpoint_id": upload_id, **({"file": facts["name"]} if facts.get("name") else {})}


class SdAwsCheckpointAddition(SdAwsJobOperation[AddCheckpoint]):
    """``aws_add_checkpoint``."""

    request_type = AddCheckpoint

    async def submit(self, request: AddCheckpoint, images: Mapping[str, str], call: SubmitCall) -> UpstreamTask:  # noqa: ARG002  # the base's signature
        """Prepare the upload of a local file, or have the service fetch others."""
        if request.file is None:
            return await self._fetch(request)
        return await self._upload(request, request.file)

    async def _fetch(self, request: AddCheckpoint) -> UpstreamTask:
        """An answer that is late says nothing of the transfer (contract: upload_checkpoint.long_call)."""
        # The service names a file like the last segment of its link.
        names = [PurePath(get_url_path(link)).name for link in request.links]
        for index, name in enumerate(names):
            if PurePath(name).suffix.lower() not in MODEL_SUFFIXES:
                place = format_place("links", index)
                raise InvalidRequest(f"{place}: {name!r} does not end in {', '.join(MODEL_SUFFIXES)}.")
        dialect = await self._account.get_dialect()
        checkpoint = await dialect.fetch_checkpoints(request.kind, request.links, request.description or "")
        missing = checkpoint.missing_names if checkpoint else []
        now_s = self._account.middleware.client.clock.now().timestamp()
        return CheckpointFetch(request.kind, checkpoint.id if checkpoint else "", names, now_s, missing).to_task()

    async def _upload(self, request: AddCheckpoint, path: str) -> UpstreamTask:
        source, name = await read_source(path, check_model_file), PurePath(path).name
        part_count = count_parts(source.size_bytes)
        dialect = await self._account.get_dialect()
        upload_id, links = await dialect.begin_checkpoint(request.kind, name, part_count, request.description or "")
        await self._account.transfers.register(upload_id, create_upload(source, name, links))
        return UpstreamTask(upload_id, CheckpointTarget.kind)


class SdAwsCheckpointListing(SdAwsDirectOperation[ListCheckpoints]):
    """``aws_list_checkpoints``."""

    request_type = ListCheckpoints

    async def execute(self, request: ListCheckpoints, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Those of some kinds and in some states, or all."""
        found = await (await self._account.get_dialect()).list_checkpoints(request.kinds, request.states)
        rows = [{"id": e.id, "kind": e.kind, "state": e.state, "files": list(e.names)} for e in found]
        return build_listing("checkpoints", rows, found)


class SdAwsCheckpointDisabling(SdAwsDirectOperation[DisableCheckpoint]):
    """``aws_disable_checkpoint``."""

    request_type = DisableCheckpoint

    async def execute(self, request: DisableCheckpoint, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Listed afterwards, for the answer shows the old state (contract: update_checkpoint.stale_status)."""
        dialect, checkpoint_id = await self._account.get_dialect(), request.checkpoint_id
        await dialect.disable_checkpoint(checkpoint_id)
        states = [entry.state for entry in await dialect.list_checkpoints() if entry.id == checkpoint_id]
        if states and states[0] != "Disabled":
            raise UpstreamFailed(f"Checkpoint {checkpoint_id} is still {states[0]}.", hint="Try again in a minute.")
        self._account.model_list.clear()
        return {"checkpoint_id": checkpoint_id, "state": "Disabled"}


class SdAwsModelMerge(SdAwsDirectOperation[MergeModels]):
    """``aws_merge_models``."""

    request_type = MergeModels

    async def execute(self, request: MergeModels, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """What the service says of it."""
        names = [name for name in (request.primary, request.secondary, request.tertiary) if name]
        dialect = await self._account.get_dialect()
        return {"merged": names, "answer": dict(await dialect.merge_checkpoints(names))}
