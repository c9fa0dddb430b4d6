"""What is written down of uploads to Stable Diffusion on AWS, whatever ends the task that writes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.providers.sd_aws.uploads.files import UploadPart
from atelier_mcp.server.providers.sd_aws.uploads.store import Upload, UploadStore

if TYPE_CHECKING:
    from pathlib import Path

SLOW_TO_WRITE = 20_000
"""So many parts take a good part of a second to be put into JSON."""


def build_upload(name: str, part_count: int) -> Upload:
    parts = tuple(UploadPart("https://storage.example/x", "", 0, 1, name, i, text="x") for i in range(part_count))
    return Upload(parts, (), {}, {"name": name})


def test_a_save_that_is_cancelled_never_replaces_the_one_after_it(tmp_path: Path) -> None:
    store = UploadStore(tmp_path)

    async def replace_upload_under_way() -> None:
        saving = asyncio.create_task(store.save("kites", build_upload("old", SLOW_TO_WRITE)))
        await asyncio.sleep(0)  # it begins, in a thread that nothing can end
        saving.cancel()
        await asyncio.wait([saving])
        assert saving.cancelled()
        await store.save("kites", build_upload("new", 1))

    asyncio.run(replace_upload_under_way())  # waits for its threads, too
    upload = asyncio.run(store.load("kites"))
    assert upload is not None
    assert upload.facts == {"name": "new"}
