"""Where links may lead, how much they may bring, and what is said when they fail."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused, ProviderUnavailable
from atelier_mcp.server.images.download import Downloader
from tests.images.samples import make_image
from tests.images.sites import FakeInternet, build_redirect, build_response, open_site, stream_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.images.sites import Site

PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
BUSY = "503 Service Unavailable"


class FakeNameServer:
    """A name server: each name has a queue of answers, of which the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): queue for name, queue in answers.items()}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The next answer for a name; an address stands for itself."""
        if host not in self.answers:
            return [host]
        queue = self.answers[host]
        return queue.pop(0) if len(queue) > 1 else queue[0]


def create_downloader(internet: FakeInternet, **names: list[list[str]]) -> Downloader:
    """A downloader for which the sites of ``internet`` have public addresses."""
    return Downloader(resolver=FakeNameServer(**names).resolve, network=internet, retry_delays_s=(0, 0))


async def test_a_picture_is_fetched_from_a_public_address(site: Site) -> None:
    """Under its own name, at the address that was looked up."""
    site.serve("/kite.png?signature=secret", build_response(make_image()))
    internet = FakeInternet({PUBLIC: site})
    async with create_downloader(internet, pictures_example=[[PUBLIC]]) as downloader:
        assert await downloader.fetch("http://pictures.example/kite.png?signature=secret") == make_image()

    assert internet.connected == [PUBLIC]
    assert site.requests == ["/kite.png?signature=secret"]
    assert site.host_headers == ["pictures.example"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "127.1", "2130706433", "0.0.0.0", "[::]",
        "169.254.169.254", "10.0.0.8", "172.16.3.4", "192.168.1.1", "100.64.0.1", "224.0.0.1", "240.0.0.1",
        "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::127.0.0.1]",
        "[fe80::1]", "[fc00::1]", "[fec0::1]", "[ff02::1]",
    ],
)  # fmt: skip
async def test_a_link_into_this_machine_or_its_network_is_refused(
    site: Site, downloader: Downloader, host: str
) -> None:
    """However its address is written."""
    port = site.host.rpartition(":")[2]
    with pytest.raises(ImageRefused, match="private or local network"):
        await downloader.fetch(f"http://{host}:{port}/kite.png")
    assert site.requests == []


async def test_a_server_on_ipv6_loopback_is_not_reached(downloader: Downloader) -> None:
    """With something really listening there."""
    try:
        opening = open_site("::1")
        async with opening as site:
            with pytest.raises(ImageRefused, match="private or local network"):
                await downloader.fetch(site.serve("/kite.png", build_response(make_image())))
            assert site.requests == []
    except OSError:
        pytest.skip("this machine has no IPv6")


async def test_a_name_with_a_private_address_is_refused(site: Site) -> None:
    """A public name may point anywhere."""
    internet = FakeInternet({PUBLIC: site})
    async with create_downloader(internet, inside_example=[["10.0.0.8", "::1"]]) as downloader:
        with pytest.raises(ImageRefused, match=r"inside\.example"):
            await downloader.fetch("http://inside.example/kite.png")
    assert internet.connected == []


async def test_only_the_public_addresses_of_a_name_are_tried(site: Site) -> None:
    """The private one is passed over, an unreachable one is followed by the next."""
    site.serve("/kite.png", build_response(make_image()))
    internet = FakeInternet({PUBLIC: site})
    names = [["10.0.0.8", OTHER_PUBLIC, PUBLIC]]
    async with create_downloader(internet, mixed_example=names) as downloader:
        assert await downloader.fetch("http://mixed.example/kite.png") == make_image()
    assert internet.connected == [OTHER_PUBLIC, PUBLIC]


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(site: Site) -> None:
    """It is looked up once, and the address that was checked is the one connected to."""
    site.serve("/kite.png", build_response(make_image()))
    internet = FakeInternet({PUBLIC: site})
    async with create_downloader(internet, rebound_example=[[PUBLIC], ["127.0.0.1"]]) as downloader:
        await downloader.fetch("http://rebound.example/kite.png")
        with pytest.raises(ImageRefused):
            await downloader.fetch("http://rebound.example/kite.png")
    assert internet.connected == [PUBLIC]


async def test_redirects_are_followed(site: Site) -> None:
    """Relative ones too."""
    site.serve("/short", build_redirect("/kite.png"))
    site.serve("/kite.png", build_response(make_image()))
    async with create_downloader(FakeInternet({PUBLIC: site}), pictures_example=[[PUBLIC]]) as downloader:
        assert await downloader.fetch("http://pictures.example/short") == make_image()
    assert site.requests == ["/short", "/kite.png"]


async def test_a_redirect_into_a_private_network_is_refused(site: Site, downloader: Downloader) -> None:
    """Every hop is checked, and an allowance holds for its own host and port only."""
    async with open_site() as inside:
        link = site.serve("/short", build_redirect(inside.serve("/kite.png", build_response(make_image()))))
        with pytest.raises(ImageRefused, match="private or local network"):
            await downloader.fetch(link, allow_hosts=frozenset({site.host}))
        assert inside.requests == []
    assert site.requests == ["/short"]


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://pictures.example/kite.png", "data:image/png;base64,AA"])
async def test_a_redirect_away_from_http_is_refused(site: Site, downloader: Downloader, place: str) -> None:
    """The first hop decides nothing."""
    link = site.serve("/short", build_redirect(place))
    with pytest.raises(ImageRefused, match="not an http or https link"):
        await downloader.fetch(link, allow_hosts=frozenset({site.host}))


async def test_redirects_in_a_circle_end(site: Site, downloader: Downloader) -> None:
    """After five."""
    link = site.serve("/round", build_redirect("/round"))
    with pytest.raises(ImageRefused, match="more than 5 times"):
        await downloader.fetch(link, allow_hosts=frozenset({site.host}))
    assert len(site.requests) == 6


async def test_an_allowed_host_stays_refused_to_everyone_else(site: Site, downloader: Downloader) -> None:
    """Also while a connection to it is kept."""
    kept = f"HTTP/1.1 200 OK\r\ncontent-length: {len(make_image())}\r\n\r\n".encode()
    link = site.serve("/kite.png", [kept, make_image()])
    assert await downloader.fetch(link, allow_hosts=frozenset({site.host})) == make_image()
    with pytest.raises(ImageRefused, match="private or local network"):
        await downloader.fetch(link)


@pytest.mark.parametrize("link", ["", "kite.png", "ftp://pictures.example/k.png", "http://", "http://a:b:c/", "//a/b"])
async def test_what_is_no_http_link_is_refused(downloader: Downloader, link: str) -> None:
    """In words, before any connection."""
    with pytest.raises(ImageRefused, match="link"):
        await downloader.fetch(link)


async def test_a_body_of_a_hundred_megabytes_is_not_read_to_its_end(site: Site, downloader: Downloader) -> None:
    """The cap holds while streaming, whatever the length is said to be."""
    link = site.serve("/endless.png", stream_response(chunk_count=1600))
    with pytest.raises(ImageRefused, match="more than 1 MB"):
        await downloader.fetch(link, max_bytes=1_000_000, allow_hosts=frozenset({site.host}))
    assert site.sent_bytes < 30_000_000


async def test_a_length_above_the_cap_is_refused_unread(site: Site, downloader: Downloader) -> None:
    """There is no need to try."""
    link = site.serve("/large.png", build_response(b"", length=100_000_000))
    with pytest.raises(ImageRefused, match="more than 50 MB"):
        await downloader.fetch(link, allow_hosts=frozenset({site.host}))


async def test_a_body_shorter_than_its_length_is_asked_for_again(site: Site, downloader: Downloader) -> None:
    """A cut connection is no picture."""
    link = site.serve(
        "/kite.png", build_response(make_image()[:50], length=len(make_image())), build_response(make_image())
    )
    assert await downloader.fetch(link, allow_hosts=frozenset({site.host})) == make_image()
    assert len(site.requests) == 2


async def test_a_failing_server_is_asked_three_times(site: Site, downloader: Downloader) -> None:
    """The third answer may be the picture."""
    link = site.serve(
        "/kite.png", build_response(b"", status=BUSY), build_response(b"", status=BUSY), build_response(make_image())
    )
    assert await downloader.fetch(link, allow_hosts=frozenset({site.host})) == make_image()

    down = site.serve("/down.png", build_response(b"", status=BUSY))
    with pytest.raises(ProviderUnavailable, match="503"):
        await downloader.fetch(down, allow_hosts=frozenset({site.host}))
    assert site.requests.count("/down.png") == 3


async def test_a_missing_picture_is_asked_for_once(site: Site, downloader: Downloader) -> None:
    """Time will not mend it."""
    with pytest.raises(ImageRefused, match=r"404 \(Not Found\)"):
        await downloader.fetch(f"http://{site.host}/gone.png", allow_hosts=frozenset({site.host}))
    assert len(site.requests) == 1


async def test_a_closed_port_is_unavailable(downloader: Downloader) -> None:
    """Nothing of the socket's own words."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ProviderUnavailable, match="no connection"):
            await downloader.fetch(f"http://{host}/kite.png", allow_hosts=frozenset({host}))


async def test_a_server_that_never_answers_is_left_in_time(downloader: Downloader) -> None:
    """The deadline counts for the whole download, tries and redirects included."""

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(stay_silent, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(ProviderUnavailable, match=r"within 0\.05 s"):
            await downloader.fetch(f"http://{host}/kite.png", timeout_s=0.05, allow_hosts=frozenset({host}))


async def test_the_query_of_a_link_is_in_no_message_and_no_log(
    site: Site, downloader: Downloader, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a signature, and so may the user name."""
    caplog.set_level(logging.INFO)
    site.serve("/down.png", build_response(b"", status=BUSY))
    host = frozenset({site.host})
    messages: list[str] = []
    for path in ("/down.png", "/gone.png"):
        with pytest.raises((ImageRefused, ProviderUnavailable)) as failed:
            await downloader.fetch(f"http://user:pass@{site.host}{path}?signature=secret#secret", allow_hosts=host)
        messages.append(str(failed.value))

    everything = "\n".join([*messages, *(str(record.__dict__) for record in caplog.records)])
    assert "/down.png" in everything
    assert "secret" not in everything
    assert "pass@" not in everything
