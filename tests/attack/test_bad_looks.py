"""A paid job outlives every answer to a look at it that is not the service's own word about this very task."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.bad_gateway import BadAnswer
from tests.support.stepped_server import UPSTREAMS, SteppedServer, Upstream
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

NGINX: Final = b"<html><head><title>404 Not Found</title></head><body><center>nginx</center></body></html>"
STATUSES: Final = (400, 401, 403, 404, 405, 408, 409, 410, 413, 418, 421, 425, 429, 451, 500, 502, 503, 504, 507, 520)
PAGES: Final = [BadAnswer(f"page {status}", status, NGINX) for status in STATUSES]
EMPTY: Final = [BadAnswer(f"empty {status}", status) for status in (200, 204, 400, 404, 410, 502)]
REDIRECTS: Final = [
    BadAnswer(f"redirect {status}", status, headers=((b"location", b"/login"),)) for status in (301, 302, 303, 307, 308)
]
GATEWAY_BODIES: Final[list[dict[str, Any]]] = [
    {"message": "no Route matched with those values"},
    {"error": "Not Found"},
    {"error": "Forbidden", "status": 403},
    {"error_msg": "404 Route Not Found"},
    {"detail": "Not Found"},
    {"code": 404, "msg": "not found"},
    {"code": 5, "message": "Not Found", "details": []},
    {"statusCode": 404, "message": "Resource not found"},
    {"message": "Forbidden"},
    {"errors": [{"code": 1003, "message": "gone"}]},
]
"""What gateways say in JSON, without a word of the task."""
GATEWAY_WORDS: Final = [
    BadAnswer(f"gateway {status} {number}", status, json.dumps(body).encode(), b"application/json")
    for status in (200, 400, 403, 404, 410)
    for number, body in enumerate(GATEWAY_BODIES)
]
ODD_BODIES: Final = [
    b"not json", b"{", b'{"state": ', b"null", b"[]", b"{}", b"0", b"true", b'"FAILED"', b"[" * 100_000, b"\xff\xfe",
    b'{"state": {"a": 1}}', b'{"state": null}', b'{"state": []}', b'{"data": 7}', b'{"data": []}', b'{"info": "x"}',
    b'{"state": "SUCCESS", "images": "oops"}', b'{"code": 1e999}', b'{"statusCode": 1e999}', b'{"code": "x"}',
    b'{"state": "FAILED", "task_id": "of-somebody-else"}', b'{"state": "done", "task_id": "of-somebody-else"}',
    b'{"status": "failed", "InferenceJobId": "of-somebody-else"}', b'{"data": {"status": "failed", "id": "another"}}',
]  # fmt: skip
ODD: Final = [BadAnswer(f"odd {number}", 200, body, b"application/json") for number, body in enumerate(ODD_BODIES)]
OTHERS: Final = [*EMPTY, *REDIRECTS, *GATEWAY_WORDS, *ODD]
BAD_ANSWERS: Final = PAGES + (OTHERS if os.environ.get("ATTACK") == "full" else OTHERS[::4])
"""All with ``ATTACK=full``; else every status, and some of each other kind."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[SteppedServer]:
    """Where the server lives."""
    async with SteppedServer(home=tmp_path / "home", monkeypatch=monkeypatch) as running:
        yield running


def split(answers: Sequence[BadAnswer], size: int) -> list[Sequence[BadAnswer]]:
    """The answers in parts."""
    return [answers[start : start + size] for start in range(0, len(answers), size)]


@pytest.mark.parametrize("upstream", UPSTREAMS, ids=str)
async def test_no_bad_answer_ends_a_job(world: SteppedServer, upstream: Upstream) -> None:
    """Each job meets a dozen, one look after the other, and is finished when the service can be reached again."""
    killed: list[str] = []
    async with world.connect(upstream) as client:
        for number, answers in enumerate(split(BAD_ANSWERS, 12)):
            job_id = await world.start_job(client, f"kite {number}")
            for answer in answers:
                world.gateway.answer, world.gateway.bad_count = answer, 0
                await world.clock.advance(200, until=lambda: world.gateway.bad_count > 0)
                if not world.gateway.bad_count:  # nobody looks at a job that has ended
                    break
            world.recover()
            job = await world.wait_for_end(client, job_id)
            if job["state"] != "succeeded":
                killed.append(f"{', '.join(a.name for a in answers)}: {job['state']} {job['notes']}")
    print(f"{upstream}: {len(BAD_ANSWERS)} bad answers, {len(killed)} jobs killed")  # for people
    assert not killed, "\n".join(killed)


