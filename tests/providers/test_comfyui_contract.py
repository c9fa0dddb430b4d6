"""ComfyUI keeps what every provider promises, and says what only it can say: what became of a submit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    AccountRefused,
    AuthenticationFailed,
    ImageRefused,
    InvalidRequest,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import TaskFailed, TaskPending, TaskRunning, TaskSucceeded, UpstreamTask
from atelier_mcp.server.providers.comfyui.provider import ComfyuiProvider
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.operation import NamedJobOperation
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing.provider_calls import ignore_progress, submit
from atelier_mcp.testing import PollContract, ScriptedService, SubmitContract
from tests.support.comfyui_script import (
    KEY,
    PAID_TASK,
    PNG,
    PROMPT_ID,
    TASK,
    answer_with_id,
    build_entry,
    build_refusal,
    make_provider,
    make_request,
    script_nodes,
)
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from atelier_mcp.server.providers.base import SubmitAnswer
    from atelier_mcp.server.providers.provider import Provider
    from tests.support.clock import AutoAdvanceClock
    from tests.support.upstream_script import UpstreamScript

EMPTY_QUEUE = build_response({"queue_running": [], "queue_pending": []})
RUNNING = build_response({"queue_running": [[1, PROMPT_ID, {}, {}, ["save"]]], "queue_pending": []})
WAITING = build_response({"queue_running": [], "queue_pending": [[2, PROMPT_ID, {}, {}, ["save"]]]})
NO_HISTORY = build_response({})
NO_FILE = build_response("", 404)
HISTORY = f"/history/{PROMPT_ID}"
ACCEPTED = build_response({"prompt_id": PROMPT_ID, "number": 1, "node_errors": {}})

SERVICE = ScriptedService(
    make_provider=make_provider,
    request=make_request(),
    submit_path="/prompt",
    accepted=ACCEPTED,
    outcome=TASK,
    poll_path="/queue",
    running_answer=RUNNING,
    refusals={
        AuthenticationFailed: build_response("", 401),
        AccountRefused: build_response("", 403),
        InvalidRequest: build_refusal("no"),
        ImageRefused: build_response("", 413),
    },
    too_fast=build_response("", 429),
    build_refusal=build_refusal,
    secrets=(KEY,),
    # Where a lost answer is asked about, nobody answers: then nothing is known, and nothing is sent again.
    other_answers={**script_nodes(), "/queue": build_response("", 503), HISTORY: build_response("", 503)},
)


def name_alike(_job_id: str) -> str:
    """The same id for every job."""
    return PROMPT_ID


class ComfyuiFixtures:
    """The scripted ComfyUI."""

    @pytest.fixture
    def service(self) -> ScriptedService:
        return SERVICE


class TestComfyuiSubmits(ComfyuiFixtures, SubmitContract):
    """What every provider promises."""

    @pytest.fixture(autouse=True)
    def task_of_our_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every job has the same id here, since the answers are written down."""
        monkeypatch.setattr("atelier_mcp.server.providers.comfyui.operation.name_prompt", name_alike)


class TestComfyuiPolls(ComfyuiFixtures, PollContract):
    """What every provider promises of polls."""


# What only ComfyUI has: an id of ours.


@pytest.fixture
async def provider(script: UpstreamScript, clock: AutoAdvanceClock) -> Any:
    for path, answer in script_nodes().items():
        script.set_steps(path, answer)
    provider = make_provider(script, clock)
    yield provider
    await provider.close()


async def submit_as(provider: Provider, task: UpstreamTask) -> SubmitAnswer:
    operation = provider.operations["generate_image"]
    assert isinstance(operation, NamedJobOperation)
    with raise_rejection_errors():
        return await operation.submit_as(task, make_request(), {}, ignore_progress)


async def test_the_id_is_a_uuid_of_the_jobs_and_of_no_other(provider: ComfyuiProvider) -> None:
    operation = provider.operations["generate_image"]
    assert isinstance(operation, NamedJobOperation)
    one, same, other = [await operation.name_task(make_request(), job_id) for job_id in ("job_a", "job_a", "job_b")]
    assert one == same != other
    assert one.id == one.id.lower()
    assert [len(part) for part in one.id.split("-")] == [8, 4, 4, 4, 12]


