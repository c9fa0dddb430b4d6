"""Miaohua's models: base models, LoRAs, the account's own, and which of them a request means (contract: models_*)."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.miaohua.calls import MiaohuaApiResponse
from atelier_mcp.server.emulator.miaohua.errors import invalid_parameter
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.miaohua.calls import CallRow, MiaohuaCall
    from atelier_mcp.server.emulator.tasks import TaskView

VENDOR: Final = "SenseTime"
DEFAULT_VERSION: Final = "sgl_artist_v0.3.5_0925"
PAGE_SIZE: Final = 20


@dataclass(frozen=True, slots=True)
class MiaohuaModelRow:
    """One line of a list."""

    versionid: str
    model_name: str
    model_id: int
    description: str = ""
    author: str = VENDOR
    base_model: str = ""
    is_opensource: bool = False
    tag: str = ""
    demo_picture: str = ""


BASES: Final = (
    MiaohuaModelRow(DEFAULT_VERSION, "Artist v0.3.5 0925", 1, "the vendor's own model"),
    MiaohuaModelRow("sgl_artist_v0.3.5", "Artist v0.3.5", 2, "the vendor's own model, first edition"),
    MiaohuaModelRow("sgl_artist_v0.3.5_turbo", "Artist v0.3.5 Turbo", 3, "in few steps: scale 1.2, 5 steps"),
    MiaohuaModelRow("sgl_artist_v0.3.0_beta", "Artist v0.3.0 Beta", 4, "older"),
    MiaohuaModelRow("sgl_artist_v0.1.3", "Artist_V0.1.3", 5, "older"),
    MiaohuaModelRow(
        "open_painter_v1", "Open Painter v1", 6, "a community model", author="community", is_opensource=True
    ),
)
OTHER_NAMES: Final = {"Artist v0.3.5 Beta": "sgl_artist_v0.3.5"}
"""Version ids of base models by further names that public clients send (task_submit.model_selector)."""
BUILT_IN_LORAS: Final = {
    style: MiaohuaModelRow(f"lora_{style}", name, number, words, base_model="", tag="LORA")
    for number, (style, name, words) in enumerate(
        (
            ("watercolour", "Watercolour", "washes of colour on rough paper"),
            ("ink", "Ink", "brush and ink in few tones"),
            ("comic", "Comic", "flat colours and bold outlines"),
        ),
        start=101,
    )
}
"""By the name of the engine's style."""
FIRST_TRAINED_ID: Final = 1001
TRAINED_PREFIX: Final = "lora_"
TRAININGS: Final = "miaohua.trainings"
"""The service whose finished tasks are the account's own models."""
PAGING: Final = ("page", "per_page", "query")

SUBJECTS: Final = ("Style", "Human", "Architecture", "Plants", "Animals")
TRAINABLE: Final = (BASES[0], BASES[1], BASES[5])
AUTOMATIC: Final = frozenset({"", "自动选择"})


def build_rows() -> list[CallRow]:
    """The three lists."""
    return [
        ("POST", "/models/base", list_bases, PAGING),
        ("POST", "/models/lora", list_loras, PAGING),
        ("POST", "/models/private", list_own, PAGING),
    ]


def normalize_name(name: str) -> str:
    """A display name without case, spaces and underscores (task_submit.model_selector)."""
    return name.lower().replace(" ", "").replace("_", "")


_VERSIONS_BY_NAME: Final = {
    normalize_name(name): versionid
    for name, versionid in ((*OTHER_NAMES.items(), *((model.model_name, model.versionid) for model in BASES)))
}


def find_base(versionid: str, model_name: str) -> MiaohuaModelRow | None:
    """The base model of that version, or else of that name; the default when both are empty; None for an unknown."""
    # Nothing named is no error: the vendor's newest draws.
    if not versionid and not model_name:
        return BASES[0]
    wanted = versionid or _VERSIONS_BY_NAME.get(normalize_name(model_name), "")
    return next((model for model in BASES if model.versionid == wanted), None)


def find_trainable(versionid: str, name: str) -> MiaohuaModelRow:
    """The base of a training; the service's choice when both are empty (train_submit.base_model_selector)."""
    if versionid in AUTOMATIC and name in AUTOMATIC:
        return BASES[0]
    for model in TRAINABLE:
        if model.versionid == versionid or (not versionid and normalize_name(model.model_name) == normalize_name(name)):
            return model
    raise invalid_parameter(f"base model {versionid or name} cannot be trained on")


def build_page(call: MiaohuaCall, models: Sequence[MiaohuaModelRow]) -> MiaohuaApiResponse:
    """One page of a list by the body's ``page``, ``per_page`` and ``query``."""
    number = call.parameters.read_integer("page", 1, least=1, most=1_000_000)
    size = call.parameters.read_integer("per_page", PAGE_SIZE, least=1, most=1000)
    query = call.parameters.read_text("query", "").lower()
    matches = [
        m for m in models if query in f"{m.model_name} {m.tag} {m.author} {m.base_model} {m.description}".lower()
    ]
    start = (number - 1) * size
    # No total, and per_page as it was applied (models_base.paging_end).
    rows = [asdict(model) for model in matches[start : start + size]]
    return MiaohuaApiResponse(
        {"has_next": start + size < len(matches), "models": rows, "page": number, "per_page": size}
    )


async def list_bases(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The public base models (models_base)."""
    return build_page(call, BASES)


async def list_loras(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The public LoRAs (models_lora)."""
    return build_page(call, list(BUILT_IN_LORAS.values()))


async def list_own(call: MiaohuaCall) -> MiaohuaApiResponse:
    """The account's own models, which are its finished trainings (models_private)."""
    return build_page(call, [_build_model(view, number) for number, view in enumerate(await _list_finished(call))])


async def find_lora_id(call: MiaohuaCall, name: str) -> str:
    """The version id of the account's LoRA of that name; empty when there is none (trained_model_use)."""
    if not name:
        return ""
    matches = [
        view for view in await _list_finished(call) if normalize_name(view.task.facts["name"]) == normalize_name(name)
    ]
    # The latest of several with one name.
    return f"{TRAINED_PREFIX}{matches[-1].task.task_id}" if matches else ""


async def load_profile(call: MiaohuaCall, versionid: str) -> bytes | str | None:
    """What the engine needs of a LoRA: the name of a built-in style or the learnt bytes; None when there is none."""
    for style, model in BUILT_IN_LORAS.items():
        if model.versionid == versionid:
            return style
    task_id = versionid.removeprefix(TRAINED_PREFIX)
    view = await call.emulator.tasks.find(TRAININGS, task_id, call.account.access_key)
    if view is None or view.phase is not Phase.SUCCESS or view.outcome is None:
        return None
    path = call.emulator.store.build_path(TRAININGS, task_id, view.outcome.file)
    return await asyncio.to_thread(path.read_bytes)


async def _list_finished(call: MiaohuaCall) -> list[TaskView]:
    views = await call.emulator.tasks.list_views(TRAININGS, call.account.access_key)
    return [view for view in views if view.phase is Phase.SUCCESS]


def _build_model(view: TaskView, number: int) -> MiaohuaModelRow:
    facts: Any = view.task.facts
    return MiaohuaModelRow(
        f"{TRAINED_PREFIX}{view.task.task_id}",
        facts["name"],
        FIRST_TRAINED_ID + number,
        facts["description"],
        author=view.task.account,
        base_model=facts["base_model"],
        # By the tag a client tells what it is (models_private.kind_detection).
        tag="LORA",
    )
