"""A disk, a ledger or a setting that cannot be used is said in a sentence, and nothing is sent meanwhile."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

import pytest

from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.settings import load_settings
from tests.support.stepped_server import MHAPI, SteppedServer
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

URL_SETTINGS: Final = (
    "MHAPI_BASE_URL", "MIAOHUA_BASE_URL", "SENSENOVA_CHAT_URL", "SENSENOVA_FUSION_URL", "SD_AWS_URL",
    "ATELIER_PUBLIC_URL", "ATELIER_BUCKET_URL", "ATELIER_DATABASE_URL",
)  # fmt: skip
BAD_URLS: Final = ("http://[", "http://[::1", "http://a:99999", "http://a:b", "http://", "https:///x", "https://a b/")


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        yield running


@pytest.mark.parametrize("url", BAD_URLS)
@pytest.mark.parametrize("variable", URL_SETTINGS)
def test_an_address_that_is_none_stops_the_program_with_one_sentence(variable: str, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({variable: url})
    assert str(caught.value).startswith(variable)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize("name", ["ledger.sqlite3", "ledger.sqlite3.lock", "signing.key"])
async def test_a_folder_where_a_file_should_be_is_said_in_a_sentence(
    world: SteppedServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "home" / name).mkdir(parents=True)
    async with world.connect(MHAPI) as client:
        for tool, arguments in (("generate_image", {"prompt": "a kite", "wait_s": 5}), ("list_jobs", {})):
            words = get_refusal(await world.call(client, tool, **arguments))
            assert "incident" not in words
            assert len(words.splitlines()) <= 3
    assert world.engine.calls == [], "nothing is sent that could not be written down"


@pytest.mark.parametrize("content", [b"not a database" * 500, b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_damaged_ledger_is_said_in_a_sentence(world: SteppedServer, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "ledger.sqlite3").write_bytes(content)
    async with world.connect(MHAPI) as client:
        for tool, arguments in (("generate_image", {"prompt": "a kite", "wait_s": 5}), ("list_jobs", {})):
            words = get_refusal(await world.call(client, tool, **arguments))
            assert "ledger" in words
            assert "incident" not in words
    assert world.engine.calls == []


@pytest.mark.parametrize("state", [("dreaming", "{}"), ("queued", "{}"), ("running", "[]"), ("succeeded", "null")])
async def test_one_row_that_cannot_be_read_hides_and_stops_no_other_job(
    world: SteppedServer, tmp_path: Path, state: tuple[str, str]
) -> None:
    async with world.connect(MHAPI) as client:
        broken_id = await world.start_job(client, "a broken kite")
    with sqlite3.connect(tmp_path / "home" / "ledger.sqlite3") as ledger:
        ledger.execute("UPDATE jobs SET state = ?, detail = ? WHERE id = ?", (*state, broken_id))
    ledger.close()
    await see_that_no_other_job_suffers(world, broken_id)


COLUMNS = ("request", "notes", "finish", "detail", "created_at", "updated_at", "deadline")
VALUES = ("{", "5", "null", "\x00", "tomorrow")
# Most jobs have no finish: "null" is a sound value there.
UNREADABLE = [(column, value) for column in COLUMNS for value in VALUES if (column, value) != ("finish", "null")]


@pytest.mark.parametrize(("column", "value"), UNREADABLE)
async def test_a_value_that_cannot_be_read_hides_and_stops_no_other_job(
    world: SteppedServer, tmp_path: Path, column: str, value: str
) -> None:
    async with world.connect(MHAPI) as client:
        broken_id = await world.start_job(client, "a broken kite")
    with sqlite3.connect(tmp_path / "home" / "ledger.sqlite3") as ledger:
        ledger.execute(f"UPDATE jobs SET {column} = ? WHERE id = ?", (value, broken_id))
    ledger.close()
    await see_that_no_other_job_suffers(world, broken_id)


async def see_that_no_other_job_suffers(world: SteppedServer, broken_id: str) -> None:
    """Another job goes its way, and the broken one is listed as unreadable."""
    async with world.connect(MHAPI) as client:
        job_id = await world.start_job(client, "a kite")
        world.recover()
        assert (await world.wait_for_end(client, job_id))["state"] == "succeeded"
        listed = await world.call(client, "list_jobs")
        assert {job["job_id"] for job in get_structured(listed)["jobs"]} == {job_id, broken_id}
        assert "unreadable" in get_text(listed)
