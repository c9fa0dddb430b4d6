"""Everything there is to choose from, as lists (contract: samplers ff.)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_webui import models
from atelier_mcp.server.emulator.sd_webui.errors import build_route_error

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

FOLDER: Final = "/srv/webui/models"
WITHOUT_VAE_LIST: Final = frozenset({"forge", "sdcpp"})
WITHOUT_SCHEDULERS: Final = frozenset({"forge_classic", "sdnext"})


def build_rows() -> list[CallRow]:
    """All of them."""
    return [
        ("GET", "/sdapi/v1/samplers", list_samplers),
        ("GET", "/sdapi/v1/schedulers", list_schedulers),
        ("GET", "/sdapi/v1/upscalers", list_upscalers),
        ("GET", "/sdapi/v1/latent-upscale-modes", list_latent_modes),
        ("GET", "/sdapi/v1/sd-models", list_checkpoints),
        ("GET", "/sdapi/v1/sd-vae", list_vaes),
        ("GET", "/sdapi/v1/sd-modules", list_modules),
        ("GET", "/sdapi/v1/loras", list_loras),
        ("GET", "/sdapi/v1/embeddings", list_embeddings),
        ("GET", "/sdapi/v1/scripts", list_scripts),
        ("GET", "/sdapi/v1/script-info", list_script_infos),
        ("GET", "/sdapi/v1/version", get_version),
        ("GET", "/v1/models", list_cpp_models),
    ]


async def list_samplers(_call: WebuiCall) -> list[dict[str, Any]]:
    """Name, aliases, and the scheduler that suits it."""
    return [
        {"name": name, "aliases": list(aliases), "options": {"scheduler": scheduler} if scheduler else {}}
        for name, aliases, scheduler in models.SAMPLERS
    ]


async def list_schedulers(call: WebuiCall) -> list[dict[str, Any]]:
    """Not in every server of the family (variants)."""
    if call.switches.variant in WITHOUT_SCHEDULERS:
        raise build_route_error()
    return [
        {"name": name, "label": label, "aliases": None, "default_rho": -1.0, "need_inner_model": False}
        for name, label in models.SCHEDULERS
    ]


async def list_upscalers(_call: WebuiCall) -> list[dict[str, Any]]:
    """By name."""
    return [
        {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4}
        for name in models.UPSCALERS
    ]


async def list_latent_modes(_call: WebuiCall) -> list[dict[str, Any]]:
    """For the second pass."""
    return [{"name": name} for name in models.LATENT_MODES]


async def list_checkpoints(_call: WebuiCall) -> list[dict[str, Any]]:
    """With the path on the server, too."""
    return [
        {
            "title": checkpoint.title,
            "model_name": checkpoint.name,
            "hash": checkpoint.digest[:10],
            "sha256": checkpoint.digest,
            "filename": f"{FOLDER}/Stable-diffusion/{checkpoint.file}",
            "config": None,
        }
        for checkpoint in models.CHECKPOINTS
    ]


async def list_vaes(call: WebuiCall) -> list[dict[str, Any]]:
    """Forge has another list instead."""
    if call.switches.variant in WITHOUT_VAE_LIST:
        raise build_route_error()
    return [{"model_name": name, "filename": f"{FOLDER}/VAE/{name}"} for name in models.VAES]


async def list_modules(call: WebuiCall) -> list[dict[str, Any]]:
    """Forge's list of VAEs and text encoders."""
    if call.switches.variant != "forge":
        raise build_route_error()
    return [{"model_name": name, "filename": f"{FOLDER}/VAE/{name}"} for name in models.VAES]


async def list_loras(_call: WebuiCall) -> list[dict[str, Any]]:
    """Each can be called by its name or its alias."""
    return [
        {"name": name, "alias": name, "path": f"{FOLDER}/Lora/{name}.safetensors", "metadata": {}}
        for name in models.LORA_STYLES
    ]


async def list_embeddings(_call: WebuiCall) -> dict[str, Any]:
    """Those that suit the loaded checkpoint, and the others."""
    entry = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": 768, "vectors": 8}
    return {"loaded": dict.fromkeys(models.EMBEDDINGS, entry), "skipped": {}}


async def list_scripts(call: WebuiCall) -> dict[str, Any]:
    """Titles in lower case; they tell which extensions are there."""
    titles = [
        *models.ALWAYS_ON_SCRIPTS,
        *["controlnet", "controlnet m2m"] * call.switches.has_controlnet,
        *["reactor"] * call.switches.has_reactor,
    ]
    return {"txt2img": titles, "img2img": titles}


async def list_script_infos(call: WebuiCall) -> list[dict[str, Any]]:
    """The same with their arguments, of which none is shown here."""
    titles = (await list_scripts(call))["txt2img"]
    return [
        {"name": title, "is_alwayson": True, "is_img2img": is_img2img, "args": []}
        for is_img2img in (False, True)
        for title in titles
    ]


async def get_version(call: WebuiCall) -> dict[str, Any]:
    """SD.Next alone says it."""
    if call.switches.variant != "sdnext":
        raise build_route_error()
    return {"app": "sd.next", "updated": "2026-07-23", "hash": "0a1b2c3d", "branch": "master"}


async def list_cpp_models(call: WebuiCall) -> dict[str, Any]:
    """The mark of stable-diffusion.cpp."""
    if call.switches.variant != "sdcpp":
        raise build_route_error()
    return {"object": "list", "data": [{"id": "sd-cpp-local", "object": "model", "owned_by": "local"}]}
