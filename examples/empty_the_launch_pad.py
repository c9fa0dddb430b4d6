"""A story: take a rocket off its pad, widen the picture, make it twice as large. Each step takes the last one's handle.

    python examples/empty_the_launch_pad.py

Needs no key. Exits with an error when a step does not give what it should.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

PHOTO = Path(__file__).parent / "photos" / "rocket.jpg"
ROCKET = {"type": "box", "points": [296, 100, 352, 412]}


async def main() -> None:
    """Run the story."""
    server = StdioServerParameters(command=sys.executable, args=["-m", "atelier_mcp.server"], env={**os.environ})
    async with Client(server) as atelier:
        empty = await make_image(atelier, "erase_object", image=str(PHOTO), shapes=[ROCKET])
        wide = await make_image(atelier, "outpaint_image", image=empty["handle"], width=1024, height=640)
        large = await make_image(atelier, "upscale_image", image=wide["handle"], ratio=2)
    sizes = [(image["width"], image["height"]) for image in (empty, wide, large)]
    assert sizes == [(640, 427), (1024, 640), (2048, 1280)], sizes


async def make_image(atelier: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its picture; stop with the tool's own words if it refuses."""
    result = await atelier.call_tool(tool, arguments)
    message = "\n".join(block.text for block in result.content if block.type == "text")
    facts = (result.meta or {}).get("atelier/result")  # the same as the text, for programs
    if result.is_error or facts is None:
        sys.exit(f"{tool}: {message}")
    image = facts["images"][0]
    print(f"{tool}: {image['width']}x{image['height']}  {image['path']}")
    return image


if __name__ == "__main__":
    asyncio.run(main())
