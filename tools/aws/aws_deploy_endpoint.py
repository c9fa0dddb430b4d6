"""Start the machines that pictures are made on."""

from __future__ import annotations

from atelier_mcp.server.job_result import JobResult
from atelier_mcp.server.registry import tool
from atelier_mcp.server.requests.aws import DeployEndpoint
from atelier_mcp.server.tool_context import ToolContext


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False, waits=True)
async def aws_deploy_endpoint(request: DeployEndpoint, context: ToolContext) -> JobResult:
    """Deploy an inference endpoint; only on request. COSTS MONEY by the hour until aws_delete_endpoints, used or not.

    Takes ten minutes and more: follow it with wait_for_jobs.
    """
    return await context.run(request)
