"""What a conversation may hold, and what it holds where nothing is said.

(contract: params, chat_completions, fusion_chat_with_image)
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from atelier_mcp.server.emulator.json_numbers import is_finite_number
from atelier_mcp.server.emulator.sensenova.errors import invalid_parameter
from atelier_mcp.server.emulator.sensenova.models import DEFAULT_MODEL

CONTROLS: Final = frozenset(
    {"", "openpose", "canny", "depth", "fake_scribble", "scribble", "hed", "hough", "normal", "seg"}
)
ROLES: Final = ("user", "assistant", "system")
"""The last one is not listed, and sent all the same (chat_completions.system_role)."""
LONGEST_SIDE_PX: Final = 6000
SHORTEST_SIDE_PX: Final = 64
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class ConversationMessage:
    """One message."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """What both endpoints read. The rest is checked, and makes no difference to a stand-in without chance."""

    messages: tuple[ConversationMessage, ...]
    max_new_tokens: int
    stream: bool


@dataclass(frozen=True, slots=True)
class DrawingParameters:
    """What the fusion endpoint reads besides."""

    is_wanted: bool
    miaohua_token: str
    model: str
    width: int
    height: int
    steps: int
    guidance: int
    seed: int | None
    extends_prompt: bool


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """The conversation of a body; the ends of half-open ranges are refused (range_edges)."""
    values = _ParameterReader(body)
    values.read_number("temperature", 0.8, above=0, most=2)
    values.read_number("top_p", 0.7, above=0, most=1)
    values.read_number("repetition_penalty", 1.0, above=0)
    # Both names are taken, user_id wins (chat_completions.user_key).
    values.read_text("user_id", body.get("user") or "")
    return Conversation(
        messages=_read_messages(body.get("messages")),
        max_new_tokens=values.read_integer("max_new_tokens", 2048, least=1),
        stream=values.read_flag("stream", default=False),
    )


def read_drawing(body: Mapping[str, Any]) -> DrawingParameters:
    """The rest of a fusion body: ``mh_key`` is required, for everything else there is a default (required_column)."""
    values = _ParameterReader(body)
    # Checked and ignored: there is no way to pass its picture (fusion_chat_with_image.controlnet_without_image).
    if values.read_text("mh_controlnet_model", "") not in CONTROLS:
        raise invalid_parameter(f"mh_controlnet_model must be one of {', '.join(sorted(CONTROLS - {''}))}, or empty")
    width, height = _parse_size(values.read_text("mh_output_size", "960x960"))
    seed = values.read_integer("mh_select_seed", -1, least=-1)
    token = values.read_text("mh_key", "")
    if not token:
        raise invalid_parameter("mh_key is required")
    return DrawingParameters(
        is_wanted=values.read_flag("output_img", default=True),
        miaohua_token=token,
        model=values.read_text("mh_model_name", DEFAULT_MODEL),
        width=width,
        height=height,
        steps=values.read_integer("mh_ddim_steps", 50, least=1),
        guidance=values.read_integer("mh_scale", 7, least=1, most=20),
        seed=None if seed < 0 else seed,
        extends_prompt=values.read_flag("mh_add_prompt", default=False),
    )


def _read_messages(raw_messages: Any) -> tuple[ConversationMessage, ...]:
    if not isinstance(raw_messages, list) or not raw_messages:
        raise invalid_parameter("messages must be an array with at least one entry")
    return tuple(
        _read_message(entry, f"messages[{index}]") for index, entry in enumerate(cast("list[Any]", raw_messages))
    )


def _read_message(entry: Any, place: str) -> ConversationMessage:
    if not isinstance(entry, Mapping):
        raise invalid_parameter(f"{place} must be an object")
    message = cast("Mapping[str, Any]", entry)
    if message.get("role") not in ROLES:
        raise invalid_parameter(f"{place}.role must be one of {', '.join(ROLES)}")
    return ConversationMessage(message["role"], _read_content(message.get("content"), f"{place}.content"))


def _read_content(content: Any, place: str) -> str:
    """The text of a message; of a list of parts, the texts among them (chat_completions.content_parts)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list) or not content:
        raise invalid_parameter(f"{place} must be a string")
    parts = cast("list[Any]", content)
    if not all(isinstance(part, Mapping) for part in parts):
        raise invalid_parameter(f"{place} must be a string, or an array of objects")
    texts = [part.get("text", "") for part in parts if part.get("type") == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise invalid_parameter(f"{place}[].text must be a string")
    return "\n".join(texts)


def _parse_size(size: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(size)
    if match is None:
        raise invalid_parameter("mh_output_size must be WIDTHxHEIGHT")
    width, height = int(match[1]), int(match[2])
    if not all(SHORTEST_SIDE_PX <= side <= LONGEST_SIDE_PX for side in (width, height)):
        raise invalid_parameter(f"mh_output_size: sides go from {SHORTEST_SIDE_PX} to {LONGEST_SIDE_PX}")
    return width, height


@dataclass(frozen=True, slots=True)
class _ParameterReader:
    """A body whose values are held against what they may be; unknown names are let pass (path_order: model).

    Null is absent: clients fill in what they leave open.
    """

    body: Mapping[str, Any]

    def _get(self, name: str, default: Any) -> Any:
        value = self.body.get(name)
        return default if value is None else value

    def read_text(self, name: str, default: Any) -> str:
        value = self._get(name, default)
        if not isinstance(value, str):
            raise invalid_parameter(f"{name} must be a string")
        return value

    def read_flag(self, name: str, *, default: bool) -> bool:
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise invalid_parameter(f"{name} must be true or false")
        return value

    def read_number(self, name: str, default: float, *, above: float, most: float = math.inf) -> float:
        value = self._get(name, default)
        if not is_finite_number(value):
            raise invalid_parameter(f"{name} must be a number")
        if value <= above or value > most:
            limit = f" and at most {most:g}" if math.isfinite(most) else ""
            raise invalid_parameter(f"{name} must be above {above:g}{limit}")
        return value

    def read_integer(self, name: str, default: int, *, least: int, most: int | None = None) -> int:
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_parameter(f"{name} must be an integer")
        if value < least or (most is not None and value > most):
            raise invalid_parameter(
                f"{name} must be at least {least}" + (f" and at most {most}" if most is not None else "")
            )
        return value
