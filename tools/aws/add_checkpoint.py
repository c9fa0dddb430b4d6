"""Put model files into the deployment."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import AddCheckpoint
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run
from atelier_mcp.tools.aws._shown import local_file


class Arguments(AddCheckpoint, Waiting):
    """The flat arguments of ``add_checkpoint``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def add_checkpoint(arguments: Arguments, studio: Studio) -> JobResult:
    """Add a model file: upload a local one in parts, resumed after a restart, or have links fetched. Storage is billed.

    Follow a long upload with wait_for_jobs; then list_models shows it.
    """
    file = await local_file(arguments.file, studio.rooms)
    return await run(arguments.model_copy(update={"file": file}), studio)
