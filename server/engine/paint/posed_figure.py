"""A person in a given pose: limbs along the joints of a skeleton, dressed and coloured as the prompt says."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from atelier_mcp.server.engine.paint.canvas import build_ellipse, rotate_points, smooth_curve
from atelier_mcp.server.engine.paint.colour import WHITE, mix, rgb, shade_colour
from atelier_mcp.server.engine.paint.sitter import choose_sitter
from atelier_mcp.server.engine.paint.stage import Place

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.engine.paint.canvas import Layer, Point
    from atelier_mcp.server.engine.paint.sitter import Sitter
    from atelier_mcp.server.engine.paint.stage import Stage
    from atelier_mcp.server.engine.pixels import Array, Colours
    from atelier_mcp.server.engine.prompt import Noun

Pose: TypeAlias = "Mapping[str, Point]"

SHOULDERS: Final = 1.96
TRUNK: Final = 2.38
NECK: Final = 0.82
"""Lengths of an ordinary figure, in face widths: between the shoulders, from neck to hips, from neck to nose."""


def paint_posed_figure(stage: Stage, noun: Noun, pose: Pose, index: int) -> None:
    """The person with its joints where the pose has them; limbs without joints are left out."""
    size = _measure_face(pose)
    neck = np.asarray(pose["neck"], np.float32)
    place = Place(noun, float(neck[0]), float(neck[1] + 6 * size), size * 7.5, index)
    sitter = choose_sitter(stage, place)
    hips = _find_hips(pose, size)
    painter = _FigurePainter(stage, sitter, size)
    for side in ("right", "left"):
        painter.paint_leg(pose, side, hips[side])
    painter.paint_trunk(pose, hips)
    painter.paint_head(pose)
    for side in ("right", "left"):
        painter.paint_arm(pose, side)


def _measure_face(pose: Pose) -> float:
    """The width of the face, by whichever length is least foreshortened."""
    neck = np.asarray(pose["neck"])
    guesses: list[float] = []
    if "right shoulder" in pose and "left shoulder" in pose:
        across = np.asarray(pose["right shoulder"]) - np.asarray(pose["left shoulder"])
        guesses.append(float(np.linalg.norm(across)) / SHOULDERS)
    hips = [np.asarray(pose[name]) for name in ("right hip", "left hip") if name in pose]
    if hips:
        guesses.append(float(np.linalg.norm(np.mean(hips, axis=0) - neck)) / TRUNK)
    if "nose" in pose:
        guesses.append(float(np.linalg.norm(np.asarray(pose["nose"]) - neck)) / NECK)
    return max(2.0, float(np.median(guesses)) if guesses else 2.0)


def _find_hips(pose: Pose, size: float) -> dict[str, Point]:
    """Both hips; one that is missing beside the other, or below the neck."""
    neck = pose["neck"]
    below = {
        "right": (neck[0] - 0.58 * size, neck[1] + TRUNK * size),
        "left": (neck[0] + 0.58 * size, neck[1] + TRUNK * size),
    }
    return {side: pose.get(f"{side} hip", below[side]) for side in ("right", "left")}


class _FigurePainter:
    """The parts of one figure, each a layer of its own, or the shading would melt them together."""

    def __init__(self, stage: Stage, sitter: Sitter, size: float) -> None:
        """A painter of one person, ``size`` being the width of the face in pixels."""
        self._stage = stage
        self._sitter = sitter
        self._size = size
        self._trousers: Colours = stage.mood.apply_light(rgb("#363b49"))

    def paint_leg(self, pose: Pose, side: str, hip: Point) -> None:
        """Trouser leg and shoe."""
        size = self._size
        joints = [hip, *(pose[name] for name in (f"{side} knee", f"{side} ankle") if name in pose)]
        if len(joints) < 2:
            return
        layer = self._create_layer()
        self._draw_limb(layer, joints, self._trousers, (0.8, 0.58, 0.4))
        ankle = joints[-1]
        if len(joints) == 3:
            toe = -0.12 if side == "right" else 0.12
            shoe = (ankle[0] + toe * size, ankle[1] + 0.16 * size)
            layer.ellipse(shoe, size * 0.32, size * 0.19, colour=self._stage.mood.apply_light(rgb("#2a2024")))
        self._lay(layer, 0.3)

    def paint_arm(self, pose: Pose, side: str) -> None:
        """Sleeve and hand."""
        names = (f"{side} shoulder", f"{side} elbow", f"{side} wrist")
        joints = [pose[name] for name in names if name in pose]
        if len(joints) < 2 or names[0] not in pose:
            return
        layer = self._create_layer()
        self._draw_limb(layer, joints, shade_colour(self._sitter.clothes, 0.92), (0.52, 0.42, 0.32))
        if len(joints) == 3:
            reach = np.asarray(joints[2]) - np.asarray(joints[1])
            out = reach / (float(np.linalg.norm(reach)) + 1e-6) * self._size * 0.16
            hand = (float(joints[2][0] + out[0]), float(joints[2][1] + out[1]))
            layer.ellipse(hand, self._size * 0.21, colour=self._sitter.skin)
        self._lay(layer, 0.22)

    def paint_trunk(self, pose: Pose, hips: Mapping[str, Point]) -> None:
        """Neck and shirt."""
        size, neck = self._size, np.asarray(pose["neck"], np.float32)
        shoulders = {
            side: np.asarray(
                pose.get(f"{side} shoulder", (neck[0] + sign * 0.98 * size, neck[1] + 0.13 * size)), np.float32
            )
            for side, sign in (("right", -1), ("left", 1))
        }
        low = {side: np.asarray(hips[side], np.float32) for side in ("right", "left")}
        along = (low["right"] + low["left"]) / 2 - neck
        down = along / (float(np.linalg.norm(along)) + 1e-6) * size
        across = _direct(shoulders["right"], shoulders["left"]) * size
        waist = neck + along * 0.62
        outline = [
            neck - across * 0.25 - down * 0.08, shoulders["right"] - across * 0.16 - down * 0.06,
            shoulders["right"] - across * 0.18 + down * 0.35, waist - across * 0.74,
            low["right"] - across * 0.3 + down * 0.3, (low["right"] + low["left"]) / 2 + down * 0.36,
            low["left"] + across * 0.3 + down * 0.3, waist + across * 0.74,
            shoulders["left"] + across * 0.18 + down * 0.35, shoulders["left"] + across * 0.16 - down * 0.06,
            neck + across * 0.25 - down * 0.08,
        ]  # fmt: skip
        layer = self._create_layer()
        if "nose" in pose:
            head = np.asarray(pose["nose"], np.float32)
            layer.taper(
                np.stack([neck + down * 0.1, neck + (head - neck) * 0.7]),
                shade_colour(self._sitter.skin, 0.85),
                size * 0.46,
                size * 0.42,
            )
        layer.poly(smooth_curve(np.stack(outline), closed=True), self._sitter.clothes)
        self._lay(layer, 0.6)

    def paint_head(self, pose: Pose) -> None:
        """The head around the face's joints; without any, above the neck."""
        size = self._size
        neck = np.asarray(pose["neck"], np.float32)
        eyes = [np.asarray(pose[name], np.float32) for name in ("right eye", "left eye") if name in pose]
        nose = np.asarray(pose["nose"], np.float32) if "nose" in pose else None
        if nose is None and not eyes:
            centre = neck - np.array([0, 0.86 * size], np.float32)
        else:
            centre = np.mean([*eyes, *([nose] if nose is not None else [])], axis=0)
        up = _direct(neck, centre)
        degrees = float(np.degrees(np.arctan2(up[0], -up[1])))
        if len(eyes) == 2 and float(np.linalg.norm(eyes[1] - eyes[0])) > 0.2 * size:
            degrees = float(np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1])))
        layer = self._create_layer()
        self._draw_hair(layer, centre, degrees)
        layer.poly(self._turn(build_ellipse((0, 0.05), 0.47, 0.6), centre, degrees), self._sitter.skin)
        self._lay(layer, 0.4)
        front = self._create_layer()
        self._draw_fringe(front, centre, degrees)
        self._lay(front, 0.2)
        if nose is not None:
            face = self._create_layer()
            self._draw_face(face, centre, degrees)
            self._stage.canvas.lay(face)

    def _draw_hair(self, layer: Layer, centre: Array, degrees: float) -> None:
        long = [
            (-0.5, -0.3),
            (-0.36, -0.72),
            (0, -0.84),
            (0.36, -0.72),
            (0.5, -0.3),
            (0.6, 0.4),
            (0.52, 0.95),
            (0, 0.8),
            (-0.52, 0.95),
            (-0.6, 0.4),
        ]
        short = [
            (-0.5, 0.1),
            (-0.52, -0.3),
            (-0.36, -0.7),
            (0, -0.82),
            (0.36, -0.7),
            (0.52, -0.3),
            (0.5, 0.1),
            (0, 0.2),
        ]
        outline = smooth_curve(long if self._sitter.long_hair else short, closed=True)
        layer.poly(self._turn(outline, centre, degrees), self._sitter.hair)

    def _draw_fringe(self, layer: Layer, centre: Array, degrees: float) -> None:
        outline = [
            (-0.5, -0.08),
            (-0.5, -0.42),
            (-0.3, -0.72),
            (0, -0.8),
            (0.3, -0.72),
            (0.5, -0.42),
            (0.5, -0.08),
            (0.38, -0.34),
            (0.08, -0.42),
            (-0.3, -0.34),
        ]
        layer.poly(self._turn(smooth_curve(outline, closed=True), centre, degrees), self._sitter.hair)

    def _draw_face(self, layer: Layer, centre: Array, degrees: float) -> None:
        size, sitter = self._size, self._sitter
        for side in (-1, 1):
            (spot,) = self._turn(np.array([[side * 0.2, -0.04]]), centre, degrees)
            layer.ellipse(
                (float(spot[0]), float(spot[1])),
                size * 0.085,
                size * 0.058,
                colour=mix(sitter.skin, WHITE, 0.75),
                degrees=degrees,
            )
            layer.dot((float(spot[0]), float(spot[1])), size * 0.052, shade_colour(sitter.iris, 0.7))
            brow = [(side * 0.1, -0.17), (side * 0.2, -0.2), (side * 0.31, -0.16)]
            layer.line(self._turn(smooth_curve(brow), centre, degrees), shade_colour(sitter.hair, 0.8), size * 0.05)
        layer.line(
            self._turn(smooth_curve([(0.01, 0.0), (0.05, 0.15), (-0.03, 0.17)]), centre, degrees),
            shade_colour(sitter.skin, 0.72),
            size * 0.03,
        )
        lips = mix(sitter.skin, rgb("#a8323a"), 0.6)
        layer.line(
            self._turn(smooth_curve([(-0.14, 0.33), (0, 0.37), (0.14, 0.33)]), centre, degrees), lips, size * 0.055
        )

    def _turn(self, outline: Array, centre: Array, degrees: float) -> Array:
        """An outline in face widths around the face's middle, on the canvas."""
        points = np.asarray(outline, np.float32) * np.float32(self._size) + centre.astype(np.float32)
        return rotate_points(points, (float(centre[0]), float(centre[1])), degrees)

    def _draw_limb(self, layer: Layer, joints: list[Point], colour: Colours, widths: tuple[float, ...]) -> None:
        """Two tapering bones with a round joint between them."""
        size = self._size
        for number, (start, end) in enumerate(pairwise(joints)):
            layer.taper(np.asarray([start, end], np.float32), colour, size * widths[number], size * widths[number + 1])
        for joint, width in zip(joints, widths, strict=False):
            layer.dot(joint, size * width / 2, colour)

    def _create_layer(self) -> Layer:
        canvas = self._stage.canvas
        return canvas.create_layer(0, 0, canvas.width, canvas.height)

    def _lay(self, layer: Layer, depth: float) -> None:
        centre = (self._stage.canvas.width / 2, self._stage.canvas.height / 2)
        towards = self._stage.compute_light_direction(*centre)
        layer.inflate(towards=towards, depth=self._size * depth, strength=0.5, rim=self._stage.rim * np.float32(0.7))
        self._stage.canvas.lay(layer)


def _direct(start: Array, end: Array) -> Array:
    """The unit vector from one point to another."""
    step = np.asarray(end, np.float32) - np.asarray(start, np.float32)
    return step / (float(np.linalg.norm(step)) + np.float32(1e-6))
