"""What the engine is to do for a picture that is asked for, and what the answer will say of it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.controlnet_units import WebuiControlUnit, read_units
from atelier_mcp.server.emulator.sd_webui.errors import WebuiHttpError, build_out_of_memory_fault
from atelier_mcp.server.emulator.sd_webui.models import (
    ALWAYS_ON_SCRIPTS,
    AUTOMATIC,
    DEFAULT_SAMPLER,
    LORA_STYLES,
    SAMPLERS,
    WebuiCheckpoint,
    find_checkpoint,
    find_scheduler,
    split_sampler,
)
from atelier_mcp.server.emulator.sd_webui.parameters import (
    IMG2IMG_FIELDS,
    SDNEXT_DEFAULTS,
    TXT2IMG_FIELDS,
    read_fields,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_webui.calls import WebuiCall

MAX_SIDE_PX: Final = 4096
MAX_IMAGES: Final = 32
SIDE_STEP_PX: Final = 8
SEEDS: Final = 1 << 32
LORA_TAG: Final = re.compile(r"<(?:lora|lyco):([^:<>]+)(?::(-?\d*\.?\d+))?[^<>]*>", re.IGNORECASE)
NETWORK_TAG: Final = re.compile(r"<[a-z]+:[^<>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WebuiGeneration:
    """Pictures to be drawn."""

    values: Mapping[str, Any]
    checkpoint: WebuiCheckpoint
    sampler: str
    scheduler: str
    width: int
    height: int
    seed: int
    units: tuple[WebuiControlUnit, ...] = ()
    source: bytes | None = None
    mask: bytes | None = None
    """In the engine's meaning; None where there is none."""
    profiles: tuple[tuple[str, float], ...] = field(default=())

    @property
    def count(self) -> int:
        """How many pictures."""
        return self.values["batch_size"] * self.values["n_iter"]

    @property
    def prompt(self) -> str:
        """The prompt without the tags that call up networks."""
        return NETWORK_TAG.sub("", self.values["prompt"]).strip() or "picture"


async def plan_generation(call: WebuiCall, *, has_source: bool) -> WebuiGeneration:
    """The pictures a body asks for; raises what the service answers to one that it cannot work with."""
    defaults = SDNEXT_DEFAULTS if call.switches.variant == "sdnext" else {}
    values = read_fields({**defaults, **call.body}, IMG2IMG_FIELDS if has_source else TXT2IMG_FIELDS)
    _check_scripts(call, values)
    if has_source and not values["init_images"]:
        raise WebuiHttpError(400 if call.switches.variant == "sdnext" else 404, "Init image not found")
    sampler, scheduler = _choose_sampler(call, values)
    width, height = _compute_size(values, is_second_pass=not has_source and values["enable_hr"])
    seed = values["seed"] if values["seed"] >= 0 else call.emulator.rng.randrange(SEEDS)
    source, mask = await _read_sources(call, values, (width, height)) if has_source else (None, None)
    return WebuiGeneration(
        values,
        _choose_checkpoint(call, values),
        sampler,
        scheduler,
        width,
        height,
        seed % SEEDS,
        units=await read_units(call, values["alwayson_scripts"] or {}),
        source=source,
        mask=mask,
        profiles=() if values["disable_extra_networks"] else _find_profiles(values["prompt"]),
    )


def _check_scripts(call: WebuiCall, values: Mapping[str, Any]) -> None:
    """Raise 422 for a script that is not there; of those that are chosen by name there are none (img2img.outpaint)."""
    if values["script_name"] not in (None, "", "None"):
        raise WebuiHttpError(422, f"Script '{values['script_name']}' not found")
    known = {*ALWAYS_ON_SCRIPTS, *["controlnet"] * call.switches.has_controlnet}
    scripts: dict[str, Any] = values["alwayson_scripts"] or {}
    for title in scripts:
        if title.lower() not in known:
            raise WebuiHttpError(422, f"always on script {title} not found")


def _choose_sampler(call: WebuiCall, values: Mapping[str, Any]) -> tuple[str, str]:
    """Sampler and scheduler: unknown ones are replaced without a word (txt2img.scheduler)."""
    name, joined_scheduler = split_sampler(values["sampler_name"] or values["sampler_index"] or DEFAULT_SAMPLER)
    scheduler = find_scheduler(joined_scheduler or values["scheduler"] or AUTOMATIC) or AUTOMATIC
    known = [sampler for sampler, _, _ in SAMPLERS]
    if name in known:
        return name, scheduler
    if call.switches.refuses_unknown_samplers or call.switches.variant == "sdnext":
        raise WebuiHttpError(404 if call.switches.variant == "sdnext" else 400, "Sampler not found")
    return known[0], scheduler


def _choose_checkpoint(call: WebuiCall, values: Mapping[str, Any]) -> WebuiCheckpoint:
    """The one the call overrides the settings with, else the loaded one; an unknown name is dropped without a word.

    (contract: txt2img.checkpoint_override, txt2img.restore_cost)
    """
    loaded = find_checkpoint(call.server.options["sd_model_checkpoint"])
    if loaded is None:
        raise ValueError("the options name a checkpoint that there is not")
    overrides: dict[str, Any] = values["override_settings"] or {}
    wanted = find_checkpoint(str(overrides.get("sd_model_checkpoint") or ""))
    if wanted is not None and not values["override_settings_restore_afterwards"]:
        call.server.options["sd_model_checkpoint"] = wanted.title
    return wanted or loaded


def _compute_size(values: Mapping[str, Any], *, is_second_pass: bool) -> tuple[int, int]:
    """The size of the pictures, rounded down to eights; raises the fault of running out of memory (txt2img.sizes)."""
    width, height = values["width"], values["height"]
    if is_second_pass:
        scale = values["hr_scale"]
        across, down = values["hr_resize_x"], values["hr_resize_y"]
        if across or down:
            width, height = across or round(down * width / height), down or round(across * height / width)
        else:
            width, height = round(width * scale), round(height * scale)
    width, height = (int(side) // SIDE_STEP_PX * SIDE_STEP_PX for side in (width, height))
    if max(width, height) > MAX_SIDE_PX or values["batch_size"] * values["n_iter"] > MAX_IMAGES:
        raise build_out_of_memory_fault()
    if min(width, height) <= 0:
        raise build_out_of_memory_fault("Given groups=1, expected a size above 0")
    return width, height


async def _read_sources(
    call: WebuiCall, values: Mapping[str, Any], size: tuple[int, int]
) -> tuple[bytes, bytes | None]:
    """The source at the size of the result, and the mask; the first source alone is worked on (img2img.many)."""
    source = await call.read_image(values["init_images"][0])
    if values["mask"] and values["inpaint_full_res"]:
        # What is drawn of the marked part alone is pasted into the source, which keeps its size.
        size = await asyncio.to_thread(pixels.get_size, source)
    source = await asyncio.to_thread(pixels.resize, source, *size)
    if not values["mask"]:
        return source, None
    mask = await asyncio.to_thread(
        pixels.read_mask,
        await call.read_image(values["mask"]),
        size,
        is_inverted=bool(values["inpainting_mask_invert"]),
        rounds=values["mask_round"],
    )
    return source, mask


def _find_profiles(prompt: str) -> tuple[tuple[str, float], ...]:
    """The engine's styles for the LoRAs that a prompt calls up; of an unknown one nothing is said."""
    tags = [(name, float(weight or 1)) for name, weight in LORA_TAG.findall(prompt)]
    return tuple((LORA_STYLES[name], min(2.0, max(0.0, weight))) for name, weight in tags if name in LORA_STYLES)
