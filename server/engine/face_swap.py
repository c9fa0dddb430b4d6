"""Replace faces of one image, the base, by faces of others, the sources; RGB in and out, at the base's size.

Both faces are warped into one small frame: origin between the eyes, first axis through them, unit the distance between
them. There a model of the skin's colour, taken from the cheeks, tells which of the face is bare skin, so that a
fringe, a hat or a collar stays where it is. The source face keeps its proportions; its Lab colours are moved most of
the way to the base's (Reinhard colour transfer, with medians) and its shading towards the base's light. Glasses come
with the source: where the base wore some, skin is continued over them. Nothing outside the rectangle around the face
changes.

Credible for frontal faces; a turned or tilted one looks pasted on. Poisson blending (`cv2.seamlessClone`) was tried and
left a grey chin, hence the alpha blend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

from atelier_mcp.server.engine.faces import DetectedFace, detect_faces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atelier_mcp.server.engine.faces import FaceKind
    from atelier_mcp.server.engine.pixels import Array, Pixels, Plane

FacePair: TypeAlias = "tuple[int, Pixels, int]"
"""Index of the face in the base, the source image, index of the face in the source."""

UNIT_PX: Final = 64
"""The distance between the eyes in the frame; every other length here is in this unit."""
FRAME: Final = (4.0, 4.4)
"""Width and height of the frame: head and collar are in it."""
ORIGIN: Final = (2.0, 1.7)
"""Where in the frame the point between the eyes is."""
USUAL_BREADTH: Final = 2.4
"""Width of the box the detector usually puts around a face; a wider box means a broader head."""
STRETCH: Final = (1.0, 1.12)
"""How much a source face is widened to fit the base's head, at least and at most."""
TONE_SHARE: Final = np.array([0.85, 0.96, 0.96], np.float32)
"""How far lightness and the two colour axes of Lab are moved to the base's; lightness less, as it holds features."""
GLASSES: Final = (1.25, -0.42, 0.35)
"""Where frames are looked for: to the sides, above and below the eyes."""
FRAME_DARKNESS: Final = 0.45
"""Of the skin's lightness: a frame is darker."""
LARGEST_FRAME: Final = 0.3
"""Of what a frame covers beyond the face, in square units; more is hair or a hat."""
DARK: Final = 0.6
"""Of the lightness of the source's face."""
SMOOTHEST: Final = 0.65
"""How much of rough skin is smoothed away at most, where the base has smoother."""
SHADE_SHARE: Final = 0.55
"""How much of the base's broad light and shadow the source takes over."""
CONTRAST: Final = (0.8, 1.25)
"""Least and greatest change of the source's contrast where both faces are as bright; in the dark it may sink lower."""
COLOUR_CONTRAST: Final = (0.2, 1.1)
"""The same for colour: as low as a black and white base needs."""
SKIN_DISTANCE: Final = 3.0
"""In (robust) standard deviations of the cheeks' colour: what is farther away is no skin."""


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a face is: the point between the eyes, their distance and slope, and how broad the head is for a head."""

    x: float
    y: float
    unit: float
    angle: float
    breadth: float


@dataclass(frozen=True, slots=True)
class _Skin:
    """Planes of 0 and 1 in a frame: ``face`` is all that belongs to the face, ``bare`` the visible skin in it.

    ``glasses`` are the dark rims that reach beyond the face.
    """

    face: Plane
    bare: Plane
    glasses: Plane | None = None


@dataclass(frozen=True, slots=True)
class _BlendPlan:
    """How the pixels of the base, of the source and of continued skin make up a face; planes of the base's frame.

    What is darker than the lightness ``dark`` in the source (pupils and rims) is lightened less and less.
    """

    gain: Array
    offset: Array
    shade: Array
    extended_skin: Array
    source_mask: Plane
    kept_mask: Plane
    alpha: Plane
    smoothing: float
    dark: float


def swap(base: Pixels, pairs: Sequence[FacePair], *, kind: FaceKind = "normal") -> Pixels:
    """The base with each named face replaced; faces are counted from 0, from left to right, as found by ``kind``.

    Raises:
        ValueError: an image has no face of the index named.
    """
    result = base.copy()
    faces = detect_faces(base, kind=kind)
    # By identity: arrays have no hash, and comparing them would cost more than looking for faces again.
    found: dict[int, tuple[DetectedFace, ...]] = {}
    for index, source, source_index in pairs:
        if id(source) not in found:
            found[id(source)] = detect_faces(source, kind=kind)
        target = _measure_head(_pick_face(faces, index, "base picture"))
        donor = _measure_head(_pick_face(found[id(source)], source_index, "source picture"))
        _replace_face(result, target, source, donor)
    return result


def _pick_face(faces: Sequence[DetectedFace], index: int, where: str) -> DetectedFace:
    if not faces:
        raise ValueError(f"No face was found in the {where}.")
    if not 0 <= index < len(faces):
        count = "1 face was" if len(faces) == 1 else f"{len(faces)} faces were"
        raise ValueError(f"There is no face with index {index} in the {where}: {count} found, counted from 0.")
    return faces[index]


def _measure_head(face: DetectedFace) -> _Head:
    # Without eyes, where they are in an average detected box.
    left, right = face.eyes or (
        (face.x + 0.3 * face.width, face.y + 0.39 * face.height),
        (face.x + 0.7 * face.width, face.y + 0.39 * face.height),
    )
    across, down = right[0] - left[0], right[1] - left[1]
    unit = math.hypot(across, down)
    return _Head(
        x=(left[0] + right[0]) / 2,
        y=(left[1] + right[1]) / 2,
        unit=unit,
        angle=math.atan2(down, across),
        breadth=face.width / unit / USUAL_BREADTH,
    )


def _replace_face(result: Pixels, target: _Head, source: Pixels, donor: _Head) -> None:
    """Replace the target's face in the result, in place."""
    # A box is a rough measure of a head: the square root halves what it says, and it is kept within bounds.
    stretch = min(max(math.sqrt(target.breadth / donor.breadth), STRETCH[0]), STRETCH[1])
    base_to_frame, source_to_frame = _compute_frame_matrix(target), _compute_frame_matrix(donor, stretch)
    size = round(FRAME[0] * UNIT_PX), round(FRAME[1] * UNIT_PX)
    base_frame = _to_lab(_warp(result, base_to_frame, size))
    source_frame = _to_lab(_warp(source, source_to_frame, size))
    plan = _plan_blend(
        base_frame,
        source_frame,
        _find_base_skin(base_frame, target.breadth),
        _find_source_skin(source_frame, donor.breadth * stretch),
    )
    left, top, right, bottom = _find_rectangle(plan.alpha, base_to_frame, result.shape)
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    to_frame = base_to_frame @ shift
    # The frame only decides. Pixels go from the source straight to the base, through one interpolation.
    # From the source to the frame, and from there back into the rectangle of the base.
    patch = _warp(source, np.linalg.inv(to_frame) @ source_to_frame, (right - left, bottom - top))
    region = result[top:bottom, left:right]
    region[:] = _blend_face(plan, to_frame, region, patch)


