"""Clients that declare the tasks extension: a call that would wait goes on as a task, which any server answers for."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.http_process import serve_in_process
from tests.support.raw_session import open_raw_session
from tests.support.server_process import spawn_server
from tests.support.task_client import EXTENSION, PollingClient, open_http_caller, open_stdio_caller
from tests.support.task_doors import caller, open_door, open_http
from tests.support.tool_results import get_structured, list_submits

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.support.emulator_harness import EmulatorHarness, FakeEngine
    from tests.support.postgres import PostgresServer
    from tests.support.task_client import TaskCaller

    Environ = dict[str, str]
    Door = Callable[..., AbstractAsyncContextManager[TaskCaller]]

__all__ = ["caller", "open_door"]  # fixtures

KITE: dict[str, Any] = {"prompt": "a red kite", "seed": 7}
NOT_FOUND = {"code": -32602, "message": "There is no task of this id."}


async def test_a_call_that_would_wait_becomes_a_task_with_the_jobs_id(open_door: Door, engine: FakeEngine) -> None:
    engine.answer_gate.clear()
    async with open_door() as caller:
        created = await caller.call("generate_image", **KITE)
        assert created["resultType"] == "task"
        assert created["status"] == "working"
        assert created["taskId"].startswith("job_")
        working = await caller.get(created["taskId"])
        assert working["resultType"] == "complete"
        assert working["status"] == "working"
        assert "result" not in working
        assert created["createdAt"] == working["createdAt"] <= working["lastUpdatedAt"]
        assert created["ttlMs"] is None
        assert created["taskId"] in working["statusMessage"]
        engine.answer_gate.set()
        over = await caller.finish(created["taskId"])
    assert over["status"] == "completed"
    assert over["result"]["_meta"]["atelier/result"]["job_id"] == created["taskId"]
    assert [block["type"] for block in over["result"]["content"]] == ["text", "image"]


async def test_a_task_ends_with_the_very_answer_of_a_call_that_waits(caller: TaskCaller) -> None:
    """Text, pictures and facts."""
    await caller.finish(await caller.start(prompt="what is told once a session is told"))
    task_id = await caller.start(**KITE)
    own = (await caller.finish(task_id))["result"]
    caller.capabilities = {}
    plain = await caller.call("generate_image", **KITE)
    assert own.keys() == plain.keys()
    assert own["content"][1:] == plain["content"][1:]
    assert own["isError"] is plain["isError"] is False
    facts, plain_facts = (result["_meta"]["atelier/result"] for result in (own, plain))
    assert facts == {**plain_facts, "job_id": task_id}
    assert own["content"][0]["text"] == plain["content"][0]["text"].replace(plain_facts["job_id"], task_id)


async def test_a_client_that_does_not_declare_it_sees_no_difference(open_door: Door) -> None:
    """Declared once is not declared for every request."""
    async with open_door() as caller:
        task_id = await caller.start(**KITE)
        for capabilities in ("{}", '{"extensions": {}}', '{"extensions": {"io.modelcontextprotocol/ui": {}}}'):
            caller.capabilities = json.loads(capabilities)
            waited = await caller.call("wait_for_jobs", job_ids=[task_id])
            assert waited["resultType"] == "complete"
            assert waited["_meta"]["atelier/result"]["jobs"][0]["state"] == "succeeded"
            for method in ("tasks/get", "tasks/update", "tasks/cancel"):
                error = (await caller.ask(method, taskId=task_id))["error"]
                assert error["code"] == -32021
                assert error["data"] == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        made = await caller.call("generate_image", **KITE)
    assert made["resultType"] == "complete"
    assert made["_meta"]["atelier/result"]["state"] == "succeeded"


async def test_the_extension_is_told_of_where_it_is_known(caller: TaskCaller, environ: Environ) -> None:
    """A session with a handshake is of a revision that has none of it, whatever its client declares."""
    discovered = await caller.request("server/discover")
    assert discovered["capabilities"]["extensions"][EXTENSION] == {}
    async with open_raw_session(create_server(load_settings(environ))) as session:
        begun = await session.initialize("2025-11-25")
        assert EXTENSION not in json.dumps(begun)
        session.send({"id": 9, "method": "tasks/get", "params": {"taskId": "job_aaaaaaaaaaaaaaaa"}})
        assert (await session.receive())["error"]["code"] == -32601


async def test_answers_that_are_there_at_once_are_no_tasks(caller: TaskCaller) -> None:
    """Neither is that of a call which says not to wait: its model goes on with the job's id."""
    listed = await caller.call("list_jobs")
    begun = await caller.call("generate_image", **KITE, wait_s=0)
    job_id = begun["_meta"]["atelier/result"]["job_id"]
    await caller.finish(job_id)
    waited = await caller.call("wait_for_jobs", job_ids=[job_id])
    assert {answer["resultType"] for answer in (listed, begun, waited)} == {"complete"}


