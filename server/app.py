"""The composition root: from settings to services to an MCP server. It alone constructs."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from mcp.server.caching import CacheHint
from pydantic import SecretStr

from atelier.server import registry
from atelier.server.addresses import is_loopback
from atelier.server.errors import ConfigurationError
from atelier.server.jobs.clock import SystemClock
from atelier.server.providers import catalogue
from atelier.server.resources import PictureResources
from atelier.server.studio import Rooms, Services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from mcp.server.mcpserver import MCPServer

    from atelier.server.jobs.clock import Clock
    from atelier.server.providers.base import Provider, Uploading
    from atelier.server.settings import Settings

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
            version=version("atelier-mcp"),
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
    from atelier.server.jobs.leftovers import any_unfinished

    if await asyncio.to_thread(any_unfinished, database_url(settings)):
        await services.rooms()


RESUME_AFTER_S = 1.0


def database_url(settings: Settings) -> str:
    """Where the ledger lies: as set, or a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.home / 'ledger.sqlite3'}"


@asynccontextmanager
async def open_rooms(settings: Settings, *, clock: Clock, transport: Transport) -> AsyncGenerator[Rooms, None]:
    """Open ledger, pictures, providers and poller; leaving closes them, and no accepted job is touched by that."""
    from atelier.server.images.download import Downloader
    from atelier.server.images.hosting import LinkSigner, PictureHost, signing_key
    from atelier.server.images.local_files import LocalFiles
    from atelier.server.images.pictures import Pictures
    from atelier.server.images.store import ImageStore
    from atelier.server.jobs.budget import Budget
    from atelier.server.jobs.ledger import open_ledger
    from atelier.server.jobs.ownership import FileOwnership
    from atelier.server.jobs.poller import Poller
    from atelier.server.jobs.service import JobService
    from atelier.server.providers.routing import Router

    await asyncio.to_thread(_make_home, settings)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ledger = await enter(open_ledger(database_url(settings), clock=clock))
        images = ImageStore(settings.home)
        signer = LinkSigner(await asyncio.to_thread(signing_key, settings.home), clock)
        providers = await _open_providers(settings, clock=clock, stack=stack)
        host = await enter(
            PictureHost(images, signer, public_url=settings.public_url, uploader=_uploader_of(providers))
        )
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


async def _open_providers(settings: Settings, *, clock: Clock, stack: AsyncExitStack) -> Sequence[Provider]:
    """The configured providers, preferred first; without any, all of them, played by the built-in emulator."""
    upstreams = catalogue.configured(settings)
    disclaimer = ""
    if not upstreams:
        upstreams, disclaimer = catalogue.UPSTREAMS, catalogue.BUILTIN_DISCLAIMER
        settings = await stack.enter_async_context(_emulated(settings))
    providers = [_BUILDERS[upstream.name](settings, clock, disclaimer) for upstream in upstreams]
    _lend_miaohua_token(providers)
    for provider in providers:
        stack.push_async_callback(provider.close)
    return providers


def _lend_miaohua_token(providers: Sequence[Provider]) -> None:
    """Let SenseNova draw on the Miaohua account, so that both share one login."""
    from atelier.server.providers.miaohua.provider import MiaohuaProvider
    from atelier.server.providers.sensenova.provider import SensenovaProvider

    payer = next((p for p in providers if isinstance(p, MiaohuaProvider)), None)
    for talker in providers:
        if payer is not None and isinstance(talker, SensenovaProvider):
            talker.draw_with(payer.tokens.current)


def _uploader_of(providers: Sequence[Provider]) -> Uploading | None:
    """The first provider on the internet that takes pictures in and gives public links to them."""
    from atelier.server.providers.base import Uploading

    return next((p for p in providers if isinstance(p, Uploading) and not p.local), None)


