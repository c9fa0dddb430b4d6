"""Upload pictures to train on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import CreateAwsDataset
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run
from atelier_mcp.tools.aws._shown import local_pictures


class Arguments(CreateAwsDataset, Waiting):
    """The flat arguments of ``create_aws_dataset``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def create_aws_dataset(arguments: Arguments, studio: Studio) -> JobResult:
    """Upload local pictures as a data set for create_training. Storage is billed."""
    files = await local_pictures(arguments.files, studio.rooms)
    return await run(arguments.model_copy(update={"files": files}), studio)
