"""How a client learns whether its key is right, and which version answers (contract: test_connection, versions)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsApiResponse

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall


def build_rows() -> list[CallRow]:
    """The test of 2023, and those by which the later versions are known."""
    return [
        CallRow(method="GET", path="/inference/test-connection", handler=check_connection, versions=("1.3",)),
        CallRow(method="GET", path="/inference", handler=get_name, versions=("1.3",)),
        CallRow(method="GET", path="/ping", handler=ping),
        CallRow(method="GET", path="/", handler=get_root, versions=("1.7",)),
    ]


def is_bare(path: str) -> bool:
    """Whether a route of 2023 answers bare values and real statuses (conventions.envelope.styles.bare)."""
    # /inference-api has no slash there and keeps the envelope.
    return re.search(r"/inference/(?!v2)", path) is not None


async def check_connection(_: SdAwsCall) -> Any:
    """The key is right, or the gateway would have said so."""
    return {"message": "Success"}


async def get_name(_: SdAwsCall) -> Any:
    """What the inference part of v1.3 calls itself."""
    return {"message": "AIGC_SAGEMAKER"}


async def ping(_: SdAwsCall) -> Any:
    """This is one of the later versions."""
    return SdAwsApiResponse(message="pong")


async def get_root(_: SdAwsCall) -> Any:
    """The root of the latest versions."""
    return SdAwsApiResponse()