@asynccontextmanager
async def _emulated(settings: Settings) -> AsyncGenerator[Settings, None]:
    """The settings with the built-in emulator's addresses and demo credentials, while it runs."""
    if find_spec("cv2") is None or find_spec("numpy") is None:
        raise ConfigurationError(
            "No image service is configured, and the built-in engine is not installed.",
            then="Set the credentials of one, such as MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY, "
            'or install "atelier-mcp[engine]".',
        )
    from atelier.server.emulator.accounts import (
        DEMO_ACCESS_KEY,
        DEMO_API_KEY,
        DEMO_EMAIL,
        DEMO_PASSWORD,
        DEMO_SECRET_KEY,
    )
    from atelier.server.emulator.embedded import EmbeddedEmulator
    from atelier.server.emulator.settings import EmulatorSettings
    from atelier.server.engine.pool import EnginePool

    emulator_settings = EmulatorSettings(
        state_dir=settings.home / "emulator",
        access_log=settings.emulator_access_log,
        task_seconds=settings.emulator_task_s,
    )
    async with EnginePool() as engine, EmbeddedEmulator(engine, emulator_settings) as emulator:
        yield settings.model_copy(
            update={
                "mhapi_access_key": DEMO_ACCESS_KEY,
                "mhapi_secret_key": SecretStr(DEMO_SECRET_KEY),
                "mhapi_base_url": f"{emulator.base_url}/mhapi",
                "miaohua_email": DEMO_EMAIL,
                "miaohua_password": SecretStr(DEMO_PASSWORD),
                "miaohua_base_url": f"{emulator.base_url}/miaohua/api/v1b",
                "sensenova_api_key": SecretStr(DEMO_API_KEY),
                "sensenova_fusion_url": f"{emulator.base_url}/sensenova",
                "sensenova_chat_url": f"{emulator.base_url}/sensenova",
                "sd_aws_url": f"{emulator.base_url}/sd_aws/prod",
                "sd_aws_api_key": SecretStr(DEMO_API_KEY),
            }
        )


def _mhapi(settings: Settings, clock: Clock, disclaimer: str) -> Provider:
    from atelier.server.providers.mhapi.provider import MhapiProvider

    secret = settings.mhapi_secret_key
    return MhapiProvider(
        access_key=settings.mhapi_access_key,
        secret_key=secret.get_secret_value() if secret else "",
        base_url=settings.mhapi_base_url,
        clock=clock,
        local=is_loopback(urlsplit(settings.mhapi_base_url).hostname or ""),
        disclaimer=disclaimer,
    )


def _miaohua(settings: Settings, clock: Clock, disclaimer: str) -> Provider:
    from atelier.server.providers.miaohua.provider import MiaohuaProvider

    password = settings.miaohua_password
    return MiaohuaProvider(
        email=settings.miaohua_email,
        password=password.get_secret_value() if password else "",
        base_url=settings.miaohua_base_url,
        clock=clock,
        local=is_loopback(urlsplit(settings.miaohua_base_url).hostname or ""),
        disclaimer=disclaimer,
        sensitive_limit=settings.miaohua_sensitive_limit,
    )


def _sensenova(settings: Settings, clock: Clock, disclaimer: str) -> Provider:
    from atelier.server.providers.sensenova.provider import SensenovaProvider, settled

    key, token = settings.sensenova_api_key, settings.sensenova_miaohua_token
    return SensenovaProvider(
        api_key=key.get_secret_value() if key else "",
        fusion_url=settings.sensenova_fusion_url,
        chat_url=settings.sensenova_chat_url,
        clock=clock,
        miaohua_token=settled(token.get_secret_value()) if token else None,
        local=is_loopback(urlsplit(settings.sensenova_fusion_url).hostname or ""),
        disclaimer=disclaimer,
    )


def _sd_aws(settings: Settings, clock: Clock, disclaimer: str) -> Provider:
    from atelier.server.providers.sd_aws.provider import SdAwsProvider

    key = settings.sd_aws_api_key
    return SdAwsProvider(
        url=settings.sd_aws_url,
        api_key=key.get_secret_value() if key else "",
        username=settings.sd_aws_username,
        folder=settings.home / "sd_aws",
        clock=clock,
        endpoint=settings.sd_aws_endpoint,
        local=is_loopback(urlsplit(settings.sd_aws_url).hostname or ""),
        disclaimer=disclaimer,
    )


_BUILDERS: dict[str, Callable[[Settings, Clock, str], Provider]] = {
    "mhapi": _mhapi,
    "miaohua": _miaohua,
    "sensenova": _sensenova,
    "sd_aws": _sd_aws,
}
