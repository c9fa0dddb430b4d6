"""The functions a worker process is asked to run: encoded images and plain values in, encoded images out.

Loaded in the worker processes alone. They are called by name: the emulator stores names of this module in its tasks
(also ``training_image``, which is why that one is no verb), and the pool's workers resolve them.

An image is JPEG, PNG, WebP or TIFF bytes (HEIF with the ``heif`` extra). A mask from outside is black where there is
work to do and white elsewhere, cut at mid-grey, transparency counting as white; inside the engine it is the other way
round. A mask of another size than its image is scaled to it. Whatever cannot be done raises ``ValueError`` with words
for the caller; the pool keeps those words, while any other exception becomes a ``WorkerError``. An `EngineResult`
holds the images, a small JPEG of each, each one before its watermark, and notes for the caller.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np

from atelier_mcp.server.engine import cutout as cutting
from atelier_mcp.server.engine import erase as erasing
from atelier_mcp.server.engine import face_swap, pixels, style_profile
from atelier_mcp.server.engine import inpaint as inpainting
from atelier_mcp.server.engine import outpaint as outpainting
from atelier_mcp.server.engine import upscale as enlarging
from atelier_mcp.server.engine.describe import describe as describe_image
from atelier_mcp.server.engine.faces import detect_faces
from atelier_mcp.server.engine.generate import generate as generate_images
from atelier_mcp.server.engine.paint import has_own_light, names_anything, paint_element
from atelier_mcp.server.engine.prompt import read_prompt, remove_unwanted
from atelier_mcp.server.engine.recolour import find_new_colours, recolour
from atelier_mcp.server.engine.remarks import format_mask_remarks, format_negative_remarks
from atelier_mcp.server.engine.result_encoder import ResultEncoder, shrink_to_fit
from atelier_mcp.server.engine.segment import cut_to_rgba
from atelier_mcp.server.engine.segment import segment as segment_subject
from atelier_mcp.server.engine.style import stylise as apply_style
from atelier_mcp.server.engine.tasks import EngineControl, EngineResult, FileFormat, GenerateTask, Watermark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.cutout import Cut, MarkKind
    from atelier_mcp.server.engine.faces import DetectedFace, FaceKind
    from atelier_mcp.server.engine.pixels import Mask, Pixels

TRAINING_IMAGE_PX: Final = 512
LEAST_CONFIDENCE: Final = 0.45
"""From this confidence on, a cut nobody asked for counts as the subject that must not be repeated in a margin."""
PROFILE_PROMPTS: Final = ("a lake in the mountains at dawn", "a harbour with sailing boats", "flowers in a vase")
"""What a built-in style profile is learnt from: unlike scenes, as it is to hold what the style adds, not the scene."""
PROFILE_IMAGE_PX: Final = 512
LEAST_ELEMENT_PX: Final = 64
"""An element for a tiny mask is painted at this size and reduced: painted smaller, it would be a blot."""


def generate(
    *, controls: Sequence[Mapping[str, Any]], profiles: Sequence[tuple[bytes | str, float]], **task: Any
) -> EngineResult:
    """Images from a prompt; the arguments are the fields of ``GenerateTask``.

    A control is the fields of ``EngineControl``; a profile is the bytes `learn` returned, or the name of a style, whose
    profile is then learnt from images the engine makes itself.
    """
    return generate_images(
        GenerateTask(
            **task,
            controls=tuple(EngineControl(**control) for control in controls),
            profiles=tuple((_load_profile(profile), weight) for profile, weight in profiles),
        )
    )


def erase(
    *, image: bytes, mask: bytes, seed: int, samples: int, watermark: Watermark, file_format: FileFormat
) -> EngineResult:
    """The image with what the mask covers taken out, at the same size; sample n is filled with ``seed + n``."""
    source = decode_rgb(image)
    hole = erasing.add_margin(pixels.clean_mask(source, decode_mask(mask, source)))
    results = [erasing.refill(source, hole, seed=seed + number) for number in range(samples)]
    return ResultEncoder(seed, file_format, watermark).encode([one.image for one in results], notes=results[0].advice)


def cutout(*, image: bytes, mark: bytes, kind: MarkKind, seed: int, file_format: FileFormat) -> EngineResult:
    """The subject that a rough mark means, as a mask in the outer convention: black on the subject, white elsewhere."""
    source = decode_rgb(image)
    cut = cutting.cut_out(source, decode_mask(mark, source), kind=kind)
    plane = np.where(cut.alpha > 127, 0, 255).astype(np.uint8)
    return ResultEncoder(seed, file_format).encode([np.dstack([plane] * 3)], notes=format_cut_notes(cut))


def segment(*, image: bytes, seed: int, file_format: FileFormat) -> EngineResult:
    """The subject on a transparent ground, or on white as JPG, at the same size."""
    source = decode_rgb(image)
    cut = segment_subject(source, faces=_list_boxes(detect_faces(source)))
    return ResultEncoder(seed, file_format).encode([cut_to_rgba(cut)], notes=format_cut_notes(cut))


def outpaint(
    *,
    image: bytes,
    left: int,
    top: int,
    right: int,
    bottom: int,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> EngineResult:
    """The image continued by that many pixels on each side."""
    source = decode_rgb(image)
    subject = _find_subject(source, detect_faces(source))
    result = outpainting.outpaint(source, left=left, top=top, right=right, bottom=bottom, subject=subject)
    return ResultEncoder(seed, file_format, watermark).encode_copies(result, samples)


def stylise(
    *,
    image: bytes,
    style: str,
    width: int,
    height: int,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> EngineResult:
    """The image in a style, at width x height; sample n is drawn with ``seed + n``."""
    source = decode_rgb(image)
    if source.shape[:2] != (height, width):
        source = pixels.resize(source, width, height)
    images = [apply_style(source, style, seed=seed + number) for number in range(samples)]
    return ResultEncoder(seed, file_format, watermark).encode(images)


def upscale(*, image: bytes, ratio: float, seed: int, watermark: Watermark, file_format: FileFormat) -> EngineResult:
    """The image with each side ``ratio`` times as long, 1 < ratio <= 3."""
    return ResultEncoder(seed, file_format, watermark).encode([enlarging.upscale(decode_rgb(image), ratio)])


def inpaint(
    *,
    image: bytes,
    mask: bytes,
    prompt: str,
    strength: float,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
    negative_prompt: str = "",
) -> EngineResult:
    """The masked area made anew with what the prompt names in it; sample n is made with ``seed + n``.

    A prompt that names nothing but colours, or the colour of somebody's hair, fur, eyes or clothes, recolours it, each
    sample in a shade of its own.
    ``strength`` lies in [0.1, 1]. Services without a negative prompt leave it out.
    """
    source, parsed_prompt = decode_rgb(image), remove_unwanted(read_prompt(prompt), read_prompt(negative_prompt))
    area = decode_mask(mask, source)
    _, _, width, height = cv2.boundingRect(area)
    keeps_light, new_colours = has_own_light(parsed_prompt), find_new_colours(parsed_prompt)

    def inpaint_once(seed: int) -> Pixels:
        if new_colours:
            return recolour(source, area, new_colours, strength=strength, seed=seed)
        # Without anything to paint the place is filled from around it: a landscape of our own choice was not asked.
        element_image = (
            paint_element(
                parsed_prompt, seed=seed, width=max(width, LEAST_ELEMENT_PX), height=max(height, LEAST_ELEMENT_PX)
            )
            if names_anything(parsed_prompt)
            else None
        )
        return inpainting.inpaint(
            source, area, element=element_image, strength=strength, seed=seed, keeps_light=keeps_light
        )

    images = [inpaint_once(seed + number) for number in range(samples)]
    notes = (
        *format_mask_remarks(parsed_prompt, strength=strength),
        *format_negative_remarks(read_prompt(negative_prompt)),
    )
    return ResultEncoder(seed, file_format, watermark).encode(images, notes=notes)


def swap(
    *,
    base: bytes,
    pairs: Sequence[Mapping[str, Any]],
    kind: FaceKind,
    seed: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> EngineResult:
    """The base with faces replaced; a pair is an ``image``, the ``index`` of its face and the ``base_index``."""
    # Decoded once per image: `face_swap.swap` knows a source by its identity and looks for its faces once.
    sources = {data: decode_rgb(data) for data in {pair["image"] for pair in pairs}}
    swaps = [(pair["base_index"], sources[pair["image"]], pair["index"]) for pair in pairs]
    return ResultEncoder(seed, file_format, watermark).encode([face_swap.swap(decode_rgb(base), swaps, kind=kind)])


def faces(*, image: bytes, kind: FaceKind) -> list[dict[str, int]]:
    """The faces' boxes in pixels, left to right."""
    return [
        {"x": face.x, "y": face.y, "width": face.width, "height": face.height}
        for face in detect_faces(decode_rgb(image), kind=kind)
    ]


