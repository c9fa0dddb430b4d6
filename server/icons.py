"""Icons of the server, its prompts and its resources, as data URLs: nothing has to be fetched for them.

Tools have none: with one for each the list of tools would take a fifth more of what clients load of it at every start.
"""

from __future__ import annotations

import base64
from typing import Final

import mcp_types as types

_TILE: Final = "#1b1b19"
_INK: Final = "#f4f2ec"
IMAGE: Final = "M3 5h14v10H3zM3 13l4-4 4 4 2-2 4 4M13 8h1"
SPENDING: Final = "M3 17h14M5 14v-4M10 14V5M15 14V8"
MODELS: Final = "M10 3l7 4-7 4-7-4zM3 10l7 4 7-4M3 13l7 4 7-4"
JOB: Final = "M10 3a7 7 0 1 0 7 7M10 6v4l3 2"


def build_icon(outline: str) -> types.Icon:
    """An icon from an outline in a square of 20, as SVG has it: light on a dark tile, for grounds of either kind."""
    return _build_svg_icon(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 28 28"><rect x="-4" y="-4" width="28" height="28" '
        f'rx="6" fill="{_TILE}"/><path d="{outline}" fill="none" stroke="{_INK}" stroke-width="1.6" '
        'stroke-linecap="round" stroke-linejoin="round"/></svg>'
    )


def _build_svg_icon(svg: str) -> types.Icon:
    data = base64.b64encode(svg.encode()).decode()
    return types.Icon(src=f"data:image/svg+xml;base64,{data}", mime_type="image/svg+xml", sizes=["any"])


SERVER_ICON_SVG: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="{_TILE}"/>'
    f'<path d="M6 24l7-10 5 6 3-4 5 8z" fill="{_INK}"/><circle cx="22" cy="10" r="3" fill="#e0264f"/></svg>'
)
SERVER_ICON: Final = _build_svg_icon(SERVER_ICON_SVG)
