"""A tool's arguments: one flat object to clients, a request and call options to the tool.

    published    generate_image(wait_s, prompt, ..., format, watermark, provider)
    called with  {"prompt": "a kite", "samples": "2", "wait_s": 10}
    the tool     GenerateImage(prompt="a kite", samples=2), CallOptions(wait_s=10)

Both are validated before anything else happens, and whatever is wrong in either is said in one answer.
"""

from __future__ import annotations

import functools
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, create_model

from atelier_mcp.server.argument_coercion import coerce_arguments
from atelier_mcp.server.call_options import CallOptions, limit_providers
from atelier_mcp.server.errors import InvalidRequest, Spent
from atelier_mcp.server.providers.field_owners import find_key_owners, format_unconfigured_field
from atelier_mcp.server.providers.spec import load_field_type
from atelier_mcp.server.schemas import build_input_schema
from atelier_mcp.server.validation import explain_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pydantic.fields import FieldInfo

    from atelier_mcp.server.providers.operation_index import FieldOwner
    from atelier_mcp.server.requests.base import ToolArguments
    from atelier_mcp.server.schemas import Schema
    from atelier_mcp.server.validation import Location

MAX_NAMED_FIELDS = 4
"""Of a brief object, those that are published included; half of it where several services share one."""
MAX_NAMED_CHOICES = 5
MAX_ERROR_LINES = 8
ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FlatArguments:
    """The arguments of one published tool."""

    request_model: type[ToolArguments]
    options_model: type[CallOptions] = CallOptions
    names: tuple[str, ...] = ()
    """Every argument that is accepted, in the order of publication."""
    hidden_names: Collection[str] = field(default_factory=frozenset[str])
    """Those of them that are not put before a model."""
    brief_names: Collection[str] = field(default_factory=frozenset[str])
    """Objects that are published by the first of their fields alone."""
    brief_field_count: int = 0
    """How many fields of each service these are."""
    names_providers: bool = True
    """Whether the services to choose from are published with the choice, and not by ``list_models`` alone."""
    general_model: type[ToolArguments] | None = None
    """The request before its brief objects got their types, where there are some: no long schema is made in vain."""
    field_owners: Mapping[str, Sequence[FieldOwner]] = field(default_factory=dict[str, "Sequence[FieldOwner]"])
    """Objects that services give types of their own, each with all of these, also those that are not configured."""

    @property
    def visible_names(self) -> list[str]:
        """The arguments that are put before a model."""
        return [name for name in self.names if name not in self.hidden_names]

    def build_schema(self) -> Schema:
        """The input schema as it is published."""
        schema = build_input_schema(self.general_model or self.request_model)
        briefs = {
            name: _build_brief_schema(self.request_model.model_fields[name], self.brief_field_count)
            for name in self.brief_names
        }
        options = _build_option_schemas(self.options_model if self.names_providers else CallOptions)
        properties = options | schema["properties"] | briefs
        return schema | {"properties": {name: properties[name] for name in self.visible_names}}

    def parse(self, raw_arguments: Mapping[str, Any]) -> tuple[ToolArguments, CallOptions]:
        """A call's arguments as what is asked and how to carry it out.

        Raises ``InvalidRequest`` with one line for each wrong argument.
        """
        raw_request, raw_options = self._split(raw_arguments)
        errors: list[ValidationError] = []
        # Both are validated before either is refused, so that one answer names everything that is wrong.
        options = _validate(self.options_model, raw_options, errors)
        request = _validate(self.request_model, raw_request, errors)
        if options is None or request is None:
            lines = explain_errors(
                *errors,
                model=self.request_model,
                names=self.names,
                visible=self.visible_names,
                explain_unknown=self._explain_unknown,
            )
            raise InvalidRequest(
                "\n".join(lines[:MAX_ERROR_LINES]),
                spent=Spent.UNKNOWN,  # of money there is no word: not even a service was chosen
                hint="Nothing was done. Correct this and call again.",
            )
        return request, options

    def _explain_unknown(self, location: Location) -> str:
        """What is wrong with an unknown argument that a service understands which is not configured; else nothing."""
        match location:
            case (str(name), str(key)):
                owners = find_key_owners(self.field_owners.get(name, ()), key)
                return format_unconfigured_field(owners) if owners else ""
            case _:
                return ""

    def _split(self, raw_arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values of the request and those of the options; what nobody knows is the request's to refuse."""
        option_names = set(self.names) - self.request_model.model_fields.keys()
        options = {name: value for name, value in raw_arguments.items() if name in option_names}
        request = {name: value for name, value in raw_arguments.items() if name not in option_names}
        return coerce_arguments(request, self.request_model), coerce_arguments(options, self.options_model)


def build_flat_arguments(
    request_model: type[ToolArguments],
    *,
    waits: bool = False,
    hidden_options: Collection[str] = (),
    providers: tuple[str, ...] = (),
    exclusive_fields: Mapping[str, str | None] | None = None,
    refused_fields: Collection[str] = (),
    field_owners: Mapping[str, Sequence[FieldOwner]] | None = None,
    brief_field_count: int | None = None,
    names_providers: bool = True,
) -> FlatArguments:
    """The arguments of a tool: ``wait_s`` if it waits, the request's fields, ``provider`` if a provider serves it.

    ``provider`` is put before a model only where there is a choice; the name of the only one is accepted.
    ``exclusive_fields`` are put before a model although the request hides them; a ``module:class`` beside one is the
    type it has then, loaded here and not before. ``refused_fields`` are not put before a model: no provider takes them.
    ``field_owners`` are all that understand fields of that kind, also those that are not configured: a refusal names
    them. With ``brief_field_count`` such a type is published by that many of its first fields for each service, and the
    names of a few more. Without ``names_providers`` a choice of services is published without their names.
    """
    exclusive_fields = exclusive_fields or {}
    hidden_names = {*hidden_options, *refused_fields, *(["provider"] if len(providers) == 1 else [])}
    typed_names = frozenset(name for name, path in exclusive_fields.items() if path is not None)
    brief_names = frozenset[str]() if brief_field_count is None else typed_names
    return FlatArguments(
        request_model=_load_deferred_types(request_model, exclusive_fields),
        options_model=limit_providers(providers) if providers else CallOptions,
        names=("wait_s",) * waits + tuple(request_model.model_fields) + ("provider",) * bool(providers),
        hidden_names=(request_model.hidden_fields - exclusive_fields.keys()) | hidden_names,
        brief_names=brief_names,
        brief_field_count=brief_field_count or 0,
        names_providers=names_providers,
        general_model=request_model if brief_names else None,
        field_owners=field_owners or {},
    )


def _build_brief_schema(field_info: FieldInfo, field_count: int) -> Schema:
    """An object's schema with the first fields of each service alone; the next ones are named in the description."""
    object_type = typing.get_args(field_info.annotation)[0]
    # One that several services share has the fields of each of them.
    types = object_type.__bases__ if len(object_type.__bases__) > 1 else (object_type,)
    named_count = MAX_NAMED_FIELDS // min(len(types), 2)
    properties = build_input_schema(object_type)["properties"]
    first = dict.fromkeys(name for one in types for name in list(one.model_fields)[:field_count])
    further = dict.fromkeys(name for one in types for name in list(one.model_fields)[:named_count])
    named = [name for name in further if name not in first]
    named += ["..."] if any(len(one.model_fields) > named_count for one in types) else []
    if not first:
        return {"type": "object", "description": f"{field_info.description}: {', '.join(named)}"}
    return {
        "type": "object",
        "description": f"{field_info.description}; also {', '.join(named)}",
        "properties": {name: _shorten_choice(properties[name]) for name in first},
    }


def _shorten_choice(schema: Schema) -> Schema:
    """A long choice as what it is made of: a wrong one is refused with all there are."""
    is_long = len(schema.get("enum", ())) > MAX_NAMED_CHOICES
    return {key: value for key, value in schema.items() if key != "enum"} if is_long else schema


def _load_deferred_types(
    request_model: type[ToolArguments], exclusive_fields: Mapping[str, str | None]
) -> type[ToolArguments]:
    """The request with the classes named by ``exclusive_fields`` in place of its general types."""
    definitions: dict[str, Any] = {}
    for name, class_path in exclusive_fields.items():
        if class_path is not None:
            field_type = load_field_type(class_path)
            description = request_model.model_fields[name].description
            definitions[name] = (field_type | None, Field(None, description=description))
    if not definitions:
        return request_model
    # A subclass: code that asks for the request's class still finds it.
    return create_model(request_model.__name__, __base__=request_model, **definitions)


@functools.cache
def _build_option_schemas(options_model: type[CallOptions]) -> Schema:
    return build_input_schema(options_model)["properties"]


def _validate(model: type[ModelT], values: Mapping[str, Any], errors: list[ValidationError]) -> ModelT | None:
    try:
        return model.model_validate(values)
    except ValidationError as err:
        errors.append(err)
        return None
