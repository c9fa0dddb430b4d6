"""Opens what the server works with, each part with those it is given, and closes it again in the other order."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from random import SystemRandom
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from atelier_mcp.server.errors import StorageUnavailable
from atelier_mcp.server.local_folders import (
    AUDIT_NAME,
    create_home,
    find_working_folder,
    get_database_url,
    resolve_input_roots,
)
from atelier_mcp.server.providers import selection
from atelier_mcp.server.services import Services

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.bucket import Bucket
    from atelier_mcp.server.images.hosting import ImageHost, LinkSigner
    from atelier_mcp.server.images.local_files import LocalFiles
    from atelier_mcp.server.images.pipeline import ImagePipeline
    from atelier_mcp.server.images.store import ImageStore
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.jobs.audit import AuditLog
    from atelier_mcp.server.jobs.budget import Budget
    from atelier_mcp.server.jobs.ledger import Ledger
    from atelier_mcp.server.jobs.poller import Poller
    from atelier_mcp.server.jobs.submitter import Submitter
    from atelier_mcp.server.providers.price_file import PriceBook
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.routing import Router
    from atelier_mcp.server.providers.spec import BrokenProvider
    from atelier_mcp.server.settings import Settings

log: logging.Logger = logging.getLogger(__name__)

Transport: TypeAlias = Literal["stdio", "http"]


class _Images(NamedTuple):
    """What has to do with pictures."""

    store: ImageStore
    pipeline: ImagePipeline
    local_files: LocalFiles
    signer: LinkSigner


@asynccontextmanager
async def open_services(settings: Settings, *, clock: Clock, transport: Transport) -> AsyncGenerator[Services, None]:
    """Open ledger, pictures, providers and poller; leaving closes them, and no accepted job is touched by that."""
    from atelier_mcp.server.images.workers import ImageWorkers
    from atelier_mcp.server.jobs.service import JobService
    from atelier_mcp.server.provider_factory import open_providers

    await asyncio.to_thread(create_home, settings)
    async with AsyncExitStack() as stack:
        # In the order of use: each part is closed before those that it was given.
        opening = _Opening(stack, settings, clock, transport)
        ledger = await opening.open_ledger()
        # Closed after them: whatever else is still at work on a picture ends first.
        workers = await stack.enter_async_context(ImageWorkers())
        providers, broken_providers = await stack.enter_async_context(open_providers(settings, clock=clock))
        images = await opening.open_images(workers, providers)
        router = _create_router(settings, providers, broken_providers)
        poller, submitter = await opening.open_work(ledger, router, images.pipeline)
        yield Services(
            settings=settings,
            clock=clock,
            submitter=submitter,
            jobs=JobService(ledger, router, poller, calls=submitter.calls, clock=ledger.clock),
            image_pipeline=images.pipeline,
            image_store=images.store,
            image_workers=workers,
            local_files=images.local_files,
            router=router,
            signer=images.signer,
        )


class _Opening:
    """Enters the parts into one stack, by the same settings."""

    def __init__(self, stack: AsyncExitStack, settings: Settings, clock: Clock, transport: Transport) -> None:
        self._enter = stack.enter_async_context
        self._settings = settings
        self._clock = clock
        self._transport: Transport = transport

    async def open_ledger(self) -> Ledger:
        """The ledger, by its database's own time."""
        from atelier_mcp.server.jobs.ledger import open_ledger
        from atelier_mcp.server.jobs.ledger_clock import open_ledger_clock

        database_url = get_database_url(self._settings)
        clock = await self._enter(open_ledger_clock(database_url, self._clock))
        audit = _create_audit_log(self._settings, self._transport)
        return await self._enter(open_ledger(database_url, clock=clock, audit=audit))

    async def open_images(self, workers: ImageWorkers, providers: Sequence[Provider]) -> _Images:
        """Store, downloads and links. Raises ``ConfigurationError`` where no picture could be stored."""
        from atelier_mcp.server.images.download import Downloader
        from atelier_mcp.server.images.hosting import LinkSigner, load_signing_keys
        from atelier_mcp.server.images.local_files import LocalFiles
        from atelier_mcp.server.images.pipeline import ImagePipeline
        from atelier_mcp.server.libraries import create_image_store
        from atelier_mcp.server.provider_factory import find_stand_in_hosts

        settings = self._settings
        store = create_image_store(settings, workers)
        await _check_store(store)
        cwd = find_working_folder()
        # None is no access at all: over HTTP a path would name a file of the server's machine, not of the caller's.
        roots = resolve_input_roots(settings, cwd) if self._transport == "stdio" else None
        folder = cwd or settings.home
        shared_keys = settings.signing_keys.get_secret_value() if settings.signing_keys else ""
        key, *older_keys = await asyncio.to_thread(load_signing_keys, settings.home, shared_keys)
        signer = LinkSigner(key, self._clock, older_keys=older_keys)
        image_host = await self._enter(_create_image_host(settings, store, signer, providers))
        downloader = await self._enter(Downloader(allow_hosts=find_stand_in_hosts(providers), clock=self._clock))
        pipeline = ImagePipeline(store, downloader, image_host, workers, input_roots=roots, cwd=folder)
        local_files = LocalFiles(store, data_folder=settings.home, input_roots=roots, cwd=folder)
        return _Images(store, pipeline, local_files, signer)

    async def open_work(self, ledger: Ledger, router: Router, pipeline: ImagePipeline) -> tuple[Poller, Submitter]:
        """What watches jobs, and what begins them."""
        from atelier_mcp.server.jobs.consent import ConsentRule
        from atelier_mcp.server.jobs.ownership_choice import create_ownership
        from atelier_mcp.server.jobs.poller import Poller
        from atelier_mcp.server.jobs.submitter import Submitter
        from atelier_mcp.server.provider_factory import share_rates

        settings = self._settings
        # One for poller and submitter: its locks are the process's.
        locks_folder = settings.home / "locks"
        ownership = await self._enter(create_ownership(get_database_url(settings), locks_folder=locks_folder))
        share_rates(router.providers, ownership)
        rng = SystemRandom()
        poller = Poller(
            ledger,
            router.providers,
            pipeline,
            ownership=ownership,
            clock=ledger.clock,
            rng=rng,
            operations=selection.index_operations(settings),
        )
        await self._enter(poller)
        submitter = Submitter(
            ledger,
            router,
            pipeline,
            ownership=ownership,
            clock=ledger.clock,
            rng=rng,
            budget=_create_budget(settings),
            prices=await asyncio.to_thread(_load_prices, settings),
            consent_rule=ConsentRule(settings.confirm_above_images, settings.confirm_above_money or {}),
        )
        return poller, await self._enter(submitter)


def _create_router(
    settings: Settings, providers: Sequence[Provider], broken_providers: Sequence[BrokenProvider]
) -> Router:
    from atelier_mcp.server.providers.routing import Router

    return Router(
        providers,
        describe_settings=lambda capability: selection.describe_settings_for(capability, settings),
        operations=selection.index_operations(settings),
        broken_providers=broken_providers,
    )


async def _check_store(image_store: ImageStore) -> None:
    """Raise ``ConfigurationError`` where no picture could be stored, before one is paid for.

    A store that does not answer now is none of those: jobs wait for it, and are better taken up than left.
    """
    try:
        await image_store.check()
    except StorageUnavailable as err:
        log.warning("pictures cannot be stored at the moment: %s", " ".join(str(err).split()))


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
    from atelier_mcp.server.images.bucket import Bucket
    from atelier_mcp.server.images.bucket_access import BucketAccess

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
