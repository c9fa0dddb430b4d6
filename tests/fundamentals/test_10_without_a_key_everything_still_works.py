"""Tenth: with no credentials at all, the built-in emulator plays the services, and the engine makes real pictures."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from mcp import Client
from PIL import Image

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import decode_previews, get_text

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("cv2", reason="the engine is an extra")


async def test_a_fresh_installation_makes_a_picture(tmp_path: Path) -> None:
    """The same tools, the same wire, no key; and the answer says who drew."""
    async with Client(create_server(load_settings({"ATELIER_HOME": str(tmp_path)}))) as client:
        result = await client.call_tool("generate_image", {"prompt": "a lighthouse in a storm", "seed": 7})

    (preview,) = decode_previews(result)
    with Image.open(BytesIO(preview)) as image:
        assert max(image.size) == 512
        colours = image.convert("RGB").resize((32, 32)).getcolors(1024) or []
    assert len(colours) > 200, "a picture, not one colour"
    assert "built-in preview engine" in get_text(result)
