"""Pillow's decoders of TIFF and AVIF, with pixels that do not depend on whether the metadata can be read, and of WebP.

A module of its own, since it loads Pillow: it is imported with the first such picture.
"""

from __future__ import annotations

import os
import re
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any

from PIL import AvifImagePlugin
from PIL.AvifImagePlugin import AvifImageFile
from PIL.Image import Exif
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from atelier_mcp.server.images.orientation import ORIENTATION_TAG, read_orientation

if TYPE_CHECKING:
    from PIL.Image import core

# As many as there are processors would each reserve memory, of which a worker has only so much.
AvifImagePlugin.DEFAULT_MAX_THREADS = min(4, os.cpu_count() or 1)

_EXIF_ITEM = re.compile(rb"(infe[\x02\x03][\s\S]{3}(?:[\s\S]{4}|[\s\S]{6}))Exif")
"""How a container's table announces EXIF data."""


class PlainTiffFile(TiffImageFile):
    """Turned, as every TIFF is while it is loaded, by its own tag alone, and not by what XMP says."""

    def getexif(self) -> Exif:
        """The orientation, and nothing else that could be damaged."""
        exif = Exif()
        exif[ORIENTATION_TAG] = read_orientation(self)
        return exif


class PlainAvifFile(AvifImageFile):
    """Opened also where its EXIF data cannot be read; the container says by itself how the picture lies."""

    fp: IO[bytes] | None

    def _open(self) -> None:
        assert self.fp is not None  # noqa: S101  # Pillow has just set it
        data = self.fp.read()
        try:
            self.fp = BytesIO(data)
            super()._open()
        except Exception:  # noqa: BLE001  # whatever it was: tried once more without EXIF, which raises it again
            # Renamed and not cut out: the container counts in bytes from its beginning.
            self.fp = BytesIO(_EXIF_ITEM.sub(rb"\1skip", data, count=1))
            super()._open()


class LeanWebPFile(WebPImageFile):
    """Without what is meant for the next frames of an animation, which takes twice as much memory as the picture."""

    fp: IO[bytes] | None

    def load(self) -> core.PixelAccess | None:
        """Decode the first frame, and let go of the decoder and of what it handed over."""
        pixels = super().load()
        nothing: Any = None
        self._decoder = nothing
        self.fp = BytesIO()
        return pixels
