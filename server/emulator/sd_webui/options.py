"""Settings for everybody, memory, and a new look at the folders (contract: options_get ff.)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server.emulator.sd_webui.errors import WebuiFault
from atelier_mcp.server.emulator.sd_webui.models import find_checkpoint

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

GIBIBYTE = 1_073_741_824


def build_rows() -> list[CallRow]:
    """All of them."""
    return [
        ("GET", "/sdapi/v1/options", get_options),
        ("POST", "/sdapi/v1/options", set_options),
        ("GET", "/sdapi/v1/memory", get_memory),
        ("POST", "/sdapi/v1/refresh-checkpoints", refresh),
        ("POST", "/sdapi/v1/refresh-loras", refresh),
    ]


async def get_options(call: WebuiCall) -> dict[str, Any]:
    """All settings."""
    return dict(call.server.options)


async def set_options(call: WebuiCall) -> None:
    """Change some of them, for everybody and for good (options.shared)."""
    changes = dict(call.body)
    if "sd_model_checkpoint" in changes:
        checkpoint = find_checkpoint(str(changes["sd_model_checkpoint"]))
        if checkpoint is None:
            raise WebuiFault("RuntimeError", f"model {changes['sd_model_checkpoint']!r} not found")
        changes["sd_model_checkpoint"] = checkpoint.title
    call.server.options.update(changes)


async def get_memory(_call: WebuiCall) -> dict[str, Any]:
    """The machine's and the card's."""
    ram = {"free": 20 * GIBIBYTE, "used": 12 * GIBIBYTE, "total": 32 * GIBIBYTE}
    system = {"free": 8 * GIBIBYTE, "used": 4 * GIBIBYTE, "total": 12 * GIBIBYTE}
    return {"ram": ram, "cuda": {"system": system, "events": {"retries": 0, "oom": 0}}}


async def refresh(_call: WebuiCall) -> None:
    """Look for new files; there are none."""
