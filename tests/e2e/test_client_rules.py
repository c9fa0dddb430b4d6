"""What clients need of answers, so that whoever calls sees the pictures: one test for each rule."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from atelier_mcp.server.app import create_server
from atelier_mcp.server.settings import load_settings
from tests.support.raw_session import RawSession, open_raw_session
from tests.support.tool_results import decode_previews, get_structured, get_text, list_links

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    Environ = dict[str, str]
    Call = Callable[..., Awaitable[types.CallToolResult]]
    NewClient = Callable[..., AbstractAsyncContextManager[Client]]

BOX = {"type": "box", "points": [4, 4, 40, 30]}


@pytest.fixture
async def session(environ: Environ) -> AsyncGenerator[RawSession]:
    """A server's two streams, without a client's library between."""
    async with open_raw_session(create_server(load_settings(environ))) as raw_session:
        yield raw_session


@pytest.mark.parametrize("tool", ["generate_image", "wait_for_jobs", "view_image"])
async def test_an_answer_with_pictures_has_its_facts_beside_it_and_no_structured_content(call: Call, tool: str) -> None:
    """Clients that find structured content give the model that alone, and it never sees the picture."""
    made = await call("generate_image", prompt="a red kite")
    facts = get_structured(made)
    arguments = {"wait_for_jobs": {"job_ids": facts.get("job_id")}, "view_image": {"image": _get_handle(facts)}}
    result = await call(tool, **arguments[tool]) if tool in arguments else made
    assert decode_previews(result)
    assert result.structured_content is None
    assert _get_handle(get_structured(result)) == _get_handle(facts)


def _get_handle(facts: dict[str, Any]) -> str:
    facts = facts["jobs"][0] if "jobs" in facts else facts
    return (facts.get("image") or facts["images"][0])["handle"]


async def test_a_tool_without_pictures_keeps_structured_content_with_what_to_do_next(call: Call) -> None:
    """A client that shows the one in place of the text must not lose what the text says."""
    result = await call("list_models", kind="checkpoint", limit=1)
    assert result.structured_content is not None
    assert result.structured_content["notes"] == ["There are more: raise offset."]
    assert get_text(result).endswith("There are more: raise offset.")


async def test_an_answer_links_no_resources(call: Call) -> None:
    """Several clients cannot read a link to one, and lose the whole answer, which is paid for."""
    assert list_links(await call("generate_image", prompt="a red kite", samples=2)) == []


async def test_links_that_are_asked_for_are_meant_for_the_user(new_client: NewClient) -> None:
    async with new_client(ATELIER_RESOURCE_LINKS="true") as client:
        result = await client.call_tool("generate_image", {"prompt": "a red kite"})
    (link,) = [block for block in result.content if block.type == "resource_link"]
    assert link.annotations is not None
    assert link.annotations.audience == ["user"]


async def test_previews_can_be_switched_off(new_client: NewClient, tmp_path: Path) -> None:
    """Some frameworks pass a picture on as text: hundreds of thousands of characters."""
    async with new_client(ATELIER_PREVIEW_PX="0") as client:
        result = await client.call_tool("generate_image", {"prompt": "a red kite"})
        image = get_structured(result)["images"][0]["handle"]
        mask = await client.call_tool("make_mask", {"image": image, "shapes": [BOX]})
    assert decode_previews(result) == decode_previews(mask) == []
    assert image in get_text(result)


async def test_null_is_absent_at_every_depth(call: Call) -> None:
    """Some frameworks fill in null for whatever the model left out."""
    result = await call(
        "generate_image", prompt="a red kite", samples=None, controls=None, loras=[None], image="", wait_s=None
    )
    image = get_structured(result)["images"][0]["handle"]
    mask = await call("make_mask", image=image, mask="", shapes=[{**BOX, "width": None}], invert=None)
    assert get_structured(mask)["image"]["handle"]


async def test_an_unknown_argument_is_refused_with_what_was_meant(call: Call) -> None:
    """Although the schema does not say so."""
    result = await call("generate_image", prompt="a red kite", n=2)
    assert result.is_error
    assert "did you mean samples?" in get_text(result)


async def test_few_resources_are_listed_and_called_by_their_words(client: Client, call: Call) -> None:
    """One client makes a tool of each; others show nothing but the name."""
    await asyncio.gather(*(call("generate_image", prompt=f"kite {seed}", seed=seed) for seed in range(24)))
    resources = (await client.list_resources()).resources
    assert 0 < len(resources) < 24
    images = [resource for resource in resources if str(resource.uri).startswith("atelier://images/")]
    assert {resource.name for resource in images} <= {f"kite {seed}" for seed in range(24)}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_nothing_is_claimed_to_change_that_does_not(environ: Environ, mode: str) -> None:
    """A client that is told so keeps a stream open to listen."""
    async with Client(create_server(load_settings(environ)), mode=mode) as client:  # pyright: ignore[reportArgumentType]  # a word of the SDK's
        capabilities = client.server_capabilities.model_dump(by_alias=True, exclude_none=True)
    flags = [(part, *flag) for part, claimed in capabilities.items() for flag in claimed.items()]
    claims = [flag for flag in flags if flag[-1] is True]
    assert not claims


async def test_a_client_that_listens_is_told_that_nothing_is_sent(environ: Environ) -> None:
    """At once: it would wait for ever."""
    async with Client(create_server(load_settings(environ))) as client:
        with pytest.raises(MCPError) as refused:
            async with client.listen(resource_subscriptions=["atelier://spend"], resources_list_changed=True):
                pytest.fail("it listens")
    assert refused.value.code == types.METHOD_NOT_FOUND


async def test_initialize_is_taken_behind_a_discover(session: RawSession) -> None:
    """Some clients ask for the newest revision, and fall back without opening another connection."""
    discovered = await session.request("server/discover", _meta=_build_envelope())
    assert "2026-07-28" in discovered["supportedVersions"]
    initialized = await session.initialize("2025-11-25")
    assert initialized["protocolVersion"] == "2025-11-25"
    assert (await session.request("tools/list"))["tools"]


def _build_envelope() -> dict[str, Any]:
    prefix = "io.modelcontextprotocol/"
    return {
        f"{prefix}protocolVersion": "2026-07-28",
        f"{prefix}clientCapabilities": {},
        f"{prefix}clientInfo": {"name": "test", "version": "1"},
    }


@pytest.mark.parametrize(
    ("revision", "unknown_of_tools"),
    [
        ("2024-11-05", {"title", "annotations", "outputSchema", "_meta"}),
        ("2025-03-26", {"title", "outputSchema", "_meta"}),
        ("2025-06-18", set[str]()),
    ],
)
async def test_a_session_gets_nothing_that_its_revision_does_not_know(
    session: RawSession, revision: str, unknown_of_tools: set[str]
) -> None:
    """Fields, kinds of content, words beside a progress."""
    server_info = (await session.initialize(revision))["serverInfo"]
    assert server_info.keys() <= ({"name", "version"} if revision < "2025-06-18" else {"name", "version", "title"})
    tools = (await session.request("tools/list"))["tools"]
    fields = {field for tool in tools for field in tool}
    known = {"name", "title", "description", "inputSchema", "annotations", "outputSchema", "_meta"}
    assert fields == known - unknown_of_tools
    listed = await session.request("tools/call", name="list_models", arguments={})
    assert ("structuredContent" in listed) == (revision >= "2025-06-18")
    made = await session.request("tools/call", name="generate_image", arguments={"prompt": "a red kite"})
    assert {block["type"] for block in made["content"]} == {"text", "image"}
    resources = (await session.request("resources/list"))["resources"]
    assert all(("title" in resource) == (revision >= "2025-06-18") for resource in resources)


async def test_a_prompt_of_another_tool_is_drawn_as_its_words(call: Call) -> None:
    """Its LoRA tag is named with the argument for it, before anybody wonders where the LoRA is."""
    result = await call("generate_image", prompt="a sailboat <lora:space_cat_v2:0.8>, (storm:1.2) --no dog")
    assert "<lora:space_cat_v2:0.8> taken out of the prompt" in get_text(result)
    assert "dog: moved to negative_prompt" in get_text(result)
    image = get_structured(result)["images"][0]["handle"]
    viewed = get_text(await call("view_image", image=image))
    assert 'prompt="a sailboat, storm"' in viewed
