"""Jobs, pictures and spending belong to whoever asked: for anybody else they are not there."""

from __future__ import annotations

import base64
import io
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from PIL import Image

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from atelier_mcp.server.web.token_file import TokenFile
from tests.e2e.test_static_tokens import add_token
from tests.support.http_service import connect, serve_http
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine

    Environ = dict[str, str]

UNKNOWN_HANDLE = "img_aaaaaaaaaaaaaaaa"
UNKNOWN_JOB = "job_aaaaaaaaaaaaaaaa"


@asynccontextmanager
async def serve_people(environ: Environ, *names: str) -> AsyncGenerator[tuple[str, list[str], list[Client]]]:
    """A server with a token and a client for each name; one called boss may see all."""
    token_file = TokenFile(load_settings(environ).home)
    tokens = [add_token(token_file, name, "admin" if name == "boss" else "create") for name in names]
    async with serve_http(environ) as address:
        clients: list[Client] = []
        async with _connect_all(address, tokens, clients):
            yield address, tokens, clients


@asynccontextmanager
async def _connect_all(address: str, tokens: list[str], clients: list[Client]) -> AsyncGenerator[None]:
    if not tokens:
        yield
        return
    # In turn both eras of the protocol.
    async with connect(address, tokens[0], mode="legacy" if len(tokens) % 2 else "auto") as client:
        clients.append(client)
        async with _connect_all(address, tokens[1:], clients):
            yield


def build_data_url(color: str) -> str:
    stream = io.BytesIO()
    Image.new("RGB", (300, 300), color).save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def dump(result: Any) -> str:
    """All that an answer says, pictures left out."""
    document = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["content"] = [block for block in document["content"] if block["type"] != "image"]
    return json.dumps(document)


