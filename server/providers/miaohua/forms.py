"""Miaohua's two forms: what the service says of its own inputs. For reading only; requests are never built from them.

They describe an older set of parameters (contract: get_generation_form.form_is_stale).
"""

from __future__ import annotations

from typing import Any, cast

from atelier_mcp.server.providers.base import Model
from atelier_mcp.server.providers.miaohua.wire import FormField, listed, payload
from atelier_mcp.server.providers.reading import read_all

SHOWN_CHOICES = 12


def generation_fields(document: Any) -> tuple[Model, ...]:
    """The fields of the generation form, one entry each: type, bounds, default and choices in words."""
    fields = [field for field in read_all(FormField, listed(document)) if field.name]
    return tuple(Model(field.name, "form", name=field.description, description=_in_words(field)) for field in fields)


def training_fields(document: Any) -> tuple[Model, ...]:
    """The fields of the training form, in the same way."""
    form = payload(document)
    fields: dict[str, Any] = cast("dict[str, Any]", form) if isinstance(form, dict) else {}
    lists = {name: _texts(values) for name, values in fields.items() if name in ("base_model", "main_body")}
    return tuple(
        Model(f"train.{name}", "form", description=f"one of {', '.join(values)}") for name, values in lists.items()
    )


def training_bases(document: Any) -> tuple[str, ...]:
    """The display names of what can be trained on (contract: get_train_form.chinese_names)."""
    form = payload(document)
    return tuple(_texts(cast("dict[str, Any]", form).get("base_model"))) if isinstance(form, dict) else ()


def _in_words(field: FormField) -> str:
    parts = [field.type]
    if field.min is not None and field.max is not None:
        parts.append(f"{_plain(field.min)} to {_plain(field.max)}")
    if field.default not in (None, ""):
        parts.append(f"default {field.default}")
    choices = [choice for choice in _choices(field.choices) if choice]
    if choices:
        parts.append(f"one of {', '.join(choices[:SHOWN_CHOICES])}")
    return ", ".join(part for part in parts if part)


def _plain(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)


def _choices(choices: Any) -> list[str]:
    """A list, or an object of lists by aspect ratio."""
    if isinstance(choices, dict):
        return [text for group in cast("dict[str, Any]", choices).values() for text in _texts(group)]
    return _texts(choices)


def _texts(values: Any) -> list[str]:
    return [value for value in cast("list[Any]", values) if isinstance(value, str)] if isinstance(values, list) else []
