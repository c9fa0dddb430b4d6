"""Image to image: a picture taken into the light, the palette and the hand of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine import nightfall
from atelier_mcp.server.engine.pixels import resize
from atelier_mcp.server.engine.style import stylise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Pixels
    from atelier_mcp.server.engine.prompt import Prompt

RANKS: Final = 256
TARGET_SIDE: Final = 256
LIGHT_SHARE: Final = 0.50
"""How far full strength carries lightness to the target's, when both are equally bright."""
DARKENING_SHARE: Final = 0.70
"""How much further it goes the darker the target is, so that night reaches the highlights."""
COLOUR_SHARE: Final = 0.88
GLOW_SHARE: Final = 0.35


def repaint(
    source: Pixels, target: Pixels, *, strength: float, style: str | None, seed: int, prompt: Prompt | None = None
) -> Pixels:
    """The source's forms in the target's light and colours, at the source's size.

    ``strength`` is in [0, 1]: 0 returns the source, more departs further from it. Each lightness of the source takes
    the colour the target has at the same rank of lightness; the target's broad play of light follows by position; a
    ``style`` of ``engine.style.STYLES``, if one is given, is laid over it by strength. Nothing is added to the scene,
    except that night falls on it when the ``prompt`` the target was painted from says so: with
    stars and a moon where a sky is seen. Raises ``ValueError`` for a strength outside [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}; it goes from 0 to 1")
    if strength == 0:
        return source.copy()
    if prompt is not None and prompt.time_of_day == "night":
        relit_image = nightfall.apply_night(source, prompt, strength=strength, seed=seed)
    else:
        relit_image = _relight(source, target, strength)
    if style is None:
        return relit_image
    share = 1 - (1 - strength) ** 1.6
    return cv2.addWeighted(stylise(relit_image, style, seed=seed), share, relit_image, 1 - share, 0)


def compute_colours_by_rank(lab: Array) -> NDArray[np.float32]:
    """The mean Lab colour of each of 256 equal shares of the pixels, from the darkest to the lightest, smoothed.

    ``lab`` is in OpenCV's 8-bit scale, any shape with a last axis of three and at least 256 pixels.
    """
    flat = lab.reshape(-1, 3).astype(np.float32)
    ordered = flat[np.argsort(flat[:, 0], kind="stable")]
    shares: NDArray[np.float32] = ordered[: len(ordered) // RANKS * RANKS].reshape(RANKS, -1, 3).mean(axis=1)
    smooth = cv2.GaussianBlur(shares[None], (41, 1), 8, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float32)[0]


def compute_lightness_ranks(lightness: Array) -> NDArray[np.uint8]:
    """The rank in [0, 255] of each of the 256 lightnesses among the pixels of the plane."""
    counts = np.bincount(lightness.astype(np.uint8).ravel(), minlength=256)
    middle = np.cumsum(counts) - counts / 2
    return np.clip(middle / lightness.size * 255 + 0.5, 0, 255).astype(np.uint8)


def _relight(source: Pixels, target: Pixels, strength: float) -> Pixels:
    lab = cv2.cvtColor(source, cv2.COLOR_RGB2Lab)
    target_lab = cv2.cvtColor(resize(target, TARGET_SIDE, TARGET_SIDE), cv2.COLOR_RGB2Lab)
    curve = compute_colours_by_rank(target_lab)[compute_lightness_ranks(lab[..., 0])]
    light, colour = lab[..., 0].astype(np.float32), lab[..., 1:].astype(np.float32)
    darker = max(0.0, 1 - float(target_lab[..., 0].mean()) / max(1.0, float(light.mean())))
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
