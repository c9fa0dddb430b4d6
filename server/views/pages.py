"""The built pages, and how a tool names the studio so that hosts with MCP Apps show its answers in it.

A page is one HTML file with script and style inside, built by ``source/build.mjs``; it asks nothing of the network but
of the server it belongs to.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from atelier_mcp import __version__

PageName = Literal["studio", "gallery"]
FOLDER: Final = Path(__file__).parent

STUDIO_URI_PREFIX: Final = "ui://atelier/studio"
STUDIO_URI: Final = f"{STUDIO_URI_PREFIX}-{__version__}.html"
"""With the version: hosts keep what they once read of an address."""
STUDIO_TOOL_META: Final[dict[str, Any]] = {"ui": {"resourceUri": STUDIO_URI}, "ui/resourceUri": STUDIO_URI}
"""Both forms of the key: some hosts read the nested one, some the flat one of the first draft."""
STUDIO_META: Final[dict[str, Any]] = {"ui": {"prefersBorder": True}}
"""Of the page itself. No ``csp``, since nothing is loaded, and no ``domain``: a wrong one keeps it from being shown."""
STUDIO_MEDIA_TYPE: Final = "text/html;profile=mcp-app"


def is_studio_uri(uri: str) -> bool:
    """True for the studio's address, also of another version: an old conversation still names it."""
    return uri.startswith(STUDIO_URI_PREFIX)


def read_page(name: PageName) -> str:
    """The HTML of a page. Blocks: call it in a thread."""
    return (FOLDER / f"{name}.html").read_text("utf-8")
