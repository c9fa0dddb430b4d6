"""What is stored stays, is found again, and is written once."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.folder_store import FolderStore
from atelier_mcp.server.images.handles import compute_handle
from atelier_mcp.server.images.provenance import Generated, Imported, provenance_to_document
from tests.images.samples import make_image
from tests.support.store_places import get_file

if TYPE_CHECKING:
    from datetime import datetime

    from atelier_mcp.server.images.workers import ImageWorkers

MADE = Generated(
    job="job_1",
    capability="generate_image",
    provider="mhapi",
    request={"prompt": "a red kite"},
    notes=("a note",),
    seed=7,
)

KEEP = """
import asyncio, pathlib, sys
from datetime import UTC, datetime
from atelier_mcp.server.images.provenance import Imported
from atelier_mcp.server.images.folder_store import FolderStore
from atelier_mcp.server.images.workers import ImageWorkers
root, data = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).read_bytes()
made = Imported(source=sys.argv[3])
sys.stdin.read()
async def keep():
    async with ImageWorkers() as workers:
        for _ in range(20):
            store = FolderStore(root, workers)
            stored = await store.save(data, provenance=made, now=datetime(2026, 11, 20, tzinfo=UTC))
    return stored
print(asyncio.run(keep()).provenance.source)
"""


def list_files(store: FolderStore) -> list[str]:
    """Everything in the day folders."""
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.glob("*/*"))


async def test_a_picture_lies_in_clear_beside_its_story(store: FolderStore, now: datetime) -> None:
    """A user finds it with the file manager."""
    data = make_image("JPEG")
    stored = await store.save(data, provenance=MADE, now=now)

    assert stored.handle == compute_handle(data)
    assert list_files(store) == [f"2026-11-20/{stored.handle}.jpg", f"2026-11-20/{stored.handle}.json"]
    assert get_file(stored).read_bytes() == data == await store.read(stored.handle)
    assert json.loads(get_file(stored).with_suffix(".json").read_text()) == {
        "file": get_file(stored).name,
        "media_type": "image/jpeg",
        "width": 320,
        "height": 240,
        "size_bytes": len(data),
        "created_at": "2026-11-20T22:00:00+00:00",
        "made": provenance_to_document(MADE),
    }


async def test_a_picture_is_found_by_another_process_and_another_day(
    store: FolderStore, home: Path, now: datetime
) -> None:
    """Nothing but the folder is needed."""
    stored = await store.save(make_image(), provenance=MADE, now=now)
    await store.save(make_image("JPEG"), provenance=MADE, now=now + timedelta(days=3))

    assert await FolderStore(home).find(stored.handle) == stored


async def test_the_same_bytes_kept_twice_are_one_file_with_its_first_story(
    store: FolderStore, workers: ImageWorkers, home: Path, now: datetime
) -> None:
    """Nothing is ever overwritten."""
    first = await store.save(make_image(), provenance=MADE, now=now)
    again = await FolderStore(home, workers).save(
        make_image(), provenance=Imported(source="another"), now=now + timedelta(days=1)
    )

    assert again == first
    assert [name for name in list_files(store) if name.endswith(".png")] == [f"2026-11-20/{first.handle}.png"]


async def test_processes_that_keep_the_same_bytes_at_once_leave_one_file(home: Path, tmp_path: Path) -> None:
    """Every window of an editor runs its own server on the same folder."""
    data = tmp_path / "same.png"
    data.write_bytes(make_image(noise=True))
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", KEEP, str(home), str(data), name,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    outputs = await asyncio.gather(*(process.communicate(b"") for process in processes))

    assert [process.returncode for process in processes] == [0, 0]
    assert len({out for out, _ in outputs}) == 1
    assert len(list_files(FolderStore(home))) == 2


async def test_threads_that_keep_the_same_bytes_at_once_leave_one_file(
    workers: ImageWorkers, home: Path, now: datetime
) -> None:
    """Eight jobs may be given the same picture."""
    stores = [FolderStore(home, workers) for _ in range(8)]
    kept = await asyncio.gather(
        *(
            store.save(make_image(), provenance=Imported(source=str(index)), now=now)
            for index, store in enumerate(stores)
        )
    )

    assert len({stored.provenance for stored in kept}) == 1
    assert len(list_files(stores[0])) == 2


async def test_a_picture_whose_process_was_killed_before_its_json_can_be_kept_again(
    store: FolderStore, workers: ImageWorkers, home: Path, now: datetime
) -> None:
    """The file is there under its name, and nothing tells of it."""
    stored = await store.save(make_image(), provenance=MADE, now=now)
    get_file(stored).with_suffix(".json").unlink()
    assert await FolderStore(home, workers).save(make_image(), provenance=MADE, now=now) == stored
    assert await FolderStore(home).find(stored.handle) == stored


async def test_an_unknown_handle_says_how_to_get_one(store: FolderStore) -> None:
    """Models invent handles."""
    with pytest.raises(ImageRefused, match="img_aaaaaaaaaaaaaaaa") as refused:
        await store.find("img_aaaaaaaaaaaaaaaa")
    assert "import_image" in str(refused.value)
    assert "list_jobs" in str(refused.value)


@pytest.mark.parametrize("handle", ["img_../../signing.key", "../img_aaaaaaaaaaaaaaaa", "/etc/passwd"])
async def test_a_path_is_not_a_handle(store: FolderStore, now: datetime, handle: str) -> None:
    """The store looks for nothing outside its folder."""
    await store.save(make_image(), provenance=MADE, now=now)
    with pytest.raises(ImageRefused):
        await store.read(handle)


async def test_what_is_no_picture_leaves_nothing_behind(store: FolderStore, now: datetime) -> None:
    """Not even a folder."""
    with pytest.raises(ImageRefused, match="a text"):
        await store.save(b"not a picture", provenance=MADE, now=now)
    assert not store.folder.exists()


async def test_a_deleted_picture_is_not_found_any_more(store: FolderStore, now: datetime) -> None:
    """A user may tidy up while the server runs."""
    stored = await store.save(make_image(), provenance=MADE, now=now)
    get_file(stored).unlink()
    with pytest.raises(ImageRefused):
        await store.read(stored.handle)

    assert await store.save(make_image(), provenance=MADE, now=now) == stored
    assert await store.read(stored.handle) == make_image()


async def test_finding_a_picture_reads_one_json_however_many_there_are(
    store: FolderStore, home: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders grow to tens of thousands of pictures."""
    kept = [
        await store.save(make_image(width=16 + index), provenance=MADE, now=now - timedelta(days=index))
        for index in range(5)
    ]
    read_paths: list[Path] = []
    original = Path.read_bytes

    def count_reads(path: Path) -> bytes:
        data = original(path)
        read_paths.append(path)
        return data

    monkeypatch.setattr(Path, "read_bytes", count_reads)
    other = FolderStore(home)
    for _ in range(3):
        assert await other.find(kept[3].handle) == kept[3]
    assert read_paths == [get_file(kept[3]).with_suffix(".json")]


async def test_recent_pictures_come_newest_first(store: FolderStore, now: datetime) -> None:
    """By the time they were made, in pages."""
    kept: list[Any] = []
    for index, hours in enumerate([0, 30, 1, 29]):
        kept.append(await store.save(make_image(width=16 + index), provenance=MADE, now=now + timedelta(hours=hours)))

    assert await store.list_recent(10) == [kept[1], kept[3], kept[2], kept[0]]
    assert await store.list_recent(2, 1) == [kept[3], kept[2]]
    assert await store.list_recent(2, 4) == []


async def test_an_empty_folder_has_no_recent_pictures(store: FolderStore) -> None:
    """The first start."""
    assert await store.list_recent(5) == []


async def test_room_for_a_part_of_a_picture_is_no_room(store: FolderStore) -> None:
    """The disk then takes the part without an error."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert not await store.find_disk_trouble()
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        trouble = await store.find_disk_trouble()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert trouble
