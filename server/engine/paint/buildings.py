"""Buildings: lighthouse, house, castle, pagoda, windmill, bridge, pyramid.

Each is drawn in its own height (see `stage.Place`). Two faces with different brightness and lit windows in the dark do
most of what makes them look solid.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from atelier_mcp.server.engine.paint.colour import WHITE, get_named_colour, mix, rgb, shade_colour

if TYPE_CHECKING:
    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.stage import Place, Stage
    from atelier_mcp.server.engine.pixels import Colours


def _create_layer(stage: Stage, place: Place, half: float, top: float) -> Layer:
    """A layer around a thing: ``half`` its height to either side, ``top`` times its height above the foot."""
    size = place.size
    return stage.canvas.create_layer(
        place.x - half * size, place.y - top * size, place.x + half * size, place.y + 0.15 * size
    )


def _paint_shadow(stage: Stage, place: Place, half: float) -> None:
    """The dark ground at the foot of a building."""
    reach = place.size * half
    dark = stage.mood.shade * np.float32(0.35)
    stage.canvas.ellipse((place.x, place.y), reach, reach * 0.13, colour=dark, opacity=0.55, blur=reach * 0.07)


def _choose_second_colour(stage: Stage, place: Place, otherwise: Colours) -> Colours:
    """The noun's second colour, for roofs and stripes."""
    own = place.noun.colours
    return stage.mood.apply_light(get_named_colour(own[1])) if len(own) > 1 else stage.mood.apply_light(otherwise)


def _compute_face_brightness(stage: Stage, place: Place) -> tuple[float, float]:
    """Brightness of the left and the right faces."""
    return (1.08, 0.62) if stage.sun[0] < place.x else (0.62, 1.08)


def paint_lighthouse(stage: Stage, place: Place) -> None:
    """A tapered tower with bands, a gallery and a lantern; in the dark and in storms it sends out a beam."""
    layer = _create_layer(stage, place, 0.3, 1.12)
    band = stage.choose_colour(place.noun, place.index, rgb("#c2352c"))
    white = _choose_second_colour(stage, place, rgb("#f5f1e8"))
    for step in range(6):
        # The shaft takes 0.8 of the height; gallery, lantern and roof have the rest.
        low, high = step / 6 * 0.8, (step + 1) / 6 * 0.8
        wide, narrow = _compute_tower_half(low), _compute_tower_half(high)
        outline = place.to_canvas_points((-wide, low), (-narrow, high), (narrow, high), (wide, low))
        layer.poly(outline, white if step % 2 == 0 else band)
    left, right = _compute_face_brightness(stage, place)
    layer.gradient(place.to_canvas(-0.13, 0), place.to_canvas(0.13, 0), left, right)
    layer.texture(stage.canvas.make_rng("masonry"), place.size * 0.06, 0.06)
    for up in (0.16, 0.42, 0.66):
        layer.poly(
            place.to_canvas_points((-0.013, up), (-0.013, up + 0.045), (0.013, up + 0.045), (0.013, up)), rgb("#2a2e36")
        )
    _paint_lantern(stage, place, layer, band)
    stage.canvas.lay(layer)
    if stage.mood.is_dark or stage.mood.is_stormy:
        _paint_beam(stage, place.to_canvas(0, 0.895), place.size)


def _compute_tower_half(up: float) -> float:
    return 0.118 - 0.062 * up


def _paint_lantern(stage: Stage, place: Place, layer: Layer, band: Colours) -> None:
    iron = stage.mood.apply_light(rgb("#33363d"))
    is_lit = stage.mood.is_dark or stage.mood.is_stormy
    glass = rgb("#fff3c0") if is_lit else stage.mood.apply_light(rgb("#a9c6d2"))
    layer.poly(place.to_canvas_points((-0.098, 0.8), (-0.098, 0.822), (0.098, 0.822), (0.098, 0.8)), iron)
    layer.poly(place.to_canvas_points((-0.048, 0.822), (-0.048, 0.95), (0.048, 0.95), (0.048, 0.822)), glass)
    # The railing of the gallery, then the bars between the panes.
    for right in (-0.09, -0.06, -0.03, 0.03, 0.06, 0.09):
        layer.line(place.to_canvas_points((right, 0.82), (right, 0.868)), iron, place.size * 0.005)
    layer.line(place.to_canvas_points((-0.094, 0.868), (0.094, 0.868)), iron, place.size * 0.006)
    for right in (-0.048, -0.016, 0.016, 0.048):
        layer.line(place.to_canvas_points((right, 0.822), (right, 0.95)), iron, place.size * 0.005)
    roof = shade_colour(band, 0.8)
    layer.poly(place.to_canvas_points((-0.066, 0.948), (-0.03, 1.0), (0, 1.035), (0.03, 1.0), (0.066, 0.948)), roof)
    layer.poly(place.to_canvas_points((0.0, 0.948), (0, 1.035), (0.03, 1.0), (0.066, 0.948)), shade_colour(roof, 0.7))
    layer.ellipse(place.to_canvas(0, 1.04), place.size * 0.012, colour=iron)


