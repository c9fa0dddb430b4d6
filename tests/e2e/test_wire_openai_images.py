"""Everything of the images API that we have a use for is sent through an MCP client: all calls, and the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from atelier_mcp.server.emulator.accounts import DEMO_API_KEY
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_structured
from tests.support.wire_coverage import check_coverage, read_whole_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import mcp_types as types

    from tests.support.emulator_harness import EmulatorHarness

    Call = Callable[..., Awaitable[types.CallToolResult]]

ANIMATION: Final = "an animation is no picture that a tool here takes or shows"
DRAWING_FILE: Final = "SVG is no picture that a tool here takes or shows, and has a model of its own that is paid for"
END_USER: Final = "callers stay unnamed; a name of our own for all of them would tell the service nothing"
NEVER_SENT: Final = {
    **{
        f"{call}/{name}": reason
        for call in ("images.generations", "images.edits")
        for name, reason in {
            "frame_count": ANIMATION,
            "frame_duration_ms": ANIMATION,
            "svg.model": DRAWING_FILE,
            "svg.reasoning.effort": DRAWING_FILE,
            "safety_identifier": END_USER,
            "user": END_USER,
        }.items()
    },
    "images.edits/markup": "marks of ours are masks; notes drawn over a picture have no argument",
    "images.edits_json/images[].file_id": "pictures travel with the call; nothing is uploaded beforehand",
    "images.edits_json/mask.file_id": "as the pictures",
}


@pytest.fixture
def environ(site: EmulatorHarness, tmp_path: Path) -> dict[str, str]:
    """OpenAI, and SenseNova's U1 as a second endpoint."""
    address = f"{site.emulator.base_url}/openai/v1"
    return {
        "ATELIER_HOME": str(tmp_path / "home"),
        "ATELIER_INPUT_ROOTS": str(tmp_path),
        "OPENAI_API_KEY": DEMO_API_KEY,
        "OPENAI_BASE_URL": address,
        "OPENAI_SERVER": "openai",
        "OPENAI_API_KEY_2": DEMO_API_KEY,
        "OPENAI_BASE_URL_2": address,
        "OPENAI_SERVER_2": "sensenova_u1",
        "OPENAI_IMAGE_MODEL_2": "sensenova-u1.5-lite",
    }


@pytest.mark.wire_coverage
async def test_all_calls_of_the_images_api_are_sent_with_what_is_used_of_them(
    call: Call, site: EmulatorHarness, tmp_path: Path
) -> None:
    (tmp_path / "source.png").write_bytes(encode_plain_image(640, 480))
    source = str(tmp_path / "source.png")
    await site.call_control("PATCH", "/settings", {"openai_images": {"unlisted_model": "preview"}})

    async def draw(tool: str = "generate_image", *, at: str = "openai_images", **arguments: Any) -> None:
        drawn = get_structured(await call(tool, prompt="a red kite", provider=at, **arguments))
        assert (drawn["state"], len(drawn["images"])) == ("succeeded", arguments.get("samples", 1)), drawn

    options = {"quality": "low", "background": "opaque", "compression": 60, "moderation": "low"}
    await draw()
    await draw(model="gpt-image-2.6-sunburst", samples=2, advanced={**options, "complexity": "low"})
    await draw(model="preview", width=1024, height=1024)
    del options["moderation"]  # of edits, JSON alone has it
    await draw(model="gpt-image-2.6-flare", image=source, advanced={**options, "complexity": "low"})
    several = {"more_images": [source], "input_fidelity": "high"}
    await draw(model="gpt-image-1.5", image=source, samples=2, advanced=several)
    box = {"type": "box", "points": [100, 100, 400, 300]}
    await draw("inpaint_image", image=source, shapes=[box])
    await draw("inpaint_image", image=source, shapes=[box], advanced={"moderation": "low"})
    await draw(at="openai_images_2")
    await draw(at="openai_images_2", image=source)
    listed = get_structured(await call("list_models"))
    assert "gpt-image-2" in {model["id"] for model in listed["models"]}
    entries = await read_whole_log(site, tmp_path / "access.jsonl")
    check_coverage("openai_images", entries, exceptions=NEVER_SENT)
