"""The scripted upstream of every provider's tests, and MHAPI's words for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.testing.upstream_script import ScriptStep, SentRequest, UpstreamScript, build_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

__all__ = ["ScriptStep", "SentRequest", "UpstreamScript", "build_mhapi_error", "build_response"]


def build_mhapi_error(
    code: int, message: str = "no", status: int = 400, headers: Mapping[str, str] | None = None
) -> httpx2.Response:
    """MHAPI's error envelope."""
    return build_response({"error": {"code": code, "message": message, "details": []}}, status, headers)
