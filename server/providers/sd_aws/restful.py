"""The later generation: resources, one envelope, statuses that mean something (contract: appendix_generation_2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http import Call
from atelier_mcp.server.providers.reading import read, read_all
from atelier_mcp.server.providers.sd_aws.training import Drafts, document_of
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
    upload_links,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.providers.base import Report
    from atelier_mcp.server.providers.limits import TokenBucket
    from atelier_mcp.server.providers.sd_aws.dialect import InferenceOrder, Tag
    from atelier_mcp.server.providers.sd_aws.middleware import Middleware
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase, DeployEndpoint

ASYNC = "Async"
REAL_TIME = "Real-time"
PAGE_SIZE = 100
MOST_PAGES = 20
SUBMIT_TIMEOUT_S = 60.0
REAL_TIME_TIMEOUT_S = 120.0


class Restful:
    """The calls of the later generation."""

    def __init__(self, middleware: Middleware, *, polls: TokenBucket, drafts: Drafts) -> None:
        """``polls`` is the pace of looks; ``drafts`` holds trainings that were not started."""
        self._middleware = middleware
        self._polls = polls
        self._drafts = drafts

    async def connection(self) -> str:
        """What the service says to a connection test."""
        return str(inside({"a": await self._asked(Call("GET", "/ping"))}, "a").get("message", ""))

    # Inferences.

    async def start(self, order: InferenceOrder, report: Report) -> str:
        """Prepare an inference, upload its parameters and start it: only the last step can be charged for."""
        body = {
            "sagemaker_endpoint_name": order.endpoint,
            "task_type": order.task_type,
            "inference_type": REAL_TIME if order.real_time else ASYNC,
            "models": order.models,
        }
        document = await self._asked(Call("POST", "/inferences", body=body))
        prepared = read(Prepared, inside(document, "data", "inference"))
        if prepared is None or not prepared.id or not prepared.upload_url:
            raise ProviderUnavailable(f"{self._service} prepared an inference and did not say where.")
        report(None, "uploading the parameters")
        await self._middleware.put(prepared.upload_url, document_of(order.parameters))
        await self._run(prepared.id, real_time=order.real_time)
        return prepared.id

    async def inference(self, inference_id: str, *, polling: bool = False) -> Inference:
        """One inference with its links."""
        call = Call("GET", f"/inferences/{quote(inference_id, safe='')}")
        document = await (self._middleware.ask(call, pace=self._polls) if polling else self._asked(call))
        inference = read(Inference, inside(document, "data"))
        if inference is None or not inference.status:
            raise ProviderUnavailable(f"{self._service} answered the look at a job with something unreadable.")
        return inference

    async def inferences(self, limit: int) -> list[Inference]:
        """The latest inferences."""
        document = await self._asked(Call("GET", "/inferences", query={"limit": limit}))
        found = read_all(Inference, list(listed(document, "data", "inferences")))
        return sorted(found, key=lambda inference: inference.started, reverse=True)

    async def parameters(self, inference_id: str) -> Any:
        """What an inference was run with, where the service kept it."""
        links = (await self.inference(inference_id)).parameters
        return await self._middleware.download(links[0]) if links else None

    # Endpoints.

    async def endpoints(self) -> list[Endpoint]:
        """All endpoints."""
        document = await self._asked(Call("GET", "/endpoints"))
        return read_all(Endpoint, list(listed(document, "data", "endpoints")))

    async def deploy(self, request: DeployEndpoint) -> Endpoint:
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
        call = Call("POST", "/endpoints", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        endpoint = read(Endpoint, inside(await self._asked(call), "data"))
        if endpoint is None or not (endpoint.job_id or endpoint.name):
            raise SubmitUnconfirmed(f"{self._service} does not name the endpoint it deploys.")
        return endpoint

    async def deployment(self, job_id: str) -> Endpoint | None:
        """One deployment, out of the list."""
        return next((endpoint for endpoint in await self.endpoints() if endpoint.job_id == job_id), None)

    async def delete_endpoints(self, names: Sequence[str]) -> None:
        """Take endpoints down."""
        await self._asked(Call("DELETE", "/endpoints", body={"endpoint_name_list": list(names)}))

    # Checkpoints.

    async def checkpoints(self, kinds: Sequence[str] = (), states: Sequence[str] = ()) -> list[Checkpoint]:
        """The deployment's files, page by page."""
        found: list[Checkpoint] = []
        wanted = "".join(f"&types={quote(kind)}" for kind in kinds) + "".join(f"&status={state}" for state in states)
        for page in range(1, MOST_PAGES + 1):
            document = await self._asked(Call("GET", f"/checkpoints?page={page}&per_page={PAGE_SIZE}{wanted}"))
            found += read_all(Checkpoint, list(listed(document, "data", "checkpoints")))
            if page >= int(inside(document, "data").get("pages") or 1):
                break
        return found

    async def names(self, kind: str) -> list[str]:  # noqa: ARG002  # the protocol's signature
        """There are no fixed folders."""
        return []

    async def begin_checkpoint(self, kind: str, name: str, parts: int, about: str) -> tuple[str, list[str]]:
        """A new checkpoint's id and a signed link per part."""
        body = {
            "checkpoint_type": kind,
            "filenames": [{"filename": name, "parts_number": parts}],
            "params": {"creator": self._middleware.username, "message": about},
        }
        document = await self._asked(Call("POST", "/checkpoints", body=body))
        links = upload_links(document).get(name, [])
        if len(links) != parts:
            raise ProviderUnavailable(f"{self._service} answered without links for the {parts} parts of {name}.")
        return str(inside(document, "data", "checkpoint").get("id", "")), links

    async def finish_checkpoint(self, checkpoint_id: str, name: str, tags: Sequence[Tag]) -> None:
        """Put an uploaded checkpoint into use."""
        body = {"status": "Active", "multi_parts_tags": {name: list(tags)}}
        path = f"/checkpoints/{quote(checkpoint_id, safe='')}"
        await self._asked(Call("PUT", path, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def fetch_checkpoint(self, kind: str, links: Sequence[str], about: str) -> str:
        """Have files fetched; the transfer goes on behind the answer."""
        params = {"message": about, "creator": self._middleware.username}
        body = {"checkpoint_type": kind, "urls": list(links), "params": params}
        try:
            document = await self._asked(Call("POST", "/checkpoints", submit=True, body=body))
        except SubmitUnconfirmed:
            return ""
        return str(inside(document, "data", "checkpoint").get("id", ""))

    async def disable_checkpoint(self, checkpoint_id: str) -> None:
        """Take a checkpoint out of use."""
        await self._asked(Call("PUT", f"/checkpoints/{quote(checkpoint_id, safe='')}", body={"status": "Disabled"}))

    # Training bases: a checkpoint is one.

    async def bases(self, states: Sequence[str] = ()) -> list[Base]:  # noqa: ARG002  # the protocol's signature
        """Every base checkpoint can be trained on."""
        return [
            Base(id=name, model_name=name, status="Complete")  # pyright: ignore[reportCallIssue]  # by alias
            for entry in await self.checkpoints(["Stable-diffusion"], ["Active"])
            for name in entry.names
        ]

    async def begin_base(self, request: CreateTrainingBase, name: str, parts: int) -> tuple[str, list[str]]:  # noqa: ARG002  # the protocol's signature
        """There is nothing to make."""
        raise InvalidRequest(
            "This deployment trains on checkpoints as they are.", then="Add the file with add_checkpoint."
        )

    async def finish_base(self, base_id: str, name: str, tags: Sequence[Tag]) -> None:  # noqa: ARG002  # the protocol's signature
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
        document = await self._asked(Call("POST", "/datasets", body=body))
        return {file: links[0] for file, links in upload_links(document).items()}

    async def finish_dataset(self, name: str) -> None:
        """Put a data set into use."""
        await self._asked(Call("PUT", f"/datasets/{quote(name, safe='')}", body={"status": "Enabled"}))

    async def datasets(self, states: Sequence[str] = ()) -> list[DataSet]:
        """The data sets."""
        document = await self._asked(Call("GET", "/datasets"))
        found = read_all(DataSet, list(listed(document, "data", "datasets")))
        return [entry for entry in found if not states or entry.state in states]

    async def dataset_items(self, name: str) -> list[DataItem]:
        """The files of one."""
        document = await self._asked(Call("GET", f"/datasets/{quote(name, safe='')}"))
        return read_all(DataItem, list(listed(document, "data", "data")))

    # Trainings.

    async def create_training(self, request: CreateTraining) -> str:
        """A draft of ours: the service would start it at once, and that is for ``begin_training`` to do."""
        [dataset, *more] = request.datasets
        if more or request.class_datasets:
            raise InvalidRequest("datasets: this deployment learns from one data set, and from no class pictures.")
        known = [entry.name for entry in await self.datasets()]
        if dataset not in known:
            raise InvalidRequest(f"datasets: there is no {dataset}.", then="list_aws_datasets shows all.")
        return await self._drafts.keep(request)

    async def begin_training(self, training_id: str) -> str:
        """Make the training of a draft, which starts it."""
        request = await self._drafts.get(training_id)
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
        call = Call("POST", "/trainings", submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        training = read(Training, inside(await self._asked(call), "data"))
        if training is None or not training.id:
            raise SubmitUnconfirmed(f"{self._service} does not name the training it starts.")
        await self._drafts.drop(training_id)
        return training.id

    async def trainings(self, states: Sequence[str] = ()) -> list[Training]:
        """The trainings, and the drafts that wait to be started."""
        document = await self._asked(Call("GET", "/trainings"))
        found = read_all(Training, list(listed(document, "data", "trainings")))
        for draft_id, draft in (await self._drafts.all()).items():
            found.append(Training.model_validate({"id": draft_id, "modelName": draft.name, "status": "Initial"}))
        return [training for training in found if not states or training.state in states]

    # The rest.

    async def merge(self, names: Sequence[str]) -> Mapping[str, Any]:  # noqa: ARG002  # the protocol's signature
        """Nobody merges here."""
        raise InvalidRequest("This deployment cannot merge models.")

    async def storage_link(self, key: str) -> str:  # noqa: ARG002  # the protocol's signature
        """There is no such call."""
        return ""

    @property
    def _service(self) -> str:
        return self._middleware.http.service

    async def _asked(self, call: Call) -> Any:
        return await self._middleware.asked(call, lenient=call.method == "DELETE")

    async def _run(self, inference_id: str, *, real_time: bool) -> None:
        """Start a prepared inference; when the answer is lost or late, its state tells whether it runs."""
        timeout_s = REAL_TIME_TIMEOUT_S if real_time else SUBMIT_TIMEOUT_S
        path = f"/inferences/{quote(inference_id, safe='')}/start"
        try:
            await self._asked(Call("PUT", path, submit=True, read_timeout_s=timeout_s))
        except SubmitUnconfirmed:
            if (await self.inference(inference_id)).status == "created":
                raise
