"""Atelier as an OAuth 2.1 resource server: where clients learn whose tokens are taken (RFC 9728), and the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.routing import Route

from atelier_mcp.server.addresses import is_loopback_url
from atelier_mcp.server.errors import ConfigurationError
from atelier_mcp.server.scopes import SCOPES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.clock import Clock
    from atelier_mcp.server.settings import Settings
    from atelier_mcp.server.web.jwt_verifier import JwtVerifier

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
ENDPOINT: Final = "/mcp"


@dataclass(frozen=True, slots=True)
class ProtectedResource:
    """What this server is to OAuth."""

    resource: str
    """Its address as people type it."""
    issuer: str
    audience: str

    @property
    def metadata_url(self) -> str:
        """Where the metadata are, as a challenge names it."""
        parts = urlsplit(self.resource)
        return f"{parts.scheme}://{parts.netloc}{METADATA_PATH}{parts.path.rstrip('/')}"

    def create_routes(self) -> list[Route]:
        """The metadata: at the root, where some clients look first, below the endpoint, and where a challenge leads."""

        async def send_metadata(_: Request) -> Response:
            document = {
                "resource": self.resource,
                "authorization_servers": [self.issuer],
                "scopes_supported": list(SCOPES),
                "bearer_methods_supported": ["header"],
                "resource_name": "Atelier",
            }
            return JSONResponse(document, headers={"cache-control": "public, max-age=300"})

        paths = dict.fromkeys([METADATA_PATH, METADATA_PATH + ENDPOINT, urlsplit(self.metadata_url).path])
        return [Route(path, send_metadata, methods=["GET"]) for path in paths]


def read_protected_resource(settings: Settings) -> ProtectedResource | None:
    """What the settings say of OAuth; None where no issuer is set.

    Raises ``ConfigurationError`` for settings that go only with one, and where our own address is not known.
    """
    issuer = settings.oauth_issuer
    if not issuer:
        for variable, value in (
            ("ATELIER_OAUTH_AUDIENCE", settings.oauth_audience),
            ("ATELIER_OAUTH_KEYS_URL", settings.oauth_keys_url),
            ("ATELIER_OAUTH_TENANT_CLAIM", settings.oauth_tenant_claim),
        ):
            if value:
                raise ConfigurationError(f"{variable} needs ATELIER_OAUTH_ISSUER.")
        return None
    for variable, address in (("ATELIER_OAUTH_ISSUER", issuer), ("ATELIER_OAUTH_KEYS_URL", settings.oauth_keys_url)):
        if address and not _is_trustworthy(address):
            raise ConfigurationError(f"{variable}: write it like https://host/path; only loopback may be http.")
    resource = f"{settings.public_url.rstrip('/')}{ENDPOINT}" if settings.public_url else settings.oauth_audience
    if not resource.startswith(("http://", "https://")):
        raise ConfigurationError(
            "ATELIER_OAUTH_ISSUER needs ATELIER_PUBLIC_URL: the address that clients type, without /mcp."
        )
    return ProtectedResource(resource, issuer, settings.oauth_audience or resource)


def _is_trustworthy(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback_url(address)))


def create_verifier(resource: ProtectedResource, settings: Settings, *, clock: Clock) -> JwtVerifier:
    """What checks the issuer's tokens; nothing is fetched yet."""
    from atelier_mcp.server.web.issuer_keys import IssuerKeys
    from atelier_mcp.server.web.jwt_verifier import JwtVerifier

    keys = IssuerKeys(resource.issuer, clock=clock, keys_url=settings.oauth_keys_url)
    return JwtVerifier(
        keys, issuer=resource.issuer, audience=resource.audience, tenant_claim=settings.oauth_tenant_claim
    )
