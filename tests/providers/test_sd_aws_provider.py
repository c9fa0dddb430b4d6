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
    Spent,
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
from atelier_mcp.server.requests.create import GenerateImage
from atelier_mcp.server.testing import provider_calls
from tests.support.sd_aws_script import (
    BASE,
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


async def test_without_an_endpoint_the_error_says_how_to_deploy_one_and_that_it_costs(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("GET /endpoints", build_response([]))
    with pytest.raises(InvalidRequest) as caught:
        await provider_calls.plan(sd_aws, REQUEST)
    assert "aws_deploy_endpoint" in caught.value.hint
    assert "costs money" in caught.value.hint
    assert deployment.calls(about="endpoints") == ["GET /endpoints"], "nothing is deployed by itself"


PREPARED = {"id": "i1", "api_params_s3_upload_url": "https://storage.example/api_param.json"}
CREATED = {"InferenceJobId": "i1", "status": "created", "startTime": "2024-01-01 00:00:00"}
CRASH: dict[str, Any] = {"errorMessage": "no", "requestId": "r", "stackTrace": []}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (build_response({"statusCode": 400, "errMsg": "no"}), InvalidRequest),
        (build_response({"statusCode": "500,", "errMsg": ["a", "b"]}), InvalidRequest),
        (build_response({"statusCode": 200, "error": "no"}), InvalidRequest),
        (build_response({"statusCode": 200, "msg": "not implemented"}), InvalidRequest),
        (build_response({**CRASH, "errorType": "TypeError"}), InvalidRequest),
        (build_response({**CRASH, "errorMessage": "", "errorType": "AssertionError"}), InvalidRequest),
        (build_response({"errorMessage": 'user: "x" not exist', "errorType": "Exception"}), AuthenticationFailed),
        (build_response({**CRASH, "errorType": "KeyError"}), SubmitUnconfirmed),
        (build_response({"errorMessage": "Task timed out after 60.00 seconds"}), SubmitUnconfirmed),
        (build_response({**CRASH, "errorMessage": "Read timeout on endpoint", "errorType": "X"}), SubmitUnconfirmed),
        (build_response({"statusCode": 500, "errMsg": "timed out"}), SubmitUnconfirmed),
        (build_response("", 502), SubmitUnconfirmed),
        (build_response("<html>"), SubmitUnconfirmed),
        (httpx2.ReadError("broken"), SubmitUnconfirmed),
    ],
    ids=repr,
)  # fmt: skip
async def test_a_start_is_sent_once_and_its_failure_found_wherever_it_hides(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, reply: Any, expected: type[AtelierError]
) -> None:
    """Only a start costs money; a crash over what was sent has started nothing, any other leaves that open."""
    deployment.on("POST /inference/v2", build_response({"statusCode": 200, "inference": PREPARED}))
    deployment.on("PUT /inference/v2/i1/run", reply, build_response({"inference": {"inference_id": "i1"}}))
    deployment.on("GET /inference/get-inference-job", build_response(CREATED))
    with pytest.raises(expected) as caught:
        await submit(sd_aws)
    assert type(caught.value) is expected
    assert deployment.calls(about="run") == ["PUT /inference/v2/i1/run"]


@pytest.mark.parametrize(
    "reply",
    [
        build_response({**CRASH, "errorType": "TypeError"}),
        build_response({"errorMessage": "Task timed out after 3.00 seconds"}),
        build_response({"statusCode": 500, "errMsg": "no available Endpoints"}),
        build_response({"message": "Endpoint request timed out"}, 504),
        build_response("<html>"),
    ],
    ids=repr,
)
async def test_whatever_becomes_of_a_preparation_costs_nothing(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, reply: Any
) -> None:
    deployment.on("POST /inference/v2", reply)
    with pytest.raises(AtelierError) as caught:
        await submit(sd_aws)
    assert caught.value.spent is Spent.NOTHING
    assert deployment.calls(about="run") == []


