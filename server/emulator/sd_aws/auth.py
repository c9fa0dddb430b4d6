"""Who is calling: an API key for the gateway, and in the later generation the name of a user (contract: auth)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.sd_aws.errors import TOO_MANY_REQUESTS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState

BUILT_IN_USER: Final = "api"


def find_account(emulator: EmulatorState, request: Request) -> Account | None:
    """The account of the key in ``x-api-key``."""
    # The gateway sees to it, before any code of the service (test_connection.bad_key).
    return emulator.accounts.find_by_secret(request.headers.get("x-api-key", ""))


def check_rate(emulator: EmulatorState, request: Request, account: Account) -> Response | None:
    """Count one call, noted for the access log; the gateway's refusal when they come too fast."""
    setattr(request.state, ACCOUNT, account.access_key)
    now, rate = emulator.clock.now(), emulator.settings.rate_per_s
    if emulator.accounts.count_call(account, now=now, rate_per_s=rate) is None:
        return None
    return JSONResponse(TOO_MANY_REQUESTS, status_code=429)


def read_user(request: Request) -> str | None:
    """Who calls: ``username``, or the hex in Authorization (auth.authorization)."""
    if name := request.headers.get("username"):
        return name
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    try:
        return bytes.fromhex(encoded.strip()).decode()
    except ValueError:
        return None
