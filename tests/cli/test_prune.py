"""``atelier prune``: old things are told first, and deleted when that is confirmed; nothing in use goes."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server import app
from atelier_mcp.server.retention import RetentionRules, parse_age, parse_size, prune
from atelier_mcp.server.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Atelier

DAYS_AGO = 40
BOUND_S = 60


def make_old(home: Path, *, jobs: bool = True) -> None:
    """Let what is stored be forty days old."""
    then = time.time() - DAYS_AGO * 86_400
    for path in (*home.glob("images/*/*"), *home.glob("emulator/**/*")):
        if path.is_file():
            os.utime(path, (then, then))
    for task in home.glob("emulator/tasks/*/*/task.json"):
        task.write_text(json.dumps({**json.loads(task.read_bytes()), "ends_at": then}), "utf-8")
    if jobs:
        moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=DAYS_AGO)
        with closing(sqlite3.connect(home / "ledger.sqlite3")) as connection:
            connection.execute("UPDATE jobs SET updated_at = ?, created_at = ?", (f"{moment}", f"{moment}"))
            connection.commit()


@pytest.fixture
def data_folder(atelier: Atelier, tmp_path: Path) -> Path:
    """With one finished job and its picture."""
    atelier("call", "generate_image", "prompt=a red kite", "width=640", "height=640")
    return tmp_path / "home"


def list_images(home: Path) -> list[Path]:
    return sorted(home.glob("images/*/img_*.jpg"))


def test_what_is_old_is_told_and_then_deleted(atelier: Atelier, data_folder: Path) -> None:
    make_old(data_folder)
    told = atelier("prune", "--older-than", "30d")
    assert "1 picture," in told.out
    assert "1 finished job\n" in told.out
    assert "Nothing is deleted yet" in told.out
    assert len(list_images(data_folder)) == 1
    done = atelier("prune", "--older-than", "30d", "--yes", "--json").read_json()
    assert (done["pictures"], done["jobs"], done["deleted"]) == (1, 1, True)
    assert done["emulator_files"] > 0
    assert list(data_folder.glob("images/*")) == []
    assert atelier("jobs", "--json").read_json()["jobs"] == []
    assert atelier("prune", "--older-than", "30d").out == "There is nothing to delete.\n"


def test_the_setting_is_the_default(atelier: Atelier, data_folder: Path) -> None:
    make_old(data_folder)
    assert "1 picture," in atelier("prune", ATELIER_KEEP_DAYS="39").out
    assert atelier("prune", ATELIER_KEEP_DAYS="41").out == "There is nothing to delete.\n"


def test_only_the_named_parts_go(atelier: Atelier, data_folder: Path) -> None:
    make_old(data_folder)
    done = atelier("prune", "--older-than", "30d", "--only", "jobs", "--yes", "--json").read_json()
    assert (done["pictures"], done["jobs"], done["emulator_files"]) == (0, 1, 0)
    assert len(list_images(data_folder)) == 1


def test_a_picture_of_a_younger_job_stays(atelier: Atelier, data_folder: Path) -> None:
    """The same picture made again keeps its first date."""
    make_old(data_folder, jobs=False)
    done = atelier("prune", "--older-than", "30d", "--yes", "--json").read_json()
    assert (done["pictures"], done["jobs"]) == (0, 0)


def test_the_oldest_go_until_the_rest_is_small_enough(atelier: Atelier, data_folder: Path) -> None:
    """But none of the last hour: who made it may not have seen it yet."""
    assert atelier("prune", "--max-size", "1KB").out == "There is nothing to delete.\n"
    make_old(data_folder)
    atelier("call", "generate_image", "prompt=a blue kite", "width=640", "height=640")
    old, young = sorted(list_images(data_folder), key=lambda path: path.stat().st_mtime)
    os.utime(old.with_suffix(".json"), (1, 1))
    done = atelier("prune", "--max-size", "1KB", "--yes", "--json").read_json()
    assert (done["pictures"], old.exists(), young.exists()) == (1, False, True)


def test_a_picture_that_an_unfinished_job_was_given_stays(atelier: Atelier, data_folder: Path) -> None:
    make_old(data_folder)
    with closing(sqlite3.connect(data_folder / "ledger.sqlite3")) as connection:
        connection.execute("UPDATE jobs SET finished = 0")
        connection.commit()
    url = f"sqlite:///{data_folder / 'ledger.sqlite3'}"
    for rules in (RetentionRules(timedelta(days=1)), RetentionRules(max_bytes=0)):
        assert prune(data_folder, url, rules).images == []
    assert len(list_images(data_folder)) == 1


def test_a_running_server_holds_to_the_setting(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being told; what is young stays."""
    make_old(data_folder)
    monkeypatch.setattr(app, "RETENTION_DELAY_S", 0.0)

    async def run_server(keep_days: str, is_done: Callable[[], bool]) -> None:
        settings = load_settings({"ATELIER_HOME": str(data_folder), "ATELIER_KEEP_DAYS": keep_days})
        async with Client(app.create_server(settings)) as client, asyncio.timeout(BOUND_S):
            while not is_done():
                await client.list_tools()

    asyncio.run(run_server("30", lambda: not list_images(data_folder)))


def test_nothing_there_is_nothing_to_delete(atelier: Atelier) -> None:
    assert atelier("prune", "--older-than", "1h", "--yes").out == "There is nothing to delete.\n"


def test_ages_and_sizes_are_read_as_people_write_them() -> None:
    assert [parse_age(text) for text in ("45min", "12h", "2w")] == [
        timedelta(minutes=45), timedelta(hours=12), timedelta(weeks=2)
    ]  # fmt: skip
    assert [parse_size(text) for text in ("500", "1.5G", "20 MB", "3GiB")] == [
        500,
        1_500_000_000,
        20_000_000,
        3 * 10**9,
    ]