def describe(*, image: bytes) -> str:
    """What can be measured in an image, in one or two sentences."""
    source = decode_rgb(image)
    found = detect_faces(source)
    return describe_image(source, found, subject=_find_subject(source, found))


def training_image(*, image: bytes, main_object: Literal["Human", "Style"]) -> bytes:
    """An image made small enough to be learnt from beside a thousand others, as JPEG.

    Raises:
        ValueError: the training is about a "Human" and no face is found in it.
    """
    source = decode_rgb(image)
    if main_object == "Human" and not detect_faces(source):
        raise ValueError("the pictures do not suit Human: one of them shows no face that can be found")
    return pixels.encode(shrink_to_fit(source, TRAINING_IMAGE_PX), "JPG")


def learn(*, images: Sequence[bytes]) -> bytes:
    """The style profile of prepared training images, see `style_profile.learn`."""
    return style_profile.learn([decode_rgb(image) for image in images])


def decode_rgb(data: bytes) -> Pixels:
    """The RGB pixels of an encoded image; ValueError when it cannot be read."""
    try:
        return pixels.decode(data)
    except OSError as err:
        raise ValueError("the picture cannot be read: its data is damaged") from err


def decode_mask(mask: bytes, image: Pixels) -> Mask:
    """The engine's mask, 255 where there is work to do, from one in the outer convention (black is work).

    `decode_rgb` lays transparency on white, which is how it comes to mean "leave this".
    """
    height, width = image.shape[:2]
    plane = cv2.cvtColor(decode_rgb(mask), cv2.COLOR_RGB2GRAY)
    if plane.shape != (height, width):
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(plane < 128, 255, 0).astype(np.uint8)