@pytest.mark.parametrize(
    ("queue", "history"), [(RUNNING, NO_HISTORY), (WAITING, NO_HISTORY), (EMPTY_QUEUE, build_response(build_entry()))]
)
async def test_a_lost_answer_is_looked_for_where_the_job_is(
    provider: ComfyuiProvider, script: UpstreamScript, queue: httpx2.Response, history: httpx2.Response
) -> None:
    """The queue before the history: a job that moves on between the two cannot slip through."""
    script.set_steps("/prompt", [httpx2.ReadError("no"), ACCEPTED])
    script.set_steps("/queue", queue)
    script.set_steps(HISTORY, history)
    assert await submit_as(provider, TASK) == TASK
    asked = [path for path in script.list_paths() if path in ("/prompt", "/queue", HISTORY)]
    assert asked in (["/prompt", "/queue"], ["/prompt", "/queue", HISTORY])


async def test_it_is_sent_again_only_when_it_is_nowhere_twice(
    provider: ComfyuiProvider, script: UpstreamScript, clock: AutoAdvanceClock
) -> None:
    """Five seconds apart, and not even a file of it is there: the same id, the same graph."""
    script.set_steps("/prompt", [httpx2.ReadError("no"), ACCEPTED])
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps(HISTORY, NO_HISTORY)
    script.set_steps("/view", NO_FILE)
    assert await submit_as(provider, TASK) == TASK
    asked = [path for path in script.list_paths() if not path.startswith("/object_info")]
    assert asked == ["/prompt", "/queue", HISTORY, "/queue", HISTORY, "/view", "/prompt"]
    assert 5.0 in clock.sleeps_s
    first, second = [request.body for request in script.requests if request.path == "/prompt"]
    assert first == second


@pytest.mark.parametrize("found_at", ["/queue", HISTORY, "/view"])
async def test_what_turns_up_at_the_second_look_is_not_sent_again(
    provider: ComfyuiProvider, script: UpstreamScript, found_at: str
) -> None:
    script.set_steps("/prompt", [httpx2.ReadError("no"), ACCEPTED])
    script.set_steps("/queue", [EMPTY_QUEUE, RUNNING if found_at == "/queue" else EMPTY_QUEUE])
    script.set_steps(HISTORY, [NO_HISTORY, build_response(build_entry()) if found_at == HISTORY else NO_HISTORY])
    script.set_steps("/view", httpx2.Response(200, content=PNG) if found_at == "/view" else NO_FILE)
    assert await submit_as(provider, TASK) == TASK
    assert script.list_paths().count("/prompt") == 1


async def test_what_costs_credits_is_never_sent_again(provider: ComfyuiProvider, script: UpstreamScript) -> None:
    script.set_steps("/prompt", [httpx2.ReadError("no"), ACCEPTED])
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps(HISTORY, NO_HISTORY)
    script.set_steps("/view", NO_FILE)
    with pytest.raises(SubmitUnconfirmed):
        await submit_as(provider, PAID_TASK)
    assert script.list_paths().count("/prompt") == 1


async def test_an_id_that_the_server_made_itself_is_the_one_that_counts(
    provider: ComfyuiProvider, script: UpstreamScript
) -> None:
    """Before 2025 servers did not take ours."""
    script.set_steps("/prompt", build_response({"prompt_id": "theirs", "number": 1, "node_errors": []}))
    assert await submit(provider, make_request()) == UpstreamTask("theirs", "prompt")


async def test_a_map_that_nothing_there_can_make_is_refused_with_what_is_missing(
    provider: ComfyuiProvider, script: UpstreamScript
) -> None:
    nets = build_response({"ControlNetLoader": {"input": {"required": {"control_net_name": [["depth.pth"], {}]}}}})
    script.set_steps("/object_info/ControlNetLoader", nets)
    script.set_steps("/object_info/AIO_Preprocessor", build_response({}))
    depth = {"type": "depth", "image": "https://pictures.example/a.png"}
    request = GenerateImage.model_validate({"prompt": "x", "controls": [depth]})
    with pytest.raises(InvalidRequest, match=r"it lacks AIO_Preprocessor of comfyui_controlnet_aux"):
        await provider.operations["generate_image"].plan(request, {})


# What a poll says


async def poll(provider: ComfyuiProvider, task: UpstreamTask = TASK) -> Any:
    return (await provider.poll([task])).get(task.id)


async def test_waiting_and_running_are_told_apart(provider: ComfyuiProvider, script: UpstreamScript) -> None:
    script.set_steps("/queue", [WAITING, RUNNING])
    assert await poll(provider) == TaskPending()
    assert await poll(provider) == TaskRunning()


