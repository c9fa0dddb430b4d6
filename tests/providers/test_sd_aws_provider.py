"""What the provider for Stable Diffusion on AWS promises whatever the service does."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    ProviderUnavailable,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import (
    Provider,
    TaskFailed,
    TaskRunning,
    TaskSnapshot,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
from atelier_mcp.server.providers.sd_aws.uploads.files import MIN_PART_BYTES
from atelier_mcp.server.providers.sd_aws.uploads.transfer import LEASE_S
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    CreateAwsDataset,
    CreateTraining,
    DeleteEndpoints,
    DeployEndpoint,
    ListTrainings,
    StartTraining,
)
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from tests.support.clock import AutoAdvanceClock

KEY = "SK-hidden-everywhere"
READY = {"EndpointDeploymentJobId": "e1", "endpoint_name": "infer-endpoint-one", "endpoint_status": "InService"}
BASE = {"id": "c1", "type": "Stable-diffusion", "status": "Active", "name": ["v1-5.ckpt"]}
FILES = {"statusCode": 200, "checkpoints": [BASE]}
REQUEST = GenerateImage.model_validate({"prompt": "a very private prompt"})
FILE_BYTES = 2 * MIN_PART_BYTES + 1000


class ScriptedDeployment:
    """A service by path, of either generation; links of storage are taken like it does."""

    def __init__(self, generation: str = "2023") -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.stored: list[str] = []
        self.answers: dict[str, list[Any]] = {
            "GET /ping": [
                build_response({"message": "pong"})
                if generation == "2024"
                else build_response({"message": "Forbidden"}, 403)
            ],
            "GET /inference/test-connection": [build_response({"message": "Success"})],
            "GET /endpoints": [build_response([READY])],
            "GET /checkpoints": [build_response(FILES)],
        }
        self.spoil: Callable[[str], httpx2.Response | None] = lambda link: None

    def on(self, call: str, *steps: Any) -> None:
        self.answers[call] = list(steps)

    def calls(self, *, about: str = "") -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.sent if about in path]

    async def handle(self, request: httpx2.Request) -> httpx2.Response:
        content = await request.aread()
        if request.url.host == "storage.example":
            assert "x-api-key" not in request.headers, "the key goes to nobody but the API"
            link = str(request.url)
            if (spoilt := self.spoil(link)) is not None:
                return spoilt
            assert int(request.headers["content-length"]) == len(content)
            self.stored.append(link)
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            return httpx2.Response(200, headers={"ETag": f'"{digest}"'})
        path = request.url.raw_path.decode().partition("?")[0].removeprefix("/prod")
        self.sent.append((request.method, path, json.loads(content) if content else None))
        self.headers.append(dict(request.headers))
        steps = self.answers.get(f"{request.method} {path}")
        if steps is None:
            raise AssertionError(f"unscripted: {request.method} {path}")
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return httpx2.Response(step.status_code, content=step.content)


@pytest.fixture
def deployment() -> ScriptedDeployment:
    return ScriptedDeployment()


@pytest.fixture
async def new_provider(clock: AutoAdvanceClock, tmp_path: Path) -> AsyncGenerator[Callable[..., SdAwsProvider]]:
    """Providers of one installation: they share a folder."""
    opened: list[SdAwsProvider] = []

    def make(deployment: ScriptedDeployment) -> SdAwsProvider:
        provider = SdAwsProvider(
            url="https://x.example/prod", api_key=KEY, username="admin", folder=tmp_path / "sd_aws", clock=clock,
            transport=httpx2.MockTransport(deployment.handle),
        )  # fmt: skip
        opened.append(provider)
        return provider

    yield make
    for provider in opened:
        await provider.close()


@pytest.fixture
def sd_aws(deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider]) -> SdAwsProvider:
    return new_provider(deployment)


async def submit(provider: SdAwsProvider, request: Any = REQUEST) -> UpstreamTask | TaskSucceeded:
    plan = await provider.plan(request, {})
    return await provider.submit(plan.request, {}, lambda share, word: None)


async def poll(provider: SdAwsProvider, task: UpstreamTask | TaskSucceeded) -> TaskSnapshot:
    assert isinstance(task, UpstreamTask)
    return (await provider.poll([task]))[task.id]


async def test_it_is_a_provider(sd_aws: SdAwsProvider) -> None:
    provider: Provider = sd_aws
    assert provider.name == "sd_aws"
    assert provider.account.startswith("sd_aws:")
    assert "SK" not in provider.account


async def test_a_service_that_is_neither_generation_is_the_operators_to_mend(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("GET /inference/test-connection", build_response({"message": "Forbidden"}, 403))
    with pytest.raises(AuthenticationFailed) as caught:
        await sd_aws.plan(REQUEST, {})
    assert "SD_AWS_API_KEY" in caught.value.hint


async def test_the_generation_is_asked_once(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    for _ in range(3):
        await sd_aws.plan(REQUEST, {})
    assert deployment.calls().count("GET /ping") == 1


async def test_an_early_version_of_the_later_generation_gets_the_user_as_hex(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = ScriptedDeployment("2024")
    deployment.on(
        "GET /trainings",
        build_response({"message": "Unauthorized"}, 401),
        build_response({"statusCode": 200, "data": {}}),
    )
    provider = new_provider(deployment)
    assert await provider.execute(ListTrainings.model_validate({}), {}) == {"trainings": []}
    assert [headers.get("authorization") for headers in deployment.headers[-2:]] == [None, "Bearer 61646D696E"]


async def test_without_an_endpoint_the_error_says_how_to_deploy_one_and_that_it_costs(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("GET /endpoints", build_response([]))
    with pytest.raises(InvalidRequest) as caught:
        await sd_aws.plan(REQUEST, {})
    assert "deploy_endpoint" in caught.value.hint
    assert "costs money" in caught.value.hint
    assert deployment.calls(about="endpoints") == ["GET /endpoints"], "nothing is deployed by itself"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (build_response({"statusCode": 400, "errMsg": "no"}), InvalidRequest),
        (build_response({"statusCode": "500,", "errMsg": ["a", "b"]}), InvalidRequest),
        (build_response({"statusCode": 200, "error": "no"}), InvalidRequest),
        (build_response({"status": 400, "err": "no"}), InvalidRequest),
        (build_response({"inference_id": "i1", "status": "failed"}), UpstreamFailed),
        (build_response({"statusCode": 200}), SubmitUnconfirmed),
        (build_response("", 502), SubmitUnconfirmed),
        (build_response({"message": "Endpoint request timed out"}, 504), SubmitUnconfirmed),
        (build_response("<html>"), SubmitUnconfirmed),
        (httpx2.ReadError("broken"), SubmitUnconfirmed),
    ],
    ids=repr,
)
async def test_a_submit_is_sent_once_and_its_failure_found_wherever_it_hides(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, reply: Any, expected: type[AtelierError]
) -> None:
    deployment.on("POST /inference/v2", reply, build_response({"inference_id": "second"}))
    with pytest.raises(expected) as caught:
        await submit(sd_aws)
    assert type(caught.value) is expected
    assert deployment.calls(about="inference/v2") == ["POST /inference/v2"]


async def test_a_prepared_inference_is_uploaded_and_run(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    prepared = {"id": "i1", "api_params_s3_upload_url": "https://storage.example/api_param.json"}
    deployment.on("POST /inference/v2", build_response({"statusCode": 200, "inference": prepared}))
    deployment.on("PUT /inference/v2/i1/run", build_response({"statusCode": 200, "inference": {"inference_id": "i1"}}))
    assert await submit(sd_aws) == UpstreamTask("i1", "inference")
    assert deployment.stored == ["https://storage.example/api_param.json"]
    assert deployment.sent[-1] == ("PUT", "/inference/v2/i1/run", None)


@pytest.mark.parametrize(("state", "lost"), [("inprogress", False), ("created", True)])
async def test_a_lost_answer_to_a_start_is_cleared_up_by_the_jobs_state(
    new_provider: Callable[..., SdAwsProvider], state: str, lost: bool
) -> None:
    deployment = ScriptedDeployment("2024")
    deployment.on("GET /endpoints", build_response({"data": {"endpoints": [READY]}}))
    deployment.on("GET /checkpoints", build_response({"data": {"checkpoints": FILES["checkpoints"], "pages": 1}}))
    prepared = {"id": "i1", "api_params_s3_upload_url": "https://storage.example/api_param.json"}
    deployment.on("POST /inferences", build_response({"data": {"inference": prepared}}, 201))
    deployment.on("PUT /inferences/i1/start", build_response({"message": "timed out"}, 504))
    deployment.on("GET /inferences/i1", build_response({"data": {"id": "i1", "status": state}}))
    provider = new_provider(deployment)
    if lost:
        with pytest.raises(SubmitUnconfirmed):
            await submit(provider)
    else:
        assert await submit(provider) == UpstreamTask("i1", "inference")
    assert deployment.calls(about="start") == ["PUT /inferences/i1/start"]


@pytest.mark.parametrize("word", ["succeed", "success", "completed"])
async def test_links_are_asked_for_once_the_job_has_succeeded(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, word: str
) -> None:
    deployment.on(
        "GET /inference/get-inference-job",
        build_response({"InferenceJobId": "i1", "status": "inprocess"}),
        build_response({"InferenceJobId": "i1", "status": word}),
    )
    deployment.on(
        "GET /inference/get-inference-job-image-output", build_response(["https://storage.example/image_0.jpg"])
    )
    task = UpstreamTask("i1", "inference")
    assert await poll(sd_aws, task) == TaskRunning()
    assert deployment.calls(about="output") == []
    done = await poll(sd_aws, task)
    assert isinstance(done, TaskSucceeded)
    assert [output.url for output in done.outputs] == ["https://storage.example/image_0.jpg"]


@pytest.mark.parametrize(
    "fault", [build_response("", 503), build_response("{}", 200), build_response("", 429), httpx2.ReadTimeout("late")]
)
async def test_a_failed_look_says_nothing_of_the_job(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, fault: Any
) -> None:
    deployment.on("GET /inference/get-inference-job", fault)
    with pytest.raises(AtelierError) as caught:
        await sd_aws.poll([UpstreamTask("i1", "inference")])
    assert caught.value.__class__.__name__ in ("ProviderUnavailable", "RateLimited")


async def test_one_rate_limit_counts_every_status_request_of_the_account(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, clock: AutoAdvanceClock
) -> None:
    """The first request of a poll is counted by whoever calls it, here by nobody; each further one waits its turn."""
    deployment.on("GET /inference/get-inference-job", build_response({"InferenceJobId": "i1", "status": "succeed"}))
    deployment.on("GET /inference/get-inference-job-image-output", build_response(["https://storage.example/0.jpg"]))
    began_s = clock.monotonic()
    for _ in range(12):
        await poll(sd_aws, UpstreamTask("i1", "inference"))
    assert clock.monotonic() - began_s >= 11 / 6
    assert sd_aws.poll_rate_limit.compute_wait_s(clock.monotonic(), allow_burst=False) > 0


@pytest.mark.parametrize("kind", ["endpoint", "training"])
async def test_a_list_that_is_refused_says_nothing_of_the_tasks_in_it(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, kind: str
) -> None:
    for call in ("GET /endpoints", "GET /trains"):
        deployment.on(call, build_response({"statusCode": 400, "errMsg": "no"}))
    for ids in (["t1"], ["t1", "t2"]):
        with pytest.raises(ProviderUnavailable):
            await sd_aws.poll([UpstreamTask(task_id, kind) for task_id in ids])


async def test_a_slash_in_the_name_of_a_base_stays_inside_its_place_in_the_path(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    """The last of three paths has the base in it, and 2023 has it only where the first two are missing."""
    deployment.on("GET /datasets", build_response({"datasets": [{"datasetName": "cats", "s3": "s3://b/cats"}]}))
    for call in ("POST /train", "POST /train-api/train"):
        deployment.on(call, build_response({"message": "Forbidden"}, 403))
    deployment.on("PUT /inference/v2/a%2F..%2Fb/run", build_response({"job": {"id": "t1"}}))
    request = CreateTraining.model_validate({"name": "tom", "base": "a/../b", "datasets": ["cats"]})
    assert await sd_aws.execute(request, {}) == {"training_id": "t1"}


async def test_a_deployment_without_a_reply_is_the_newest_of_the_list(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    old = {**READY, "startTime": "2023-07-04 08:00:35.171309"}
    new = {"EndpointDeploymentJobId": "e2", "endpoint_status": "Creating", "startTime": "2023-07-05 08:00:35.171309"}
    deployment.on("POST /endpoints", build_response("null"))
    deployment.on("GET /endpoints", build_response([new, old]))
    assert await submit(sd_aws, DeployEndpoint.model_validate({})) == UpstreamTask("e2", "endpoint")


async def test_a_failed_deployment_says_why(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    deployment.on(
        "GET /endpoints", build_response([{"EndpointDeploymentJobId": "e2", "status": "failed", "error": ""}])
    )
    deployment.on(
        "GET /inference/get-endpoint-deployment-job",
        build_response({"status": "failed", "error": "ResourceLimitExceeded"}),
    )
    refused = await poll(sd_aws, UpstreamTask("e2", "endpoint"))
    assert isinstance(refused, TaskFailed)
    assert "ResourceLimitExceeded" in refused.reason.message


async def test_deletion_takes_exact_names_that_exist(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    with pytest.raises(ValueError, match="pattern"):
        DeleteEndpoints.model_validate({"names": ["infer-endpoint-*"]})
    with pytest.raises(InvalidRequest, match="nothing was deleted"):
        await sd_aws.execute(DeleteEndpoints.model_validate({"names": ["infer-endpoint-two"]}), {})
    assert deployment.calls(about="endpoints") == ["GET /endpoints"]


async def test_trainings_of_the_later_generation_wait_here_until_they_are_started(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = ScriptedDeployment("2024")
    deployment.on(
        "GET /datasets", build_response({"data": {"datasets": [{"datasetName": "cats", "status": "Enabled"}]}})
    )
    deployment.on("GET /trainings", build_response({"data": {"trainings": []}}))
    deployment.on("POST /trainings", build_response({"data": {"id": "t1"}}, 201))
    request = CreateTraining.model_validate({"name": "tom", "base": "v1-5.ckpt", "datasets": ["cats"]})
    made = await new_provider(deployment).execute(request, {})
    later = new_provider(deployment)
    listed = await later.execute(ListTrainings.model_validate({}), {})
    assert [entry["id"] for entry in listed["trainings"]] == [made["training_id"]]
    assert "POST /trainings" not in deployment.calls()
    assert await submit(later, StartTraining.model_validate(made)) == UpstreamTask("t1", "training")
    assert (await later.execute(ListTrainings.model_validate({}), {}))["trainings"] == []


# Uploads.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(os.urandom(FILE_BYTES))
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


async def finish_upload(provider: SdAwsProvider, task: UpstreamTask) -> TaskSnapshot:
    """How an upload ends; it goes on between the polls."""
    async with asyncio.timeout(5):
        while isinstance(snapshot := await poll(provider, task), TaskRunning):
            assert snapshot.poll_after_s is not None, "its progress is worth more than the usual steps"
            await asyncio.sleep(0)
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
            await asyncio.sleep(0)


async def test_an_upload_that_was_broken_off_goes_on_with_the_parts_that_are_missing(
    deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    first = new_provider(deployment)
    task = await begin_upload(first, deployment, file)
    deployment.spoil = lambda link: build_response("", 503) if link.endswith("part3") else None
    async with asyncio.timeout(5):
        while not is_interrupted(await poll(first, task)):
            await asyncio.sleep(0)
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
            await asyncio.sleep(0)
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
            await asyncio.sleep(0)
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
    states = [build_response({"datasets": [{"datasetName": "kites", "status": s}]}) for s in ("Initialed", "Enabled")]
    deployment.on("GET /datasets", *states)
    tasks: list[Any] = []
    for name in ("old", "new"):
        file = tmp_path / f"{name}.png"
        file.write_bytes(name.encode())
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
        while not is_interrupted(await poll(sd_aws, task)):
            await asyncio.sleep(0)
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
