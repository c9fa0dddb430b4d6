"""Which of our requests leads to which call of Stable Diffusion on AWS, for ``sd_aws_provider_replay``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.uploads.files import MIN_PART_BYTES
from atelier_mcp.server.requests.aws import (
    AddCheckpoint,
    CreateAwsDataset,
    CreateTraining,
    CreateTrainingBase,
    DeleteEndpoints,
    DeployEndpoint,
    DisableCheckpoint,
    ListAwsDatasets,
    ListCheckpoints,
    ListEndpoints,
    ListInferenceJobs,
    ListTrainingBases,
    ListTrainings,
    MergeModels,
    StartTraining,
    TestConnection,
)
from atelier_mcp.server.requests.create import GenerateImage
from tests.support.sd_aws_provider_replay import STORAGE, realize
from tests.support.upload_files import MODEL_HEADS, PNG_SIGNATURE
from tests.support.upstream_script import build_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.recordings import Exchange
    from tests.support.sd_aws_provider_replay import Caller, Replay

ENDPOINT: Final = {"EndpointDeploymentJobId": "e1", "endpoint_name": "one", "endpoint_status": "InService"}
CHECKPOINT: Final = {"id": "c1", "type": "Stable-diffusion", "status": "Active", "name": ["v1-5.ckpt"]}
IMAGE: Final = f"{STORAGE}picture.png"


async def connect(replay: Replay) -> Any:
    return await replay.execute(TestConnection.model_validate({"storage": "presigned" in replay.path}))


async def list_endpoints(replay: Replay) -> Any:
    return await replay.execute(ListEndpoints.model_validate({}))


async def list_checkpoints(replay: Replay) -> Any:
    return await replay.execute(ListCheckpoints.model_validate({}))


async def list_inferences(replay: Replay) -> Any:
    return await replay.execute(ListInferenceJobs.model_validate({"limit": 100}))


async def list_datasets(replay: Replay) -> Any:
    return await replay.execute(ListAwsDatasets.model_validate({}))


async def list_dataset_files(replay: Replay) -> Any:
    name = replay.path.removesuffix("/data").rpartition("/")[2]
    return await replay.execute(ListAwsDatasets.model_validate({"name": name}))


async def list_bases(replay: Replay) -> Any:
    return await replay.execute(ListTrainingBases.model_validate({}))


async def list_trainings(replay: Replay) -> Any:
    return await replay.execute(ListTrainings.model_validate({}))


async def list_folder(replay: Replay) -> Any:
    kind = {"texual": "embedding", "lora": "lora", "hypern": "hypernetwork", "contro": "controlnet"}
    (name,) = [name for word, name in kind.items() if f"get-{word}" in replay.path]
    replay.give("GET /checkpoints", "checkpoints", [])
    page = await replay.provider.list_models(name, base=None, offset=0, limit=100)
    return [model.id for model in page.models]


async def deploy(replay: Replay) -> Any:
    body = replay.body
    fields = {
        "instance_type": body.get("instance_type"), "roles": body.get("assign_to_roles"),
        "autoscaling": body.get("autoscaling_enabled"), "name": body.get("endpoint_name") or None,
        "real_time": body.get("endpoint_type") == "Real-time", "min_instances": body.get("min_instance_number"),
        "instances": int(body.get("max_instance_number") or 1),
    }  # fmt: skip
    return await replay.submit(replay.build(DeployEndpoint, {}, **fields))


async def delete_endpoints(replay: Replay) -> Any:
    names = replay.body.get("endpoint_name_list") or replay.body.get("delete_endpoint_list")
    request = replay.build(DeleteEndpoints, {"names": ["one"]}, names=names)
    rows = [{**ENDPOINT, "endpoint_name": name} for name in cast("Any", request).names]
    replay.give("GET /endpoints", "endpoints", rows)
    return await replay.execute(request)


async def explain_deployment(replay: Replay) -> Any:
    failed = {**ENDPOINT, "EndpointDeploymentJobId": replay.query.get("jobID", "e1"), "endpoint_status": "Failed"}
    replay.give("GET /endpoints", "endpoints", [failed])
    return await replay.poll(UpstreamTask(failed["EndpointDeploymentJobId"], "endpoint"))


async def add_checkpoint(replay: Replay) -> Any:
    body = replay.body
    if replay.path == "/upload_checkpoint" or (body.get("urls") is not None and not replay.is_legacy):
        links = body.get("urls") or body.get("modelUrl") or ["https://files.example/a.pt"]
        kind = body.get("checkpoint_type") or body.get("checkpointType")
        return await replay.submit(replay.build(AddCheckpoint, {"kind": "Lora", "links": links}, kind=kind))
    files: list[dict[str, Any]] = body.get("filenames") or [{}]
    name: str = files[0].get("filename", "a.pt")
    part_count: Any = files[0].get("parts_number")
    file = replay.folder / name
    with file.open("wb") as stream:
        stream.write(MODEL_HEADS[file.suffix])
        stream.truncate(MIN_PART_BYTES * (part_count if part_count in (2, 3) else 1))
    plain = {"kind": "Lora", "file": str(file)}
    return await replay.submit(replay.build(AddCheckpoint, plain, kind=body.get("checkpoint_type")))


def read_tags(body: Mapping[str, Any], default_name: str) -> tuple[str, list[Any]]:
    """The first file of a closing call and the tags of its parts."""
    tags: dict[str, list[Any]] = body.get("multi_parts_tags") or {default_name: []}
    return next(iter(tags.items()))


async def change_checkpoint(replay: Replay) -> Any:
    """A closing call, or one that takes a checkpoint out of use."""
    body = replay.body
    id_ = body.get("checkpoint_id") or replay.path.rpartition("/")[2]
    if body.get("status") == "Disabled":
        row = {**CHECKPOINT, "id": id_, "status": "Disabled"}
        replay.give("GET /checkpoints", "checkpoints", [row], total=1)
        return await replay.execute(DisableCheckpoint.model_validate({"checkpoint_id": id_}))
    name, tags = read_tags(body, "a.pt")
    return await (await replay.get_dialect()).finish_checkpoint(id_, name, tags)


async def merge_models(replay: Replay) -> Any:
    return await replay.execute(MergeModels.model_validate({"primary": "a.ckpt", "secondary": "b.ckpt"}))


def prepare_inference(replay: Replay, id_: str) -> GenerateImage:
    """A deployment on which everything about this inference goes well."""
    replay.give(
        "GET /endpoints", "endpoints", [ENDPOINT if replay.is_legacy else {**ENDPOINT, "endpoint_type": "Async"}]
    )
    replay.give("GET /checkpoints", "checkpoints", [CHECKPOINT], total=1)
    prepared = {"id": id_, "api_params_s3_upload_url": f"{STORAGE}api_param.json"}
    started = {"inference_id": id_, "status": "inprogress"}
    if replay.is_legacy:
        replay.deployment.on("POST /inference/v2", build_response({"statusCode": 200, "inference": prepared}))
        replay.deployment.on(f"PUT /inference/v2/{id_}/run", build_response({"statusCode": 200, "inference": started}))
    else:
        replay.deployment.on("POST /inferences", build_response({"data": {"inference": prepared}}, 201))
        replay.deployment.on(f"PUT /inferences/{id_}/start", build_response({"data": {"inference": started}}, 202))
    return GenerateImage.model_validate({"prompt": "a lighthouse at dusk"})


def find_prepared_id(replay: Replay) -> str:
    """The id of the inference that the recorded answer prepares, if it does."""
    found = re.search(r"'inference': \{'id': '([\w-]+)'", str(realize(replay.exchange.response["body"])))
    return found[1] if found else "i1"


async def prepare(replay: Replay) -> Any:
    return await replay.submit(prepare_inference(replay, find_prepared_id(replay)))


async def start(replay: Replay) -> Any:
    id_ = replay.path.split("/")[-2]
    request = prepare_inference(replay, id_)
    created = {"InferenceJobId": id_, "status": "created", "startTime": ""}
    look = replay.find_next(rf"/inferences/{id_}")
    record = realize(look.response["body"]) if look is not None else {"data": created}
    replay.deployment.on(f"GET /inferences/{id_}", build_response(record))
    replay.deployment.on("GET /inference/get-inference-job", build_response(created))
    return await replay.submit(request)


async def start_in_one_step(replay: Replay) -> Any:
    request = prepare_inference(replay, "i1")
    replay.deployment.on("POST /inference/v2", build_response({"message": "Missing Authentication Token"}, 403))
    return await replay.submit(request)


async def look_at_inference(replay: Replay) -> Any:
    id_ = replay.query.get("jobID") or replay.path.rpartition("/")[2]
    output = replay.find_next("/inference/get-inference-job-image-output")
    links = realize(output.response["body"]) if output is not None else [IMAGE]
    replay.deployment.on("GET /inference/get-inference-job-image-output", build_response(links))
    return await replay.poll(UpstreamTask(id_, "inference"))


async def look_at_pictures(replay: Replay) -> Any:
    id_ = replay.query.get("jobID", "i1")
    replay.deployment.on(
        "GET /inference/get-inference-job", build_response({"InferenceJobId": id_, "status": "succeed"})
    )
    return await replay.poll(UpstreamTask(id_, "inference"))


async def read_parameters(replay: Replay) -> Any:
    """What a job was run with: its link, or what lies behind that."""
    record = {"InferenceJobId": "i1", "status": "created", "output_presigned_urls": [f"{STORAGE}param.json"]}
    replay.deployment.on("GET /inferences/i1", build_response({"data": record}))
    replay.deployment.on("GET /inference/get-inference-job", build_response(record))
    links = [f"{STORAGE}param.json"]
    if replay.path.startswith(STORAGE):
        replay.deployment.on("GET /inference/get-inference-job-param-output", build_response(links))
        replay.deployment.spoil = lambda link: replay.answer
    else:
        replay.deployment.spoil = lambda link: build_response({"parameters": {"from": link}})
    return await replay.execute(ListInferenceJobs.model_validate({"job_id": replay.query.get("jobID", "i1")}))


async def upload(replay: Replay) -> Any:
    request = prepare_inference(replay, "i1")
    replay.deployment.spoil = lambda link: replay.answer
    return await replay.submit(request)


async def create_dataset(replay: Replay) -> Any:
    content = [entry for entry in replay.body.get("content", ()) if entry.get("name")] or [{"name": "cat.png"}]
    names = [entry["name"] for entry in content if not entry["name"].endswith(".txt")] or ["cat.png"]
    for name in names:
        (replay.folder / name).write_bytes(PNG_SIGNATURE)
    files = [str(replay.folder / name) for name in names]
    captions = ["a blue cat"] * len(files) if len(content) > len(names) else []
    name = replay.body.get("dataset_name")
    replay.give("GET /datasets", "datasets", [])
    request = replay.build(CreateAwsDataset, {"name": "cats", "files": files, "captions": captions}, name=name)
    return await replay.submit(request)


async def finish_dataset(replay: Replay) -> Any:
    name = replay.body.get("dataset_name") or replay.path.rpartition("/")[2]
    return await (await replay.get_dialect()).finish_dataset(name)


async def create_base(replay: Replay) -> Any:
    body = replay.body
    name = body.get("name", "m1")
    if files := body.get("filenames"):
        file = replay.folder / files[0]["filename"]
        file.write_bytes(MODEL_HEADS[file.suffix])
        request = CreateTrainingBase.model_validate({"name": name, "file": str(file)})
    else:
        request = CreateTrainingBase.model_validate({"name": name, "checkpoint_id": body.get("checkpoint_id", "c1")})
    return await replay.submit(request)


async def finish_base(replay: Replay) -> Any:
    id_ = replay.body.get("model_id") or replay.path.rpartition("/")[2]
    name, tags = read_tags(replay.body, "")
    return await (await replay.get_dialect()).finish_base(id_, name, tags)


async def create_training(replay: Replay) -> Any:
    """v1.3 and v1.4 write a training down; the later ones start it, which is what their exchange shows."""
    request = {"name": "ink-lora", "base": replay.body.get("model_id", "m1"), "datasets": ["cats"], "epochs": 2}
    replay.give("GET /models", "models", [{"id": request["base"], "model_name": "m1", "status": "Complete"}])
    replay.give("GET /datasets", "datasets", [{"datasetName": "cats", "s3": "s3://bucket/dataset/cats"}])
    if "train-api" in replay.path:
        replay.deployment.on("POST /train", build_response({"message": "Missing Authentication Token"}, 403))
    if replay.version in ("1.3", "1.4"):
        return (await replay.execute(CreateTraining.model_validate(request)))["training_id"]
    draft = await replay.execute(CreateTraining.model_validate(request))
    return await replay.submit(StartTraining.model_validate(draft))


async def start_training(replay: Replay) -> Any:
    id_ = replay.body.get("train_job_id") or replay.path.split("/")[-2]
    call, key = ("GET /trains", "trainJobs") if replay.is_legacy else ("GET /trainings", "trainJobs")
    replay.give(call, key, [{"id": id_, "status": "Initial"}])
    return await replay.submit(StartTraining.model_validate({"training_id": id_}))


async def look_at_training(replay: Replay) -> Any:
    replay.give("GET /checkpoints", "checkpoints", [], total=0)
    return await replay.poll(UpstreamTask(replay.path.rpartition("/")[2], "training"))


CALLERS: Final[Mapping[str, Caller]] = {
    caller.__name__: caller
    for caller in (
        connect,
        list_endpoints,
        deploy,
        delete_endpoints,
        explain_deployment,
        list_checkpoints,
        add_checkpoint,
        change_checkpoint,
        merge_models,
        prepare,
        start,
        start_in_one_step,
        look_at_inference,
        look_at_pictures,
        read_parameters,
        list_inferences,
        list_folder,
        upload,
        create_dataset,
        finish_dataset,
        list_datasets,
        list_dataset_files,
        create_base,
        finish_base,
        list_bases,
        create_training,
        start_training,
        list_trainings,
        look_at_training,
    )
}
CALLS: Final = (
    (r"GET /ping", "connect"),
    (r"GET /inference/(test-connection|generate-s3-presigned-url-for-uploading)", "connect"),
    (r"GET /endpoints", "list_endpoints"),
    (r"POST /endpoints", "deploy"),
    (r"DELETE /endpoints", "delete_endpoints"),
    (r"GET /inference/get-endpoint-deployment-job", "explain_deployment"),
    (r"GET /checkpoints", "list_checkpoints"),
    (r"POST /(checkpoints?|upload_checkpoint)", "add_checkpoint"),
    (r"PUT /checkpoint(s/[^/]+)?", "change_checkpoint"),
    (r"POST /inference/run-model-merge", "merge_models"),
    (r"POST /inference/v2|POST /inferences", "prepare"),
    (r"PUT /inference/v2/[^/]+/run|PUT /inferences/[^/]+/start", "start"),
    (r"POST /inference-api/inference", "start_in_one_step"),
    (r"GET /inference/get-inference-job|GET /inferences/[^/]+", "look_at_inference"),
    (r"GET /inference/get-inference-job-image-output", "look_at_pictures"),
    (r"GET /inference/get-inference-job-param-output|GET https://storage.*_param.json", "read_parameters"),
    (r"GET /inference/list-inference-jobs|GET /inferences", "list_inferences"),
    (r"GET /inference/get-[a-z-]+-list", "list_folder"),
    (r"PUT https://storage.*", "upload"),
    (r"POST /datasets?", "create_dataset"),
    (r"PUT /dataset(s/[^/]+)?", "finish_dataset"),
    (r"GET /datasets", "list_datasets"),
    (r"GET /datasets/[^/]+|GET /dataset/[^/]+/data", "list_dataset_files"),
    (r"POST /models?", "create_base"),
    (r"PUT /model(s/[^/]+)?", "finish_base"),
    (r"GET /models", "list_bases"),
    (r"POST /(train|train-api/train|trainings)", "create_training"),
    (r"PUT /train|PUT /trainings/[^/]+/start", "start_training"),
    (r"GET /(trains|trainings)", "list_trainings"),
    (r"GET /trainings/[^/]+", "look_at_training"),
)
"""A pattern of verb and path, and the caller that leads there."""


def find_caller(exchange: Exchange) -> str | None:
    """What leads to an exchange, by name; None where nothing of ours does."""
    call = f"{exchange.request['method']} {realize(exchange.request['path'])}"
    return next((name for pattern, name in CALLS if re.fullmatch(pattern, call)), None)
