"""How a picture lies, and turning it upright: the one place that decides it, for sizes, previews, masks and engine.

Only the EXIF tag in front of the pixels counts, as in the viewers people see their pictures in (in a TIFF it is a tag
of the file itself, and a HEIC is turned by its decoder). Whatever cannot be read counts as upright.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

ORIENTATION_TAG = 0x0112
UPRIGHT = 1
SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations in which width and height are exchanged."""


def read_orientation(image: ImageFile) -> int:
    """The orientation by the EXIF standard, 1 to 8. Never raises."""
    try:
        value = _read_tag(image)
    except Exception:  # noqa: BLE001  # a stranger's bytes: the reader of EXIF fails in ever new ways
        return UPRIGHT
    return value if _is_orientation(value) else UPRIGHT


def has_meaningless_tag(image: ImageFile) -> bool:
    """True when there is EXIF data that says nothing of how the picture lies, or what no reader understands."""
    try:
        return not _is_orientation(_read_tag(image))
    except Exception:  # noqa: BLE001  # what its reader fails on is what no reader understands
        return True


def turn_upright(image: Image, orientation: int) -> Image:
    """The pixels of a picture that lies so, upright; the same picture when it does already."""
    from PIL.Image import Transpose

    methods = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(methods[orientation]) if orientation in methods else image


def _is_orientation(value: Any) -> bool:
    return isinstance(value, int) and 1 <= value <= 8


def _read_tag(image: ImageFile) -> Any:
    from PIL.Image import Exif

    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return tags.get(ORIENTATION_TAG, UPRIGHT)
    data = image.info.get("exif")
    if not data:
        return UPRIGHT
    exif = Exif()
    exif.load(data)
    return exif.get(ORIENTATION_TAG, UPRIGHT)
