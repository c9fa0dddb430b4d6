"""Data sets: made, listed, filled and thinned out.

(contract: dataset, dataset_all, dataset_add_images, dataset_delete_images)
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.links import LinkError, parse_encoded_name
from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse, format_time
from atelier_mcp.server.emulator.miaohua.dataset_store import FOLDER, DataSetRecord
from atelier_mcp.server.emulator.miaohua.errors import REJECTED, MiaohuaHttpError, invalid_parameter

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall

CREATE_NAMES: Final = ("name", "description", "images")
CHANGE_NAMES: Final = ("dataset", "images")
PAGE_SIZE: Final = 20
# What msg says on success here, and nowhere else (dataset_add_images.success_msg).
OK: Final = "OK"
INVALID_IMAGE: Final = "invalid image"
LARGEST_ID: Final = 1_000_000_000


def build_rows() -> list[CallRow]:
    """The four calls."""
    return [
        ("POST", "/dataset", create, CREATE_NAMES),
        ("POST", "/dataset_all", list_all, ("page", "per_page")),
        ("POST", "/dataset/add_images", add_images, CHANGE_NAMES),
        ("POST", "/dataset/delete_images", delete_images, CHANGE_NAMES),
    ]


async def create(call: MiaohuaCall) -> MiaohuaApiResponse:
    """A new data set; names need not be unique, an empty list is refused (dataset.empty_images)."""
    name = call.parameters.read_text("name")
    if not name:
        raise invalid_parameter("name must not be empty")
    data_set = await asyncio.to_thread(
        call.state.datasets.add,
        account=call.account.access_key,
        name=name,
        description=call.parameters.read_text("description", ""),
        images=await _resolve_uploads(call),
        now=call.emulator.clock.now(),
    )
    return MiaohuaApiResponse({"dataset_id": data_set.id})


async def list_all(call: MiaohuaCall) -> MiaohuaApiResponse:
    """One page of twenty (dataset_all.page_size)."""
    number = call.parameters.read_integer("page", 1, least=1, most=1_000_000)
    entries = await asyncio.to_thread(call.state.datasets.list_for_account, call.account.access_key)
    pages = max(1, -(-len(entries) // PAGE_SIZE))
    # Pages count from 1.
    start = (number - 1) * PAGE_SIZE
    info = {
        "items": [_build_item(call, entry) for entry in entries[start : start + PAGE_SIZE]],
        "page": number,
        "per_page": PAGE_SIZE,
        "has_next": number < pages,
        "has_prev": number > 1,
        "totalPages": pages,
    }
    return MiaohuaApiResponse(info, mirrored=True)


async def add_images(call: MiaohuaCall) -> MiaohuaApiResponse:
    """Add pictures, all or none (dataset_add_images.partial)."""
    entry = await _find_data_set(call)
    images = await _resolve_uploads(call)
    await asyncio.to_thread(call.state.datasets.add_images, entry, images, now=call.emulator.clock.now())
    return MiaohuaApiResponse("", msg=OK)


async def delete_images(call: MiaohuaCall) -> MiaohuaApiResponse:
    """Remove pictures, all or none; links are compared without their query (dataset_delete_images.url_identity)."""
    entry = await _find_data_set(call)
    names = [parse_encoded_name(link) for link in call.parameters.read_texts("images")]
    if not await asyncio.to_thread(call.state.datasets.remove_images, entry, names, now=call.emulator.clock.now()):
        raise MiaohuaHttpError(REJECTED, INVALID_IMAGE)
    return MiaohuaApiResponse("", msg=OK)


async def list_image_links(call: MiaohuaCall, number: int) -> list[str]:
    """Links to the pictures of a data set; code 129 for one that the account does not have."""
    entry = await asyncio.to_thread(call.state.datasets.find, number, call.account.access_key)
    if entry is None:
        raise invalid_parameter(f"data set {number} does not exist")
    return _create_links(call, entry)


async def _find_data_set(call: MiaohuaCall) -> DataSetRecord:
    number = call.parameters.read_integer("dataset", least=1, most=LARGEST_ID)
    entry = await asyncio.to_thread(call.state.datasets.find, number, call.account.access_key)
    if entry is None:
        raise invalid_parameter(f"data set {number} does not exist")
    return entry


async def _resolve_uploads(call: MiaohuaCall) -> list[Path]:
    """The files behind the links of ``images``; 400 for a link that is no upload of ours, or no longer works."""
    try:
        files = [call.emulator.links.resolve(link) for link in call.parameters.read_texts("images")]
    except LinkError as err:
        # HTTP 200 with code 400 in the body (dataset_add_images.failure_http).
        raise MiaohuaHttpError(REJECTED, INVALID_IMAGE) from err
    # Links of data sets count, too: their pictures can be added to another one.
    uploads = [file for file in files if file is not None and file.parent.name in {"pictures", FOLDER}]
    if len(uploads) < len(files):
        raise MiaohuaHttpError(REJECTED, INVALID_IMAGE)
    return uploads


def _build_item(call: MiaohuaCall, entry: DataSetRecord) -> dict[str, Any]:
    links = _create_links(call, entry)
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "demo_picture": links[0] if links else "",
        "create_time": format_time(entry.created_at),
        "update_time": format_time(entry.updated_at),
        "images": links,
        "images_num": len(links),
    }


def _create_links(call: MiaohuaCall, entry: DataSetRecord) -> list[str]:
    return [call.create_link(f"{FOLDER}/{name}") for name in entry.images]
