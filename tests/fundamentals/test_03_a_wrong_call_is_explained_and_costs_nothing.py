"""Third: what cannot be is refused before anything is sent, in words that lead to the call that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.tool_results import get_refusal, list_submits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Call


async def test_every_wrong_argument_gets_one_plain_line(call: Call, tmp_path: Path) -> None:
    """All at once, so that the next call can be right."""
    lines = get_refusal(await call("generate_image", prompt="a kite", samples=9, n=2)).splitlines()

    assert lines == [
        "samples: 9 given; at most 8 is allowed.",
        "n: there is no such argument; did you mean samples?",
        "Nothing was done. Correct this and call again.",
    ]
    assert list_submits(tmp_path / "access.jsonl") == []
