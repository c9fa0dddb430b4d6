"""Who is calling, and what they may do: an API key for the gateway, a user for the code (contract: auth)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.sd_aws.errors import (
    FORBIDDEN,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    GatewayError,
    SdAwsHttpError,
)
from atelier_mcp.server.emulator.sd_aws.people import find_rights, list_accepted_rights

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.sd_aws.calls import CallRow, SdAwsCall
    from atelier_mcp.server.emulator.sd_aws.versions import DeployedVersion
    from atelier_mcp.server.emulator.state import EmulatorState


def admit_at_gateway(emulator: EmulatorState, request: Request, version: DeployedVersion, row: CallRow) -> Account:
    """The account of the key in ``x-api-key``, one more call counted; raises GatewayError.

    Where there is an authorizer it is asked first (contract: auth.order).
    """
    if row.is_gated and version.has_authorizer and not request.headers.get("authorization"):
        raise GatewayError(401, UNAUTHORIZED)
    account = emulator.accounts.find_by_secret(request.headers.get("x-api-key", ""))
    if account is None:
        raise GatewayError(403, FORBIDDEN)
    # For the call log, which also shows calls that are refused further down.
    setattr(request.state, ACCOUNT, account.access_key)
    now, rate = emulator.clock.now(), emulator.settings.rate_per_s
    if emulator.accounts.count_call(account, now=now, rate_per_s=rate) is not None:
        raise GatewayError(429, TOO_MANY_REQUESTS)
    return account


def read_user(request: Request, version: DeployedVersion) -> str | None:
    """Who the headers say is calling: ``username``, which older versions do not read, or the hex in Authorization.

    Raises SdAwsHttpError for hex that is none, and lower-case hex is none (contract: auth.username).
    """
    name = request.headers.get("username")
    # Starlette folds header names, so "Username" is seen here as well, which the service does not see
    # (contract: auth.username).
    if name and not version.has_authorizer:
        return name
    _, _, encoded = request.headers.get("authorization", "").partition(" ")
    if not encoded:
        return None
    try:
        # fromhex takes lower-case digits, too.
        if encoded != encoded.upper():
            raise ValueError(encoded)
        return bytes.fromhex(encoded).decode()
    except ValueError:
        raise SdAwsHttpError(400, "Non-base16 digit found") from None


async def check_right(call: SdAwsCall, right: str) -> None:
    """Refuse a caller nobody knows, and one who may not; raises SdAwsHttpError."""
    rights = await find_rights(call, call.header_user) if call.header_user else None
    if rights is None:
        raise SdAwsHttpError(401, UNAUTHORIZED)
    accepted = list_accepted_rights(right)
    if not set(accepted) & set(rights):
        raise SdAwsHttpError(403, f"User {call.user} has no permissions: {accepted}")
