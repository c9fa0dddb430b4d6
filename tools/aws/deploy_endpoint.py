"""Start the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DeployEndpoint
from atelier_mcp.server.studio import Studio
from atelier_mcp.tools._results import JobResult
from atelier_mcp.tools._waiting import Waiting, run


class Arguments(DeployEndpoint, Waiting):
    """The flat arguments of ``deploy_endpoint``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def deploy_endpoint(arguments: Arguments, studio: Studio) -> JobResult:
    """Deploy an inference endpoint; only on request. COSTS MONEY by the hour until delete_endpoints, used or not.

    Takes ten minutes and more: follow it with wait_for_jobs.
    """
    return await run(arguments, studio)
