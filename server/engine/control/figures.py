"""Control maps of people: a guessed pose, and the region of the face; both from `faces.detect_faces`.

No limb is ever seen here: a face tells where a person is and how large, and a standing figure is hung below it.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine.faces import detect_faces
from atelier_mcp.server.engine.pixels import resize
from atelier_mcp.server.engine.saliency import compute_saliency
from atelier_mcp.server.engine.style.marks import compute_unit

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Mask, Pixels

SILHOUETTE_SIDE: Final = 240
SILHOUETTE_FROM: Final = 0.45
"""Saliency above which a pixel belongs to the silhouette."""

JOINTS: Final = {
    "nose": (0.0, 0.10),
    "neck": (0.0, 0.92),
    "right shoulder": (-0.98, 1.05),
    "right elbow": (-1.30, 2.25),
    "right wrist": (-1.15, 3.30),
    "left shoulder": (0.98, 1.05),
    "left elbow": (1.30, 2.25),
    "left wrist": (1.15, 3.30),
    "right hip": (-0.58, 3.30),
    "right knee": (-0.62, 5.05),
    "right ankle": (-0.64, 6.70),
    "left hip": (0.58, 3.30),
    "left knee": (0.62, 5.05),
    "left ankle": (0.64, 6.70),
    "right eye": (-0.20, -0.10),
    "left eye": (0.20, -0.10),
    "right ear": (-0.46, -0.02),
    "left ear": (0.46, -0.02),
}
"""A standing figure of ordinary proportions, in face widths from the middle of the face; the 18 points of OpenPose.

