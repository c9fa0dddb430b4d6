"""Trainings of 2023, and the bases they start from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.errors import InvalidRequest, UpstreamFailed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import SdAwsRejection
from atelier_mcp.server.providers.sd_aws.legacy.calls import add_query
from atelier_mcp.server.providers.sd_aws.legacy.datasets import LegacyDatasetCalls
from atelier_mcp.server.providers.sd_aws.training_bodies import TRAIN_TYPE, build_base_training
from atelier_mcp.server.providers.sd_aws.trainings import build_base, find_listed_trainings
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsRows,
    SdAwsTrainingBody,
    parse_rows,
    unwrap_object,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase

TRAINING_PATHS: Final = ("/train", "/train-api/train")
"""Both were deployed; a third that was printed runs inferences (contract: create_training.wrong_path)."""


class LegacyTrainingCalls(LegacyDatasetCalls):
    """Training bases and trainings."""

    async def list_bases(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsBaseBody]:
        """The training bases; one alone may come as an object (contract: list_models.object_or_array)."""
        path = add_query("/models", types=[TRAIN_TYPE], status=states)
        return parse_rows(SdAwsBaseBody, await self._request(HttpRequest("GET", path)), "models")

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:
        """A new base's id and a signed link per part of its file, if it has one."""
        body = build_base(request, name, part_count, creator=self._middleware.username)
        document = await self._request(HttpRequest("POST", "/model", body=body))
        base_id = str(unwrap_object(document, "job").get("id", ""))
        return base_id, self._get_part_links(document, name, part_count) if name else []

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Let the service make the base."""
        tagged = {name: list(tags)} if name else {}
        body = {"model_id": base_id, "status": "Creating", "multi_parts_tags": tagged}
        await self._request(HttpRequest("PUT", "/model", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def create_training(self, request: CreateTraining) -> str:
        """A training to be started later."""
        base = (await self.list_bases()).find(request.base, "id", "name")
        if base is None:
            raise InvalidRequest(f"base: there is no {request.base}.", hint="aws_list_training_bases shows all.")
        # Trainings take the storage location of a data set, not its name.
        locations = {entry.name: entry.location for entry in await self.list_datasets()}
        planned = request.model_copy(update={"base": base.id})
        body = build_base_training(planned, locations, base_name=base.name, creator=self._middleware.username)
        document = await self._send_training(body)
        if job_id := unwrap_object(document, "job").get("id"):
            return str(job_id)
        raise UpstreamFailed(f"{self._service} answered without a training's id.")

    async def start_training(self, training_id: str) -> str:
        """Set it going, unless it goes already (contract: update_training.restart)."""
        known = (await self.list_trainings()).find(training_id, "id")
        # The service would start a finished training again, and charge for it (contract: update_training.restart).
        if known is not None and (known.is_done or known.has_failed):
            raise InvalidRequest(f"Training {training_id} is over: {known.state}.", hint="Create another one.")
        if known is not None and known.state == "Training":
            return training_id
        body = {"train_job_id": training_id, "status": "Training"}
        document = await self._request(
            HttpRequest("PUT", "/train", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        )
        # A refusal is statusCode 200 without a job (contract: update_training.other_status).
        if not unwrap_object(document, "job"):
            raise InvalidRequest(f"{self._service} starts nothing.")
        return training_id

    async def list_trainings(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsTrainingBody]:
        """The trainings."""
        path = add_query("/trains", types=[TRAIN_TYPE], status=states)
        return parse_rows(SdAwsTrainingBody, await self._request(HttpRequest("GET", path)), "trainJobs")

    async def find_trainings(self, ids: Collection[str]) -> dict[str, SdAwsTrainingBody | None]:
        """Out of the list: there is no single record."""
        return find_listed_trainings(ids, await self.list_trainings())

    async def _send_training(self, body: dict[str, Any]) -> Any:
        for path in TRAINING_PATHS[:-1]:
            try:
                return await self._middleware.send(HttpRequest("POST", path, body=body))
            except SdAwsRejection as err:
                if not err.fault.is_missing_route:
                    raise err.error from None
        return await self._request(HttpRequest("POST", TRAINING_PATHS[-1], body=body))