async def test_a_prepared_inference_is_uploaded_and_run(sd_aws: SdAwsProvider, deployment: ScriptedDeployment) -> None:
    deployment.on("POST /inference/v2", build_response({"statusCode": 200, "inference": PREPARED}))
    deployment.on("PUT /inference/v2/i1/run", build_response({"statusCode": 200, "inference": {"inference_id": "i1"}}))
    assert await submit(sd_aws) == UpstreamTask("i1", "inference")
    assert deployment.stored == ["https://storage.example/api_param.json"]
    assert deployment.sent[-1] == ("PUT", "/inference/v2/i1/run", None)
    (body,) = [body for method, _, body in deployment.sent if method == "POST"]
    assert set(body) == {"sagemaker_endpoint_name", "task_type", "models", "filters", "user_id"}


async def test_a_storage_that_refuses_the_parameters_is_not_taken_for_a_wrong_key(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment
) -> None:
    deployment.on("POST /inference/v2", build_response({"statusCode": 200, "inference": PREPARED}))
    deployment.spoil = lambda link: build_response("<Error><Code>AccessDenied</Code></Error>", 403)
    with pytest.raises(ProviderUnavailable, match="storage"):
        await submit(sd_aws)
    assert deployment.calls(about="run") == []


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"inference_id": "i1", "status": "failed"}, UpstreamFailed),
        ({"status": 500, "err": "fail to prepare inference"}, InvalidRequest),
        ({**CRASH, "errorMessage": "'models'", "errorType": "KeyError"}, SubmitUnconfirmed),
        ({"statusCode": 200}, SubmitUnconfirmed),
    ],
)
async def test_a_deployment_without_preparations_is_asked_in_one_step(
    sd_aws: SdAwsProvider, deployment: ScriptedDeployment, reply: Any, expected: type[AtelierError]
) -> None:
    deployment.on("POST /inference/v2", build_response({"message": "Missing Authentication Token"}, 403))
    inference = {"inference_id": "i1", "status": "inprogress"}
    deployment.on("POST /inference-api/inference", build_response({"status": 200, "inference": inference}))
    assert await submit(sd_aws) == UpstreamTask("i1", "inference")
    deployment.on("POST /inference-api/inference", build_response(reply))
    with pytest.raises(expected):
        await submit(sd_aws)


def script_inference(deployment: ScriptedDeployment, start: Any, *records: dict[str, Any]) -> None:
    """A deployment of the later generation with one endpoint, whose inference is i1."""
    deployment.on("GET /endpoints", build_response({"data": {"endpoints": [{**READY, "endpoint_type": "Async"}]}}))
    deployment.on("GET /checkpoints", build_response({"data": {"checkpoints": FILES["checkpoints"], "total": 1}}))
    deployment.on("POST /inferences", build_response({"data": {"inference": PREPARED}}, 201))
    deployment.on("PUT /inferences/i1/start", start)
    deployment.on("GET /inferences/i1", *(build_response({"data": record}) for record in records))


@pytest.mark.parametrize(
    ("state", "started", "lost"),
    [("inprogress", "", False), ("created", "2024-01-01T00:00:00", False), ("created", "", True)],
)
async def test_a_lost_answer_to_a_start_is_cleared_up_by_the_jobs_state(
    new_provider: Callable[..., SdAwsProvider], state: str, started: str, lost: bool
) -> None:
    deployment = ScriptedDeployment("1.7")
    record = {"InferenceJobId": "i1", "status": state, "startTime": started}
    script_inference(deployment, httpx2.ReadError("broken"), record)
    provider = new_provider(deployment)
    if lost:
        with pytest.raises(SubmitUnconfirmed):
            await submit(provider)
    else:
        assert await submit(provider) == UpstreamTask("i1", "inference")
    assert deployment.calls(about="start") == ["PUT /inferences/i1/start"]


async def test_a_look_that_fails_leaves_a_start_unconfirmed(new_provider: Callable[..., SdAwsProvider]) -> None:
    """Any other error would say that nothing was started, and invite a second start."""
    deployment = ScriptedDeployment("1.7")
    script_inference(deployment, httpx2.ReadError("broken"))
    deployment.on("GET /inferences/i1", build_response("", 503))
    with pytest.raises(SubmitUnconfirmed):
        await submit(new_provider(deployment))


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.7"])
async def test_a_job_past_the_limit_of_the_gateway_is_followed_to_its_picture(
    new_provider: Callable[..., SdAwsProvider], version: str
) -> None:
    """The gateway gives up after 29 seconds; meanwhile the record says created, and then succeed."""
    deployment = ScriptedDeployment(version)
    done = {"InferenceJobId": "i1", "status": "succeed", "img_presigned_urls": ["https://storage.example/image_0.jpg"]}
    script_inference(deployment, build_response({"message": "Endpoint request timed out"}, 504), CREATED, done)
    provider = new_provider(deployment)
    task = await submit(provider)
    assert await poll(provider, task) == TaskRunning()
    finished = await poll(provider, task)
    assert isinstance(finished, TaskSucceeded)
    assert len(finished.outputs) == 1


