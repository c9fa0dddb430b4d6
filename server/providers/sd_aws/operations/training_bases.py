"""Training bases: models made ready to be trained on."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.model_files import check_model_file
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.providers.sd_aws.uploads.files import count_parts, read_source
from atelier_mcp.server.providers.sd_aws.uploads.store import Upload, create_upload
from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget, find_state
from atelier_mcp.server.requests.aws import CreateTrainingBase, ListTrainingBases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect


class BaseTarget(UploadTarget):
    """A training base, from one file or none."""

    kind = "upload.base"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:
        """Let the service make it."""
        await dialect.finish_base(upload_id, str(upload.facts.get("name", "")), upload.build_part_tags())

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of bases."""
        return find_state(await dialect.list_bases(), upload_id)

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its id and its file's name."""
        return {"base": upload_id, **({"file": facts["name"]} if facts.get("name") else {})}


class SdAwsBaseCreation(SdAwsJobOperation[CreateTrainingBase]):
    """``aws_create_training_base``."""

    request_type = CreateTrainingBase

    async def submit(
        self,
        request: CreateTrainingBase,
        images: Mapping[str, str],  # noqa: ARG002  # there are none
        call: SubmitCall,  # noqa: ARG002  # it is one call
    ) -> UpstreamTask:
        """Prepare the upload of its file; without a file nothing is sent, and the base only has to be finished."""
        if request.file is None:
            base_id, _ = await (await self._account.get_dialect()).begin_base(request, "", 0)
            upload = Upload((), (), {}, {"name": "", "base": base_id})
        else:
            source, name = await read_source(request.file, check_model_file), PurePath(request.file).name
            dialect = await self._account.get_dialect()
            base_id, links = await dialect.begin_base(request, name, count_parts(source.size_bytes))
            upload = create_upload(source, name, links)
        await self._account.transfers.register(base_id, upload)
        return UpstreamTask(base_id, BaseTarget.kind)


class SdAwsBaseListing(SdAwsDirectOperation[ListTrainingBases]):
    """``aws_list_training_bases``."""

    request_type = ListTrainingBases

    async def execute(self, request: ListTrainingBases, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Those in some states, or all."""
        bases = await (await self._account.get_dialect()).list_bases(request.states)
        rows = [{"id": base.id, "name": base.name, "state": base.state} for base in bases]
        return build_listing("bases", rows, bases)
