"""Turn result images into an `EngineResult`: seeds, file format, watermark, and a small JPEG of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.pixels import encode, resize
from atelier_mcp.server.engine.tasks import EngineResult
from atelier_mcp.server.engine.watermark import stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.pixels import Pixels
    from atelier_mcp.server.engine.tasks import FileFormat, Watermark

THUMBNAIL_PX: Final = 256
SAMPLES_ARE_EQUAL: Final = "the samples are equal: this engine does it in one way only"


class ResultEncoder:
    """Encodes the results of one task: RGB or RGBA ``uint8`` arrays in, an `EngineResult` of bytes out."""

    def __init__(self, seed: int, file_format: FileFormat, watermark: Watermark | None = None) -> None:
        """Number results from ``seed`` on; stamp them when a watermark is given."""
        self._seed = seed
        self._format: FileFormat = file_format
        self._watermark: Watermark | None = watermark

    def encode(self, images: Sequence[Pixels], *, notes: Sequence[str] = ()) -> EngineResult:
        """The images, encoded; with a watermark, what they were before it goes along.

        Thumbnails show the watermark: they are what people see.
        """
        stamped_images = [image if self._watermark is None else stamp(image, self._watermark) for image in images]
        return EngineResult(
            images=tuple((encode(image, self._format), self._seed + i) for i, image in enumerate(stamped_images)),
            thumbnails=tuple(encode(shrink_to_fit(image, THUMBNAIL_PX), "JPG") for image in stamped_images),
            notes=tuple(notes),
            unmarked_images=() if self._watermark is None else tuple(encode(image, "PNG") for image in images),
        )

    def encode_copies(self, image: Pixels, samples: int) -> EngineResult:
        """The one image there is, as often as asked, with a note that says so.

        Enlarging and outpainting have no seed to vary, and a caller who pays for four must be told why they are equal.
        """
        result = self.encode([image])
        raw = result.images[0][0]
        return EngineResult(
            images=tuple((raw, self._seed + number) for number in range(samples)),
            thumbnails=result.thumbnails * samples,
            notes=(SAMPLES_ARE_EQUAL,) if samples > 1 else (),
            unmarked_images=result.unmarked_images * samples,
        )


def shrink_to_fit(image: Pixels, longest_px: int) -> Pixels:
    """The image with no side above ``longest_px``; one that is small enough is returned itself."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image
    return resize(image, max(1, round(width * scale)), max(1, round(height * scale)))
