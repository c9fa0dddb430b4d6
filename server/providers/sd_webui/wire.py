"""What a WebUI answers, read liberally (contract: txt2img, txt2img.info)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from atelier_mcp.server.providers.wire import Strings, Text, WireModel, parse_model

if TYPE_CHECKING:
    from collections.abc import Mapping


def _keep_list(value: Any) -> Any:
    """A list; anything else is an empty one."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]  # any JSON


def _keep_object(value: Any) -> Any:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # any JSON


Integers = Annotated[list[int], BeforeValidator(_keep_list)]
Mappings = Annotated[dict[str, Any], BeforeValidator(_keep_object)]


class SdWebuiInfo(WireModel):
    """What was really drawn."""

    seed: int | None = None
    all_seeds: Integers = Field(default_factory=list[int])
    index_of_first_image: int = 0
    sd_model_name: Text = ""
    sampler_name: Text = ""
    extra_generation_params: Mappings = Field(default_factory=dict[str, Any])
    version: Text = ""
    comments: Strings = Field(default_factory=list[str])
    """What it says of its pictures (contract: txt2img.comments)."""

    @property
    def scheduler(self) -> str:
        """The label of the scheduler; empty where it is not told."""
        return str(self.extra_generation_params.get("Schedule type") or "")


class SdWebuiTaskBody(WireModel):
    """Where one task stands."""

    active: bool = False
    queued: bool = False
    completed: bool = False
    progress: float | None = None
    textinfo: Text = ""


class SdWebuiQueueBody(WireModel):
    """What waits at the service."""

    size: int = 0


class SdWebuiProgressBody(WireModel):
    """How far the job at work is, whoever sent it."""

    progress: float = 0
    state: Mappings = Field(default_factory=dict[str, Any])

    @property
    def is_idle(self) -> bool:
        """True where nothing is at work."""
        return not self.state.get("job_count") and not self.state.get("job") and not self.progress


def parse_info(value: Any) -> SdWebuiInfo:
    """The info of an answer: JSON in a string, an object, or nothing that can be read."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    return parse_model(SdWebuiInfo, value) or SdWebuiInfo()


def decode_base64_image(value: Any) -> bytes | None:
    """A picture of an answer, with or without the prefix of a data URL; None where it is none."""
    if not isinstance(value, str):
        return None
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def get_images(answer: Mapping[str, Any]) -> list[Any] | None:
    """The list of pictures in an answer; None where there is no list."""
    images = answer.get("images")
    return images if isinstance(images, list) else None  # pyright: ignore[reportUnknownVariableType]  # JSON