@pytest.mark.parametrize(
    ("arguments", "more", "words"),
    [
        ({"prompt": "a kite", "samples": 99}, {}, "samples"),
        ({"prompt": "a kite", "samples": 3}, {"ATELIER_BUDGET_PER_JOB": "2"}, "ATELIER_BUDGET_PER_JOB"),
        ({"prompt": "a kite", "provider": "nowhere"}, {}, "provider"),
    ],
)
async def test_a_refusal_is_an_answer_and_leaves_no_task(
    open_door: Door, tmp_path: Path, arguments: dict[str, Any], more: dict[str, str], words: str
) -> None:
    async with open_door(**more) as caller:
        refused = await caller.call("generate_image", **arguments)
        assert (await caller.call("list_jobs"))["_meta"]["atelier/result"]["jobs"] == []
    assert refused["resultType"] == "complete"
    assert refused["isError"] is True
    assert words in refused["content"][0]["text"]
    assert list_submits(tmp_path / "access.jsonl") == []


async def test_a_refusal_of_the_service_is_an_answer(caller: TaskCaller, site: EmulatorHarness) -> None:
    await site.call_control("POST", "/faults", {"kind": "status", "status": 403, "path": "/v1/imgenstd/imgen"})
    refused = await caller.call("generate_image", **KITE)
    assert refused["isError"] is True
    assert "Nothing was spent." in refused["content"][0]["text"]


async def test_a_job_that_fails_completes_its_task_with_the_words_of_the_tool(
    caller: TaskCaller, site: EmulatorHarness, engine: FakeEngine
) -> None:
    """``failed`` is for errors of the protocol."""
    engine.answer_gate.clear()
    task_id = await caller.start(**KITE)
    engine.error = RuntimeError("the machine is on fire")
    engine.answer_gate.set()
    over = await caller.finish(task_id)
    assert over["status"] == "completed"
    assert over["result"]["isError"] is True
    assert f"Job {task_id} failed" in over["result"]["content"][0]["text"]


