"""What callers were told, as servers of one ledger tell each other."""

from __future__ import annotations

import dataclasses

import pytest

from atelier_mcp.server.jobs.answer_notes import AnswerNotes
from atelier_mcp.server.jobs.model import Cancelled
from tests.jobs.test_ledger import build_job

RUNNING = [build_job(str(number)) for number in range(500)]
ENDED = [dataclasses.replace(job, state=Cancelled(upstream_stopped=True)) for job in RUNNING]
IDS = [job.id for job in RUNNING]


def tell(other: AnswerNotes, payloads: list[str]) -> None:
    for payload in payloads:
        other.hear(payload)


def test_another_server_knows_what_a_caller_was_not_told_the_end_of() -> None:
    here, there = AnswerNotes(), AnswerNotes()
    tell(there, here.add("me", RUNNING))
    assert there.list_unanswered("me") == here.list_unanswered("me") == IDS
    assert there.list_unanswered("you") == []
    tell(here, there.add("me", ENDED[:499]))
    assert here.list_unanswered("me") == there.list_unanswered("me") == IDS[499:]


def test_a_notification_is_short_enough_and_says_only_what_is_new() -> None:
    notes = AnswerNotes()
    assert all(len(payload) < 8000 for payload in notes.add("x" * 200, RUNNING))
    assert notes.add("x" * 200, RUNNING) == []
    assert notes.add("me", ENDED) == [], "most jobs are answered once, when they have ended: nobody needs to hear of it"


def test_what_a_server_said_itself_changes_nothing_when_it_comes_back() -> None:
    """The notification may come after the end was answered as well."""
    notes = AnswerNotes()
    said = notes.add("me", RUNNING)
    notes.add("me", ENDED)
    tell(notes, said)
    assert notes.list_unanswered("me") == []


@pytest.mark.parametrize(
    "payload", ["", "x", "[]", "1", "null", "{}", '{"sender": "a"}', '{"sender": "a", "caller": "me", "ended": 1}']
)
def test_what_is_none_of_ours_is_passed_over(payload: str) -> None:
    """Anybody with a session at the database may write to its channels."""
    notes = AnswerNotes()
    notes.add("me", RUNNING)
    notes.hear(payload)
    assert notes.list_unanswered("me") == IDS
