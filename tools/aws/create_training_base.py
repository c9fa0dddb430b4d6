"""Make a model ready to be trained on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateTrainingBase
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run
from atelier_mcp.tools.aws._shown import local_file


class Arguments(CreateTrainingBase, Waiting):
    """The flat arguments of ``create_training_base``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def create_training_base(arguments: Arguments, studio: Studio) -> JobResult:
    """Make a training base of a checkpoint. COSTS MONEY: a machine works on it; only on request."""
    file = await local_file(arguments.file, studio.rooms)
    return await run(arguments.model_copy(update={"file": file}), studio)
