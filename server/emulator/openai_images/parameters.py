"""What a drawing call may hold, and what it holds where nothing is said (contract: images.generations)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.openai_images.errors import (
    OpenaiImagesError,
    invalid_value,
    is_sensitive,
    missing_parameter,
    model_not_found,
    moderation_blocked,
    unknown_parameter,
)
from atelier_mcp.server.emulator.openai_images.models import DEFAULT_SIZE, FREE_SIZE, find_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.openai_images.models import EmulatedModel
    from atelier_mcp.server.emulator.openai_images.switches import OpenaiImagesSwitches

MAX_PROMPT_CHARS: Final = 32_000
MAX_COUNT: Final = 10
MAX_PREVIEWS: Final = 3
MAX_ASPECT: Final = 3
COMMON_FIELDS: Final = frozenset(
    {"model", "prompt", "n", "size", "quality", "background", "output_format", "output_compression", "moderation",
     "complexity", "stream", "partial_images", "safety_identifier", "user"}
)  # fmt: skip
EDIT_FIELDS: Final = frozenset({"input_fidelity", "images", "mask", "markup", "image"})
SENSENOVA_FIELDS: Final = frozenset(
    {"model", "prompt", "n", "size", "output_format", "response_format", "watermark", "prompt_extend", "images"}
)
FORMATS: Final = ("png", "jpeg", "webp")
UNSUPPORTED_FORMATS: Final = ("gif", "svg")
"""By model and permission, which nobody has here."""
_SIZE: Final = re.compile(r"([1-9][0-9]{1,4})x([1-9][0-9]{1,4})")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageParameters:
    """A drawing call, checked."""

    model: EmulatedModel
    prompt: str
    count: int
    size: tuple[int, int] | None
    """None: as the model likes."""
    quality: str
    is_transparent: bool
    output_format: str
    compression: int
    streams: bool
    preview_count: int
    returns_links: bool


def read_drawing(
    fields: Mapping[str, Any], switches: OpenaiImagesSwitches, *, is_edit: bool, is_form: bool
) -> ImageParameters:
    """The call that these fields make; raises OpenaiImagesError."""
    model = _read_model(fields, switches)
    if switches.strict:
        _refuse_unknown(fields, model, is_edit=is_edit, is_form=is_form)
    prompt = _read_text(fields, "prompt")
    if prompt is None or not prompt:
        raise missing_parameter("prompt")
    if len(prompt) > MAX_PROMPT_CHARS:
        raise invalid_value("prompt", f"Expected a string with at most {MAX_PROMPT_CHARS} characters.")
    output_format = _read_choice(fields, "output_format", (*FORMATS, *UNSUPPORTED_FORMATS), "png")
    if output_format in UNSUPPORTED_FORMATS:
        raise invalid_value("output_format", f"'{output_format}' is not available to this project.")
    background = _read_choice(fields, "background", ("auto", "opaque", "transparent"), "auto")
    _check_background(background, output_format, model, switches)
    if fields.get("output_compression") is not None and output_format == "png":
        raise invalid_value("output_compression", "Compression is only for jpeg and webp.")
    _read_choice(fields, "moderation", ("low", "auto"), "auto")
    _read_choice(fields, "complexity", ("low", "medium", "high"), "medium")
    if fields.get("input_fidelity") is not None:
        _read_choice(fields, "input_fidelity", model.fidelities, "low")
    preview_count = _read_integer(fields, "partial_images", 0, 0, MAX_PREVIEWS)
    if is_sensitive(prompt):
        raise moderation_blocked("input")
    usual_form = "url" if switches.returns_links else "b64_json"
    return ImageParameters(
        model=model,
        prompt=prompt,
        count=_read_integer(fields, "n", 1, 1, 1 if model.is_sensenova else MAX_COUNT),
        size=_read_size(fields, model),
        quality=_read_choice(fields, "quality", model.qualities or ("auto",), "auto"),
        is_transparent=background == "transparent",
        output_format=output_format,
        compression=_read_integer(fields, "output_compression", 100, 0, 100),
        streams=_read_boolean(fields, "stream"),
        preview_count=preview_count,
        returns_links=_read_choice(fields, "response_format", ("url", "b64_json"), usual_form) == "url",
    )


def _read_model(fields: Mapping[str, Any], switches: OpenaiImagesSwitches) -> EmulatedModel:
    name = _read_text(fields, "model")
    if not name:  # no default is left (contract: generations.model_default)
        raise missing_parameter("model")
    model = find_model(name, unlisted=switches.unlisted_model)
    if model is None:
        raise model_not_found(name)
    return model


def _refuse_unknown(fields: Mapping[str, Any], model: EmulatedModel, *, is_edit: bool, is_form: bool) -> None:
    known = SENSENOVA_FIELDS if model.is_sensenova else COMMON_FIELDS | EDIT_FIELDS
    if not is_edit:
        known -= EDIT_FIELDS
    for name in fields:
        is_refused = name not in known or (is_form and name == "images")
        is_refused |= name == "complexity" and not model.has_complexity
        is_refused |= name == "input_fidelity" and not model.fidelities
        is_refused |= name == "markup" and not model.has_markup
        if is_refused:
            raise unknown_parameter(name)


def _check_background(
    background: str, output_format: str, model: EmulatedModel, switches: OpenaiImagesSwitches
) -> None:
    if background != "transparent":
        return
    if output_format == "jpeg":
        raise invalid_value("background", "Transparent background needs output_format png or webp.")
    if switches.refuses_transparent_2 and not model.has_markup:
        raise invalid_value("background", f"Transparent background is not supported for {model.id}.")


def _read_size(fields: Mapping[str, Any], model: EmulatedModel) -> tuple[int, int] | None:
    text = _read_text(fields, "size") or "auto"
    if text == "auto":
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise invalid_value("size", f"Invalid size '{text}'. Expected auto or WIDTHxHEIGHT.")
    width, height = int(found[1]), int(found[2])
    if model.sizes != FREE_SIZE:
        if text not in model.sizes:
            raise invalid_value("size", f"Invalid size '{text}'. Supported: {', '.join(model.sizes)}, auto.")
        return width, height
    problem = find_size_problem((width, height), model)
    if problem:
        raise invalid_value("size", f"Invalid size '{text}': {problem}.")
    return width, height


def find_size_problem(size: tuple[int, int], model: EmulatedModel) -> str:
    """Why a model of free sizes does not draw one; empty where it does (contract: size.limits)."""
    if any(side % model.multiple_of for side in size):
        return f"sides must be multiples of {model.multiple_of}"
    if max(size) > model.max_edge or min(size) < model.min_edge:
        return f"sides go from {model.min_edge} to {model.max_edge}"
    if not model.min_pixels <= size[0] * size[1] <= model.max_pixels:
        return f"pixels go from {model.min_pixels} to {model.max_pixels}"
    return f"the aspect goes to {MAX_ASPECT}:1" if max(size) > MAX_ASPECT * min(size) else ""


def choose_size(model: EmulatedModel, source: tuple[int, int] | None) -> tuple[int, int]:
    """The size of ``auto``: for an edit the nearest to the first picture's aspect (contract: edits.size_auto)."""
    if source is None:
        return DEFAULT_SIZE
    ratio = source[0] / source[1]
    sizes = model.sizes if isinstance(model.sizes, tuple) else ("1024x1024", "1536x1024", "1024x1536")
    pairs = [(int(text.partition("x")[0]), int(text.partition("x")[2])) for text in sizes]
    return min(pairs, key=lambda pair: abs(pair[0] / pair[1] - ratio))


def _read_text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise OpenaiImagesError(400, f"Invalid type for '{name}': expected a string.", code="invalid_type", param=name)
    return value


def _read_choice(fields: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str) -> str:
    value = _read_text(fields, name)
    if value is None:
        return default
    if value not in choices:
        raise invalid_value(name, f"Invalid value: '{value}'. Supported values are: {', '.join(choices)}.")
    return value


def _read_integer(fields: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise invalid_value(name, f"Invalid value for '{name}': expected an integer from {low} to {high}.")
    return value


def _read_boolean(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is None:
        return False
    if type(value) is not bool:
        raise invalid_value(name, f"Invalid value for '{name}': expected a boolean.")
    return value
