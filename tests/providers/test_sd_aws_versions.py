"""How the provider finds out which version of the middleware is deployed, and what it asks each of them."""

from __future__ import annotations

import tarfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from atelier_mcp.server.errors import AuthenticationFailed, InvalidRequest
from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.requests.aws import (
    CreateAwsDataset,
    CreateTraining,
    DeleteEndpoints,
    DeployEndpoint,
    DisableCheckpoint,
    ListEndpoints,
    ListTrainings,
    StartTraining,
)
from atelier_mcp.server.requests.aws import TestConnection as ConnectionTest
from atelier_mcp.server.testing import provider_calls
from tests.support.recordings import SD_AWS_VERSIONS
from tests.support.sd_aws_script import (
    READY,
    ScriptedDeployment,
    new_provider,
    submit,
)
from tests.support.upload_files import PNG_SIGNATURE
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx2

    from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider

    NewProvider = Callable[..., SdAwsProvider]

__all__ = ["new_provider"]  # a fixture

NO_ROUTE = build_response({"message": "Missing Authentication Token"}, 403)
FORBIDDEN = build_response({"message": "Forbidden"}, 403)
PONG = build_response({"statusCode": 200, "message": "pong"})


def wrap(version: str, key: str, rows: Any, **more: Any) -> httpx2.Response:
    """A list in the envelope of its version."""
    inner = {key: rows, **more}
    return build_response(inner if version == "1.3" else {"statusCode": 200, "data": inner})


def get_body(deployment: ScriptedDeployment, call: str) -> Any:
    """What was sent with a call that was made once."""
    (body,) = [body for method, path, body in deployment.sent if f"{method} {path}" == call]
    return body


@pytest.mark.parametrize("version", SD_AWS_VERSIONS)
async def test_a_version_is_found_out_once_and_the_user_goes_along_in_both_ways(
    new_provider: NewProvider, version: str
) -> None:
    deployment = ScriptedDeployment(version)
    deployment.on("GET /endpoints", wrap(version, "endpoints", [READY]))
    provider = new_provider(deployment)
    for _ in range(3):
        await provider_calls.execute(provider, ListEndpoints.model_validate({}))
    assert (await provider_calls.execute(provider, ConnectionTest.model_validate({})))["version"] == f"v{version}"
    assert deployment.calls(about="ping").count("GET /ping") == (1 if version == "1.3" else 2), "one is the test's own"
    assert deployment.headers[-1]["username"] == "admin"
    assert deployment.headers[-1]["authorization"] == "Bearer 61646D696E"


@pytest.mark.parametrize(
    ("ping", "listed", "version"),
    [
        (PONG, build_response({}, headers={"x-api-version": "1.5.2"}), "v1.5"),
        (PONG, build_response({}, headers={"x-api-version": "1.3.0"}), "v1.4"),
        (build_response({"message": "pong", "debug": {}}), build_response({}), "v1.7"),
        (PONG, build_response({}), "v1.5"),
        (build_response({"message": "pong"}, headers={"x-api-version": "2.1.0"}), build_response({}), "v2.1"),
    ],
)
async def test_a_version_that_does_not_say_its_name_is_told_by_its_answers(
    new_provider: NewProvider, ping: httpx2.Response, listed: httpx2.Response, version: str
) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("GET /ping", ping)
    deployment.on("GET /checkpoints", listed)
    found = await provider_calls.execute(new_provider(deployment), ConnectionTest.model_validate({}))
    assert found["version"] == version


