"""The three kinds of uploads: checkpoints, training bases and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.sd_aws.dialect import Dialect
    from atelier_mcp.server.providers.sd_aws.uploads.store import Upload


class CheckpointTarget(UploadTarget):
    """A checkpoint, from one file."""

    kind = "upload.checkpoint"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Put it into use."""
        await dialect.finish_checkpoint(upload_id, str(upload.facts.get("name", "")), upload.build_part_tags())

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of checkpoints."""
        return next((entry.state for entry in await dialect.list_checkpoints() if entry.id == upload_id), "")

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its id and its file's name."""
        return {"checkpoint_id": upload_id, **_build_file_data(facts)}


class BaseTarget(UploadTarget):
    """A training base, from one file or none."""

    kind = "upload.base"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Let the service make it."""
        await dialect.finish_base(upload_id, str(upload.facts.get("name", "")), upload.build_part_tags())

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of bases."""
        return next((base.state for base in await dialect.list_bases() if base.id == upload_id), "")

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its id and its file's name."""
        return {"base": upload_id, **_build_file_data(facts)}


class DatasetTarget(UploadTarget):
    """A data set, from many files."""

    kind = "upload.dataset"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:  # noqa: ARG002  # whole files have no parts to name
        """Put it into use."""
        await dialect.finish_dataset(upload_id)

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of data sets."""
        return next((entry.state for entry in await dialect.list_datasets() if entry.name == upload_id), "")

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its name and how many files it has."""
        return {"dataset": upload_id, "files": int(facts.get("files", 0))}


UPLOAD_TARGETS: Mapping[str, UploadTarget] = {
    target.kind: target for target in (CheckpointTarget(), BaseTarget(), DatasetTarget())
}


def _build_file_data(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"file": facts["name"]} if facts.get("name") else {}
