"""A server without any key: the built-in emulator plays every service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mcp import Client

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    NewClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Client]:
    """With every toolset."""
    environ = {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_TOOLSETS": "all",
        "ATELIER_INPUT_ROOTS": str(tmp_path),
    }
    async with Client(create_server(load_settings(environ))) as connected:
        yield connected


async def test_its_links_can_be_imported_and_no_others_of_this_machine(client: Client, tmp_path: Path) -> None:
    """A link from an answer is as good as one of a real service."""
    path = tmp_path / "red.png"
    path.write_bytes(encode_plain_image(colour="red"))
    made = get_structured(await client.call_tool("create_dataset", {"name": "reds", "images": [str(path)]}))
    (image,) = made["dataset"]["images"]
    imported = await client.call_tool("import_image", {"image": image["link"]})
    assert get_structured(imported)["image"]["handle"] == image["handle"]
    elsewhere = await client.call_tool("import_image", {"image": "http://127.0.0.1:9/picture.png"})
    assert "private or local network" in get_refusal(elsewhere)


async def test_views_hear_that_its_work_is_free_whatever_the_picture_is(
    client: Client, new_client: NewClient, tmp_path: Path
) -> None:
    """What a button costs goes by the services there are, and not by what made the picture."""
    path = tmp_path / "red.png"
    path.write_bytes(encode_plain_image(colour="red"))
    async with new_client(ATELIER_INPUT_ROOTS=str(tmp_path)) as client_of_service:
        for one, is_free in ((client, True), (client_of_service, False)):
            await one.call_tool("import_image", {"image": str(path)})
            viewed = await one.call_tool("view_image", {"image": str(path)})
            assert get_structured(viewed)["made"]["edits_are_free"] is is_free


async def test_what_only_one_service_knows_is_offered(client: Client) -> None:
    """In full where its toolset is on, by names where nobody asked for it."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert "sampler_name" in tools["generate_image"].input_schema["properties"]["advanced"]["properties"]


async def test_without_its_toolset_the_names_are_enough(tmp_path: Path) -> None:
    async with Client(create_server(load_settings({"ATELIER_HOME": str(tmp_path)}))) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        schema = tools["generate_image"].input_schema["properties"]["advanced"]
        assert schema["type"] == "object"
        assert "sampler_name" in schema["description"]
        call = {"prompt": "a kite", "advanced": {"sampler": "DDIM"}}
        assert "sampler_name" in get_refusal(await client.call_tool("generate_image", call))


async def test_a_description_says_what_the_stand_in_cannot_see(client: Client, tmp_path: Path) -> None:
    """And where whoever asked can look."""
    path = tmp_path / "teal.png"
    path.write_bytes(encode_plain_image(colour="teal"))
    text = get_text(await client.call_tool("describe_image", {"image": str(path)}))
    assert "recognizes no things: view_image shows you the picture" in text


async def test_a_picture_names_no_steps_that_were_not_taken(client: Client) -> None:
    """No diffusion runs here, whoever chose the number."""
    made = await client.call_tool("generate_image", {"prompt": "a kite", "steps": 30, "provider": "mhapi"})
    (line,) = [line for line in get_text(made).splitlines() if line.startswith("img_")]
    assert "30 steps" not in line
