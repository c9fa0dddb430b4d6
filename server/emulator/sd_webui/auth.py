"""Who is let in: anybody, or with a user and a password whoever knows them (contract: auth)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.accounts import DEMO_PASSWORD, Account
from atelier_mcp.server.emulator.sd_webui.errors import WebuiHttpError

if TYPE_CHECKING:
    from starlette.requests import Request

    from atelier_mcp.server.emulator.sd_webui.switches import SdWebuiSwitches

WEBUI_ACCOUNT: Final = Account("atelier-demo-webui", DEMO_PASSWORD)
UNGUARDED: Final = ("/controlnet/", "/rembg", "/reactor/", "/sdapi/v1/loras", "/internal/")
"""Extensions add these without the check (auth.extensions)."""


def admit(request: Request, path: str, switches: SdWebuiSwitches) -> None:
    """Pass a request that may be answered, and note whose it is; raises WebuiHttpError for the others."""
    user, password = _read_credentials(request)
    is_known = (user, password) == (WEBUI_ACCOUNT.access_key, WEBUI_ACCOUNT.secret_key)
    if is_known:
        setattr(request.state, ACCOUNT, user)
    if is_known or not _is_guarded(path, switches):
        return
    raise WebuiHttpError(401, "Incorrect username or password" if user else "Not authenticated")


def _is_guarded(path: str, switches: SdWebuiSwitches) -> bool:
    if not switches.asks_credentials:
        return False
    return switches.guards_extensions or switches.variant == "sdnext" or not path.startswith(UNGUARDED)


def _read_credentials(request: Request) -> tuple[str, str]:
    """User and password of the Basic scheme; empty where there are none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
