"""Give a marked area another colour and leave it what it is: fur that turns blue keeps every hair.

Lightness keeps its pattern and moves towards the colour's; of the old hues a little stays, or the area would look dyed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.erase import feather
from atelier_mcp.server.engine.paint.colour import get_named_colour
from atelier_mcp.server.engine.pixels import blend, clean_mask, make_rng, to_bytes, to_float
from atelier_mcp.server.engine.vocabulary import ACHROMATIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.pixels import Colours, Mask, Pixels
    from atelier_mcp.server.engine.prompt import Prompt

PARTS: Final = frozenset({"hair", "eyes", "garment", "fur"})
"""What belongs to somebody in the picture and is no thing to be set into it."""
LIGHT_SHARE: Final = 0.55
"""How far the area's mean lightness moves to the colour's."""
OLD_HUE_SHARE: Final = 0.3
"""Of what the old hues differ from their mean."""
GREY_WEIGHT: Final = 2.0
"""Of black, white and grey beside another colour: "blue-grey" is more grey than blue."""
SHADE: Final = 0.12
"""The share by which lightness and hue differ from seed to seed."""
DARKEST, BRIGHTEST = 8.0, 97.0
"""Of 100: a colour keeps its tint neither in black nor in white."""


def find_new_colours(prompt: Prompt) -> tuple[str, ...]:
    """The colours that a prompt asks for, if it asks for nothing else: for them alone, or on a part of somebody."""
    if prompt.scenes or prompt.surfaces or prompt.time_of_day or prompt.weather:
        return ()
    if not all(noun.name in PARTS for noun in prompt.subjects):
        return ()
    colours = (colour for noun in prompt.subjects for colour in noun.colours)
    return tuple(dict.fromkeys((*colours, *prompt.colours)))


def recolour(image: Pixels, mask: Mask, colours: Sequence[str], *, strength: float, seed: int = 0) -> Pixels:
    """The RGB image with its marked area (255) in the named colours' mean; nothing outside of it changes.

    ``strength`` in [0.1, 1] blends from the old colours to the new. Another ``seed`` gives another shade.

    Raises:
        ValueError: the mask is empty, covers all or has another size.
    """
    area = clean_mask(image, mask)
    lab = cv2.cvtColor(to_float(image), cv2.COLOR_RGB2LAB)
    weights = [GREY_WEIGHT if name in ACHROMATIC else 1.0 for name in colours]
    wanted = np.average([_to_lab(get_named_colour(name)) for name in colours], axis=0, weights=weights)
    wanted = wanted * (1 + make_rng("shade", seed).uniform(-SHADE, SHADE, 3))
    mean = lab[area > 0].mean(axis=0)
    lightness = np.clip(lab[..., 0] + (wanted[0] - mean[0]) * LIGHT_SHARE, DARKEST, BRIGHTEST)
    hues = wanted[1:] + (lab[..., 1:] - mean[1:]) * OLD_HUE_SHARE
    new: Colours = np.dstack([lightness, hues]).astype(np.float32)
    recoloured = to_bytes(np.clip(cv2.cvtColor(new, cv2.COLOR_LAB2RGB), 0, 1))
    return blend(image, recoloured, feather(area) * np.float32(strength))


def _to_lab(colour: Colours) -> Colours:
    pixel = np.asarray(colour, np.float32).reshape(1, 1, 3)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_RGB2LAB)[0, 0], np.float32)