def _compute_frame_matrix(head: _Head, stretch: float = 1.0) -> Array:
    """The 3 x 3 matrix from the head's image to the frame, both in pixels; ``stretch`` widens the face."""
    scale = UNIT_PX / head.unit
    cos, sin = scale * math.cos(head.angle), scale * math.sin(head.angle)
    rotation = np.array([[cos, sin, -cos * head.x - sin * head.y], [-sin, cos, sin * head.x - cos * head.y], [0, 0, 1]])
    place = np.array([[stretch, 0, ORIGIN[0] * UNIT_PX], [0, 1, ORIGIN[1] * UNIT_PX], [0, 0, 1]])
    return place @ rotation


def _warp(image: Array, matrix: Array, size: tuple[int, int]) -> Array:
    """The image through the 3 x 3 matrix; made smaller by area first where the matrix would skip pixels.

    `cv2.warpAffine` interpolates between four pixels only, so a strong reduction would alias.
    """
    scale = math.sqrt(abs(float(np.linalg.det(matrix))))
    if scale < 1 / 2:
        height, width = image.shape[:2]
        small = max(1, round(width * scale)), max(1, round(height * scale))
        back = np.diag([width / small[0], height / small[1], 1])
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix @ back
    return cv2.warpAffine(image, matrix[:2], size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _to_lab(image: Pixels) -> Array:
    """8-bit Lab as floats: lightness in [0, 255], colour axes around 128."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.float32)


# Masks in the frame.


def _draw_ellipse(shape: tuple[int, ...], across: float, down: float, *, centre: float) -> Plane:
    """1 within the ellipse of these half axes, its centre ``centre`` units below the eyes."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    u = (columns / UNIT_PX - ORIGIN[0]) / across
    v = (rows / UNIT_PX - ORIGIN[1] - centre) / down
    return (u * u + v * v < 1).astype(np.uint8)


def _make_disc(radius: float) -> Array:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(radius * UNIT_PX) + 1,) * 2)


