"""The drawing surface: a canvas of floats, and 8-bit layers composed onto it.

Coordinates are pixels, x to the right and y down; ``unit`` is the shorter side, by which sizes are scaled. Colours are
``float32`` RGB in [0, 1]. Each part of a picture takes random numbers from a generator of its own, named after it, so
that adding a boat does not move the clouds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

from atelier_mcp.server.engine.pixels import make_cloud_noise, make_rng

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.engine.pixels import Array, Colours, Plane

Point: TypeAlias = "tuple[float, float]"
Outline: TypeAlias = "Sequence[Point] | Array"

_SHIFT: Final = 4  # OpenCV takes vertices in sixteenths of a pixel
_ELLIPSE_STEPS: Final = 48  # ellipses are polygons, so that they can be rotated and clipped like any outline


def rotate_points(points: Array, centre: Point, degrees: float) -> Array:
    """The points ``(n, 2)`` turned clockwise (as seen on screen, y down) about a centre."""
    angle = np.radians(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], np.float32)
    return (points - np.asarray(centre, np.float32)) @ rotation + np.asarray(centre, np.float32)


def build_ellipse(centre: Point, radius_x: float, radius_y: float | None = None, *, degrees: float = 0) -> Array:
    """The outline of an ellipse, ``(48, 2)``; a circle when one radius is given."""
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_STEPS, endpoint=False, dtype=np.float32)
    tall = radius_x if radius_y is None else radius_y
    points = np.stack([centre[0] + np.cos(angles) * radius_x, centre[1] + np.sin(angles) * tall], axis=1)
    return rotate_points(points, centre, degrees) if degrees else points


def smooth_curve(points: Outline, *, closed: bool = False, steps: int = 8) -> Array:
    """A Catmull-Rom curve through the points, ``steps`` vertices for each of them, ``(n, 2)``.

    It passes through every point, which a Bezier curve would not: outlines can be read off a sketch.
    """
    knots = np.asarray(points, np.float32)
    # A curve needs a neighbour beyond each end: a closed one has those across the seam, an open one repeats its ends.
    ends = (knots[-1:], knots[:2]) if closed else (knots[:1], knots[-1:])
    knots = np.concatenate([ends[0], knots, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False, dtype=np.float32)[None, :, None]
    before, start, end, after = (knots[at : len(knots) - 3 + at, None] for at in range(4))
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    flat = curve.reshape(-1, 2)
    return flat if closed else np.concatenate([flat, knots[-1:]])


def _to_vertices(points: Outline, origin: tuple[int, int]) -> Array:
    scaled = (np.asarray(points, np.float32) - np.asarray(origin, np.float32)) * (1 << _SHIFT)
    # A point far outside, in sixteenths, overflows OpenCV's 32-bit arithmetic and draws a line across the canvas.
    return np.round(np.clip(scaled, -(2**24), 2**24)).astype(np.int32)


def _blur_plane(plane: Array, blur: float) -> Array:
    """The plane blurred; a wide blur is done on a reduced copy, which looks the same."""
    # Reduced by a third of the blur, which leaves a blur of about three pixels to do.
    step = int(blur / 3)
    # A plane of less than four reduced pixels would be averaged away.
    if step < 2 or min(plane.shape[:2]) < 4 * step:
        return cv2.GaussianBlur(plane, (0, 0), blur)
    height, width = plane.shape[:2]
    small = cv2.resize(plane, (width // step, height // step), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), blur / step), (width, height))


class Canvas:
    """An RGB image of ``float32`` in [0, 1] that is being painted.

    Floats, because hundreds of translucent strokes lie over each other and bytes would band. Methods clip to the
    canvas: whatever lies outside of it is legal and not drawn.
    """

    def __init__(self, width: int, height: int, *key: object) -> None:
        """A black canvas; the key, with the name of a part, seeds that part's generator."""
        self.width: int = width
        self.height: int = height
        self.unit: float = float(min(width, height))
        self.image: Colours = np.zeros((height, width, 3), np.float32)
        self._key = key

    def make_rng(self, part: str) -> np.random.Generator:
        """The generator of one part of the picture."""
        return make_rng("paint", *self._key, part)

    def get_rows(self) -> Plane:
        """A column of the rows' numbers."""
        return np.arange(self.height, dtype=np.float32)[:, None]

    def get_columns(self) -> Plane:
        """A row of the columns' numbers."""
        return np.arange(self.width, dtype=np.float32)[None, :]

    def blend(self, cover: Plane, colour: Array, *, top: int = 0, bottom: int | None = None) -> None:
        """Mix a colour (or a plane of them) into the rows from ``top`` to ``bottom`` by a plane ``cover`` in [0, 1]."""
        view: Colours = self.image[top:bottom]
        view += (colour - view) * cover[..., None]

    def poly(self, points: Outline, colour: Array, *, opacity: float = 1.0, blur: float = 0.0) -> None:
        """Fill an outline, its edge blurred by ``blur`` pixels."""
        # Three sigmas out a blurred edge is below half a step of a byte; two pixels are for the anti-aliasing.
        window = self._find_window(points, 2 + 3 * blur)
        if window is None:
            return
        x0, y0, x1, y1 = window
        plane = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(plane, [_to_vertices(points, (x0, y0))], (255,), cv2.LINE_AA, _SHIFT)
        self._blend_plane(window, plane, colour, opacity, blur)

    def ellipse(
        self,
        centre: Point,
        radius_x: float,
        radius_y: float | None = None,
        *,
        colour: Array,
        opacity: float = 1.0,
        blur: float = 0.0,
        degrees: float = 0.0,
    ) -> None:
        """Fill an ellipse, a circle when one radius is given."""
        self.poly(build_ellipse(centre, radius_x, radius_y, degrees=degrees), colour, opacity=opacity, blur=blur)

    def line(self, points: Outline, colour: Array, width: float, *, opacity: float = 1.0, blur: float = 0.0) -> None:
        """Draw a line; one thinner than a pixel is drawn fainter instead."""
        window = self._find_window(points, width + 2 + 3 * blur)
        if window is None:
            return
        x0, y0, x1, y1 = window
        plane = np.zeros((y1 - y0, x1 - x0), np.uint8)
        thickness = max(1, round(width))
        cv2.polylines(
            plane, [_to_vertices(points, (x0, y0))], False, (255,), thickness, cv2.LINE_AA, _SHIFT
        )  # OpenCV's order
        self._blend_plane(window, plane, colour, opacity * min(1.0, width), blur)

    def glow(self, centre: Point, radius: float, colour: Array, *, strength: float = 0.8) -> None:
        """Add light around a point: a bright core and a long tail, nothing beyond four radii.

        Computed on every n-th pixel and enlarged, as it has no edges. Light is added by ``1 - image``, so that it never
        exceeds 1.
        """
        reach = radius * 4
        window = self._find_window([(centre[0] - reach, centre[1] - reach), (centre[0] + reach, centre[1] + reach)], 0)
        if window is None:
            return
        x0, y0, x1, y1 = window
        step = max(1, int(radius / 24))
        # One sample beyond the edge: enlarged, the plane must cover the window, which then cuts it.
        columns = np.arange(x0, x1 + step, step, dtype=np.float32)[None, :] - np.float32(centre[0])
        rows = np.arange(y0, y1 + step, step, dtype=np.float32)[:, None] - np.float32(centre[1])
        distance = (columns**2 + rows**2) / np.float32(radius**2)
        # ``distance`` is squared, in radii: 16 stands for the four radii where the light ends.
        fade = np.clip(1 - distance / 16, 0, 1)
        light = (np.exp(-distance) * 0.6 + 0.4 / (1 + distance * 3)) * fade**2 * np.float32(strength)
        light = cv2.resize(light, None, fx=step, fy=step)[: y1 - y0, : x1 - x0, None]
        view = self.image[y0:y1, x0:x1]
        view += (1 - view) * np.clip(light * colour, 0, 1)

    def beam(self, outline: Outline, source: Point, reach: float, colour: Array, strength: float) -> None:
        """Add a shaft of light that fades with the distance from its source; ``reach`` is where half of it is left."""
        # Room for the blur below, whose sigma is unit / 110.
        window = self._find_window(outline, self.unit / 30)
        if window is None:
            return
        x0, y0, x1, y1 = window
        plane = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(plane, [_to_vertices(outline, (x0, y0))], (255,), cv2.LINE_AA, _SHIFT)
        columns = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(source[0])
        rows = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(source[1])
        fade = 1 / (1 + (columns**2 + rows**2) / np.float32(reach**2))
        light = cv2.GaussianBlur(plane.astype(np.float32), (0, 0), self.unit / 110) * fade * np.float32(strength / 255)
        view = self.image[y0:y1, x0:x1]
        view += (1 - view) * (light[..., None] * colour)

    def create_layer(self, left: float, top: float, right: float, bottom: float) -> Layer:
        """An empty layer of that part of the canvas; it may reach beyond the edges."""
        return Layer(int(left), int(top), max(1, int(right - left)), max(1, int(bottom - top)))

    def lay(self, layer: Layer, *, opacity: float = 1.0, blur: float = 0.0, mirror_at: float | None = None) -> None:
        """Compose a layer onto the canvas, upside down below the row ``mirror_at`` if there is one.

        Its colours are premultiplied: what is there times (1 - alpha), plus the colours. Blurring premultiplied colours
        leaves no dark fringe from the black of its empty pixels.
        """
        pixels, left, top = layer.get_painted_part(margin=round(3 * blur))
        if blur:
            pixels = _blur_plane(pixels, blur)
        height, width = pixels.shape[:2]
        if mirror_at is not None:
            pixels = pixels[::-1]
            top = int(2 * mirror_at) - top - height
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(self.width, left + width), min(self.height, top + height)
        if x1 <= x0 or y1 <= y0:
            return
        pixels = pixels[y0 - top : y1 - top, x0 - left : x1 - left]
        view = self.image[y0:y1, x0:x1]
        view *= 1 - pixels[..., 3:] * np.float32(opacity)
        view += pixels[..., :3] * np.float32(opacity)

    def _find_window(self, points: Outline, margin: float) -> tuple[int, int, int, int] | None:
        """Left, top, right and bottom of what an outline touches, clipped; None when that is nothing."""
        corners = np.asarray(points, np.float32)
        x0, y0 = np.maximum(0, np.floor(corners.min(axis=0) - margin)).astype(int)
        x1, y1 = np.minimum([self.width, self.height], np.ceil(corners.max(axis=0) + margin + 1)).astype(int)
        return None if x1 <= x0 or y1 <= y0 else (int(x0), int(y0), int(x1), int(y1))

    def _blend_plane(
        self, window: tuple[int, int, int, int], plane: Array, colour: Array, opacity: float, blur: float
    ) -> None:
        x0, y0, x1, y1 = window
        cover = plane.astype(np.float32) * np.float32(opacity / 255)
        if blur:
            cover = _blur_plane(cover, blur)
        view = self.image[y0:y1, x0:x1]
        view += (colour - view) * cover[..., None]


