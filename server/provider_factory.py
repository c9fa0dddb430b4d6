"""The upstreams as providers: each built from the settings, or all of them played by the built-in emulator."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import SecretStr

from atelier_mcp.server.addresses import is_loopback
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.providers import spec

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.images.exchange import ImageUploader
    from atelier_mcp.server.providers.base import Provider
    from atelier_mcp.server.settings import Settings


@asynccontextmanager
async def open_providers(settings: Settings, *, clock: Clock) -> AsyncGenerator[Sequence[Provider], None]:
    """The configured providers, preferred first; without any, all of them, played by the built-in emulator."""
    upstreams = spec.find_configured_specs(settings)
    is_emulated = False
    async with AsyncExitStack() as stack:
        if not upstreams:
            upstreams, is_emulated = spec.PROVIDER_SPECS, True
            settings = await stack.enter_async_context(_run_emulator(settings))
        providers = [_BUILDERS[upstream.name](settings, clock, is_emulated) for upstream in upstreams]
        _share_miaohua_token(providers)
        for provider in providers:
            stack.push_async_callback(provider.close)
        yield providers


def _share_miaohua_token(providers: Sequence[Provider]) -> None:
    """Let SenseNova use the Miaohua account's token, so that both share one login."""
    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider

    miaohua = next((p for p in providers if isinstance(p, MiaohuaProvider)), None)
    for sensenova in providers:
        if miaohua is not None and isinstance(sensenova, SensenovaProvider):
            sensenova.set_default_token_source(miaohua.token_cache.get_token)


def find_uploader(providers: Sequence[Provider]) -> ImageUploader | None:
    """The first provider on the internet that takes pictures in and gives public links to them."""
    from atelier_mcp.server.images.exchange import ImageUploader

    return next((p for p in providers if isinstance(p, ImageUploader) and not p.is_local), None)


@asynccontextmanager
async def _run_emulator(settings: Settings) -> AsyncGenerator[Settings, None]:
    """The settings with the built-in emulator's addresses and demo credentials, while it runs."""
    if find_spec("cv2") is None or find_spec("numpy") is None:
        raise ConfigurationError(
            "No image service is configured, and the built-in engine is not installed.",
            hint="Set the credentials of one, such as MHAPI_ACCESS_KEY and MHAPI_SECRET_KEY, "
            'or install "atelier-mcp[engine]".',
        )
    from atelier_mcp.server.emulator.accounts import (
        DEMO_ACCESS_KEY,
        DEMO_API_KEY,
        DEMO_EMAIL,
        DEMO_PASSWORD,
        DEMO_SECRET_KEY,
    )
    from atelier_mcp.server.emulator.embedded import EmbeddedEmulator
    from atelier_mcp.server.emulator.settings import EmulatorSettings
    from atelier_mcp.server.engine.pool import EnginePool

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


def _build_mhapi(settings: Settings, clock: Clock, is_emulated: bool) -> Provider:
    from atelier_mcp.server.providers.mhapi.provider import MhapiProvider

    secret = settings.mhapi_secret_key
    return MhapiProvider(
        access_key=settings.mhapi_access_key,
        secret_key=secret.get_secret_value() if secret else "",
        base_url=settings.mhapi_base_url,
        clock=clock,
        is_local=is_loopback(urlsplit(settings.mhapi_base_url).hostname or ""),
        is_emulated=is_emulated,
    )


def _build_miaohua(settings: Settings, clock: Clock, is_emulated: bool) -> Provider:
    from atelier_mcp.server.providers.miaohua.provider import MiaohuaProvider

    password = settings.miaohua_password
    return MiaohuaProvider(
        email=settings.miaohua_email,
        password=password.get_secret_value() if password else "",
        base_url=settings.miaohua_base_url,
        clock=clock,
        is_local=is_loopback(urlsplit(settings.miaohua_base_url).hostname or ""),
        is_emulated=is_emulated,
        sensitive_limit=settings.miaohua_sensitive_limit,
    )


def _build_sensenova(settings: Settings, clock: Clock, is_emulated: bool) -> Provider:
    from atelier_mcp.server.providers.sensenova.miaohua_tokens import build_fixed_source
    from atelier_mcp.server.providers.sensenova.provider import SensenovaProvider

    key, token = settings.sensenova_api_key, settings.sensenova_miaohua_token
    return SensenovaProvider(
        api_key=key.get_secret_value() if key else "",
        fusion_url=settings.sensenova_fusion_url,
        chat_url=settings.sensenova_chat_url,
        clock=clock,
        miaohua_token=build_fixed_source(token.get_secret_value()) if token else None,
        is_local=is_loopback(urlsplit(settings.sensenova_fusion_url).hostname or ""),
        is_emulated=is_emulated,
    )


def _build_sd_aws(settings: Settings, clock: Clock, is_emulated: bool) -> Provider:
    from atelier_mcp.server.providers.sd_aws.provider import SdAwsProvider

    key = settings.sd_aws_api_key
    return SdAwsProvider(
        url=settings.sd_aws_url,
        api_key=key.get_secret_value() if key else "",
        username=settings.sd_aws_username,
        folder=settings.home / "sd_aws",
        clock=clock,
        endpoint=settings.sd_aws_endpoint,
        is_local=is_loopback(urlsplit(settings.sd_aws_url).hostname or ""),
        is_emulated=is_emulated,
    )


_BUILDERS: dict[str, Callable[[Settings, Clock, bool], Provider]] = {
    "mhapi": _build_mhapi,
    "miaohua": _build_miaohua,
    "sensenova": _build_sensenova,
    "sd_aws": _build_sd_aws,
}
