"""What hosts with MCP Apps read: which tools name the studio, the page itself, and the request for a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp import __version__
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal, get_structured, get_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types
    from mcp import Client

    Call = Callable[..., Awaitable[types.CallToolResult]]

MAKERS = {
    "ask_for_mask",
    "chat_with_image",
    "compose_images",
    "cut_out_subject",
    "erase_object",
    "generate_image",
    "inpaint_image",
    "outpaint_image",
    "stylize_image",
    "swap_faces",
    "transform_image",
    "upscale_image",
    "wait_for_jobs",
}
"""The others are called by models for themselves; each would put a frame into the conversation."""


async def test_tools_that_make_pictures_name_the_studio_in_both_forms(client: Client) -> None:
    """Some hosts read the nested key, some the flat one."""
    tools = {tool.name: tool.meta or {} for tool in (await client.list_tools()).tools}
    uri = f"ui://atelier/studio-{__version__}.html"
    assert {name for name, meta in tools.items() if meta} <= MAKERS
    for name in MAKERS & tools.keys():
        assert tools[name] == {"ui": {"resourceUri": uri}, "ui/resourceUri": uri}


@pytest.mark.parametrize("version", [__version__, "0.0.1"])
async def test_the_studio_is_read_as_a_page_for_apps(client: Client, version: str) -> None:
    """An old conversation still names an old address. No domain is asked for, and none is said."""
    (page,) = (await client.read_resource(f"ui://atelier/studio-{version}.html")).contents
    assert page.mime_type == "text/html;profile=mcp-app"
    assert page.meta == {"ui": {"prefersBorder": True}}
    assert page.text.startswith("<!doctype html>")  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]


async def test_a_mask_is_asked_for_and_found_when_it_is_drawn(client: Client, call: Call, tmp_path: Path) -> None:
    """The newest of that picture, also where the host passed nothing on."""
    images: list[str] = []
    for colour in ("teal", "navy"):
        path = tmp_path / f"{colour}.png"
        path.write_bytes(encode_plain_image(colour=colour))
        images.append(get_structured(await call("import_image", image=str(path)))["image"]["handle"])
    asked = await call("ask_for_mask", image=images[0], why="the boat")
    assert "has no mask yet" in get_text(asked)
    assert "mask" not in get_structured(asked)
    boxes = {images[0]: [10, 10, 60, 60], images[1]: [20, 20, 90, 90]}
    masks = {
        handle: get_structured(await call("make_mask", image=handle, shapes=[{"type": "box", "points": box}]))
        for handle, box in boxes.items()
    }
    for handle in images:
        answer = await call("ask_for_mask", image=handle, why="the boat")
        assert get_structured(answer)["mask"]["handle"] == masks[handle]["image"]["handle"]
        assert masks[handle]["image"]["handle"] in get_text(answer)
        assert [block.type for block in answer.content] == ["text", "image"]


async def test_a_picture_from_outside_is_taken_in_before_a_mask_is_asked_for(call: Call, tmp_path: Path) -> None:
    """The painter and the mask need its handle."""
    path = tmp_path / "boat.png"
    path.write_bytes(encode_plain_image())
    asked = get_structured(await call("ask_for_mask", image=str(path), why=""))
    assert asked["image"]["handle"].startswith("img_")


async def test_a_mask_of_a_picture_that_is_not_there_is_refused(call: Call) -> None:
    assert "No picture is stored" in get_refusal(await call("ask_for_mask", image="img_aaaaaaaaaaaaaaaa", why="x"))
