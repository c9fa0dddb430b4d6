"""Reading a request's parameters: the bounds are strict, the types as liberal as the contract advises (129 for both).

Names nobody knows are ignored, as old and new clients differ in them; a switch refuses them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.json_numbers import is_finite_number, parse_integer
from atelier_mcp.server.emulator.miaohua.errors import invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

TRUE: Final = (True, 1, "true", "True", "1")
FALSE: Final = (False, 0, "false", "False", "0", "")


class ParameterReader:
    """One object of parameters; every reader names the place in its refusal, and null counts as absent."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        """Read from ``values``, which stands at ``place`` in the request."""
        self._values = values
        self._prefix = f"{place}." if place else ""

    def list_names(self) -> Collection[str]:
        """The names that are there."""
        return self._values.keys()

    def has(self, name: str) -> bool:
        """Whether there is a value, other than null and the empty string."""
        return self._values.get(name) not in (None, "")

    def read_text(self, name: str, default: str | None = None, *, longest: int | None = None) -> str:
        """A string; required without a default."""
        value = self._read_value(name, default)
        if not isinstance(value, str):
            raise invalid_parameter(f"{self._prefix}{name} must be a string")
        if longest is not None and len(value) > longest:
            raise invalid_parameter(f"{self._prefix}{name} has {len(value)} characters, at most {longest} are allowed")
        return value

    def read_number(self, name: str, default: float | None = None, *, least: float, most: float) -> float:
        """A number from ``least`` to ``most``; required without a default."""
        value = self._read_value(name, default)
        if not is_finite_number(value):
            raise invalid_parameter(f"{self._prefix}{name} must be a number")
        if not least <= value <= most:
            raise invalid_parameter(f"{self._prefix}{name} must be from {least:g} to {most:g}")
        return value

    def read_integer(self, name: str, default: int | None = None, *, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``, also as digits in a string; required without a default."""
        value = self._read_value(name, default)
        if isinstance(value, str):
            value = parse_integer(value)
        if not is_finite_number(value) or value != int(value):
            raise invalid_parameter(f"{self._prefix}{name} must be a whole number")
        if not least <= value <= most:
            raise invalid_parameter(f"{self._prefix}{name} must be from {least} to {most}")
        return int(value)

    def read_flag(self, name: str) -> bool:
        """True or false, also as a number or a string (task_submit.bool_as_string); false when absent."""
        value = self._read_value(name, default=False)
        if value in TRUE:
            return True
        if value in FALSE:
            return False
        raise invalid_parameter(f"{self._prefix}{name} must be true or false")

    def read_choice(self, name: str, values: Collection[Any], default: Any = None) -> Any:
        """One of some values; required without a default."""
        value = self._read_value(name, default)
        if value not in tuple(values):  # a list or an object has no hash
            raise invalid_parameter(f"{self._prefix}{name} must be one of {', '.join(map(str, values))}")
        return value

    def read_texts(self, name: str, *, most: int | None = None) -> list[str]:
        """An array of at least one string."""
        values = self._read_array(name)
        if not values or not all(isinstance(value, str) for value in values):
            raise invalid_parameter(f"{self._prefix}{name} must be an array of strings, at least one")
        if most is not None and len(values) > most:
            raise invalid_parameter(f"{self._prefix}{name} has {len(values)} entries, at most {most} are allowed")
        return values

    def read_integers(self, name: str) -> list[int]:
        """An array of at least one whole number, or one alone."""
        value = self._read_value(name, None)
        values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not values or not all(isinstance(item, int) and not isinstance(item, bool) for item in values):
            raise invalid_parameter(f"{self._prefix}{name} must be an array of whole numbers, at least one")
        return values

    def read_object(self, name: str) -> ParameterReader | None:
        """An object, if it is there."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise invalid_parameter(f"{self._prefix}{name} must be an object")
        return ParameterReader(cast("Mapping[str, Any]", value), f"{self._prefix}{name}")

    def read_objects(self, name: str) -> list[ParameterReader]:
        """An array of objects, or one object alone (task_submit.cn_configs_shape); none when absent."""
        value = self._values.get(name)
        if value is None:
            return []
        values: list[Any] = cast("list[Any]", value) if isinstance(value, list) else [value]
        if not all(isinstance(item, Mapping) for item in values):
            raise invalid_parameter(f"{self._prefix}{name} must be an array of objects")
        return [ParameterReader(item, f"{self._prefix}{name}[{index}]") for index, item in enumerate(values)]

    def _read_array(self, name: str) -> list[Any]:
        value = self._read_value(name, None)
        if not isinstance(value, list):
            raise invalid_parameter(f"{self._prefix}{name} must be an array")
        return cast("list[Any]", value)

    def _read_value(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is not None:
            return value
        if default is None:
            raise invalid_parameter(f"{self._prefix}{name} is required")
        return default


async def read_document(request: Request) -> dict[str, Any]:
    """The query and the JSON object of the body together; the body wins (models_base.paging_location)."""
    query: dict[str, Any] = dict(request.query_params)
    data = await request.body()
    if not data:
        return query
    try:
        document = json.loads(data)
    except ValueError:
        raise invalid_parameter("the body is not JSON") from None
    if not isinstance(document, dict):
        raise invalid_parameter("the body must be an object")
    # The body is read though the method be GET: clients differ in where they put parameters.
    return query | cast("dict[str, Any]", document)
