"""Pictures from an order: the prompt is read and painted, and everything else the order asks for is laid over it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np

from atelier_mcp.server.engine import style_profile
from atelier_mcp.server.engine.control import PASS, control_map, guide
from atelier_mcp.server.engine.delivery import Delivery
from atelier_mcp.server.engine.paint import paint
from atelier_mcp.server.engine.pixels import decode, scaled_to_cover
from atelier_mcp.server.engine.prompt import read_prompt
from atelier_mcp.server.engine.restyle import repaint
from atelier_mcp.server.engine.style import stylise

if TYPE_CHECKING:
    from atelier_mcp.server.engine.orders import Control, Generated, GenerateOrder
    from atelier_mcp.server.engine.pixels import Pixels
    from atelier_mcp.server.engine.prompt import Noun, Prompt

PLAIN_GUIDANCE: Final = 7.0
GUIDANCE_STEP: Final = 0.02
"""How much each unit of guidance above or below the plain one adds to contrast and colour."""
NO_FACE: Final = "No face was found in the reference picture, so its face control was left out."
NO_POSE: Final = "No figure was found in the reference picture, so its pose control was left out."


class _Reference(NamedTuple):
    """A control with its map read."""

    control: Control
    map: Pixels


class _Setting(NamedTuple):
    """What all samples of an order share, read once."""

    order: GenerateOrder
    prompt: Prompt
    source: Pixels | None
    references: tuple[_Reference, ...]


def generate(order: GenerateOrder) -> Generated:
    """The order's pictures, exactly ``width`` x ``height``; the same order gives the same bytes in every process.

    Sample n is what sample 0 would be with ``seed + n``. ``guidance`` scales contrast and colour a little around its
    plain value of 7. ``steps`` changes nothing: there is no diffusion to run longer. Known words of the negative
    prompt are taken out of the prompt. The notes name words the painter does not know, and controls that found nothing
    to hold on to. Raises ``ValueError`` for a control, weight or strength out of its range, and ``OSError`` for a
    picture that cannot be read.
    """
    prompt = without(read_prompt(order.prompt), read_prompt(order.negative_prompt))
    source = None if order.source is None else scaled_to_cover(decode(order.source), order.width, order.height)
    setting = _Setting(order, prompt, source, tuple(_read(control) for control in order.controls))
    pictures = [_picture(setting, order.seed + number) for number in range(order.samples)]
    return Delivery(order.seed, order.file_format, order.watermark).pictures(pictures, notes=_notes(setting))


def without(prompt: Prompt, unwanted: Prompt) -> Prompt:
    """The prompt without the scenes, subjects, weather, time, style and colours the unwanted one names."""
    names = {noun.name for noun in (*unwanted.scenes, *unwanted.subjects)} | {*unwanted.weather}
    colours = {*unwanted.colours}

    def kept(nouns: tuple[Noun, ...]) -> tuple[Noun, ...]:
        left = (noun for noun in nouns if noun.name not in names)
        return tuple(replace(noun, colours=tuple(c for c in noun.colours if c not in colours)) for noun in left)

    return replace(
        prompt,
        scenes=kept(prompt.scenes),
        subjects=kept(prompt.subjects),
        weather=tuple(weather for weather in prompt.weather if weather not in names),
        colours=tuple(colour for colour in prompt.colours if colour not in colours),
        time_of_day=None if prompt.time_of_day == unwanted.time_of_day else prompt.time_of_day,
        style=None if prompt.style == unwanted.style else prompt.style,
    )


def unknown_words(prompt: Prompt) -> tuple[str, ...]:
    """A word about what the painter does not know, if there is anything."""
    unknown = ", ".join(prompt.not_understood)
    return (f"Not understood, and left out: {unknown}",) if unknown else ()


def _read(control: Control) -> _Reference:
    read = control_map(
        decode(control.picture),
        control.kind,
        pre_processor=control.pre_processor,
        low=control.low,
        high=control.high,
        down_sample=control.down_sample,
    )
    return _Reference(control, read)


def _picture(setting: _Setting, seed: int) -> Pixels:
    """One sample: paint, source, controls, style, profiles, guidance, in this order."""
    order, prompt = setting.order, setting.prompt
    picture = paint(prompt, seed=seed, width=order.width, height=order.height)
    if setting.source is not None:
        picture = repaint(
            setting.source, picture, strength=order.strength, style=prompt.style, seed=seed, prompt=prompt
        )
    for control, read in setting.references:
        picture = guide(
            picture, read, control.kind, weight=control.weight, start=control.start, end=control.end, seed=seed
        )
    if setting.source is None and prompt.style is not None:
        picture = stylise(picture, prompt.style, seed=seed)
    for profile, weight in order.profiles:
        picture = style_profile.apply(picture, profile, weight=weight)
    return _guided_strength(picture, order.guidance)


def _guided_strength(picture: Pixels, guidance: float) -> Pixels:
    """The picture with more contrast and colour for a guidance above the plain one, less for one below."""
    factor = float(np.clip(1 + GUIDANCE_STEP * (guidance - PLAIN_GUIDANCE), 0.8, 1.3))
    if factor == 1.0:
        return picture
    steps = np.arange(256, dtype=np.float32)
    curve = np.clip((steps - 128) * factor + 128.5, 0, 255).astype(np.uint8)
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)
    return cv2.cvtColor(cv2.LUT(lab, curve), cv2.COLOR_Lab2RGB)


def _notes(setting: _Setting) -> tuple[str, ...]:
    notes = list(unknown_words(setting.prompt))
    for control, read in setting.references:
        if control.kind == "ip_adapter_faceid" and control.pre_processor != PASS and not read.any():
            notes.append(NO_FACE)
        if control.kind == "openpose" and control.pre_processor != PASS and not read.any():
            notes.append(NO_POSE)
    return tuple(dict.fromkeys(notes))
