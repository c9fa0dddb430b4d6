"""An upstream that plays false: it names internal addresses to be read from, and foreign ones to be written to."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import AtelierError, ImageRefused
from atelier_mcp.server.images.guarded_pools import GuardedPools, Route
from atelier_mcp.server.providers.http import UpstreamClient
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.link_transport import LinkTransport
from tests.images.sites import FakeInternet, Site, build_redirect, build_response, open_site
from tests.support.clock import AutoAdvanceClock
from tests.support.tool_results import get_text
from tests.support.upload_files import build_safetensors

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from mcp import Client

    from tests.support.attack_tally import AttackTally

    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

SECRET = b'{"AccessKeyId": "canary"}'
HOSTS = (
    "127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST", "localhost.", "x.localhost", "127.1", "2130706433",
    "0x7f000001", "0177.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "169.254.169.254", "10.0.0.5", "172.16.0.1", "192.168.0.1", "100.64.0.1",
    "[fe80::1]", "[fd00:ec2::254]", "224.0.0.1", "255.255.255.255",
    "0x7f.1", "0", "①②⑦.0.0.1", "127。0。0。1", "１２７.0.0.1", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[fec0::1]",
    "[fe80::1%25lo]", "[::ffff:169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]", "[2001:0:7f00:1::]", "[2001:db8::1]",
    "[3fff::1]", "[100::1]", "192.0.0.192", "192.88.99.1", "198.18.0.7", "198.51.100.1", "203.0.113.1", "240.0.0.1",
    "ip6-localhost", "localhost.localdomain", "%31%32%37.0.0.1", "127.0.0.1.", "0127.0.0.1",
)  # fmt: skip
OTHER_LINKS = (
    "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "http://[", "//127.0.0.1/x", "http:///x", "x",
)  # fmt: skip


@asynccontextmanager
async def open_secret(path: str) -> AsyncGenerator[Site]:
    """A service of the internal network, at which something lies that nobody outside may read."""
    async with open_site() as site:
        site.serve(path, build_response(SECRET))
        yield site


def list_links(port: str, path: str) -> list[str]:
    """Every way to write an address that no stranger may be led to."""
    written = [f"http://{host}:{port}{path}" for host in HOSTS]
    credentials = [f"http://api.example@127.0.0.1:{port}{path}", f"http://api.example\\@127.0.0.1:{port}{path}"]
    return [*written, *credentials, f"https://127.0.0.1:{port}{path}", *OTHER_LINKS]


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("base_url", ["https://api.example", "http://127.0.0.1:1/prod"])
async def test_no_link_of_an_upstream_leads_into_the_private_network(
    method: str, base_url: str, tally: AttackTally
) -> None:
    """Neither to read there nor to write there, also for one on this machine, which may name its own port alone."""
    async with open_secret("/latest/meta-data") as secret:
        is_local = base_url.startswith("http:")
        client = UpstreamClient(service="Service", base_url=base_url, clock=AutoAdvanceClock(), is_local=is_local)
        for link in list_links(secret.host.rpartition(":")[2], "/latest/meta-data"):
            before, answer = len(secret.requests), b""
            with suppress(AtelierError):
                answer = (await client.request(HttpRequest(method, link, content=b"local file"))).body
            tally.record(f"{method} {link}", got_through=answer == SECRET or len(secret.requests) > before)
        await client.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1", "::ffff:10.0.0.5"])
async def test_a_public_name_with_a_private_address_leads_nowhere(address: str, tally: AttackTally) -> None:
    """The address is what counts, and the one that was looked at is the one connected to."""
    answers = [["93.184.215.14"], [address]]

    async def resolve(_: str, __: int) -> list[str]:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async with open_secret("/x") as secret:
        internet = FakeInternet({address: secret})
        pools = GuardedPools(resolver=resolve, network=internet)
        transport = LinkTransport(pools, Route(frozenset({"api.example:80"}), is_own_result=True))
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
            for _ in range(3):
                with suppress(ImageRefused, httpx2.ConnectError):
                    await client.put("http://rebind.example/x", content=b"local file")
                tally.record(address, got_through=address in internet.connected)
    assert not secret.requests


async def test_a_link_to_the_upstreams_own_host_is_followed_however_it_is_written() -> None:
    """Its address was configured, and is trusted with more than this."""
    async with open_site() as site:
        site.serve("/part", build_response(b"taken"))
        port = site.host.rpartition(":")[2]
        client = UpstreamClient(
            service="Service", base_url=f"http://{site.host}/prod", clock=AutoAdvanceClock(), is_local=True
        )
        for host in ("127.0.0.1", "localhost"):
            assert (await client.request(HttpRequest("GET", f"http://{host}:{port}/part"))).body == b"taken"
        await client.close()


async def test_a_redirect_of_an_upstream_is_not_followed(tally: AttackTally) -> None:
    async with open_secret("/secret") as secret, open_site() as site:
        site.serve("/moved", build_redirect(f"http://{secret.host}/secret"))
        client = UpstreamClient(
            service="Service", base_url=f"http://{site.host}", clock=AutoAdvanceClock(), is_local=True
        )
        for path in ("/moved", f"http://{site.host}/moved"):
            with pytest.raises(AtelierError):
                await client.request(HttpRequest("GET", path))
            tally.record(path, got_through=bool(secret.requests))
        await client.close()


class HostileDeployment:
    """Stable Diffusion on AWS, version 1.7, whose every link leads to one address."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def name_links(self, link: str) -> None:
        """Answer every call that gives links with this one."""
        inference = {
            "InferenceJobId": "i1",
            "status": "succeed",
            "taskType": "txt2img",
            "img_presigned_urls": [link],
            "output_presigned_urls": [link],
        }
        upload = {"checkpoint": {"id": "c1"}, "s3PresignUrl": {"kite.safetensors": [link]}}
        answers: dict[str, Any] = {
            "/ping": {"message": "pong", "debug": {}},
            "/inferences/i1": {"statusCode": 200, "data": inference},
            "/checkpoints": {"statusCode": 200, "data": upload},
        }
        for path, answer in answers.items():
            self._site.serve(f"/prod{path}", build_response(json.dumps(answer).encode()))