def format_cut_notes(cut: Cut) -> tuple[str, ...]:
    """Advice about a cut and its confidence, as notes."""
    return (*cut.advice, f"confidence {cut.confidence:.2f}")


def _find_subject(source: Pixels, found: Sequence[DetectedFace]) -> Mask | None:
    """255 where the subject is; None when it is not sure that there is one."""
    boxes = _list_boxes(found)
    cut = segment_subject(source, faces=boxes)
    mask = np.where(cut.alpha > 127, 255, 0).astype(np.uint8)
    # A face is proof of a subject. Without one a cut may be of anything: in trials a cup and a flower came out whole,
    # a cat and a rocket did not.
    is_sure = bool(boxes) or cut.confidence >= LEAST_CONFIDENCE
    return mask if is_sure and 0 < cv2.countNonZero(mask) < mask.size else None


def _list_boxes(found: Sequence[DetectedFace]) -> list[tuple[int, int, int, int]]:
    return [(face.x, face.y, face.width, face.height) for face in found]


def _load_profile(profile: bytes | str) -> bytes:
    return profile if isinstance(profile, bytes) else _learn_style_profile(profile)


@cache
def _learn_style_profile(style: str) -> bytes:
    """The profile of a style, learnt from the engine's own images drawn in it; once per process."""
    results = [
        generate_images(GenerateTask(prompt=prompt, seed=seed, width=PROFILE_IMAGE_PX, height=PROFILE_IMAGE_PX))
        for seed, prompt in enumerate(PROFILE_PROMPTS, 1)
    ]
    images = [apply_style(decode_rgb(result.images[0][0]), style, seed=seed) for seed, result in enumerate(results, 1)]
    return style_profile.learn(images)
