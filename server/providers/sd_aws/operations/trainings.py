"""Trainings: written down first, at no cost, and started later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.providers.base import UpstreamTask
from atelier_mcp.server.providers.sd_aws.operation import SdAwsDirectOperation, SdAwsJobOperation
from atelier_mcp.server.providers.sd_aws.results import build_listing
from atelier_mcp.server.requests.aws import CreateTraining, ListTrainings, StartTraining

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.providers.base import SubmitCall

TRAINING: Final = "training"
"""The kind of a training's task."""


class SdAwsTrainingCreation(SdAwsDirectOperation[CreateTraining]):
    """``aws_create_training``."""

    request_type = CreateTraining

    async def execute(self, request: CreateTraining, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """The id to start it by."""
        return {"training_id": await (await self._account.get_dialect()).create_training(request)}


class SdAwsTrainingStart(SdAwsJobOperation[StartTraining]):
    """``aws_start_training``."""

    request_type = StartTraining

    async def submit(self, request: StartTraining, images: Mapping[str, str], call: SubmitCall) -> UpstreamTask:  # noqa: ARG002  # the base's signature
        """Set it going, which costs money from now on."""
        dialect = await self._account.get_dialect()
        return UpstreamTask(await dialect.start_training(request.training_id), TRAINING)


class SdAwsTrainingListing(SdAwsDirectOperation[ListTrainings]):
    """``aws_list_trainings``."""

    request_type = ListTrainings

    async def execute(self, request: ListTrainings, images: Mapping[str, str]) -> Mapping[str, Any]:  # noqa: ARG002  # the base's signature
        """Those in some states, or all; those that wait to be started, too."""
        trainings = await (await self._account.get_dialect()).list_trainings(request.states)
        rows = [{"id": t.id, "name": t.name, "state": t.state} for t in trainings]
        return build_listing("trainings", rows, trainings)
