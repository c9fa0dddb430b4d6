"""See what can be trained on."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.aws import ListTrainingBases
from atelier.server.studio import Studio
from atelier.tools._answering import answered
from atelier.tools.aws._shown import BasesResult


class Arguments(ListTrainingBases):
    """The flat arguments of ``list_training_bases``."""


@tool(toolset="aws", read_only=True, destructive=False, idempotent=True)
async def list_training_bases(arguments: Arguments, studio: Studio) -> BasesResult:
    """List training bases with their states. Free."""
    return BasesResult.model_validate(await answered(arguments, studio))
