"""Validation errors in plain words: one line per wrong argument, saying which, what was given, what is allowed."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pydantic import BaseModel

from atelier_mcp.server.error_reasons import format_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    Location: TypeAlias = tuple[int | str, ...]

MAX_VALUE_CHARACTERS = 60
NEAR_SPELLING = 0.75
"""Of 1 for the same: ``widht`` is near ``width``; names that merely share letters are not."""

ARGUMENT_ALIASES = {
    "n": "samples",
    "num_images": "samples",
    "count": "samples",
    "size": "width and height",
    "cfg_scale": "guidance",
    "guidance_scale": "guidance",
    "cfg": "guidance",
    "num_inference_steps": "steps",
    "negative": "negative_prompt",
    "neg_prompt": "negative_prompt",
    "img": "image",
    "image_url": "image",
    "init_image": "image",
    # Some tools have ratio and others scale: an alias counts only where the tool has that argument.
    "scale": "ratio",
    "ratio": "scale",
    "zoom": "scale",
    "id": "job_id",
    "ids": "job_ids",
    "jobs": "job_ids",
    "anchor": "position",
    "links": "images",
    "prompt": "question",
    "border": "outline",
    "border_width": "outline",
    "outline_width": "outline",
    "stroke": "outline",
    "border_color": "outline_color",
    "stroke_color": "outline_color",
    "greyscale": "grayscale",
    "monochrome": "grayscale",
    "black_and_white": "grayscale",
    "blur_radius": "blur",
    "radius": "blur",
    "dilate": "grow",
    "expand": "grow",
    "padding": "grow",
    "max_bytes": "max_kb",
    "max_size_kb": "max_kb",
    "max_file_size": "max_kb",
    "target_kb": "max_kb",
    "sampler": "advanced.sampler_name",
    "sampler_name": "advanced.sampler_name",
}
"""What other image tools call our arguments."""


def explain_errors(
    *errors: ValidationError,
    model: type[BaseModel] | None = None,
    names: Sequence[str] = (),
    visible: Sequence[str] = (),
    hidden: Collection[str] = (),
    explain_unknown: Callable[[Location], str] = lambda _: "",
) -> list[str]:
    """One line per wrong argument, in the order of ``names``; unknown arguments come last.

    What was given for the ``hidden`` ones is not repeated. For unknown arguments the ``visible`` ones there are can be
    named, and what the objects inside of ``model`` take; ``explain_unknown`` may know better what one is.
    """
    all_details = [details for error in errors for details in error.errors(include_url=False)]
    unknown = [details for details in all_details if details["type"] == "extra_forbidden"]
    explained = [
        f"{_format_location(details['loc'])}: {words}"
        for details in unknown
        if (words := explain_unknown(details["loc"]))
    ]
    wrong = [details for details in _skip_repeated_item_errors(all_details) if details["type"] != "extra_forbidden"]
    if names:
        positions = {name: position for position, name in enumerate(names)}
        # Options and request were validated apart; a reader expects the order of the published arguments.
        wrong.sort(key=lambda details: positions.get(str(next(iter(details["loc"]), "")), len(positions)))
    return [
        *(_format_error(details, hidden) for details in wrong),
        *explained,
        *_format_unknown_arguments(
            [details for details in unknown if not explain_unknown(details["loc"])], model=model, visible=visible
        ),
    ]


def _skip_repeated_item_errors(errors: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The errors without those of a list's later items, and without the list's own when its items are wrong."""
    lists = {
        details["loc"][:depth]
        for details in errors
        for depth, step in enumerate(details["loc"])
        if isinstance(step, int)
    }
    seen_lists: set[Location] = set()
    for details in errors:
        location = details["loc"]
        # "is no valid list" adds nothing to the errors of its items, and one of wrong items alone is not too short.
        if location in lists:
            continue
        if location and isinstance(location[-1], int):
            if location[:-1] in seen_lists:
                continue
            seen_lists.add(location[:-1])
        yield details


def _format_error(details: ErrorDetails, hidden: Collection[str]) -> str:
    path = _format_location(details["loc"])
    kind = details["type"]
    if kind == "missing":
        return f"{path}: is missing."
    if next(iter(details["loc"]), "") in hidden:
        return f"{path}: what is given is no text; write it in quotes."
    reason = format_reason(details)
    if kind == "value_error":
        return f"{path}: {reason}" if path else reason
    return f"{path}: {_format_value(details['input'])} given; {reason}"


def _format_unknown_arguments(
    errors: Sequence[ErrorDetails], *, model: type[BaseModel] | None, visible: Sequence[str]
) -> Iterator[str]:
    """One line per place that unknown arguments were given at, with the names there are."""
    names_by_location: dict[Location, list[str]] = {}
    for details in errors:
        names_by_location.setdefault(details["loc"][:-1], []).append(str(details["loc"][-1]))
    for location, names in names_by_location.items():
        known_names = _list_fields(model, location) if location else visible
        prefix = f"{_format_location(location)}." if location else ""
        unknown_names = ", ".join(f"{prefix}{name}" for name in names)
        suggestions = [
            f"{name} -> {intended_name}" for name in names if (intended_name := _find_intended_name(name, known_names))
        ]
        sentence = (
            f"{unknown_names}: there is no such argument"
            if len(names) == 1
            else f"{unknown_names}: there are no such arguments"
        )
        if len(names) == 1 and suggestions:
            yield f"{sentence}; did you mean {suggestions[0].partition(' -> ')[2]}?"
        else:
            suggestion_text = f" You may mean: {', '.join(suggestions)}." if suggestions else ""
            yield f"{sentence}.{suggestion_text}" + (f" There are: {', '.join(known_names)}." if known_names else "")


def _find_intended_name(name: str, known_names: Sequence[str]) -> str:
    import difflib

    if name in ARGUMENT_ALIASES:
        alias = ARGUMENT_ALIASES[name]
        return alias if alias.partition(" ")[0].partition(".")[0] in known_names else ""
    return next(iter(difflib.get_close_matches(name, known_names, n=1, cutoff=NEAR_SPELLING)), "")


def _list_fields(model: type[BaseModel] | None, location: Location) -> list[str]:
    """What the object at a place takes: for ``("shapes", 0)`` the fields of one shape."""
    for part in location:
        if model is None or isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        model = next(_iterate_models(field.annotation), None) if field else None
    return list(model.model_fields) if model else []


def _iterate_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _iterate_models(part)


def _format_location(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _format_value(value: Any) -> str:
    """The value in short; a long text only by its length, since it may be a picture or a key."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"{value!r}" if len(value) <= MAX_VALUE_CHARACTERS else f"a text of {len(value):,} characters"
    if isinstance(value, list | tuple):
        count = len(cast("Sequence[Any]", value))
        return "1 item" if count == 1 else f"{count} items"
    if isinstance(value, dict):
        return "an object"
    return str(value)[:MAX_VALUE_CHARACTERS]
