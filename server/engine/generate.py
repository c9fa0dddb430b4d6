"""Text to image and image to image: a `GenerateTask` in, encoded images out.

The prompt is parsed into the painter's vocabulary and painted; everything else a task asks for works on that painting:
a source image takes its light and colours, controls bend it towards a reference, styles and profiles redraw it.
A preview of a composition, not a photograph: people and animals are plain drawings, and words outside of the
vocabulary are named in the notes, though they still change the image through the seed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine import style_profile
from atelier_mcp.server.engine.control import PASS, compute_control_map, compute_influence, guide
from atelier_mcp.server.engine.control.pose_reader import read_poses
from atelier_mcp.server.engine.paint import make_swatches, paint, paint_in_pose
from atelier_mcp.server.engine.pixels import decode, decode_with_alpha, scale_to_cover, to_bytes, to_float
from atelier_mcp.server.engine.prompt import read_prompt, remove_unwanted
from atelier_mcp.server.engine.remarks import format_image_remarks, format_negative_remarks
from atelier_mcp.server.engine.repaint import repaint
from atelier_mcp.server.engine.result_encoder import ResultEncoder
from atelier_mcp.server.engine.style import stylise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels
    from atelier_mcp.server.engine.prompt import Prompt
    from atelier_mcp.server.engine.tasks import EngineControl, EngineResult, GenerateTask

PLAIN_GUIDANCE: Final = 7.0
"""The services' default, which therefore changes nothing."""
GUIDANCE_STEP: Final = 0.02
"""How much each unit of guidance above or below the plain one adds to contrast and colour."""
FULL_POSE: Final = 1.25
"""A control of weight 1 has an influence of four fifths; a person is wholly there or a ghost."""
NO_FACE: Final = "No face was found in the reference picture, so its face control was left out."
LAID_ON_WHITE: Final = "The source's transparency was laid on white, as a JPEG has none: ask for PNG to keep it"
NO_POSE: Final = "No figure was found in the reference picture, so its pose control was left out."


class _Reference(NamedTuple):
    """A control and the map read from its image."""

    control: EngineControl
    map: Pixels


class _TaskInputs(NamedTuple):
    """What all samples of a task share, read once."""

    task: GenerateTask
    prompt: Prompt
    source: Pixels | None
    alpha: Pixels | None
    """The source's transparency, a byte per pixel, which goes into the results; None where it is opaque."""
    references: tuple[_Reference, ...]


def generate(task: GenerateTask) -> EngineResult:
    """The task's images, exactly ``width`` x ``height``; the same task gives the same bytes in every process.

    Sample n is what sample 0 would be with ``seed + n``. ``guidance`` scales contrast and colour a little around its
    plain value of 7. ``steps`` changes nothing: there is no diffusion to run longer. Known words of the negative
    prompt are taken out of the prompt. The notes name what of the prompt is not in the pictures, and controls that
    found nothing to hold on to.

    Raises:
        ValueError: a control is unknown, or a weight or strength is out of its range.
        OSError: an image cannot be read.
    """
    prompt = remove_unwanted(read_prompt(task.prompt), read_prompt(task.negative_prompt))
    if task.composition:
        prompt = replace(prompt, words=read_prompt(task.composition).words)
    source, alpha = _read_source(task)
    inputs = _TaskInputs(task, prompt, source, alpha, tuple(_read_control(control) for control in task.controls))
    images = [_generate_image(inputs, task.seed + number) for number in range(task.samples)]
    return ResultEncoder(task.seed, task.file_format, task.watermark).encode(images, notes=_collect_notes(inputs))


def _read_source(task: GenerateTask) -> tuple[Pixels | None, Pixels | None]:
    """The source's colours at the size of the task, and its alpha if it has one."""
    if task.source is None:
        return None, None
    colours, alpha = decode_with_alpha(task.source)
    source = scale_to_cover(colours, task.width, task.height)
    return source, None if alpha is None else to_bytes(scale_to_cover(alpha, task.width, task.height))


