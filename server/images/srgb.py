"""From whatever a picture's pixels are to 8-bit sRGB: the one place that decides what its colours look like.

Profiles are converted and not carried along: many readers ignore them, and a service's answer comes without.
"""

from __future__ import annotations

from io import BytesIO
from itertools import product
from typing import TYPE_CHECKING, Any

from atelier_mcp.server.images.tones import find_equal, is_deep_grey, reduce_to_eight_bit

if TYPE_CHECKING:
    from PIL.Image import Image

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
"""What a profile describes, by the mode of the pixels it fits; for any other it is wrong."""
_ALIKE = 2
"""Steps of 255 by which colours may differ and count as the same: as far apart are sRGB's own profiles."""
_USUAL_GAMMA = 1 / 2.2
_GAMMA_TOLERANCE = 0.03


def convert_to_srgb(image: Image) -> Image:
    """The picture as 8-bit ``L``, ``RGB`` or ``RGBA`` in sRGB, with nothing beside its pixels.

    ``RGBA`` only where something is to be seen through. The pixels must have been decoded.
    """
    alpha = _extract_alpha(image)
    colours = _convert_colours(image)
    if alpha is not None and alpha.getextrema() != (255, 255):
        colours = colours.convert("RGBA")
        colours.putalpha(alpha)
    # The caller's picture keeps its ``info``.
    if colours is image:
        colours = image.copy()
    colours.info.clear()
    return colours


def describe_conversion(image: Image, *, bits: int) -> tuple[str, ...]:
    """What ``convert_to_srgb`` changes in the colours, for the reader; ``bits`` are those of a channel.

    Reads no pixels.
    """
    changes: list[str] = []
    if bits > 8:
        changes.append(f"reduced from {bits} to 8 bits a channel")
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA") and not is_deep_grey(image):
        changes.append(f"converted from {image.mode} to RGB")
    if _has_foreign_profile(image) or _compute_exponent(image) is not None:
        changes.append("colours converted to sRGB")
    return tuple(changes)


def _extract_alpha(image: Image) -> Image | None:
    if not image.has_transparency_data:
        return None
    # The one grey that is transparent is found at full depth: in RGBA, cut off at 255, many would equal it.
    if is_deep_grey(image):
        return find_equal(image, image.info["transparency"]).point([255 - value for value in range(256)])
    # Not converted where it has such a channel already: that would copy all of it.
    return (image if image.mode == "RGBA" else image.convert("RGBA")).getchannel("A")


def _convert_colours(image: Image) -> Image:
    plain = _to_plain_mode(image)
    profile = image.info.get("icc_profile")
    # A profile that cannot be applied says nothing: such a picture counts as sRGB.
    if profile and (converted := _apply_profile(plain, profile)) is not None:
        return converted
    if plain.mode == "LAB":
        return _convert_lab(plain)
    exponent = _compute_exponent(image)
    if exponent is not None:
        return plain.point([round(255 * (value / 255) ** exponent) for value in range(256)] * len(plain.getbands()))
    return plain.convert("RGB") if plain.mode == "CMYK" else plain


def _to_plain_mode(image: Image) -> Image:
    """The picture as ``L``, ``RGB``, ``CMYK`` or ``LAB``, without transparency."""
    if is_deep_grey(image):
        return reduce_to_eight_bit(image)
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    if image.mode in ("1", "LA", "La"):
        return image.convert("LA").convert("L") if image.mode == "La" else image.convert("L")
    if image.mode == "RGBA":
        return image.convert("RGB")
    # Over RGBA: the colours of a palette, and those beneath a multiplied transparency, come out as they are.
    return image.convert("RGBA").convert("RGB") if image.has_transparency_data else image.convert("RGB")


def _apply_profile(colours: Image, profile: bytes) -> Image | None:
    """The colours in sRGB; None for a profile that cannot be read or belongs to other kinds of colours."""
    from PIL import ImageCms

    try:
        fitting = _fit_to_profile(colours, profile)
        if fitting is None:
            return None
        transform = _build_transform(profile, fitting.mode)
        # Not applied to what is sRGB already: its rounding would change pixels that are right.
        if _is_srgb(transform, fitting.mode):
            return colours
        return transform.apply(fitting).convert("L" if colours.mode == "L" else "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _has_foreign_profile(image: Image) -> bool:
    """True for a profile that changes the look of the picture."""
    from PIL import ImageCms
    from PIL.Image import new

    profile = image.info.get("icc_profile")
    if not profile:
        return False
    mode = image.mode if image.mode in ("CMYK", "LAB") else "L" if image.mode in ("1", "L", "LA") else "RGB"
    try:
        # One pixel of the same mode stands for the picture, which need not be decoded for this.
        fitting = _fit_to_profile(new("L" if is_deep_grey(image) else mode, (1, 1)), profile)
        return fitting is not None and not _is_srgb(_build_transform(profile, fitting.mode), fitting.mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False


def _fit_to_profile(colours: Image, profile: bytes) -> Image | None:
    """The colours in the mode that the profile describes: grey pictures often have one for RGB."""
    from PIL import ImageCms

    opened: Any = ImageCms.ImageCmsProfile(BytesIO(profile))
    space = opened.profile.xcolor_space.strip()
    if space == _SPACES.get(colours.mode):
        return colours
    return colours.convert("RGB") if (colours.mode, space) == ("L", "RGB") else None


def _build_transform(profile: bytes, mode: str) -> Any:
    from PIL import ImageCms

    create_profile: Any = ImageCms.createProfile  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Pillow names no type
    return ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(BytesIO(profile)),
        create_profile("sRGB"),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _is_srgb(transform: Any, mode: str) -> bool:
    """True when the transform leaves colours as they are. A profile's name says nothing of that."""
    from PIL.Image import frombytes

    if mode not in ("L", "RGB"):
        return False
    # Six levels of each channel, 216 colours in RGB, tell whether a profile changes anything.
    steps = range(0, 256, 51)
    if mode == "RGB":
        colours = bytes(value for colour in product(steps, repeat=3) for value in colour)
        sample = frombytes("RGB", (len(steps) ** 3, 1), colours)
    else:
        sample = frombytes("L", (len(steps), 1), bytes(steps))
    before, after = sample.convert("RGB").tobytes(), transform.apply(sample).tobytes()
    return all(abs(one - other) <= _ALIKE for one, other in zip(before, after, strict=True))


def _convert_lab(image: Image) -> Image:
    from PIL import ImageCms

    create_profile: Any = ImageCms.createProfile  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Pillow names no type
    transform: Any = ImageCms.buildTransform(create_profile("LAB"), create_profile("sRGB"), "LAB", "RGB")
    return transform.apply(image)


def _compute_exponent(image: Image) -> float | None:
    """What brings a PNG's tones to those of sRGB, where its gAMA says that they are others.

    A profile, and the statement that it is sRGB, go before that.
    """
    gamma = image.info.get("gamma")
    if not gamma or image.info.get("icc_profile") or "srgb" in image.info:
        return None
    exponent = _USUAL_GAMMA / gamma
    # A gamma further off is damaged: nearly every tone would become black or white.
    return None if abs(exponent - 1) <= _GAMMA_TOLERANCE or not 0.1 < exponent < 10 else exponent