def _find_base_skin(frame: Array, breadth: float) -> _Skin:
    """The face to be covered: gaps that glasses make in the skin are part of it, the neck is not."""
    shape = frame.shape[:2]
    bare, core = _find_bare_skin(frame), _draw_core(shape)
    # Wider than the source's: of the base nothing may be left over at the sides.
    reach = _draw_ellipse(shape, 1.22 * breadth, 1.35, centre=0.45)
    face = _join_skin(bare, core, reach, gap=0.3)
    # Taller than wide: it closes the gap of an eyeglass rim between cheek and brow, and not the one beside the neck.
    tall = cv2.getStructuringElement(cv2.MORPH_RECT, (2 * int(0.05 * UNIT_PX) + 1, 2 * int(0.35 * UNIT_PX) + 1))
    face = cv2.bitwise_and(cv2.morphologyEx(face, cv2.MORPH_CLOSE, tall), reach)
    return _Skin(face=_keep_main_piece(face), bare=bare)


def _find_source_skin(frame: Array, breadth: float) -> _Skin:
    """The face that is moved: without ears, and without hair that crosses the brow."""
    shape = frame.shape[:2]
    bare, core = _find_bare_skin(frame), _draw_core(shape)
    reach = _draw_ellipse(shape, 0.97 * breadth, 1.42, centre=0.5)
    face = _keep_main_piece(_join_skin(bare, core, reach, gap=0.15))
    return _Skin(face=face, bare=bare, glasses=_find_glasses(frame, cv2.bitwise_or(face, core)))


def _find_glasses(frame: Array, face: Plane) -> Plane:
    """The rims of glasses, where they start on the face and end beyond it; nothing where none are worn."""
    x, y = ORIGIN
    across, above, below = GLASSES
    skin = float(np.median(frame[_to_px(y + 0.28) : _to_px(y + 0.78), _to_px(x - 0.62) : _to_px(x + 0.62), 0]))
    dark = np.zeros(face.shape, np.uint8)
    near = np.s_[_to_px(y + above) : _to_px(y + below), _to_px(x - across) : _to_px(x + across)]
    dark[near] = cv2.GaussianBlur(frame[..., 0], (0, 0), 0.015 * UNIT_PX)[near] < FRAME_DARKNESS * skin
    count, labels = cv2.connectedComponents(dark)
    rims = np.zeros(face.shape, np.uint8)
    for label in range(1, count):
        piece = np.equal(labels, label)
        within, beyond = int(piece[face > 0].sum()), int(piece[face == 0].sum())
        # Begins on the face, and is not so much as a fringe or a hat.
        if within > 0.012 * UNIT_PX**2 and beyond < LARGEST_FRAME * UNIT_PX**2:
            rims[piece] = 1
    return cv2.bitwise_or(rims, cv2.bitwise_and(cv2.dilate(rims, _make_disc(0.05)), face))


def _draw_core(shape: tuple[int, ...]) -> Plane:
    """What is face whatever its colour: eyes, nose and mouth."""
    return _draw_ellipse(shape, 0.74, 0.95, centre=0.45)


def _find_bare_skin(frame: Array) -> Plane:
    """1 where the colour is that of the cheeks; darker counts against it more than brighter."""
    smooth = cv2.GaussianBlur(frame, (0, 0), 0.02 * UNIT_PX)
    x, y = ORIGIN
    cheeks = smooth[_to_px(y + 0.28) : _to_px(y + 0.78), _to_px(x - 0.62) : _to_px(x + 0.62)].reshape(-1, 3)
    middle = np.median(cheeks, axis=0)
    # 1.48 times the median deviation is the standard deviation of a normal distribution, but a beard cannot inflate it.
    spread = np.clip(1.48 * np.median(np.abs(cheeks - middle), axis=0), (16, 4, 4.5), (22, 6, 7))
    off = (smooth - middle) / spread
    # Highlights are still skin; shadows are often hair.
    off[..., 0] *= np.where(off[..., 0] < 0, 0.95, 0.5)
    return (np.sqrt((off * off).sum(axis=2)) < SKIN_DISTANCE).astype(np.uint8)


def _to_px(units: float) -> int:
    return round(units * UNIT_PX)


