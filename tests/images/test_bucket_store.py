"""What only a bucket does: links of its own, a cache, refusals of the service in words."""

from __future__ import annotations

import asyncio
import gzip
import urllib.request
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from starlette.applications import Starlette

from atelier_mcp.server.errors import ConfigurationError, OperatorError, StorageUnavailable
from atelier_mcp.server.images.bucket_client import BucketClient
from atelier_mcp.server.images.bucket_store import BucketStore
from atelier_mcp.server.images.handles import compute_handle
from atelier_mcp.server.images.hosting import ImageHost, LinkSigner, create_image_routes
from atelier_mcp.server.images.image_cache import ImageCache
from atelier_mcp.server.images.provenance import Unrecorded
from atelier_mcp.server.images.stored_image import StoredImage
from tests.images.samples import make_image
from tests.support.buckets import READER_ID, READER_SECRET, SECRET
from tests.support.clock import AutoAdvanceClock
from tests.support.faulty_bucket import open_faulty_bucket
from tests.support.store_places import BucketPlace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.workers import ImageWorkers
    from tests.support.buckets import BucketService

AT_ONCE = 8
MADE = Unrecorded({"prompt": "a red kite"})


def open_store(service: BucketService, folder: Path, **changes: Any) -> BucketStore:
    """A store that only reads, with a cache of its own."""
    access = replace(service.build_access(), **changes)
    return BucketStore(BucketClient(access), ImageCache(folder / "cache", max_bytes=10_000_000))


@pytest.fixture
def place(moto: BucketService, tmp_path: Path) -> BucketPlace:
    """An empty folder of a bucket that is seen from outside."""
    return BucketPlace(moto.build_access(is_public=True), tmp_path)


@pytest.fixture
async def stored(place: BucketPlace, workers: ImageWorkers, now: datetime) -> StoredImage:
    """A picture in the bucket."""
    return await place.open(workers).save(make_image("JPEG"), provenance=MADE, now=now)


async def test_its_own_link_shows_the_picture_under_its_type(place: BucketPlace, stored: StoredImage) -> None:
    """To anybody who has it, for as long as it says, without the secret."""
    link = place.open().create_link(stored, 300)
    assert link is not None
    with await asyncio.to_thread(urllib.request.urlopen, link) as response:
        assert response.read() == make_image("JPEG")
        assert response.headers["content-type"] == "image/jpeg"
    assert "X-Amz-Expires=300" in link
    assert SECRET not in link


async def test_a_link_leads_to_where_the_bucket_is_seen_from_outside(
    moto: BucketService, stored: StoredImage, tmp_path: Path
) -> None:
    """Its service may have another name inside; Amazon's has one; without keys there is nothing to sign with."""
    links = {
        name: open_store(moto, tmp_path, **changes).create_link(stored, 60)
        for name, changes in {
            "inside": {},
            "outside": {"public_endpoint": "https://pictures.example"},
            "amazon": {"endpoint": ""},
            "without keys": {"public_endpoint": "https://pictures.example", "secret_access_key": ""},
        }.items()
    }
    assert links["inside"] is None
    assert links["without keys"] is None
    assert str(links["outside"]).startswith("https://pictures.example/pictures/")
    assert "amazonaws.com/" in str(links["amazon"])


async def test_a_picture_is_fetched_from_the_bucket_once(
    moto: BucketService, place: BucketPlace, stored: StoredImage, tmp_path: Path
) -> None:
    """And the bucket is asked each time whether it is still there."""
    async with open_faulty_bucket(moto) as door:
        access = replace(place.access, endpoint=door.service.endpoint)
        store = BucketStore(BucketClient(access), ImageCache(tmp_path / "cache", max_bytes=10_000_000))
        for _ in range(3):
            assert await store.read(stored.handle) == make_image("JPEG")
        assert door.requests == {"GET": 4, "record": 3}


async def test_a_scanner_reads_each_record_once(
    moto: BucketService, place: BucketPlace, workers: ImageWorkers, now: datetime, tmp_path: Path
) -> None:
    """However often a gallery of thousands asks what is new."""
    for number in range(6):
        await place.open(workers).save(make_image(width=20 + number), provenance=MADE, now=now)
    async with open_faulty_bucket(moto) as door:
        access = replace(place.access, endpoint=door.service.endpoint)
        scanner = BucketStore(BucketClient(access), ImageCache(tmp_path, max_bytes=1000)).create_scanner()
        assert len((await scanner.scan()).added) == 6
        for _ in range(40):
            changes = await scanner.scan()
            assert (list(changes.added), list(changes.gone)) == ([], [])
        assert door.requests == {"GET": 6 + 41, "record": 6}


