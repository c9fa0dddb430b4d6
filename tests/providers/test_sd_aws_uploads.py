"""Uploads to Stable Diffusion on AWS: in parts, beside the polls, resumed and never sent twice."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.providers.base import (
    TaskFailed,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.sd_aws.uploads.files import MIN_PART_BYTES
from atelier_mcp.server.providers.sd_aws.uploads.transfer import LEASE_S
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    CreateAwsDataset,
)
from tests.support.sd_aws_script import (
    FILE_BYTES,
    ScriptedDeployment,
    deployment,
    new_provider,
    poll,
    sd_aws,
    submit,
)
from tests.support.upload_files import PNG_SIGNATURE, build_safetensors
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
    from tests.support.clock import AutoAdvanceClock

__all__ = ["deployment", "new_provider", "sd_aws"]  # fixtures


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(build_safetensors(FILE_BYTES))
    return path


async def begin_upload(provider: SdAwsProvider, deployment: ScriptedDeployment, file: Path) -> UpstreamTask:
    links = [f"https://storage.example/part{number}" for number in (1, 2, 3)]
    created = {"statusCode": 200, "checkpoint": {"id": "c9"}, "s3PresignUrl": {file.name: links}}
    deployment.on("POST /checkpoint", build_response(created))
    deployment.on(
        "PUT /checkpoint", build_response({"statusCode": 200, "checkpoint": {"id": "c9", "status": "Initial"}})
    )
    initial, active = (
        build_response({"statusCode": 200, "checkpoints": [{"id": "c9", "status": state}]})
        for state in ("Initial", "Active")
    )
    deployment.on("GET /checkpoints", initial, active)
    request = AddCheckpoint.model_validate({"kind": "Lora", "file": str(file)})
    task = await submit(provider, request)
    assert isinstance(task, UpstreamTask)
    assert task == UpstreamTask("c9", "upload.checkpoint")
    return task


async def give_threads_a_turn() -> None:
    """Let those run that read and write for an upload: a loop that never waits would keep the interpreter to itself."""
    await asyncio.to_thread(lambda: None)


async def finish_upload(provider: SdAwsProvider, task: UpstreamTask) -> TaskSnapshot:
    """How an upload ends; it goes on between the polls."""
    async with asyncio.timeout(5):
        while isinstance(snapshot := await poll(provider, task), TaskRunning):
            assert snapshot.poll_after_s is not None, "its progress is worth more than the usual steps"
            await give_threads_a_turn()
    return snapshot


async def test_an_upload_goes_up_in_parts_and_ends_when_the_list_says_so(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    assert isinstance(await finish_upload(sd_aws, task), TaskSucceeded)
    data = file.read_bytes()
    parts = [data[i : i + MIN_PART_BYTES] for i in range(0, FILE_BYTES, MIN_PART_BYTES)]
    tags = [
        {"ETag": f'"{hashlib.md5(part, usedforsecurity=False).hexdigest()}"', "PartNumber": number}
        for number, part in enumerate(parts, 1)
    ]
    (put,) = [body for method, path, body in deployment.sent if (method, path) == ("PUT", "/checkpoint")]
    assert put == {"checkpoint_id": "c9", "status": "Active", "multi_parts_tags": {file.name: tags}}


async def test_a_poll_sends_nothing_and_says_how_far_the_upload_is(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    sent_count = len(deployment.sent)
    first = await poll(sd_aws, task)
    assert first == TaskRunning(0.0, "uploading", poll_after_s=0.1)
    assert deployment.stored == []
    assert len(deployment.sent) == sent_count
    async with asyncio.timeout(5):
        while not deployment.stored:
            await give_threads_a_turn()


async def test_an_upload_that_was_broken_off_goes_on_with_the_parts_that_are_missing(
    deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    first = new_provider(deployment)
    task = await begin_upload(first, deployment, file)
    deployment.spoil = lambda link: build_response("", 503) if link.endswith("part3") else None
    async with asyncio.timeout(5):
        while not is_interrupted(await poll(first, task)):
            await give_threads_a_turn()
    assert [link[-1] for link in deployment.stored] == ["1", "2"]
    await first.close()
    deployment.spoil = lambda link: None
    assert isinstance(await finish_upload(new_provider(deployment), task), TaskSucceeded)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


def is_interrupted(snapshot: TaskSnapshot) -> bool:
    """Whether an upload waits for its storage to answer again."""
    return isinstance(snapshot, TaskRunning) and "interrupted" in snapshot.note


async def test_a_storage_that_is_away_for_a_while_does_not_end_the_upload(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.spoil = lambda link: build_response("", 503)
    async with asyncio.timeout(5):
        while not is_interrupted(await poll(sd_aws, task)):
            await give_threads_a_turn()
    deployment.spoil = lambda link: None
    assert isinstance(await finish_upload(sd_aws, task), TaskSucceeded)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


async def test_an_upload_that_is_not_polled_any_more_stops_and_the_next_poll_resumes_it(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path, clock: AutoAdvanceClock
) -> None:
    task = await begin_upload(sd_aws, deployment, file)

    def let_time_pass(link: str) -> None:
        clock.advance(LEASE_S + 1)

    deployment.spoil = let_time_pass
    await poll(sd_aws, task)
    async with asyncio.timeout(5):
        while list_uploads_under_way():
            await give_threads_a_turn()
    assert [link[-1] for link in deployment.stored] == ["1"], "whoever has the account now sends the rest"
    deployment.spoil = lambda link: None
    assert isinstance(await finish_upload(sd_aws, task), TaskSucceeded)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


async def test_a_provider_that_is_closed_lets_the_part_on_its_way_arrive_and_leaves_no_task(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    is_under_way = asyncio.Event()
    deployment.spoil = lambda link: is_under_way.set()
    await poll(sd_aws, task)
    async with asyncio.timeout(5):
        await is_under_way.wait()
    await sd_aws.close()
    assert list_uploads_under_way() == []
    assert [link[-1] for link in deployment.stored] == ["1"]
    assert isinstance(await finish_upload(new_provider(deployment), task), TaskSucceeded)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


def list_uploads_under_way() -> list[str]:
    """The names of the background tasks that send files."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("upload ")]


