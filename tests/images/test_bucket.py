"""A bucket that shares pictures, tried against an emulator of S3 on a real socket."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from atelier_mcp.server.errors import ConfigurationError, ProviderUnavailable
from atelier_mcp.server.images.bucket import Bucket
from atelier_mcp.server.images.bucket_access import BucketAccess
from atelier_mcp.server.images.handles import compute_handle

if TYPE_CHECKING:
    from collections.abc import Generator

DATA = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture(scope="module")
def service() -> Generator[str]:
    """An empty bucket called ``pictures``; gives the service's address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    request = urllib.request.Request(f"{address}/pictures", method="PUT")
    urllib.request.urlopen(request).close()
    yield address
    server.stop()


def build_access(service: str, url: str = "s3://pictures/lent") -> BucketAccess:
    """What the operator sets."""
    return BucketAccess(url=url, access_key_id="ak", secret_access_key="sk-of-the-bucket", endpoint=service)


async def test_a_picture_is_read_through_its_link_under_its_type(service: str) -> None:
    """By anybody who has the link, without the keys."""
    link = await Bucket(build_access(service)).upload(DATA, "image/png")
    with urllib.request.urlopen(link) as response:
        assert response.read() == DATA
        assert response.headers["content-type"] == "image/png"
    assert f"/lent/{compute_handle(DATA)}.png?" in link
    assert "sk-of-the-bucket" not in link


async def test_the_same_picture_lies_there_once(service: str) -> None:
    """Its place follows from its bytes."""
    bucket = Bucket(build_access(service))
    links = [await bucket.upload(DATA, "image/png") for _ in range(2)]
    assert len({link.partition("?")[0] for link in links}) == 1


async def test_a_bucket_that_is_not_there_names_the_settings(service: str) -> None:
    """In one sentence, without a key."""
    with pytest.raises(ProviderUnavailable) as caught:
        await Bucket(build_access(service, "s3://no-such-bucket")).upload(DATA, "image/png")
    assert "ATELIER_BUCKET_URL" in str(caught.value)
    assert "sk-of-the-bucket" not in str(caught.value)


@pytest.mark.parametrize("url", ["pictures", "https://pictures.example.org", "s3://"])
def test_an_address_that_is_no_buckets_is_refused(url: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigurationError, match="ATELIER_BUCKET_URL"):
        Bucket(BucketAccess(url=url))
