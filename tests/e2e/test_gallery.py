"""What stands on the gallery's wall: the pictures that people wanted, and nothing that was made on the way to them."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp import Client
from PIL import Image

from tests.support.http_service import serve_http
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from tests.support.emulator_harness import EmulatorHarness

    Environ = dict[str, str]

BOX = [{"type": "box", "points": [20, 20, 60, 60]}]


async def list_tools_on_wall(http: httpx2.AsyncClient) -> list[str]:
    """By what each picture of the wall was made, oldest first."""
    rows = (await http.get("/gallery/index")).json()["pictures"]
    return [row[4] for row in reversed(rows)]


def encode_url(image: Image.Image) -> str:
    """A picture as a data URL."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"


def encode_mask(width: int, height: int) -> str:
    """A mask that marks the upper left quarter."""
    mask = Image.new("L", (width, height), 255)
    mask.paste(0, (0, 0, width // 2, height // 2))
    return encode_url(mask)


@pytest.mark.parametrize("marks", ["shapes", "a mask of make_mask", "a mask as a data URL"])
async def test_what_was_made_for_a_service_is_not_on_the_wall(
    environ: Environ, site: EmulatorHarness, marks: str
) -> None:
    """A small picture is enlarged for the service, and so is its mask: nobody asked for either."""
    async with (
        serve_http(environ) as address,
        Client(f"{address}/mcp") as client,
        httpx2.AsyncClient(base_url=address, timeout=60) as http,
    ):
        imported = await client.call_tool("import_image", {"image": encode_url(Image.new("RGB", (200, 134), "olive"))})
        handle = get_structured(imported)["image"]["handle"]
        arguments: dict[str, Any] = {"shapes": BOX}
        if marks == "a mask of make_mask":
            drawn = await client.call_tool("make_mask", {"image": handle, "shapes": BOX})
            arguments = {"mask": get_structured(drawn)["image"]["handle"]}
        elif marks == "a mask as a data URL":
            arguments = {"mask": encode_mask(200, 134)}
        erased = get_structured(await client.call_tool("erase_object", {"image": handle, **arguments}))
        assert await list_tools_on_wall(http) == ["import_image", "erase_object"]
        detail = (await http.get(f"/gallery/pictures/{erased['images'][0]['handle']}")).json()
        tree = [(row[0], depth) for row, depth in detail["history"] if row[4] != "make_mask"]
        assert tree == [(handle, 0), (erased["images"][0]["handle"], 1)]
        resources = [resource.name for resource in (await client.list_resources()).resources]
        assert not [name for name in resources if name.startswith(("Convert", "Flatten", "Tile"))]


async def test_a_picture_with_transparency_stands_there_once(environ: Environ, site: EmulatorHarness) -> None:
    """A service that knows none is sent a copy on white."""
    async with (
        serve_http(environ) as address,
        Client(f"{address}/mcp") as client,
        httpx2.AsyncClient(base_url=address, timeout=60) as http,
    ):
        imported = await client.call_tool(
            "import_image", {"image": encode_url(Image.new("RGBA", (300, 300), "#00808080"))}
        )
        handle = get_structured(imported)["image"]["handle"]
        await client.call_tool("upscale_image", {"image": handle})
        assert await list_tools_on_wall(http) == ["import_image", "upscale_image"]
