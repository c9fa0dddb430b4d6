"""The built-in stand-in, as an agent without any keys meets it: what it calls itself, and what it says of its work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.tool_results import get_text

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("cv2", reason="the engine is an extra")


async def test_it_names_itself_and_what_it_left_out_and_speaks_of_no_money(tmp_path: Path) -> None:
    async with Client(
        create_server(load_settings({"ATELIER_HOME": str(tmp_path), "ATELIER_TOOLSETS": "all"}))
    ) as client:
        tools = (await client.list_tools()).tools
        prompt = "portrait of a woman with a church, a hot dog, no people behind"
        result = await client.call_tool("generate_image", {"prompt": prompt, "provider": "mhapi", "seed": 7})
    text = get_text(result)
    assert [tool.name for tool in tools if "money" in (tool.description or "").lower()] == []
    assert "mhapi:built-in" in text
    assert "Understood, but not drawn: church" in text
    assert "Not understood, and left out: hot dog" in text
    assert "steps (the stand-in runs none)" in text


async def test_with_a_key_the_descriptions_say_what_costs(tmp_path: Path) -> None:
    settings = {"ATELIER_HOME": str(tmp_path), "MHAPI_ACCESS_KEY": "key", "MHAPI_SECRET_KEY": "secret"}
    async with Client(create_server(load_settings(settings))) as client:
        tools = {tool.name: tool.description or "" for tool in (await client.list_tools()).tools}
    assert "Costs money." in tools["generate_image"]
