"""Data sets at Miaohua: made, listed, filled and thinned out at once, without a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import AtelierError, InvalidRequest, ProviderUnavailable
from atelier_mcp.server.images.references import is_link
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.dataset_images import get_image_name
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


MAX_PAGES = 50
"""Of twenty data sets each, that one is looked for on."""


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
        body = {"dataset": dataset_id, "images": list(dict.fromkeys(links))}
        await self._account.session.send_past_image_check(HttpRequest("POST", path, body=body))

    async def _fetch_page(self, number: int) -> tuple[list[MiaohuaDatasetBody], bool]:
        """One page; its number travels in the query though the method is POST (contract: dataset_all.page)."""
        http_request = HttpRequest("POST", "/dataset_all", query={"page": number}, body={})
        document = await self._account.session.send_past_image_check(http_request)
        page = parse_model(MiaohuaDatasetPageBody, unwrap_info(document)) or MiaohuaDatasetPageBody()
        datasets = parse_models(MiaohuaDatasetBody, page.items)
        return datasets, bool(page.has_next and datasets)

    async def _find_dataset(self, dataset_id: int) -> MiaohuaDatasetBody:
        """One data set: there is no call for it, so that the pages are gone through. Raises ``InvalidRequest``."""
        for number in range(1, MAX_PAGES + 1):
            datasets, has_more = await self._fetch_page(number)
            for dataset in datasets:
                if dataset.id == dataset_id:
                    return dataset
            if not has_more:
                break
        raise InvalidRequest(f"dataset_id: Miaohua has no data set {dataset_id}.", hint="list_datasets shows all.")

    async def _describe_dataset(self, dataset_id: int) -> dict[str, Any]:
        """A data set with the name of each picture, and its handle where it is known."""
        dataset = await self._find_dataset(dataset_id)
        handles = await self._account.dataset_images.load()
        names = {link: get_image_name(link) for link in dataset.images or []}
        images = [{"name": name, "handle": handles.get(name), "link": link} for link, name in names.items()]
        return {**_to_result(dataset), "images": images}

    async def _try_describe_dataset(self, dataset_id: int) -> dict[str, Any]:
        """What is in a data set, as a part of an answer; nothing where it cannot be read, for a change stands."""
        try:
            return {"dataset": await self._describe_dataset(dataset_id)}
        except (AtelierError, MiaohuaRejection):
            return {}


class MiaohuaDatasetCreation(MiaohuaDatasetOperation[CreateDataset]):
    """``create_dataset``."""

    request_type = CreateDataset

    async def execute(self, request: CreateDataset, images: Mapping[str, str]) -> Mapping[str, Any]:
        """The new data set."""
        links = list((await self._account.uploader.upload_all(images)).values())
        dataset_id = await create_dataset(self._account.session, request.name, request.description, links)
        await self._account.dataset_images.add(links, request.images)
        return {"dataset_id": dataset_id, **await self._try_describe_dataset(dataset_id)}


class MiaohuaDatasetListing(MiaohuaDatasetOperation[ListDatasets]):
    """``list_datasets``."""

    request_type = ListDatasets

    async def execute(self, request: ListDatasets, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # there are none
        """One page, or the one that is named with its pictures."""
        if request.dataset_id is not None:
            return {"datasets": [await self._describe_dataset(request.dataset_id)], "page": 1, "more": False}
        datasets, has_more = await self._fetch_page(request.page)
        return {"datasets": [_to_result(entry) for entry in datasets], "page": request.page, "more": has_more}


class MiaohuaImageAddition(MiaohuaDatasetOperation[AddDatasetImages]):
    """``add_dataset_images``."""

    request_type = AddDatasetImages

    async def execute(self, request: AddDatasetImages, images: Mapping[str, str]) -> Mapping[str, Any]:
        """How many there were, and what is in it now."""
        links = list((await self._account.uploader.upload_all(images)).values())
        await self._change_images("/dataset/add_images", request.dataset_id, links)
        await self._account.dataset_images.add(links, request.images)
        changed = await self._try_describe_dataset(request.dataset_id)
        return {"dataset_id": request.dataset_id, "added": len(links), **changed}


class MiaohuaImageRemoval(MiaohuaDatasetOperation[RemoveDatasetImages]):
    """``remove_dataset_images``."""

    request_type = RemoveDatasetImages

    async def execute(self, request: RemoveDatasetImages, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # they lie at the service
        """How many were taken out, and what is left in it."""
        before = await self._try_describe_dataset(request.dataset_id)
        links = _find_links(request, before.get("dataset", {}).get("images", ()))
        await self._change_images("/dataset/delete_images", request.dataset_id, links)
        changed = await self._try_describe_dataset(request.dataset_id)
        return {"dataset_id": request.dataset_id, "removed": len(links), **changed}


def _find_links(request: RemoveDatasetImages, images: Sequence[Mapping[str, Any]]) -> list[str]:
    """The links, as the service shows them, of the pictures that a request names by handle, name or link.

    A link that is not among them is left to the service to judge. Raises ``InvalidRequest`` for another name that is
    not in the data set.
    """
    links: dict[str, None] = {}
    for reference in request.images:
        name = get_image_name(reference) if is_link(reference) else reference
        found = [image["link"] for image in images if name in (image["name"], image["handle"])]
        if not found and is_link(reference):
            found = [reference]
        if not found:
            names = ", ".join(image["handle"] or image["name"] for image in images) or "nothing"
            raise InvalidRequest(f"images: {name} is not in data set {request.dataset_id}; there is {names}.")
        links |= dict.fromkeys(found)
    return list(links)


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
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "updated": entry.update_time or entry.create_time,
        "count": len(entry.images or []) if entry.images_num is None else entry.images_num,
    }