async def ask_everything(client: Client, handle: str, job_id: str) -> list[str]:
    """What one is told who asks for a picture and a job by every door of the protocol."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("wait_for_jobs", {"job_ids": [job_id], "wait_s": 0}),
        ("cancel_jobs", {"job_ids": [job_id]}),
        ("view_image", {"image": handle}),
        ("upscale_image", {"image": handle}),
        ("transform_image", {"image": handle, "rotate": 90}),
        ("make_mask", {"image": handle, "shapes": [{"type": "box", "points": [1, 1, 90, 90]}]}),
    ]
    answers = [get_refusal(await client.call_tool(name, arguments)) for name, arguments in calls]
    for uri in (f"images/{handle}", f"images/{handle}/preview", f"images/{handle}/provenance", f"jobs/{job_id}"):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(f"atelier://{uri}")
        answers.append(str(caught.value))
    return answers


async def test_what_is_anothers_is_not_there(environ: Environ, site: EmulatorHarness) -> None:
    """In the very words that an unknown handle or id gets; whoever may see all does."""
    async with serve_people(environ, "alice", "bob", "boss") as (address, tokens, (alice, bob, boss)):
        made = get_structured(await alice.call_tool("generate_image", {"prompt": "a red kite"}))
        handle, job_id = made["images"][0]["handle"], made["job_id"]
        told = await ask_everything(bob, handle, job_id)
        unknown = await ask_everything(bob, UNKNOWN_HANDLE, UNKNOWN_JOB)
        assert [text.replace(handle, UNKNOWN_HANDLE).replace(job_id, UNKNOWN_JOB) for text in told] == unknown
        assert "There are no such jobs." in get_text(await bob.call_tool("list_jobs", {}))
        assert handle not in str((await bob.list_resources()).resources)
        assert made["account"] not in str(await bob.read_resource("atelier://spend"))
        assert made["account"] in str(await alice.read_resource("atelier://spend"))
        for client in (alice, boss):
            assert job_id in get_text(await client.call_tool("list_jobs", {}))
            assert get_structured(await client.call_tool("view_image", {"image": handle}))["made"]["job"] == job_id
            assert handle in str((await client.list_resources()).resources)
        await _check_gallery(address, tokens, handle)


async def _check_gallery(address: str, tokens: list[str], handle: str) -> None:
    """The pages show to each what is its own."""
    paths = [f"/gallery/{part}/{handle}" for part in ("pictures", "files", "thumbnails")]
    async with httpx2.AsyncClient(base_url=address, timeout=60) as http:
        for token, is_seen in zip(tokens, (True, False, True), strict=True):
            headers = {"authorization": f"Bearer {token}"}
            listed = await http.get("/gallery/index", headers=headers)
            assert (handle in listed.text) is is_seen
            for path in paths:
                assert (await http.get(path, headers=headers)).status_code == (200 if is_seen else 404)
        bob = {"authorization": f"Bearer {tokens[1]}", "origin": address, "sec-fetch-site": "same-origin"}
        assert (await http.post("/gallery/delete", json={"handle": handle}, headers=bob)).status_code == 404


async def test_who_may_see_all_works_on_pictures_of_others(environ: Environ, site: EmulatorHarness) -> None:
    """As on its own: the result is its own, and the picture stays with whoever made it."""
    async with serve_people(environ, "alice", "boss") as (_, _, (alice, boss)):
        made = get_structured(await alice.call_tool("generate_image", {"prompt": "a red kite"}))
        handle = made["images"][0]["handle"]
        enlarged = get_structured(await boss.call_tool("upscale_image", {"image": handle}))
        assert enlarged["state"] == "succeeded"
        assert enlarged["job_id"] not in get_text(await alice.call_tool("list_jobs", {}))
        own = get_structured(await boss.call_tool("cancel_jobs", {"job_ids": [made["job_id"]]}))
        assert own["jobs"][0]["state"] == "succeeded"


async def test_an_error_of_the_servers_own_files_names_no_path(environ: Environ, site: EmulatorHarness) -> None:
    """Whoever runs the server reads it in the log."""
    home = load_settings(environ).home
    home.mkdir()
    (home / "ledger.sqlite3").write_bytes(b"no ledger at all" * 100)
    token = add_token(TokenFile(home), "alice", "create")
    async with serve_http(environ) as address, connect(address, token) as client:
        refusal = get_refusal(await client.call_tool("list_jobs", {}))
    assert "ledger.sqlite3" in refusal
    assert str(home) not in refusal


async def test_all_means_ones_own_jobs(environ: Environ, site: EmulatorHarness, engine: FakeEngine) -> None:
    """Also for whoever may see those of others: to give up is not to see."""
    slow = {**environ, "ATELIER_WAIT_S": "0"}
    engine.answer_gate.clear()
    async with serve_people(slow, "alice", "boss") as (_, _, (alice, boss)):
        job_id = get_structured(await alice.call_tool("generate_image", {"prompt": "a red kite"}))["job_id"]
        assert get_text(await boss.call_tool("cancel_jobs", {"job_ids": ["all"]})) == "No job is unfinished."
        assert get_text(await boss.call_tool("wait_for_jobs", {"wait_s": 0})) == "There are no such jobs."
        assert job_id in get_text(await alice.call_tool("wait_for_jobs", {"wait_s": 0}))
        engine.answer_gate.set()


async def test_the_same_bytes_tell_nobody_of_the_other_who_has_them(environ: Environ, site: EmulatorHarness) -> None:
    """A handle comes from the bytes: both have the same one, and each its own words about it."""
    async with serve_people(environ, "alice", "bob") as (_, _, (alice, bob)):
        cut = {"image": build_data_url("teal"), "crop": [0, 0, 200, 200]}
        first = get_structured(await alice.call_tool("transform_image", cut))["image"]
        async with httpx2.AsyncClient() as http:
            data = (await http.get(first["link"])).content
        imported = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        second = get_structured(await bob.call_tool("import_image", {"image": imported}))["image"]
        assert second["handle"] == first["handle"]
        stories = [get_structured(await c.call_tool("view_image", {"image": first["handle"]})) for c in (alice, bob)]
    assert stories[0]["made"]["operation"] == "transform"
    assert stories[1]["made"]["imported_from"] == "a data URL"
    assert "operation" not in stories[1]["made"]


async def test_a_path_of_the_servers_machine_is_in_no_answer(
    environ: Environ, site: EmulatorHarness, tmp_path: Path
) -> None:
    """A link that works for a while stands in its place, also for the operator's own token."""
    photo = tmp_path / "photo.png"
    Image.new("RGB", (320, 300), "navy").save(photo)
    async with Client(create_server(load_settings(environ))) as local:
        taken = get_structured(await local.call_tool("import_image", {"image": str(photo)}))["image"]
    secret = "a-long-random-token"  # of this test alone
    async with serve_http({**environ, "ATELIER_HTTP_TOKEN": secret}) as address, connect(address, secret) as client:
        answers = [
            await client.call_tool(name, arguments)
            for name, arguments in (
                ("view_image", {"image": taken["handle"]}),
                ("generate_image", {"prompt": "a red kite"}),
                ("make_mask", {"image": taken["handle"], "shapes": [{"type": "box", "points": [9, 9, 90, 90]}]}),
                ("ask_for_mask", {"image": taken["handle"], "why": "x"}),
                ("transform_image", {"image": taken["handle"], "rotate": 90}),
                ("list_jobs", {}),
                ("import_image", {"image": str(photo.with_name("none.png"))}),
            )
        ]
        story = str(await client.read_resource(f"atelier://images/{taken['handle']}/provenance"))
        async with httpx2.AsyncClient(headers={"authorization": f"Bearer {secret}"}) as http:
            page = (await http.get(f"{address}/gallery/pictures/{taken['handle']}")).text
        assert all(environ["ATELIER_HOME"] not in text for text in (*map(dump, answers), story, page))
        # What a caller wrote itself may be repeated to it.
        assert all(str(tmp_path) not in text for text in (*map(dump, answers[:-1]), story, page))
        assert "photo.png" in dump(answers[0])
        await _check_link(get_structured(answers[0])["image"]["link"])


async def _check_link(link: str) -> None:
    """It shows the picture to whoever has it, and runs nothing; changed in any part it is none."""
    async with httpx2.AsyncClient() as http:
        shown = await http.get(link)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        for forged in (f"{link}x", f"{link}&library={'0' * 32}", link.replace("expires=", "expires=9")):
            assert (await http.get(forged)).status_code == 403