async def test_the_same_call_again_is_the_same_task_and_is_paid_once(
    caller: TaskCaller, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    first, second = await caller.call("generate_image", **KITE), await caller.call("generate_image", **KITE)
    assert first["taskId"] == second["taskId"]
    assert "nothing was paid twice" in second["statusMessage"]
    engine.answer_gate.set()
    await caller.finish(first["taskId"])
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_what_is_to_be_said_of_an_argument_is_said_with_the_task(
    caller: TaskCaller, photos: Path, tmp_path: Path
) -> None:
    """As beside an answer; also for a tool that changes a picture."""
    picture = tmp_path / "house.jpg"
    picture.write_bytes(next(photos.glob("*.jpg")).read_bytes())
    created = await caller.call("outpaint_image", image=str(picture), ratio=2)
    assert created["resultType"] == "task", created
    assert created["statusMessage"].startswith("ratio is called scale now. Job job_")
    over = await caller.finish(created["taskId"])
    assert over["result"]["_meta"]["atelier/result"]["state"] == "succeeded"


async def test_a_task_is_there_after_a_restart(open_door: Door, engine: FakeEngine) -> None:
    engine.answer_gate.clear()
    async with open_door() as caller:
        task_id = await caller.start(**KITE)
        waiting_id = await caller.start("wait_for_jobs", job_ids=[task_id])
    async with open_door() as caller:
        assert (await caller.get(task_id))["status"] == (await caller.get(waiting_id))["status"] == "working"
        engine.answer_gate.set()
        assert (await caller.finish(task_id))["result"]["isError"] is False
    async with open_door() as caller:
        over = [await caller.get(name) for name in (task_id, waiting_id)]
    assert [one["status"] for one in over] == ["completed", "completed"]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
async def test_a_task_of_a_server_that_was_killed_is_answered_by_the_next(
    environ: Environ, site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    pid_file, task_id = tmp_path / "pid", ""
    try:
        async with spawn_server(environ, pid_file=pid_file, extensions=[PollingClient()]) as client:
            created: Any = await client.session.call_tool("generate_image", KITE, allow_claimed=True)
            task_id = created.task_id
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    except BaseExceptionGroup:
        assert task_id, "the server was killed on purpose, but only after it had answered"
    engine.answer_gate.set()
    async with open_stdio_caller(environ) as caller:
        over = await caller.finish(task_id)
    assert over["result"]["_meta"]["atelier/result"]["state"] == "succeeded"
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_two_processes_on_one_ledger_answer_for_each_others_tasks(
    environ: Environ, site: EmulatorHarness, engine: FakeEngine, tmp_path: Path
) -> None:
    engine.answer_gate.clear()
    with (
        serve_in_process(tmp_path, environ=environ, log_name="one.log") as (one, _),
        serve_in_process(tmp_path, environ=environ, log_name="two.log") as (two, _),
    ):
        async with open_http_caller(one) as first, open_http_caller(two) as second:
            task_id, given_up_id = await first.start(**KITE), await first.start(prompt="a blue kite")
            assert (await second.get(task_id))["status"] == "working"
            await second.request("tasks/cancel", taskId=given_up_id)
            assert (await first.get(given_up_id))["status"] == "cancelled"
            engine.answer_gate.set()
            over = [await caller.finish(task_id) for caller in (second, first)]
    assert [task["status"] for task in over] == ["completed", "completed"]
    assert over[0]["result"]["content"] == over[1]["result"]["content"]


async def test_replicas_answer_for_each_others_tasks(
    environ: Environ, postgres: PostgresServer, engine: FakeEngine
) -> None:
    """On PostgreSQL, each behind a transport of its own."""
    shared = {**environ, "ATELIER_DATABASE_URL": postgres.create_ledger_url()}
    engine.answer_gate.clear()
    async with open_http(shared) as first, open_http(shared) as second:
        task_id = await first.start(**KITE)
        waiting_id = await second.start("wait_for_jobs", job_ids=[task_id])
        for odd_id in ("job_" + "\N{BLACK STAR}" * 50, "\N{LATIN SMALL LETTER E WITH ACUTE}"):
            assert (await second.ask("tasks/get", taskId=odd_id))["error"] == NOT_FOUND
        engine.answer_gate.set()
        assert (await first.finish(waiting_id))["status"] == "completed"
        assert (await second.finish(task_id))["status"] == "completed"


async def test_a_cancelled_task_is_a_cancelled_job(open_door: Door, engine: FakeEngine, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    async with open_door() as caller:
        task_id = await caller.start(**KITE)
        acknowledged = await caller.request("tasks/cancel", taskId=task_id)
        assert acknowledged == {"resultType": "complete"}
        over = await caller.get(task_id)
        (job,) = (await caller.call("list_jobs"))["_meta"]["atelier/result"]["jobs"]
    assert over["status"] == job["state"] == "cancelled"
    assert "cancelled" in over["statusMessage"]
    assert "mhapi" in over["statusMessage"]
    assert "result" not in over


async def test_a_task_that_is_over_is_left_as_it_is(caller: TaskCaller) -> None:
    task_id = await caller.start(**KITE)
    over = await caller.finish(task_id)
    await caller.request("tasks/cancel", taskId=task_id)
    await caller.request("tasks/update", taskId=task_id, inputResponses={"consent": {"action": "accept"}})
    assert (await caller.get(task_id))["status"] == over["status"] == "completed"


async def test_a_job_that_is_still_being_sent_is_a_task_and_can_be_cancelled(
    caller: TaskCaller, site: EmulatorHarness, tmp_path: Path
) -> None:
    """The service takes its time to answer; the client need not."""
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    await site.call_control("POST", "/faults", {"kind": "slow", "delay_s": 3, "path": "/v1/imgenstd/imgen"})
    created = await caller.call("generate_image", **KITE)
    assert "submitting" in created["statusMessage"]
    await caller.request("tasks/cancel", taskId=created["taskId"])
    assert (await caller.get(created["taskId"]))["status"] == "cancelled"
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


CONSENT = {"ATELIER_CONFIRM_ABOVE_PICTURES": "2"}
DEAR: dict[str, Any] = {**KITE, "samples": 3}


async def ask_for_consent(caller: TaskCaller) -> dict[str, Any]:
    """The question that stands before a task."""
    caller.capabilities = {"extensions": {EXTENSION: {}}, "elicitation": {"form": {}}}
    question = await caller.call("generate_image", **DEAR)
    assert question["resultType"] == "input_required"
    assert list(question["inputRequests"]) == ["consent"]
    return question


async def answer(caller: TaskCaller, question: dict[str, Any], action: str) -> dict[str, Any]:
    return await caller.request(
        "tools/call",
        name="generate_image",
        arguments=DEAR,
        requestState=question["requestState"],
        inputResponses={"consent": {"action": action, "content": {}}},
    )


async def test_a_person_is_asked_before_there_is_a_task(open_door: Door, engine: FakeEngine, tmp_path: Path) -> None:
    """And their yes makes one task, however often it is sent."""
    engine.answer_gate.clear()
    async with open_door(**CONSENT) as caller:
        question = await ask_for_consent(caller)
        assert list_submits(tmp_path / "access.jsonl") == []
        created = [await answer(caller, question, "accept") for _ in range(2)]
        assert [one["resultType"] for one in created] == ["task", "task"]
        assert created[0]["taskId"] == created[1]["taskId"]
        engine.answer_gate.set()
        over = await caller.finish(created[0]["taskId"])
    assert len(over["result"]["_meta"]["atelier/result"]["images"]) == 3
    assert len(list_submits(tmp_path / "access.jsonl")) == 1


async def test_a_no_leaves_no_task(open_door: Door, tmp_path: Path) -> None:
    async with open_door(**CONSENT) as caller:
        refused = await answer(caller, await ask_for_consent(caller), "decline")
        assert (await caller.call("list_jobs"))["_meta"]["atelier/result"]["jobs"] == []
    assert refused["isError"] is True
    assert list_submits(tmp_path / "access.jsonl") == []


async def test_waiting_for_several_jobs_is_a_task_of_its_own(
    caller: TaskCaller, engine: FakeEngine, site: EmulatorHarness
) -> None:
    """It ends as the tool would, also with a line on the id that no job has."""
    await caller.finish(await caller.start(prompt="what is told once a session is told"))
    engine.answer_gate.clear()
    ids = [await caller.start(prompt=prompt) for prompt in ("a red kite", "a blue kite")]
    created = await caller.call("wait_for_jobs", job_ids=[*ids, "job_nothere"])
    assert created["resultType"] == "task"
    assert created["taskId"] not in ids
    assert created["statusMessage"] == "0 of 2 jobs have ended."
    assert created["createdAt"] == (await caller.get(created["taskId"]))["createdAt"]
    engine.answer_gate.set()
    over = await caller.finish(created["taskId"])
    facts = over["result"]["_meta"]["atelier/result"]
    assert [(job["job_id"], job["state"]) for job in facts["jobs"]] == [(job_id, "succeeded") for job_id in ids]
    assert facts["unknown_ids"] == ["job_nothere"]
    caller.capabilities = {}
    assert over["result"] == await caller.call("wait_for_jobs", job_ids=[*ids, "job_nothere"])


async def test_waiting_for_any_of_several_ends_with_the_first(caller: TaskCaller, site: EmulatorHarness) -> None:
    await site.call_control("PATCH", "/settings", {"task_seconds": 3600})
    slow_id, given_up_id = await caller.start(prompt="a red kite"), await caller.start(prompt="a blue kite")
    both = await caller.start("wait_for_jobs", job_ids=[slow_id, given_up_id])
    either = await caller.start("wait_for_jobs", job_ids=[slow_id, given_up_id], until="any")
    await caller.request("tasks/cancel", taskId=given_up_id)
    over = await caller.get(either)
    assert over["status"] == "completed"
    states = {job["job_id"]: job["state"] for job in over["result"]["_meta"]["atelier/result"]["jobs"]}
    assert states[given_up_id] == "cancelled"
    assert (await caller.get(both))["status"] == "working"


async def test_whoever_stops_waiting_gives_up_no_job(caller: TaskCaller, engine: FakeEngine) -> None:
    engine.answer_gate.clear()
    task_id = await caller.start(**KITE)
    waiting_id = await caller.start("wait_for_jobs")
    await caller.request("tasks/cancel", taskId=waiting_id)
    engine.answer_gate.set()
    assert (await caller.finish(task_id))["result"]["isError"] is False


async def test_what_a_task_told_is_not_told_again(caller: TaskCaller) -> None:
    """Whoever waits without naming a job wants what it has not seen."""
    await caller.finish(await caller.start(**KITE))
    waited = await caller.call("wait_for_jobs")
    assert waited["_meta"]["atelier/result"]["jobs"] == []


async def test_a_task_is_answered_for_while_nothing_can_be_written(
    caller: TaskCaller, environ: Environ, engine: FakeEngine
) -> None:
    """It is read; only how soon its end is noticed hangs on a note."""
    engine.answer_gate.clear()
    task_id = await caller.start(**KITE)
    with closing(sqlite3.connect(load_settings(environ).home / "ledger.sqlite3")) as ledger:
        ledger.execute("CREATE TRIGGER full BEFORE UPDATE ON jobs BEGIN SELECT RAISE(FAIL, 'no room'); END")
        assert (await caller.get(task_id))["status"] == "working"
        ledger.execute("DROP TRIGGER full")
    engine.answer_gate.set()
    assert (await caller.finish(task_id))["result"]["isError"] is False


async def test_a_wait_that_no_id_has_room_for_is_no_task(caller: TaskCaller) -> None:
    """An id travels in a header, too: the call waits as without tasks."""
    task_id = await caller.start(**KITE)
    waited = await caller.call("wait_for_jobs", job_ids=[task_id, "x" * 4_000])
    assert waited["resultType"] == "complete"
    assert waited["_meta"]["atelier/result"]["jobs"][0]["state"] == "succeeded"


async def test_a_task_lives_as_long_as_its_job_is_kept(environ: Environ) -> None:
    async with open_stdio_caller({**environ, "ATELIER_KEEP_DAYS": "2"}) as caller:
        over = await caller.finish(await caller.start(**KITE))
    two_days_ms = 2 * 86_400_000
    assert two_days_ms <= over["ttlMs"] < two_days_ms + 60_000


async def test_a_client_is_told_to_ask_again_when_such_jobs_are_done(
    caller: TaskCaller, site: EmulatorHarness, engine: FakeEngine
) -> None:
    await caller.finish(await caller.start(prompt="the first shows what is usual"))
    engine.answer_gate.clear()
    working = await caller.get(await caller.start(**KITE))
    engine.answer_gate.set()
    assert 500 <= working["pollIntervalMs"] <= 15_000
    assert "such jobs take about" in working["statusMessage"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdks_client_follows_a_task_where_there_is_one(
    environ: Environ, site: EmulatorHarness, mode: Any
) -> None:
    """In a session with a handshake its call waits, as ever."""
    polling = PollingClient()
    async with Client(create_server(load_settings(environ)), mode=mode, extensions=[polling]) as client:
        made = get_structured(await client.call_tool("generate_image", KITE))
        assert made["state"] == "succeeded"
    assert polling.task_ids == ([made["job_id"]] if mode == "auto" else [])
