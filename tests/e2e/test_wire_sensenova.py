"""Everything SenseNova takes is sent through an MCP client: both calls and each parameter, but the one below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY, DEMO_EMAIL, DEMO_PASSWORD
from tests.support.sensenova_client import build_user_messages
from tests.support.tool_results import get_structured
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness

    Call = Callable[..., Awaitable[types.CallToolResult]]

NEVER_SENT: Final = {
    "fusion_chat_with_image/mh_controlnet_model": "no picture can be passed for a control to go by",
}
TUNING: Final[dict[str, Any]] = {"temperature": 0.9, "top_p": 0.5, "max_tokens": 300, "repetition_penalty": 1.2}
DRAWING: Final[dict[str, Any]] = {
    "draw": True, "width": 640, "height": 704, "model": "Artist v0.3.0 Beta", "seed": 5, "steps": 20, "guidance": 9,
    "enhance_prompt": True,
}  # fmt: skip


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """Conversations, and a Miaohua account that pays for what is drawn."""
    base = site.emulator.base_url
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "SENSENOVA_API_KEY": DEMO_API_KEY,
        "SENSENOVA_FUSION_URL": f"{base}/sensenova",
        "SENSENOVA_CHAT_URL": f"{base}/sensenova",
        "MIAOHUA_EMAIL": DEMO_EMAIL,
        "MIAOHUA_PASSWORD": DEMO_PASSWORD,
        "MIAOHUA_BASE_URL": f"{base}/miaohua/api/v1b",
    }


@pytest.mark.wire_coverage
async def test_both_calls_and_every_parameter_of_sensenova_are_sent(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    spoken = await call("chat", messages=build_user_messages("who are you?"), **TUNING)
    assert get_structured(spoken)["data"]["text"]
    drawn = await call("chat_with_image", messages=build_user_messages("draw a boat"), **TUNING, **DRAWING)
    assert len(get_structured(drawn)["images"]) == 1
    entries = await read_whole_log(site, tmp_path / "access.jsonl")
    check_coverage("sensenova", entries, exceptions=NEVER_SENT)
