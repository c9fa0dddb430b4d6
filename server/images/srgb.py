"""Decoding for local work: any picture as 8-bit sRGB, upright, with words for whatever was not taken as it was."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from atelier_mcp.server.images.decode import load_pixels, open_image
from atelier_mcp.server.images.pixels import normalize_mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

    from atelier_mcp.server.images.probe import ImageHeader

_PNG_DEPTH_OFFSET = 24
"""Where a PNG says how many bits a sample has: Pillow reads colours of 16 bits as 8 and says nothing of it."""
_MODE_NOTES = {
    "P": "its palette was resolved",
    "CMYK": "converted from CMYK",
    "LAB": "converted from Lab",
    "YCbCr": "converted from YCbCr",
}


def decode_to_srgb(data: bytes, header: ImageHeader) -> tuple[Image, tuple[str, ...]]:
    """The pixels as ``RGB``, or ``RGBA`` where something can be seen through, and what was taken, for a reader.

    Of an animation it is the first picture. Raises ``ImageRefused`` for a damaged picture. Call it in a thread.
    """
    from PIL import ImageOps

    with open_image(BytesIO(data), header.format) as image_file:
        load_pixels(image_file)
        notes = list(_describe_source(data, header, image_file))
        converted, profile_note = _convert_profile(image_file)
        exif = image_file.info.get("exif")
        image = normalize_mode(converted)
    image.info = {"exif": exif} if exif else {}
    ImageOps.exif_transpose(image, in_place=True)
    image.info.clear()
    result = image if image.mode == "RGBA" else image.convert("RGB")
    return result, tuple([*notes, profile_note] if profile_note else notes)


def _describe_source(data: bytes, header: ImageHeader, image: ImageFile) -> Iterator[str]:
    if header.frames > 1:
        yield "the first picture of the animation was taken"
    if image.mode in ("I", "F") or image.mode.startswith("I;16") or _is_deep_png(data, header):
        yield "16 bits a channel were reduced to 8"
    if image.mode in _MODE_NOTES:
        yield _MODE_NOTES[image.mode]
    if header.is_rotated:
        yield "turned upright as its EXIF data asks"


def _is_deep_png(data: bytes, header: ImageHeader) -> bool:
    return header.format == "PNG" and len(data) > _PNG_DEPTH_OFFSET and data[_PNG_DEPTH_OFFSET] == 16


def _convert_profile(image: Image) -> tuple[Image, str]:
    """The picture in sRGB and what to tell of it; as it is where it has no profile that can be read."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image, ""
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        name = " ".join(ImageCms.getProfileDescription(source).split())
        if "srgb" in name.lower():
            return image, ""
        converted = _apply_profile(image, source)
    except (ImageCms.PyCMSError, OSError, ValueError):  # a broken profile, or one for other channels
        return image, ""
    return converted, f"colours converted from {name or 'its profile'} to sRGB"


def _apply_profile(image: Image, profile: object) -> Image:
    from PIL import ImageCms

    alpha = None
    if image.mode in ("P", "RGBA", "LA", "PA") or image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha, image = rgba.getchannel("A"), rgba.convert("RGB")
    srgb = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB")  # pyright: ignore[reportArgumentType]  # a profile, which Pillow types loosely
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted
