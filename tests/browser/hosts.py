"""What real hosts answer to a view's ``ui/initialize``, and how their deliveries fall short (seen in 2026)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Delivery = Literal["whole", "text and pictures", "text", "nothing"]
"""What of a tool's result a host hands to the view."""

CLAUDE_STYLE: Final = {
    "--color-background-primary": "light-dark(rgba(255,255,255,1),rgba(48,48,46,1))",
    "--color-background-secondary": "light-dark(rgba(245,244,237,1),rgba(38,38,36,1))",
    "--color-text-primary": "light-dark(rgba(20,20,19,1),rgba(250,249,245,1))",
    "--color-text-secondary": "light-dark(rgba(61,61,58,1),rgba(194,192,182,1))",
    "--color-border-tertiary": "light-dark(rgba(31,30,29,.15),rgba(222,220,209,.15))",
    "--font-sans": "sans-serif",
    "--border-radius-md": "8px",
    "--border-radius-lg": "10px",
    "--font-text-sm-size": "14px",
}


@dataclass(frozen=True, slots=True)
class HostKind:
    """One host: what it says of itself, and what it does."""

    name: str
    width: int
    capabilities: dict[str, Any]
    context: dict[str, Any]
    delivery: Delivery = "whole"
    max_characters: int = 10_000_000
    """A tool's result that is longer is refused."""
    barred_methods: frozenset[str] = field(default_factory=frozenset[str])


def _list_modes(*modes: str) -> dict[str, Any]:
    return {"availableDisplayModes": list(modes)}


CLAUDE: Final = HostKind(
    "Claude",
    720,
    {
        "openLinks": {},
        "downloadFile": {},
        "serverTools": {},
        "serverResources": {},
        "updateModelContext": {"text": {}},
        "message": {"text": {}},
    },
    {
        **_list_modes("inline", "fullscreen"),
        "containerDimensions": {"width": 720, "maxHeight": 5000},
        "safeAreaInsets": {"top": 12, "right": 12, "bottom": 12, "left": 12},
        "styles": {"variables": CLAUDE_STYLE},
    },
    max_characters=150_000,
)
CHATGPT: Final = HostKind(
    "chatgpt",
    768,
    {"openLinks": {}, "serverTools": {}, "serverResources": {}, "message": {}, "updateModelContext": {}},
    {**_list_modes("inline", "fullscreen", "pip"), "containerDimensions": {"height": 400, "maxWidth": 768}},
)
VSCODE: Final = HostKind(
    "Visual Studio Code",
    494,
    {"serverTools": {}, "serverResources": {}, "updateModelContext": {}, "downloadFile": {}},
    {**_list_modes("inline"), "containerDimensions": {"width": 494, "maxHeight": 720}},
)
CURSOR: Final = HostKind(
    "Cursor",
    649,
    {"openLinks": {}, "serverTools": {}, "serverResources": {}},
    {**_list_modes("inline"), "containerDimensions": {"width": 649, "maxHeight": 800}},
)
COPILOT: Final = HostKind(
    "Microsoft 365 Copilot",
    600,
    {"serverTools": {}, "message": {}, "updateModelContext": {"text": {}}},
    {**_list_modes("inline", "fullscreen"), "containerDimensions": {"maxHeight": 400}},
    barred_methods=frozenset({"resources/read"}),
)
GOOSE: Final = HostKind(
    "goose", 680, {"openLinks": {}}, _list_modes("inline", "fullscreen", "pip"), delivery="text and pictures"
)
PHONE: Final = HostKind(
    "Claude",
    360,
    {"serverTools": {}, "serverResources": {}, "message": {"text": {}}},
    {
        **_list_modes("inline", "fullscreen"),
        "containerDimensions": {"width": 360, "maxHeight": 5000},
        "platform": "mobile",
        "deviceCapabilities": {"touch": True, "hover": False},
    },
)
DESKTOP: Final = HostKind("Claude Desktop", 720, CLAUDE.capabilities, CLAUDE.context, delivery="text and pictures")
"""Was seen to drop structured content and ``_meta`` of a result."""
CLAUDE_WEB: Final = HostKind("claude.ai", 720, CLAUDE.capabilities, CLAUDE.context, delivery="nothing")
"""Was seen to lose whole results."""

ALL_HOSTS: Final = (CLAUDE, CHATGPT, VSCODE, CURSOR, COPILOT, GOOSE, PHONE, DESKTOP, CLAUDE_WEB)
