"""The files of a deployment: built in, uploaded, or learnt in a training; and what the engine makes of a LoRA.

(contract: list_checkpoints, inference_v2)
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.sd_aws.calls import SdAwsCall, build_service_id
from atelier_mcp.server.emulator.sd_aws.errors import SdAwsHttpError
from atelier_mcp.server.emulator.sd_aws.object_store import build_location
from atelier_mcp.server.emulator.sd_aws.training_outcomes import settle_trainings
from atelier_mcp.server.emulator.sd_aws.versions import OPERATOR_ROLE
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BASE: Final = "Stable-diffusion"
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
NO_FILES: Final = {"VAE": ("None", "Automatic")}
"""Names that stand for no file."""
BUILT_IN_STYLES: Final = ("watercolour", "ink", "comic")
"""The engine's names of the built-in LoRAs."""
BUILT_IN_AT: Final = 1_690_000_000.0


async def list_checkpoints(call: SdAwsCall) -> list[dict[str, Any]]:
    """Every checkpoint there is, in whatever state; a built-in one that was changed is a record of its own."""
    # A training leaves its checkpoint only when somebody looks: here, so that the list shows it.
    await settle_trainings(call)
    records = await call.records.list_all("checkpoint")
    if not call.switches.built_in_checkpoints:
        return [record for record in records if not record.get("is_deleted")]
    # A built-in file that was renamed or disabled is on record under its own id, and replaces the one made up here.
    changed = {record["id"] for record in records}
    built_in = [record for record in _list_built_in() if record["id"] not in changed]
    return [record for record in [*built_in, *records] if not record.get("is_deleted")]


async def find_checkpoint(call: SdAwsCall, checkpoint_id: str) -> dict[str, Any] | None:
    """The checkpoint of that id."""
    return next((record for record in await list_checkpoints(call) if record["id"] == checkpoint_id), None)


async def find_models(call: SdAwsCall, models: Any) -> dict[str, list[dict[str, Any]]]:
    """The checkpoints an inference names, by kind: id, names, location; raises SdAwsHttpError for those there are not.

    A text in place of a list is read letter by letter, as the service does.
    """
    if not isinstance(models, dict):
        raise SdAwsHttpError(400, f"'{_name_type(models)}' object has no attribute 'items'")
    records = [record for record in await list_checkpoints(call) if record["status"] == "Active"]
    found: dict[str, list[dict[str, Any]]] = {}
    missing: list[str] = []
    for kind, names in cast("Mapping[str, Iterable[str]]", models).items():
        for name in names:
            if (entry := _find_model(records, kind, name)) is not None:
                found.setdefault(kind, []).append(entry)
            else:
                missing.append(f"checkpoint with name {name}, type {kind} is not found")
    if missing:
        # A list in v1.3, later one text (contract: inference_v2.failure_shape).
        raise SdAwsHttpError(400, missing if call.version.is_legacy else " ".join(missing), key="errMsg")
    return found


async def load_profiles(
    call: SdAwsCall, lora_tags: Sequence[tuple[str, float]], files: Sequence[str]
) -> list[list[Any]]:
    """The engine's profiles for names in a prompt; a name without a file among ``files`` changes nothing."""
    stems = {_strip_suffix(name) for name in files}
    found: list[list[Any]] = []
    for name, weight in lora_tags:
        profile = await _load_profile(call, name) if name in stems else None
        if profile is not None:
            found.append([profile, weight])
    return found


def _list_built_in() -> Iterable[dict[str, Any]]:
    for kind, names in BUILT_IN.items():
        for name in names:
            digits = hashlib.sha256(f"{kind}/{name}".encode()).hexdigest()
            params: dict[str, Any] = {"message": "of the emulator", "multipart_upload": {}}
            yield {
                "id": "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32])),
                "type": kind, "s3_location": build_location(f"{kind}/checkpoint/built-in"), "status": "Active",
                "names": [name], "params": params, "created": BUILT_IN_AT, "roles": [OPERATOR_ROLE],
                "source_path": None, "target_path": None,
            }  # fmt: skip


def _find_model(records: Sequence[dict[str, Any]], kind: str, name: str) -> dict[str, Any] | None:
    if name in NO_FILES.get(kind, ()):
        return {"id": kind, "names": [name], "model_name": name, "s3": "None", "type": kind}
    for record in records:
        if record["type"] == kind and name in (record["names"] or ()):
            place = record["s3_location"]
            return {"id": record["id"], "names": record["names"], "model_name": name, "s3": place, "type": kind}
    return None


async def _load_profile(call: SdAwsCall, name: str) -> bytes | str | None:
    if name in BUILT_IN_STYLES and call.switches.built_in_checkpoints:
        return name
    # A file that was uploaded by hand is no profile of the engine's: it loads, and changes nothing.
    for record in await call.records.list_all("training"):
        if _strip_suffix(str(record["file"])) != name or not record["task"]:
            continue
        view = await call.find_view("training", record["task"])
        if view is not None and view.phase is Phase.SUCCESS and view.outcome is not None and view.outcome.file:
            path = call.emulator.store.build_path(build_service_id("training"), record["task"], view.outcome.file)
            return await asyncio.to_thread(path.read_bytes)
    return None


def _strip_suffix(name: str) -> str:
    return name.rpartition(".")[0] or name


def _name_type(value: Any) -> str:
    return type(value).__name__
