"""A defect of ours, as an agent meets it: no stack trace, and whether money may have been spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier_mcp.server import job_result
from tests.support.emulator_harness import encode_plain_image
from tests.support.tool_results import get_refusal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.e2e.conftest import Call


async def fail(*_: Any, **__: Any) -> None:
    """As a defect would."""
    raise RuntimeError("a defect")


async def test_of_a_tool_that_asks_a_service_the_job_may_go_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_result, "describe_job", fail)
    words = get_refusal(await call("generate_image", prompt="a kite"))
    assert "generate_image failed inside Atelier" in words
    assert "A job that was already accepted goes on: look for it with list_jobs" in words
    assert "a defect" not in words


async def test_of_a_tool_that_asks_no_service_nothing_was_spent(
    call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(encode_plain_image(64, 64))
    monkeypatch.setattr("atelier_mcp.tools.transform_image.store_result", fail)
    words = get_refusal(await call("transform_image", image=str(tmp_path / "photo.png"), width=32))
    assert "Nothing was spent: this tool asks no service." in words
    assert "list_jobs" not in words
