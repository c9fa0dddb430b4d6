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
from atelier_mcp.server.engine.control import PASS, compute_control_map, guide
from atelier_mcp.server.engine.paint import paint
from atelier_mcp.server.engine.pixels import decode, scale_to_cover
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.repaint import repaint
from atelier_mcp.server.engine.result_encoder import ResultEncoder
from atelier_mcp.server.engine.style import stylise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.pixels import Pixels
    from atelier_mcp.server.engine.prompt import Noun, Prompt
    from atelier_mcp.server.engine.tasks import EngineControl, EngineResult, GenerateTask

PLAIN_GUIDANCE: Final = 7.0
"""The services' default, which therefore changes nothing."""
GUIDANCE_STEP: Final = 0.02
"""How much each unit of guidance above or below the plain one adds to contrast and colour."""
NO_FACE: Final = "No face was found in the reference picture, so its face control was left out."
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
    references: tuple[_Reference, ...]


def generate(task: GenerateTask) -> EngineResult:
    """The task's images, exactly ``width`` x ``height``; the same task gives the same bytes in every process.

    Sample n is what sample 0 would be with ``seed + n``. ``guidance`` scales contrast and colour a little around its
    plain value of 7. ``steps`` changes nothing: there is no diffusion to run longer. Known words of the negative
    prompt are taken out of the prompt. The notes name words the painter does not know, and controls that found nothing
    to hold on to.

    Raises:
        ValueError: a control is unknown, or a weight or strength is out of its range.
        OSError: an image cannot be read.
    """
    prompt = remove_unwanted(read_prompt(task.prompt), read_prompt(task.negative_prompt))
    source = None if task.source is None else scale_to_cover(decode(task.source), task.width, task.height)
    inputs = _TaskInputs(task, prompt, source, tuple(_read_control(control) for control in task.controls))
    images = [_generate_image(inputs, task.seed + number) for number in range(task.samples)]
    return ResultEncoder(task.seed, task.file_format, task.watermark).encode(images, notes=_collect_notes(inputs))


def remove_unwanted(prompt: Prompt, unwanted: Prompt) -> Prompt:
    """The prompt without the scenes, subjects, weather, time, style and colours the unwanted one names."""
    names = {noun.name for noun in (*unwanted.scenes, *unwanted.subjects)} | {*unwanted.weather}
    colours = {*unwanted.colours}

    def filter_nouns(nouns: tuple[Noun, ...]) -> tuple[Noun, ...]:
        remaining = (noun for noun in nouns if noun.name not in names)
        return tuple(replace(noun, colours=tuple(c for c in noun.colours if c not in colours)) for noun in remaining)

    return replace(
        prompt,
        scenes=filter_nouns(prompt.scenes),
        subjects=filter_nouns(prompt.subjects),
        weather=tuple(weather for weather in prompt.weather if weather not in names),
        colours=tuple(colour for colour in prompt.colours if colour not in colours),
        time_of_day=None if prompt.time_of_day == unwanted.time_of_day else prompt.time_of_day,
        style=None if prompt.style == unwanted.style else prompt.style,
    )


def format_unknown_words(prompt: Prompt) -> tuple[str, ...]:
    """A note that names the words the painter does not know; none when it knows all."""
    unknown = ", ".join(prompt.not_understood)
    return (f"Not understood, and left out: {unknown}",) if unknown else ()


def _read_control(control: EngineControl) -> _Reference:
    map_image = compute_control_map(
        decode(control.picture),
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
    image = paint(prompt, seed=seed, width=task.width, height=task.height)
    if inputs.source is not None:
        image = repaint(inputs.source, image, strength=task.strength, style=prompt.style, seed=seed, prompt=prompt)
    for control, map_image in inputs.references:
        image = guide(
            image, map_image, control.kind, weight=control.weight, start=control.start, end=control.end, seed=seed
        )
    if inputs.source is None and prompt.style is not None:
        image = stylise(image, prompt.style, seed=seed)
    for profile, weight in task.profiles:
        image = style_profile.apply(image, profile, weight=weight)
    return _apply_guidance(image, task.guidance)


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
    notes = list(format_unknown_words(inputs.prompt))
    for control, map_image in inputs.references:
        if control.kind == "ip_adapter_faceid" and control.pre_processor != PASS and not map_image.any():
            notes.append(NO_FACE)
        if control.kind == "openpose" and control.pre_processor != PASS and not map_image.any():
            notes.append(NO_POSE)
    return tuple(dict.fromkeys(notes))