Right is the person's right, on the left of the image. The order is OpenPose's, as colours go by it.
"""

LIMBS: Final = (
    ("neck", "right shoulder"),
    ("neck", "left shoulder"),
    ("right shoulder", "right elbow"),
    ("right elbow", "right wrist"),
    ("left shoulder", "left elbow"),
    ("left elbow", "left wrist"),
    ("neck", "right hip"),
    ("right hip", "right knee"),
    ("right knee", "right ankle"),
    ("neck", "left hip"),
    ("left hip", "left knee"),
    ("left knee", "left ankle"),
    ("neck", "nose"),
    ("nose", "right eye"),
    ("right eye", "right ear"),
    ("nose", "left eye"),
    ("left eye", "left ear"),
)
STICK_BRIGHTNESS: Final = 0.6
"""OpenPose draws its sticks at three fifths of full brightness."""
WITH_FACE: Final = frozenset({"openpose_face", "openpose_faceonly", "openpose_full"})
WITH_HANDS: Final = frozenset({"openpose_hand", "openpose_full"})


class FaceSquare(NamedTuple):
    """A square around a face, in pixels of the picture."""

    left: int
    top: int
    side: int


def extract_face_region(image: Pixels, *, reach: float) -> Pixels:
    """The largest face in an oval, the rest black; ``reach`` scales the oval. All black when no face is found."""
    boxes = _find_faces(image)
    mask = np.zeros(image.shape[:2], np.uint8)
    if boxes:
        face = boxes[0]
        # Boxes sit a little high on the face, so the oval is lowered.
        middle = (face.left + face.side // 2, face.top + round(face.side * 0.52))
        axes = (round(face.side * 0.46 * reach), round(face.side * 0.62 * reach))
        cv2.ellipse(mask, middle, axes, 0, 0, 360, 255, -1)
    return cv2.bitwise_and(image, image, mask=mask)


def draw_pose(image: Pixels, pre_processor: str) -> Pixels:
    """A guessed pose in OpenPose's coloured limbs on black.

    A face gives its place and size to a standing figure of ordinary proportions, of which the part inside the
    frame is drawn: arms and legs are assumed, not seen. Without a face the middle line of what stands out in the
    picture is drawn instead; ``openpose_faceonly`` then stays black.
    """
    drawing = np.zeros_like(image)
    boxes = _find_faces(image)
    if not boxes:
        return drawing if pre_processor == "openpose_faceonly" else _draw_middle_line(image)
    for box in boxes:
        if pre_processor != "openpose_faceonly":
            _draw_body(drawing, box, hands=pre_processor in WITH_HANDS)
        if pre_processor in WITH_FACE:
            _draw_face(drawing, box)
    return drawing


def _find_faces(image: Pixels) -> list[FaceSquare]:
    """The faces in the picture, the largest first."""
    boxes = [FaceSquare(face.x, face.y, face.width) for face in detect_faces(image)]
    return sorted(boxes, key=lambda box: (-box.side, box.left, box.top))


def _draw_body(drawing: Pixels, box: FaceSquare, *, hands: bool) -> None:
    thickness = max(2, round(box.side * 0.09))
    for number, (start, end) in enumerate(LIMBS):
        # A limb that begins in the picture may end outside of it, as in a portrait.
        if _is_inside(drawing, _locate_joint(box, start)):
            stick = _compute_hue(number, len(JOINTS), brightness=STICK_BRIGHTNESS)
            cv2.line(drawing, _locate_joint(box, start), _locate_joint(box, end), stick, thickness, cv2.LINE_AA)
    for number, name in enumerate(JOINTS):
        cv2.circle(
            drawing,
            _locate_joint(box, name),
            round(thickness * 0.6),
            _compute_hue(number, len(JOINTS)),
            -1,
            cv2.LINE_AA,
        )
    if hands:
        for wrist, side in (("right wrist", -1), ("left wrist", 1)):
            _draw_hand(drawing, _locate_joint(box, wrist), side * box.side)


def _draw_hand(drawing: Pixels, wrist: tuple[int, int], size: int) -> None:
    for finger in range(5):
        # Downwards, since the arms of the figure hang.
        angle = np.radians(60 + 15 * finger)
        tip = (wrist[0] + round(0.45 * size * np.cos(angle)), wrist[1] + round(0.45 * abs(size) * np.sin(angle)))
        cv2.line(drawing, wrist, tip, _compute_hue(finger, 5), max(1, abs(size) // 40), cv2.LINE_AA)


def _draw_face(drawing: Pixels, box: FaceSquare) -> None:
    """The outline, brows, eyes, nose and mouth of an ordinary face as white points."""
    jaw = [(0.47 * np.cos(a), 0.08 + 0.56 * np.sin(a)) for a in np.linspace(-0.1, np.pi + 0.1, 17)]
    brows = [(side * x, -0.22) for side in (-1, 1) for x in np.linspace(0.10, 0.32, 5)]
    eyes = [
        (side * 0.20 + 0.07 * np.cos(a), -0.10 + 0.035 * np.sin(a)) for side in (-1, 1) for a in np.linspace(0, 5.24, 6)
    ]
    nose = [(0.0, y) for y in np.linspace(-0.08, 0.10, 4)] + [(x, 0.14) for x in np.linspace(-0.08, 0.08, 5)]
    mouth = [(0.17 * np.cos(a), 0.33 + 0.06 * np.sin(a)) for a in np.linspace(0, 5.76, 12)]
    for x, y in (*jaw, *brows, *eyes, *nose, *mouth):
        cv2.circle(drawing, _locate(box, float(x), float(y)), max(1, box.side // 60), (255, 255, 255), -1, cv2.LINE_AA)


def _locate_joint(box: FaceSquare, name: str) -> tuple[int, int]:
    return _locate(box, *JOINTS[name])


def _locate(box: FaceSquare, x: float, y: float) -> tuple[int, int]:
    return round(box.left + box.side * (0.5 + x)), round(box.top + box.side * (0.5 + y))


def _is_inside(drawing: Pixels, point: tuple[int, int]) -> bool:
    return 0 <= point[0] < drawing.shape[1] and 0 <= point[1] < drawing.shape[0]


def _compute_hue(number: int, count: int, *, brightness: float = 1.0) -> tuple[int, int, int]:
    """The colours of OpenPose: equal steps around the colour circle."""
    red, green, blue = colorsys.hsv_to_rgb(number / count, 1, brightness)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_middle_line(image: Pixels) -> Pixels:
    """The thinned silhouette of what stands out, coloured from its top to its bottom."""
    height, width = image.shape[:2]
    scale = min(1.0, SILHOUETTE_SIDE / max(height, width))
    small = resize(image, max(8, round(width * scale)), max(8, round(height * scale)))
    silhouette = _keep_largest_part((compute_saliency(small) > SILHOUETTE_FROM).astype(np.uint8) * 255)
    # Thinning turns every bump of an outline into a branch: a round outline has few.
    rounded = (cv2.GaussianBlur(silhouette, (0, 0), 5) > 127).astype(np.uint8) * 255
    thin = cv2.ximgproc.thinning(rounded)
    drawing = np.zeros_like(image)
    for y, x in np.argwhere(thin > 0).tolist():
        point = (round((x + 0.5) * width / small.shape[1]), round((y + 0.5) * height / small.shape[0]))
        cv2.circle(
            drawing, point, max(2, round(6 * compute_unit(image))), _compute_hue(y, small.shape[0]), -1, cv2.LINE_AA
        )
    return drawing


def _keep_largest_part(mask: Mask) -> Mask:
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return mask
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    return (labels == largest).astype(np.uint8) * 255
