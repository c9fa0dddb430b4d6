"""Second: a handle names a picture for ever, in every tool."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_structured

if TYPE_CHECKING:
    from tests.e2e.conftest import Call
    from tests.support.emulator_harness import FakeEngine


async def test_a_picture_of_the_library_is_the_source_of_the_next_call(call: Call, engine: FakeEngine) -> None:
    """No upload, no path, no link: the server makes it reachable for whichever service needs it."""
    data_url = f"data:image/png;base64,{base64.b64encode(encode_plain_image(640, 640)).decode()}"
    handle = get_structured(await call("import_image", image=data_url))["image"]["handle"]

    result = await call("generate_image", prompt="the same at night", image=handle, strength=0.7)

    assert get_structured(result)["state"] == "succeeded"
    assert engine.get_last_arguments("generate")["source"], "the service read the picture's bytes"
