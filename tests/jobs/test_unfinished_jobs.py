"""The quick look for unfinished jobs before the ledger is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.jobs.model import Failed
from atelier_mcp.server.jobs.unfinished_jobs import has_unfinished_jobs
from tests.jobs.doubles import ManualJobsHarness, build_request

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


async def test_it_finds_jobs_until_they_are_finished(harness: ManualJobsHarness) -> None:
    url = f"sqlite:///{harness.folder / 'ledger.db'}"
    assert not has_unfinished_jobs(url)
    job = (await harness.submitter.start(build_request("kite"), caller="me")).job
    assert has_unfinished_jobs(url)
    await harness.ledger.move(job.id, Failed("x"))
    assert not has_unfinished_jobs(url)


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert not has_unfinished_jobs(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_database_server_has_to_be_asked_in_earnest() -> None:
    assert has_unfinished_jobs("postgresql://db.example/atelier")


def test_a_ledger_that_cannot_be_read_is_logged_and_not_raised(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "broken.db").write_text("this is no database, whatever its name says")
    (tmp_path / "folder.db").mkdir()
    for name in ("broken.db", "folder.db", "x" * 300):
        assert not has_unfinished_jobs(f"sqlite:///{tmp_path / name}")
    assert len(caplog.records) >= 2
