"""The models of the images API, and what each can do (contract: models), as of 2026-11-27."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.providers.openai_images.size_rules import FreeSizes, ListedSizes

if TYPE_CHECKING:
    from atelier_mcp.server.providers.openai_images.size_rules import SizeRule

THREE_SIZES: Final = ListedSizes(((1024, 1024), (1536, 1024), (1024, 1536)))
# (contract: size.limits)
GPT_SIZES: Final = FreeSizes(
    multiple_of=16, min_edge=16, max_edge=3840, min_pixels=655_360, max_pixels=8_294_400, max_aspect=3.0
)
_LOW_TO_HIGH: Final = ("low", "medium", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenaiModel:
    """One model at OpenAI, or wherever its name lives on."""

    id: str
    sizes: SizeRule = GPT_SIZES
    qualities: tuple[str, ...] = _LOW_TO_HIGH
    is_transparent: bool = True
    has_complexity: bool = False
    fidelities: tuple[str, ...] = ()
    has_edits: bool = True
    takes_response_format: bool = False
    streams: bool = True
    has_output_format: bool = True
    n_max: int = 10
    prompt_chars: int = 32_000
    ends: str = ""
    """The day on which it is or was shut down at OpenAI."""


_NEWEST: Final = OpenaiModel(
    id="gpt-image-2.6-sunburst", qualities=(*_LOW_TO_HIGH, "xhigh", "max"), has_complexity=True
)
_FIXED: Final = OpenaiModel(id="gpt-image-1.5", sizes=THREE_SIZES, fidelities=("low", "high"), ends="2026-12-01")
_DALL_E: Final = OpenaiModel(
    id="dall-e-3",
    sizes=ListedSizes(((1024, 1024), (1792, 1024), (1024, 1792))),
    qualities=("standard", "hd"),
    is_transparent=False,
    has_edits=False,
    takes_response_format=True,
    streams=False,
    has_output_format=False,
    n_max=1,
    prompt_chars=4000,
    ends="2026-05-12",
)

MODELS: Final = {
    model.id: model
    for model in (
        _NEWEST,
        replace(_NEWEST, id="gpt-image-2.6-flare"),
        # Whether these take complexity is not said (contract: generations.complexity_default).
        replace(_NEWEST, id="gpt-image-2.5-sunburst", has_complexity=False),
        replace(_NEWEST, id="gpt-image-2.5-flare", has_complexity=False),
        OpenaiModel(id="gpt-image-2"),
        _FIXED,
        replace(_FIXED, id="gpt-image-1-mini", fidelities=("low",)),
        replace(_FIXED, id="chatgpt-image-latest", fidelities=()),
        replace(_FIXED, id="gpt-image-1", ends="2026-10-23"),
        _DALL_E,
        replace(
            _DALL_E,
            id="dall-e-2",
            sizes=ListedSizes(((1024, 1024), (512, 512), (256, 256))),
            qualities=("standard",),
            has_edits=True,
            n_max=10,
            prompt_chars=1000,
        ),
    )
}
DEFAULT_MODEL: Final = "gpt-image-2.6-flare"
_SNAPSHOT: Final = re.compile(r"-\d{4}-\d{2}-\d{2}\Z")
# No field of the list tells an image model from a text model (contract: models.kind).
_IMAGE_WORDS: Final = (
    "image", "dall-e", "flux", "seedream", "cogview", "u1", "imagine", "kolors", "stable-diffusion", "sdxl", "sd-",
    "imagen",
)  # fmt: skip


def find_model(model_id: str) -> OpenaiModel | None:
    """The model of that name, which may have a maker in front and the date of a snapshot behind."""
    return MODELS.get(_SNAPSHOT.sub("", model_id.rpartition("/")[2]))


def is_image_model(model_id: str) -> bool:
    """Whether a listed model draws, as far as its name tells."""
    name = model_id.lower()
    return find_model(model_id) is not None or any(word in name for word in _IMAGE_WORDS)