def _paint_beam(stage: Stage, lamp: Point, size: float) -> None:
    """Light thrown to both sides, wide and faint over narrow and bright; the longer one towards the open side."""
    canvas = stage.canvas
    warm = rgb("#ffeeb8")
    direction = 1.0 if lamp[0] < canvas.width / 2 else -1.0
    tilt = float(canvas.make_rng("beam").uniform(-0.16, -0.04))
    for reach, spread, opacity in ((1.5, 0.16, 0.36), (1.5, 0.07, 0.45), (-0.55, 0.13, 0.26)):
        far = direction * reach * canvas.width
        # What rises on one side sinks on the other, as if both were one shaft through the lamp.
        middle = lamp[1] + abs(far) * tilt * (1 if reach > 0 else -0.6)
        half = abs(far) * spread
        beam = [(lamp[0], lamp[1] - size * 0.012), (lamp[0] + far, middle - half), (lamp[0] + far, middle + half)]
        canvas.beam([*beam, (lamp[0], lamp[1] + size * 0.012)], lamp, abs(far) * 0.75, warm, opacity)
    canvas.glow(lamp, size * 0.17, warm, strength=0.95)
    canvas.glow(lamp, size * 0.04, WHITE, strength=1.0)


def paint_house(stage: Stage, place: Place) -> None:
    """A gabled cottage seen from a corner, with a chimney; its windows are lit in the dark."""
    _paint_shadow(stage, place, 0.66)
    layer = _create_layer(stage, place, 0.85, 1.2)
    wall = stage.choose_colour(place.noun, place.index, rgb("#e3d0ae"))
    roof = _choose_second_colour(stage, place, rgb("#94463a"))
    if stage.prompt.has("snow"):
        roof = mix(roof, stage.mood.apply_light(rgb("#f4f7fb")), 0.85)
    left, right = _compute_face_brightness(stage, place)
    # The chimney before the roof, which covers its foot.
    layer.poly(place.to_canvas_points((0.28, 0.7), (0.28, 1.02), (0.38, 1.02), (0.38, 0.7)), shade_colour(wall, 0.62))
    # The gable wall, then the long one; the light decides which is the brighter.
    layer.poly(
        place.to_canvas_points((-0.5, 0.02), (-0.5, 0.46), (-0.3, 0.86), (-0.1, 0.44), (-0.1, 0)),
        shade_colour(wall, left * 0.95),
    )
    layer.poly(
        place.to_canvas_points((-0.1, 0), (-0.1, 0.46), (0.62, 0.46), (0.62, 0.02)), shade_colour(wall, right * 0.95)
    )
    layer.poly(
        place.to_canvas_points((-0.33, 0.9), (0.46, 0.88), (0.7, 0.4), (-0.06, 0.38)),
        shade_colour(roof, 0.72 + 0.3 * right),
    )
    # The two edges of the roof above the gable.
    layer.poly(
        place.to_canvas_points((-0.33, 0.9), (-0.06, 0.38), (-0.1, 0.36), (-0.35, 0.84)), shade_colour(roof, 0.6)
    )
    layer.poly(
        place.to_canvas_points((-0.33, 0.9), (-0.56, 0.4), (-0.52, 0.38), (-0.32, 0.8)), shade_colour(roof, 0.75)
    )
    rng = stage.canvas.make_rng("house")
    # Rows of tiles, parallel to the ridge.
    for up in np.linspace(0.46, 0.84, 6):
        start = -0.08 - (up - 0.4) * 0.5
        layer.line(
            place.to_canvas_points((start, up), (0.66 - (up - 0.42) * 0.48, up)),
            shade_colour(roof, 0.62),
            place.size * 0.006,
        )
    # Windows and door after the texture, which is plaster and tiles.
    layer.texture(rng, place.size * 0.1, 0.1)
    for corner in ((0.04, 0.16), (0.42, 0.16), (-0.37, 0.18)):
        _paint_window(stage, place, layer, corner)
    layer.poly(place.to_canvas_points((0.22, 0.01), (0.22, 0.3), (0.34, 0.3), (0.34, 0.01)), shade_colour(roof, 0.5))
    stage.canvas.lay(layer)
    if stage.mood.is_dark:
        for right_of in (0.11, 0.49, -0.31):
            stage.canvas.glow(place.to_canvas(right_of, 0.25), place.size * 0.16, rgb("#ffb861"), strength=0.4)


