"""Image to image: give the source image the light and the colours of a target image, and perhaps a style.

The colours are matched by rank: the darkest share of the source gets the colours of the darkest share of the target,
and so on (histogram matching in Lab, with the target's colour for each rank). Forms stay those of the source, nothing
is added. Very convincing for sunsets; daylight, seasons and weather, which it leaves too faint, are added by `regrade`,
and for night, whose highlights it would leave too bright, `nightfall` is used instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine import nightfall, regrade
from atelier_mcp.server.engine.pixels import resize
from atelier_mcp.server.engine.style import stylise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Pixels, Plane
    from atelier_mcp.server.engine.prompt import Prompt

RANKS: Final = 256
TARGET_SIDE: Final = 256
"""The target is measured at this size, which is enough for its palette and its broad light."""
LIGHT_SHARE: Final = 0.50
"""How far full strength carries lightness to the target's, when both are equally bright."""
DARKENING_SHARE: Final = 0.70
"""How much further it goes the darker the target is, so that night reaches the highlights."""
COLOUR_SHARE: Final = 0.88
"""How far full strength carries the two colour axes."""
GLOW_SHARE: Final = 0.35
"""How much of the target's broad light follows by position: a sun low on the left brightens the left."""


def repaint(
    source: Pixels,
    target: Pixels,
    *,
    strength: float,
    style: str | None,
    seed: int,
    prompt: Prompt | None = None,
    visible: Plane | None = None,
) -> Pixels:
    """The source in the target's light and colours, RGB ``uint8`` at the source's size.

    ``strength`` in [0, 1]: 0 returns the source, more departs further from it. A ``style`` of ``engine.style.STYLES``
    is mixed in by strength. ``visible`` is the source's alpha: what cannot be seen has no part in its palette. When the
    ``prompt`` the target was painted from says night, `nightfall.apply_night` does the work, and the target is not
    looked at.

    Raises:
        ValueError: the strength is outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; it goes from 0 to 1")
    if strength == 0:
        return source.copy()
    if prompt is not None and prompt.time_of_day == "night":
        # Before the night falls: by night nothing is green enough to be told from the rest.
        source = regrade.apply_weather(source, prompt, strength=strength, seed=seed)
        relit_image = nightfall.apply_night(source, prompt, strength=strength, seed=seed)
    else:
        relit_image = _relight(source, target, strength, visible)
        if prompt is not None:
            relit_image = regrade.apply_daylight(relit_image, source, prompt.time_of_day, strength=strength)
            relit_image = regrade.apply_weather(relit_image, prompt, strength=strength, seed=seed)
    if prompt is not None and prompt.is_achromatic:
        # At any strength: a picture that is half in colour is not black and white.
        relit_image = cv2.cvtColor(cv2.cvtColor(relit_image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if style is None:
        return relit_image
    share = 1 - (1 - strength) ** 1.6
    return cv2.addWeighted(stylise(relit_image, style, seed=seed), share, relit_image, 1 - share, 0)


def compute_colours_by_rank(lab: Array) -> NDArray[np.float32]:
    """The mean Lab colour of each of 256 equal shares of the pixels, from the darkest to the lightest, smoothed.

    ``lab`` is in OpenCV's 8-bit scale, any shape with a last axis of three and at least 256 pixels.
    """
    flat = lab.reshape(-1, 3).astype(np.float32)
    # A stable sort: pixels of equal lightness must come in the same order on every machine.
    ordered = flat[np.argsort(flat[:, 0], kind="stable")]
    shares: NDArray[np.float32] = ordered[: len(ordered) // RANKS * RANKS].reshape(RANKS, -1, 3).mean(axis=1)
    smooth = cv2.GaussianBlur(shares[None], (41, 1), 8, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32)[0]


def compute_lightness_ranks(lightness: Array) -> NDArray[np.uint8]:
    """The rank in [0, 255] of each of the 256 lightnesses among the pixels of the plane; ``(256,)``.

    The middle of its share: all pixels of one lightness, be they half of the image, get one rank.
    """
    counts = np.bincount(lightness.astype(np.uint8).ravel(), minlength=256)
    middle = np.cumsum(counts) - counts / 2
    return np.clip(middle / lightness.size * 255 + 0.5, 0, 255).astype(np.uint8)


def _relight(source: Pixels, target: Pixels, strength: float, visible: Plane | None) -> Pixels:
    """The source recoloured by rank, with the target's broad light added; RGB in and out."""
    lab = cv2.cvtColor(source, cv2.COLOR_RGB2Lab)
    seen = lab if visible is None or not (visible > 0.5).any() else lab[visible > 0.5]
    target_lab = cv2.cvtColor(resize(target, TARGET_SIDE, TARGET_SIDE), cv2.COLOR_RGB2Lab)
    curve = compute_colours_by_rank(target_lab)[compute_lightness_ranks(seen[..., 0])]
    light, colour = lab[..., 0].astype(np.float32), lab[..., 1:].astype(np.float32)
    # Bytes would wrap at 255 and below 0, so light and colour are floats until the last line.
    darker = max(0.0, 1 - float(target_lab[..., 0].mean()) / max(1.0, float(seen[..., 0].mean())))
    share = np.float32(strength * min(0.92, LIGHT_SHARE + DARKENING_SHARE * darker))
    recoloured = cv2.LUT(cv2.merge([lab[..., 0]] * 3), curve[None])
    glow = _compute_glow(target_lab, *source.shape[:2]) * np.float32(GLOW_SHARE * strength)
    light = light + (recoloured[..., 0] - light) * share + glow[..., 0]
    colour = colour + (recoloured[..., 1:] - colour) * np.float32(COLOUR_SHARE * strength) + glow[..., 1:]
    relit = np.clip(np.dstack([light, colour]) + np.float32(0.5), 0, 255).astype(np.uint8)
    return cv2.cvtColor(relit, cv2.COLOR_Lab2RGB)


def _compute_glow(target_lab: Pixels, height: int, width: int) -> Array:
    """The target's broadest differences of light and colour over the frame, in Lab around zero."""
    broad = np.asarray(cv2.GaussianBlur(target_lab, (0, 0), TARGET_SIDE / 8), np.float32)
    around: NDArray[np.float32] = broad - broad.mean(axis=(0, 1), keepdims=True)
    return cv2.resize(around, (width, height), interpolation=cv2.INTER_LINEAR)
