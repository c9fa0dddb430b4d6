"""The models of every service, as its listing shows them (contract: <service>.models, shared.model_fields).

Of LoRAs an account can use the built-in ones and those it has trained (contract: lora.models).
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.mhapi.calls import MhapiCall, build_service_id
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, MhapiHttpError
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskView

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
TRAININGS: Final = "lora"
"""The service whose finished tasks are LoRAs."""
TRAINED_PREFIX: Final = "lora_"


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


def build_lora_id(task: TaskRecord) -> str:
    """The id of the LoRA that a training makes."""
    return f"{TRAINED_PREFIX}{task.task_id}"


async def list_trained(call: MhapiCall) -> list[MhapiModelRow]:
    """The account's finished LoRAs, oldest first."""
    views = await call.emulator.tasks.list_views(build_service_id(TRAININGS), call.account.access_key)
    return [_build_model(view) for view in views if view.phase is Phase.SUCCESS]


async def find_lora(call: MhapiCall, model_id: str) -> MhapiModelRow | None:
    """The LoRA of that id, if the account can use it."""
    if model_id in BUILT_IN_LORAS:
        return BUILT_IN_LORAS[model_id][1]
    view = await _find_training(call, model_id)
    return _build_model(view) if view is not None and view.phase is Phase.SUCCESS else None


async def load_profile(call: MhapiCall, model_id: str) -> bytes | str:
    """What the engine needs of a LoRA that was found: the learned bytes, or the name of a built-in style."""
    if model_id in BUILT_IN_LORAS:
        return BUILT_IN_LORAS[model_id][0]
    view = await _find_training(call, model_id)
    assert view is not None  # noqa: S101 - it was found
    assert view.outcome is not None  # noqa: S101 - and was finished
    path = call.emulator.store.build_path(view.task.service, view.task.task_id, view.outcome.file)
    return await asyncio.to_thread(path.read_bytes)


async def _find_training(call: MhapiCall, model_id: str) -> TaskView | None:
    # Any text may come here; find refuses what is no task id.
    task_id = model_id.removeprefix(TRAINED_PREFIX)
    return await call.emulator.tasks.find(build_service_id(TRAININGS), task_id, call.account.access_key)


def _build_model(view: TaskView) -> MhapiModelRow:
    facts = view.task.facts
    return MhapiModelRow(
        id=build_lora_id(view.task),
        name=facts["model_name"],
        description=facts["description"],
        base_model_type=facts["base_model_type"],
        model_type="LORA",
        trigger_words=facts["trigger_word"],
    )
