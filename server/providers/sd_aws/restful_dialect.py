"""The later generation: resources, one envelope, statuses that mean something (contract: appendix_generation_2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.training_drafts import TrainingDrafts, encode_parameters
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsCheckpointBody,
    SdAwsDatasetBody,
    SdAwsDatasetItemBody,
    SdAwsEndpointBody,
    SdAwsInferenceBody,
    SdAwsPreparedBody,
    SdAwsTrainingBody,
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

ASYNC = "Async"
REAL_TIME = "Real-time"
PAGE_SIZE = 100
MAX_PAGES = 20
SUBMIT_TIMEOUT_S = 60.0
REAL_TIME_TIMEOUT_S = 120.0


class RestfulDialect:
    """The calls of the later generation."""

    def __init__(self, middleware: MiddlewareClient, *, poll_rate_limit: TokenBucket, drafts: TrainingDrafts) -> None:
        """``poll_rate_limit`` is the pace of looks; ``drafts`` holds trainings that were not started."""
        self._middleware = middleware
        self._poll_rate_limit = poll_rate_limit
        self._drafts = drafts

    async def test_connection(self) -> str:
        """What the service says to a connection test."""
        return str(unwrap_object({"a": await self._request(HttpRequest("GET", "/ping"))}, "a").get("message", ""))

    # Inferences.

    async def start_inference(self, payload: InferencePayload, report: ProgressCallback) -> str:
        """Prepare an inference, upload its parameters and start it: only the last step can be charged for."""
        body = {
            "sagemaker_endpoint_name": payload.endpoint,
            "task_type": payload.task_type,
            "inference_type": REAL_TIME if payload.real_time else ASYNC,
            "models": payload.models,
        }
        document = await self._request(HttpRequest("POST", "/inferences", body=body))
        prepared = parse_model(SdAwsPreparedBody, unwrap_object(document, "data", "inference"))
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise ProviderUnavailable(f"{self._service} prepared an inference and did not say where.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, encode_parameters(payload.parameters))
        await self._run_inference(prepared.id, real_time=payload.real_time)
        return prepared.id

    async def get_inference(self, inference_id: str, *, is_poll: bool = False) -> SdAwsInferenceBody:
        """One inference with its links."""
        http_request = HttpRequest("GET", f"/inferences/{quote(inference_id, safe='')}")
        document = await (
            self._middleware.send(http_request, rate_limit=self._poll_rate_limit)
            if is_poll
            else self._request(http_request)
        )
        inference = parse_model(SdAwsInferenceBody, unwrap_object(document, "data"))
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        return inference

    async def list_inferences(self, limit: int) -> list[SdAwsInferenceBody]:
        """The latest inferences."""
        document = await self._request(HttpRequest("GET", "/inferences", query={"limit": limit}))
        found = parse_models(SdAwsInferenceBody, list(unwrap_list(document, "data", "inferences")))
        return sorted(found, key=lambda inference: inference.started, reverse=True)

    async def get_parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = (await self.get_inference(inference_id)).parameters
        return await self._middleware.download(links[0]) if links else None

    # Endpoints.

    async def list_endpoints(self) -> list[SdAwsEndpointBody]:
        """All endpoints."""
        document = await self._request(HttpRequest("GET", "/endpoints"))
        return parse_models(SdAwsEndpointBody, list(unwrap_list(document, "data", "endpoints")))

    async def deploy_endpoint(self, request: DeployEndpoint) -> SdAwsEndpointBody:
        """Begin a deployment."""
        body: dict[str, Any] = {
            "endpoint_type": REAL_TIME if request.real_time else ASYNC,
            "instance_type": request.instance_type,
            "initial_instance_count": request.instances,
            "autoscaling_enabled": request.autoscaling,
            "assign_to_roles": list(request.roles),
            "creator": self._middleware.username,
            "service_type": "sd",
        }
        if request.name:
            body["endpoint_name"] = request.name
        http_request = HttpRequest("POST", "/endpoints", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        endpoint = parse_model(SdAwsEndpointBody, unwrap_object(await self._request(http_request), "data"))
        if endpoint is None or not (endpoint.job_id or endpoint.name):
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return endpoint

    async def get_deployment(self, job_id: str) -> SdAwsEndpointBody | None:
        """One deployment, out of the list."""
        return next((endpoint for endpoint in await self.list_endpoints() if endpoint.job_id == job_id), None)

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down."""
        await self._request(HttpRequest("DELETE", "/endpoints", body={"endpoint_name_list": list(names)}))

    # Checkpoints.

    async def list_checkpoints(
        self, kinds: Sequence[str] = (), states: Sequence[str] = ()
    ) -> list[SdAwsCheckpointBody]:
        """The deployment's files, page by page."""
        found: list[SdAwsCheckpointBody] = []
        filters = "".join(f"&types={quote(kind)}" for kind in kinds) + "".join(f"&status={state}" for state in states)
        for page in range(1, MAX_PAGES + 1):
            document = await self._request(
                HttpRequest("GET", f"/checkpoints?page={page}&per_page={PAGE_SIZE}{filters}")
            )
            found += parse_models(SdAwsCheckpointBody, list(unwrap_list(document, "data", "checkpoints")))
            if page >= int(unwrap_object(document, "data").get("pages") or 1):
                break
        return found

    async def list_folder_files(self, kind: str) -> list[str]:  # noqa: ARG002  # the protocol's signature
        """There are no fixed folders."""
        return []

    async def begin_checkpoint(self, kind: str, name: str, part_count: int, description: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": part_count}],
            "params": {"creator": self._middleware.username, "message": description},
        }
        document = await self._request(HttpRequest("POST", "/checkpoints", body=body))
        links = parse_upload_links(document).get(name, [])
        if len(links) != part_count:
            raise ProviderUnavailable(f"{self._service} answered without links for the {part_count} parts of {name}.")
        return str(unwrap_object(document, "data", "checkpoint").get("id", "")), links

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Put an uploaded checkpoint into use."""
        body = {"status": "Active", "multi_parts_tags": {name: list(tags)}}
        path = f"/checkpoints/{quote(checkpoint_id, safe='')}"
        await self._request(HttpRequest("PUT", path, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoint(self, kind: str, links: Sequence[str], description: str) -> str:
        """Have files fetched; the transfer goes on behind the answer."""
        params = {"message": description, "creator": self._middleware.username}
        body = {"checkpoint_type": kind, "urls": list(links), "params": params}
        try:
            document = await self._request(HttpRequest("POST", "/checkpoints", is_submit=True, body=body))
        except SubmitUnconfirmed:
            return ""
        return str(unwrap_object(document, "data", "checkpoint").get("id", ""))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        await self._request(
            HttpRequest("PUT", f"/checkpoints/{quote(checkpoint_id, safe='')}", body={"status": "Disabled"})
        )

    # Training bases: a checkpoint is one.

    async def list_bases(self, states: Sequence[str] = ()) -> list[SdAwsBaseBody]:  # noqa: ARG002  # the protocol's signature
        """Every base checkpoint can be trained on."""
        return [
            SdAwsBaseBody(id=name, model_name=name, status="Complete")  # pyright: ignore[reportCallIssue]  # by alias
            for entry in await self.list_checkpoints(["Stable-diffusion"], ["Active"])
            for name in entry.names
        ]

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:  # noqa: ARG002  # the protocol's signature
        """There is nothing to make."""
        raise InvalidRequest(
            "This deployment trains on checkpoints as they are.", hint="Add the file with add_checkpoint."
        )

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:  # noqa: ARG002  # the protocol's signature
        """There is nothing to finish."""
        raise AssertionError("no base was begun")

    # Data sets.

    async def begin_dataset(self, name: str, files: Sequence[str]) -> dict[str, str]:
        """A new data set: a signed link per file."""
        content: list[dict[str, Any]] = [
            {"filename": file, "name": file, "type": "image", "params": {}} for file in files
        ]
        body: dict[str, Any] = {
            "dataset_name": name,
            "content": content,
            "creator": self._middleware.username,
            "prefix": "",
            "params": {},
        }
        document = await self._request(HttpRequest("POST", "/datasets", body=body))
        return {file: links[0] for file, links in parse_upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._request(HttpRequest("PUT", f"/datasets/{quote(name, safe='')}", body={"status": "Enabled"}))

    async def list_datasets(self, states: Sequence[str] = ()) -> list[SdAwsDatasetBody]:
        """The data sets."""
        document = await self._request(HttpRequest("GET", "/datasets"))
        found = parse_models(SdAwsDatasetBody, list(unwrap_list(document, "data", "datasets")))
        return [entry for entry in found if not states or entry.state in states]

    async def list_dataset_items(self, name: str) -> list[SdAwsDatasetItemBody]:
        """The files of one."""
        document = await self._request(HttpRequest("GET", f"/datasets/{quote(name, safe='')}"))
        return parse_models(SdAwsDatasetItemBody, list(unwrap_list(document, "data", "data")))

    # Trainings.

    async def create_training(self, request: CreateTraining) -> str:
        """A draft of ours: the service would start it at once, and that is for ``start_training`` to do."""
        [dataset, *more] = request.datasets
        if more or request.class_datasets:
            raise InvalidRequest("datasets: this deployment learns from one data set, and from no class pictures.")
        known = [entry.name for entry in await self.list_datasets()]
        if dataset not in known:
            raise InvalidRequest(f"datasets: there is no {dataset}.", hint="list_aws_datasets shows all.")
        return await self._drafts.save(request)

    async def start_training(self, training_id: str) -> str:
        """Make the training of a draft, which starts it."""
        request = await self._drafts.load(training_id)
        options = {
            "training_instance_type": request.instance_type,
            "model": request.base,
            "dataset": request.datasets[0],
            "fm_type": "sd_xl" if request.xl else "sd_1_5",
        }
        config = {
            "saving_arguments": {"output_name": request.name},
            "training_arguments": {"max_train_epochs": request.epochs},
        }
        body = {"lora_train_type": "kohya", "params": {"training_params": options, "config_params": config}}
        http_request = HttpRequest("POST", "/trainings", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        training = parse_model(SdAwsTrainingBody, unwrap_object(await self._request(http_request), "data"))
        if training is None or not training.id:
            raise SubmitUnconfirmed(f"{self._service} does not name the training it starts.")
        await self._drafts.delete(training_id)
        return training.id

    async def list_trainings(self, states: Sequence[str] = ()) -> list[SdAwsTrainingBody]:
        """The trainings, and the drafts that wait to be started."""
        document = await self._request(HttpRequest("GET", "/trainings"))
        found = parse_models(SdAwsTrainingBody, list(unwrap_list(document, "data", "trainings")))
        for draft_id, draft in (await self._drafts.load_all()).items():
            found.append(
                SdAwsTrainingBody.model_validate({"id": draft_id, "modelName": draft.name, "status": "Initial"})
            )
        return [training for training in found if not states or training.state in states]

    # The rest.

    async def merge_checkpoints(self, names: Sequence[str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Nobody merges here."""
        raise InvalidRequest("This deployment cannot merge models.")

    async def get_storage_link(self, key: str) -> str:  # noqa: ARG002  # the protocol's signature
        """There is no such call."""
        return ""

    @property
    def _service(self) -> str:
        return self._middleware.client.service

    async def _request(self, http_request: HttpRequest) -> Any:
        return await self._middleware.request(http_request, lenient=http_request.method == "DELETE")

    async def _run_inference(self, inference_id: str, *, real_time: bool) -> None:
        """Start a prepared inference; when the answer is lost or late, its state tells whether it runs."""
        timeout_s = REAL_TIME_TIMEOUT_S if real_time else SUBMIT_TIMEOUT_S
        path = f"/inferences/{quote(inference_id, safe='')}/start"
        try:
            await self._request(HttpRequest("PUT", path, is_submit=True, read_timeout_s=timeout_s))
        except SubmitUnconfirmed:
            if (await self.get_inference(inference_id)).status == "created":
                raise
