"""The generation of 2023: thirty documented calls, and those that were deployed in place of some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.errors import NO_SUCH_ROUTE, SdAwsRejection
from atelier_mcp.server.providers.sd_aws.training_drafts import build_concepts, encode_parameters
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsCheckpointBody,
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    SdAwsEndpointBody,
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    SdAwsTrainingBody,
    parse_texts,
    parse_upload_links,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import ProgressCallback
    from atelier_mcp.server.providers.rate_limit import TokenBucket
    from atelier_mcp.server.providers.sd_aws.dialect import InferencePayload, PartTag
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase, DeployEndpoint

FILE_LIST_PATHS = {
    "embeddings": "get-texual-inversion-list",
    "Lora": "get-lora-list",
    "hypernetworks": "get-hypernetwork-list",
    "ControlNet": "get-controlnet-model-list",
}
"""The first is misspelt and must stay so (contract: list_textual_inversions)."""
TRAIN_TYPE = "Stable-diffusion"
SUBMIT_TIMEOUT_S = 60.0
FETCH_TIMEOUT_S = 35.0
"""The gateway gives up after some thirty seconds (contract: upload_checkpoint.long_call)."""


class LegacyDialect:
    """The calls of 2023."""

    def __init__(self, middleware: MiddlewareClient, *, poll_rate_limit: TokenBucket) -> None:
        """``poll_rate_limit`` is the pace of looks."""
        self._middleware = middleware
        self._poll_rate_limit = poll_rate_limit

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        document = await self._get_bare("/inference/test-connection")
        return str(unwrap_object({"a": document}, "a").get("message", ""))

    # Inferences.

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Start an inference in as many steps as the deployment wants (contract: inference_v2.one_step_or_two)."""
        body = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "models": payload.models,
            **payload.parameters,
        }
        document = await self._submit_inference(body)
        inner = unwrap_object(document, "inference")
        state = parse_model(
            SdAwsInferenceBody,
            {"id": "", **document, **({"inference_id": i} if (i := _find_inference_id(document)) else {})},
        )
        if state is not None and state.has_failed:
            raise UpstreamFailed(f"The endpoint refused the inference. {self._middleware.client.quote(state.status)}")
        if inference_id := _find_inference_id(document):
            return inference_id
        prepared = parse_model(SdAwsPreparedBody, inner)
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise SubmitUnconfirmed(f"{self._service} answered the submit without an id.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id)
        return prepared.id

    async def get_inference(self, inference_id: str, *, is_poll: bool = False) -> SdAwsInferenceBody:
        """One inference; its links are asked for once it has succeeded (contract: get_inference_images.empty_list)."""
        query = {"jobID": inference_id}
        document = await self._get_bare("/inference/get-inference-job", query, is_poll=is_poll)
        inference = parse_model(SdAwsInferenceBody, document)
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        if not inference.is_done:
            return inference
        image_links = parse_texts(
            await self._get_bare("/inference/get-inference-job-image-output", query, is_poll=is_poll)
        )
        return inference.model_copy(update={"pictures": image_links})

    async def list_inferences(self, limit: int) -> list[SdAwsInferenceBody]:
        """The latest inferences; the service orders nothing (contract: list_inference_jobs.no_paging)."""
        found = parse_models(
            SdAwsInferenceBody, list(unwrap_list(await self._get_bare("/inference/list-inference-jobs")))
        )
        return sorted(found, key=lambda inference: inference.started, reverse=True)[:limit]

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = parse_texts(await self._get_bare("/inference/get-inference-job-param-output", {"jobID": inference_id}))
        return await self._middleware.download(links[0]) if links else None

    # Endpoints.

    async def list_endpoints(self) -> list[SdAwsEndpointBody]:
        """All endpoints."""
        document = await self._request(HttpRequest("GET", "/endpoints"))
        return parse_models(SdAwsEndpointBody, list(unwrap_list(document, "endpoints")))

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment with all six fields (contract: create_endpoint.required_code_fields)."""
        if request.real_time:
            raise InvalidRequest("real_time: this deployment's middleware has no Real-time endpoints.")
        body = {
            "instance_type": request.instance_type,
            "initial_instance_count": str(request.instances),
            "endpoint_name": request.name or "",
            "autoscaling_enabled": request.autoscaling,
            "assign_to_roles": list(request.roles),
            "creator": self._middleware.username,
        }
        http_request = HttpRequest("POST", "/endpoints", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        document = await self._request(http_request)
        endpoint = parse_model(SdAwsEndpointBody, unwrap_object(document, "data"))
        if endpoint is not None and (endpoint.job_id or endpoint.name):
            return endpoint
        if document is not None:  # a reply without data is a failure (contract: create_endpoint.error_as_200)
            reason = unwrap_object({"a": document}, "a").get("message", "")
            raise InvalidRequest(f"{self._service} deploys nothing. {self._middleware.client.quote(reason)}")
        return await self._find_newest_endpoint()

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment; an unknown one is answered with an empty object."""
        document = await self._get_bare("/inference/get-endpoint-deployment-job", {"jobID": job_id})
        return parse_model(SdAwsEndpointBody, document) if document else None

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down; the answer is a text (contract: delete_endpoints.reply_not_json)."""
        body = {"delete_endpoint_list": list(names), "username": self._middleware.username}
        response = await self._middleware.request(HttpRequest("DELETE", "/endpoints", body=body), lenient=True)
        if not str(response).strip().strip('"').startswith("Endpoint delete"):
            raise InvalidRequest(f"{self._service} deletes nothing. {self._middleware.client.quote(response)}")

    # Checkpoints.

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> list[SdAwsCheckpointBody]:
        """The deployment's files."""
        path = _add_query("/checkpoints", types=kinds, status=states)
        return parse_models(
            SdAwsCheckpointBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "checkpoints"))
        )

    async def list_folder_files(self, kind: str) -> list[str]:
        """Files in the fixed folders; null is an empty list (contract: list_loras.null_reply)."""
        return (
            parse_texts(await self._get_bare(f"/inference/{FILE_LIST_PATHS[kind]}")) if kind in FILE_LIST_PATHS else []
        )

    async def begin_checkpoint(self, kind: str, name: str, part_count: int, description: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": part_count}],
            "params": {"creator": self._middleware.username, "message": description},
        }
        document = await self._request(HttpRequest("POST", "/checkpoint", body=body))
        return str(unwrap_object(document, "checkpoint").get("id", "")), self._get_part_links(
            document, name, part_count
        )

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Put an uploaded checkpoint into use."""
        tagged = {name: list(tags)}
        body = {"checkpoint_id": checkpoint_id, "status": "Active", "multi_parts_tags": tagged}
        await self._request(HttpRequest("PUT", "/checkpoint", body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoint(self, kind: str, links: Sequence[str], description: str) -> str:
        """Have files fetched; an impatient gateway does not stop that (upload_checkpoint.long_call)."""
        params = {"message": description, "creator": self._middleware.username}
        body = {"checkpointType": kind, "modelUrl": list(links), "params": params}
        http_request = HttpRequest(
            "POST", "/upload_checkpoint", is_submit=True, body=body, read_timeout_s=FETCH_TIMEOUT_S
        )
        try:
            document = await self._request(http_request)
        except SubmitUnconfirmed:
            return ""
        return str(unwrap_object(document, "checkpoint").get("id", ""))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        body: dict[str, Any] = {"checkpoint_id": checkpoint_id, "status": "Disabled", "multi_parts_tags": {}}
        await self._request(HttpRequest("PUT", "/checkpoint", body=body))

    # Training bases.

    async def list_bases(self, states: Sequence[str] = ()) -> list[SdAwsBaseBody]:
        """The training bases; one alone may come as an object (contract: list_models.object_or_array)."""
        path = _add_query("/models", types=[TRAIN_TYPE], status=states)
        return parse_models(SdAwsBaseBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "models")))

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:
        """A new base's id and a signed link per part of its file, if it has one."""
        options = {
            "new_model_name": request.name,
            "ckpt_path": name or request.checkpoint_id or "",
            "from_hub": request.hub_model is not None,
            "new_model_url": request.hub_model or "",
            "new_model_token": "",
            "extract_ema": request.extract_ema,
            "train_unfrozen": request.train_unfrozen,
            "is_512": request.is_512,
        }
        body = {
            "model_type": request.kind,
            "name": request.name,
            "filenames": [{"filename": name, "parts_number": part_count}] if name else [],
            "params": {"create_model_params": options},
            "checkpoint_id": request.checkpoint_id or "",
        }
        document = await self._request(HttpRequest("POST", "/model", body=body))
        base_id = str(unwrap_object(document, "job").get("id", ""))
        return base_id, self._get_part_links(document, name, part_count) if name else []

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Let the service make the base."""
        tagged = {name: list(tags)} if name else {}
        body = {"model_id": base_id, "status": "Creating", "multi_parts_tags": tagged}
        await self._request(HttpRequest("PUT", "/model", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    # Data sets.

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file, whose two names are the same (create_dataset.name_vs_filename)."""
        content: list[dict[str, Any]] = [
            {"filename": file, "name": file, "type": "image", "params": {}} for file in files
        ]
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": content,
            "params": {},
            "creator": self._middleware.username,
        }
        document = await self._request(HttpRequest("POST", "/dataset", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", "/dataset", body={"dataset_name": name, "status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> list[SdAwsDatasetBody]:
        """The data sets."""
        path = _add_query("/datasets", dataset_status=states)
        return parse_models(
            SdAwsDatasetBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "datasets"))
        )

    async def list_dataset_items(self, name: str) -> list[SdAwsDatasetItemBody]:
        """The files of one: the deployed path first, then the documented one (contract: get_dataset_items)."""
        http_request = HttpRequest("GET", f"/dataset/{quote(name, safe='')}/data")
        try:
            document = await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise self._middleware.build_error(err, http_request) from None
            document = await self._request(HttpRequest("GET", f"/{quote(name, safe='')}/data"))
        return parse_models(SdAwsDatasetItemBody, list(unwrap_list(document, "data")))

    # Trainings.

    async def create_training(self, request: CreateTraining) -> str:
        """A training to be started later; two paths were deployed, a third printed (create_training.wrong_path)."""
        body = await self._build_training_body(request)
        paths = (("POST", "/train"), ("POST", "/train-api/train"), ("PUT", f"/inference/v2/{quote(request.base)}/run"))
        error: Exception | None = None
        for method, path in paths:
            http_request = HttpRequest(method, path, body=body)
            try:
                document = await self._middleware.send(http_request)
            except SdAwsRejection as err:
                error = self._middleware.build_error(err, http_request)
                if err.fault.status not in NO_SUCH_ROUTE:
                    raise error from None
                continue
            if job_id := unwrap_object(document, "job").get("id"):
                return str(job_id)
            raise UpstreamFailed(f"{self._service} answered without a training's id.")
        raise error or AssertionError("there are paths")

    async def start_training(self, training_id: str) -> str:
        """Set it going, unless it goes already (contract: update_training.restart)."""
        known = next((training for training in await self.list_trainings() if training.id == training_id), None)
        if known is not None and (known.is_done or known.has_failed):
            raise InvalidRequest(f"Training {training_id} is over: {known.state}.", hint="Create another one.")
        if known is not None and known.state == "Training":
            return training_id
        body = {"train_job_id": training_id, "status": "Training"}
        document = await self._request(
            HttpRequest("PUT", "/train", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        )
        if not unwrap_object(document, "job"):
            reason = unwrap_object({"a": document}, "a").get("msg", "")
            raise InvalidRequest(f"{self._service} starts nothing. {self._middleware.client.quote(reason)}")
        return training_id

    async def list_trainings(self, states: Sequence[str] = ()) -> list[SdAwsTrainingBody]:
        """The trainings."""
        path = _add_query("/trains", types=[TRAIN_TYPE], status=states)
        return parse_models(
            SdAwsTrainingBody, list(unwrap_list(await self._request(HttpRequest("GET", path)), "trainJobs"))
        )

    # The rest.

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Merge checkpoints where the service can; most cannot (contract: run_model_merge.unusable)."""
        keys = ("primary_model_name", "secondary_model_name", "tertiary_model_name")
        http_request = HttpRequest(
            "POST", "/inference/run-model-merge", is_submit=True, body=dict(zip(keys, names, strict=False))
        )
        try:
            return unwrap_object({"a": await self._middleware.send(http_request, bare=True)}, "a")
        except SdAwsRejection as err:
            if err.fault.status in NO_SUCH_ROUTE:
                raise InvalidRequest("This deployment cannot merge models.") from None
            raise self._middleware.build_error(err, http_request) from None

    async def get_storage_link(self, key: str) -> str:
        """A signed link for one file."""
        response = await self._get_bare("/inference/generate-s3-presigned-url-for-uploading", {"key": key})
        return response if isinstance(response, str) else ""

    @property
    def _service(self) -> str:
        return self._middleware.client.service

    async def _request(self, http_request: HttpRequest) -> Any:
        return await self._middleware.request(http_request)

    async def _get_bare(self, path: str, query: Mapping[str, str] | None = None, *, is_poll: bool = False) -> Any:
        http_request = HttpRequest("GET", path, query=query)
        if not is_poll:
            return await self._middleware.request(http_request, bare=True)
        return await self._middleware.send(http_request, bare=True, rate_limit=self._poll_rate_limit)

    async def _submit_inference(self, body: dict[str, Any]) -> dict[str, Any]:
        http_request = HttpRequest("POST", "/inference/v2", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            document = await self._middleware.send(http_request)
        except SdAwsRejection as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise self._middleware.build_error(err, http_request) from None
            other = HttpRequest(
                "POST", "/inference-api/inference", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S
            )
            document = await self._request(other)
        return cast("dict[str, Any]", document) if isinstance(document, dict) else {}

    async def _run_inference(self, inference_id: str) -> None:
        """Run a prepared inference; when the answer is lost, its state tells whether it runs."""
        http_request = HttpRequest("PUT", f"/inference/v2/{quote(inference_id, safe='')}/run", is_submit=True)
        try:
            await self._request(http_request)
        except SubmitUnconfirmed:
            if (await self.get_inference(inference_id)).status == "created":
                raise

    async def _find_newest_endpoint(self) -> SdAwsEndpointBody:
        endpoints = [endpoint for endpoint in await self.list_endpoints() if not endpoint.has_failed]
        if not endpoints:
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return max(endpoints, key=lambda endpoint: endpoint.started)

    async def _build_training_body(self, request: CreateTraining) -> dict[str, Any]:
        locations = {entry.name: entry.location for entry in await self.list_datasets()}
        unknown = [name for name in (*request.datasets, *request.class_datasets) if name not in locations]
        if unknown:
            raise InvalidRequest(f"datasets: there is no {unknown[0]}.", hint="list_aws_datasets shows all.")
        data = [locations[name] for name in request.datasets]
        options = {
            "data_tar_list": data,
            "class_data_tar_list": [locations[name] for name in request.class_datasets] or [""],
            "training_instance_type": request.instance_type,
        }
        folder = f"models/dreambooth/{request.name}"
        config = {
            "concepts_list": build_concepts(request, data),
            "model_dir": folder,
            "model_name": request.name,
            "pretrained_model_name_or_path": f"{folder}/working",
            "num_train_epochs": request.epochs,
            "use_lora": request.lora,
            "revision": "",
        }
        return {
            "train_type": TRAIN_TYPE,
            "model_id": request.base,
            "params": {"training_params": options, "config_params": config},
            "creator": self._middleware.username,
        }

    def _get_part_links(self, document: Any, name: str, part_count: int) -> list[str]:
        """The part links; what is printed has none (contract: create_checkpoint.presign_shape)."""
        links = parse_upload_links(document).get(name, [])
        if len(links) != part_count:
            raise UpstreamFailed(f"{self._service} answered without links for the {part_count} parts of {name}.")
        return links


def _find_inference_id(document: Mapping[str, Any]) -> str:
    """The id of an inference that runs already, wherever it is."""
    return str(document.get("inference_id") or unwrap_object(document, "inference").get("inference_id") or "")


def _add_query(path: str, **parameters: Sequence[str]) -> str:
    """The path with repeated parameters (contract: list_models.array_query)."""
    pairs = [f"{name}={quote(value, safe='')}" for name, values in parameters.items() for value in values]
    return f"{path}?{'&'.join(pairs)}" if pairs else path