def _join_skin(bare: Plane, core: Plane, reach: Plane, *, gap: float) -> Plane:
    """The skin in reach and the core as one piece: gaps narrower than twice ``gap`` closed, strands cut off."""
    clean = cv2.morphologyEx(cv2.bitwise_and(bare, reach), cv2.MORPH_OPEN, _make_disc(0.06))
    closed = cv2.morphologyEx(cv2.bitwise_or(clean, core), cv2.MORPH_CLOSE, _make_disc(gap))
    opened = cv2.morphologyEx(cv2.bitwise_and(closed, reach), cv2.MORPH_OPEN, _make_disc(0.25))
    return cv2.bitwise_or(opened, core)


def _keep_main_piece(face: Plane) -> Plane:
    """The connected piece around the nose, its outline smoothed."""
    _, labels = cv2.connectedComponents(face)
    piece = np.equal(labels, labels[_to_px(ORIGIN[1] + 0.5), _to_px(ORIGIN[0])])
    smooth = cv2.GaussianBlur(piece.astype(np.float32), (0, 0), 0.1 * UNIT_PX)
    return np.greater(smooth, 1 / 2).astype(np.uint8)


# Colours in the frame.


def _plan_blend(base: Array, source: Array, base_skin: _Skin, source_skin: _Skin) -> _BlendPlan:
    """Decide colours and masks in the frame, from both faces in Lab.

    Light is compared after the colours are matched: before, a darker skin would pass for a shadow.
    """
    source_mask = cv2.erode(source_skin.face, _make_disc(0.06))
    gain, offset = _compute_tone(base, source, cv2.bitwise_and(source_mask, base_skin.face) > 0)
    unlit, source = source, source * gain + offset
    seen_base = cv2.bitwise_and(base_skin.bare, base_skin.face)
    seen_source = cv2.bitwise_and(source_skin.bare, source_mask)
    shade = _compute_shade(base, seen_base, source, seen_source)
    rims = np.zeros_like(source_mask) if source_skin.glasses is None else source_skin.glasses
    kept_mask = cv2.erode(cv2.morphologyEx(seen_base, cv2.MORPH_CLOSE, _make_disc(0.05)), _make_disc(0.05))
    return _BlendPlan(
        gain=gain,
        offset=offset,
        shade=shade,
        extended_skin=_extend_colours(source + shade, source_mask),
        source_mask=np.maximum(_feather(cv2.erode(source_mask, _make_disc(0.06)), 0.1), _feather(rims, 0.02)),
        kept_mask=_feather(kept_mask, 0.04),
        alpha=np.maximum(_feather(cv2.erode(base_skin.face, _make_disc(0.07)), 0.06), _feather(rims, 0.02)),
        dark=DARK * float(np.median(unlit[source_mask > 0][:, 0])),
        smoothing=_compute_smoothing(base, seen_base, source, seen_source),
    )


def _compute_tone(base: Array, source: Array, shared: NDArray[np.bool]) -> tuple[Array, Array]:
    """Gain and offset for each channel of Lab that bring the source's colours most of the way to the base's."""
    ours, theirs = base[shared], source[shared]
    our_middle, their_middle = np.median(ours, axis=0), np.median(theirs, axis=0)
    # In the dark there is less contrast, and a face with more would shine.
    dimness = min(1.0, float(our_middle[0]) / max(1.0, float(their_middle[0])))
    least = (CONTRAST[0] * dimness, COLOUR_CONTRAST[0], COLOUR_CONTRAST[0])
    most = (CONTRAST[1], COLOUR_CONTRAST[1], COLOUR_CONTRAST[1])
    contrast = np.clip(ours.std(axis=0) / (theirs.std(axis=0) + 1e-3), least, most)
    gain = 1 + TONE_SHARE * (contrast - 1)
    offset = TONE_SHARE * (our_middle - contrast * their_middle)
    return gain.astype(np.float32), offset.astype(np.float32)


def _compute_smoothing(base: Array, seen_base: Plane, source: Array, seen_source: Plane) -> float:
    """The share of the source's fine skin contrast that the base has not, in [0, SMOOTHEST]."""
    rough: list[float] = []
    for frame, seen in ((base, seen_base), (source, seen_source)):
        fine = np.abs(frame[..., 0] - cv2.GaussianBlur(frame[..., 0], (0, 0), 0.05 * UNIT_PX))
        rough.append(float(fine[cv2.erode(seen, _make_disc(0.08)) > 0].mean()) if seen.any() else 0.0)
    return float(np.clip(1 - rough[0] / max(rough[1], 1e-3), 0, SMOOTHEST))


