"""The generation of 2023: thirty documented calls, and those that were deployed in place of some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed, UpstreamFailed
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.reading import read, read_all
from atelier_mcp.server.providers.sd_aws.errors import NO_SUCH_ROUTE, Rejected
from atelier_mcp.server.providers.sd_aws.training import concepts, document_of
from atelier_mcp.server.providers.sd_aws.wire import (
    Base,
    Checkpoint,
    DataItem,
    DataSet,
    Endpoint,
    Inference,
    Prepared,
    Training,
    inside,
    listed,
    texts,
    upload_links,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.providers.limits import TokenBucket
    from atelier_mcp.server.providers.sd_aws.dialect import InferenceOrder, Tag
    from atelier_mcp.server.providers.sd_aws.middleware import Middleware
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase, DeployEndpoint

NAME_LISTS = {
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


class Legacy:
    """The calls of 2023."""

    def __init__(self, middleware: Middleware, *, polls: TokenBucket) -> None:
        """``polls`` is the pace of looks."""
        self._middleware = middleware
        self._polls = polls

    async def connection(self) -> str:
        """What the service says to a connection test."""
        document = await self._bare("/inference/test-connection")
        return str(inside({"a": document}, "a").get("message", ""))

    # Inferences.

    async def start(self, order: InferenceOrder, report: Report) -> str:
        """Start an inference in as many steps as the deployment wants (contract: inference_v2.one_step_or_two)."""
        body = {
            "sagemaker_endpoint_name": order.endpoint,
            "task_type": order.task_type,
            "models": order.models,
            **order.parameters,
        }
        document = await self._submitted(body)
        inner = inside(document, "inference")
        running = read(Inference, {"id": "", **document, **({"inference_id": i} if (i := _running(document)) else {})})
        if running is not None and running.failed:
            raise UpstreamFailed(f"The endpoint refused the inference. {self._middleware.http.quote(running.status)}")
        if inference_id := _running(document):
            return inference_id
        prepared = read(Prepared, inner)
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise SubmitUnconfirmed(f"{self._service} answered the submit without an id.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, document_of(order.parameters))
        await self._run(prepared.id)
        return prepared.id

    async def inference(self, inference_id: str, *, polling: bool = False) -> Inference:
        """One inference; its links are asked for once it has succeeded (contract: get_inference_images.empty_list)."""
        query = {"jobID": inference_id}
        document = await self._bare("/inference/get-inference-job", query, polling=polling)
        inference = read(Inference, document)
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        if not inference.done:
            return inference
        pictures = texts(await self._bare("/inference/get-inference-job-image-output", query, polling=polling))
        return inference.model_copy(update={"pictures": pictures})

    async def inferences(self, limit: int) -> list[Inference]:
        """The latest inferences; the service orders nothing (contract: list_inference_jobs.no_paging)."""
        found = read_all(Inference, list(listed(await self._bare("/inference/list-inference-jobs"))))
        return sorted(found, key=lambda inference: inference.started, reverse=True)[:limit]

    async def parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = texts(await self._bare("/inference/get-inference-job-param-output", {"jobID": inference_id}))
        return await self._middleware.download(links[0]) if links else None

    # Endpoints.

    async def endpoints(self) -> list[Endpoint]:
        """All endpoints."""
        document = await self._asked(Call("GET", "/endpoints"))
        return read_all(Endpoint, list(listed(document, "endpoints")))

    async def deploy(self, request: DeployEndpoint) -> Endpoint:
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
        call = Call("POST", "/endpoints", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        document = await self._asked(call)
        endpoint = read(Endpoint, inside(document, "data"))
        if endpoint is not None and (endpoint.job_id or endpoint.name):
            return endpoint
        if document is not None:  # a reply without data is a failure (contract: create_endpoint.error_as_200)
            says = inside({"a": document}, "a").get("message", "")
            raise InvalidRequest(f"{self._service} deploys nothing. {self._middleware.http.quote(says)}")
        return await self._newest()

    async def deployment(self, job_id: str) -> Endpoint | None:
        """One deployment; an unknown one is answered with an empty object."""
        document = await self._bare("/inference/get-endpoint-deployment-job", {"jobID": job_id})
        return read(Endpoint, document) if document else None

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down; the answer is a text (contract: delete_endpoints.reply_not_json)."""
        body = {"delete_endpoint_list": list(names), "username": self._middleware.username}
        answer = await self._middleware.asked(Call("DELETE", "/endpoints", body=body), lenient=True)
        if not str(answer).strip().strip('"').startswith("Endpoint delete"):
            raise InvalidRequest(f"{self._service} deletes nothing. {self._middleware.http.quote(answer)}")

    # Checkpoints.

    async def checkpoints(self, kinds: Sequence[str] = (), states: Sequence[str] = ()) -> list[Checkpoint]:
        """The deployment's files."""
        path = _with_query("/checkpoints", types=kinds, status=states)
        return read_all(Checkpoint, list(listed(await self._asked(Call("GET", path)), "checkpoints")))

    async def names(self, kind: str) -> list[str]:
        """Files in the fixed folders; null is an empty list (contract: list_loras.null_reply)."""
        return texts(await self._bare(f"/inference/{NAME_LISTS[kind]}")) if kind in NAME_LISTS else []

    async def begin_checkpoint(self, kind: str, name: str, parts: int, about: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": parts}],
            "params": {"creator": self._middleware.username, "message": about},
        }
        document = await self._asked(Call("POST", "/checkpoint", body=body))
        return str(inside(document, "checkpoint").get("id", "")), self._links(document, name, parts)

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[Tag]) -> None:
        """Put an uploaded checkpoint into use."""
        tagged = {name: list(tags)}
        body = {"checkpoint_id": checkpoint_id, "status": "Active", "multi_parts_tags": tagged}
        await self._asked(Call("PUT", "/checkpoint", body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoint(self, kind: str, links: Sequence[str], about: str) -> str:
        """Have files fetched; an impatient gateway does not stop that (upload_checkpoint.long_call)."""
        params = {"message": about, "creator": self._middleware.username}
        body = {"checkpointType": kind, "modelUrl": list(links), "params": params}
        call = Call("POST", "/upload_checkpoint", submit=True, body=body, read_timeout_s=FETCH_TIMEOUT_S)
        try:
            document = await self._asked(call)
        except SubmitUnconfirmed:
            return ""
        return str(inside(document, "checkpoint").get("id", ""))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        body: dict[str, Any] = {"checkpoint_id": checkpoint_id, "status": "Disabled", "multi_parts_tags": {}}
        await self._asked(Call("PUT", "/checkpoint", body=body))

    # Training bases.

    async def bases(self, states: Sequence[str] = ()) -> list[Base]:
        """The training bases; one alone may come as an object (contract: list_models.object_or_array)."""
        path = _with_query("/models", types=[TRAIN_TYPE], status=states)
        return read_all(Base, list(listed(await self._asked(Call("GET", path)), "models")))

    async def begin_base(self, request: CreateTrainingBase, name: str, parts: int) -> tuple[str, list[str]]:
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
            "filenames": [{"filename": name, "parts_number": parts}] if name else [],
            "params": {"create_model_params": options},
            "checkpoint_id": request.checkpoint_id or "",
        }
        document = await self._asked(Call("POST", "/model", body=body))
        base_id = str(inside(document, "job").get("id", ""))
        return base_id, self._links(document, name, parts) if name else []

    async def finish_base(self, base_id: str, name: str, tags: Sequence[Tag]) -> None:
        """Let the service make the base."""
        tagged = {name: list(tags)} if name else {}
        body = {"model_id": base_id, "status": "Creating", "multi_parts_tags": tagged}
        await self._asked(Call("PUT", "/model", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

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
        document = await self._asked(Call("POST", "/dataset", body=body))
        return {file: links[0] for file, links in upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._asked(Call("PUT", "/dataset", body={"dataset_name": name, "status": "Enabled"}))

    async def datasets(self, states: Sequence[str] = ()) -> list[DataSet]:
        """The data sets."""
        path = _with_query("/datasets", dataset_status=states)
        return read_all(DataSet, list(listed(await self._asked(Call("GET", path)), "datasets")))

    async def dataset_items(self, name: str) -> list[DataItem]:
        """The files of one: the deployed path first, then the documented one (contract: get_dataset_items)."""
        call = Call("GET", f"/dataset/{quote(name, safe='')}/data")
        try:
            document = await self._middleware.ask(call)
        except Rejected as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise self._middleware.error(err, call) from None
            document = await self._asked(Call("GET", f"/{quote(name, safe='')}/data"))
        return read_all(DataItem, list(listed(document, "data")))

    # Trainings.

    async def create_training(self, request: CreateTraining) -> str:
        """A training to be started later; two paths were deployed, a third printed (create_training.wrong_path)."""
        body = await self._training(request)
        paths = (("POST", "/train"), ("POST", "/train-api/train"), ("PUT", f"/inference/v2/{quote(request.base)}/run"))
        refused: Exception | None = None
        for method, path in paths:
            call = Call(method, path, body=body)
            try:
                document = await self._middleware.ask(call)
            except Rejected as err:
                refused = self._middleware.error(err, call)
                if err.fault.status not in NO_SUCH_ROUTE:
                    raise refused from None
                continue
            if job_id := inside(document, "job").get("id"):
                return str(job_id)
            raise UpstreamFailed(f"{self._service} answered without a training's id.")
        raise refused or AssertionError("there are paths")

    async def begin_training(self, training_id: str) -> str:
        """Set it going, unless it goes already (contract: update_training.restart)."""
        known = next((training for training in await self.trainings() if training.id == training_id), None)
        if known is not None and (known.done or known.failed):
            raise InvalidRequest(f"Training {training_id} is over: {known.state}.", then="Create another one.")
        if known is not None and known.state == "Training":
            return training_id
        body = {"train_job_id": training_id, "status": "Training"}
        document = await self._asked(Call("PUT", "/train", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))
        if not inside(document, "job"):
            says = inside({"a": document}, "a").get("msg", "")
            raise InvalidRequest(f"{self._service} starts nothing. {self._middleware.http.quote(says)}")
        return training_id

    async def trainings(self, states: Sequence[str] = ()) -> list[Training]:
        """The trainings."""
        path = _with_query("/trains", types=[TRAIN_TYPE], status=states)
        return read_all(Training, list(listed(await self._asked(Call("GET", path)), "trainJobs")))

    # The rest.

    async def merge(self, names: Sequence[str]) -> Mapping[str, Any]:
        """Merge checkpoints where the service can; most cannot (contract: run_model_merge.unusable)."""
        keys = ("primary_model_name", "secondary_model_name", "tertiary_model_name")
        call = Call("POST", "/inference/run-model-merge", submit=True, body=dict(zip(keys, names, strict=False)))
        try:
            return inside({"a": await self._middleware.ask(call, bare=True)}, "a")
        except Rejected as err:
            if err.fault.status in NO_SUCH_ROUTE:
                raise InvalidRequest("This deployment cannot merge models.") from None
            raise self._middleware.error(err, call) from None

    async def storage_link(self, key: str) -> str:
        """A signed link for one file."""
        answer = await self._bare("/inference/generate-s3-presigned-url-for-uploading", {"key": key})
        return answer if isinstance(answer, str) else ""

    @property
    def _service(self) -> str:
        return self._middleware.http.service

    async def _asked(self, call: Call) -> Any:
        return await self._middleware.asked(call)

    async def _bare(self, path: str, query: Mapping[str, str] | None = None, *, polling: bool = False) -> Any:
        call = Call("GET", path, query=query)
        if not polling:
            return await self._middleware.asked(call, bare=True)
        return await self._middleware.ask(call, bare=True, pace=self._polls)

    async def _submitted(self, body: dict[str, Any]) -> dict[str, Any]:
        call = Call("POST", "/inference/v2", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        try:
            document = await self._middleware.ask(call)
        except Rejected as err:
            if err.fault.in_body or err.fault.status not in NO_SUCH_ROUTE:
                raise self._middleware.error(err, call) from None
            other = Call("POST", "/inference-api/inference", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
            document = await self._asked(other)
        return cast("dict[str, Any]", document) if isinstance(document, dict) else {}

    async def _run(self, inference_id: str) -> None:
        """Run a prepared inference; when the answer is lost, its state tells whether it runs."""
        call = Call("PUT", f"/inference/v2/{quote(inference_id, safe='')}/run", submit=True)
        try:
            await self._asked(call)
        except SubmitUnconfirmed:
            if (await self.inference(inference_id)).status == "created":
                raise

    async def _newest(self) -> Endpoint:
        endpoints = [endpoint for endpoint in await self.endpoints() if not endpoint.failed]
        if not endpoints:
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return max(endpoints, key=lambda endpoint: endpoint.started)

    async def _training(self, request: CreateTraining) -> dict[str, Any]:
        places = {entry.name: entry.location for entry in await self.datasets()}
        unknown = [name for name in (*request.datasets, *request.class_datasets) if name not in places]
        if unknown:
            raise InvalidRequest(f"datasets: there is no {unknown[0]}.", then="list_aws_datasets shows all.")
        data = [places[name] for name in request.datasets]
        options = {
            "data_tar_list": data,
            "class_data_tar_list": [places[name] for name in request.class_datasets] or [""],
            "training_instance_type": request.instance_type,
        }
        folder = f"models/dreambooth/{request.name}"
        config = {
            "concepts_list": concepts(request, data),
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

    def _links(self, document: Any, name: str, parts: int) -> list[str]:
        """The part links; what is printed has none (contract: create_checkpoint.presign_shape)."""
        links = upload_links(document).get(name, [])
        if len(links) != parts:
            raise UpstreamFailed(f"{self._service} answered without links for the {parts} parts of {name}.")
        return links


def _running(document: Mapping[str, Any]) -> str:
    """The id of an inference that runs already, wherever it is."""
    return str(document.get("inference_id") or inside(document, "inference").get("inference_id") or "")


def _with_query(path: str, **many: Sequence[str]) -> str:
    """The path with repeated parameters (contract: list_models.array_query)."""
    pairs = [f"{name}={quote(value, safe='')}" for name, values in many.items() for value in values]
    return f"{path}?{'&'.join(pairs)}" if pairs else path
