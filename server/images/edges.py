"""The edges of a picture, as a picture of their own."""

from __future__ import annotations

from io import BytesIO

from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.pixels import flatten_on_white


def trace_edges(data: bytes) -> bytes:
    """A grey PNG, bright where the picture has edges. Raises ``ImageRefused``. Decodes: called in a worker."""
    from PIL import ImageFilter

    grey = flatten_on_white(decode_upright(data)).convert("L")
    edges = grey.filter(ImageFilter.FIND_EDGES) if min(grey.size) > 2 else grey
    stream = BytesIO()
    edges.save(stream, "PNG")
    return stream.getvalue()
