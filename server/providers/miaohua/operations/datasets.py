"""Data sets at Miaohua: made, listed, filled and thinned out at once, without a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.errors import MiaohuaRejection
from atelier_mcp.server.providers.miaohua.operation import build_plan
from atelier_mcp.server.providers.miaohua.wire import MiaohuaDatasetBody, MiaohuaDatasetPageBody, find_text, unwrap_info
from atelier_mcp.server.providers.operation import DirectOperation, RequestT
from atelier_mcp.server.providers.wire import parse_model, parse_models
from atelier_mcp.server.requests.datasets import AddDatasetImages, CreateDataset, ListDatasets, RemoveDatasetImages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.images.probe import ImageHeader
    from atelier_mcp.server.providers.base import Plan
    from atelier_mcp.server.providers.miaohua.operation import MiaohuaAccount
    from atelier_mcp.server.providers.miaohua.session import MiaohuaSession


class MiaohuaDatasetOperation(DirectOperation[RequestT]):
    """What the four have in common."""

    def __init__(self, account: MiaohuaAccount) -> None:
        """Work for this account."""
        self._account = account

    async def plan(self, request: RequestT, headers: Mapping[str, ImageHeader]) -> Plan:  # noqa: ARG002  # the base's signature
        """As it is; its images will be uploaded."""
        return build_plan(request)

    async def _change_images(self, path: str, dataset_id: int, links: Sequence[str]) -> None:
        """Success is told by the code alone; adding or taking out the same again changes nothing, so it is repeated."""
        # The same picture by two links counts twice for the service, by one link once.
        body = {"dataset": dataset_id, "images": list(dict.fromkeys(links))}
        await self._account.session.send_past_image_check(HttpRequest("POST", path, body=body))


class MiaohuaDatasetCreation(MiaohuaDatasetOperation[CreateDataset]):
    """``create_dataset``."""

    request_type = CreateDataset

    async def execute(self, request: CreateDataset, images: Mapping[str, str]) -> Mapping[str, Any]:
        """The new data set's id."""
        links = list((await self._account.uploader.upload_all(images)).values())
        return {"dataset_id": await create_dataset(self._account.session, request.name, request.description, links)}


class MiaohuaDatasetListing(MiaohuaDatasetOperation[ListDatasets]):
    """``list_datasets``."""

    request_type = ListDatasets

    async def execute(self, request: ListDatasets, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # there are none
        """One page; its number travels in the query though the method is POST (contract: dataset_all.page)."""
        http_request = HttpRequest("POST", "/dataset_all", query={"page": request.page}, body={})
        document = await self._account.session.send_past_image_check(http_request)
        page = parse_model(MiaohuaDatasetPageBody, unwrap_info(document)) or MiaohuaDatasetPageBody()
        datasets = parse_models(MiaohuaDatasetBody, page.items)
        return {
            "datasets": [_to_result(entry) for entry in datasets],
            "page": request.page,
            "more": bool(page.has_next and datasets),
        }


class MiaohuaImageAddition(MiaohuaDatasetOperation[AddDatasetImages]):
    """``add_dataset_images``."""

    request_type = AddDatasetImages

    async def execute(self, request: AddDatasetImages, images: Mapping[str, str]) -> Mapping[str, Any]:
        """How many there were."""
        links = await self._account.uploader.upload_all(images)
        await self._change_images("/dataset/add_images", request.dataset_id, list(links.values()))
        return {"dataset_id": request.dataset_id, "added": len(links)}


class MiaohuaImageRemoval(MiaohuaDatasetOperation[RemoveDatasetImages]):
    """``remove_dataset_images``."""

    request_type = RemoveDatasetImages

    async def execute(self, request: RemoveDatasetImages, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # they are named by their links
        """How many were named."""
        await self._change_images("/dataset/delete_images", request.dataset_id, request.links)
        return {"dataset_id": request.dataset_id, "removed": len(request.links)}


async def create_dataset(session: MiaohuaSession, name: str, description: str | None, links: Sequence[str]) -> int:
    """A new data set's id. It may exist although the answer was lost: nothing is charged for it."""
    body = {"name": name, "description": description or "", "images": list(dict.fromkeys(links))}
    http_request = HttpRequest("POST", "/dataset", is_submit=True, body=body)
    try:
        document = await session.send_past_image_check(http_request)
    except MiaohuaRejection as err:
        raise err.error from None
    number = find_text(document, "dataset_id")
    if not number.isdecimal():
        raise ProviderUnavailable("Miaohua made a data set and did not tell its id.", hint="See list_datasets.")
    return int(number)


def _to_result(entry: MiaohuaDatasetBody) -> dict[str, Any]:
    """A data set as we answer; its times as they came, since they name no zone (contract: dataset_all.time_zone)."""
    images = entry.images or []
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "updated": entry.update_time or entry.create_time,
        "count": len(images) if entry.images_num is None else entry.images_num,
        "images": images,
    }
