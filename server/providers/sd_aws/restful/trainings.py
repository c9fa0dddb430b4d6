"""Trainings of the later generation: made and started by one call, on checkpoints as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.restful.calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.restful.checkpoints import RestfulCheckpointCalls
from atelier_mcp.server.providers.sd_aws.restful.datasets import RestfulDatasetCalls
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsTrainingBody,
    unwrap_list,
    unwrap_object,
)
from atelier_mcp.server.providers.wire import parse_model, parse_models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.training_drafts import TrainingDrafts
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase


class RestfulTrainingCalls(RestfulCheckpointCalls, RestfulDatasetCalls):
    """Training bases and trainings."""

    def __init__(self, middleware: MiddlewareClient, *, drafts: TrainingDrafts) -> None:
        """Ask through ``middleware``; ``drafts`` holds trainings that were not started."""
        super().__init__(middleware)
        self._drafts = drafts

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
