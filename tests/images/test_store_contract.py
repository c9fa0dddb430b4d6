"""What every store of pictures does, whether it is a folder, a bucket of moto's or one of a real S3 server."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.all_libraries import AllLibraries
from atelier_mcp.server.images.handles import compute_handle
from atelier_mcp.server.images.provenance import DrawnMask, Generated, Imported
from tests.images.samples import make_image
from tests.support.store_places import BucketPlace, FolderPlace

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.stored_image import StoredImage
    from atelier_mcp.server.images.workers import ImageWorkers
    from tests.support.buckets import BucketService
    from tests.support.store_places import StorePlace

MADE = Generated(
    job="job_1",
    capability="generate_image",
    provider="mhapi",
    request={"prompt": "a red kite \U0001fa81"},
    notes=("a note",),
    seed=7,
)


@pytest.fixture(params=["folder", "moto", "seaweed"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> StorePlace:
    """An empty place of each kind."""
    if request.param == "folder":
        return FolderPlace(tmp_path / "home")
    service: BucketService = request.getfixturevalue(request.param)
    return BucketPlace(service.build_access(f"{request.param}-{tmp_path.name}-{os.getpid()}"), tmp_path)


@pytest.fixture
def shared(place: StorePlace, workers: ImageWorkers) -> ImageStore:
    """A store with nothing in it."""
    return place.open(workers)


async def save_many(store: ImageStore, now: datetime, *, hours: list[int]) -> list[StoredImage]:
    """A different picture for each number of hours after ``now``, in this order."""
    return [
        await store.save(make_image(width=16 + index), provenance=MADE, now=now + timedelta(hours=number))
        for index, number in enumerate(hours)
    ]


async def test_a_picture_is_found_by_a_server_that_did_not_make_it(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """Nothing but the place is shared, and all that was written down comes back."""
    data = make_image("JPEG")
    stored = await shared.save(data, provenance=MADE, now=now)
    found = await place.open().find(stored.handle)
    assert found == stored
    assert (found.handle, found.media_type, found.created_at) == (compute_handle(data), "image/jpeg", now)
    assert found.provenance == MADE
    assert await place.open().read(stored.handle) == data


async def test_the_same_bytes_saved_twice_are_one_picture_with_its_first_story(
    place: StorePlace, shared: ImageStore, workers: ImageWorkers, now: datetime
) -> None:
    """Nothing is ever overwritten."""
    first = await shared.save(make_image(), provenance=MADE, now=now)
    names = await place.list_names()
    again = await place.open(workers).save(
        make_image(), provenance=Imported(source="another"), now=now + timedelta(days=1)
    )
    assert again == first
    assert await place.list_names() == names
    assert await shared.list_recent(5) == [first]


async def test_servers_that_save_the_same_bytes_at_once_agree_on_one_story(
    place: StorePlace, workers: ImageWorkers, now: datetime
) -> None:
    """Eight replicas may be given the same picture."""
    stores = [place.open(workers) for _ in range(8)]
    kept = await asyncio.gather(
        *(
            store.save(make_image(), provenance=Imported(source=str(index)), now=now + timedelta(seconds=index))
            for index, store in enumerate(stores)
        )
    )
    assert len({stored.provenance for stored in kept}) == 1
    assert await place.open().list_recent(20) == [kept[0]]


async def test_an_unknown_handle_says_how_to_get_one(shared: ImageStore) -> None:
    """Models invent handles."""
    with pytest.raises(ImageRefused, match="img_aaaaaaaaaaaaaaaa") as refused:
        await shared.find("img_aaaaaaaaaaaaaaaa")
    assert "import_image" in str(refused.value)


@pytest.mark.parametrize("handle", ["img_../../signing.key", "../img_aaaaaaaaaaaaaaaa", "/etc/passwd", ""])
async def test_a_path_is_not_a_handle(shared: ImageStore, now: datetime, handle: str) -> None:
    """The store looks for nothing outside of its place."""
    await shared.save(make_image(), provenance=MADE, now=now)
    with pytest.raises(ImageRefused):
        await shared.read(handle)


async def test_what_is_no_picture_leaves_nothing_behind(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """Not even a name."""
    with pytest.raises(ImageRefused, match="a text"):
        await shared.save(b"not a picture", provenance=MADE, now=now)
    assert await place.list_names() == []


async def test_a_picture_without_its_record_is_not_there_until_it_is_saved_again(
    place: StorePlace, shared: ImageStore, workers: ImageWorkers, now: datetime
) -> None:
    """Its server was killed between the two."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    await place.remove(f"{stored.handle}.json")
    with pytest.raises(ImageRefused):
        await place.open().find(stored.handle)
    assert await place.open().list_recent(5) == []

    assert await place.open(workers).save(make_image(), provenance=MADE, now=now) == stored
    assert await place.open().list_recent(5) == [stored]


