"""The models of every service, as its listing shows them (contract: <service>.models, shared.model_fields)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.json_numbers import parse_integer
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, MhapiHttpError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.mhapi.calls import MhapiCall

TEXT_TO_IMAGE: Final = "text_to_image"
IMAGE_TO_IMAGE: Final = "image_to_image"
LORA: Final = "lora"
LISTED_CONTROLS: Final = ("openpose", "depth", "canny", "softedge", "normal", "scribble", "seg")
OTHER_CONTROLS: Final = (
    "mlsd",
    "lineart",
    "lineart_anime",
    "shuffle",
    "tile",
    "ip2p",
    "brightness",
    "reference_only",
    "ip_adapter_faceid",
)
DEFAULT_PAGE: Final = 10


@dataclass(frozen=True, slots=True)
class MhapiModelRow:
    """One line of a listing."""

    id: str
    name: str
    description: str
    base_model_type: str = ""
    model_type: str = ""
    trigger_words: str = ""

    def to_short_row(self) -> dict[str, str]:
        """The three fields of services that list no more."""
        return {"id": self.id, "name": self.name, "description": self.description}

    def to_full_row(self) -> dict[str, str]:
        """All six fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EmulatedModelFamily:
    """A generation of base models: what it can do (contract: enums.generation_kinds, enums.model_families)."""

    name: str
    kinds: frozenset[str]
    controls: frozenset[str] = field(default_factory=frozenset[str])

    @property
    def checkpoint(self) -> MhapiModelRow:
        """The family's model; its name holds the family's (imgenstd.models.families)."""
        word = "Fast preview" if "turbo" in self.name else "Preview"
        return MhapiModelRow(
            id=f"artist_{self.name}",
            name=f"Artist {self.name}",
            description=f"{word} checkpoint of family {self.name}",
            base_model_type=f"artist_{self.name}",
            model_type="Checkpoint",
        )


# 0.5.0 turbo and V0.6.0 do text to image only, unlisted controls work on 0.4.0 (imgenstd.imgen.families, .kinds).
FAMILIES: Final = tuple(
    EmulatedModelFamily(name, frozenset(kinds), frozenset(controls))
    for name, kinds, controls in (
        ("v1.0", {TEXT_TO_IMAGE}, ()),
        ("v0.6.0", {TEXT_TO_IMAGE}, ()),
        ("v0.5.0", {TEXT_TO_IMAGE, IMAGE_TO_IMAGE}, ()),
        ("v0.5.0-turbo", {TEXT_TO_IMAGE}, ()),
        ("v0.4.0", {TEXT_TO_IMAGE, IMAGE_TO_IMAGE, LORA}, (*LISTED_CONTROLS, *OTHER_CONTROLS)),
        ("v0.4.0-turbo", {TEXT_TO_IMAGE}, LISTED_CONTROLS),
    )
)
FAMILY_OF: Final = {family.checkpoint.id: family for family in FAMILIES}
CHECKPOINTS: Final = tuple(family.checkpoint for family in FAMILIES)
LORA_BASE: Final = "artist_v0.4.0"


def _build_lora(style: str, words: str) -> MhapiModelRow:
    return MhapiModelRow(
        id=f"lora_{style}_v0.4.0",
        name=f"{style.replace('_', ' ').capitalize()} v0.4.0",
        description=f"Style LoRA: {words}",
        base_model_type=LORA_BASE,
        model_type="LORA",
        trigger_words=f"{style.replace('_', ' ')} style",
    )


BUILT_IN_LORAS: Final = {
    _build_lora(style, words).id: (style, _build_lora(style, words))
    for style, words in (
        ("watercolour", "washes of colour on rough paper"),
        ("ink", "brush and ink in few tones"),
        ("comic", "flat colours and bold outlines"),
    )
}
LORAS: Final = tuple(model for _, model in BUILT_IN_LORAS.values())


def find_model(models: Sequence[MhapiModelRow], model_id: str) -> MhapiModelRow:
    """The model of that id; code 5 when the service has none (split.imgen.model_example)."""
    for model in models:
        if model.id == model_id:
            return model
    raise MhapiHttpError(NOT_FOUND, f"model {model_id} does not exist")


def build_page(call: MhapiCall, rows: Sequence[dict[str, Any]], *, zero_is_default: bool = False) -> dict[str, Any]:
    """One page of a listing by the query's ``size`` and ``offset`` (shared.paging_edge)."""
    size = read_query_integer(call, "size", DEFAULT_PAGE)
    offset = read_query_integer(call, "offset", 0)
    if size == 0 and zero_is_default:
        size = DEFAULT_PAGE
    if not 1 <= size <= 100:
        raise invalid_parameter("size must be from 1 to 100")
    if offset < 0:
        raise invalid_parameter("offset must not be negative")
    return {"have_next": offset + size < len(rows), "data": list(rows[offset : offset + size])}


def check_query_names(call: MhapiCall, *names: str) -> None:
    """Refuse query parameters a listing does not have."""
    unknown = sorted(set(call.request.query_params) - set(names))
    if unknown and not call.switches.lenient_names:
        raise invalid_parameter(f"unknown parameter {unknown[0]}")


def read_query_integer(call: MhapiCall, name: str, default: int) -> int:
    """A whole number of the query."""
    text = call.request.query_params.get(name)
    if text is None:
        return default
    if (number := parse_integer(text)) is None:
        raise invalid_parameter(f"{name} must be an integer")
    return number


def read_query_choice(call: MhapiCall, name: str, values: tuple[str, ...], default: str) -> str:
    """One of some words of the query."""
    value = call.request.query_params.get(name, default)
    if value not in values:
        raise invalid_parameter(f"{name} must be one of {', '.join(values)}")
    return value
