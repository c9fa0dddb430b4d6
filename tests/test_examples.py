"""The examples run as they stand, and assert for themselves."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
STORIES = sorted(path.name for path in EXAMPLES.glob("*.py"))
BOUND_S = 120.0


@pytest.mark.parametrize("story", STORIES)
async def test_a_story_ends_well(story: str, tmp_path: Path) -> None:
    """With no key, in a folder of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / story),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "ATELIER_HOME": str(tmp_path)},
    )
    _, err = await asyncio.wait_for(process.communicate(), BOUND_S)
    assert process.returncode == 0, err.decode()
