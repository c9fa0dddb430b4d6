"""Data sets at Miaohua: made, listed, filled and thinned out at once, without a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.miaohua.wire import MiaohuaDatasetBody, MiaohuaDatasetPageBody, find_text, unwrap_info
from atelier_mcp.server.providers.wire import parse_model, parse_models
from atelier_mcp.server.requests.datasets import AddDatasetImages, CreateDataset, ListDatasets, RemoveDatasetImages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from atelier_mcp.server.requests.base import Request


class MiaohuaDatasets:
    """Asks through ``send``, which answers with JSON and raises an ``AtelierError``."""

    def __init__(self, send: Callable[[HttpRequest], Awaitable[Any]]) -> None:
        """Hold the way to ask."""
        self._send = send

    async def execute(self, request: Request, links: Mapping[str, str]) -> dict[str, Any]:
        """Do what a request asks; ``links`` leads to its pictures, by place. Raises ``InvalidRequest`` for others."""
        match request:
            case CreateDataset():
                return {"dataset_id": await self.create(request.name, request.description, list(links.values()))}
            case ListDatasets():
                return await self._fetch_page(request.page)
            case AddDatasetImages():
                await self._change("/dataset/add_images", request.dataset_id, list(links.values()))
                return {"dataset_id": request.dataset_id, "added": len(links)}
            case RemoveDatasetImages():
                await self._change("/dataset/delete_images", request.dataset_id, request.links)
                return {"dataset_id": request.dataset_id, "removed": len(request.links)}
            case _:
                raise InvalidRequest(f"Miaohua cannot {request.capability.replace('_', ' ')} at once.")

    async def create(self, name: str, description: str | None, links: Sequence[str]) -> int:
        """A new data set's id. It may exist although the answer was lost: nothing is charged for it."""
        body = {"name": name, "description": description or "", "images": list(dict.fromkeys(links))}
        number = find_text(await self._send(HttpRequest("POST", "/dataset", is_submit=True, body=body)), "dataset_id")
        if not number.isdecimal():
            raise ProviderUnavailable("Miaohua made a data set and did not tell its id.", hint="See list_datasets.")
        return int(number)

    async def _fetch_page(self, number: int) -> dict[str, Any]:
        """One page; its number travels in the query though the method is POST (contract: dataset_all.page)."""
        document = await self._send(HttpRequest("POST", "/dataset_all", query={"page": number}, body={}))
        page = parse_model(MiaohuaDatasetPageBody, unwrap_info(document)) or MiaohuaDatasetPageBody()
        datasets = parse_models(MiaohuaDatasetBody, page.items)
        return {
            "datasets": [_to_result(entry) for entry in datasets],
            "page": number,
            "more": bool(page.has_next and datasets),
        }

    async def _change(self, path: str, dataset_id: int, links: Sequence[str]) -> None:
        """Success is told by the code alone; adding or taking out the same again changes nothing, so it is repeated."""
        await self._send(HttpRequest("POST", path, body={"dataset": dataset_id, "images": list(dict.fromkeys(links))}))


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
