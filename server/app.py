"""The MCP server for its settings: its tools and resources, and what goes on beside its calls."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, cast

from mcp.server.caching import CacheHint
from mcp.server.extension import Extension

from atelier_mcp import __version__
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.icons import SERVER_ICON
from atelier_mcp.server.local_folders import get_database_url
from atelier_mcp.server.mcp_tasks.extension import TasksExtension
from atelier_mcp.server.principals import carry_principal
from atelier_mcp.server.protocol_revisions import fit_to_revision
from atelier_mcp.server.resources import ImageResourceServer
from atelier_mcp.server.service_host import ServiceHost
from atelier_mcp.server.service_opening import Transport, open_services
from atelier_mcp.server.tool_call import publish_tool
from atelier_mcp.server.tool_listing import list_tools
from atelier_mcp.server.tool_plan import plan_tools

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from mcp.server.mcpserver import MCPServer
    from mcp.server.mcpserver.tools import Tool
    from mcp.server.request_state import RequestStateSecurity

    from atelier_mcp.server.settings import Settings

log: logging.Logger = logging.getLogger(__name__)

TOOLS_TTL_MS = 3_600_000
"""The tools change only with the settings, which are read once."""

INSTRUCTIONS = """Pictures by typed tools. Name pictures by handle (img_...), link, path or data URL; every answer \
returns handles. A call waits up to 45 s; an unfinished job goes on: wait_for_jobs. Never ask again for a job that is \
still running. Several wishes at once: each with wait_s 0, then one wait_for_jobs."""
TRAINING_IS_OFF = "Training of styles is switched off here: ATELIER_TOOLSETS with train offers it."


def create_server(
    settings: Settings,
    *,
    transport: Transport = "stdio",
    request_state_security: RequestStateSecurity | None = None,
) -> MCPServer[ServiceHost]:
    """The MCP server for these settings. Nothing is opened until a tool is called.

    ``request_state_security`` seals what clients carry between two requests; without it, a key of this process does.
    """
    clock = SystemClock()
    service_host = ServiceHost(
        lambda: open_services(settings, clock=clock, transport=transport),
        clock=clock,
        transport=transport,
        home=settings.home,
    )
    plan = plan_tools(settings)
    listed_tools = list_tools(plan, cache_folder=settings.home / "cache")
    tools = [publish_tool(listed, plan, service_host) for listed in listed_tools]
    scopes_by_tool = {listed.tool.name: listed.scope for listed in listed_tools}
    with _block_rich_import():
        return ImageResourceServer(
            settings=settings,
            service_host=service_host,
            scopes_by_tool=scopes_by_tool,
            name="atelier",
            title="Atelier",
            description="An image studio: generate, edit and find pictures.",
            instructions=INSTRUCTIONS + f" {TRAINING_IS_OFF}" * plan.withholds_training,
            icons=[SERVER_ICON],
            version=__version__,
            tools=tools,
            cache_hints={"tools/list": CacheHint(ttl_ms=TOOLS_TTL_MS, scope="private")},
            lifespan=_build_lifespan(service_host, settings),
            extensions=[AppsExtension(), TasksExtension(service_host, _find_wait_tool(tools))],
            subscriptions=False,  # nothing changes that a client could listen for
            middleware=[fit_to_revision, carry_principal] if transport == "http" else [fit_to_revision],
            log_level=settings.log_level,
            request_state_security=request_state_security,
        )


class AppsExtension(Extension):
    """Says to clients that some tools have a page; the pages themselves are read as resources."""

    identifier = "io.modelcontextprotocol/ui"


def _find_wait_tool(tools: Sequence[Tool]) -> Tool | None:
    return next((tool for tool in tools if tool.name == "wait_for_jobs"), None)


@contextmanager
def _block_rich_import() -> Generator[None, None, None]:
    """Keep the SDK from loading rich for logs that are set up already: 40 ms and 3 MB of every start.

    Its constructor takes rich where it can be had; while it runs, rich cannot be had, unless somebody uses it.
    """
    if "rich" in sys.modules:
        yield
        return
    # None in sys.modules makes an import raise ImportError, which the SDK expects where rich is not installed.
    sys.modules["rich.console"] = cast("ModuleType", None)
    try:
        yield
    finally:
        del sys.modules["rich.console"]


def _build_lifespan(
    service_host: ServiceHost, settings: Settings
) -> Callable[[MCPServer[ServiceHost]], AbstractAsyncContextManager[ServiceHost]]:
    @asynccontextmanager
    async def lifespan(_: MCPServer[ServiceHost]) -> AsyncGenerator[ServiceHost, None]:
        # The host is entered first and left last: resuming uses it until it is cancelled.
        async with service_host.run(), asyncio.TaskGroup() as tasks:
            resume_task = tasks.create_task(_resume_jobs(service_host, settings), name="resume")
            retention_task = tasks.create_task(_delete_old_data(settings), name="retention")
            yield service_host
            resume_task.cancel()
            retention_task.cancel()

    return lifespan


async def _resume_jobs(service_host: ServiceHost, settings: Settings) -> None:
    """Open the services if jobs were left unfinished, so that they are taken up before anyone asks.

    Waits until the first answers are out: opening imports the database, which would hold them up.
    """
    await asyncio.sleep(RESUME_DELAY_S)
    from atelier_mcp.server.jobs.unfinished_jobs import has_unfinished_jobs

    if await asyncio.to_thread(has_unfinished_jobs, get_database_url(settings)):
        try:
            await service_host.get_services()
        except AtelierError as err:
            log.warning("unfinished jobs are not taken up: %s", " ".join(str(err).split()))


RESUME_DELAY_S = 1.0
RETENTION_DELAY_S = 30.0
"""So long after the start: behind whatever the first calls open."""
RETENTION_INTERVAL_S = 6 * 3600.0


async def _delete_old_data(settings: Settings) -> None:
    """Hold to ``ATELIER_KEEP_DAYS`` as long as the server runs; several servers of one folder may do so."""
    if settings.keep_days is None:
        return
    delay_s = RETENTION_DELAY_S
    while True:
        await asyncio.sleep(delay_s)
        await asyncio.to_thread(_prune, settings)
        delay_s = RETENTION_INTERVAL_S


def _prune(settings: Settings) -> None:
    from datetime import timedelta

    from atelier_mcp.server.libraries import create_image_store
    from atelier_mcp.server.retention import RetentionRules, prune

    try:
        store, rules = create_image_store(settings), RetentionRules(timedelta(days=settings.keep_days or 0))
        plan = prune(store, settings.home, get_database_url(settings), rules)
    except (AtelierError, OSError) as err:
        log.warning("old data is not deleted: %s", " ".join(str(err).split()))
        return
    if not plan.is_empty:
        log.info("old data deleted: %d pictures, %d jobs", len(plan.images), plan.jobs)
