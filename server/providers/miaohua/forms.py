"""Miaohua's two forms: what the service says of its own inputs. For reading only; requests are never built from them.

They describe an older set of parameters (contract: get_generation_form.form_is_stale).
"""

from __future__ import annotations

from typing import Any, cast

from atelier_mcp.server.providers.base import ListedModel
from atelier_mcp.server.providers.miaohua.wire import MiaohuaFormFieldBody, unwrap_info, unwrap_list
from atelier_mcp.server.providers.wire import parse_models

MAX_LISTED_CHOICES = 12


def parse_generation_fields(document: Any) -> tuple[ListedModel, ...]:
    """The fields of the generation form, one entry each: type, bounds, default and choices in words."""
    fields = [field for field in parse_models(MiaohuaFormFieldBody, unwrap_list(document)) if field.name]
    return tuple(
        ListedModel(field.name, "form", name=field.description, description=_describe_field(field)) for field in fields
    )


def parse_training_fields(document: Any) -> tuple[ListedModel, ...]:
    """The fields of the training form, in the same way."""
    form = unwrap_info(document)
    fields: dict[str, Any] = cast("dict[str, Any]", form) if isinstance(form, dict) else {}
    lists = {name: _filter_texts(values) for name, values in fields.items() if name in ("base_model", "main_body")}
    return tuple(
        ListedModel(f"train.{name}", "form", description=f"one of {', '.join(values)}")
        for name, values in lists.items()
    )


def parse_training_bases(document: Any) -> tuple[str, ...]:
    """The display names of what can be trained on (contract: get_train_form.chinese_names)."""
    form = unwrap_info(document)
    return tuple(_filter_texts(cast("dict[str, Any]", form).get("base_model"))) if isinstance(form, dict) else ()


def _describe_field(field: MiaohuaFormFieldBody) -> str:
    parts = [field.type]
    if field.min is not None and field.max is not None:
        parts.append(f"{_format_number(field.min)} to {_format_number(field.max)}")
    if field.default not in (None, ""):
        parts.append(f"default {field.default}")
    choices = [choice for choice in _parse_choices(field.choices) if choice]
    if choices:
        parts.append(f"one of {', '.join(choices[:MAX_LISTED_CHOICES])}")
    return ", ".join(part for part in parts if part)


def _format_number(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)


def _parse_choices(choices: Any) -> list[str]:
    """A list, or an object of lists by aspect ratio."""
    if isinstance(choices, dict):
        return [text for group in cast("dict[str, Any]", choices).values() for text in _filter_texts(group)]
    return _filter_texts(choices)


def _filter_texts(values: Any) -> list[str]:
    return [value for value in cast("list[Any]", values) if isinstance(value, str)] if isinstance(values, list) else []
