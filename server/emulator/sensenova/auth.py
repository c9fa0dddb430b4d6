"""Who is calling, by an API key or a signed token, and who pays for a picture: a token of Miaohua's.

(contract: params, auth.signed_token)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.mhapi import app as mhapi
from atelier_mcp.server.emulator.miaohua import app as miaohua
from atelier_mcp.server.emulator.sensenova.errors import SensenovaHttpError

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState

BEARER: Final = "bearer "


def admit(emulator: EmulatorState, request: Request) -> Account:
    """The account whose key the header carries, or that has signed it; raises SensenovaHttpError.

    It stands there bare; a scheme word in front of it is let pass (auth.note). The call counts against the rate.
    """
    header = request.headers.get("authorization", "").strip()
    key = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else header
    # A signed token names its account; a bare key is the account's secret.
    account = emulator.accounts.find_by_secret(key) or mhapi.find_signer(emulator, key)
    if account is None:
        raise SensenovaHttpError(401, "the API key is missing or unknown")
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = emulator.accounts.count_call(account, now=emulator.clock.now(), rate_per_s=emulator.settings.rate_per_s)
    if wait_s is not None:
        raise SensenovaHttpError(429, "requests come too fast", retry_after_s=wait_s)
    return account


async def authenticate_payer(emulator: EmulatorState, token: str) -> Account:
    """The Miaohua account of a token; what the service says of a bad one is not published."""
    try:
        return await miaohua.authenticate_token(emulator, token)
    except miaohua.MiaohuaHttpError as err:
        raise SensenovaHttpError(401, f"mh_key: {err}") from err
