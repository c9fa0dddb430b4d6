"""What the provider for Stable Diffusion on AWS promises whatever the service does."""

from __future__ import annotations

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
    TaskFailed,
    TaskRunning,
    TaskSucceeded,
    UpstreamTask,
)
from atelier_mcp.server.requests.aws import (
    CreateTraining,
    DeleteEndpoints,
    DeployEndpoint,
    ListTrainings,
    StartTraining,
)
from atelier_mcp.server.testing import provider_calls
from tests.support.sd_aws_script import (
    FILES,
    READY,
    REQUEST,
    ScriptedDeployment,
    deployment,
    new_provider,
    poll,
    sd_aws,
    submit,
)
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider
    from tests.support.clock import AutoAdvanceClock

__all__ = ["deployment", "new_provider", "sd_aws"]  # fixtures


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
        await provider_calls.plan(sd_aws, REQUEST)
    assert "SD_AWS_API_KEY" in caught.value.hint


async def test_the_generation_is_asked_once(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    for _ in range(3):
        await provider_calls.plan(sd_aws, REQUEST)
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
    assert await provider_calls.execute(provider, ListTrainings.model_validate({})) == {"trainings": []}
    assert [headers.get("authorization") for headers in deployment.headers[-2:]] == [None, "Bearer 61646D696E"]


async def test_without_an_endpoint_the_error_says_how_to_deploy_one_and_that_it_costs(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("GET /endpoints", build_response([]))
    with pytest.raises(InvalidRequest) as caught:
        await provider_calls.plan(sd_aws, REQUEST)
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
    assert await provider_calls.execute(sd_aws, request) == {"training_id": "t1"}


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
        await provider_calls.execute(sd_aws, DeleteEndpoints.model_validate({"names": ["infer-endpoint-two"]}))
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
    made = await provider_calls.execute(new_provider(deployment), request)
    later = new_provider(deployment)
    listed = await provider_calls.execute(later, ListTrainings.model_validate({}))
    assert [entry["id"] for entry in listed["trainings"]] == [made["training_id"]]
    assert "POST /trainings" not in deployment.calls()
    assert await submit(later, StartTraining.model_validate(made)) == UpstreamTask("t1", "training")
    assert (await provider_calls.execute(later, ListTrainings.model_validate({})))["trainings"] == []


# Uploads.
