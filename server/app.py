"""The composition root: from settings to services to an MCP server. With ``upstreams``, it alone constructs."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from mcp.server.caching import CacheHint
from mcp.server.extension import Extension

from atelier_mcp import __version__
from atelier_mcp.server.clock import SystemClock
from atelier_mcp.server.errors import AtelierError, ConfigurationError
from atelier_mcp.server.icons import SERVER_ICON
from atelier_mcp.server.principals import carry_principal
from atelier_mcp.server.private_files import make_private_folder, withhold_data_folder
from atelier_mcp.server.protocol_revisions import fit_to_revision
from atelier_mcp.server.providers import selection
from atelier_mcp.server.resources import ImageResourceServer
from atelier_mcp.server.service_host import ServiceHost
from atelier_mcp.server.services import Services
from atelier_mcp.server.tool_call import publish_tool
from atelier_mcp.server.tool_listing import list_tools
from atelier_mcp.server.tool_plan import plan_tools

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence
    from contextlib import AbstractAsyncContextManager
    from types import ModuleType

    from mcp.server.mcpserver import MCPServer
    from mcp.server.request_state import RequestStateSecurity

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.bucket import Bucket
    from atelier_mcp.server.images.hosting import ImageHost, LinkSigner
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.jobs.audit import AuditLog
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.providers.price_file import PriceBook
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.settings import Settings

log: logging.Logger = logging.getLogger(__name__)

Transport: TypeAlias = Literal["stdio", "http"]
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
            extensions=[AppsExtension()],
            subscriptions=False,  # nothing changes that a client could listen for
            middleware=[fit_to_revision, carry_principal] if transport == "http" else [fit_to_revision],
            log_level=settings.log_level,
            request_state_security=request_state_security,
        )


class AppsExtension(Extension):
    """Says to clients that some tools have a page; the pages themselves are read as resources."""

    identifier = "io.modelcontextprotocol/ui"


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

    from atelier_mcp.server.retention import RetentionRules, prune

    try:
        plan = prune(settings.home, get_database_url(settings), RetentionRules(timedelta(days=settings.keep_days or 0)))
    except (AtelierError, OSError) as err:
        log.warning("old data is not deleted: %s", " ".join(str(err).split()))
        return
    if not plan.is_empty:
        log.info("old data deleted: %d pictures, %d jobs", len(plan.images), plan.jobs)


def get_database_url(settings: Settings) -> str:
    """Where the ledger lies: as set, or a SQLite file in the data folder."""
    return settings.database_url or f"sqlite:///{settings.home / 'ledger.sqlite3'}"


@asynccontextmanager
async def open_services(settings: Settings, *, clock: Clock, transport: Transport) -> AsyncGenerator[Services, None]:
    """Open ledger, pictures, providers and poller; leaving closes them, and no accepted job is touched by that."""
    from atelier_mcp.server.images.download import Downloader
    from atelier_mcp.server.images.hosting import LinkSigner, load_signing_keys
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.jobs.consent import ConsentRule
    from atelier_mcp.server.jobs.ledger import open_ledger
    from atelier_mcp.server.jobs.ledger_clock import open_ledger_clock
    from atelier_mcp.server.jobs.ownership_choice import create_ownership
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.jobs.submitter import Submitter
    from atelier_mcp.server.provider_factory import find_stand_in_hosts, open_providers, share_rates
    from atelier_mcp.server.providers.routing import Router

    await asyncio.to_thread(_create_home, settings)
    async with AsyncExitStack() as stack:
        # In the order of use: each part is closed before those that it was given.
        enter = stack.enter_async_context
        audit = _create_audit_log(settings, transport)
        database_url = get_database_url(settings)
        ledger_clock = await enter(open_ledger_clock(database_url, clock))
        ledger = await enter(open_ledger(database_url, clock=ledger_clock, audit=audit))
        # Closed last: whatever else is still at work on a picture ends first.
        image_workers = await enter(ImageWorkers())
        image_store = ImageStore(settings.home, image_workers)
        providers, broken_providers = await enter(open_providers(settings, clock=clock))
        cwd = find_working_folder()
        # None is no access at all: over HTTP a path would name a file of the server's machine, not of the caller's.
        input_roots = resolve_input_roots(settings, cwd) if transport == "stdio" else None
        shared_keys = settings.signing_keys.get_secret_value() if settings.signing_keys else ""
        key, *older_keys = await asyncio.to_thread(load_signing_keys, settings.home, shared_keys)
        signer = LinkSigner(key, clock, older_keys=older_keys)
        image_host = await enter(_create_image_host(settings, image_store, signer, providers))
        downloader = await enter(Downloader(allow_hosts=find_stand_in_hosts(providers)))
        image_pipeline = ImagePipeline(
            image_store, downloader, image_host, image_workers, input_roots=input_roots, cwd=cwd or settings.home
        )
        operations = selection.index_operations(settings)
        router = Router(
            providers,
            describe_settings=lambda capability: selection.describe_settings_for(capability, settings),
            operations=operations,
            broken_providers=broken_providers,
        )
        # One for poller and submitter: its locks are the process's.
        ownership = await enter(create_ownership(database_url, locks_folder=settings.home / "locks"))
        share_rates(providers, ownership)
        rng = SystemRandom()
        poller = await enter(
            Poller(
                ledger,
                providers,
                image_pipeline,
                ownership=ownership,
                clock=ledger_clock,
                rng=rng,
                operations=operations,
            )
        )
        submitter = await enter(
            Submitter(
                ledger,
                router,
                image_pipeline,
                ownership=ownership,
                clock=ledger_clock,
                rng=rng,
                budget=_create_budget(settings),
                prices=await asyncio.to_thread(_load_prices, settings),
                consent_rule=ConsentRule(settings.confirm_above_images, settings.confirm_above_money or {}),
            )
        )
        local_files = LocalFiles(
            image_store, data_folder=settings.home, input_roots=input_roots, cwd=cwd or settings.home
        )
        yield Services(
            settings=settings,
            clock=clock,
            submitter=submitter,
            jobs=JobService(ledger, router, poller, calls=submitter.calls, clock=ledger_clock),
            image_pipeline=image_pipeline,
            image_store=image_store,
            image_workers=image_workers,
            local_files=local_files,
            router=router,
            signer=signer,
        )


def _create_image_host(
    settings: Settings, image_store: ImageStore, signer: LinkSigner, providers: Sequence[Provider]
) -> ImageHost:
    """How images become reachable for services: the operator's bucket, a provider's uploads, or links of our own."""
    from atelier_mcp.server.images.hosting import ImageHost
    from atelier_mcp.server.provider_factory import find_uploader

    return ImageHost(
        image_store,
        signer,
        public_url=settings.public_url,
        # The operator's bucket before a provider's: it was set on purpose.
        uploader=create_bucket(settings) or find_uploader(providers),
        uploader_variables=selection.list_uploader_variables(settings),
    )


def _create_audit_log(settings: Settings, transport: Transport) -> AuditLog | None:
    """Where spending is written down beside the ledger; over stdio only where that was asked for."""
    if settings.audit_log is None and transport == "stdio":
        return None
    from atelier_mcp.server.jobs.audit import AuditLog

    return AuditLog(settings.audit_log or settings.home / AUDIT_NAME)


def _load_prices(settings: Settings) -> PriceBook:
    from atelier_mcp.server.providers.price_file import PriceBook, read_price_file

    entries = read_price_file(settings.prices) if settings.prices else ()
    return PriceBook(entries, unknown_price=settings.unknown_price)


def _create_budget(settings: Settings) -> Budget:
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.money_budget import MoneyBudget

    return Budget(
        per_job=settings.budget_per_job,
        per_day=settings.budget_per_day,
        per_account_day=settings.budget_per_account_day,
        per_caller_day=settings.budget_per_principal_day,
        unfinished_per_caller=settings.max_jobs_per_principal,
        money=MoneyBudget(
            per_job=settings.money_per_job or {},
            per_day=settings.money_per_day or {},
            per_account_day=settings.money_per_account_day or {},
            per_caller_day=settings.money_per_principal_day or {},
        ),
    )


def create_bucket(settings: Settings) -> Bucket | None:
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


AUDIT_NAME = "audit.jsonl"
DATA_NAMES = (
    AUDIT_NAME, "cache", "emulator", "images", "locks", "principals", "signing.key", "signing.key.lock",
    "tokens.json", "tokens.json.lock",
)  # fmt: skip
"""What lies in the data folder beside the ledger, which sees to itself, and a folder for each provider."""


def _create_home(settings: Settings) -> None:
    try:
        make_private_folder(settings.home)
        withhold_data_folder(settings.home, [*DATA_NAMES, *(p.spec.name for p in settings.installed_providers)])
    except OSError as err:
        raise ConfigurationError(
            f"ATELIER_HOME: {settings.home} cannot be made.", hint="Name a folder that this user may write to."
        ) from err


def resolve_input_roots(settings: Settings, cwd: Path | None) -> tuple[Path, ...]:
    """The folders local pictures may come from: as set, also to none, or where a user's own pictures are.

    Each of those may be missing; the root of the disk, where services are often started, is none of them.
    """
    if settings.input_roots is not None:
        return settings.input_roots
    folders = (_find_user_folder(), cwd, _find_temporary_folder(), settings.home)
    return tuple(folder for folder in folders if folder is not None and folder.resolve() != Path(folder.anchor))


def find_working_folder() -> Path | None:
    """The folder this process was started in, unless it has been deleted."""
    try:
        return Path.cwd()
    except OSError:
        return None


def _find_user_folder() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # neither HOME nor an entry for the user id
        return None


def _find_temporary_folder() -> Path | None:
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None