def _paint_window(stage: Stage, place: Place, layer: Layer, corner: Point) -> None:
    right, up = corner
    frame = place.to_canvas_points((right, up), (right, up + 0.17), (right + 0.13, up + 0.17), (right + 0.13, up))
    layer.poly(frame, stage.lamp)
    wood = stage.mood.apply_light(rgb("#5a4334"))
    layer.line([*frame, frame[0]], wood, place.size * 0.013)
    layer.line(place.to_canvas_points((right + 0.065, up), (right + 0.065, up + 0.17)), wood, place.size * 0.009)
    layer.line(place.to_canvas_points((right, up + 0.09), (right + 0.13, up + 0.09)), wood, place.size * 0.009)


def paint_castle(stage: Stage, place: Place) -> None:
    """Round towers with pointed roofs behind a wall with battlements and a gate."""
    _paint_shadow(stage, place, 0.62)
    layer = _create_layer(stage, place, 0.8, 1.4)
    stone = stage.choose_colour(place.noun, place.index, rgb("#b5aa9b"))
    roof = _choose_second_colour(stage, place, rgb("#4a5a83"))
    rng = stage.canvas.make_rng(f"castle{place.index}")
    # (right, width, height), farthest first: the outer ones stand before the inner ones.
    towers = [(0.0, 0.2, 0.78), (-0.24, 0.15, 0.62), (0.25, 0.14, 0.66), (-0.47, 0.17, 0.5), (0.48, 0.18, 0.54)]
    for right, width, height in towers:
        _paint_tower(stage, place, layer, (right, width, height * rng.uniform(0.92, 1.08)), (stone, roof))
    wall = shade_colour(stone, 0.94)
    _paint_battlements(place, layer, -0.48, 0.48, wall)
    layer.poly(
        place.to_canvas_points((-0.09, 0), (-0.09, 0.13), (0, 0.21), (0.09, 0.13), (0.09, 0)), shade_colour(stone, 0.25)
    )
    layer.texture(rng, place.size * 0.05, 0.12, stretch=1.8)
    # By the heights before the jitter: 0.82 of one is below the top even of the lowest tower (0.92).
    for right, _, height in towers:
        layer.ellipse(place.to_canvas(right, height * 0.82), place.size * 0.013, place.size * 0.026, colour=stage.lamp)
    stage.canvas.lay(layer)


def _paint_battlements(place: Place, layer: Layer, start: float, end: float, wall: Colours) -> None:
    layer.poly(place.to_canvas_points((start, -0.02), (start, 0.26), (end, 0.26), (end, -0.02)), wall)
    for right in np.arange(start, end - 0.02, 0.07):
        layer.poly(place.to_canvas_points((right, 0.25), (right, 0.3), (right + 0.04, 0.3), (right + 0.04, 0.25)), wall)


