"""What a conversation may hold, and what it holds where nothing is said (contract: params of both endpoints)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from atelier_mcp.server.emulator.sensenova.calls import invalid

USUAL_MODEL: Final = "Artist_V0.1.3"
CONTROLS: Final = frozenset(
    {"", "openpose", "canny", "depth", "fake_scribble", "scribble", "hed", "hough", "normal", "seg"}
)
ROLES: Final = ("user", "assistant")
LONGEST_SIDE_PX: Final = 6000
SHORTEST_SIDE_PX: Final = 64
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What both endpoints read. The rest is checked, and makes no difference to a stand-in without chance."""

    turns: tuple[Turn, ...]
    max_new_tokens: int
    stream: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the fusion endpoint reads besides."""

    wanted: bool
    miaohua_token: str
    model: str
    width: int
    height: int
    steps: int
    guidance: int
    seed: int | None
    extended: bool


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """The conversation of a body; the ends of half-open ranges are refused (range_edges)."""
    values = _Values(body)
    values.number("temperature", 0.8, above=0, most=2)
    values.number("top_p", 0.7, above=0, most=1)
    values.number("repetition_penalty", 1.0, above=0)
    values.text("user_id", body.get("user", ""))
    return Conversation(
        turns=_turns(body.get("messages")),
        max_new_tokens=values.whole("max_new_tokens", 2048, least=1),
        stream=values.flag("stream", default=False),
    )


def read_drawing(body: Mapping[str, Any]) -> Drawing:
    """The rest of a fusion body: ``mh_key`` is required, for everything else there is a default (required_column)."""
    values = _Values(body)
    if values.text("mh_controlnet_model", "") not in CONTROLS:
        raise invalid(f"mh_controlnet_model must be one of {', '.join(sorted(CONTROLS - {''}))}, or empty")
    width, height = _sides(values.text("mh_output_size", "960x960"))
    seed = values.whole("mh_select_seed", -1, least=-1)
    token = values.text("mh_key", "")
    if not token:
        raise invalid("mh_key is required")
    return Drawing(
        wanted=values.flag("output_img", default=True),
        miaohua_token=token,
        model=values.text("mh_model_name", USUAL_MODEL),
        width=width,
        height=height,
        steps=values.whole("mh_ddim_steps", 50, least=1),
        guidance=values.whole("mh_scale", 7, least=1, most=20),
        seed=None if seed < 0 else seed,
        extended=values.flag("mh_add_prompt", default=False),
    )


def _turns(given: Any) -> tuple[Turn, ...]:
    if not isinstance(given, list) or not given:
        raise invalid("messages must be an array with at least one entry")
    return tuple(_turn(entry, f"messages[{index}]") for index, entry in enumerate(cast("list[Any]", given)))


def _turn(entry: Any, place: str) -> Turn:
    if not isinstance(entry, Mapping):
        raise invalid(f"{place} must be an object")
    turn = cast("Mapping[str, Any]", entry)
    if turn.get("role") not in ROLES:
        raise invalid(f"{place}.role must be one of {', '.join(ROLES)}")
    if not isinstance(turn.get("content"), str):
        raise invalid(f"{place}.content must be a string")
    return Turn(turn["role"], turn["content"])


def _sides(size: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(size)
    if match is None:
        raise invalid("mh_output_size must be WIDTHxHEIGHT")
    width, height = int(match[1]), int(match[2])
    if not all(SHORTEST_SIDE_PX <= side <= LONGEST_SIDE_PX for side in (width, height)):
        raise invalid(f"mh_output_size: sides go from {SHORTEST_SIDE_PX} to {LONGEST_SIDE_PX}")
    return width, height


@dataclass(frozen=True, slots=True)
class _Values:
    """A body whose values are held against what they may be; unknown names are let pass (path_order: model)."""

    body: Mapping[str, Any]

    def text(self, name: str, default: Any) -> str:
        value = self.body.get(name, default)
        if not isinstance(value, str):
            raise invalid(f"{name} must be a string")
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.body.get(name, default)
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false")
        return value

    def number(self, name: str, default: float, *, above: float, most: float = math.inf) -> float:
        value = self.body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise invalid(f"{name} must be a number")
        if value <= above or value > most:
            limit = f" and at most {most:g}" if math.isfinite(most) else ""
            raise invalid(f"{name} must be above {above:g}{limit}")
        return value

    def whole(self, name: str, default: int, *, least: int, most: int | None = None) -> int:
        value = self.body.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(f"{name} must be an integer")
        if value < least or (most is not None and value > most):
            raise invalid(f"{name} must be at least {least}" + (f" and at most {most}" if most is not None else ""))
        return value
