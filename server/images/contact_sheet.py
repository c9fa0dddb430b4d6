"""Many pictures on one small sheet, each with its handle below it."""

from __future__ import annotations

from io import BytesIO
from math import ceil
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.preview import create_previews, encode_previews

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

    from atelier_mcp.server.images.preview import Preview

MAX_IMAGES: Final = 20
THUMBNAIL_PX: Final = 160
COLUMNS: Final = 5
_LABEL_PX: Final = 16
_GAP_PX: Final = 6
_PAPER: Final = (250, 250, 250)
_INK: Final = (40, 40, 40)


def create_contact_sheet(images: Sequence[tuple[str, Path]], *, budget_bytes: int) -> bytes:
    """A JPEG of the first ``MAX_IMAGES`` pictures, five in a row, each a handle and its file, of at most the budget.

    Raises ``ImageRefused`` for a damaged picture. Decodes: called in a worker (``workers``).
    """
    first_images = images[:MAX_IMAGES]
    thumbnails = create_previews([path for _, path in first_images], longest_px=THUMBNAIL_PX, budget_bytes=budget_bytes)
    return _draw_sheet(thumbnails, [handle for handle, _ in first_images], budget_bytes)


def _draw_sheet(thumbnails: Sequence[Preview], labels: Sequence[str], budget_bytes: int) -> bytes:
    from PIL import Image, ImageDraw

    columns = min(COLUMNS, len(thumbnails))
    cell_width, cell_height = THUMBNAIL_PX + _GAP_PX, THUMBNAIL_PX + _LABEL_PX + _GAP_PX
    size = (columns * cell_width + _GAP_PX, ceil(len(thumbnails) / columns) * cell_height + _GAP_PX)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, (preview, label) in enumerate(zip(thumbnails, labels, strict=True)):
        left, top = _GAP_PX + index % columns * cell_width, _GAP_PX + index // columns * cell_height
        thumbnail = Image.open(BytesIO(preview.data))
        # At the bottom of its cell, so that the handle stands directly below it.
        sheet.paste(thumbnail, (left + (THUMBNAIL_PX - thumbnail.width) // 2, top + THUMBNAIL_PX - thumbnail.height))
        draw.text((left + THUMBNAIL_PX // 2, top + THUMBNAIL_PX + 2), label, fill=_INK, anchor="ma")
    return _encode(sheet, budget_bytes)


def _encode(sheet: Image, budget_bytes: int) -> bytes:
    return encode_previews([sheet], longest_px=max(sheet.size), budget_bytes=budget_bytes)[0].data
