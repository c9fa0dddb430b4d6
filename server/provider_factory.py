"""The providers in use: each built from its settings, or all of them played by the built-in emulator."""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from atelier_mcp.server.addresses import get_host_and_port
from atelier_mcp.server.errors import AtelierError, ConfigurationError
from atelier_mcp.server.providers.context import ProviderContext
from atelier_mcp.server.providers.selection import find_configured_providers, find_usable_providers
from atelier_mcp.server.providers.spec import BrokenProvider, InstalledProvider
from atelier_mcp.server.providers.spec_check import ProviderMismatch, check_provider

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import ImageUploader
    from atelier_mcp.server.jobs.ownership import Ownership
    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.providers.spec import ProviderSettings
    from atelier_mcp.server.settings import Settings

log: logging.Logger = logging.getLogger(__name__)


class OpenedProviders(NamedTuple):
    """The providers in use."""

    providers: tuple[Provider, ...]
    """Preferred first."""
    broken: tuple[BrokenProvider, ...]


@asynccontextmanager
async def open_providers(settings: Settings, *, clock: Clock) -> AsyncGenerator[OpenedProviders, None]:
    """The configured providers; without any, all that the built-in emulator plays."""
    configured = find_configured_providers(settings)
    async with AsyncExitStack() as stack:
        installed = configured
        if not configured:
            base_url = await stack.enter_async_context(_run_emulator(settings))
            installed = tuple(_point_at_emulator(p, base_url) for p in find_usable_providers(settings))
        builder = ProviderBuilder(installed, clock=clock, home=settings.home, is_emulated=not configured)
        providers = tuple(p for name in builder.names if (p := builder.find(name)) is not None)
        # Closed in reverse, and before the emulator below them.
        for provider in providers:
            stack.push_async_callback(provider.close)
        yield OpenedProviders(providers, tuple(builder.broken))


class ProviderBuilder:
    """Builds each provider once, also when another one asks for it first."""

    def __init__(self, installed: Sequence[InstalledProvider], *, clock: Clock, home: Path, is_emulated: bool) -> None:
        """``home`` is the data folder, in which each provider gets a folder of its name."""
        self._installed = {provider.spec.name: provider for provider in installed}
        self._clock = clock
        self._home = home
        self._is_emulated = is_emulated
        self._built: dict[str, Provider | None] = {}
        self.broken: list[BrokenProvider] = []
        """What could not be built so far."""

    @property
    def names(self) -> Sequence[str]:
        """What there is to build, preferred first."""
        return tuple(self._installed)

    def find(self, name: str) -> Provider | None:
        """A provider by name; None for one that is not in use, cannot be built, or is being built right now.

        Raises ``AtelierError`` for settings that no provider can be built from.
        """
        if name in self._installed and name not in self._built:
            self._built[name] = None  # so that two which ask for each other do not do so for ever
            self._built[name] = self._build(self._installed[name])
        return self._built.get(name)

    def _build(self, installed: InstalledProvider) -> Provider | None:
        spec = installed.spec
        context = ProviderContext(
            clock=self._clock,
            data_folder=self._home / spec.name,
            is_emulated=self._is_emulated,
            find_provider=self.find,
        )
        try:
            provider = spec.load_factory()(installed.settings, context)
            check_provider(provider, spec)
        except AtelierError:
            raise
        except Exception as err:  # what a foreign package does wrong must not end our own providers
            if not spec.package:  # a mistake of ours is not hidden
                raise
            broken = BrokenProvider(spec, _explain(err, installed.settings))
            log.error("provider %s of %s is left out: %s", spec.name, spec.package, broken)  # noqa: TRY400  # one line
            log.debug("a provider could not be built", exc_info=True)
            self.broken.append(broken)
            return None
        return provider


def _explain(err: Exception, settings: ProviderSettings) -> str:
    """Why a provider could not be built, in one line without the secrets of its settings."""
    from atelier_mcp.server.providers.redaction import Redactor

    secrets = tuple(value.get_secret_value() for _, value in settings if isinstance(value, SecretStr))
    words = str(err) if isinstance(err, ProviderMismatch) else f"{type(err).__name__}: {err}"
    return Redactor(secrets).clean(words).rstrip(".")


def find_uploader(providers: Sequence[Provider]) -> ImageUploader | None:
    """The first provider on the internet that takes images in and gives public links to them."""
    from atelier_mcp.server.images.exchange import ImageUploader

    # A link of one on this machine would be of no use to a service on the internet.
    return next((p for p in providers if isinstance(p, ImageUploader) and not p.is_local), None)


def find_stand_in_hosts(providers: Sequence[Provider]) -> frozenset[str]:
    """Where the built-in emulator's links lead, with the port: nowhere else on this machine are pictures read."""
    from atelier_mcp.server.providers.upstream import UpstreamProvider

    return frozenset(
        get_host_and_port(p.service_origin)
        for p in providers
        if isinstance(p, UpstreamProvider) and p.is_emulated and p.is_local
    )


def share_rates(providers: Sequence[Provider], ownership: Ownership) -> None:
    """Let the processes of a ledger keep each account's rate of submits and uploads together."""
    from atelier_mcp.server.providers.upstream import UpstreamProvider

    for provider in providers:
        if isinstance(provider, UpstreamProvider) and not provider.is_emulated:
            provider.share_rate(lambda: ownership.process_count)


def _point_at_emulator(provider: InstalledProvider, base_url: str) -> InstalledProvider:
    """The provider with nothing but the emulator's address and the demo credentials in its settings."""
    if provider.spec.emulator is None:
        raise ValueError(f"the emulator does not play {provider.spec.name}")
    return InstalledProvider(provider.spec, provider.spec.settings.model_validate(provider.spec.emulator(base_url)))


@asynccontextmanager
async def _run_emulator(settings: Settings) -> AsyncGenerator[str, None]:
    """The built-in emulator's address, while it runs."""
    if find_spec("cv2") is None or find_spec("numpy") is None:
        variables = settings.installed_providers[0].settings.format_required_variables()
        raise ConfigurationError(
            "No image service is configured, and the built-in engine is not installed.",
            hint=f'Set the credentials of one, such as {variables}, or install "atelier-mcp[engine]".',
        )
    from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.engine.pool import EnginePool

    emulator_settings = EmulatorSettings(
        state_dir=settings.home / "emulator",
        access_log=settings.emulator_access_log,
        task_seconds=settings.emulator_task_s,
        guards_links=True,
    )
    async with EnginePool() as engine, EmbeddedEmulator(engine, emulator_settings) as emulator:
        yield emulator.base_url
