"""The access log: one JSON object a line, from which the use of a contract can be told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.settings import EmulatorSettings
from tests.support.clock import ManualUnixClock
from tests.support.emulator_harness import EmulatorHarness, FakeEngine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


async def read_log_lines(
    tmp_path: Path, make_calls: Callable[[EmulatorHarness], Awaitable[Any]]
) -> list[dict[str, Any]]:
    """The log's lines after some calls."""
    file = tmp_path / "logs" / "access.jsonl"
    async with EmulatorHarness(EmulatorSettings(access_log=file), FakeEngine(), ManualUnixClock()) as site:
        await make_calls(site)
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_a_line_tells_who_asked_what_and_how_it_went(tmp_path: Path) -> None:
    async def make_calls(site: EmulatorHarness) -> None:
        await site.post("/v1/imgenstd/imgen", model_id="artist_v1.0", prompt="a cat")
        await site.get("/v1/imgenstd/models", size=5)
        await site.call_mhapi("GET", "/v1/imgenstd/results", json={"task_ids": ["a"]})
        await site.call_mhapi("GET", "/v1/imgenstd/models", token="x")

    submit, listing, batch, stranger = await read_log_lines(tmp_path, make_calls)
    assert submit == {
        "time": "2027-01-15T08:00:00+00:00",
        "upstream": "mhapi",
        "method": "POST",
        "path": "/v1/imgenstd/imgen",
        "query": {},
        "body": {"model_id": "artist_v1.0", "prompt": "a cat"},
        "status": 200,
        "account": "atelier-demo-ak",
    }
    assert listing.items() >= {"path": "/v1/imgenstd/models", "query": {"size": "5"}, "body": None}.items()
    assert batch["body"] == {"task_ids": ["a"]}
    assert (stranger["status"], stranger["account"]) == (401, None)


async def test_long_texts_are_cut_and_secrets_hidden(tmp_path: Path) -> None:
    async def make_calls(site: EmulatorHarness) -> None:
        await site.post("/v1/stylization/imgen", model_id="style_oil", img_base64="A" * 5000, token="secret")

    (line,) = await read_log_lines(tmp_path, make_calls)
    assert line["body"]["img_base64"].endswith("(5000 characters)")
    assert line["body"]["token"] == "***"
    assert "secret" not in json.dumps(line)


async def test_a_form_is_noted_by_the_names_of_its_fields(tmp_path: Path) -> None:
    async def make_calls(site: EmulatorHarness) -> None:
        await site.call_mhapi("POST", "/v1/upload", files={"init_img": ("a.png", b"\r\n--x")}, data={"token": "t"})

    (line,) = await read_log_lines(tmp_path, make_calls)
    assert sorted(line["form"]) == ["init_img", "token"]


async def test_of_what_goes_to_storage_a_json_document_is_noted_and_nothing_else(tmp_path: Path) -> None:
    """The parameters of an inference travel as a file; checkpoints and pictures do, too."""

    async def make_calls(site: EmulatorHarness) -> None:
        for name in ("api_param.json", "model.safetensors"):
            await site.client.put(f"/sd_aws/s3/{name}", content=b'{"prompt": "a kite", "token": "secret"}')

    parameters, file = await read_log_lines(tmp_path, make_calls)
    assert parameters["body"] == {"prompt": "a kite", "token": "***"}
    assert file["body"] is None


async def test_downloads_are_noted_and_control_is_not(tmp_path: Path) -> None:
    async def make_calls(site: EmulatorHarness) -> None:
        task_id = await site.submit_task("/v1/imgenstd/imgen", model_id="artist_v1.0", prompt="a cat")
        await site.finish_task(task_id)
        result = (await site.get(f"/v1/imgenstd/result/{task_id}")).json()
        await site.client.get(result["images"][0]["raw"])

    lines = await read_log_lines(tmp_path, make_calls)
    assert [line["upstream"] for line in lines] == ["mhapi", "mhapi", "files"]
    assert lines[2]["path"].endswith("/raw-0.jpg")


async def test_a_second_run_appends(tmp_path: Path) -> None:
    async def make_call(site: EmulatorHarness) -> None:
        await site.get("/v1/face/models")

    assert len(await read_log_lines(tmp_path, make_call)) == 1
    assert len(await read_log_lines(tmp_path, make_call)) == 2
