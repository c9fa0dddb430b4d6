"""Describe an RGB image in one or two English sentences, by what can be measured in it.

Colours, light, contrast, format, faces, where a subject lies, a level line across: all of it is read off the pixels or
given by the caller. What things are is not known here and never claimed. Colour names are those of everyday, assigned
by lightness, chroma and hue angle in CIE Lab; hazy greys may get an odd one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.faces import DetectedFace, detect_faces
from atelier_mcp.server.engine.pixels import resize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, Plane

THUMBNAIL_PX: Final = 64
"""Everything about colour and light is measured on a square copy of this side."""
CLUSTERS: Final = 8
MAIN_SHARE: Final = 0.1
"""A colour is named among the main ones from this share of the image on."""
LEVEL_TOLERANCE: Final = 3
"""In rows of the thumbnail."""
LEVEL_STEP: Final = 15.0
LEVEL_SHARE: Final = 0.8
"""A level line is a step of so much in Lab, at about the same height in this share of the columns."""
ACCENT_SHARE: Final = 0.012
ACCENT_CHROMA: Final = 40.0
"""A small colour is worth naming from this share and this chroma on."""

FRACTIONS: Final = (
    (0.14, "about a tenth"),
    (0.22, "about a fifth"),
    (0.29, "about a quarter"),
    (0.42, "about a third"),
    (0.58, "about half"),
    (0.71, "about two thirds"),
    (0.85, "about three quarters"),
    (1.0, "nearly all"),
)
NUMBERS: Final = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten")


class _HueFamily(NamedTuple):
    """What colours up to a hue angle are called: four steps of lightness, and two when there is little colour."""

    until: float
    dark: str
    deep: str
    plain: str
    light: str
    muted: str
    pale: str


GREYS: Final = ((12, "black"), (32, "charcoal"), (55, "grey"), (80, "light grey"), (93, "off-white"), (101, "white"))
# Hue angles of CIE Lab in degrees: red 40, yellow 103, green 136, cyan 196, blue 306, magenta 328.
FAMILIES: Final = (
    _HueFamily(25, "burgundy", "raspberry", "rose pink", "pink", "dusky rose", "pale pink"),
    _HueFamily(45, "maroon", "red", "red", "salmon pink", "reddish brown", "dusty pink"),
    _HueFamily(74, "dark brown", "brown", "orange", "orange", "brown", "beige"),
    _HueFamily(106, "dark brown", "olive brown", "ochre", "yellow", "khaki", "sand"),
    _HueFamily(125, "dark olive", "olive green", "olive green", "lime green", "olive", "pale olive"),
    _HueFamily(170, "dark green", "green", "green", "light green", "muted green", "pale green"),
    _HueFamily(222, "dark teal", "teal", "teal", "turquoise", "muted teal", "pale turquoise"),
    _HueFamily(308, "navy", "blue", "blue", "sky blue", "slate blue", "pale blue"),
    _HueFamily(320, "indigo", "violet", "violet", "lavender", "dusky violet", "pale lavender"),
    _HueFamily(345, "deep purple", "purple", "magenta", "light purple", "mauve", "pale mauve"),
    _HueFamily(360, "burgundy", "raspberry", "rose pink", "pink", "dusky rose", "pale pink"),
)
CREAM_HUES: Final = (60.0, 115.0)
CREAM_LIGHTNESS: Final = 89.0
TINTS: Final = ((20, "mauve"), (108, "warm"), (180, "greenish"), (298, "bluish"), (360, "mauve"))
GREY_CHROMA: Final = 4.5
TINT_CHROMA: Final = 11.0
MUTED_CHROMA: Final = 32.0
"""Chroma below which a colour is grey, a tinted grey, and muted."""
DARK: Final = 32.0
DEEP: Final = 48.0
LIGHT: Final = 64.0
PALE: Final = 60.0
"""Lightness below which a strong colour is dark, deep and plain; and from which a muted one is pale."""


@dataclass(frozen=True, slots=True)
class _Share:
    """A named colour, its share of the image, and its greatest chroma."""

    name: str
    share: float
    chroma: float


def describe(image: Pixels, faces: Sequence[DetectedFace] | None = None, subject: Mask | None = None) -> str:
    """One or two sentences about the RGB image.

    ``faces`` are those found in it; left out, they are looked for. ``subject`` marks, at the image's size, what is
    known to be the main thing in it (255).
    """
    lab = _to_lab(resize(image, THUMBNAIL_PX, THUMBNAIL_PX))
    sentences = [
        _describe_look(image, lab),
        _describe_arrangement(image, lab, detect_faces(image) if faces is None else faces, subject),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def name_colour(lightness: float, a: float, b: float) -> str:
    """An everyday name for a colour of CIE Lab, lightness in [0, 100]."""
    chroma, hue = float(np.hypot(a, b)), float(np.degrees(np.arctan2(b, a))) % 360
    grey = next(name for until, name in GREYS if lightness < until)
    if chroma < GREY_CHROMA or lightness < GREYS[0][0] / 2:
        return grey
    if chroma < TINT_CHROMA:
        return _name_tinted_grey(lightness, hue, grey)
    if chroma < MUTED_CHROMA and lightness > CREAM_LIGHTNESS and CREAM_HUES[0] < hue < CREAM_HUES[1]:
        return "cream"
    family = next(family for family in FAMILIES if hue <= family.until)
    if chroma < MUTED_CHROMA and lightness >= DARK:
        return family.pale if lightness >= PALE else family.muted
    steps = ((DARK, family.dark), (DEEP, family.deep), (LIGHT, family.plain))
    return next((name for below, name in steps if lightness < below), family.light)


def _name_tinted_grey(lightness: float, hue: float, grey: str) -> str:
    tint = next(name for until, name in TINTS if hue <= until)
    if lightness < GREYS[0][0]:
        return grey
    if grey == "white":
        return "ivory" if tint == "warm" else grey
    *degree, ground = grey.split()
    return " ".join([*degree, tint, ground])


def _to_lab(image: Pixels) -> Array:
    """CIE Lab: from floats OpenCV gives lightness in [0, 100] and true axes, not the 8-bit scale used elsewhere."""
    return cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)


def _measure_colours(lab: Array) -> list[_Share]:
    """The named colours of the pixels, the largest share first, by k-means; clusters of one name are added up."""
    pixels = np.ascontiguousarray(lab.reshape(-1, 3), np.float32)
    # OpenCV's k-means refuses more clusters than there are points, and leaves some empty when points coincide.
    count = min(CLUSTERS, len(np.unique(pixels, axis=0)))
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    labels = np.zeros((len(pixels), 1), np.int32)
    _, labels, centres = cv2.kmeans(pixels, count, labels, stop, 2, cv2.KMEANS_PP_CENTERS)
    sizes = np.bincount(labels.ravel(), minlength=count) / len(pixels)
    merged: dict[str, _Share] = {}
    for (lightness, a, b), size in zip(centres, sizes, strict=True):
        name, chroma = name_colour(float(lightness), float(a), float(b)), float(np.hypot(a, b))
        known = merged.get(name, _Share(name, 0.0, chroma))
        merged[name] = _Share(name, known.share + float(size), max(known.chroma, chroma))
    return sorted(merged.values(), key=lambda share: (-share.share, share.name))


# The first sentence: how it looks.


def _describe_look(image: Pixels, lab: Array) -> str:
    adjectives = ", ".join(word for word in (_describe_light(lab), _describe_contrast(lab)) if word)
    shape = " ".join(word for word in (adjectives, _describe_shape(image)) if word)
    article = "An" if shape[0] in "aeiou" else "A"
    return f"{article} {shape} picture{_describe_palette(lab)}{_describe_brightest_side(lab)}."


def _describe_light(lab: Array) -> str:
    mean = float(lab[..., 0].mean())
    for below, word in ((22, "very dark"), (36, "dark"), (64, ""), (82, "bright")):
        if mean < below:
            return word
    return "very bright"


def _describe_contrast(lab: Array) -> str:
    darkest, brightest = np.percentile(lab[..., 0], (5, 95))
    span = float(brightest - darkest)
    if span > 72:
        return "high-contrast"
    return "low-contrast" if span < 30 else ""


def _describe_shape(image: Pixels) -> str:
    height, width = image.shape[:2]
    ratio = width / height
    if ratio >= 2:
        return "panoramic"
    if ratio > 1.05:
        return "landscape-format"
    if ratio >= 0.95:
        return "square"
    return "portrait-format" if ratio > 0.5 else "tall, narrow"


def _describe_palette(lab: Array) -> str:
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    if float(np.percentile(chroma, 99)) < GREY_CHROMA:
        return " in black and white"
    mean = float(chroma.mean())
    manner = " in muted colours" if mean < 11 else " in vivid colours" if mean > 40 else ""
    shares = _measure_colours(lab)
    main = [share.name for share in shares if share.share >= MAIN_SHARE][:3] or [shares[0].name]
    accent = _describe_accent(shares, main)
    if len(main) == 1:
        return f", nearly all {main[0]}{accent}" if shares[0].share > 0.85 else f", mostly {main[0]}{accent}"
    return f"{manner}, mostly {_join_names(main)}{accent}"


def _describe_accent(shares: Sequence[_Share], main: Sequence[str]) -> str:
    """The strongest of the small colours, if one stands out from the large ones."""
    calm = max(share.chroma for share in shares if share.name in main)
    small = [
        share
        for share in shares
        if share.name not in main and share.share >= ACCENT_SHARE and share.chroma > max(ACCENT_CHROMA, 1.2 * calm)
    ]
    if not small:
        return ""
    return f" with a touch of {max(small, key=lambda share: (share.chroma, share.name)).name}"


def _describe_brightest_side(lab: Array) -> str:
    light: Plane = lab[..., 0]
    half = THUMBNAIL_PX // 2
    sides = {
        "at the top": light[:half].mean() - light[half:].mean(),
        "at the bottom": light[half:].mean() - light[:half].mean(),
        "on the left": light[:, :half].mean() - light[:, half:].mean(),
        "on the right": light[:, half:].mean() - light[:, :half].mean(),
    }
    side, lead = max(sides.items(), key=lambda item: float(item[1]))
    return f", brighter {side}" if float(lead) > 14 else ""


# The second sentence: what lies where.


def _describe_arrangement(image: Pixels, lab: Array, faces: Sequence[DetectedFace], subject: Mask | None) -> str:
    clauses = [_describe_faces(image, faces), _describe_subject(image, subject), _describe_level_line(lab)]
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _describe_faces(image: Pixels, faces: Sequence[DetectedFace]) -> str:
    if not faces:
        return ""
    height, width = image.shape[:2]
    if len(faces) > 1:
        number = NUMBERS[len(faces)].lower() if len(faces) < len(NUMBERS) else str(len(faces))
        return f"{number} faces can be seen"
    face = faces[0]
    place = _describe_place((face.x + face.width / 2) / width, (face.y + face.height / 2) / height)
    size = _describe_fraction(face.height / height)
    return f"one face can be seen {place}, {size} of the height"


def _describe_subject(image: Pixels, subject: Mask | None) -> str:
    if subject is None or not (inside := np.greater(subject, 127)).any():
        return ""
    rows, columns = np.nonzero(inside)
    height, width = subject.shape
    place = _describe_place(float(columns.mean()) / width, float(rows.mean()) / height)
    share = float(inside.mean())
    names = [colour.name for colour in _measure_colours(_sample_pixels(image, inside)) if colour.share >= 0.2][:2]
    colour_words = f", mostly {_join_names(names)}," if names else ""
    amount = "a small part" if share < 0.06 else _describe_fraction(share)
    return f"the main subject{colour_words} lies {place} and takes {amount} of the picture"


def _sample_pixels(image: Pixels, inside: Array) -> Array:
    """At most some thousand pixels of the subject, evenly taken."""
    pixels = image[inside.astype(np.bool)]
    chosen = pixels[:: max(1, len(pixels) // 4096)]
    return _to_lab(chosen[np.newaxis])


def _describe_level_line(lab: Array) -> str:
    """Two fields, one above the other, told apart at one height along the width; what they are is left open."""
    band = THUMBNAIL_PX // 8
    sums = np.cumsum(np.pad(lab, ((1, 0), (0, 0), (0, 0))), axis=0)
    means = (sums[band:] - sums[:-band]) / band
    steps = np.linalg.norm(means[band:] - means[:-band], axis=-1)
    # By the 20th percentile of a row's steps and not the mean: a line has to be there in most columns.
    row = int(np.percentile(steps, 20, axis=1).argmax())
    level = np.abs(steps.argmax(axis=0) - row) <= LEVEL_TOLERANCE
    if float(np.percentile(steps[row], 20)) < LEVEL_STEP or float(level.mean()) < LEVEL_SHARE:
        return ""
    row += band
    upper, lower = (_measure_colours(field)[0].name for field in (lab[:row], lab[row:]))
    if upper == lower:
        return ""
    return f"a nearly level line, perhaps a horizon, parts {upper} above from {lower} below {_describe_height(row)}"


def _describe_height(row: int) -> str:
    position = row / THUMBNAIL_PX
    if position < 0.4:
        return "in the upper part"
    return "near the middle" if position < 0.6 else "in the lower part"


def _describe_place(x: float, y: float) -> str:
    across = "left of" if x < 0.4 else "right of" if x > 0.6 else ""
    down = "above" if y < 0.38 else "below" if y > 0.62 else ""
    if across and down:
        return f"{down} and {across} the centre"
    return f"{across or down} the centre" if across or down else "near the centre"


def _describe_fraction(share: float) -> str:
    return next((words for below, words in FRACTIONS if share < below), "all")


def _join_names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
