"""What the provider for Stable Diffusion on AWS promises whatever the service does."""

from __future__ import annotations

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
from atelier_mcp.server.providers.sd_aws.uploads import MIN_PART_BYTES
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
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
        path = request.url.path.removeprefix("/prod")
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
    for _ in range(10):
        snapshot = await poll(provider, task)
        if not isinstance(snapshot, TaskRunning):
            return snapshot
        assert snapshot.poll_after_s is not None, "the look does the work, so it has to come again"
    raise AssertionError("the upload does not end")


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


async def test_an_upload_that_was_broken_off_goes_on_with_the_parts_that_are_missing(
    deployment: ScriptedDeployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    first = new_provider(deployment)
    task = await begin_upload(first, deployment, file)
    deployment.spoil = lambda link: build_response("", 503) if link.endswith("part3") else None
    with pytest.raises(ProviderUnavailable):
        await first.poll([task])
    assert [link[-1] for link in deployment.stored] == ["1", "2"]
    deployment.spoil = lambda link: None
    assert isinstance(await finish_upload(new_provider(deployment), task), TaskSucceeded)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


async def test_a_part_that_arrives_changed_is_sent_again_and_in_the_end_given_up(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.spoil = lambda link: httpx2.Response(200, headers={"ETag": f'"{"0" * 32}"'})
    refused = await poll(sd_aws, task)
    assert isinstance(refused, TaskFailed)
    assert "arrived changed" in refused.reason.message


async def test_a_file_that_changes_under_way_ends_its_upload(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    file.write_bytes(b"another file")
    refused = await poll(sd_aws, task)
    assert isinstance(refused, TaskFailed)
    assert "has changed" in refused.reason.message
    assert deployment.stored == []


async def test_an_expired_link_ends_the_upload(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, file: Path
) -> None:
    task = await begin_upload(sd_aws, deployment, file)
    deployment.spoil = lambda link: build_response("", 403)
    refused = await poll(sd_aws, task)
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
