"""The server's own icon, as a data URL: nothing has to be fetched for it."""

from __future__ import annotations

import base64
from typing import Final

import mcp_types as types

_SVG: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1b1b19"/>'
    '<path d="M6 24l7-10 5 6 3-4 5 8z" fill="#f4f2ec"/><circle cx="22" cy="10" r="3" fill="#e0264f"/></svg>'
)
SERVER_ICON: Final = types.Icon(
    src=f"data:image/svg+xml;base64,{base64.b64encode(_SVG.encode()).decode()}",
    mime_type="image/svg+xml",
    sizes=["any"],
)
