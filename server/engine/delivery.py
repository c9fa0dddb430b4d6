"""How results leave the engine: their seeds, their format, their mark, and a small JPEG of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.orders import Generated
from atelier_mcp.server.engine.pixels import encode, resized
from atelier_mcp.server.engine.watermark import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.orders import FileFormat, Watermark
    from atelier_mcp.server.engine.pixels import Pixels

SMALL_PX: Final = 256
ONE_WAY: Final = "the samples are equal: this engine does it in one way only"


class Delivery:
    """Encodes the results of one order."""

    def __init__(self, seed: int, file_format: FileFormat, watermark: Watermark | None = None) -> None:
        """Number results from ``seed`` on; stamp them when a mark is given."""
        self._seed = seed
        self._format: FileFormat = file_format
        self._mark: Watermark | None = watermark

    def pictures(self, made: Sequence[Pixels], *, notes: Sequence[str] = ()) -> Generated:
        """The pictures, encoded; with a mark, what they were before it goes along."""
        shown = [picture if self._mark is None else stamp(picture, self._mark) for picture in made]
        return Generated(
            pictures=tuple((encode(picture, self._format), self._seed + i) for i, picture in enumerate(shown)),
            small=tuple(encode(within(picture, SMALL_PX), "JPG") for picture in shown),
            notes=tuple(notes),
            unmarked=() if self._mark is None else tuple(encode(picture, "PNG") for picture in made),
        )

    def copies(self, made: Pixels, samples: int, *, notes: Sequence[str] = ()) -> Generated:
        """The one picture there is, as often as asked, with a word about it."""
        one = self.pictures([made], notes=notes)
        raw = one.pictures[0][0]
        return Generated(
            pictures=tuple((raw, self._seed + number) for number in range(samples)),
            small=one.small * samples,
            notes=(*notes, ONE_WAY) if samples > 1 else tuple(notes),
            unmarked=one.unmarked * samples,
        )


def within(picture: Pixels, longest_px: int) -> Pixels:
    """The picture with no side above ``longest_px``."""
    height, width = picture.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return picture
    return resized(picture, max(1, round(width * scale)), max(1, round(height * scale)))
