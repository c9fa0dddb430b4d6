"""``atelier demo``: a real MCP client spawns the server over stdio and makes pictures with it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mcp import Client, MCPError, StdioServerParameters
from mcp_types import CONNECTION_CLOSED

from atelier_mcp.server.cli import _client
from atelier_mcp.server.cli.images import open_files
from atelier_mcp.server.cli.installation import format_own_command
from atelier_mcp.server.errors import UpstreamFailed
from atelier_mcp.server.settings import INPUT_ROOTS_VARIABLE
from atelier_mcp.server.tool_result import get_facts

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncGenerator

    from rich.console import Console

    from atelier_mcp.server.settings import Settings

SERVE = ["-m", "atelier_mcp.server", "serve"]
SERVER_ENDED = "The demo's server has ended; if it said why, that stands above."
SIDE_PX = 960
UNFINISHED = frozenset({"submitting", "queued", "running", "saving"})


@dataclass(frozen=True, slots=True)
class DemoStep:
    """One call of the demo. ``name`` is what it is called on the screen and on disk."""

    name: str
    tool: str
    arguments: dict[str, Any]
    width: int
    height: int


def run(arguments: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001  # the spawned server reads them
    """Make every picture, check it, leave it in the folder; exit 1 when one is not what was asked for."""
    photos = _find_photos()
    code = asyncio.run(_run(_build_steps(arguments.prompt, photos), arguments.out, photos))
    if arguments.open:
        open_files([str(arguments.out)])
    return code


async def _run(steps: list[DemoStep], folder: Path, photos: Path) -> int:
    from rich.console import Console

    console = Console()
    with _client.show_progress("demo") as update:
        async with _spawn_server(photos) as client:
            for step in steps:
                update(0, None, step.name)
                started_s = time.perf_counter()
                # One after the other, so that the times on the screen are those of single calls.
                facts = await _call_until_done(client, step, update)
                elapsed_s = time.perf_counter() - started_s
                _print_step(console, step, facts, _save_image(facts, step, folder), elapsed_s)
    console.print(f"The pictures are in {folder}", soft_wrap=True, markup=False, highlight=False)
    words = f"For the same in your agent: {format_own_command('setup')}"
    console.print(words, soft_wrap=True, markup=False, highlight=False)
    return 0


async def _call_until_done(client: Client, step: DemoStep, update: _client.ProgressUpdate) -> dict[str, Any]:
    """The facts of the step's job once it has ended: a busy machine may take longer than a call waits."""
    facts = get_facts(await _client.call_tool(client, step.tool, step.arguments, update))
    while facts.get("state") in UNFINISHED:
        arguments = {"job_ids": [facts["job_id"]]}
        (facts,) = get_facts(await _client.call_tool(client, "wait_for_jobs", arguments, update))["jobs"]
    return facts


def _print_step(console: Console, step: DemoStep, facts: dict[str, Any], saved_path: Path, elapsed_s: float) -> None:
    """What was made, from which prompt, and what the service remarked: words that it left out are told here, too."""
    from rich.text import Text

    # Text and not markup: prompts and paths may hold brackets.
    line = Text.assemble(("ok", "green"), f" {step.name:<16} {elapsed_s:5.1f} s  {saved_path}")
    console.print(line, soft_wrap=True)
    if prompt := step.arguments.get("prompt"):
        console.print(Text(f"   shows: {prompt}"), soft_wrap=True)
    data: dict[str, Any] = facts.get("data") or {}
    if remarks := data.get("remarks"):
        console.print(Text(f"   the service remarks: {remarks}", style="yellow"), soft_wrap=True)


def _build_steps(prompt: str, photos: Path) -> list[DemoStep]:
    """What the demo does, in order."""
    coffee, rocket = str(photos / "coffee.png"), str(photos / "rocket.jpg")
    astronaut, hopper = str(photos / "astronaut.png"), str(photos / "grace_hopper.jpg")
    repaint = {"prompt": "golden sunset over the sea, oil painting", "image": coffee, "strength": 0.7, "seed": 7}
    # In pixels of the example photos: 600 x 400, and 640 x 427 for the rocket.
    cup = [{"type": "box", "points": [70, 10, 490, 385]}]
    launcher = [{"type": "box", "points": [296, 100, 352, 412]}]
    faces = [{"image": astronaut}]
    return [
        DemoStep("text to image", "generate_image", {"prompt": prompt, "seed": 7, "format": "png"}, SIDE_PX, SIDE_PX),
        DemoStep(
            "image to image", "generate_image", {**repaint, "width": 960, "height": 640, "format": "png"}, 960, 640
        ),
        DemoStep("upscale", "upscale_image", {"image": coffee, "ratio": 2}, 1200, 800),
        DemoStep("stylize", "stylize_image", {"image": coffee, "style": "style_watercolour"}, 600, 400),
        DemoStep("cut out", "cut_out_subject", {"image": coffee, "shapes": cup}, 600, 400),
        DemoStep("erase", "erase_object", {"image": rocket, "shapes": launcher}, 640, 427),
        DemoStep("outpaint", "outpaint_image", {"image": coffee, "scale": 1.6}, 960, 640),
        DemoStep("swap faces", "swap_faces", {"image": hopper, "faces": faces}, 512, 600),
        DemoStep("segment", "cut_out_subject", {"image": coffee}, 600, 400),
    ]


@asynccontextmanager
async def _spawn_server(photos: Path) -> AsyncGenerator[Client, None]:
    """A client of ``atelier serve`` in a process of its own, with this environment, which may read the photos.

    Raises ``UpstreamFailed`` where that process ends before its client does.
    """
    environ = {**os.environ, INPUT_ROOTS_VARIABLE: str(photos)}  # Atelier may be installed outside of what is read
    server = StdioServerParameters(command=sys.executable, args=SERVE, env=environ)
    try:
        async with Client(server) as client:
            yield client
    except (MCPError, BaseExceptionGroup) as err:
        if not _is_closed(err):
            raise
        raise UpstreamFailed(SERVER_ENDED) from err


def _is_closed(error: BaseException) -> bool:
    """Whether the connection to the server broke, alone or in whatever groups of errors."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_closed, cast("BaseExceptionGroup[BaseException]", error).exceptions))
    return isinstance(error, MCPError) and error.code == CONNECTION_CLOSED


def _find_photos() -> Path:
    """The example photos: in a checkout where they lie, otherwise where the wheel puts them."""
    checkout = Path(__file__).resolve().parents[2] / "examples" / "photos"
    return checkout if checkout.is_dir() else Path(__file__).parent / "photos"


def _save_image(result: dict[str, Any], step: DemoStep, folder: Path) -> Path:
    """Copy the step's picture into the folder, after looking whether it is valid and of the asked size."""
    from PIL import Image

    images: list[dict[str, Any]] = result.get("images", [])
    if result.get("state") != "succeeded" or not images:
        raise UpstreamFailed(f"{step.name}: no picture came; the job is {result.get('state')}.")
    source = Path(images[0]["path"])
    with Image.open(source) as image:
        # Decoded in full: a file that was cut short opens without complaint.
        image.load()
        size = image.size
    if size != (step.width, step.height):
        raise UpstreamFailed(f"{step.name}: the picture is {size[0]}x{size[1]}, asked for {step.width}x{step.height}.")
    target = folder / f"{step.name.replace(' ', '-')}{source.suffix}"
    shutil.copyfile(source, target)
    return target