def _read_control(control: EngineControl) -> _Reference:
    map_image = compute_control_map(
        decode(control.image),
        control.kind,
        pre_processor=control.pre_processor,
        low=control.low,
        high=control.high,
        down_sample=control.down_sample,
    )
    return _Reference(control, map_image)


def _generate_image(inputs: _TaskInputs, seed: int) -> Pixels:
    """One sample: paint, source, controls, style, profiles, guidance, in this order.

    Controls come before the style, so that their lines are redrawn with the rest; profiles come after it, since they
    are measured from finished images. `repaint` applies the style itself, by its strength.
    """
    task, prompt = inputs.task, inputs.prompt
    if inputs.source is not None and prompt.names_only_colours:
        # "Make it blue" of a picture means its own scene in blue, not in the light of some landscape.
        image = make_swatches(prompt.colours)
    else:
        image = paint(prompt, seed=seed, width=task.width, height=task.height)
    if inputs.source is not None:
        visible = None if inputs.alpha is None else to_float(inputs.alpha)
        image = repaint(
            inputs.source,
            image,
            strength=task.strength,
            style=prompt.style,
            seed=seed,
            prompt=prompt,
            visible=visible,
        )
    for control, map_image in inputs.references:
        if control.kind == "openpose" and inputs.source is None:
            image = _apply_pose(inputs, image, _Reference(control, map_image), seed)
            continue
        image = guide(
            image, map_image, control.kind, weight=control.weight, start=control.start, end=control.end, seed=seed
        )
    if inputs.source is None and prompt.style is not None:
        image = stylise(image, prompt.style, seed=seed)
    for profile, weight in task.profiles:
        image = style_profile.apply(image, profile, weight=weight)
    image = _apply_guidance(image, task.guidance)
    return image if inputs.alpha is None else np.dstack([image, inputs.alpha])


def _apply_pose(inputs: _TaskInputs, image: Pixels, reference: _Reference, seed: int) -> Pixels:
    """The picture with the prompt's person in the pose of the reference, the fainter the less the control weighs."""
    task, control = inputs.task, reference.control
    share = min(1.0, compute_influence(control.weight, control.start, control.end) * FULL_POSE)
    poses = read_poses(scale_to_cover(reference.map, task.width, task.height))
    if not poses or not share:
        return image
    posed = paint_in_pose(inputs.prompt, poses, seed=seed, width=task.width, height=task.height)
    return cv2.addWeighted(posed, share, image, 1 - share, 0)


def _apply_guidance(image: Pixels, guidance: float) -> Pixels:
    """The image with more contrast and colour for a guidance above the plain one, less for one below."""
    factor = float(np.clip(1 + GUIDANCE_STEP * (guidance - PLAIN_GUIDANCE), 0.8, 1.3))
    if factor == 1.0:
        return image
    steps = np.arange(256, dtype=np.float32)
    # One curve serves all three planes of 8-bit Lab: its a and b have their zero at 128, as lightness its middle.
    curve = np.clip((steps - 128) * factor + 128.5, 0, 255).astype(np.uint8)
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab)
    return cv2.cvtColor(cv2.LUT(lab, curve), cv2.COLOR_Lab2RGB)


def _collect_notes(inputs: _TaskInputs) -> tuple[str, ...]:
    notes = list(
        format_image_remarks(inputs.prompt, is_repaint=inputs.source is not None, strength=inputs.task.strength)
    )
    notes += format_negative_remarks(read_prompt(inputs.task.negative_prompt))
    if inputs.alpha is not None and inputs.task.file_format == "JPG":
        notes.append(LAID_ON_WHITE)
    for control, map_image in inputs.references:
        if control.kind == "ip_adapter_faceid" and control.pre_processor != PASS and not map_image.any():
            notes.append(NO_FACE)
        if control.kind == "openpose" and control.pre_processor != PASS and not map_image.any():
            notes.append(NO_POSE)
    return tuple(dict.fromkeys(notes))
