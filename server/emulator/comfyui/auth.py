"""Who may call: anybody on a local server but pages of another origin, and whoever has a key at the cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.access_log import ACCOUNT
from atelier_mcp.server.emulator.accounts import DEMO_API_KEY_ACCOUNT
from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body
from atelier_mcp.server.emulator.comfyui.switches import ComfyuiSwitches

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from atelier_mcp.server.emulator.state import EmulatorState

KEY_HEADER: Final = "x-api-key"


def admit(emulator: EmulatorState, connection: HTTPConnection) -> None:
    """Raise ComfyuiHttpError for a page of another origin, and at the cloud for a key that is missing or unknown.

    (contract: auth.local, auth.cloud)
    """
    origin = connection.headers.get("origin")
    if origin and origin.partition("//")[2] != connection.headers.get("host"):
        raise ComfyuiHttpError(403, build_error_body(403))
    account = emulator.accounts.find_by_secret(connection.headers.get(KEY_HEADER, ""))
    if emulator.settings.get_switches(ComfyuiSwitches).is_cloud and account is None:
        raise ComfyuiHttpError(401, build_error_body(401))
    setattr(connection.state, ACCOUNT, (account or DEMO_API_KEY_ACCOUNT).access_key)