def _paint_tower(
    stage: Stage, place: Place, layer: Layer, shape: tuple[float, float, float], colours: tuple[Colours, Colours]
) -> None:
    """A round tower: vertical strips from its bright to its dark side, and a cone on top."""
    right, width, height = shape
    stone, roof = colours
    brightest, darkest = _compute_face_brightness(stage, place)
    strips = 9
    for strip in range(strips):
        share = (strip + 0.5) / strips
        tone = brightest + (darkest - brightest) * share
        # Strips overlap by a hair: anti-aliased edges side by side let the sky shine through.
        x0, x1 = right + width * (strip / strips - 0.5), right + width * ((strip + 1) / strips - 0.5) + 0.002
        layer.poly(place.to_canvas_points((x0, 0), (x0, height), (x1, height), (x1, 0)), shade_colour(stone, tone))
        r0, r1 = right + width * 1.3 * (strip / strips - 0.5), right + width * 1.3 * ((strip + 1) / strips - 0.5)
        peak = (right, height + width * 1.75)
        layer.poly(place.to_canvas_points((r0, height), peak, (r1 + 0.002, height)), shade_colour(roof, tone))
    layer.line(
        place.to_canvas_points((right, height + width * 1.7), (right, height + width * 2.1)),
        shade_colour(stone, 0.4),
        place.size * 0.006,
    )


def paint_pagoda(stage: Stage, place: Place) -> None:
    """Five storeys under upturned roofs."""
    _paint_shadow(stage, place, 0.36)
    layer = _create_layer(stage, place, 0.6, 1.2)
    wall = stage.choose_colour(place.noun, place.index, rgb("#a8432f"))
    tile = _choose_second_colour(stage, place, rgb("#3f4a4c"))
    left, right = _compute_face_brightness(stage, place)
    storeys = 5
    for storey in range(storeys):
        low = storey * 0.165
        half = 0.27 - 0.035 * storey
        layer.poly(place.to_canvas_points((-half, low), (-half, low + 0.12), (half, low + 0.12), (half, low)), wall)
        for column in np.linspace(-half, half, 5):
            layer.line(
                place.to_canvas_points((column, low), (column, low + 0.12)),
                shade_colour(wall, 0.55),
                place.size * 0.012,
            )
        for column in (-0.5, 0.0, 0.5):
            x = column * half * 1.1
            layer.poly(
                place.to_canvas_points(
                    (x - 0.025, low + 0.02), (x - 0.025, low + 0.09), (x + 0.025, low + 0.09), (x + 0.025, low + 0.02)
                ),
                stage.lamp,
            )
        eaves = half + 0.13
        roof = [(-eaves, low + 0.145), (-eaves * 0.75, low + 0.118), (eaves * 0.75, low + 0.118), (eaves, low + 0.145)]
        layer.poly(place.to_canvas_points(*roof, (half * 0.7, low + 0.175), (-half * 0.7, low + 0.175)), tile)
        layer.line(place.to_canvas_points(*roof), shade_colour(tile, 0.6), place.size * 0.01)
    layer.line(place.to_canvas_points((0, 0.82), (0, 1.02)), stage.mood.apply_light(rgb("#c7a24a")), place.size * 0.016)
    layer.gradient(place.to_canvas(-0.3, 0), place.to_canvas(0.3, 0), left, right)
    stage.canvas.lay(layer)


def paint_windmill(stage: Stage, place: Place) -> None:
    """A tapered mill with four lattice sails."""
    _paint_shadow(stage, place, 0.28)
    layer = _create_layer(stage, place, 0.75, 1.35)
    wall = stage.choose_colour(place.noun, place.index, rgb("#d8c9ae"))
    left, right = _compute_face_brightness(stage, place)
    layer.poly(place.to_canvas_points((-0.2, 0), (-0.12, 0.66), (0.12, 0.66), (0.2, 0)), wall)
    layer.poly(
        place.to_canvas_points((-0.14, 0.65), (0, 0.84), (0.14, 0.65)),
        _choose_second_colour(stage, place, rgb("#5b4a42")),
    )
    layer.gradient(place.to_canvas(-0.2, 0), place.to_canvas(0.2, 0), left, right)
    layer.poly(place.to_canvas_points((-0.045, 0), (-0.045, 0.17), (0.045, 0.17), (0.045, 0)), rgb("#3a2c24"))
    layer.poly(place.to_canvas_points((-0.03, 0.36), (-0.03, 0.43), (0.03, 0.43), (0.03, 0.36)), stage.lamp)
    hub = place.to_canvas(0, 0.7)
    start = stage.canvas.make_rng("sails").uniform(0.2, 1.2)
    wood, cloth = stage.mood.apply_light(rgb("#4a3628")), stage.mood.apply_light(rgb("#efe6d2"))
    for sail in range(4):
        angle = start + sail * np.pi / 2
        # The lattice lies on one side of each spar only, as on real sails.
        along = np.array([np.cos(angle), np.sin(angle)]) * place.size
        aside = np.array([-np.sin(angle), np.cos(angle)]) * place.size
        root, tip = np.asarray(hub) + along * 0.08, np.asarray(hub) + along * 0.55
        layer.poly(np.stack([root, tip, tip + aside * 0.11, root + aside * 0.11]), cloth)
        for share in np.linspace(0, 1, 7):
            rung = root + (tip - root) * share
            layer.line(np.stack([rung, rung + aside * 0.11]), wood, place.size * 0.006)
        layer.line(np.stack([np.asarray(hub), tip]), wood, place.size * 0.018)
    layer.ellipse(hub, place.size * 0.025, colour=wood)
    stage.canvas.lay(layer)


