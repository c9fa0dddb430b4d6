"""Data sets: images to learn from, in the deployment's storage."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.uploads.files import UploadPart, read_source
from atelier_mcp.server.providers.sd_aws.uploads.store import Upload
from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget
from atelier_mcp.server.requests.aws import CreateAwsDataset, ListAwsDatasets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect


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


class SdAwsDatasetCreation(SdAwsJobOperation[CreateAwsDataset]):
    """``create_aws_dataset``."""

    request_type = CreateAwsDataset

    async def submit(
        self,
        request: CreateAwsDataset,
        images: Mapping[str, str],  # noqa: ARG002  # they are named by their paths
        report: ProgressCallback,  # noqa: ARG002  # it is one call
    ) -> UpstreamTask:
        """Prepare the upload; one file is one piece of it. Its id is its name: a data set has no other."""
        sources = [await read_source(path) for path in request.files]
        names = _make_distinct([PurePath(path).name for path in request.files])
        links = await (await self._account.get_dialect()).begin_dataset(request.name, names)
        missing_names = [name for name in names if name not in links]
        if missing_names:
            raise ProviderUnavailable(f"{self._account.service} answered without a link for {missing_names[0]}.")
        pieces = tuple(
            UploadPart(links[name], source.path, 0, source.size_bytes, name, 1)
            for name, source in zip(names, sources, strict=True)
        )
        upload = Upload(pieces, tuple(sources), {}, {"name": request.name, "files": len(names)})
        await self._account.transfers.register(request.name, upload)
        return UpstreamTask(request.name, DatasetTarget.kind)


class SdAwsDatasetListing(SdAwsDirectOperation[ListAwsDatasets]):
    """``list_aws_datasets``."""

    request_type = ListAwsDatasets

    async def execute(self, request: ListAwsDatasets, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Those in some states, or one with its files."""
        dialect = await self._account.get_dialect()
        if request.name is None:
            found = await dialect.list_datasets(request.states)
            return {"datasets": [{"name": entry.name, "state": entry.state} for entry in found]}
        items = await dialect.list_dataset_items(request.name)
        files = [{"name": item.name, "state": item.state, "link": item.preview} for item in items]
        return {"datasets": [{"name": request.name, "files": files}]}


def _make_distinct(names: Sequence[str]) -> list[str]:
    """Files of one name in different folders get a number in front."""
    seen: set[str] = set()
    result: list[str] = []
    for number, name in enumerate(names, 1):
        result.append(name if name not in seen else f"{number}-{name}")
        seen.add(result[-1])
    return result
