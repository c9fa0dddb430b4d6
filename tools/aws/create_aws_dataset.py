"""Upload pictures to train on."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.aws import CreateAwsDataset
from atelier.server.studio import Studio
from atelier.tools._results import JobResult
from atelier.tools._waiting import Waiting, run
from atelier.tools.aws._shown import local_pictures


class Arguments(CreateAwsDataset, Waiting):
    """The flat arguments of ``create_aws_dataset``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def create_aws_dataset(arguments: Arguments, studio: Studio) -> JobResult:
    """Upload local pictures as a data set for create_training. Storage is billed."""
    files = await local_pictures(arguments.files, studio.rooms)
    return await run(arguments.model_copy(update={"files": files}), studio)