async def test_a_picture_whose_bytes_were_taken_away_is_refused_until_it_is_saved_again(
    place: StorePlace, shared: ImageStore, workers: ImageWorkers, now: datetime
) -> None:
    """People tidy up while servers run."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    await place.remove(stored.name)
    with pytest.raises(ImageRefused):
        await place.open().read(stored.handle)

    assert await place.open(workers).save(make_image(), provenance=MADE, now=now) == stored
    assert await place.open().read(stored.handle) == make_image()


async def test_a_broken_record_hides_its_picture_and_no_other(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """Somebody has edited it."""
    first, second = await save_many(shared, now, hours=[0, 1])
    await place.write(f"{first.handle}.json", b'{"width": ')
    assert await place.open().list_recent(5) == [second]
    with pytest.raises(ImageRefused):
        await place.open().find(first.handle)


async def test_recent_pictures_come_newest_first_and_in_pages(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """By the time they were made."""
    kept = await save_many(shared, now, hours=[0, 30, 1, 29])
    store = place.open()
    assert await store.list_recent(10) == [kept[1], kept[3], kept[2], kept[0]]
    assert await store.list_recent(2, 1) == [kept[3], kept[2]]
    assert await store.list_recent(2, 4) == []


async def test_an_empty_place_has_no_pictures(place: StorePlace) -> None:
    """The first start."""
    assert await place.open().list_recent(5) == []
    assert await AllLibraries(place.open()).list_recent(5) == []
    assert (await place.open().create_scanner().scan()).added == []


async def test_what_one_server_deletes_no_other_one_finds(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """Also one that has shown it before; and nothing of it is left."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    other = place.open()
    assert await other.read(stored.handle)
    await shared.delete(stored)
    with pytest.raises(ImageRefused):
        await other.read(stored.handle)
    assert await other.list_recent(5) == []
    assert await place.list_names() == []


