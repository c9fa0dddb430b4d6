"""Several servers on one ledger and one bucket: what is made at one is there at the other, and nothing paid is lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import httpx2
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.faulty_bucket import open_faulty_bucket
from tests.support.http_service import connect, serve_http
from tests.support.tool_results import get_refusal, get_structured, get_text, list_submits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.buckets import BucketService

    Environ = dict[str, str]

TOKEN = "a-token-that-nobody-guesses"
BOUND_S = 20


@asynccontextmanager
async def serve_two(environ: Environ, tmp_path: Path) -> AsyncGenerator[list[tuple[str, Client]]]:
    """Two servers with a client each; on SQLite they share the data folder, else each has its own."""
    homes = ["home", "home"] if environ["ATELIER_DATABASE_URL"].startswith("sqlite") else ["home-a", "home-b"]
    first, second = ({**environ, "ATELIER_HOME": str(tmp_path / home)} for home in homes)
    async with (
        serve_http(first) as address,
        serve_http(second) as other_address,
        connect(address, TOKEN) as client,
        connect(other_address, TOKEN) as other_client,
    ):
        yield [(address, client), (other_address, other_client)]


def build_environ(environ: Environ, service: BucketService, tmp_path: Path, **more: str) -> Environ:
    """What the operator of several servers sets."""
    return {
        **environ,
        **service.build_environment(tmp_path.name),
        "ATELIER_HTTP_TOKEN": TOKEN,
        "ATELIER_SIGNING_KEYS": "a-secret-of-32-characters-for-links",
        **more,
    }


async def find_in_gallery(address: str, handle: str) -> list[list[Any]]:
    """The rows of a picture in a server's gallery, asked for until it is there."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=address, headers=headers) as client, asyncio.timeout(BOUND_S):
        while True:
            rows = (await client.get("/gallery/index")).json()["pictures"]
            if found := [row for row in rows if row[0] == handle]:
                return found


async def test_a_picture_made_at_one_server_is_seen_listed_and_edited_at_the_other(
    environ: Environ, moto: BucketService, ledger_url: str, tmp_path: Path
) -> None:
    """Whichever of them a balancer chooses, also for its link."""
    environ = build_environ(environ, moto, tmp_path, ATELIER_DATABASE_URL=ledger_url)
    async with serve_two(environ, tmp_path) as [(address, client), (other_address, other_client)]:
        made = await client.call_tool("generate_image", {"prompt": "a red kite"})
        (image,) = get_structured(made)["images"]
        handle = image["handle"]

        viewed = await other_client.call_tool("view_image", {"image": handle})
        assert "a red kite" in get_text(viewed)
        assert [block.type for block in viewed.content] == ["text", "image"]
        listed = get_structured(await other_client.call_tool("list_jobs", {}))
        assert [image["handle"] for job in listed["jobs"] for image in job["images"]] == [handle]
        resources = (await other_client.list_resources()).resources
        assert f"atelier://images/{handle}" in [str(resource.uri) for resource in resources]
        assert len(await find_in_gallery(other_address, handle)) == 1

        edited = get_structured(await other_client.call_tool("outpaint_image", {"image": handle, "scale": 1.5}))
        smaller = get_structured(await other_client.call_tool("transform_image", {"image": handle, "width": 100}))
        for result in (edited["images"][0], smaller["image"]):
            seen = await client.call_tool("view_image", {"image": result["handle"]})
            assert handle in get_text(seen)

        link = image["link"].replace(address, other_address)
        async with httpx2.AsyncClient() as reader:
            response = await reader.get(link)
        assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
        assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_picture_deleted_at_one_server_is_gone_at_the_other(
    environ: Environ, moto: BucketService, ledger_url: str, tmp_path: Path
) -> None:
    """Although the other one has shown it, and has it in its cache."""
    environ = build_environ(environ, moto, tmp_path, ATELIER_DATABASE_URL=ledger_url)
    async with serve_two(environ, tmp_path) as [(address, client), (_, other_client)]:
        made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))
        handle = made["images"][0]["handle"]
        await other_client.call_tool("view_image", {"image": handle})
        headers = {"authorization": f"Bearer {TOKEN}", "origin": address, "sec-fetch-site": "same-origin"}
        async with httpx2.AsyncClient(base_url=address, headers=headers) as http_client:
            response = await http_client.post("/gallery/delete", json={"handle": handle})
        assert response.status_code == 200, response.text
        assert handle in get_refusal(await other_client.call_tool("view_image", {"image": handle}))


