"""First: an agent says what it wants, waits once, and gets a picture it can see, name and open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.tool_results import decode_previews, get_structured, get_text

if TYPE_CHECKING:
    from tests.e2e.conftest import Call


async def test_one_call_returns_a_preview_a_handle_and_a_file(call: Call) -> None:
    """The call waits for the service; what comes back is enough for the next step, whatever that is."""
    result = await call("generate_image", prompt="a lighthouse in a storm", samples=2)

    assert len(decode_previews(result)) == 2, "the model sees small previews"
    images = get_structured(result)["images"]
    assert all(image["handle"] in get_text(result) for image in images), "the model can name each picture"
    assert all(Path(image["path"]).is_file() for image in images), "the person can open it"