@pytest.fixture
async def hostile_site() -> AsyncGenerator[Site]:
    """Where that deployment answers."""
    async with open_site() as site:
        yield site


@pytest.fixture
async def ask(
    hostile_site: Site, new_client: NewClient, tmp_path: Path
) -> AsyncGenerator[Callable[[str], Awaitable[str]]]:
    """Asks for a record and begins an upload while the deployment names a link; what the model reads of both."""
    (tmp_path / "inputs").mkdir()
    model = tmp_path / "inputs" / "kite.safetensors"
    model.write_bytes(build_safetensors())
    environ = {"ATELIER_TOOLSETS": "all", "SD_AWS_URL": f"http://{hostile_site.host}/prod", "SD_AWS_API_KEY": "key"}
    deployment = HostileDeployment(hostile_site)
    async with new_client(**environ) as client:

        async def ask_with(link: str) -> str:
            deployment.name_links(link)
            record = await client.call_tool("aws_list_inference_jobs", {"job_id": "i1"})
            # What it is said to be differs, or it would be taken for the upload before.
            upload = {"kind": "Lora", "file": str(model), "description": link[:100], "wait_s": 1}
            return get_text(record) + get_text(await client.call_tool("aws_add_checkpoint", upload))

        yield ask_with


async def test_what_lies_at_an_internal_address_never_reaches_the_model(
    ask: Callable[[str], Awaitable[str]], tally: AttackTally, rounds: Callable[[int, int], int]
) -> None:
    """A record of an inference names where its parameters lie, and an upload where its parts go."""
    async with open_secret("/secret") as secret:
        links = list_links(secret.host.rpartition(":")[2], "/secret")
        for link in links[:: len(links) // rounds(6, len(links))]:
            before = len(secret.requests)
            text = await ask(link)
            tally.record(link, got_through="canary" in text or len(secret.requests) > before)


async def test_at_its_own_host_the_same_links_are_followed(
    ask: Callable[[str], Awaitable[str]], hostile_site: Site
) -> None:
    """What is refused above is not refused for want of a route."""
    hostile_site.serve("/parameters", build_response(b'{"prompt": "a kite"}'))
    text = await ask(f"http://{hostile_site.host}/parameters")
    assert "a kite" in text
    assert hostile_site.requests.count("/parameters") >= 2, "read once, and written to"


async def test_the_built_in_services_fetch_model_files_from_the_internet_alone(
    new_client: NewClient, tally: AttackTally
) -> None:
    """They run in this machine's network, and what they fetch is a caller's choice."""
    async with open_secret("/secret.safetensors") as secret, new_client(ATELIER_TOOLSETS="all") as client:
        port = secret.host.rpartition(":")[2]
        for number, host in enumerate(("127.0.0.1", "localhost", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]")):
            link = f"http://{host}:{port}/secret.safetensors"
            arguments = {"kind": "Lora", "links": [link], "description": str(number), "wait_s": 1}
            await client.call_tool("aws_add_checkpoint", arguments)
            tally.record(link, got_through=bool(secret.requests))