async def test_a_bucket_that_fails_half_of_its_writes_loses_no_paid_picture(
    environ: Environ, moto: BucketService, tmp_path: Path
) -> None:
    """Each job stays in saving and is tried again; none is asked for twice."""
    random = Random(7)
    async with open_faulty_bucket(moto) as door:
        environ = build_environ(environ, door.service, tmp_path)
        async with Client(create_server(load_settings(environ))) as client:
            await client.call_tool("list_jobs", {})  # opens the services, which try the bucket
            door.status, door.code = 400, "AccessDenied"  # an answer after which the library does not try again
            door.decide = lambda method, _path: random.choice(("pass", "refuse")) if method == "PUT" else "pass"
            calls = [client.call_tool("generate_image", {"prompt": f"kite {n}", "wait_s": 0}) for n in range(4)]
            job_ids = [get_structured(made)["job_id"] for made in await asyncio.gather(*calls)]
            jobs = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": job_ids}))["jobs"]
            assert {job["state"] for job in jobs} == {"succeeded"}
            handles = [image["handle"] for job in jobs for image in job["images"]]
            assert len(handles) == 4
            for handle in handles:
                assert "kite" in get_text(await client.call_tool("view_image", {"image": handle}))
    assert len(list_submits(tmp_path / "access.jsonl")) == 4


async def test_a_job_whose_picture_cannot_be_stored_says_why_and_is_finished_after_a_restart(
    environ: Environ, moto: BucketService, tmp_path: Path
) -> None:
    """The bucket is out for longer than the server runs."""
    async with open_faulty_bucket(moto) as door:
        environ = build_environ(environ, door.service, tmp_path)
        async with Client(create_server(load_settings(environ))) as client:
            await client.call_tool("list_jobs", {})
            door.status = 400
            door.decide = lambda _method, _path: "refuse"
            made = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite", "wait_s": 0}))
            async with asyncio.timeout(BOUND_S):
                while True:
                    answer = await client.call_tool("wait_for_jobs", {"job_ids": [made["job_id"]], "wait_s": 1})
                    if "could not be fetched yet" in get_text(answer):
                        break
            assert "ATELIER_STORE_URL" in get_text(answer)
        door.decide = lambda _method, _path: "pass"
        async with Client(create_server(load_settings(environ))) as client:
            waited = get_structured(await client.call_tool("wait_for_jobs", {"job_ids": [made["job_id"]]}))
            assert [job["state"] for job in waited["jobs"]] == ["succeeded"]
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_over_stdio_a_picture_in_a_bucket_is_named_by_where_it_lies(
    environ: Environ, moto: BucketService, tmp_path: Path
) -> None:
    """It has no path; a caller that can reach the bucket gets its link."""
    environ = build_environ(environ, moto, tmp_path)
    async with Client(create_server(load_settings(environ))) as client:
        (image,) = get_structured(await client.call_tool("generate_image", {"prompt": "a red kite"}))["images"]
        assert image["link"].startswith(f"s3://pictures/{tmp_path.name}/images/{image['handle']}.")
        assert "path" not in image
    async with Client(create_server(load_settings({**environ, "ATELIER_STORE_PUBLIC_URL": moto.endpoint}))) as client:
        viewed = get_structured(await client.call_tool("view_image", {"image": image["handle"]}))
        async with httpx2.AsyncClient() as reader:
            assert (await reader.get(viewed["image"]["link"])).headers["content-type"] == "image/jpeg"


async def test_a_bucket_that_cannot_be_used_is_told_before_a_picture_is_paid_for(
    environ: Environ, moto: BucketService, tmp_path: Path
) -> None:
    environ = build_environ(environ, moto, tmp_path, ATELIER_STORE_URL="s3://no-such-bucket/pictures")
    async with Client(create_server(load_settings(environ))) as client:
        refusal = get_refusal(await client.call_tool("generate_image", {"prompt": "a red kite"}))
    assert "There is no bucket no-such-bucket of ATELIER_STORE_URL." in refusal
    assert list_submits(tmp_path / "access.jsonl") == []
