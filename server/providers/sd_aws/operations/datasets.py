"""Data sets: images to learn from, in the deployment's storage."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable
from atelier_mcp.server.images.formats import check_image_file
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.dataset_files import make_distinct, name_caption
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.providers.sd_aws.uploads.files import UploadPart, read_source
from atelier_mcp.server.providers.sd_aws.uploads.store import Upload
from atelier_mcp.server.providers.sd_aws.uploads.target import UploadTarget, find_state
from atelier_mcp.server.requests.aws import CreateAwsDataset, ListAwsDatasets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall
    from atelier_mcp.server.providers.sd_aws.dialect import Dialect


UNFINISHED: Final = "Initialed"
"""The state of a data set whose files were not all sent: one can begin anew with it."""


class DatasetTarget(UploadTarget):
    """A data set, from many files."""

    kind = "upload.dataset"

    async def finish(self, dialect: Dialect, upload_id: str, upload: Upload) -> None:  # noqa: ARG002  # whole files have no parts to name
        """Put it into use."""
        await dialect.finish_dataset(upload_id)

    async def fetch_state(self, dialect: Dialect, upload_id: str) -> str:
        """Out of the list of data sets."""
        return find_state(await dialect.list_datasets(), upload_id, "name")

    def build_data(self, upload_id: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Its name and how many files it has."""
        return {"dataset": upload_id, "files": int(facts.get("files", 0))}


class SdAwsDatasetCreation(SdAwsJobOperation[CreateAwsDataset]):
    """``aws_create_dataset``."""

    request_type = CreateAwsDataset

    async def submit(
        self,
        request: CreateAwsDataset,
        images: Mapping[str, str],  # noqa: ARG002  # they are named by their paths
        call: SubmitCall,  # noqa: ARG002  # it is one call
    ) -> UpstreamTask:
        """Prepare the upload; one file is one piece of it. Its id is its name: a data set has no other."""
        # Before the service is asked: a file that cannot be read should leave no half-made data set behind.
        sources = [await read_source(path, check_image_file) for path in request.files]
        dialect = await self._account.get_dialect()
        await _check_dataset(request, dialect)
        names = make_distinct([PurePath(path).name for path in request.files])
        captions = {name_caption(name): text for name, text in zip(names, request.captions, strict=False)}
        # Captions are files of the content like any other (contract: answered.crop).
        links = await dialect.begin_dataset(request.name, [*names, *captions])
        missing_names = [name for name in (*names, *captions) if name not in links]
        if missing_names:
            raise ProviderUnavailable(f"{self._account.service} answered without a link for {missing_names[0]}.")
        pieces = (
            *(
                UploadPart(links[name], source.path, 0, source.size_bytes, name, 1)
                for name, source in zip(names, sources, strict=True)
            ),
            *(
                UploadPart(links[name], "", 0, len(text.encode()), name, 1, text=text)
                for name, text in captions.items()
            ),
        )
        upload = Upload(pieces, tuple(sources), {}, {"name": request.name, "files": len(names)})
        await self._account.transfers.register(request.name, upload)
        return UpstreamTask(request.name, DatasetTarget.kind)


class SdAwsDatasetListing(SdAwsDirectOperation[ListAwsDatasets]):
    """``aws_list_datasets``."""

    request_type = ListAwsDatasets

    async def execute(self, request: ListAwsDatasets, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Those in some states, or one with its files."""
        dialect = await self._account.get_dialect()
        if request.name is None:
            found = await dialect.list_datasets(request.states)
            return build_listing("datasets", [{"name": entry.name, "state": entry.state} for entry in found], found)
        items = await dialect.list_dataset_items(request.name)
        files = [{"name": item.name, "state": item.state, "link": item.preview} for item in items]
        return build_listing("datasets", [{"name": request.name, "files": files}], items)


async def _check_dataset(request: CreateAwsDataset, dialect: Dialect) -> None:
    """Raise ``InvalidRequest`` for more files than the version takes, and for a name in use.

    The service takes such a name and mixes the files of both (contract: POST /datasets).
    """
    count, max_count = len(request.files) + len(request.captions), dialect.version.max_dataset_files
    if count > max_count:
        raise InvalidRequest(
            f"files: {dialect.version} takes {max_count} files a set, captions included, and not {count}."
        )
    known = (await dialect.list_datasets()).find(request.name, "name")
    if known is not None and known.state != UNFINISHED:
        raise InvalidRequest(f"name: there is a data set {request.name}.", hint="Choose another name.")
