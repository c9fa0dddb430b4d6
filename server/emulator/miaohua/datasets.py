"""Data sets: made, listed, filled and thinned out (contract: dataset, dataset_all, dataset_add_images, ...)."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from atelier_mcp.server.emulator.links import LinkRefused
from atelier_mcp.server.emulator.miaohua.answers import REJECTED, Refused, Reply, illegal
from atelier_mcp.server.emulator.miaohua.dataset_store import FOLDER, DataSet

if TYPE_CHECKING:
    from pathlib import Path

    from atelier_mcp.server.emulator.miaohua.calls import Call

CREATE_NAMES: Final = ("name", "description", "images")
CHANGE_NAMES: Final = ("dataset", "images")
PAGE_SIZE: Final = 20
OK: Final = "OK"
INVALID_IMAGE: Final = "invalid image"
LARGEST_ID: Final = 1_000_000_000


async def create(call: Call) -> Reply:
    """A new data set; names need not be unique, an empty list is refused (dataset.empty_images)."""
    name = call.given.text("name")
    if not name:
        raise illegal("name must not be empty")
    made = await asyncio.to_thread(
        call.desk.datasets.add,
        account=call.account.access_key,
        name=name,
        description=call.given.text("description", ""),
        images=await _uploaded(call),
        now=call.world.clock.now(),
    )
    return Reply({"dataset_id": made.id})


async def list_all(call: Call) -> Reply:
    """One page of twenty (dataset_all.page_size)."""
    number = call.given.whole("page", 1, least=1, most=1_000_000)
    found = await asyncio.to_thread(call.desk.datasets.all_of, call.account.access_key)
    pages = max(1, -(-len(found) // PAGE_SIZE))
    start = (number - 1) * PAGE_SIZE
    info = {
        "items": [_item(call, entry) for entry in found[start : start + PAGE_SIZE]],
        "page": number,
        "per_page": PAGE_SIZE,
        "has_next": number < pages,
        "has_prev": number > 1,
        "totalPages": pages,
    }
    return Reply(info, mirrored=True)


async def add_images(call: Call) -> Reply:
    """Add pictures, all or none (dataset_add_images.partial)."""
    entry = await _named(call)
    images = await _uploaded(call)
    await asyncio.to_thread(call.desk.datasets.put_in, entry, images, now=call.world.clock.now())
    return Reply("", msg=OK)


async def delete_images(call: Call) -> Reply:
    """Remove pictures, all or none; links are compared without their query (dataset_delete_images.url_identity)."""
    entry = await _named(call)
    names = [PurePosixPath(urlsplit(link).path).name for link in call.given.texts("images")]
    if not await asyncio.to_thread(call.desk.datasets.take_out, entry, names, now=call.world.clock.now()):
        raise Refused(REJECTED, INVALID_IMAGE)
    return Reply("", msg=OK)


async def pictures_of(call: Call, number: int) -> list[str]:
    """Links to the pictures of a data set; code 129 for one that the account does not have."""
    entry = await asyncio.to_thread(call.desk.datasets.find, number, call.account.access_key)
    if entry is None:
        raise illegal(f"data set {number} does not exist")
    return _links(call, entry)


async def _named(call: Call) -> DataSet:
    number = call.given.whole("dataset", least=1, most=LARGEST_ID)
    entry = await asyncio.to_thread(call.desk.datasets.find, number, call.account.access_key)
    if entry is None:
        raise illegal(f"data set {number} does not exist")
    return entry


async def _uploaded(call: Call) -> list[Path]:
    """The files behind the links of ``images``; 400 for a link that is no upload of ours, or no longer works."""
    try:
        files = [call.world.links.resolve(link) for link in call.given.texts("images")]
    except LinkRefused as err:
        raise Refused(REJECTED, INVALID_IMAGE) from err
    kept = [file for file in files if file is not None and file.parent.name in {"pictures", FOLDER}]
    if len(kept) < len(files):
        raise Refused(REJECTED, INVALID_IMAGE)
    return kept


def _item(call: Call, entry: DataSet) -> dict[str, Any]:
    from atelier_mcp.server.emulator.miaohua.trained import local_time

    links = _links(call, entry)
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.description,
        "demo_picture": links[0] if links else "",
        "create_time": local_time(entry.created_at),
        "update_time": local_time(entry.updated_at),
        "images": links,
        "images_num": len(links),
    }


def _links(call: Call, entry: DataSet) -> list[str]:
    return [call.link(f"{FOLDER}/{name}") for name in entry.images]