async def test_a_server_that_has_just_started_reads_a_large_library_in_a_few_requests(
    moto: BucketService, place: BucketPlace, now: datetime, tmp_path: Path
) -> None:
    """From a copy that an earlier one left; of which nothing is left once a picture is deleted."""
    writer = place.open()
    images = [build_image(number, now) for number in range(260)]
    await put_all(writer, images)
    async with open_faulty_bucket(moto) as door:
        access = replace(place.access, endpoint=door.service.endpoint)

        def start() -> BucketStore:
            door.requests.clear()
            return BucketStore(BucketClient(access), ImageCache(tmp_path, max_bytes=1000))

        assert len((await start().create_scanner().scan()).added) == 260
        assert door.requests["record"] == 260
        newest = build_image(999, now + timedelta(hours=1))
        await writer.put(b"x", newest)
        found = (await start().create_scanner().scan()).added
        assert sorted(image.handle for image in found) == sorted(image.handle for image in [*images, newest])
        assert images[7] in found
        assert door.requests == {"GET": 3, "record": 1}

        await writer.delete(images[3])
        assert "records.json.gz" not in await place.list_names()
        assert len((await start().create_scanner().scan()).added) == 260
        await asyncio.to_thread(writer.delete_files, next(iter(writer.iterate_files())))
        assert "records.json.gz" not in await place.list_names()


async def test_a_copy_of_records_that_cannot_be_read_is_passed_over(place: BucketPlace, now: datetime) -> None:
    """Somebody has edited it."""
    writer = place.open()
    await put_all(writer, [build_image(number, now) for number in range(220)])
    await place.open().create_scanner().scan()
    for broken in (b"not gzip", gzip.compress(b"[1]"), gzip.compress(b'{"img_a": 7}')):
        await place.write("records.json.gz", broken)
        assert len((await place.open().create_scanner().scan()).added) == 220


async def put_all(store: BucketStore, images: Sequence[StoredImage]) -> None:
    """Store them, few enough at once for a bucket that is a thread of the tests."""
    for start in range(0, len(images), AT_ONCE):
        await asyncio.gather(*(store.put(b"x", image) for image in images[start : start + AT_ONCE]))


def build_image(number: int, now: datetime) -> StoredImage:
    """One of many, whose bytes nobody looks at."""
    handle = compute_handle(str(number).encode())
    return StoredImage(handle, "image/png", 40, 30, 1, now + timedelta(seconds=number), MADE)


async def test_signed_links_of_ours_lead_to_the_bucket_or_are_answered_from_it(
    place: BucketPlace, stored: StoredImage, now: datetime
) -> None:
    """A reader is sent on for minutes; a service on this machine is not."""
    signer = LinkSigner(b"k" * 32, AutoAdvanceClock(now))
    for redirects in (True, False):
        routes = create_image_routes(place.open(), signer, redirects=redirects)
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=[*routes]))) as reader:
            for path in ("/images/", "/pictures/"):
                link = signer.sign(stored.handle, "https://pictures.example", 60).replace("/images/", path)
                response = await reader.get(link)
                assert response.headers["x-content-type-options"] == "nosniff"
                assert "sandbox" in response.headers["content-security-policy"]
                assert response.status_code == (307 if redirects else 200)
                if redirects:
                    assert response.headers["location"].startswith(place.access.endpoint)
                    assert "X-Amz-Expires=300" in response.headers["location"]
                    assert response.headers["cache-control"] == "no-store"
                else:
                    assert (response.content, response.headers["content-type"]) == (make_image("JPEG"), "image/jpeg")
                    part = await reader.get(link, headers={"range": "bytes=2-5"})
                    assert (part.status_code, part.content) == (206, make_image("JPEG")[2:6])


