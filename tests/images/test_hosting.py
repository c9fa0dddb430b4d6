"""Signed links to stored pictures, and the servers behind them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from starlette.applications import Starlette

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.images.hosting import (
    ImageHost,
    LinkSigner,
    create_image_routes,
    load_signing_key,
    load_signing_keys,
)
from atelier_mcp.server.images.provenance import Unrecorded
from tests.images.samples import make_image
from tests.support.clock import AutoAdvanceClock
from tests.support.store_places import get_file

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime
    from pathlib import Path

    from atelier_mcp.server.images.folder_store import FolderStore
    from atelier_mcp.server.images.stored_image import StoredImage


@pytest.fixture
def clock(now: datetime) -> AutoAdvanceClock:
    """A clock that stands still."""
    return AutoAdvanceClock(now)


@pytest.fixture
def signer(clock: AutoAdvanceClock) -> LinkSigner:
    """A signer with a key of its own."""
    return LinkSigner(b"k" * 32, clock)


@pytest.fixture
async def stored(store: FolderStore, now: datetime) -> StoredImage:
    """A picture in the store."""
    return await store.save(make_image("JPEG"), provenance=Unrecorded(), now=now)


@pytest.fixture
async def reader(store: FolderStore, signer: LinkSigner) -> AsyncGenerator[httpx2.AsyncClient]:
    """A client of the picture routes."""
    transport = httpx2.ASGITransport(Starlette(routes=[*create_image_routes(store, signer)]))
    async with httpx2.AsyncClient(transport=transport) as client:
        yield client


async def test_a_signed_link_shows_the_picture(
    reader: httpx2.AsyncClient, signer: LinkSigner, stored: StoredImage
) -> None:
    """With its own type, whatever the client asks for."""
    response = await reader.get(signer.sign(stored.handle, "https://pictures.example/", 60))
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.content == make_image("JPEG")


async def test_a_link_expires(
    reader: httpx2.AsyncClient, signer: LinkSigner, stored: StoredImage, clock: AutoAdvanceClock
) -> None:
    """To the second."""
    link = signer.sign(stored.handle, "https://pictures.example", 60)
    clock.time += timedelta(seconds=59)
    assert (await reader.get(link)).status_code == 200
    clock.time += timedelta(seconds=1)
    assert (await reader.get(link)).status_code == 403


async def test_a_changed_link_is_refused(
    reader: httpx2.AsyncClient, signer: LinkSigner, stored: StoredImage, clock: AutoAdvanceClock
) -> None:
    """Another picture, a later end, another key, no signature at all."""
    link = signer.sign(stored.handle, "https://pictures.example", 60)
    expires = parse_qs(urlsplit(link).query)["expires"][0]
    forged = [
        link.replace(stored.handle, "img_aaaaaaaaaaaaaaaa"),
        link.replace(expires, str(int(expires) + 1)),
        link.replace(expires, "never"),
        link.replace(expires, "9" * 5000),
        link[:-1] + ("A" if link[-1] != "A" else "B"),
        link.partition("?")[0],
        link + "\u00e9",
        LinkSigner(b"x" * 32, clock).sign(stored.handle, "https://pictures.example", 60),
    ]
    assert [(await reader.get(link)).status_code for link in forged] == [403] * len(forged)


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fsigning.key", "..", "%2Fetc%2Fpasswd", "img_aaaaaaaaaaaaaaaa%2F..%2F..%2Fsigning.key"]
)
async def test_nothing_but_pictures_can_be_named(
    reader: httpx2.AsyncClient, signer: LinkSigner, stored: StoredImage, name: str
) -> None:
    """Not even with a signature for it."""
    query = signer.sign(name, "", 60).partition("?")[2]
    assert (await reader.get(f"https://pictures.example/images/{name}?{query}")).status_code in (403, 404)


async def test_a_lost_picture_is_not_found(reader: httpx2.AsyncClient, signer: LinkSigner, stored: StoredImage) -> None:
    """The link was good; the file is gone."""
    get_file(stored).unlink()
    assert (await reader.get(signer.sign(stored.handle, "https://pictures.example", 60))).status_code == 404


async def test_the_key_is_made_once_and_is_private(home: Path) -> None:
    """Also when several processes start at once."""
    keys = await asyncio.gather(*(asyncio.to_thread(load_signing_key, home) for _ in range(8)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    assert (home / "signing.key").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["signing.key", "signing.key.lock"]


async def test_links_outlive_a_restart(home: Path, clock: AutoAdvanceClock) -> None:
    """The key is kept in the data folder."""
    link = LinkSigner(load_signing_key(home), clock).sign("img_aaaaaaaaaaaaaaaa", "https://pictures.example", 60)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    again = LinkSigner(load_signing_key(home), clock)
    assert again.is_valid("img_aaaaaaaaaaaaaaaa", query["expires"], query["signature"])


async def test_links_of_one_server_open_at_another_with_the_same_secrets(
    tmp_path: Path, clock: AutoAdvanceClock
) -> None:
    """Also while a new secret is brought in: it signs nothing that others could not open yet."""
    old, new = "an-old-secret-of-32-characters-0", "a-new-secret-of-32-characters-01"
    before = load_signing_keys(tmp_path / "a", old)
    link = LinkSigner(before[0], clock).sign("img_aaaaaaaaaaaaaaaa", "https://pictures.example", 60)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}

    def opens(keys: str) -> bool:
        key, *older = load_signing_keys(tmp_path / "b", keys)
        signer = LinkSigner(key, clock, older_keys=older)
        return signer.is_valid("img_aaaaaaaaaaaaaaaa", query["expires"], query["signature"])

    assert [opens(keys) for keys in (old, f"{new}, {old}", f"{old},{new}", new, "")] == [True, True, True, False, False]


@pytest.mark.parametrize("weak", ["short", "a" * 40, "an-old-secret-of-32-characters-0, short"])
def test_a_secret_that_could_be_guessed_is_refused_and_not_repeated(tmp_path: Path, weak: str) -> None:
    with pytest.raises(ConfigurationError, match="ATELIER_SIGNING_KEYS") as refusal:
        load_signing_keys(tmp_path, weak)
    assert "short" not in str(refusal.value)
    assert "aaaa" not in str(refusal.value)


def test_a_damaged_key_stops_the_server(home: Path) -> None:
    """An empty one would sign anything for anyone."""
    home.mkdir()
    (home / "signing.key").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"signing\.key"):
        load_signing_key(home)


async def test_an_upstream_on_this_machine_reads_over_loopback(
    store: FolderStore, signer: LinkSigner, stored: StoredImage
) -> None:
    """From a server that starts with the first link, serves all of them and ends with its context."""
    async with httpx2.AsyncClient() as upstream:
        async with ImageHost(store, signer, public_url="https://pictures.example") as host:
            links = await asyncio.gather(*(host.create_link(stored.handle, local=True) for _ in range(4)))
            assert len(set(links)) == 1
            assert links[0].startswith("http://127.0.0.1:")
            assert (await upstream.get(links[0])).content == make_image("JPEG")
        with pytest.raises(httpx2.ConnectError):
            await upstream.get(links[0])


async def test_another_upstream_gets_a_link_below_the_public_address(
    store: FolderStore, signer: LinkSigner, stored: StoredImage, reader: httpx2.AsyncClient
) -> None:
    """Where this server can be reached from outside."""
    async with ImageHost(store, signer, public_url="https://pictures.example/atelier/") as host:
        link = await host.create_link(stored.handle, local=False)
    assert link.startswith(f"https://pictures.example/atelier/images/{stored.handle}?")
    assert (await reader.get(link.replace("/atelier/", "/"))).status_code == 200


async def test_without_a_public_address_the_choices_are_named(
    store: FolderStore, signer: LinkSigner, stored: StoredImage
) -> None:
    """The operator can mend it, and the caller can work around it."""
    async with ImageHost(store, signer) as host:
        with pytest.raises(ConfigurationError) as refused:
            await host.create_link(stored.handle, local=False)
    for choice in ("public https link", "ATELIER_PUBLIC_URL", "bucket"):
        assert choice in str(refused.value)


async def test_an_error_passes_through_the_host_as_it_is(store: FolderStore, signer: LinkSigner) -> None:
    """Whoever catches it looks at its class."""

    async def request_impossible_link() -> None:
        async with ImageHost(store, signer) as host:
            await host.create_link("img_aaaaaaaaaaaaaaaa", local=True)
            await host.create_link("img_aaaaaaaaaaaaaaaa", local=False)

    with pytest.raises(ConfigurationError):
        await request_impossible_link()


class FakeUploader:
    """Takes pictures in and numbers their links."""

    def __init__(self) -> None:
        self.uploads: list[tuple[bytes, str]] = []

    async def upload(self, data: bytes, media_type: str) -> str:
        """The next link."""
        self.uploads.append((data, media_type))
        return f"https://shelf.example/{len(self.uploads)}"


async def test_a_server_that_cannot_be_reached_has_its_pictures_uploaded(
    store: FolderStore, signer: LinkSigner, stored: StoredImage, clock: AutoAdvanceClock
) -> None:
    """Once in half an hour for each picture."""
    uploader = FakeUploader()
    async with ImageHost(store, signer, uploader=uploader) as host:
        assert [await host.create_link(stored.handle, local=False) for _ in range(2)] == ["https://shelf.example/1"] * 2
        assert uploader.uploads == [(make_image("JPEG"), "image/jpeg")]
        clock.time += timedelta(minutes=30)
        assert await host.create_link(stored.handle, local=False) == "https://shelf.example/2"


async def test_nothing_is_uploaded_where_a_link_of_ours_will_do(
    store: FolderStore, signer: LinkSigner, stored: StoredImage
) -> None:
    """On this machine, and under a public address."""
    uploader = FakeUploader()
    async with ImageHost(store, signer, public_url="https://pictures.example", uploader=uploader) as host:
        assert (await host.create_link(stored.handle, local=True)).startswith("http://127.0.0.1:")
        assert (await host.create_link(stored.handle, local=False)).startswith("https://pictures.example/")
    assert uploader.uploads == []
