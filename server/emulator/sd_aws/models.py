"""Files a deployment has: built in, uploaded, or learnt in a training; and what the engine makes of a LoRA.

(contract: list_checkpoints, inference_v2)
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall, build_service_id
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BASE: Final = "Stable-diffusion"
TYPES: Final = (BASE, "embeddings", "Lora", "hypernetworks", "ControlNet", "VAE")
BUILT_IN: Final[dict[str, tuple[str, ...]]] = {
    BASE: ("v1-5-pruned-emaonly.safetensors", "sd_xl_base_1.0.safetensors"),
    "embeddings": ("easynegative.safetensors",),
    "Lora": ("watercolour.safetensors", "ink.safetensors", "comic.safetensors"),
    "hypernetworks": ("softlight.pt",),
    "ControlNet": (
        "control_v11p_sd15_canny.pth", "control_v11f1p_sd15_depth.pth", "control_v11p_sd15_openpose.pth",
        "control_v11p_sd15_mlsd.pth", "control_v11p_sd15_normalbae.pth", "control_v11p_sd15_lineart.pth",
        "control_v11p_sd15s2_lineart_anime.pth", "control_v11p_sd15_softedge.pth", "control_v11p_sd15_scribble.pth",
        "control_v11p_sd15_seg.pth", "control_v11e_sd15_shuffle.pth", "control_v11f1e_sd15_tile.pth",
        "control_v11e_sd15_ip2p.pth", "control_v1p_sd15_brightness.safetensors", "ip-adapter-faceid_sd15.pth",
    ),
    "VAE": ("vae-ft-mse-840000-ema-pruned.safetensors",),
}  # fmt: skip
"""What a fresh deployment of the emulator has, so that pictures can be made at once."""
NEEDS_NO_FILE: Final = {"VAE": ("None", "Automatic")}
BUILT_IN_STYLES: Final = ("watercolour", "ink", "comic")
"""The engine's names of the built-in LoRAs."""


def list_built_in() -> Iterable[dict[str, Any]]:
    """The checkpoints of a fresh deployment."""
    for kind, names in BUILT_IN.items():
        for name in names:
            place = f"{kind}/checkpoint/built-in"
            checkpoint_id = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()[:32]
            params: dict[str, Any] = {"message": "of the emulator", "multipart_upload": {}}
            yield {
                "id": checkpoint_id, "type": kind, "s3_location": build_location(place), "status": "Active",
                "names": [name], "params": params, "created": 1_690_000_000.0,
            }  # fmt: skip


async def load_profiles(
    call: SdAwsCall, lora_tags: Sequence[tuple[str, float]], files: Sequence[str]
) -> list[list[Any]]:
    """The engine's profiles for names in a prompt; a file nobody here can read changes nothing.

    Raises SdAwsHttpError for a name without a file among ``files``: the worker would not find it.
    """
    stems = {_strip_suffix(name): name for name in files}
    found: list[list[Any]] = []
    for name, weight in lora_tags:
        if name not in stems:
            raise SdAwsHttpError(400, f"checkpoint with name {name}, type Lora is not found", key="errMsg")
        if (profile := await _load_profile(call, name)) is not None:
            found.append([profile, weight])
    return found


async def list_trained(call: SdAwsCall) -> list[dict[str, Any]]:
    """The checkpoints that finished trainings have left."""
    records = await call.records.list_all("training")
    phases = [(await call.get_phase("training", r["task"]))[0] if r["task"] else Phase.PENDING for r in records]
    return [_build_checkpoint(r) for r, phase in zip(records, phases, strict=True) if phase is Phase.SUCCESS]


async def list_active(call: SdAwsCall, kind: str) -> list[str]:
    """The file names of a kind that can be used."""
    records = [*await list_trained(call), *await call.records.list_all("checkpoint")]
    own = [name for r in records if r["type"] == kind and r["status"] == "Active" for name in r["names"]]
    return [*BUILT_IN.get(kind, ()), *own]


async def check_models(call: SdAwsCall, models: Any) -> None:
    """Refuse an inference that names files there are not (inference_v2: unknown checkpoint)."""
    if not isinstance(models, dict) or not models.get(BASE):  # pyright: ignore[reportUnknownMemberType] # JSON
        raise SdAwsHttpError(400, "models.Stable-diffusion is required", key="errMsg")
    missing: list[str] = []
    for kind, names in models.items():  # pyright: ignore[reportUnknownVariableType] # JSON
        known = {*await list_active(call, parse_kind(str(kind))), *NEEDS_NO_FILE.get(str(kind), ())}  # pyright: ignore[reportUnknownArgumentType] # JSON
        missing += [f"checkpoint with name {n}, type {kind} is not found" for n in names if n not in known]  # pyright: ignore[reportUnknownVariableType] # JSON
    if missing:
        raise SdAwsHttpError(400, missing, key="errMsg")


def parse_kind(name: str) -> str:
    """The kind however it is written (upload_checkpoint.type_case)."""
    for kind in TYPES:
        if kind.lower() == name.lower():
            return kind
    raise SdAwsHttpError(400, f"checkpoint type must be one of {', '.join(TYPES)}")


def _build_checkpoint(record: dict[str, Any]) -> dict[str, Any]:
    params: dict[str, Any] = {"training": record["id"], "multipart_upload": {}}
    return {
        "id": record["id"],
        "type": "Lora",
        "s3_location": build_location(f"Lora/checkpoint/{record['id']}"),
        "status": "Active",
        "names": [record["file"]],
        "params": params,
        "created": record["created"],
    }


async def _load_profile(call: SdAwsCall, name: str) -> bytes | str | None:
    if name in BUILT_IN_STYLES:
        return name
    for record in await call.records.list_all("training"):
        if _strip_suffix(record["file"]) == name and record["task"]:
            view = await call.find_view("training", record["task"])
            if view is not None and view.phase is Phase.SUCCESS and view.outcome is not None and view.outcome.file:
                path = call.emulator.store.build_path(build_service_id("training"), record["task"], view.outcome.file)
                return await asyncio.to_thread(path.read_bytes)
    return None


def _strip_suffix(name: str) -> str:
    return name.rpartition(".")[0] or name
