"""The canvas that MHAPI is asked for, over all canvases that can be wanted."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from atelier_mcp.server.providers.mhapi.canvas import plan_free_canvas
from atelier_mcp.server.providers.outpaint_canvas import WantedCanvas


@given(
    source=st.tuples(st.integers(40, 3000), st.integers(40, 3000)),
    added=st.tuples(*[st.integers(0, 900)] * 4).filter(any),
)
def test_whatever_canvas_is_asked_for_lies_in_the_one_that_is_sent(
    source: tuple[int, int], added: tuple[int, int, int, int]
) -> None:
    """So that it can be cut out exactly, with the source exactly in its place."""
    left, top, right, bottom = added
    canvas = WantedCanvas(source[0] + left + right, source[1] + top + bottom, left, top)
    # Beyond it the service's canvas has no room for it in the size that the source needs.
    assume(max(canvas.size) * max(1, 256 / min(source)) < 5800)
    sent = plan_free_canvas(canvas, source)
    assert sent.finish.region is not None
    assert sent.finish.size == canvas.size
    scale = sent.source[0] / source[0], sent.source[1] / source[1]
    assert sent.finish.region[0] + left * scale[0] == pytest.approx(sent.x)
    assert sent.finish.region[1] + top * scale[1] == pytest.approx(sent.y)
    assert min(sent.finish.region[:2]) > -1e-6
    assert sent.finish.region[2] <= sent.width + 1e-6
    assert sent.finish.region[3] <= sent.height + 1e-6
    assert min(sent.source) >= 256
    assert (sent.width % 64, sent.height % 64, sent.x % 8, sent.y % 8) == (0, 0, 0, 0)
    assert 640 <= min(sent.width, sent.height) <= max(sent.width, sent.height) <= 6000
