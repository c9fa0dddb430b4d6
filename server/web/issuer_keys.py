"""The public keys of the issuer of OAuth tokens: fetched without holding up anybody, and kept while it is away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx2
import jwt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from atelier_mcp.server.clock import Clock

log: logging.Logger = logging.getLogger(__name__)

FRESH_S: Final = 600.0
"""From then on keys are fetched again behind the next request, so that one the issuer withdrew is let go."""
FLOOR_S: Final = 30.0
"""So far apart are two fetches at least: who invents names of keys does not make us ask for each."""
FIRST_FLOOR_S: Final = 5.0
"""The same while no key was ever fetched, and nobody can come in."""
TIMEOUT_S: Final = 5.0
_KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
"""Never a symmetric one: whoever can check such a signature can make it."""


class IssuerUnreachable(Exception):
    """No key was ever fetched and none can be now: nobody can say whether a token is good."""


class IssuerKeys:
    """The keys that an issuer signs with, by their ids."""

    def __init__(self, issuer: str, *, clock: Clock, keys_url: str = "") -> None:
        """Nothing is fetched yet. Without ``keys_url`` the issuer's own metadata say where the keys are."""
        self._issuer = issuer
        self._keys_url = keys_url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at_s = self._tried_at_s = float("-inf")
        self._fetch_task: asyncio.Task[None] | None = None

    async def get(self, key_id: str) -> jwt.PyJWK | None:
        """The key of that id; None where the issuer has no such key. Raises ``IssuerUnreachable``."""
        if key_id in self._keys:
            if self._clock.monotonic() - self._fetched_at_s > FRESH_S:
                self._begin_fetch()  # behind the request: a known key delays nobody
            return self._keys[key_id]
        fetch_task = self._begin_fetch()
        if fetch_task is not None:
            # Shielded: others wait for it, too.
            await asyncio.shield(fetch_task)
        if not self._keys:
            raise IssuerUnreachable(self._issuer)
        return self._keys.get(key_id)

    async def close(self) -> None:
        """End a fetch that is under way."""
        if self._fetch_task is not None:
            self._fetch_task.cancel()
            await asyncio.wait({self._fetch_task})

    def _begin_fetch(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None where the last one was just now."""
        if self._fetch_task is None or self._fetch_task.done():
            now_s = self._clock.monotonic()
            if now_s - self._tried_at_s < (FLOOR_S if self._keys else FIRST_FLOOR_S):
                return None
            self._tried_at_s = now_s
            self._fetch_task = asyncio.create_task(self._fetch(), name="issuer's keys")
        return self._fetch_task

    async def _fetch(self) -> None:
        """Replace the keys by those there are now; where that fails, those that are known stay."""
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
                url = self._keys_url or await self._find_keys_url(client)
                document = await _get_json(client, url)
            keys = dict(_read_keys(document["keys"]))
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as err:
            log.warning("the issuer's keys could not be fetched: %s", type(err).__name__)
            return
        if keys:
            self._keys, self._fetched_at_s = keys, self._clock.monotonic()

    async def _find_keys_url(self, client: httpx2.AsyncClient) -> str:
        """The address in the issuer's metadata, wherever it keeps them (RFC 8414, OpenID Connect Discovery)."""
        for url in _list_metadata_urls(self._issuer):
            try:
                document = await _get_json(client, url)
            except (httpx2.HTTPStatusError, ValueError):
                continue
            # Else whoever can answer at one of these addresses could speak for another issuer.
            if document.get("issuer") == self._issuer and isinstance(document.get("jwks_uri"), str):
                return document["jwks_uri"]
        raise ValueError("the issuer has no metadata that name its keys")


async def _get_json(client: httpx2.AsyncClient, url: str) -> Any:
    response = await client.get(url)
    response.raise_for_status()
    if response.is_redirect:
        raise ValueError("keys are not fetched from elsewhere")
    return response.json()


def _list_metadata_urls(issuer: str) -> list[str]:
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    inserted = [f"/.well-known/{name}{path}" for name in ("oauth-authorization-server", "openid-configuration")]
    paths = dict.fromkeys([inserted[0], f"{path}/.well-known/openid-configuration", inserted[1]])
    return [urlunsplit((parts.scheme, parts.netloc, one, "", "")) for one in paths]


def _read_keys(documents: list[Any]) -> Iterator[tuple[str, jwt.PyJWK]]:
    """Those keys of a set that signatures can be checked with."""
    for document in documents:
        if document.get("use", "sig") != "sig" or document.get("kty") not in _KEY_TYPES:
            continue
        try:
            yield str(document.get("kid", "")), jwt.PyJWK(document)
        except jwt.PyJWTError:  # of a curve or kind that is not known here; the others can be used
            log.warning("a key of the issuer's is left out")
