"""Trainings of v1.4: bases are made beforehand, and a training waits to be started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.restful.checkpoints import RestfulCheckpointCalls
from atelier_mcp.server.providers.sd_aws.restful.datasets import RestfulDatasetCalls
from atelier_mcp.server.providers.sd_aws.training_bodies import (
    SETTINGS_ARCHIVE,
    TRAIN_TYPE,
    build_base_training,
    pack_settings,
)
from atelier_mcp.server.providers.sd_aws.trainings import build_base, find_listed_trainings
from atelier_mcp.server.providers.sd_aws.wire import (
    SdAwsBaseBody,
    SdAwsRows,
    SdAwsTrainingBody,
    parse_rows,
    parse_upload_links,
    unwrap_object,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase


class BaseTrainingCalls(RestfulCheckpointCalls, RestfulDatasetCalls):
    """Training bases and trainings."""

    async def list_bases(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsBaseBody]:
        """The training bases."""
        query = "".join(f"&status={state}" for state in states)
        document = await self._request(HttpRequest("GET", f"/models?types={TRAIN_TYPE}{query}"))
        return parse_rows(SdAwsBaseBody, document, "data", "models")

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:
        """A new base's id and a signed link per part of its file, if it has one."""
        body = build_base(request, name, part_count, creator=self._middleware.username)
        document = await self._request(HttpRequest("POST", "/models", body=body))
        links = parse_upload_links(document).get(name, []) if name else []
        if len(links) != part_count:
            raise ProviderUnavailable(f"{self._service} answered without links for the {part_count} parts of {name}.")
        return str(unwrap_object(document, "data", "job").get("id", "")), links

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:
        """Let the service make the base."""
        body = {"status": "Creating", "multi_parts_tags": {name: list(tags)} if name else {}}
        path = f"/models/{quote(base_id, safe='')}"
        await self._request(HttpRequest("PUT", path, is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S))

    async def create_training(self, request: CreateTraining) -> str:
        """A training to be started later; its settings are uploaded, which the service does not write here itself."""
        base = (await self.list_bases()).find(request.base, "id", "name")
        if base is None:
            raise InvalidRequest(f"base: there is no {request.base}.", hint="aws_list_training_bases shows all.")
        # Trainings take the storage location of a data set, not its name.
        locations = {entry.name: entry.location for entry in await self.list_datasets()}
        planned = request.model_copy(update={"base": base.id})
        body: dict[str, Any] = build_base_training(
            planned, locations, base_name=base.name, creator=self._middleware.username
        )
        # Naming the file is what makes the service answer with a link for it.
        body["filenames"] = [SETTINGS_ARCHIVE]
        document = await self._request(HttpRequest("POST", "/trainings", body=body))
        training_id = str(unwrap_object(document, "data", "job").get("id") or "")
        links = parse_upload_links(document).get(SETTINGS_ARCHIVE, [])
        if not training_id or not links:
            raise ProviderUnavailable(f"{self._service} answered without a training's id, or without its link.")
        await self._middleware.put_file(links[0], pack_settings(body["params"]["config_params"], base_name=base.name))
        return training_id

    async def start_training(self, training_id: str) -> str:
        """Set it going, unless it goes already or is over."""
        training = (await self.list_trainings()).find(training_id, "id")
        if training is not None and (training.is_done or training.has_failed):
            raise InvalidRequest(f"Training {training_id} is over: {training.state}.", hint="Create another one.")
        if training is None or training.state == "Initial":
            path = f"/trainings/{quote(training_id, safe='')}/start"
            await self._request(HttpRequest("PUT", path, is_submit=True, read_timeout_s=SUBMIT_TIMEOUT_S))
        return training_id

    async def list_trainings(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsTrainingBody]:
        """The trainings."""
        query = "".join(f"&status={quote(state, safe='')}" for state in states)
        document = await self._request(HttpRequest("GET", f"/trainings?types={TRAIN_TYPE}{query}"))
        return parse_rows(SdAwsTrainingBody, document, "data", "trainJobs")

    async def find_trainings(self, ids: Collection[str]) -> dict[str, SdAwsTrainingBody | None]:
        """Out of the list: a single record of v1.4 cannot be read (contract: routes)."""
        return find_listed_trainings(ids, await self.list_trainings())