async def test_without_any_sign_the_one_that_refuses_the_name_alone_is_v1_4(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.4")
    deployment.on("GET /ping", PONG)
    deployment.on("GET /checkpoints", build_response({}), build_response({"message": "Unauthorized"}, 401))
    found = await provider_calls.execute(new_provider(deployment), ConnectionTest.model_validate({}))
    assert found["version"] == "v1.4"
    assert [("authorization" in headers) for headers in deployment.headers[1:3]] == [True, False]


@pytest.mark.parametrize(("ping", "test", "names_key"), [(FORBIDDEN, NO_ROUTE, True), (NO_ROUTE, NO_ROUTE, False)])
async def test_a_wrong_key_and_a_wrong_address_are_told_apart(
    new_provider: NewProvider, ping: httpx2.Response, test: httpx2.Response, names_key: bool
) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("GET /ping", ping)
    deployment.on("GET /inference/test-connection", test)
    with pytest.raises(AuthenticationFailed) as caught:
        await provider_calls.execute(new_provider(deployment), ConnectionTest.model_validate({}))
    assert ("SD_AWS_API_KEY" in caught.value.hint) is names_key
    assert "SD_AWS_URL" in caught.value.hint


async def test_a_deployment_that_was_upgraded_is_asked_for_its_version_again(new_provider: NewProvider) -> None:
    deployment = ScriptedDeployment("1.3")
    deployment.on("GET /trains", NO_ROUTE)
    provider = new_provider(deployment)
    with pytest.raises(AuthenticationFailed):
        await provider_calls.execute(provider, ListTrainings.model_validate({}))
    deployment.on("GET /ping", build_response({"message": "pong"}, headers={"x-api-version": "1.7.0"}))
    deployment.on("GET /trainings", wrap("1.7", "trainings", []))
    assert await provider_calls.execute(provider, ListTrainings.model_validate({})) == {"trainings": []}


DEPLOYED = {"EndpointDeploymentJobId": "e1", "endpoint_name": "sd-async-one", "endpoint_status": "Creating"}
SCALED = {"name": "one", "instances": 3, "autoscaling": True}
BODIES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("1.3", SCALED, {"initial_instance_count": "3", "creator": "admin", "endpoint_name": "one"}),
    (
        "1.4",
        SCALED,
        {"initial_instance_count": 3, "creator": "admin", "endpoint_type": "Async", "endpoint_name": "one"},
    ),
    (
        "1.5",
        SCALED,
        {
            "initial_instance_count": 1, "min_instance_number": 0, "max_instance_number": 3, "creator": "admin",
            "endpoint_type": "Async", "endpoint_name": "one",
        },
    ),
    (
        "1.7",
        {**SCALED, "real_time": True, "min_instances": 2},
        {
            "initial_instance_count": 2, "min_instance_number": 2, "max_instance_number": 3, "service_type": "sd",
            "endpoint_type": "Real-time", "endpoint_name": "one",
        },
    ),
    ("1.7", {"real_time": True, "autoscaling": True}, {
        "initial_instance_count": 1, "min_instance_number": 1, "max_instance_number": 1, "service_type": "sd",
        "endpoint_type": "Real-time",
    }),
]  # fmt: skip