async def test_a_deleted_picture_can_be_saved_anew_with_another_story(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """What was remembered of the first one is not shown for the second."""
    other = place.open()
    first = await shared.save(make_image(), provenance=MADE, now=now)
    assert await other.list_recent(5) == [first]
    await shared.delete(first)
    second = await shared.save(make_image(), provenance=Imported(source="kite.png"), now=now + timedelta(hours=1))
    assert await other.list_recent(5) == [second]


async def test_a_picture_is_read_in_pieces_and_in_part(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """However large it is."""
    # More than a connection holds at once: what fits into that may come as one.
    data = make_image(width=4000, noise=True)
    stored = await shared.save(data, provenance=MADE, now=now)
    store = place.open()
    pieces = [piece async for piece in store.stream(stored)]
    assert b"".join(pieces) == data
    assert len(pieces) > 1
    assert b"".join([piece async for piece in store.stream(stored, start=10, end=40)]) == data[10:40]
    assert b"".join([piece async for piece in store.stream(stored, start=len(data) - 5)]) == data[-5:]


async def test_files_are_lent_for_as_long_as_they_are_needed(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """Decoders and uploads take files; the same picture may be lent twice."""
    first, second = await save_many(shared, now, hours=[0, 1])
    async with place.open().open_paths([first, second, first]) as paths:
        contents = [await asyncio.to_thread(path.read_bytes) for path in paths]
    assert contents == [await shared.read(image.handle) for image in (first, second, first)]
    assert paths[0].suffix == ".png"


async def test_an_exported_file_stays(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """An upload in the background begins after the call has answered."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    path = await place.open().export(stored)
    assert await asyncio.to_thread(path.read_bytes) == make_image()


async def test_the_newest_mask_of_a_picture_is_found(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """And none of another one."""
    image, other = await save_many(shared, now, hours=[0, 1])
    masks = [
        await shared.save(
            make_image(width=40 + hours), provenance=DrawnMask(image=of), now=now + timedelta(hours=hours)
        )
        for of, hours in ((image.handle, 2), (image.handle, 3), (other.handle, 4))
    ]
    assert await place.open().find_newest_mask(image) == masks[1]
    await shared.delete(masks[1])
    assert await place.open().find_newest_mask(image) == masks[0]
    assert await place.open().find_newest_mask(masks[0]) is None


async def test_principals_see_nothing_of_each_other(place: StorePlace, shared: ImageStore, now: datetime) -> None:
    """The same bytes are two pictures, each with the words of its owner."""
    mine, theirs = shared.for_owner("oauth:ann"), shared.for_owner("oauth:bob")
    own = await mine.save(make_image(), provenance=Imported(source="ann.png"), now=now)
    foreign = await theirs.save(make_image(), provenance=Imported(source="bob.png"), now=now)
    only_theirs = await theirs.save(make_image("JPEG"), provenance=MADE, now=now)
    store = place.open().for_owner("oauth:ann")
    assert await store.list_recent(5) == [own]
    assert (await store.find(foreign.handle)).provenance == Imported(source="ann.png")
    for owner in ("oauth:ann", "local"):
        with pytest.raises(ImageRefused):
            await place.open().for_owner(owner).find(only_theirs.handle)
    await theirs.delete(foreign)
    assert await store.read(own.handle) == make_image()


async def test_an_admin_sees_the_pictures_of_all_its_own_first(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """What it makes goes into its own library."""
    foreign = await shared.for_owner("oauth:bob").save(
        make_image("JPEG"), provenance=MADE, now=now + timedelta(hours=1)
    )
    admin = AllLibraries(shared.for_owner("oauth:ann"))
    own = await admin.save(make_image(), provenance=MADE, now=now)
    mask = await shared.for_owner("oauth:bob").save(
        make_image(width=50), provenance=DrawnMask(image=own.handle), now=now + timedelta(hours=2)
    )
    fresh = AllLibraries(place.open().for_owner("oauth:ann"))
    assert await fresh.list_recent(5) == [mask, foreign, own]
    assert await fresh.read(foreign.handle) == make_image("JPEG")
    assert await fresh.find_newest_mask(own) == mask
    assert {image.handle for image in (await fresh.create_scanner().scan()).added} == {
        image.handle for image in (own, foreign, mask)
    }
    await fresh.delete(foreign)
    assert await fresh.list_recent(5) == [mask, own]


async def test_a_scanner_sees_what_other_servers_add_and_take_away(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """Each change once, and nothing when there is none."""
    first, second = await save_many(shared, now, hours=[0, 24])
    scanner = place.open().create_scanner()
    assert sorted((await scanner.scan()).added, key=lambda image: image.created_at) == [first, second]
    assert await scan_until_something_changes(scanner, tries=1) == ([], [])

    third = (await save_many(shared, now, hours=[0, 24, 26]))[2]
    assert await scan_until_something_changes(scanner) == ([third.handle], [])
    await shared.delete(second)
    assert await scan_until_something_changes(scanner) == ([], [second.handle])


async def scan_until_something_changes(scanner: Any, *, tries: int = 50) -> tuple[list[str], list[str]]:
    """The handles that are new and those that are gone: a file system's times may stand still for a moment."""
    changes = await scanner.scan()
    for _ in range(tries - 1):
        if changes.added or changes.gone:
            break
        changes = await scanner.scan()
    return [image.handle for image in changes.added], [handle for _, handle in changes.gone]


async def test_everything_that_lies_there_is_found_and_deleted_for_good(
    place: StorePlace, shared: ImageStore, now: datetime
) -> None:
    """What prune goes by: size, age, and also the half of a picture."""
    old, half = await save_many(shared, now, hours=[0, 1])
    mask = await shared.save(make_image(width=60), provenance=DrawnMask(image=old.handle), now=now)
    await place.remove(f"{half.handle}.json")
    files = {found.handle: found for found in await asyncio.to_thread(lambda: list(shared.iterate_files()))}
    assert set(files) == {old.handle, half.handle, mask.handle}
    assert files[old.handle].created_s == pytest.approx(now.timestamp(), abs=1)
    assert files[old.handle].size_bytes > old.size_bytes
    assert files[half.handle].size_bytes == half.size_bytes
    assert files[half.handle].created_s <= time.time() + 1
    for found in files.values():
        await asyncio.to_thread(shared.delete_files, found)
    assert await place.list_names() == []


async def test_deleting_what_is_gone_already_is_no_error(shared: ImageStore, now: datetime) -> None:
    """Two replicas prune at once."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    (files,) = await asyncio.to_thread(lambda: list(shared.iterate_files()))
    for _ in range(2):
        await asyncio.to_thread(shared.delete_files, files)
        await shared.delete(stored)
    await shared.check()


async def test_nothing_is_read_of_a_store_that_only_some_of_a_picture_reached(
    place: StorePlace, shared: ImageStore, workers: ImageWorkers, now: datetime
) -> None:
    """A picture that is not listed yet is, once it is saved again."""
    stored = await shared.save(make_image(), provenance=MADE, now=now)
    for name in await place.list_names():
        if name not in (stored.name, f"{stored.handle}.json"):
            await place.remove(name)
    again = await place.open(workers).save(make_image(), provenance=MADE, now=now + timedelta(hours=1))
    assert again == stored
    assert await place.open().list_recent(5) == [replace(stored)]
