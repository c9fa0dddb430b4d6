"""Start the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DeployEndpoint
from atelier_mcp.server.tool_context import ToolContext
from atelier_mcp.tools._job_result import JobResult
from atelier_mcp.tools._job_run import WaitArguments, run_job


class DeployEndpointArguments(DeployEndpoint, WaitArguments):
    """The flat arguments of ``deploy_endpoint``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def deploy_endpoint(arguments: DeployEndpointArguments, context: ToolContext) -> JobResult:
    """Deploy an inference endpoint; only on request. COSTS MONEY by the hour until delete_endpoints, used or not.

    Takes ten minutes and more: follow it with wait_for_jobs.
    """
    return await run_job(arguments, context)
