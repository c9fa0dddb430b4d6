"""Make a painting follow a control map: one function for each family of kinds, listed in `GUIDES`.

All have one signature: painting and map (RGB ``uint8`` of one size), influence in [0, 1], seed; the result is RGB of
that size. Lines become regions by a watershed on the distance from them, and each region gets a tone of the painting's
own palette. Light, palette and depth go through `repaint`'s transfer by rank. Pose and face are drawn in.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import compute_luminance, make_rng, resize, to_bytes, to_float
from atelier_mcp.server.engine.repaint import compute_colours_by_rank, compute_lightness_ranks, repaint
from atelier_mcp.server.engine.style.marks import compute_unit, smooth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from atelier_mcp.server.engine.pixels import Array, Colours, Mask, Pixels, Plane

REGION_SIDE: Final = 480
"""The longest side at which regions are found."""
LINE_FROM: Final = 0.35
"""Brightness above which a line parts two regions, as a share of the map's brightest line."""
SEED_DEPTHS: Final = (22, 12, 5)
"""Distances from the lines, at REGION_SIDE, from which basins are parted: a gap narrower than two of them is closed."""
LIGHT: Final = np.array([-0.45, 0.55, 0.70], np.float32)
"""Where the light on a normal map comes from: the upper left, in front."""
TRUNK_HUES: Final = (0, 10, 60, 90)
"""OpenCV hues of the sticks from the neck to the shoulders and to the hips."""
HEAD_HUES: Final = (120, 130, 140, 150, 160)
BRIGHTEST_STICK: Final = 200
"""OpenPose draws its sticks at three fifths of full brightness, its joints at full."""
BACKGROUND_SHARE: Final = 0.03
"""Share of the picture from which a region at its top counts as background."""


def _guide_by_lines(painting: Pixels, drawing: Pixels, influence: float, seed: int) -> Pixels:
    """Each region between the lines gets a tone of its own, is shaded towards them, and the lines are drawn."""
    lines = compute_luminance(drawing)
    labels, distance = _split_regions(lines)
    coloured = _sharpen_at_lines(_colour_regions(painting, labels, seed, least=0.12, spread=42), distance)
    # Darker towards the lines, as a painter rounds a form.
    shade = 1 - np.float32(0.30) * np.exp(-distance / np.float32(14 * compute_unit(painting)))
    shaded = to_float(painting) * np.float32(1 - influence) + coloured * shade[..., None] * np.float32(influence)
    strength = np.clip(lines * np.float32(1.1), 0, 1)[..., None] * np.float32(min(1.0, influence * 1.1))
    return to_bytes(shaded + (_choose_line_colour(shaded) - shaded) * strength)


def _sharpen_at_lines(coloured: Pixels, distance: Plane) -> Colours:
    """Regions with a sharp border where a line lies between them, and a soft one where none does."""
    scale = compute_unit(coloured)
    clear = np.exp(-np.square(distance / np.float32(9 * scale)))[..., None]
    flowing = to_float(smooth(coloured, 16 * scale))
    return flowing + (to_float(coloured) - flowing) * clear


def _choose_line_colour(ground: Array) -> Array:
    """Dark on a light ground, light on a dark one, in the ground's own hue."""
    tone = smooth(cv2.cvtColor(ground.astype(np.float32), cv2.COLOR_RGB2GRAY), 10 * compute_unit(ground))
    dark = np.clip((tone - np.float32(0.20)) / np.float32(0.08), 0, 1)[..., None]
    return ground * np.float32(0.12) * dark + (ground * np.float32(0.35) + np.float32(0.62)) * (1 - dark)