async def test_a_link_to_a_picture_that_cannot_be_read_now_says_so(
    moto: BucketService, stored: StoredImage, now: datetime, place: BucketPlace, tmp_path: Path
) -> None:
    """503, and not that it is gone."""
    signer = LinkSigner(b"k" * 32, AutoAdvanceClock(now))
    async with open_faulty_bucket(moto) as door:
        access = replace(place.access, endpoint=door.service.endpoint)
        store = BucketStore(BucketClient(access), ImageCache(tmp_path, max_bytes=1000))
        transport = httpx2.ASGITransport(Starlette(routes=[*create_image_routes(store, signer)]))
        async with httpx2.AsyncClient(transport=transport) as reader:
            link = signer.sign(stored.handle, "https://pictures.example", 60)
            door.status = 400
            door.decide = lambda _method, path: "pass" if path.endswith(".json") else "refuse"
            assert (await reader.get(link)).status_code == 503
            door.decide = lambda _method, _path: "refuse"
            assert (await reader.get(link)).status_code == 503
            door.decide = lambda _method, _path: "pass"
            assert (await reader.get(link)).status_code == 200


async def test_a_service_elsewhere_gets_the_buckets_own_link(
    place: BucketPlace, stored: StoredImage, now: datetime
) -> None:
    """For hours, and before any other way; one on this machine reads over loopback."""
    signer = LinkSigner(b"k" * 32, AutoAdvanceClock(now))
    async with ImageHost(place.open(), signer, public_url="https://pictures.example") as host:
        link = await host.create_link(stored.handle, local=False)
        assert link.startswith(f"{place.access.endpoint}/")
        assert "X-Amz-Expires=21600" in link
        assert (await host.create_link(stored.handle, local=True)).startswith("http://127.0.0.1:")


async def test_refusals_say_in_a_sentence_what_to_mend(
    moto: BucketService, seaweed: BucketService, tmp_path: Path
) -> None:
    """Without a key, an address or a word of the service's."""
    reader = {"access_key_id": READER_ID, "secret_access_key": READER_SECRET}
    problems = [
        (open_store(moto, tmp_path, url="s3://no-such-bucket/x"), "There is no bucket no-such-bucket"),
        (open_store(seaweed, tmp_path, secret_access_key="wrong"), "are not accepted"),
        (open_store(seaweed, tmp_path, access_key_id="nobody"), "are not accepted"),
        (open_store(seaweed, tmp_path, **reader), "lack a right"),
        (open_store(moto, tmp_path, endpoint="http://127.0.0.1:9"), "does not answer"),
        (open_store(moto, tmp_path, endpoint="http://no-such-host.invalid"), "does not answer"),
    ]
    for store, words in problems:
        with pytest.raises(OperatorError, match=words) as caught:
            await store.check()
        assert isinstance(caught.value, StorageUnavailable if "answer" in words else ConfigurationError)
        text = str(caught.value)
        assert "ATELIER_STORE_URL" in text
        assert len(text.splitlines()) <= 3
        for secret in (SECRET, READER_SECRET, "wrong", "http://", "<"):
            assert secret not in text
        assert caught.value.__cause__ is None
    await open_store(seaweed, tmp_path).check()


async def test_a_clock_that_is_far_off_is_told_as_that(moto: BucketService, tmp_path: Path) -> None:
    """Else one would look for the fault in the keys."""
    async with open_faulty_bucket(moto) as door:
        door.status, door.code = 403, "RequestTimeTooSkewed"
        door.decide = lambda _method, _path: "refuse"
        with pytest.raises(ConfigurationError, match="clock of this machine"):
            await open_store(door.service, tmp_path).check()


async def test_a_save_whose_answer_was_lost_is_completed_by_the_next_one(
    moto: BucketService, place: BucketPlace, workers: ImageWorkers, now: datetime, tmp_path: Path
) -> None:
    """At whichever of its writes that was: nothing is there twice, and the first date stays."""
    async with open_faulty_bucket(moto) as door:
        access = replace(place.access, endpoint=door.service.endpoint)
        store = BucketStore(BucketClient(access), ImageCache(tmp_path, max_bytes=10_000_000), workers)
        for width, suffix in ((31, ".png"), (32, ".json"), (33, "newest")):
            door.decide = lambda method, path, suffix=suffix: "lose" if method == "PUT" and suffix in path else "pass"
            with pytest.raises(StorageUnavailable):
                await store.save(make_image(width=width), provenance=MADE, now=now)
            door.decide = lambda _method, _path: "pass"
            stored = await store.save(make_image(width=width), provenance=MADE, now=now + timedelta(hours=1))
            assert stored.created_at == (now + timedelta(hours=1) if suffix == ".png" else now)
            assert [image for image in await place.open().list_recent(9) if image.width == width] == [stored]


def test_its_keys_are_in_no_repr(moto: BucketService) -> None:
    """Representations end up in logs."""
    assert SECRET not in repr(moto.build_access())