@pytest.mark.parametrize("upstream", UPSTREAMS, ids=str)
async def test_eight_jobs_of_eight_survive_eight_seconds_of_404(world: SteppedServer, upstream: Upstream) -> None:
    """A gateway that was restarted has no route to the service for a while."""
    async with world.connect(upstream) as client:
        job_ids = [await world.start_job(client, f"kite {number}") for number in range(8)]
        world.gateway.answer = PAGES[STATUSES.index(404)]
        await world.clock.advance(8)
        # Where tasks are asked about one by one and nobody waits, eight seconds are too short for a look at each.
        await world.clock.advance(60, until=lambda: world.gateway.bad_count >= 8)
        world.recover()
        answer = await world.call(client, "wait_for_jobs", job_ids=job_ids, wait_s=45)
        assert [job["state"] for job in get_structured(answer)["jobs"]] == ["succeeded"] * 8


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("upstream", UPSTREAMS, ids=str)
async def test_a_job_waits_for_a_key_that_has_expired_and_says_so(
    world: SteppedServer, upstream: Upstream, status: int
) -> None:
    """The operator can mend that; the job is paid for."""
    async with world.connect(upstream) as client:
        job_id = await world.start_job(client, "a kite")
        world.gateway.answer = PAGES[STATUSES.index(status)]
        await world.clock.advance(120, until=lambda: world.gateway.bad_count >= 12)
        waiting = await world.call(client, "wait_for_jobs", job_ids=[job_id], wait_s=1)
        (job,) = get_structured(waiting)["jobs"]
        assert job["state"] in {"queued", "running"}
        assert "cannot be followed at the moment" in get_text(waiting)
        world.recover()
        finished = await world.wait_for_end(client, job_id)
        assert finished["state"] == "succeeded"
        assert "cannot be followed" not in " ".join(finished["notes"])


UNKNOWN_TASKS: Final = {
    "mhapi": b'{"error": {"code": 5, "message": "no such task", "details": []}}',
    "miaohua": b'{"code": 106, "msg": "the task does not exist"}',
}
"""What the contracts say of a task that is not there."""


@pytest.mark.parametrize("upstream", UPSTREAMS[:2], ids=str)
async def test_a_task_that_is_unknown_for_a_minute_is_not_given_up(world: SteppedServer, upstream: Upstream) -> None:
    """Right after a submit, or behind a gateway that goes astray, the service's own word can be wrong."""
    async with world.connect(upstream) as client:
        job_id = await world.start_job(client, "a kite")
        world.gateway.answer = BadAnswer("unknown", 404, UNKNOWN_TASKS[upstream.name], b"application/json")
        await world.clock.advance(60)
        world.recover()
        assert (await world.wait_for_end(client, job_id))["state"] == "succeeded"


@pytest.mark.parametrize("upstream", UPSTREAMS[:2], ids=str)
async def test_a_task_that_stays_unknown_ends_its_job_long_before_the_deadline(
    world: SteppedServer, upstream: Upstream
) -> None:
    """It is said in the service's words, and it stays charged."""
    async with world.connect(upstream, ATELIER_BUDGET_PER_DAY="1") as client:
        job_id = await world.start_job(client, "a kite")
        world.gateway.answer = BadAnswer("unknown", 404, UNKNOWN_TASKS[upstream.name], b"application/json")
        await world.clock.advance(400)
        job = await world.wait_for_end(client, job_id)
        assert job["state"] == "failed"
        assert "no longer knows this task" in " ".join(job["notes"])
        assert "may have been charged" in " ".join(job["notes"])
        again = get_refusal(await world.call(client, "generate_image", prompt="a kite", wait_s=1))
        assert "ATELIER_BUDGET_PER_DAY" in again