@pytest.mark.parametrize(
    "raw",
    [
        "{'error': 'OutOfMemoryError', 'detail': '', 'body': '', 'errors': 'CUDA out of memory.'}",
        '{"status_code": 500, "detail": "CUDA out of memory."}',
    ],
)
async def test_a_job_that_stays_created_has_failed_when_its_worker_says_so(
    new_provider: Callable[..., SdAwsProvider], raw: str
) -> None:
    deployment = ScriptedDeployment("1.7")
    script_inference(deployment, build_response({}), {**CREATED, "sagemakerRaw": raw})
    failed = await poll(new_provider(deployment), UpstreamTask("i1", "inference"))
    assert isinstance(failed, TaskFailed)
    assert 'says: "CUDA out of memory."' in failed.reason.message


async def test_a_worker_that_refuses_a_start_has_failed_the_job(new_provider: Callable[..., SdAwsProvider]) -> None:
    deployment = ScriptedDeployment("1.7")
    message = "{'error': 'OutOfMemoryError', 'detail': '', 'errors': 'CUDA out of memory.'}"
    script_inference(deployment, build_response({"statusCode": 400, "message": message}, 400), CREATED)
    with pytest.raises(UpstreamFailed, match="CUDA out of memory"):
        await submit(new_provider(deployment))


async def test_a_wrong_request_of_v1_4_is_not_repeated_though_the_gateway_says_502(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = ScriptedDeployment("1.4")
    script_inference(deployment, build_response({"message": "Internal server error"}, 502), CREATED)
    with pytest.raises(InvalidRequest):
        await submit(new_provider(deployment))
    assert deployment.calls(about="start") == ["PUT /inferences/i1/start"]


async def test_maps_that_a_control_detected_are_no_pictures_asked_for(
    new_provider: Callable[..., SdAwsProvider],
) -> None:
    deployment = ScriptedDeployment("1.5")
    links = [f"https://storage.example/image_{number}.jpg" for number in range(3)]
    script_inference(deployment, build_response({}, 202), {**CREATED, "status": "succeed", "img_presigned_urls": links})
    files = [BASE, {"id": "c2", "type": "ControlNet", "status": "Active", "name": ["control_canny.pth"]}]
    deployment.on("GET /checkpoints", build_response({"data": {"checkpoints": files, "total": 2}}))
    control = {"type": "canny", "image": "img_guide"}
    provider = new_provider(deployment)
    request = GenerateImage.model_validate({"prompt": "a kite", "samples": 2, "controls": [control]})
    plan = await provider_calls.plan(provider, request, {})
    images = {"controls[0].image": "aW1n"}
    task = await provider_calls.submit(provider, plan.request, images, lambda share, word: None)
    done = await poll(provider, task)
    assert isinstance(done, TaskSucceeded)
    assert [output.url for output in done.outputs] == links[:2]


async def test_an_animation_whose_link_is_dead_is_told_at_once(new_provider: Callable[..., SdAwsProvider]) -> None:
    """It is stored as .gif and named .png; a download would be tried for ten minutes."""
    deployment = ScriptedDeployment("1.7")
    links = ["https://storage.example/image_0.png"]
    script_inference(deployment, build_response({}), {**CREATED, "status": "succeed", "img_presigned_urls": links})
    deployment.spoil = lambda link: build_response("<Error><Code>NoSuchKey</Code></Error>", 404)
    failed = await poll(new_provider(deployment), UpstreamTask("i1", "inference"))
    assert isinstance(failed, TaskFailed)
    assert failed.reason.spent is Spent.YES


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
    deployment = ScriptedDeployment("1.7")
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
