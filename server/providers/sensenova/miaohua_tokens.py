"""The token that pays for drawn images: SenseNova has them drawn by Miaohua, on an account there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from atelier_mcp.server.errors import ConfigurationError

if TYPE_CHECKING:
    from atelier_mcp.server.providers.http import UpstreamClient


class MiaohuaTokenSource(Protocol):
    """Where the token comes from."""

    async def __call__(self, *, rejected_token: str = "") -> str:
        """A token; with ``rejected_token``, another one than that where there is another."""
        ...


class TokenCache(Protocol):
    """What keeps the token of a Miaohua account."""

    async def get_token(self, *, rejected_token: str = "") -> str:
        """A token; with ``rejected_token``, another one than that."""
        ...


@runtime_checkable
class TokenOwner(Protocol):
    """A provider with a Miaohua account, seen from here: no provider imports another."""

    token_cache: TokenCache


def build_fixed_source(token: str) -> MiaohuaTokenSource:
    """A token that was given once and for all: there is no other."""

    async def get_token(*, rejected_token: str = "") -> str:  # noqa: ARG001  # the protocol's signature
        return token

    return get_token


class MiaohuaTokens:
    """The tokens that one SenseNova account uses, if there is a source of them."""

    def __init__(self, client: UpstreamClient, source: MiaohuaTokenSource | None) -> None:
        """Every token is made known to ``client``, which strikes it out of what the service says."""
        self._client = client
        self._source = source

    async def get(self, *, rejected_token: str = "") -> str:
        """A token; with ``rejected_token``, another one than that where there is another.

        Raises ``ConfigurationError`` without a source, and what the source raises.
        """
        if self._source is None:
            raise ConfigurationError(
                "chat_with_image needs a Miaohua token beside the SenseNova key.",
                hint="Set SENSENOVA_MIAOHUA_TOKEN, or MIAOHUA_EMAIL and MIAOHUA_PASSWORD; if ATELIER_PROVIDERS is set, "
                "miaohua must be in it.",
            )
        token = await self._source(rejected_token=rejected_token)
        self._client.remember_secret(token)
        return token