def _compute_shade(base: Array, seen_base: Plane, source: Array, seen_source: Plane) -> Array:
    """What is added to the source so that it is lit as the base is: the difference of both, widely blurred."""
    ours, base_weight = _spread_colours(base, seen_base, 0.5)
    theirs, source_weight = _spread_colours(source, seen_source, 0.5)
    # Where hardly any skin is seen on one of the two, their difference says little.
    trust = np.minimum(1, 10 * np.minimum(base_weight, source_weight))
    return SHADE_SHARE * trust[..., np.newaxis] * (ours - theirs)


def _extend_colours(colours: Array, known: Plane) -> Array:
    """The colours where they are known (1), spread from there over the whole frame, the smoother the farther.

    Normalised convolution: blur colours and mask alike, then divide.
    """
    result = colours * known[..., np.newaxis]
    coverage = known.astype(np.float32)
    for reach in (0.06, 0.15, 0.35, 0.8):
        spread, weight = _spread_colours(colours, known, reach)
        share = np.minimum(1, 8 * weight) * (1 - coverage)
        result += spread * share[..., np.newaxis]
        coverage += share
    spread, _ = _spread_colours(colours, known, 2.0)
    return result + spread * (1 - coverage)[..., np.newaxis]


def _spread_colours(colours: Array, known: Plane, reach: float) -> tuple[Array, Plane]:
    """The mean of the known colours around each place, and how much of what is around is known."""
    mask = known.astype(np.float32)
    sigma = reach * UNIT_PX
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)
    total = cv2.GaussianBlur(colours * mask[..., np.newaxis], (0, 0), sigma)
    return total / np.maximum(weight, 1e-4)[..., np.newaxis], weight


def _feather(mask: Plane, reach: float) -> Plane:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), reach * UNIT_PX)


# Back in the picture.


def _find_rectangle(alpha: Plane, to_frame: Array, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what the mask touches, in the picture."""
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    corners = np.array([[x, x + width, x, x + width], [y, y, y + height, y + height], [1, 1, 1, 1]])
    across, down, _ = np.linalg.inv(to_frame) @ corners
    return (
        max(0, math.floor(across.min())),
        max(0, math.floor(down.min())),
        min(shape[1], math.ceil(across.max()) + 1),
        min(shape[0], math.ceil(down.max()) + 1),
    )


def _blend_face(plan: _BlendPlan, to_frame: Array, region: Pixels, patch: Pixels) -> Pixels:
    """The region of the base with its new face."""
    size = region.shape[1], region.shape[0]

    def to_full_size(plane: Array) -> Array:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpAffine(plane, to_frame[:2], size, flags=flags)
        return warped if warped.ndim == 3 else warped[..., np.newaxis]

    unit_px = UNIT_PX / math.sqrt(abs(float(np.linalg.det(to_frame))))
    source_face = _smooth_skin(_to_lab(patch), plan.smoothing, unit_px)
    lift = np.clip(source_face[..., :1] / np.float32(max(1.0, plan.dark)), 0, 1)
    change = plan.offset + to_full_size(plan.shade)
    # Only lightening is held back: pupils and rims stay dark on a bright face.
    change[..., :1] = np.where(change[..., :1] > 0, change[..., :1] * lift, change[..., :1])
    source = source_face * plan.gain + change
    source_mask, kept_mask, alpha = (
        to_full_size(plan.source_mask),
        to_full_size(plan.kept_mask),
        to_full_size(plan.alpha),
    )
    beside = _to_lab(region) * kept_mask + to_full_size(plan.extended_skin) * (1 - kept_mask)
    colours = source * source_mask + beside * (1 - source_mask)
    face = cv2.cvtColor(np.clip(colours + 0.5, 0, 255).astype(np.uint8), cv2.COLOR_Lab2RGB)
    return (face * alpha + region * (1 - alpha) + 0.5).astype(np.uint8)


def _smooth_skin(lab: Array, share: float, unit_px: float) -> Array:
    """Lab with blotches of colour evened out and so much of the fine contrast gone; edges of features stay."""
    even = lab.copy()
    # Blotches are in the colours, pores in the lightness.
    even[..., 1:] = cv2.GaussianBlur(lab[..., 1:], (0, 0), max(0.5, 0.05 * unit_px))
    smooth = cv2.bilateralFilter(np.ascontiguousarray(lab[..., 0]), 0, 45, max(0.8, 0.06 * unit_px))
    even[..., 0] += (smooth - lab[..., 0]) * np.float32(share)
    return even
