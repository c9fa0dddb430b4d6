"""The composition root: from settings to services to an MCP server. With ``upstreams``, it alone constructs."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from mcp.server.caching import CacheHint

from atelier_mcp import __version__
from atelier_mcp.server import registry
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.jobs.clock import SystemClock
from atelier_mcp.server.providers import catalogue
from atelier_mcp.server.resources import PictureResources
from atelier_mcp.server.studio import Rooms, Services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from mcp.server.mcpserver import MCPServer

    from atelier_mcp.server.images.bucket import Bucket
    from atelier_mcp.server.jobs.clock import Clock
    from atelier_mcp.server.settings import Settings

Transport: TypeAlias = Literal["stdio", "http"]
TOOLS_TTL_MS = 3_600_000
"""The tools change only with the settings, which are read once."""

INSTRUCTIONS = """Pictures by typed tools. Name pictures by handle (img_...), link, path or data URL; every answer \
returns handles. A call waits up to 45 s; an unfinished job goes on: wait_for_jobs with its id. Never ask again for \
a job that is still running."""


def create_server(settings: Settings, *, transport: Transport = "stdio") -> MCPServer[Services]:
    """The MCP server for these settings. Nothing is opened until a tool is called."""
    clock = SystemClock()
    services = Services(
        lambda: open_rooms(settings, clock=clock, transport=transport), clock=clock, transport=transport
    )
    serving = catalogue.serving(catalogue.usable(settings))
    definitions = registry.select(
        registry.discover(toolsets=settings.toolsets), toolsets=settings.toolsets, serving=serving
    )
    configured = {upstream.name for upstream in catalogue.configured(settings)}
    tools = [
        registry.published(d, services=services, providers=serving.get(d.capability or "", ()), configured=configured)
        for d in definitions
    ]
    with _logs_left_alone():
        return PictureResources(
            home=settings.home,
            name="atelier",
            title="Atelier",
            description="An image studio: generate, edit and find pictures.",
            instructions=INSTRUCTIONS,
            version=__version__,
            tools=tools,
            cache_hints={"tools/list": CacheHint(ttl_ms=TOOLS_TTL_MS, scope="private")},
            lifespan=_lifespan(services, settings),
            log_level=settings.log_level,
        )


@contextmanager
def _logs_left_alone() -> Generator[None, None, None]:
    """Keep the SDK from loading rich for logs that are set up already: 40 ms and 3 MB of every start.

    Its constructor takes rich where it can be had; while it runs, rich cannot be had, unless somebody uses it.
    """
    if "rich" in sys.modules:
        yield
        return
    sys.modules["rich.console"] = cast("ModuleType", None)
    try:
        yield
    finally:
        del sys.modules["rich.console"]


def _lifespan(
    services: Services, settings: Settings
) -> Callable[[MCPServer[Services]], AbstractAsyncContextManager[Services]]:
    @asynccontextmanager
    async def lifespan(_: MCPServer[Services]) -> AsyncGenerator[Services, None]:
        async with services.serving(), asyncio.TaskGroup() as tasks:
            resuming = tasks.create_task(_resume(services, settings), name="resume")
            yield services
            resuming.cancel()

    return lifespan


async def _resume(services: Services, settings: Settings) -> None:
    """Open the rooms if jobs were left unfinished, so that they are taken up before anyone asks.

    Waits until the first answers are out: opening imports the database, which would hold them up.
    """
    await asyncio.sleep(RESUME_AFTER_S)
    from atelier_mcp.server.jobs.leftovers import any_unfinished

    if await asyncio.to_thread(any_unfinished, database_url(settings)):
        await services.rooms()


RESUME_AFTER_S = 1.0


def database_url(settings: Settings) -> str:
    """Where the ledger lies: as set, or a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.home / 'ledger.sqlite3'}"


@asynccontextmanager
async def open_rooms(settings: Settings, *, clock: Clock, transport: Transport) -> AsyncGenerator[Rooms, None]:
    """Open ledger, pictures, providers and poller; leaving closes them, and no accepted job is touched by that."""
    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.hosting import LinkSigner, PictureHost, signing_key
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pictures import Pictures
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.ledger import open_ledger
    from atelier_mcp.server.jobs.ownership import FileOwnership
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.upstreams import open_providers, uploader_of

    await asyncio.to_thread(_make_home, settings)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ledger = await enter(open_ledger(database_url(settings), clock=clock))
        images = ImageStore(settings.home)
        signer = LinkSigner(await asyncio.to_thread(signing_key, settings.home), clock)
        providers = await enter(open_providers(settings, clock=clock))
        lender = _bucket(settings) or uploader_of(providers)
        host = await enter(PictureHost(images, signer, public_url=settings.public_url, uploader=lender))
        roots = _input_roots(settings) if transport == "stdio" else None
        pictures = Pictures(images, await enter(Downloader()), host, input_roots=roots, cwd=Path.cwd())
        router = Router(providers, settings_for=catalogue.settings_for)
        ownership = await enter(FileOwnership(settings.home / "locks"))
        random = SystemRandom()
        poller = await enter(Poller(ledger, providers, pictures, ownership=ownership, clock=clock, random=random))
        service = JobService(
            ledger,
            router,
            pictures,
            poller,
            ownership=ownership,
            clock=clock,
            random=random,
            budget=Budget(
                per_job=settings.budget_per_job,
                per_day=settings.budget_per_day,
                per_account_day=settings.budget_per_account_day,
            ),
        )
        jobs = await enter(service)
        files = LocalFiles(images, input_roots=roots)
        yield Rooms(
            settings=settings, clock=clock, jobs=jobs, pictures=pictures, images=images, files=files, router=router
        )


def _bucket(settings: Settings) -> Bucket | None:
    """The operator's bucket, if there is one."""
    if not settings.bucket_url:
        return None
    from atelier_mcp.server.images.bucket import Bucket, BucketAccess

    secret, token = settings.aws_secret_access_key, settings.aws_session_token
    return Bucket(
        BucketAccess(
            url=settings.bucket_url,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else "",
            session_token=token.get_secret_value() if token else "",
            region=settings.aws_region,
            endpoint=settings.aws_endpoint_url,
        )
    )


def _make_home(settings: Settings) -> None:
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigurationError(
            f"ATELIER_HOME: {settings.home} cannot be made.", then="Name a folder that this user may write to."
        ) from err


def _input_roots(settings: Settings) -> tuple[Path, ...]:
    """The folders local pictures may come from: as set, or where a user's own pictures are."""
    return settings.input_roots or (Path.home(), Path.cwd(), Path(tempfile.gettempdir()), settings.home)
