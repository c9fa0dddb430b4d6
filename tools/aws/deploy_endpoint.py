"""Start the machines that pictures are made on."""

from __future__ import annotations

from atelier.server.registry import tool
from atelier.server.requests.aws import DeployEndpoint
from atelier.server.studio import Studio
from atelier.tools._results import JobResult
from atelier.tools._waiting import Waiting, run


class Arguments(DeployEndpoint, Waiting):
    """The flat arguments of ``deploy_endpoint``."""


@tool(toolset="aws", read_only=False, destructive=False, idempotent=False)
async def deploy_endpoint(arguments: Arguments, studio: Studio) -> JobResult:
    """Deploy an inference endpoint; only on request. COSTS MONEY by the hour until delete_endpoints, used or not.

    Takes ten minutes and more: follow it with wait_for_jobs.
    """
    return await run(arguments, studio)
