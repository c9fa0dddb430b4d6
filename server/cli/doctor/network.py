"""The route to the services and back, tried before money is spent: proxies, certificates, names, a connection.

Submits and results take the same route (``images/network_route.py``), so that one try speaks for both.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

from atelier_mcp.server.cli.doctor.finding import Finding, build_failure
from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.images.download import redact_url
from atelier_mcp.server.images.host_addresses import filter_public_addresses, resolve_host
from atelier_mcp.server.images.network_route import CERTIFICATE_VARIABLES, create_ssl_context, find_proxy
from atelier_mcp.server.providers.provider import ConfiguredService
from atelier_mcp.server.service_opening import create_bucket
from atelier_mcp.server.web.oauth import read_protected_resource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.providers.provider import Provider
    from atelier_mcp.server.settings import Settings

CONNECT_TIMEOUT_S = 5.0
# With the ports that are taken where an address names none.
PROXY_SCHEMES = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


def check_certificates() -> list[Finding]:
    """The certificate files that the environment names, where it names any."""
    findings: list[Finding] = []
    for name in CERTIFICATE_VARIABLES:
        if path := os.environ.get(name):
            is_there = Path(path).is_file() if name.endswith("FILE") else Path(path).is_dir()
            findings.append(Finding(name, good=is_there, words=path if is_there else f"{path} is not there"))
    # Only if the files are there: loading them would fail for the same reason once more.
    if findings and all(finding.good for finding in findings):
        try:
            create_ssl_context()
        except AtelierError as err:
            findings.append(build_failure("certificates", err))
    return findings


async def check_proxies() -> list[Finding]:
    """Whether each proxy that the environment names can be connected to."""
    proxies = {name: link for name, link in getproxies().items() if name in ("http", "https", "all") and link}
    return [await _check_proxy(f"{name.upper()}_PROXY", link) for name, link in sorted(proxies.items())]


async def check_routes(providers: Sequence[Provider]) -> list[Finding]:
    """Whether each service's host can be reached; nothing is asked of it. Services on this machine are left out."""
    origins = {
        provider.service_origin: None
        for provider in providers
        if isinstance(provider, ConfiguredService) and not provider.is_local and provider.service_origin
    }
    return [await _check_origin(origin) for origin in origins]


async def check_issuer(settings: Settings) -> list[Finding]:
    """What is set of OAuth, and whether its issuer can be reached, where anything is set."""
    try:
        is_set = read_protected_resource(settings) is not None
    except AtelierError as err:
        return [build_failure("OAuth", err)]
    return [await _check_origin(settings.oauth_keys_url or settings.oauth_issuer)] if is_set else []


async def check_images_route(settings: Settings, providers: Sequence[Provider]) -> list[Finding]:
    """How pictures of this machine reach services on the internet: the ways that are set, each tried."""
    if all(provider.is_local for provider in providers):
        words = "not tried: no service that is used is on the internet"
        ways = {"ATELIER_BUCKET_URL": settings.bucket_url, "ATELIER_PUBLIC_URL": settings.public_url}
        return [Finding(variable, good=None, words=words) for variable, address in ways.items() if address]
    findings = [await _check_bucket(settings)] if settings.bucket_url else []
    if settings.public_url:
        findings.append(await _check_public_url(settings.public_url))
    return findings


async def _check_bucket(settings: Settings) -> Finding:
    """Put a file of a few bytes into the bucket; the same at each try, so that there is only ever one."""
    try:
        bucket = create_bucket(settings)
        assert bucket is not None  # noqa: S101  # for the type checker: the address is set
        async with asyncio.timeout(CONNECT_TIMEOUT_S * 4):
            await bucket.upload(b"atelier doctor was here\n", "text/plain")
    except AtelierError as err:
        return build_failure("bucket", err)
    except TimeoutError:
        return Finding("bucket", good=False, words=f"{settings.bucket_url} does not answer")
    return Finding("bucket", good=True, words=f"{settings.bucket_url} takes pictures in")


async def _check_public_url(url: str) -> Finding:
    what, parts = "ATELIER_PUBLIC_URL", urlsplit(url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        return Finding(what, good=False, words=f"{redact_url(url)} is no http(s) address")
    problem = await _try_to_connect(parts.hostname, parts.port or (80 if parts.scheme == "http" else 443))
    # Some networks do not lead back to their own public address, which is no fault of the setting.
    words = f"{redact_url(url)}, connected" if problem is None else f"{redact_url(url)} {problem} from this machine"
    return Finding(what, good=True if problem is None else None, words=words)


async def _check_origin(origin: str) -> Finding:
    parts = urlsplit(origin)
    what, name = f"route to {parts.netloc}", parts.hostname or ""
    port = parts.port or (80 if parts.scheme == "http" else 443)
    # Not looked up here: behind a proxy this machine may be unable to resolve names.
    if proxy := find_proxy(origin):
        return Finding(what, good=True, words=f"by the proxy {redact_url(proxy)}, which looks the name up")
    try:
        addresses = await asyncio.wait_for(resolve_host(name, port), CONNECT_TIMEOUT_S)
    except (OSError, UnicodeError, TimeoutError):
        return Finding(what, good=False, words="its name cannot be looked up, and no proxy is set for it")
    problem = await _try_to_connect(addresses[0], port)
    kind = (
        "" if filter_public_addresses(addresses) else ", not an address of the internet: results from there are let in"
    )
    return Finding(what, good=problem is None, words=f"{addresses[0]}{kind}, {problem or 'connected'}")


async def _check_proxy(variable: str, link: str) -> Finding:
    try:
        parts = urlsplit(link if "://" in link else f"http://{link}")
        host, port = parts.hostname, parts.port or PROXY_SCHEMES.get(parts.scheme)
    except ValueError:
        return Finding(variable, good=False, words="is no address of a proxy")
    if not host or port is None:
        return Finding(variable, good=False, words=f"{redact_url(link)} is no address of a proxy")
    problem = await _try_to_connect(host, port)
    return Finding(variable, good=problem is None, words=f"{redact_url(parts.geturl())}, {problem or 'connected'}")


async def _try_to_connect(host: str, port: int) -> str | None:
    """What is wrong with a host; None when it takes a connection."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_TIMEOUT_S)
    except TimeoutError:
        return "does not answer"
    except OSError:
        return "takes no connection"
    writer.close()
    return None