def _split_regions(lines: Plane) -> tuple[NDArray[np.int32], Plane]:
    """The number of each pixel's region between the lines, and its distance in pixels from the nearest line.

    Regions grow from the places farthest from any line and meet on the lines; a line with a gap still parts them.
    """
    height, width = lines.shape[:2]
    scale = min(1.0, REGION_SIDE / max(height, width))
    small = cv2.resize(
        lines, (max(4, round(width * scale)), max(4, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    # Closes the gaps that reducing a thin line leaves in it.
    walls = cv2.GaussianBlur(small, (0, 0), 0.7)
    free = (walls < LINE_FROM * max(0.2, float(walls.max()))).astype(np.uint8)
    # With no free pixel at all the distances would be zero and the watershed have no seed.
    free[0, 0] = 1
    # The edge of the picture is no line: distances must not shrink towards it.
    free = cv2.copyMakeBorder(free, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    distance = np.minimum(cv2.distanceTransform(free, cv2.DIST_L2, 3)[1:-1, 1:-1], REGION_SIDE)
    seeds = _find_seeds(distance)
    # The root makes slopes steep near the lines, where regions must part, and flat far from them.
    depth = np.sqrt(distance / np.float32(max(1.0, float(distance.max()))))
    relief = cv2.cvtColor(to_bytes(1 - depth), cv2.COLOR_GRAY2RGB)
    # The watershed marks its own border lines with -1; the frame of the image is one of them.
    grown = np.maximum(cv2.watershed(relief, seeds), 0).astype(np.float32)
    labels = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    return labels, cv2.resize(distance, (width, height), interpolation=cv2.INTER_LINEAR) / np.float32(scale)


def _find_seeds(distance: Plane) -> NDArray[np.int32]:
    """A number for each basin of the distance map: wide basins first, then narrower ones that hold none of those.

    Seeds at the full depth first is what lets a line with a gap still part two regions: the narrow gap joins them only
    at small distances, when both have a number already.
    """
    seeds = np.zeros(distance.shape[:2], np.int32)
    for depth in SEED_DEPTHS:
        count, parts = cv2.connectedComponents((distance > depth).astype(np.uint8))
        basins = parts.astype(np.int32)
        taken = np.bincount(basins[seeds > 0], minlength=count) > 0
        taken[0] = True
        numbers = np.where(taken, 0, np.cumsum(~taken) + seeds.max()).astype(np.int32)
        seeds += numbers[basins]
    return seeds


def _colour_regions(painting: Pixels, labels: NDArray[np.int32], seed: int, *, least: float, spread: float) -> Pixels:
    """The painting with each small region in one colour of its palette; the larger a region, the more it keeps.

    ``labels`` numbers each pixel's region from 0. ``least`` is how flat the largest regions become, in [0, 1];
    ``spread`` is how far apart their tones lie, as a standard deviation in ranks of 256.
    """
    count = int(labels.max()) + 1
    flat_labels = labels.ravel()
    lab = cv2.cvtColor(painting, cv2.COLOR_RGB2Lab)
    ranks = compute_lightness_ranks(lab[..., 0])[lab[..., 0].astype(np.uint8)]
    areas = np.maximum(np.bincount(flat_labels, minlength=count), 1)
    light = np.bincount(flat_labels, weights=ranks.ravel(), minlength=count) / areas
    offsets = make_rng("tones", seed).normal(0, spread, count)
    # Mostly as light as the painting is there, so that a landscape keeps its sky.
    tones = np.clip(128 + (light - 128) * 0.7 + offsets, 0, 255).astype(np.uint8)
    palette = np.clip(compute_colours_by_rank(lab[::4, ::4]) + 0.5, 0, 255).astype(np.uint8)
    colours = np.asarray(cv2.cvtColor(palette[None], cv2.COLOR_Lab2RGB))[0][tones].astype(np.float32)
    flatness = np.clip(0.95 - 4.0 * areas / labels.size, least, 0.88)
    flatness = np.where(_find_background(labels, areas), least, flatness).astype(np.float32)[:, None]
    kept = painting.reshape(-1, 3) * (1 - flatness)[flat_labels]
    mixed: NDArray[np.float32] = (kept + (colours * flatness)[flat_labels]).reshape(painting.shape)
    return np.clip(cv2.GaussianBlur(mixed, (0, 0), max(0.8, 1.5 * compute_unit(painting))), 0, 255).astype(np.uint8)


def _find_background(labels: NDArray[np.int32], areas: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each region whether it is background: large, and running out of the picture at its top."""
    touching = np.zeros(len(areas), np.bool_)
    # The top row: sky and walls reach it, figures seldom do.
    touching[np.unique(labels[0])] = True
    return touching & (areas > BACKGROUND_SHARE * labels.size)


def _guide_by_regions(painting: Pixels, areas: Pixels, influence: float, seed: int) -> Pixels:
    """Each flat area of the map becomes one area of the painting, with a soft outline."""
    # Eight levels a channel: a map that went through JPEG has many near-equal colours in one area.
    levels = areas.astype(np.int32) // 32
    codes = levels[..., 0] * 64 + levels[..., 1] * 8 + levels[..., 2]
    labels = np.unique(codes, return_inverse=True)[1].reshape(codes.shape).astype(np.int32)
    coloured = _colour_regions(painting, labels, seed, least=0.65, spread=75)
    change = cv2.morphologyEx(cv2.medianBlur(areas, 5), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    border = np.asarray(np.max(change, axis=2), np.float32) / np.float32(255)
    outline = np.clip(cv2.GaussianBlur(border, (0, 0), max(0.8, 1.4 * compute_unit(painting))), 0, 1)
    return _mix(painting, to_bytes(to_float(coloured) * (1 - np.float32(0.6) * outline)[..., None]), influence)


def _guide_by_light(painting: Pixels, light: Pixels, influence: float, seed: int) -> Pixels:
    """The map's light and dark, in the painting's colours."""
    grey = cv2.cvtColor(cv2.cvtColor(light, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _mix(painting, repaint(grey, painting, strength=1.0, style=None, seed=seed), influence)


def _guide_by_colours(painting: Pixels, tile: Pixels, influence: float, seed: int) -> Pixels:  # noqa: ARG001 - a guide's shape
    """The map's broad colours, with the painting's fine texture on them."""
    target = to_float(tile) + np.float32(0.20) * (to_float(painting) - _blur_broadly(painting))
    return _mix(painting, to_bytes(target), influence)


def _blur_broadly(painting: Pixels) -> Array:
    height, width = painting.shape[:2]
    small = resize(painting, max(1, width // 8), max(1, height // 8))
    return to_float(cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.5), (width, height), interpolation=cv2.INTER_LINEAR))


def _guide_by_depth(painting: Pixels, depth: Pixels, influence: float, seed: int) -> Pixels:
    """Near things stand out in the painting's lights and darks, with a shadow behind them; far ones fade."""
    # White is near, as in the maps of other tools.
    near = compute_luminance(depth)
    colours = to_float(painting)
    # Far things take on the lighter colours of the scene, as in mist.
    haze = np.percentile(colours[::8, ::8].reshape(-1, 3), 75, axis=0).astype(np.float32)
    far = np.float32(0.45) * np.square(1 - near)[..., None]
    hazy = colours * (np.float32(0.75) + np.float32(0.40) * near)[..., None]
    hazy = hazy + (haze - hazy) * far
    modelled = to_float(repaint(_equalise(near), painting, strength=1.0, style=None, seed=seed))
    share = (np.float32(0.15) + np.float32(0.55) * near)[..., None]
    shadow = np.maximum(smooth(near, 22 * compute_unit(painting)) - near, 0)[..., None]
    layered = (hazy + (modelled - hazy) * share) * (1 - np.clip(np.float32(3.0) * shadow, 0, 0.8))
    return _mix(painting, to_bytes(layered), influence)


def _equalise(near: Plane) -> Pixels:
    """Nearness as a grey picture whose small steps are told apart."""
    return cv2.cvtColor(cv2.createCLAHE(2.0, (6, 6)).apply(to_bytes(near)), cv2.COLOR_GRAY2RGB)


def _guide_by_normals(painting: Pixels, normals: Pixels, influence: float, seed: int) -> Pixels:  # noqa: ARG001 - a guide's shape
    """The relief of a normal map lit from the upper left."""
    facing = to_float(normals) * 2 - 1
    direction = LIGHT / np.float32(np.linalg.norm(LIGHT))
    lit = cv2.transform(facing, direction[None])
    # So that a surface that faces the viewer keeps its colour.
    lit = np.maximum(lit, 0) / np.float32(direction[2])
    return _mix(
        painting, to_bytes(to_float(painting) * (np.float32(0.22) + np.float32(0.78) * lit)[..., None]), influence
    )


def _guide_by_palette(painting: Pixels, palette: Pixels, influence: float, seed: int) -> Pixels:
    """The painting in the colours of the map."""
    return repaint(painting, palette, strength=influence, style=None, seed=seed)


def _guide_by_instruction(painting: Pixels, image: Pixels, influence: float, seed: int) -> Pixels:
    """The reference itself, changed by the light and the colours of the painting."""
    return _mix(painting, repaint(image, painting, strength=0.6, style=None, seed=seed), influence)


def _guide_by_pose(painting: Pixels, skeleton: Pixels, influence: float, seed: int) -> Pixels:  # noqa: ARG001 - a guide's shape
    """A rounded figure where the map has limbs, in that tone of the painting that contrasts most with its place."""
    bones = (skeleton.max(axis=2) > 60).astype(np.uint8) * 255
    if not bones.any():
        return painting.copy()
    body = _draw_body(bones, skeleton)
    inside = body > 127
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    relief = np.clip(depth / np.float32(max(1.0, float(np.percentile(depth[inside], 85)))), 0, 1)[..., None]
    ground = to_float(painting)
    dark, light = np.percentile(ground[::8, ::8].reshape(-1, 3), (4, 97), axis=0).astype(np.float32)
    dark = dark * np.float32(0.4)
    # Dark on light or light on dark, as a cut-out figure is seen best.
    bright_ground = float(compute_luminance(painting)[inside].mean()) > 0.30
    near, rim = (dark, (dark * 3 + light) / 4) if bright_ground else (light, (dark + light * 2) / 3)
    figure = rim + (near - rim) * np.sqrt(relief)
    alpha = (cv2.GaussianBlur(body, (0, 0), max(0.8, 1.2 * compute_unit(painting))).astype(np.float32) / 255)[..., None]
    return to_bytes(ground + (figure - ground) * alpha * np.float32(min(1.0, influence * 1.15)))


def _draw_body(bones: Mask, skeleton: Pixels) -> Mask:
    """Limbs about thrice as thick as the bones, a trunk between shoulders and hips, a round head.

    Trunk and head are told from the limbs by the colours OpenPose gives its sticks.
    """
    thickness = float(np.percentile(cv2.distanceTransform(bones, cv2.DIST_L2, 3)[bones > 0], 95))
    thickness = min(thickness, 0.03 * max(bones.shape[:2]))
    # Odd, as a brush needs a middle.
    wide = max(3, round(thickness * 3)) | 1
    hsv = cv2.cvtColor(skeleton, cv2.COLOR_RGB2HSV).astype(np.int32)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (wide, wide))
    body = cv2.dilate(bones, around)
    # Joints share hues with sticks and differ from them in brightness alone.
    joints = cv2.dilate((hsv[..., 2] >= BRIGHTEST_STICK).astype(np.uint8), around)
    stick = (bones > 0) & (joints == 0)
    _, figures = cv2.connectedComponents(body)
    for figure in range(1, int(figures.max()) + 1):
        own = stick & (figures == figure)
        _fill_hull(body, own & _select_hues(hsv, TRUNK_HUES), round(thickness * 0.5))
        _fill_head(body, own & _select_hues(hsv, HEAD_HUES), wide)
    return (cv2.GaussianBlur(body, (0, 0), wide / 5) > 127).astype(np.uint8) * 255


def _select_hues(hsv: NDArray[np.int32], hues: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.isin(hsv[..., 0], [(hue + step) % 180 for hue in hues for step in (-2, -1, 0, 1, 2)])


def _fill_hull(body: Mask, marked: NDArray[np.bool_], border: int) -> None:
    points = np.argwhere(marked)[:, ::-1].astype(np.int32)
    if len(points) > 2:
        hull = cv2.convexHull(points)
        cv2.fillConvexPoly(body, hull, 255)
        cv2.polylines(body, [hull], isClosed=True, color=255, thickness=max(1, 2 * border))


def _fill_head(body: Mask, marked: NDArray[np.bool_], border: int) -> None:
    """An oval around the eyes and ears."""
    points = np.argwhere(marked)
    if len(points) < 3:
        return
    top, left = points.min(axis=0).tolist()
    _, right = points.max(axis=0).tolist()
    radius = max(2, (right - left) // 2 + border)
    middle = ((left + right) // 2, top + radius // 4)
    cv2.ellipse(body, middle, (radius, round(radius * 1.3)), 0, 0, 360, 255, -1)


def _guide_by_face(painting: Pixels, face: Pixels, influence: float, seed: int) -> Pixels:  # noqa: ARG001 - a guide's shape
    """The face of the map, half way into the painting's light, with a soft border; a black map changes nothing."""
    mask = cv2.morphologyEx(
        (face.max(axis=2) > 8).astype(np.uint8) * 255,
        cv2.MORPH_CLOSE,
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)),
    )
    if not mask.any():
        return painting.copy()
    left, top, width, height = cv2.boundingRect(mask)
    soft = max(1.0, 0.05 * max(width, height))
    shrunk = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (round(soft * 2) | 1, round(soft * 2) | 1)))
    alpha = (cv2.GaussianBlur(shrunk, (0, 0), soft).astype(np.float32) / 255)[..., None] * np.float32(influence)
    region = (slice(top, top + height), slice(left, left + width))
    # By means, not by ranks: a face must not take on the contrast of a landscape.
    shift = painting[region].reshape(-1, 3).mean(axis=0) - face[mask > 0].mean(axis=0)
    tinted = to_float(face) + (np.float32(0.30) * shift / 255).astype(np.float32)
    ground = to_float(painting)
    return to_bytes(ground + (tinted - ground) * alpha)


def _mix(painting: Pixels, guided_image: Pixels, influence: float) -> Pixels:
    return cv2.addWeighted(guided_image, influence, painting, 1 - influence, 0)


GUIDES: Final[Mapping[str, Callable[[Pixels, Pixels, float, int], Pixels]]] = MappingProxyType(
    {
        **dict.fromkeys(("canny", "mlsd", "lineart", "lineart_anime", "softedge", "scribble"), _guide_by_lines),
        "depth": _guide_by_depth,
        "normal": _guide_by_normals,
        "openpose": _guide_by_pose,
        "seg": _guide_by_regions,
        "shuffle": _guide_by_palette,
        "reference_only": _guide_by_palette,
        "tile": _guide_by_colours,
        "ip2p": _guide_by_instruction,
        "brightness": _guide_by_light,
        "ip_adapter_faceid": _guide_by_face,
    }
)
"""For each kind of control, how a painting of the map's size follows it: painted, map, how far in [0, 1], seed."""
