"""Names that follow from the bytes."""

from __future__ import annotations

import pytest

from atelier_mcp.server.images.handles import compute_handle, is_handle


def test_the_same_bytes_have_the_same_handle() -> None:
    """On every machine and in every version: handles are kept in ledgers and told to models."""
    assert compute_handle(b"a red kite") == "img_7hbfcxdqxcx7tyil"
    assert compute_handle(b"a red kite") != compute_handle(b"a red kit")


@pytest.mark.parametrize(
    "text", ["", "img_", "img_short", "IMG_7hbfcxdqxcx7tyil", "img_7hbfcxdqxcx7tyil.png", "img_7hbfcxdqxcx7tyil\n"]
)
def test_other_text_is_no_handle(text: str) -> None:
    """Handles become file names, so nothing else may pass for one."""
    assert is_handle(compute_handle(b""))
    assert not is_handle(text)
