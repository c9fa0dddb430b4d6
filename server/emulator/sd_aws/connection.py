"""How a client learns whether its key is right, and which generation answers (contract: test_connection)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsApiResponse

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsCall


def build_rows() -> list[CallRow]:
    """The test of 2023, and the two by which the later generation is known."""
    return [
        ("2023", "GET", "/inference/test-connection", check_connection),
        ("2024", "GET", "/ping", ping),
        ("2024", "GET", "/", get_root),
    ]


async def check_connection(_: SdAwsCall) -> Any:
    """The key is right, or the gateway would have said so."""
    return {"message": "Success"}


async def ping(_: SdAwsCall) -> Any:
    """This is the later generation."""
    return SdAwsApiResponse(message="pong")


async def get_root(_: SdAwsCall) -> Any:
    """The root of the later generation."""
    return SdAwsApiResponse()
