"""What the calls of both generations stand on: the client of one deployment, and the version that it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from atelier_mcp.server.providers.sd_aws.middleware import MiddlewareClient
    from atelier_mcp.server.providers.sd_aws.versions import MiddlewareVersion

SUBMIT_TIMEOUT_S: Final = 60.0


class DeploymentCalls:
    """One deployment to be asked."""

    def __init__(self, middleware: MiddlewareClient, version: MiddlewareVersion) -> None:
        """Ask through ``middleware`` in the words of ``version``."""
        self._middleware = middleware
        self._version = version

    @property
    def version(self) -> MiddlewareVersion:
        """The version that is deployed."""
        return self._version

    @property
    def _service(self) -> str:
        return self._middleware.client.service
