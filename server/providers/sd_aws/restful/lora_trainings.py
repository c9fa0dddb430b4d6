"""Trainings of v1.5 and later: made and started by one call, on checkpoints as they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from atelier_mcp.server.errors import InvalidRequest, ProviderUnavailable, SubmitUnconfirmed
from atelier_mcp.server.providers.http_messages import HttpRequest
from atelier_mcp.server.providers.sd_aws.deployment_calls import SUBMIT_TIMEOUT_S
from atelier_mcp.server.providers.sd_aws.errors import RecordMissing
from atelier_mcp.server.providers.sd_aws.restful.checkpoints import RestfulCheckpointCalls
from atelier_mcp.server.providers.sd_aws.restful.datasets import RestfulDatasetCalls
from atelier_mcp.server.providers.sd_aws.training_bodies import build_lora_training, check_lora_training
from atelier_mcp.server.providers.sd_aws.wire import SdAwsBaseBody, SdAwsRows, SdAwsTrainingBody, unwrap_object
from atelier_mcp.server.providers.wire import parse_model

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from atelier_mcp.server.providers.sd_aws.dialect import PartTag
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.training_drafts import TrainingDrafts
    from atelier_mcp.server.providers.sd_aws.versions import MiddlewareVersion
    from atelier_mcp.server.requests.aws import CreateTraining, CreateTrainingBase


class LoraTrainingCalls(RestfulCheckpointCalls, RestfulDatasetCalls):
    """Trainings; there are no bases."""

    def __init__(self, middleware: MiddlewareClient, version: MiddlewareVersion, *, drafts: TrainingDrafts) -> None:
        """Ask through ``middleware``; ``drafts`` holds trainings that were not started."""
        super().__init__(middleware, version)
        self._drafts = drafts

    async def list_bases(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsBaseBody]:  # noqa: ARG002  # the protocol's signature
        """Every base checkpoint can be trained on."""
        checkpoints = await self.list_checkpoints(["Stable-diffusion"], ["Active"])
        bases = SdAwsRows(
            SdAwsBaseBody(id=name, model_name=name, status="Complete")  # pyright: ignore[reportCallIssue]  # by alias
            for entry in checkpoints
            for name in entry.names
        )
        bases.unreadable_count = checkpoints.unreadable_count
        return bases

    async def begin_base(self, request: CreateTrainingBase, name: str, part_count: int) -> tuple[str, list[str]]:  # noqa: ARG002  # the protocol's signature
        """There is nothing to make."""
        raise InvalidRequest(
            "This deployment trains on checkpoints as they are.", hint="Add the file with aws_add_checkpoint."
        )

    async def finish_base(self, base_id: str, name: str, tags: Sequence[PartTag]) -> None:  # noqa: ARG002  # the protocol's signature
        """There is nothing to finish."""
        raise AssertionError("no base was begun")

    async def create_training(self, request: CreateTraining) -> str:
        """A draft of ours: the service would start it at once, and that is for ``start_training`` to do."""
        check_lora_training(request)
        if (await self.list_datasets()).find(request.datasets[0], "name") is None:
            raise InvalidRequest(f"datasets: there is no {request.datasets[0]}.", hint="aws_list_datasets shows all.")
        return await self._drafts.save(request)

    async def start_training(self, training_id: str) -> str:
        """Make the training of a draft, which starts it."""
        request = await self._drafts.load(training_id)
        body = build_lora_training(request, is_flat=self._version.has_flat_training_settings)
        http_request = HttpRequest("POST", "/trainings", is_submit=True, body=body, read_timeout_s=SUBMIT_TIMEOUT_S)
        training = parse_model(SdAwsTrainingBody, unwrap_object(await self._request(http_request), "data"))
        if training is None or not training.id:
            raise SubmitUnconfirmed(f"{self._service} does not name the training it starts.")
        # Only now: a draft whose start is unconfirmed stays, and with it what it asked for.
        await self._drafts.delete(training_id)
        return training.id

    async def list_trainings(self, states: Sequence[str] = ()) -> SdAwsRows[SdAwsTrainingBody]:
        """The trainings, and the drafts that wait to be started.

        One row in a state that the service cannot read spoils its whole list (contract: conventions.states.training).
        """
        try:
            rows = await self._list_rows(SdAwsTrainingBody, "/trainings", "trainings")
        # The 400 is the service's own fault, not the caller's.
        except InvalidRequest as err:
            raise ProviderUnavailable(
                f"The deployment cannot read its own list of trainings. {err.message}",
                hint="Trainings started here can still be followed by wait_for_jobs.",
            ) from err
        for draft_id, draft in (await self._drafts.load_all()).items():
            rows.append(
                SdAwsTrainingBody.model_validate({"id": draft_id, "modelName": draft.name, "status": "Initial"})
            )
        found = SdAwsRows(training for training in rows if not states or training.state in states)
        found.unreadable_count = rows.unreadable_count
        return found

    async def find_trainings(self, ids: Collection[str]) -> dict[str, SdAwsTrainingBody | None]:
        """Each by its own record, which can be read in every state."""
        found = await asyncio.gather(*(self._find_training(training_id) for training_id in ids))
        return dict(zip(ids, found, strict=True))

    async def _find_training(self, training_id: str) -> SdAwsTrainingBody | None:
        try:
            document = await self._get_record("/trainings", training_id)
        except RecordMissing:
            return None
        training = parse_model(SdAwsTrainingBody, unwrap_object(document, "data"))
        if training is None or not training.state:
            raise ProviderUnavailable(f"{self._service} answered the look at a training with something unreadable.")
        return training