def paint_bridge(stage: Stage, place: Place) -> None:
    """A stone bridge of three arches; its size is its length."""
    layer = _create_layer(stage, place, 0.62, 0.5)
    stone = stage.choose_colour(place.noun, place.index, rgb("#a89c8a"))
    across = np.linspace(-0.58, 0.58, 40)
    crown = 0.16 + 0.1 * np.cos(across / 0.58 * np.pi / 2)
    deck = [place.to_canvas(float(right), float(up)) for right, up in zip(across, crown, strict=True)]
    piers = np.linspace(-0.58, 0.58, 4)
    below: list[Point] = []
    # The outline below is that of the arches one after another, so that water and shore are seen through them.
    for start, end in pairwise(piers):
        angles = np.linspace(np.pi, 0, 16)
        # 0.028 is left standing on either side of a pier; the middle arch is the highest.
        middle, half = (start + end) / 2, (end - start) / 2 - 0.028
        below += [
            place.to_canvas(
                float(middle + half * np.cos(a)), float(-0.02 + (0.13 + 0.05 * (abs(middle) < 0.1)) * np.sin(a))
            )
            for a in angles
        ]
    layer.poly([*deck, place.to_canvas(0.58, -0.06), *below[::-1], place.to_canvas(-0.58, -0.06)], stone)
    layer.texture(stage.canvas.make_rng("bridge"), place.size * 0.03, 0.22, stretch=1.6)
    layer.gradient(place.to_canvas(0, 0.26), place.to_canvas(0, -0.02), 1.1, 0.7)
    layer.line([(x, y - place.size * 0.012) for x, y in deck], shade_colour(stone, 1.15), place.size * 0.02)
    stage.canvas.lay(layer)


def paint_pyramid(stage: Stage, place: Place) -> None:
    """A stone pyramid, one face in the light and one in the shade."""
    canvas, size = stage.canvas, place.size
    stone = stage.choose_colour(place.noun, place.index, rgb("#d9b37c"))
    layer = canvas.create_layer(place.x - size * 1.1, place.y - size * 1.1, place.x + size * 1.1, place.y + size * 0.1)
    # Where the edge between the two faces meets the ground: the lit face is the broader one.
    ridge = 0.34 if stage.sun[0] < place.x else -0.34
    left, right = (
        place.to_canvas_points((-0.95, 0.04), (0, 1), (ridge, -0.03)),
        place.to_canvas_points((0.95, 0.04), (0, 1), (ridge, -0.03)),
    )
    bright, dim = (left, right) if ridge > 0 else (right, left)
    layer.poly(bright, shade_colour(stone, 1.1))
    layer.poly(dim, mix(shade_colour(stone, 0.55), stage.mood.shade, 0.25))
    # Courses of stone, bent at the edge between the faces.
    for up in np.linspace(0.06, 0.94, 22):
        reach = 0.95 * (1 - float(up))
        course = place.to_canvas_points(
            (-reach, up + 0.04 * (1 - up)), (ridge * (1 - up), up - 0.03 * (1 - up)), (reach, up + 0.04 * (1 - up))
        )
        layer.line(course, shade_colour(stone, 0.62), size * 0.003)
    layer.texture(canvas.make_rng(f"pyramid{place.index}"), size * 0.05, 0.12)
    layer.gradient(place.to_canvas(0, 1), place.to_canvas(0, 0), 1.05, 0.88)
    canvas.lay(layer)
