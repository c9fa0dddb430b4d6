"""What the provider for Stable Diffusion on AWS promises whatever the service does."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from scripted import HandClock, answer

from atelier_mcp.server.errors import (
    AtelierError,
    AuthenticationFailed,
    InvalidRequest,
    ProviderUnavailable,
    SubmitUnconfirmed,
    UpstreamFailed,
)
from atelier_mcp.server.providers.base import Done, Provider, Refused, Snapshot, UpstreamTask, Working
from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
from atelier_mcp.server.providers.sd_aws.uploads import LEAST_PART_BYTES
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    CreateTraining,
    DeleteEndpoints,
    DeployEndpoint,
    ListTrainings,
    StartTraining,
)
from atelier_mcp.server.requests.create import GenerateImage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

KEY = "SK-hidden-everywhere"
READY = {"EndpointDeploymentJobId": "e1", "endpoint_name": "infer-endpoint-one", "endpoint_status": "InService"}
BASE = {"id": "c1", "type": "Stable-diffusion", "status": "Active", "name": ["v1-5.ckpt"]}
FILES = {"statusCode": 200, "checkpoints": [BASE]}
REQUEST = GenerateImage.model_validate({"prompt": "a very private prompt"})
FILE_BYTES = 2 * LEAST_PART_BYTES + 1000


class Deployment:
    """A service by path, of either generation; links of storage are taken like it does."""

    def __init__(self, generation: str = "2023") -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.stored: list[str] = []
        self.answers: dict[str, list[Any]] = {
            "GET /ping": [
                answer({"message": "pong"}) if generation == "2024" else answer({"message": "Forbidden"}, 403)
            ],
            "GET /inference/test-connection": [answer({"message": "Success"})],
            "GET /endpoints": [answer([READY])],
            "GET /checkpoints": [answer(FILES)],
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
def deployment() -> Deployment:
    return Deployment()


@pytest.fixture
async def new_provider(clock: HandClock, tmp_path: Path) -> AsyncGenerator[Callable[..., SdAwsProvider]]:
    """Providers of one installation: they share a folder."""
    opened: list[SdAwsProvider] = []

    def make(deployment: Deployment) -> SdAwsProvider:
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
def sd_aws(deployment: Deployment, new_provider: Callable[..., SdAwsProvider]) -> SdAwsProvider:
    return new_provider(deployment)


async def submitted(provider: SdAwsProvider, request: Any = REQUEST) -> UpstreamTask | Done:
    plan = await provider.plan(request, {})
    return await provider.submit(plan.request, {}, lambda share, word: None)


async def looked(provider: SdAwsProvider, task: UpstreamTask | Done) -> Snapshot:
    assert isinstance(task, UpstreamTask)
    return (await provider.look([task]))[task.id]


async def test_it_is_a_provider(sd_aws: SdAwsProvider) -> None:
    provider: Provider = sd_aws
    assert provider.name == "sd_aws"
    assert provider.account.startswith("sd_aws:")
    assert "SK" not in provider.account


async def test_a_service_that_is_neither_generation_is_the_operators_to_mend(
    sd_aws: SdAwsProvider, deployment: Deployment
) -> None:
    deployment.on("GET /inference/test-connection", answer({"message": "Forbidden"}, 403))
    with pytest.raises(AuthenticationFailed) as caught:
        await sd_aws.plan(REQUEST, {})
    assert "SD_AWS_API_KEY" in caught.value.then


async def test_the_generation_is_asked_once(sd_aws: SdAwsProvider, deployment: Deployment) -> None:
    for _ in range(3):
        await sd_aws.plan(REQUEST, {})
    assert deployment.calls().count("GET /ping") == 1


async def test_an_early_version_of_the_later_generation_gets_the_user_as_hex(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = Deployment("2024")
    deployment.on("GET /trainings", answer({"message": "Unauthorized"}, 401), answer({"statusCode": 200, "data": {}}))
    provider = new_provider(deployment)
    assert await provider.answer(ListTrainings.model_validate({}), {}) == {"trainings": []}
    assert [headers.get("authorization") for headers in deployment.headers[-2:]] == [None, "Bearer 61646D696E"]


async def test_without_an_endpoint_the_error_says_how_to_deploy_one_and_that_it_costs(
    sd_aws: SdAwsProvider, deployment: Deployment
) -> None:
    deployment.on("GET /endpoints", answer([]))
    with pytest.raises(InvalidRequest) as caught:
        await sd_aws.plan(REQUEST, {})
    assert "deploy_endpoint" in caught.value.then
    assert "costs money" in caught.value.then
    assert deployment.calls(about="endpoints") == ["GET /endpoints"], "nothing is deployed by itself"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer({"statusCode": 400, "errMsg": "no"}), InvalidRequest),
        (answer({"statusCode": "500,", "errMsg": ["a", "b"]}), InvalidRequest),
        (answer({"statusCode": 200, "error": "no"}), InvalidRequest),
        (answer({"status": 400, "err": "no"}), InvalidRequest),
        (answer({"inference_id": "i1", "status": "failed"}), UpstreamFailed),
        (answer({"statusCode": 200}), SubmitUnconfirmed),
        (answer("", 502), SubmitUnconfirmed),
        (answer({"message": "Endpoint request timed out"}, 504), SubmitUnconfirmed),
        (answer("<html>"), SubmitUnconfirmed),
        (httpx2.ReadError("broken"), SubmitUnconfirmed),
    ],
    ids=repr,
)
async def test_a_submit_is_sent_once_and_its_failure_found_wherever_it_hides(
    sd_aws: SdAwsProvider, deployment: Deployment, reply: Any, expected: type[AtelierError]
) -> None:
    deployment.on("POST /inference/v2", reply, answer({"inference_id": "second"}))
    with pytest.raises(expected) as caught:
        await submitted(sd_aws)
    assert type(caught.value) is expected
    assert deployment.calls(about="inference/v2") == ["POST /inference/v2"]


async def test_a_prepared_inference_is_uploaded_and_run(sd_aws: SdAwsProvider, deployment: Deployment) -> None:
    prepared = {"id": "i1", "api_params_s3_upload_url": "https://storage.example/api_param.json"}
    deployment.on("POST /inference/v2", answer({"statusCode": 200, "inference": prepared}))
    deployment.on("PUT /inference/v2/i1/run", answer({"statusCode": 200, "inference": {"inference_id": "i1"}}))
    assert await submitted(sd_aws) == UpstreamTask("i1", "inference")
    assert deployment.stored == ["https://storage.example/api_param.json"]
    assert deployment.sent[-1] == ("PUT", "/inference/v2/i1/run", None)


@pytest.mark.parametrize(("state", "lost"), [("inprogress", False), ("created", True)])
async def test_a_lost_answer_to_a_start_is_cleared_up_by_the_jobs_state(
    new_provider: Callable[..., SdAwsProvider], state: str, lost: bool
) -> None:
    deployment = Deployment("2024")
    deployment.on("GET /endpoints", answer({"data": {"endpoints": [READY]}}))
    deployment.on("GET /checkpoints", answer({"data": {"checkpoints": FILES["checkpoints"], "pages": 1}}))
    prepared = {"id": "i1", "api_params_s3_upload_url": "https://storage.example/api_param.json"}
    deployment.on("POST /inferences", answer({"data": {"inference": prepared}}, 201))
    deployment.on("PUT /inferences/i1/start", answer({"message": "timed out"}, 504))
    deployment.on("GET /inferences/i1", answer({"data": {"id": "i1", "status": state}}))
    provider = new_provider(deployment)
    if lost:
        with pytest.raises(SubmitUnconfirmed):
            await submitted(provider)
    else:
        assert await submitted(provider) == UpstreamTask("i1", "inference")
    assert deployment.calls(about="start") == ["PUT /inferences/i1/start"]


@pytest.mark.parametrize("word", ["succeed", "success", "completed"])
async def test_links_are_asked_for_once_the_job_has_succeeded(
    sd_aws: SdAwsProvider, deployment: Deployment, word: str
) -> None:
    deployment.on(
        "GET /inference/get-inference-job",
        answer({"InferenceJobId": "i1", "status": "inprocess"}),
        answer({"InferenceJobId": "i1", "status": word}),
    )
    deployment.on("GET /inference/get-inference-job-image-output", answer(["https://storage.example/image_0.jpg"]))
    task = UpstreamTask("i1", "inference")
    assert await looked(sd_aws, task) == Working()
    assert deployment.calls(about="output") == []
    done = await looked(sd_aws, task)
    assert isinstance(done, Done)
    assert [output.url for output in done.outputs] == ["https://storage.example/image_0.jpg"]


@pytest.mark.parametrize("fault", [answer("", 503), answer("{}", 200), answer("", 429), httpx2.ReadTimeout("late")])
async def test_a_failed_look_says_nothing_of_the_job(sd_aws: SdAwsProvider, deployment: Deployment, fault: Any) -> None:
    deployment.on("GET /inference/get-inference-job", fault)
    with pytest.raises(AtelierError) as caught:
        await sd_aws.look([UpstreamTask("i1", "inference")])
    assert caught.value.__class__.__name__ in ("ProviderUnavailable", "RateLimited")


async def test_a_deployment_without_a_reply_is_the_newest_of_the_list(
    sd_aws: SdAwsProvider, deployment: Deployment
) -> None:
    old = {**READY, "startTime": "2023-07-04 08:00:35.171309"}
    new = {"EndpointDeploymentJobId": "e2", "endpoint_status": "Creating", "startTime": "2023-07-05 08:00:35.171309"}
    deployment.on("POST /endpoints", answer("null"))
    deployment.on("GET /endpoints", answer([new, old]))
    assert await submitted(sd_aws, DeployEndpoint.model_validate({})) == UpstreamTask("e2", "endpoint")


async def test_a_failed_deployment_says_why(sd_aws: SdAwsProvider, deployment: Deployment) -> None:
    deployment.on("GET /endpoints", answer([{"EndpointDeploymentJobId": "e2", "status": "failed", "error": ""}]))
    deployment.on(
        "GET /inference/get-endpoint-deployment-job", answer({"status": "failed", "error": "ResourceLimitExceeded"})
    )
    refused = await looked(sd_aws, UpstreamTask("e2", "endpoint"))
    assert isinstance(refused, Refused)
    assert "ResourceLimitExceeded" in refused.reason.what


async def test_deletion_takes_exact_names_that_exist(sd_aws: SdAwsProvider, deployment: Deployment) -> None:
    with pytest.raises(ValueError, match="pattern"):
        DeleteEndpoints.model_validate({"names": ["infer-endpoint-*"]})
    with pytest.raises(InvalidRequest, match="nothing was deleted"):
        await sd_aws.answer(DeleteEndpoints.model_validate({"names": ["infer-endpoint-two"]}), {})
    assert deployment.calls(about="endpoints") == ["GET /endpoints"]


async def test_trainings_of_the_later_generation_wait_here_until_they_are_started(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = Deployment("2024")
    deployment.on("GET /datasets", answer({"data": {"datasets": [{"datasetName": "cats", "status": "Enabled"}]}}))
    deployment.on("GET /trainings", answer({"data": {"trainings": []}}))
    deployment.on("POST /trainings", answer({"data": {"id": "t1"}}, 201))
    request = CreateTraining.model_validate({"name": "tom", "base": "v1-5.ckpt", "datasets": ["cats"]})
    made = await new_provider(deployment).answer(request, {})
    later = new_provider(deployment)
    listed = await later.answer(ListTrainings.model_validate({}), {})
    assert [entry["id"] for entry in listed["trainings"]] == [made["training_id"]]
    assert "POST /trainings" not in deployment.calls()
    assert await submitted(later, StartTraining.model_validate(made)) == UpstreamTask("t1", "training")
    assert (await later.answer(ListTrainings.model_validate({}), {}))["trainings"] == []


# Uploads.


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(os.urandom(FILE_BYTES))
    return path


async def begun(provider: SdAwsProvider, deployment: Deployment, file: Path) -> UpstreamTask:
    links = [f"https://storage.example/part{number}" for number in (1, 2, 3)]
    created = {"statusCode": 200, "checkpoint": {"id": "c9"}, "s3PresignUrl": {file.name: links}}
    deployment.on("POST /checkpoint", answer(created))
    deployment.on("PUT /checkpoint", answer({"statusCode": 200, "checkpoint": {"id": "c9", "status": "Initial"}}))
    initial, active = (
        answer({"statusCode": 200, "checkpoints": [{"id": "c9", "status": state}]}) for state in ("Initial", "Active")
    )
    deployment.on("GET /checkpoints", initial, active)
    request = AddCheckpoint.model_validate({"kind": "Lora", "file": str(file)})
    task = await submitted(provider, request)
    assert isinstance(task, UpstreamTask)
    assert task == UpstreamTask("c9", "upload.checkpoint")
    return task


async def finished(provider: SdAwsProvider, task: UpstreamTask) -> Snapshot:
    for _ in range(10):
        snapshot = await looked(provider, task)
        if not isinstance(snapshot, Working):
            return snapshot
        assert snapshot.again_s is not None, "the look does the work, so it has to come again"
    raise AssertionError("the upload does not end")


async def test_an_upload_goes_up_in_parts_and_ends_when_the_list_says_so(
    sd_aws: SdAwsProvider, deployment: Deployment, file: Path
) -> None:
    task = await begun(sd_aws, deployment, file)
    assert isinstance(await finished(sd_aws, task), Done)
    data = file.read_bytes()
    parts = [data[i : i + LEAST_PART_BYTES] for i in range(0, FILE_BYTES, LEAST_PART_BYTES)]
    tags = [
        {"ETag": f'"{hashlib.md5(part, usedforsecurity=False).hexdigest()}"', "PartNumber": number}
        for number, part in enumerate(parts, 1)
    ]
    (put,) = [body for method, path, body in deployment.sent if (method, path) == ("PUT", "/checkpoint")]
    assert put == {"checkpoint_id": "c9", "status": "Active", "multi_parts_tags": {file.name: tags}}


async def test_an_upload_that_was_broken_off_goes_on_with_the_parts_that_are_missing(
    deployment: Deployment, new_provider: Callable[..., SdAwsProvider], file: Path
) -> None:
    first = new_provider(deployment)
    task = await begun(first, deployment, file)
    deployment.spoil = lambda link: answer("", 503) if link.endswith("part3") else None
    with pytest.raises(ProviderUnavailable):
        await first.look([task])
    assert [link[-1] for link in deployment.stored] == ["1", "2"]
    deployment.spoil = lambda link: None
    assert isinstance(await finished(new_provider(deployment), task), Done)
    assert [link[-1] for link in deployment.stored] == ["1", "2", "3"]


async def test_a_part_that_arrives_changed_is_sent_again_and_in_the_end_given_up(
    sd_aws: SdAwsProvider, deployment: Deployment, file: Path
) -> None:
    task = await begun(sd_aws, deployment, file)
    deployment.spoil = lambda link: httpx2.Response(200, headers={"ETag": f'"{"0" * 32}"'})
    refused = await looked(sd_aws, task)
    assert isinstance(refused, Refused)
    assert "arrived changed" in refused.reason.what


async def test_a_file_that_changes_under_way_ends_its_upload(
    sd_aws: SdAwsProvider, deployment: Deployment, file: Path
) -> None:
    task = await begun(sd_aws, deployment, file)
    file.write_bytes(b"another file")
    refused = await looked(sd_aws, task)
    assert isinstance(refused, Refused)
    assert "has changed" in refused.reason.what
    assert deployment.stored == []


async def test_an_expired_link_ends_the_upload(sd_aws: SdAwsProvider, deployment: Deployment, file: Path) -> None:
    task = await begun(sd_aws, deployment, file)
    deployment.spoil = lambda link: answer("", 403)
    refused = await looked(sd_aws, task)
    assert isinstance(refused, Refused)
    assert "expired" in refused.reason.what


async def test_a_fetch_whose_answer_is_late_is_followed_by_its_files_and_not_repeated(
    sd_aws: SdAwsProvider, deployment: Deployment
) -> None:
    deployment.on("POST /upload_checkpoint", answer({"message": "Endpoint request timed out"}, 504))
    request = AddCheckpoint.model_validate({"kind": "Lora", "links": ["https://models.example/ink.safetensors"]})
    task = await submitted(sd_aws, request)
    assert isinstance(await looked(sd_aws, task), Working)
    there = {"id": "c3", "type": "Lora", "status": "Active", "name": ["ink.safetensors"]}
    deployment.on("GET /checkpoints", answer({"statusCode": 200, "checkpoints": [there]}))
    done = await looked(sd_aws, task)
    assert isinstance(done, Done)
    assert done.data["checkpoint_id"] == "c3"
    assert deployment.calls(about="upload_checkpoint") == ["POST /upload_checkpoint"]


async def test_the_state_of_an_upload_is_for_its_owner_alone(
    sd_aws: SdAwsProvider, deployment: Deployment, file: Path, tmp_path: Path
) -> None:
    await begun(sd_aws, deployment, file)
    (state,) = (tmp_path / "sd_aws" / "uploads").glob("*.json")
    assert state.stat().st_mode & 0o777 == 0o600
