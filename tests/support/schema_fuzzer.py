"""Arguments for a tool by its schema: some as they should be, most wrong in type, bound, size, depth or characters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from random import Random

NUMBERS: Final = (
    0, -1, 1, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**40, 10**400,
    0.5, -0.0, 1e308, -1e308, 5e-324, 1.5, 3.999999,
)  # fmt: skip
TEXTS: Final = (
    "", " ", "\t\n", "null", "true", "-1", "1e5", "NaN", "Infinity", "0x10", "\u0661\u0662", "\u00b2", "[", "{", '"',
    "[" * 100_000, '{"a":' * 50_000, '"' * 9999, "\0", "a\0b", "\x1b[31m", "\u202eevil", "\u200b", "e\u0301" * 500,
    "\U0001f600" * 300, "\ufffd\uffff", "\u00fc\u00df\u4e2d\u6587", "x" * 70_000, "x" * 300_000, "%00", "%s%n",
    "${HOME}", "' OR 1=1 --", "../" * 400, "a" * 256 + ".png", "img_", "img_aaaaaaaaaaaaaaaa", "job_",
    "job_aaaaaaaaaaaaaaaa", "atelier://x", "/", ".", "~", "~nobody/x.png",
    "file://[", "file:///%00", "file://host/x", "http://[", "http://[::1", "http://", "https://x:99999/",
    "http://\u2024/", "http://a b/", "https://" + "a" * 300 + "/", "http://127.0.0.1:1/x.png", "data:", "data:,",
    "data:image/png;base64,", "data:image/png;base64,AAAA", "data:image/png;base64,\u00fc", "/dev/zero", "C:\\x.png",
    "http://[/x.safetensors", "\\\\host\\x", "mailto:x", "\udc80", "\ud800",
)  # fmt: skip


MOST_CHARACTERS: Final = 3_000_000
"""Of a call; a list of long texts would grow to hundreds of megabytes, and take all the time there is."""


def build_arguments(schema: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Arguments for one call; most of them hold one or two that are wrong."""
    while len(json.dumps(arguments := _choose_arguments(schema, rng))) > MOST_CHARACTERS:
        continue
    return arguments


def _choose_arguments(schema: dict[str, Any], rng: Random) -> dict[str, Any]:
    properties: dict[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    chosen = [name for name in properties if name in required or rng.random() < 0.3]
    arguments = {name: build_value(properties[name], rng) for name in chosen}
    for _ in range(rng.choice((0, 1, 1, 1, 2))):
        name = rng.choice([*properties, *required, rng.choice(TEXTS)])
        arguments[name] = build_wrong_value(properties.get(name, {}), rng)
    if required and rng.random() < 0.05:
        arguments.pop(rng.choice(sorted(required)), None)
    return arguments


def build_value(schema: dict[str, Any], rng: Random, depth: int = 0) -> Any:
    """A value that a schema allows, or nearly."""
    if "enum" in schema:
        return rng.choice(cast("list[Any]", schema["enum"]))
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        return build_value(rng.choice(cast("list[dict[str, Any]]", branches)), rng, depth)
    match schema.get("type"):
        case "integer" | "number":
            low, high = schema.get("minimum", 0), schema.get("maximum", 4096)
            return rng.choice((low, high, rng.randint(int(low), max(int(low), int(high)))))
        case "boolean":
            return rng.random() < 0.5
        case "array":
            count = rng.choice((schema.get("minItems", 0), 1, 2, min(schema.get("maxItems", 3), 12)))
            return [build_value(schema.get("items", {}), rng, depth + 1) for _ in range(count)]
        case "object":
            inner: dict[str, Any] = schema.get("properties", {})
            return {name: build_value(part, rng, depth + 1) for name, part in inner.items() if rng.random() < 0.5}
        case _:
            return rng.choice(("a red kite", "img_aaaaaaaaaaaaaaaa", "kite", "#ff0000", "1", rng.choice(TEXTS)))


def build_wrong_value(schema: dict[str, Any], rng: Random) -> Any:
    """A value of another type, beyond a bound, far too large, too deep, or of odd characters."""
    bounds = [schema[key] + step for key, step in (("minimum", -1), ("maximum", 1)) if key in schema]
    return rng.choice(
        (
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice(bounds or [None, True, False]),
            lambda: [rng.choice(TEXTS) for _ in range(rng.choice((0, 1, 3, 600)))],
            lambda: _repeat(build_value(schema.get("items", {}), rng), rng.choice((1, 50, 2000))),
            lambda: {rng.choice(TEXTS): rng.choice(NUMBERS) for _ in range(rng.choice((0, 1, 40)))},
            lambda: _nest(rng.choice((3, 30, 150, 450)), as_list=rng.random() < 0.5),
            lambda: str(build_value(schema, rng)),
            lambda: [build_value(schema, rng)],
            lambda: {"value": build_value(schema, rng)},
        )
    )()


def _repeat(value: Any, count: int) -> list[Any]:
    """A list of the same, within the size of a call."""
    return [value] * min(count, max(1, MOST_CHARACTERS // max(1, len(json.dumps(value)) + 2)))


def _nest(depth: int, *, as_list: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if as_list else {"a": value}
    return value
