"""Who is calling, by the key in the header, and how often (contract: auth, rate.headers)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.openai_images.errors import OpenaiImagesError

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.accounts import Account
    from atelier_mcp.server.emulator.state import EmulatorState

BEARER: Final = "bearer "


def admit(emulator: EmulatorState, request: Request) -> Account:
    """The account of the key; raises OpenaiImagesError. The call counts against the rate."""
    header = request.headers.get("authorization", "")
    key = header[len(BEARER) :].strip() if header.lower().startswith(BEARER) else ""
    account = emulator.accounts.find_by_secret(key) if key else None
    if account is None:
        raise OpenaiImagesError(401, "Incorrect API key provided.", code="invalid_api_key")
    setattr(request.state, ACCOUNT, account.access_key)
    wait_s = emulator.accounts.count_call(account, now=emulator.clock.now(), rate_per_s=emulator.settings.rate_per_s)
    if wait_s is not None:
        raise OpenaiImagesError(
            429,
            f"Rate limit reached for images. Please try again in {math.ceil(wait_s)}s.",
            code="rate_limit_exceeded",
            kind="requests",
            retry_after_s=wait_s,
        )
    return account
