"""See the deployment's trainings."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.aws import ListTrainings
from atelier.server.studio import Studio
from atelier.tools._answering import answered
from atelier.tools.aws._shown import TrainingsResult


class Arguments(ListTrainings):
    """The flat arguments of ``list_trainings``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_trainings(arguments: Arguments, studio: Studio) -> TrainingsResult:
    """List trainings with their states, also those not started. Free."""
    return TrainingsResult.model_validate(await answered(arguments, studio))
