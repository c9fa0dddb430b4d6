"""See the deployment's model files."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.aws import ListCheckpoints
from atelier.server.studio import Studio
from atelier.tools._answering import answered
from atelier.tools.aws._shown import CheckpointsResult


class Arguments(ListCheckpoints):
    """The flat arguments of ``list_checkpoints``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_checkpoints(arguments: Arguments, studio: Studio) -> CheckpointsResult:
    """List model files with their ids and states, those not in use too. Free."""
    return CheckpointsResult.model_validate(await answered(arguments, studio))
