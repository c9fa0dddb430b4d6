"""The engine's jobs as a service orders them: encoded pictures and plain values in, encoded pictures out.

Loaded in the worker processes alone. A picture is JPEG, PNG, WebP or TIFF bytes (HEIF with the ``heif`` extra). A mask
on the wire is black where there is work to do and white elsewhere, cut at mid-grey, transparency counting as white; a
mask of another size than its picture is scaled to it. Whatever cannot be done raises ``ValueError`` with words for the
caller. Each function answers with its pictures, a small JPEG of each, what they were before a mark was put on them, and
what the caller should know about them.
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
from atelier_mcp.server.engine.delivery import Delivery, within
from atelier_mcp.server.engine.describe import describe as described
from atelier_mcp.server.engine.faces import detect
from atelier_mcp.server.engine.generate import generate as generated
from atelier_mcp.server.engine.generate import unknown_words, without
from atelier_mcp.server.engine.orders import Control, FileFormat, Generated, GenerateOrder, Watermark
from atelier_mcp.server.engine.paint import element, main_subject
from atelier_mcp.server.engine.paint.subjects import SUBJECTS
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.segment import cut_to_rgba
from atelier_mcp.server.engine.segment import segment as subject_of
from atelier_mcp.server.engine.style import stylise as styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atelier_mcp.server.engine.cutout import Cut, MarkKind
    from atelier_mcp.server.engine.faces import Kind
    from atelier_mcp.server.engine.pixels import Mask, Pixels
    from atelier_mcp.server.engine.prompt import Noun, Prompt

TRAINING_PX: Final = 512
SURE_ENOUGH: Final = 0.45
"""From this confidence on an unasked-for cut counts as the subject that must not be repeated in a margin."""
LESSONS: Final = ("a lake in the mountains at dawn", "a harbour with sailing boats", "flowers in a vase")
LESSON_PX: Final = 512
LEAST_ELEMENT_PX: Final = 64


def generate(
    *, controls: Sequence[Mapping[str, Any]], profiles: Sequence[tuple[bytes | str, float]], **order: Any
) -> Generated:
    """Pictures from a prompt; the arguments are the fields of ``GenerateOrder``.

    A control is the fields of ``Control``; a profile is learnt bytes, or the name of a style the engine learns itself.
    """
    return generated(
        GenerateOrder(
            **order,
            controls=tuple(Control(**control) for control in controls),
            profiles=tuple((_profile(profile), weight) for profile, weight in profiles),
        )
    )


def erase(
    *, picture: bytes, mask: bytes, seed: int, samples: int, watermark: Watermark, file_format: FileFormat
) -> Generated:
    """The picture with what the mask covers taken out, at the same size; sample n is filled with ``seed + n``."""
    source = decoded(picture)
    hole = erasing.with_margin(pixels.marked_area(source, work_area(mask, source)))
    made = [erasing.refilled(source, hole, seed=seed + number) for number in range(samples)]
    return Delivery(seed, file_format, watermark).pictures([one.picture for one in made], notes=made[0].advice)


def cutout(*, picture: bytes, mark: bytes, kind: MarkKind, seed: int, file_format: FileFormat) -> Generated:
    """The subject that a rough mark means as a mask for the wire: black on the subject, white elsewhere."""
    source = decoded(picture)
    cut = cutting.cut_out(source, work_area(mark, source), kind=kind)
    plane = np.where(cut.alpha > 127, 0, 255).astype(np.uint8)
    return Delivery(seed, file_format).pictures([np.dstack([plane] * 3)], notes=cut_notes(cut))


def segment(*, picture: bytes, seed: int, file_format: FileFormat) -> Generated:
    """The subject on a transparent ground, or on white as JPG, at the same size."""
    source = decoded(picture)
    cut = subject_of(source, faces=_face_boxes(source))
    return Delivery(seed, file_format).pictures([cut_to_rgba(cut)], notes=cut_notes(cut))


def outpaint(
    *,
    picture: bytes,
    left: int,
    top: int,
    right: int,
    bottom: int,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> Generated:
    """The picture continued by that many pixels on each side."""
    source = decoded(picture)
    grown = outpainting.outpaint(source, left=left, top=top, right=right, bottom=bottom, subject=_subject(source))
    return Delivery(seed, file_format, watermark).copies(grown, samples)


def stylise(
    *,
    picture: bytes,
    style: str,
    width: int,
    height: int,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> Generated:
    """The picture in a style, at width x height; sample n is drawn with ``seed + n``."""
    source = decoded(picture)
    if source.shape[:2] != (height, width):
        source = pixels.resized(source, width, height)
    made = [styled(source, style, seed=seed + number) for number in range(samples)]
    return Delivery(seed, file_format, watermark).pictures(made)


def upscale(*, picture: bytes, ratio: float, seed: int, watermark: Watermark, file_format: FileFormat) -> Generated:
    """The picture with each side ``ratio`` times as long."""
    return Delivery(seed, file_format, watermark).pictures([enlarging.upscale(decoded(picture), ratio)])


def inpaint(
    *,
    picture: bytes,
    mask: bytes,
    prompt: str,
    strength: float,
    seed: int,
    samples: int,
    watermark: Watermark,
    file_format: FileFormat,
    negative_prompt: str = "",
) -> Generated:
    """The masked area made anew with what the prompt names in it; sample n is made with ``seed + n``."""
    source, wanted = decoded(picture), without(read_prompt(prompt), read_prompt(negative_prompt))
    area = work_area(mask, source)
    _, _, width, height = cv2.boundingRect(area)

    def made(seed: int) -> Pixels:
        drawn = element(wanted, seed=seed, width=max(width, LEAST_ELEMENT_PX), height=max(height, LEAST_ELEMENT_PX))
        return inpainting.inpaint(source, area, element=drawn, strength=strength, seed=seed)

    made_each = [made(seed + number) for number in range(samples)]
    return Delivery(seed, file_format, watermark).pictures(made_each, notes=inpaint_notes(wanted))


def swap(
    *,
    base: bytes,
    pairs: Sequence[Mapping[str, Any]],
    kind: Kind,
    seed: int,
    watermark: Watermark,
    file_format: FileFormat,
) -> Generated:
    """The base with faces replaced; a pair is a ``picture``, the ``index`` of its face and the ``base_index``."""
    sources = {data: decoded(data) for data in {pair["picture"] for pair in pairs}}
    swaps = [(pair["base_index"], sources[pair["picture"]], pair["index"]) for pair in pairs]
    return Delivery(seed, file_format, watermark).pictures([face_swap.swap(decoded(base), swaps, kind=kind)])


def faces(*, picture: bytes, kind: Kind) -> list[dict[str, int]]:
    """The faces' boxes in pixels, left to right."""
    return [
        {"x": face.x, "y": face.y, "width": face.width, "height": face.height}
        for face in detect(decoded(picture), kind=kind)
    ]


