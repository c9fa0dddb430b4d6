"""What is tried through every client; the standard library alone, for it runs in each client's environment."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Call = Callable[[str, dict[str, Any]], Awaitable["Answer"]]
    OpenTools = Callable[["Target"], AbstractAsyncContextManager[tuple[list[str], Call]]]


@dataclass(frozen=True)
class Target:
    """The server to talk to: a command to spawn, or the address of one that listens."""

    command: list[str]
    url: str
    environ: dict[str, str]

    @property
    def is_http(self) -> bool:
        """Whether it is one that listens."""
        return bool(self.url)


@dataclass(frozen=True)
class Answer:
    """An answer as the client hands it to a model."""

    text: str
    image_count: int = 0


def run(open_tools: OpenTools) -> None:
    """Try everything through a client, and print what came as one line of JSON."""
    target = Target(
        json.loads(os.environ["INTEROP_COMMAND"]),
        os.environ.get("INTEROP_URL", ""),
        json.loads(os.environ["INTEROP_ENVIRON"]),
    )
    print("\nINTEROP " + json.dumps(asyncio.run(_try_everything(open_tools, target))), flush=True)
    os._exit(0)  # some clients leave threads behind that wait for their server


async def _try_everything(open_tools: OpenTools, target: Target) -> dict[str, Any]:
    async with asyncio.timeout(240), open_tools(target) as (names, call):
        made = await _call(call, "generate_image", prompt="a red kite", width=640, height=640)
        handle = next(iter(re.findall(r"img_[a-z0-9]{8,}", made.text)), "")
        box = {"type": "box", "points": [10, 10, 300, 300]}
        masked = await _call(call, "make_mask", image=handle, shapes=[box])
        refused = await _call(call, "generate_image", prompt="   ")
        return {
            "tools": len(names),
            "picture": bool(handle) and made.image_count > 0,
            "error": "prompt is blank" in refused.text,
            "nested": "of the picture is marked" in masked.text,
            "texts": [made.text[:300], masked.text[:300], refused.text[:300]],
        }


async def _call(call: Call, name: str, **arguments: Any) -> Answer:
    """An answer; a client may raise what a tool refuses."""
    try:
        return await call(name, arguments)
    except Exception as err:  # noqa: BLE001  # whatever it raises, its words are what is looked at
        return Answer(str(err))


def describe_blocks(blocks: Any) -> Answer:
    """Blocks of content, in whichever shape a client has them, as text and a count of pictures."""
    if isinstance(blocks, str):
        return Answer(blocks)
    texts: list[str] = []
    image_count = 0
    for block in blocks if isinstance(blocks, list | tuple) else [blocks]:
        fields = block if isinstance(block, dict) else getattr(block, "__dict__", {})
        kind = str(fields.get("type", type(block).__name__)).lower()
        if "image" in kind:
            image_count += 1
        elif fields.get("text"):
            texts.append(str(fields["text"]))
        else:
            texts.append(str(block))
    return Answer("\n".join(texts), image_count)
