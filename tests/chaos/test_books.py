"""The verdict finds each thing that must never happen, and nothing where all is well."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.images.handles import compute_handle
from tests.chaos.books import Books, JobRow
from tests.support.emulator_harness import encode_plain_image

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = encode_plain_image()
HANDLE = compute_handle(IMAGE)
FILES = {f"{HANDLE}.png": IMAGE, f"{HANDLE}.json": json.dumps({"file": f"{HANDLE}.png"}).encode()}
JOB = JobRow("job_1", "succeeded", "a kite", 1, 1, (HANDLE,), "")


def build_line(event: str, pictures: int = 1, *, line_id: int = 1) -> dict[str, Any]:
    return {"id": line_id, "job": JOB.id, "event": event, "pictures": pictures}


def build_books(**changes: Any) -> Books:
    sound = Books(
        submits=Counter({JOB.prompt: 1}),
        jobs=[JOB],
        audit_lines=[build_line("reserved"), build_line("settled", line_id=2)],
        files=FILES,
        promised_ids={JOB.id},
    )
    return replace(sound, **changes)


def test_sound_books_are_sound() -> None:
    books = build_books()
    books.check()
    assert books.failures == []


def test_a_line_that_a_dead_server_wrote_twice_is_one_line() -> None:
    books = build_books(audit_lines=[build_line("reserved"), build_line("reserved")])
    books.check()
    assert books.failures == []


def test_a_job_whose_answer_nobody_read_may_stay_unconfirmed() -> None:
    unconfirmed = JOB._replace(state="unconfirmed", handles=())
    books = build_books(jobs=[unconfirmed], promised_ids=(), files={})
    books.check()
    assert books.failures == []


@pytest.mark.parametrize(
    ("kind", "build"),
    [
        pytest.param("lost", lambda: build_books(jobs=[], audit_lines=[]), id="no job"),
        pytest.param("lost", lambda: build_books(jobs=[JOB._replace(state="unconfirmed", handles=())]), id="given up"),
        pytest.param(
            "lost",
            lambda: build_books(jobs=[JOB._replace(state="failed", handles=(), spent_count=0)], promised_ids=()),
            id="paid back",
        ),
        pytest.param("lost", lambda: build_books(jobs=[JOB._replace(state="saving", handles=())]), id="unfinished"),
        pytest.param("lost", lambda: build_books(files={}), id="no picture"),
        pytest.param("doubled", lambda: build_books(submits=Counter({JOB.prompt: 2})), id="sent twice"),
        pytest.param("doubled", lambda: build_books(jobs=[JOB, JOB._replace(id="job_2")]), id="two jobs"),
        pytest.param("wrong", lambda: build_books(jobs=[JOB._replace(spent_count=2)]), id="counted twice"),
        pytest.param("wrong", lambda: build_books(jobs=[JOB._replace(spent_count=0)]), id="not counted"),
        pytest.param("wrong", lambda: build_books(audit_lines=[]), id="not in the audit log"),
        pytest.param(
            "wrong",
            lambda: build_books(audit_lines=[build_line("reserved"), build_line("reserved", line_id=2)]),
            id="reserved twice",
        ),
        pytest.param("half", lambda: build_books(files={**FILES, f"{HANDLE}.png": IMAGE[:90]}), id="cut picture"),
        pytest.param("half", lambda: build_books(files={**FILES, f"{HANDLE}.json": b'{"fi'}), id="cut record"),
        pytest.param(
            "half", lambda: build_books(files={f"{HANDLE}.json": FILES[f"{HANDLE}.json"]}), id="record without picture"
        ),
    ],
)
def test_what_must_never_happen_is_found(kind: str, build: Callable[[], Books]) -> None:
    books = build()
    books.check()
    assert getattr(books, kind)