def describe(*, picture: bytes) -> str:
    """What can be measured in a picture, in one or two sentences."""
    source = decoded(picture)
    return described(source, subject=_subject(source))


def training_picture(*, picture: bytes, main_object: Literal["Human", "Style"]) -> bytes:
    """A picture made small enough to be learnt from beside a thousand others; one of no person does not suit Human."""
    source = decoded(picture)
    if main_object == "Human" and not detect(source):
        raise ValueError("the pictures do not suit Human: one of them shows no face that can be found")
    return pixels.encode(within(source, TRAINING_PX), "JPG")


def learn(*, pictures: Sequence[bytes]) -> bytes:
    """The style profile of prepared training pictures."""
    return style_profile.learn([decoded(picture) for picture in pictures])


def decoded(picture: bytes) -> Pixels:
    """The pixels of an encoded picture; ValueError when it cannot be read."""
    _register_heif()
    try:
        return pixels.decode(picture)
    except OSError as err:
        raise ValueError("the picture cannot be read: its data is damaged") from err


def work_area(mask: bytes, picture: Pixels) -> Mask:
    """The engine's mask, 255 where there is work to do, of a mask on the wire."""
    height, width = picture.shape[:2]
    plane = cv2.cvtColor(decoded(mask), cv2.COLOR_RGB2GRAY)
    if plane.shape != (height, width):
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(plane < 128, 255, 0).astype(np.uint8)


def cut_notes(cut: Cut) -> tuple[str, ...]:
    """What the caller should know of a cut."""
    return (*cut.advice, f"confidence {cut.confidence:.2f}")


def inpaint_notes(wanted: Prompt) -> tuple[str, ...]:
    """What of a prompt a masked area does not get: one subject is set into it, or a scene, and neither has a style."""
    notes = list(unknown_words(wanted))
    drawn = main_subject(wanted)
    left_out = () if drawn is None else _beside(drawn, wanted)
    if wanted.style is not None:
        left_out = (*left_out, wanted.style)
    if drawn is not None and drawn.count != 1:
        notes.append(f"Under a mask one {drawn.name} is drawn, not several")
    if left_out:
        notes.append(f"Understood, but left out under a mask: {', '.join(left_out)}")
    return tuple(notes)


def _beside(drawn: Noun, wanted: Prompt) -> tuple[str, ...]:
    """What a prompt names besides its main subject; hair and the like belong to it, as flowers do to a vase."""
    with_it = {drawn.name, "portrait", *(("flower",) if drawn.name == "vase" else ())}
    subjects = (noun.name for noun in wanted.subjects if noun.name in SUBJECTS)
    scenes = (noun.name for noun in wanted.scenes)
    return tuple(name for name in (*subjects, *scenes, *wanted.weather) if name not in with_it)


def _subject(source: Pixels) -> Mask | None:
    """Where the subject is, if there surely is one."""
    boxes = _face_boxes(source)
    cut = subject_of(source, faces=boxes)
    mask = np.where(cut.alpha > 127, 255, 0).astype(np.uint8)
    sure = bool(boxes) or cut.confidence >= SURE_ENOUGH
    return mask if sure and 0 < cv2.countNonZero(mask) < mask.size else None


def _face_boxes(source: Pixels) -> list[tuple[int, int, int, int]]:
    return [(face.x, face.y, face.width, face.height) for face in detect(source)]


def _profile(profile: bytes | str) -> bytes:
    return profile if isinstance(profile, bytes) else _built_in_profile(profile)


@cache
def _built_in_profile(style: str) -> bytes:
    """The profile of a style, learnt from the engine's own pictures drawn in it."""
    lessons = [
        generated(GenerateOrder(prompt=prompt, seed=seed, width=LESSON_PX, height=LESSON_PX))
        for seed, prompt in enumerate(LESSONS, 1)
    ]
    drawn = [styled(decoded(lesson.pictures[0][0]), style, seed=seed) for seed, lesson in enumerate(lessons, 1)]
    return style_profile.learn(drawn)


@cache
def _register_heif() -> None:
    """Teach Pillow HEIF where the extra is installed."""
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports, reportUnknownVariableType] # an extra
    except ImportError:
        return
    register_heif_opener()
