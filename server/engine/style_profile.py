"""Style profiles: measure what a set of images has in common in colour and texture, and apply it to other images.

A profile is a few kilobytes of statistics: the mean Lab colour at each rank of lightness, the energy of the texture in
four frequency bands, and the width of brush strokes that goes with those. It stands in for a LoRA in the emulator, but
it is no neural network and no LoRA file, and it knows nothing of what the images show.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import resize
from atelier_mcp.server.engine.repaint import RANKS, compute_colours_by_rank, compute_lightness_ranks
from atelier_mcp.server.engine.style.marks import compute_unit, paint_dabs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Pixels

FORMAT: Final = 1
"""Written into every profile, so that a later format can be told apart."""
SAMPLE_SIDE: Final = 512
"""Images are measured at this length of their longer side, so that scales mean the same in all of them."""
SCALES: Final = (1.0, 2.2, 4.8, 10.5)
"""Standard deviations of the blurs between which the texture bands lie, at SAMPLE_SIDE."""
LIGHT_SHARE: Final = 0.60
COLOUR_SHARE: Final = 1.0
"""How far lightness and colour go to the profile's at full weight; less for lightness, which carries the subject."""
GAIN_LIMITS: Final = (0.35, 2.2)
"""Least and greatest change of a texture band: more would bring up noise, or wipe the subject out."""


@dataclass(frozen=True, slots=True)
class StyleProfile:
    """The measurements, all at SAMPLE_SIDE.

    ``colours`` ``(256, 3)`` is 8-bit Lab by rank of lightness, ``energies`` ``(4,)`` the mean size of each texture band
    in grey levels, ``touch`` the scale at which the texture is concentrated, from 1 (grain) to 10 (broad strokes).
    """

    colours: NDArray[np.float32]
    energies: NDArray[np.float32]
    touch: float


def learn(images: Sequence[Pixels]) -> bytes:
    """The profile of the RGB images as the bytes of a small NumPy archive; the same images give the same bytes.

    Raises:
        ValueError: there are no images.
    """
    if not images:
        raise ValueError("a style profile is learnt from at least one picture")
    profiles = [_measure(image) for image in images]
    # Not compressed: a compressor of another version would give other bytes.
    out = io.BytesIO()
    np.savez(
        out,
        format=np.int32(FORMAT),
        colours=np.mean([each.colours for each in profiles], axis=0, dtype=np.float32),
        energies=np.mean([each.energies for each in profiles], axis=0, dtype=np.float32),
        touch=np.float32(np.mean([each.touch for each in profiles])),
    )
    return out.getvalue()


def apply(image: Pixels, profile: bytes, *, weight: float) -> Pixels:
    """The RGB image moved towards the profile's palette, texture and stroke width, at the same size.

    ``weight`` is in [0, 2]: 0 returns the image, 1 goes four fifths of the way, 2 nearly all of it.

    Raises:
        ValueError: the bytes are no profile, or the weight is out of range.
    """
    if not 0 <= weight <= 2:
        raise ValueError(f"weight is {weight}; it goes from 0 to 2")
    target = read_profile(profile)
    if weight == 0:
        return image.copy()
    whole = _apply_palette(_apply_texture(image, target), target).astype(np.float32)
    own = image.astype(np.float32)
    return np.clip(own + (whole - own) * np.float32(1 - 0.2**weight) + np.float32(0.5), 0, 255).astype(np.uint8)


def read_profile(profile: bytes) -> StyleProfile:
    """The measurements in the bytes. Raises ``ValueError`` for bytes that :func:`learn` has not written."""
    try:
        # Without pickles an archive holds numbers only: these bytes come from callers, and a pickle could run code.
        with np.load(io.BytesIO(profile), allow_pickle=False) as archive:
            style_profile = StyleProfile(
                archive["colours"].astype(np.float32), archive["energies"].astype(np.float32), float(archive["touch"])
            )
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError("these bytes are not a style profile") from error
    if (
        style_profile.colours.shape != (RANKS, 3)
        or style_profile.energies.shape != (len(SCALES),)
        or not np.isfinite(style_profile.touch)
    ):
        raise ValueError("these bytes are not a style profile")
    return style_profile


def _measure(image: Pixels) -> StyleProfile:
    height, width = image.shape[:2]
    scale = SAMPLE_SIDE / max(height, width)
    small = resize(image, max(16, round(width * scale)), max(16, round(height * scale)))
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2Lab)
    energies = _compute_energies(lab[..., 0].astype(np.float32), 1.0)
    return StyleProfile(compute_colours_by_rank(lab), energies, _compute_touch(energies))


def _split_bands(lightness: NDArray[np.float32], scale: float) -> list[NDArray[np.float32]]:
    """The lightness split into its texture bands (differences of Gaussians), the finest first, then the blurred rest.

    They add up to the lightness again.
    """
    blurred = [lightness]
    blurred += [np.asarray(cv2.GaussianBlur(lightness, (0, 0), sigma * scale), np.float32) for sigma in SCALES]
    return [fine - coarse for fine, coarse in pairwise(blurred)] + blurred[-1:]


def _compute_energies(lightness: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """The mean absolute value of each texture band, in grey levels."""
    return np.array([np.abs(band).mean() for band in _split_bands(lightness, scale)[:-1]], np.float32)


def _compute_touch(energies: NDArray[np.float32]) -> float:
    """The scale at which the texture is concentrated: fine grain is near 1, broad brushwork near 10."""
    share = energies / max(1e-6, float(energies.sum()))
    return float(np.exp(np.sum(share * np.log(np.array(SCALES, np.float32)))))


def _apply_texture(image: Pixels, target: StyleProfile) -> Pixels:
    """The image with its texture bands raised or lowered to the profile's, and its strokes widened to it."""
    scale = max(image.shape[:2]) / SAMPLE_SIDE
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    *bands, rest = _split_bands(lab[..., 0].astype(np.float32), scale)
    own = np.array([np.abs(band).mean() for band in bands], np.float32)
    # A flat picture has no texture to raise, only noise.
    gains = np.clip(target.energies / (own + np.float32(0.05)), *GAIN_LIMITS)
    lightness = rest + sum(band * gain for band, gain in zip(bands, gains, strict=True))
    lab[..., 0] = np.clip(lightness + np.float32(0.5), 0, 255)
    textured_image = cv2.cvtColor(lab, cv2.COLOR_Lab2RGB)
    # Strokes can be widened, never narrowed: the detail is not there.
    wider = target.touch - _compute_touch(own)
    return paint_dabs(textured_image, round(1 + wider * compute_unit(image))) if wider > 0.5 else textured_image


def _apply_palette(image: Pixels, target: StyleProfile) -> Pixels:
    """The image in the profile's palette: each lightness takes the colour of the same rank."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    ranks = compute_lightness_ranks(lab[..., 0])[lab[..., 0].astype(np.uint8)]
    shares = np.array([LIGHT_SHARE, COLOUR_SHARE, COLOUR_SHARE], np.float32)
    own = lab.astype(np.float32)
    mixed: NDArray[np.float32] = own + (target.colours[ranks] - own) * shares
    return cv2.cvtColor(np.clip(mixed + np.float32(0.5), 0, 255).astype(np.uint8), cv2.COLOR_Lab2RGB)