@pytest.mark.parametrize(("version", "fields", "expected"), BODIES)
async def test_a_deployment_is_asked_for_in_the_words_of_its_version(
    new_provider: NewProvider, version: str, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The two bounds, the type of service and the creator are each refused by the versions that do not know them."""
    deployment = ScriptedDeployment(version)
    body = {"statusCode": 200, "data": DEPLOYED}
    deployment.on("POST /endpoints", build_response(body, 200 if version == "1.3" else 202))
    task = await submit(new_provider(deployment), DeployEndpoint.model_validate(fields))
    assert task == UpstreamTask("e1", "endpoint")
    always = {
        "instance_type": "ml.g4dn.xlarge",
        "autoscaling_enabled": True,
        "assign_to_roles": ["IT Operator"],
    }
    assert get_body(deployment, "POST /endpoints") == {**always, **expected}


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.3", {"name": "a-name-longer-than-twenty"}),
        ("1.5", {"name": "a-name-longer-than-twenty"}),
        ("1.3", {"autoscaling": True, "min_instances": 1}),
        ("1.4", {"autoscaling": True, "min_instances": 1}),
        ("1.3", {"real_time": True}),
    ],
)
async def test_what_a_version_cannot_deploy_is_refused_before_it_is_asked(
    new_provider: NewProvider, version: str, fields: dict[str, Any]
) -> None:
    deployment = ScriptedDeployment(version)
    with pytest.raises(InvalidRequest):
        await submit(new_provider(deployment), DeployEndpoint.model_validate(fields))
    assert "POST /endpoints" not in deployment.calls()


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.3", {"delete_endpoint_list": ["one"], "username": "admin"}),
        ("1.4", {"endpoint_name_list": ["one"], "username": "admin"}),
        ("1.7", {"endpoint_name_list": ["one"]}),
    ],
)
async def test_endpoints_are_deleted_in_the_words_of_each_version(
    new_provider: NewProvider, version: str, expected: dict[str, Any]
) -> None:
    deployment = ScriptedDeployment(version)
    deployment.on("GET /endpoints", wrap(version, "endpoints", [{**READY, "endpoint_name": "one"}]))
    deployment.on("DELETE /endpoints", build_response("Endpoint deleted", 200 if version == "1.3" else 204))
    await provider_calls.execute(new_provider(deployment), DeleteEndpoints.model_validate({"names": ["one"]}))
    assert get_body(deployment, "DELETE /endpoints") == expected


@pytest.mark.parametrize("version", SD_AWS_VERSIONS)
async def test_a_checkpoint_is_disabled_with_the_tags_its_version_wants(
    new_provider: NewProvider, version: str
) -> None:
    """The earliest wants the key and nothing in it, the later ones anything in it."""
    deployment = ScriptedDeployment(version)
    call = "PUT /checkpoint" if version == "1.3" else "PUT /checkpoints/c1"
    deployment.on(call, build_response({"statusCode": 200}))
    deployment.on("GET /checkpoints", wrap(version, "checkpoints", [{"id": "c1", "status": "Disabled"}], total=1))
    request = DisableCheckpoint.model_validate({"checkpoint_id": "c1"})
    assert (await provider_calls.execute(new_provider(deployment), request))["state"] == "Disabled"
    tags = get_body(deployment, call)["multi_parts_tags"]
    assert bool(tags) is (version != "1.3")


DATASET_LINKS = {f"{name}.{end}": f"https://storage.example/{name}.{end}" for name in "ab" for end in ("png", "txt")}


@pytest.mark.parametrize(("version", "prefix"), [("1.3", None), ("1.4", None), ("1.5", "10_cats"), ("1.7", "10_cats")])
async def test_captions_lie_beside_their_pictures_where_the_trainer_looks(
    new_provider: NewProvider, version: str, prefix: str | None, tmp_path: Path
) -> None:
    deployment = ScriptedDeployment(version)
    deployment.on("GET /datasets", wrap(version, "datasets", []))
    call = "POST /dataset" if version == "1.3" else "POST /datasets"
    deployment.on(call, build_response({"statusCode": 201, "data": {"s3PresignUrl": DATASET_LINKS}}, 201))
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        file.write_bytes(PNG_SIGNATURE)
    fields = {"name": "cats", "files": [str(file) for file in files], "captions": ["a cat", "another"]}
    await submit(new_provider(deployment), CreateAwsDataset.model_validate(fields))
    body = get_body(deployment, call)
    assert [(entry["name"], entry["type"]) for entry in body["content"]] == [
        ("a.png", "image"), ("b.png", "image"), ("a.txt", "txt"), ("b.txt", "txt"),
    ]  # fmt: skip
    assert body.get("prefix") == prefix


@pytest.mark.parametrize(("version", "count", "fits"), [("1.5", 12, True), ("1.5", 13, False), ("1.7", 13, True)])
async def test_a_set_with_more_files_than_its_version_takes_is_refused(
    new_provider: NewProvider, version: str, count: int, fits: bool, tmp_path: Path
) -> None:
    """Captions count: the table takes 24 rows in one write."""
    deployment = ScriptedDeployment(version)
    deployment.on("GET /datasets", wrap(version, "datasets", []))
    names = [f"{number}.{end}" for end in ("png", "txt") for number in range(count)]
    links = {name: f"https://storage.example/{name}" for name in names}
    deployment.on("POST /datasets", build_response({"data": {"s3PresignUrl": links}}, 201))
    for name in names[:count]:
        (tmp_path / name).write_bytes(PNG_SIGNATURE)
    files = [str(tmp_path / name) for name in names[:count]]
    request = CreateAwsDataset.model_validate({"name": "cats", "files": files, "captions": ["a cat"] * count})
    if fits:
        await submit(new_provider(deployment), request)
    else:
        with pytest.raises(InvalidRequest, match="24 files a set"):
            await submit(new_provider(deployment), request)
    assert ("POST /datasets" in deployment.calls()) is fits


async def test_pictures_of_one_name_get_captions_of_their_own(new_provider: NewProvider, tmp_path: Path) -> None:
    """Captions are found by the name without its ending, so that cat.png and cat.jpg would share one."""
    deployment = ScriptedDeployment("1.7")
    deployment.on("GET /datasets", wrap("1.7", "datasets", []))
    names = ["cat.png", "2-cat.jpg", "cat.txt", "2-cat.txt"]
    links = {name: f"https://storage.example/{name}" for name in names}
    deployment.on("POST /datasets", build_response({"data": {"s3PresignUrl": links}}, 201))
    files = [tmp_path / "cat.png", tmp_path / "cat.jpg"]
    for file in files:
        file.write_bytes(PNG_SIGNATURE)
    fields = {"name": "cats", "files": [str(file) for file in files], "captions": ["one", "two"]}
    await submit(new_provider(deployment), CreateAwsDataset.model_validate(fields))
    assert [entry["name"] for entry in get_body(deployment, "POST /datasets")["content"]] == names


TRAINING = {"name": "ink-lora", "base": "v1-5.ckpt", "datasets": ["cats"], "epochs": 2}


@pytest.mark.parametrize(
    ("version", "config"),
    [
        (
            "1.5",
            {
                "saving_arguments": {"output_name": "ink-lora", "save_every_n_epochs": 2},
                "training_arguments": {"max_train_epochs": 2},
            },
        ),
        ("1.7", {"output_name": "ink-lora", "save_every_n_epochs": 2, "max_train_epochs": 2}),
    ],
)
async def test_a_training_has_the_settings_of_its_version(
    new_provider: NewProvider, version: str, config: dict[str, Any]
) -> None:
    deployment = ScriptedDeployment(version)
    deployment.on("GET /datasets", wrap(version, "datasets", [{"datasetName": "cats"}]))
    deployment.on("POST /trainings", build_response({"data": {"id": "t1", "status": "Starting"}}, 201))
    provider = new_provider(deployment)
    draft = await provider_calls.execute(provider, CreateTraining.model_validate(TRAINING))
    assert await submit(provider, StartTraining.model_validate(draft)) == UpstreamTask("t1", "training")
    options = {
        "training_instance_type": "ml.g5.2xlarge", "model": "v1-5.ckpt", "dataset": "cats", "fm_type": "sd_1_5",
    }  # fmt: skip
    assert get_body(deployment, "POST /trainings") == {
        "lora_train_type": "kohya",
        "params": {"training_params": options, "config_params": config},
    }


@pytest.mark.parametrize(
    "fields", [{"prompt": "a cat"}, {"lora": False}, {"class_datasets": ["dogs"]}, {"datasets": ["cats", "dogs"]}]
)
async def test_what_the_later_trainer_has_no_place_for_is_refused_and_not_dropped(
    new_provider: NewProvider, fields: dict[str, Any]
) -> None:
    deployment = ScriptedDeployment("1.7")
    deployment.on("GET /datasets", wrap("1.7", "datasets", [{"datasetName": "cats"}, {"datasetName": "dogs"}]))
    with pytest.raises(InvalidRequest, match="this deployment"):
        await provider_calls.execute(new_provider(deployment), CreateTraining.model_validate({**TRAINING, **fields}))


async def test_v1_4_gets_the_settings_of_a_training_as_a_file_and_starts_it_later(new_provider: NewProvider) -> None:
    """With no file named it writes none itself, and its trainer finds none."""
    deployment = ScriptedDeployment("1.4")
    link = "https://storage.example/db_config.tar"
    deployment.on("GET /models", wrap("1.4", "models", [{"id": "m1", "model_name": "base", "status": "Complete"}]))
    deployment.on("GET /datasets", wrap("1.4", "datasets", [{"datasetName": "cats", "s3": "s3://bucket/cats"}]))
    job = {"job": {"id": "t1"}, "s3PresignUrl": {"db_config.tar": link}}
    deployment.on("POST /trainings", build_response({"statusCode": 201, "data": job}, 201))
    deployment.on("GET /trainings", wrap("1.4", "trainJobs", [{"id": "t1", "status": "Initial"}]))
    deployment.on("PUT /trainings/t1/start", build_response({"statusCode": 202, "message": "Accepted"}, 202))
    provider = new_provider(deployment)
    made = await provider_calls.execute(provider, CreateTraining.model_validate({**TRAINING, "base": "m1"}))
    body = get_body(deployment, "POST /trainings")
    assert set(body) == {"train_type", "model_id", "params", "filenames", "creator"}
    with tarfile.open(fileobj=BytesIO(deployment.contents[link])) as archive:
        assert archive.getnames() == ["models/sagemaker_dreambooth/base/db_config_cloud.json"]
    assert "PUT /trainings/t1/start" not in deployment.calls()
    assert await submit(provider, StartTraining.model_validate(made)) == UpstreamTask("t1", "training")