async def test_a_list_that_lags_behind_does_not_have_the_upload_finished_twice(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    initial, active = (
        build_response({"statusCode": 200, "checkpoints": [{"id": "c9", "status": state}]})
        for state in ("Initial", "Active")
    )
    deployment.on("GET /checkpoints", *[initial] * 5, active)
    assert isinstance(await finish_upload(sd_aws, task), TaskSucceeded)
    assert deployment.calls().count("PUT /checkpoint") == 1


async def test_a_new_upload_of_the_same_name_replaces_one_that_is_under_way(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, tmp_path: Path
) -> None:
    """A data set's task is named like the data set, and a second one of a name replaces the first."""
    deployment.on("PUT /dataset", build_response({"statusCode": 200}))
    states = [
        build_response({"datasets": [{"datasetName": "kites", "status": s}]}) for s in ("Initialed",) * 3 + ("Enabled",)
    ]
    deployment.on("GET /datasets", *states)
    tasks: list[Any] = []
    for name in ("old", "new"):
        file = tmp_path / f"{name}.png"
        file.write_bytes(PNG_SIGNATURE + name.encode())
        created = {"statusCode": 200, "s3PresignUrl": {file.name: f"https://storage.example/{name}"}}
        deployment.on("POST /dataset", build_response(created))
        tasks.append(await submit(sd_aws, CreateAwsDataset.model_validate({"name": "kites", "files": [str(file)]})))
        if name == "old":
            await poll(sd_aws, tasks[0])
    done = await finish_upload(sd_aws, tasks[1])
    assert isinstance(done, TaskSucceeded)
    assert deployment.stored[-1] == "https://storage.example/new"


async def test_a_part_that_arrives_changed_is_sent_again_and_in_the_end_given_up(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.spoil = lambda link: httpx2.Response(200, headers={"ETag": f'"{"0" * 32}"'})
    refused = await finish_upload(sd_aws, task)
    assert isinstance(refused, TaskFailed)
    assert "arrived changed" in refused.reason.message


async def test_a_file_that_changes_under_way_ends_its_upload(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    file.write_bytes(b"another file")
    refused = await finish_upload(sd_aws, task)
    assert isinstance(refused, TaskFailed)
    assert "has changed" in refused.reason.message
    assert deployment.stored == []


async def test_a_file_that_was_sent_is_not_needed_any_more(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    """All parts had arrived when the process ended; only the service had not been told."""
    task = await begin_upload(sd_aws, deployment, file)
    deployment.on("PUT /checkpoint", build_response("", 503))
    async with asyncio.timeout(5):
        while "PUT /checkpoint" not in deployment.calls():
            await poll(sd_aws, task)
            await give_threads_a_turn()
    await sd_aws.close()
    file.unlink()
    initial, active = (
        build_response({"statusCode": 200, "checkpoints": [{"id": "c9", "status": state}]})
        for state in ("Initial", "Active")
    )
    deployment.on("GET /checkpoints", initial, initial, active)
    deployment.on("PUT /checkpoint", build_response({"statusCode": 200}))
    assert isinstance(await finish_upload(new_provider(deployment), task), TaskSucceeded)
    assert len(deployment.stored) == 3


async def test_an_expired_link_ends_the_upload(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.spoil = lambda link: build_response("", 403)
    refused = await finish_upload(sd_aws, task)
    assert isinstance(refused, TaskFailed)
    assert "expired" in refused.reason.message


async def test_a_fetch_whose_answer_is_late_is_followed_by_its_files_and_not_repeated(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("POST /upload_checkpoint", build_response({"message": "Endpoint request timed out"}, 504))
    request = AddCheckpoint.model_validate({"kind": "Lora", "links": ["https://models.example/ink.safetensors"]})
    task = await submit(sd_aws, request)
    assert isinstance(await poll(sd_aws, task), TaskRunning)
    there = {"id": "c3", "type": "Lora", "status": "Active", "name": ["ink.safetensors"]}
    deployment.on("GET /checkpoints", build_response({"statusCode": 200, "checkpoints": [there]}))
    done = await poll(sd_aws, task)
    assert isinstance(done, TaskSucceeded)
    assert done.data["checkpoint_id"] == "c3"
    assert deployment.calls(about="upload_checkpoint") == ["POST /upload_checkpoint"]


async def test_the_state_of_an_upload_is_for_its_owner_alone(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path, tmp_path: Path
) -> None:
    await begin_upload(sd_aws, deployment, file)
    (state,) = (tmp_path / "sd_aws" / "uploads").glob("*.json")
    assert state.stat().st_mode & 0o777 == 0o600


REFUSED_CLOSINGS = [
    build_response(
        {"errorMessage": "unexpected keyword", "errorType": "TypeError", "requestId": "r", "stackTrace": []}
    ),
    build_response({"statusCode": 500, "msg": "An error occurred (InvalidPart)"}),
    build_response({"statusCode": 200, "error": "no"}),
]


@pytest.mark.parametrize("reply", REFUSED_CLOSINGS, ids=["crash", "parts", "error"])
async def test_a_closing_call_that_is_refused_is_not_made_again(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path, reply: Any
) -> None:
    """A refusal hides in an HTTP 200 there; taken for a success it would be repeated without end."""
    task = await begin_upload(sd_aws, deployment, file)
    deployment.on("GET /checkpoints", build_response({"checkpoints": [{"id": "c9", "status": "Initial"}]}))
    deployment.on("PUT /checkpoint", reply)
    assert isinstance(await finish_upload(sd_aws, task), TaskFailed)
    assert deployment.calls().count("PUT /checkpoint") == 1


async def test_a_closing_call_without_effect_is_given_up(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path, clock: AutoAdvanceClock
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.on("GET /checkpoints", build_response({"checkpoints": [{"id": "c9", "status": "Initial"}]}))
    async with asyncio.timeout(5):
        while isinstance(snapshot := await poll(sd_aws, task), TaskRunning):
            await clock.sleep(snapshot.poll_after_s or 1)
            await give_threads_a_turn()
    assert isinstance(snapshot, TaskFailed)
    assert deployment.calls().count("PUT /checkpoint") == 3