class Layer:
    """A thing painted by itself: RGBA with colour premultiplied, at a place on the canvas.

    Shapes are drawn in bytes, since OpenCV anti-aliases only those; shading is computed in floats, on the bounding box
    of what is painted. ``_floats`` holds that part while shading goes on, and is None when the bytes are current:
    `_get_floats` and `_get_bytes` convert as needed, so drawing and shading can alternate freely.
    """

    def __init__(self, left: int, top: int, width: int, height: int) -> None:
        """A transparent layer whose upper left corner lies at (left, top) of the canvas, perhaps outside of it."""
        self.left: int = left
        self.top: int = top
        self.width: int = width
        self.height: int = height
        self._pixels = np.zeros((height, width, 4), np.uint8)
        self._floats: Colours | None = None
        self._corner = (0, 0)

    def get_painted_part(self, *, margin: int = 0) -> tuple[Colours, int, int]:
        """Premultiplied RGBA floats of the painted part, a margin around it, and its left and top on the canvas."""
        floats = self._get_floats()
        if margin:
            floats = cv2.copyMakeBorder(floats, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
        return floats, self.left + self._corner[0] - margin, self.top + self._corner[1] - margin

    def poly(self, points: Outline, colour: Array) -> None:
        """Fill an outline."""
        cv2.fillPoly(
            self._get_bytes(), [_to_vertices(points, (self.left, self.top))], _to_rgba(colour), cv2.LINE_AA, _SHIFT
        )

    def ellipse(
        self, centre: Point, radius_x: float, radius_y: float | None = None, *, colour: Array, degrees: float = 0.0
    ) -> None:
        """Fill an ellipse, a circle when one radius is given."""
        spot = (round((centre[0] - self.left) * (1 << _SHIFT)), round((centre[1] - self.top) * (1 << _SHIFT)))
        tall = radius_x if radius_y is None else radius_y
        axes = (max(1, round(radius_x * (1 << _SHIFT))), max(1, round(tall * (1 << _SHIFT))))
        cv2.ellipse(self._get_bytes(), spot, axes, degrees, 0, 360, _to_rgba(colour), -1, cv2.LINE_AA, _SHIFT)

    def dot(self, centre: Point, radius: float, colour: Array) -> None:
        """Fill a circle; the cheapest dab."""
        spot = (round((centre[0] - self.left) * (1 << _SHIFT)), round((centre[1] - self.top) * (1 << _SHIFT)))
        size = max(1, round(radius * (1 << _SHIFT)))
        cv2.circle(self._get_bytes(), spot, size, _to_rgba(colour), -1, cv2.LINE_AA, _SHIFT)

    def line(self, points: Outline, colour: Array, width: float) -> None:
        """Draw a line at least one pixel wide."""
        vertices = [_to_vertices(points, (self.left, self.top))]
        thickness = max(1, round(width))
        cv2.polylines(
            self._get_bytes(), vertices, False, _to_rgba(colour), thickness, cv2.LINE_AA, _SHIFT
        )  # OpenCV's order

    def taper(self, points: Outline, colour: Array, start_width: float, end_width: float) -> None:
        """Draw a curve whose width goes from one value to another: a tail, a branch, a stem."""
        curve = np.asarray(points, np.float32)
        along = np.gradient(curve, axis=0)
        normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
        # Two equal points have no direction: with the addend their normal is 0 and not nan.
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + np.float32(1e-6)
        half = np.linspace(start_width / 2, end_width / 2, len(curve), dtype=np.float32)[:, None]
        self.poly(np.concatenate([curve + normal * half, (curve - normal * half)[::-1]]), colour)

    def gradient(self, start: Point, end: Point, first: float, second: float) -> None:
        """Brighten what is painted by a factor that goes from ``first`` at one point to ``second`` at another."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        columns, rows = self._compute_offsets(start)
        share = np.clip((columns * dx + rows * dy) / np.float32(dx * dx + dy * dy + 1e-6), 0, 1)
        self._scale_light(first + (second - first) * share)

    def inflate(self, *, towards: Point, depth: float, strength: float = 0.5, rim: Array | None = None) -> None:
        """Shade what is painted as if it bulged, lit from a direction; ``depth`` is the radius of its roundness.

        The height is the root of the distance from the outline, as on a ball; its slopes against the light give the
        shading. ``rim`` adds light of that colour along edges that face it.
        """
        # The part is its own bounding box: without a border of nothing, its sides would not count as outline.
        cover = cv2.copyMakeBorder(self._get_floats()[..., 3], 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        inside = cv2.distanceTransform((cover > 0.5).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        height = np.sqrt(np.clip(inside / np.float32(depth), 0, 1))
        # Smoothed, or the lines where distances from two sides meet would show as creases.
        height = cv2.GaussianBlur(height, (0, 0), max(0.8, depth * 0.22))
        # An eighth normalises Sobel's kernel; times the depth, bodies of any size have the same slopes.
        slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=depth / 8)
        slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=depth / 8)
        lit = -(slope_x * np.float32(towards[0]) + slope_y * np.float32(towards[1]))
        self._scale_light(1 + np.clip(lit, -1, 1) * np.float32(strength))
        if rim is not None:
            edge = np.clip(lit - 0.35, 0, 1) * np.exp(-inside / np.float32(max(1.0, depth * 0.22)))
            self._add_light(edge[..., None] * rim * np.float32(0.9))

    def texture(self, rng: np.random.Generator, cell: float, strength: float, *, stretch: float = 1.0) -> None:
        """Vary the lightness of what is painted with noise."""
        height, width = self._get_floats().shape[:2]
        noise = make_cloud_noise(rng, height, width, cell, octaves=3, stretch=stretch)
        self._scale_light(1 + (noise - np.float32(0.5)) * np.float32(2 * strength))

    def fray(self, rng: np.random.Generator, cell: float, softness: float) -> None:
        """Turn dabs into foam: blur them together, then break the blur up with noise."""
        floats = cv2.GaussianBlur(self._get_floats(), (0, 0), softness)
        cover = floats[..., 3]
        torn = make_cloud_noise(rng, cover.shape[0], cover.shape[1], cell, octaves=4, stretch=2.0)
        # Where dabs are dense the noise takes nothing away, where they are thin it tears holes.
        frayed = np.clip((cover * 1.15 + torn * 1.5 - 1.15) * 1.7, 0, 1)
        # The colours are premultiplied: they shrink with their cover.
        self._floats = floats * (frayed / np.maximum(cover, np.float32(1e-3)))[..., None]

    def shade_ball(self, brightest: Point, radius: float) -> None:
        """Shade what is painted like a ball whose brightest place is given."""
        columns, rows = self._compute_offsets(brightest)
        away = np.sqrt(columns**2 + rows**2) / np.float32(radius)
        self._scale_light(np.clip(1.22 - 0.98 * away**1.5, 0.2, 1.25))

    def emboss(self, make_height: Callable[[int, int], Plane], towards: Point, strength: float) -> None:
        """Shade what is painted by the slopes of a height field, asked for by its height and width in pixels."""
        height = make_height(*self._get_floats().shape[:2])
        slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
        slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
        lit = -(slope_x * np.float32(towards[0]) + slope_y * np.float32(towards[1]))
        self._scale_light(1 + np.clip(lit * np.float32(strength), -0.75, 0.9))

    def _scale_light(self, factor: Plane) -> None:
        floats = self._get_floats()
        # Premultiplied: no colour may exceed its alpha, or the layer would glow where it is translucent.
        floats[..., :3] = np.clip(floats[..., :3] * factor[..., None], 0, floats[..., 3:])

    def _add_light(self, light: Colours) -> None:
        floats = self._get_floats()
        floats[..., :3] = np.clip(floats[..., :3] + light * floats[..., 3:], 0, floats[..., 3:])

    def _compute_offsets(self, point: Point) -> tuple[Plane, Plane]:
        """Columns and rows of the painted part, counted from a point."""
        height, width = self._get_floats().shape[:2]
        left, top = self.left + self._corner[0], self.top + self._corner[1]
        columns = np.arange(width, dtype=np.float32)[None, :] + np.float32(left - point[0])
        rows = np.arange(height, dtype=np.float32)[:, None] + np.float32(top - point[1])
        return columns, rows

    def _get_floats(self) -> Colours:
        if self._floats is None:
            x, y, width, height = cv2.boundingRect(np.ascontiguousarray(self._pixels[..., 3]))
            self._corner = (x, y)
            # An empty layer has a box of no size: one transparent pixel of it keeps the planes from being empty.
            part = self._pixels[y : y + max(1, height), x : x + max(1, width)]
            self._floats = part.astype(np.float32) / np.float32(255)
        return self._floats

    def _get_bytes(self) -> Array:
        """The pixels to draw on, brought up to date with what shading did."""
        if self._floats is not None:
            height, width = self._floats.shape[:2]
            x, y = self._corner
            self._pixels[y : y + height, x : x + width] = (self._floats * 255 + 0.5).astype(np.uint8)
            self._floats = None
        return self._pixels


def _to_rgba(colour: Array) -> tuple[float, float, float, float]:
    red, green, blue = (float(part) * 255 for part in np.clip(colour, 0, 1))
    return red, green, blue, 255.0
