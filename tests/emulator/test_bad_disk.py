"""A disk under the emulator that takes nothing any more: answered in the upstream's words, told to its operator."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.support.emulator_harness import read_error_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    import pytest

    from tests.support.emulator_harness import EmulatorHarness

IMGEN = "/v1/imgenstd/imgen"
REQUEST = {"model_id": "artist_v1.0", "prompt": "a cat"}


async def test_a_task_that_cannot_be_written_is_refused_in_the_upstreams_words_and_the_next_one_is_taken(
    new_site: Callable[..., Awaitable[EmulatorHarness]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = await new_site(state_dir=tmp_path / "state")
    # Over before its folder goes: what is drawn is written meanwhile, and the folder made again for it.
    await site.finish_task(await site.submit_task(IMGEN, **REQUEST))
    tasks = tmp_path / "state" / "tasks"
    shutil.rmtree(tasks)
    tasks.write_text("in the way")
    response = await site.post(IMGEN, **REQUEST)
    assert (response.status_code, read_error_code(response)) == (500, 13)
    assert f"{IMGEN} failed: a file is where a folder should be" in caplog.text
    assert "Traceback" not in caplog.text
    assert str(tmp_path) not in caplog.text
    tasks.unlink()
    await site.submit_task(IMGEN, **REQUEST)
