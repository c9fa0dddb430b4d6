"""A service's results come by the route that its submit took; strangers' links are guarded as ever."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ConfigurationError, ImageRefused, ProviderUnavailable
from atelier_mcp.server.images.download import DeadLink, Downloader
from tests.images.samples import make_image
from tests.images.sites import FakeInternet, Site, build_redirect, build_response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FAKE_ADDRESS = "198.18.0.7"


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine of the tests has set."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def resolve_nothing(host: str, port: int) -> Sequence[str]:
    """A machine without a name server."""
    if host[0].isdigit():
        return [host]
    raise socket.gaierror(socket.EAI_AGAIN, "no name server")


async def resolve_to_fake(host: str, port: int) -> Sequence[str]:
    """The resolver of a proxy tool: one address for every name."""
    return [host] if host[0].isdigit() else [FAKE_ADDRESS]


def create_downloader(site: Site, *, fake: bool = False) -> Downloader:
    """A downloader on a machine whose every connection ends at the site."""
    return Downloader(
        resolver=resolve_to_fake if fake else resolve_nothing,
        network=FakeInternet({FAKE_ADDRESS: site, "service.example": site}),
        retry_delays_s=(),
    )


async def test_where_only_a_proxy_reaches_the_internet_results_come_through_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name can be looked up here: the proxy does that, for redirects too. Here it answers for all hosts itself."""
    moved, kite = "http://cdn.example/moved.png", "http://other.example/kite.png"
    site.serve(moved, build_redirect(kite))
    site.serve(kite, build_response(make_image()))
    monkeypatch.setenv("HTTP_PROXY", f"http://{site.host}")
    async with create_downloader(site) as downloader:
        data = await downloader.fetch(moved, is_own_result=True, allow_hosts=frozenset({"service.example:443"}))
    assert data == make_image()
    assert site.requests == [moved, kite]


async def test_a_proxy_is_not_asked_for_private_addresses_on_behalf_of_a_link(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may stand in a network that we must not read for anybody; the service's own address is another matter."""
    link = "http://10.0.0.5:8080/kite.png"
    site.serve(link, build_response(make_image()))
    monkeypatch.setenv("HTTP_PROXY", f"http://{site.host}")
    async with create_downloader(site) as downloader:
        with pytest.raises(ImageRefused, match="private or local network"):
            await downloader.fetch(link, is_own_result=True, allow_hosts=frozenset({"service.example:443"}))
        own = await downloader.fetch(link, is_own_result=True, allow_hosts=frozenset({"10.0.0.5:8080"}))
    assert own == make_image()


async def test_strangers_links_take_no_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would look their names up on its own; the refusal says so, and what to do instead."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://{site.host}")
    async with create_downloader(site) as downloader:
        for link in ("http://cdn.example/kite.png", "https://cdn.example/kite.png", "http://9.9.9.9/kite.png"):
            with pytest.raises(ProviderUnavailable) as refused:
                await downloader.fetch(link)
            assert "do not go through the proxy" in refused.value.hint
            assert "data URL" in refused.value.hint
    assert site.requests == []


async def test_where_every_name_has_one_address_a_strangers_link_is_refused_with_the_reason(site: Site) -> None:
    async with create_downloader(site, fake=True) as downloader:
        with pytest.raises(ImageRefused, match="proxy tool") as refused:
            await downloader.fetch("http://cdn.example/kite.png")
    assert "data URL" in refused.value.hint


async def test_a_host_without_proxy_is_reached_directly(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NO_PROXY says, and loopback always."""
    link = site.serve("/kite.png", build_response(make_image()))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with create_downloader(site) as downloader:
        assert await downloader.fetch(link, is_own_result=True, allow_hosts=frozenset({site.host})) == make_image()


async def test_behind_a_resolver_with_one_answer_for_all_results_are_fetched(site: Site) -> None:
    """The service itself has that address, so it says nothing of where a result lies."""
    site.serve("/kite.png", build_response(make_image()))
    async with create_downloader(site, fake=True) as downloader:
        for host in ("service.example", "cdn.example"):
            link = f"http://{host}/kite.png"
            data = await downloader.fetch(link, is_own_result=True, allow_hosts=frozenset({"service.example:80"}))
            assert data == make_image()
        with pytest.raises(ImageRefused, match="proxy tool"):
            await downloader.fetch("http://cdn.example/kite.png")
        with pytest.raises(ImageRefused, match="private or local network"):
            await downloader.fetch(
                "http://10.0.0.5/kite.png", is_own_result=True, allow_hosts=frozenset({"service.example:80"})
            )


async def test_certificates_that_are_not_there_matter_to_secure_links_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And the error names the variable."""
    link = site.serve("/kite.png", build_response(make_image()))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nonexistent.pem"))
    own = frozenset({site.host})
    async with create_downloader(site) as downloader:
        assert await downloader.fetch(link, is_own_result=True, allow_hosts=own) == make_image()
        with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
            await downloader.fetch(link.replace("http:", "https:"), is_own_result=True, allow_hosts=own)


async def test_a_link_that_leads_nowhere_is_dead_and_one_that_nobody_answers_for_is_not(site: Site) -> None:
    """Only the first will never come right."""
    own = frozenset({site.host, "service.example:80"})
    async with create_downloader(site) as downloader:
        with pytest.raises(DeadLink, match="404"):
            await downloader.fetch(f"http://{site.host}/gone.png", is_own_result=True, allow_hosts=own)
        with pytest.raises(Exception, match="cannot be") as failed:
            await downloader.fetch("http://cdn.example/kite.png", is_own_result=True, allow_hosts=own)
    assert not isinstance(failed.value, DeadLink)