async def test_a_finished_job_has_its_pictures_and_their_seeds(
    provider: ComfyuiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps(HISTORY, build_response(build_entry(seeds=(7, 8))))
    script.set_steps("/view", httpx2.Response(200, content=PNG))
    done = await poll(provider)
    assert isinstance(done, TaskSucceeded)
    assert [output.seed for output in done.outputs] == [7, 8]
    queries = [request.query for request in script.requests if request.path == "/view"]
    assert queries[0] == {"filename": f"{PROMPT_ID}_00001_.png", "subfolder": "atelier", "type": "output"}


async def test_one_look_into_queue_and_history_serves_all(provider: ComfyuiProvider, script: UpstreamScript) -> None:
    tasks = [UpstreamTask(f"{PROMPT_ID[:-1]}{number}", "prompt") for number in range(9)]
    waiting: list[Any] = [[number, task.id, {}, {}, []] for number, task in enumerate(tasks[:6])]
    script.set_steps("/queue", build_response({"queue_running": [], "queue_pending": waiting}))
    entries = {key: entry for task in tasks[6:] for key, entry in build_entry(task.id).items()}
    script.set_steps("/history", build_response(entries))
    script.set_steps("/view", httpx2.Response(200, content=PNG))
    snapshots = await provider.poll(tasks)
    kinds = [type(snapshots[task.id]) for task in tasks]
    assert kinds == [TaskPending] * 6 + [TaskSucceeded] * 3
    assert [path for path in script.list_paths() if path != "/view"] == ["/queue", "/history"]


ENDS: dict[str, tuple[list[Any], str]] = {
    "error": (
        [["execution_error", {"node_type": "KSampler", "exception_message": "full"}]],
        "In KSampler: ComfyUI says",
    ),
    "interrupted": ([["execution_start", {}], ["execution_interrupted", {}]], "interrupted"),
    "silent": ([], "gave no reason"),
}


@pytest.mark.parametrize(("messages", "words"), ENDS.values(), ids=ENDS)
async def test_a_failed_job_says_why_and_costs_nothing(
    provider: ComfyuiProvider, script: UpstreamScript, messages: list[Any], words: str
) -> None:
    entry = build_entry()
    entry[PROMPT_ID] |= {"outputs": {}, "status": {"status_str": "error", "completed": False, "messages": messages}}
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps(HISTORY, build_response(entry))
    failed = await poll(provider)
    assert isinstance(failed, TaskFailed)
    assert words in str(failed.reason)
    assert "Nothing was spent." in str(failed.reason)


@pytest.mark.parametrize(("task", "reason"), [(TASK, UpstreamFailed), (PAID_TASK, SubmitUnconfirmed)])
async def test_a_job_that_is_nowhere_is_lost_and_if_it_costs_unconfirmed(
    provider: ComfyuiProvider, script: UpstreamScript, clock: AutoAdvanceClock, task: UpstreamTask, reason: type[Any]
) -> None:
    script.set_steps("/queue", EMPTY_QUEUE)
    script.set_steps(HISTORY, NO_HISTORY)
    script.set_steps("/view", NO_FILE)
    failed = await poll(provider, task)
    assert isinstance(failed, TaskFailed)
    assert isinstance(failed.reason, reason)
    assert 5.0 in clock.sleeps_s


async def test_the_cloud_has_its_header_and_its_history(script: UpstreamScript, clock: AutoAdvanceClock) -> None:
    cloud = ComfyuiProvider(
        base_url="https://cloud.comfy.org/api", api_key=KEY, clock=clock, transport=script.transport
    )
    for path, answer in script_nodes().items():
        script.set_steps(f"/api{path}", answer)
    script.set_steps("/api/prompt", answer_with_id)
    script.set_steps("/api/queue", EMPTY_QUEUE)
    task = await submit(cloud, make_request())
    assert isinstance(task, UpstreamTask)
    assert task.kind == PAID_TASK.kind
    script.set_steps(f"/api/history_v2/{task.id}", build_response(build_entry(task.id)))
    script.set_steps("/api/view", httpx2.Response(200, content=PNG))
    assert isinstance((await cloud.poll([task]))[task.id], TaskSucceeded)
    assert {request.headers.get("x-api-key") for request in script.requests} == {KEY}
    await cloud.close()


async def test_nothing_of_ours_is_sent_that_makes_a_local_server_refuse(
    provider: ComfyuiProvider, script: UpstreamScript
) -> None:
    script.set_steps("/prompt", answer_with_id)
    await submit(provider, make_request())
    assert not [request for request in script.requests if "origin" in request.headers]
