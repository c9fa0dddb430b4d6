"""What a WebUI says of itself, for who set it up: which server it is, what it has, and what that is enough for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.errors import AtelierError
from atelier_mcp.server.providers.base import ServiceReport
from atelier_mcp.server.providers.faults import raise_rejection_errors
from atelier_mcp.server.providers.sd_webui.operations.describe import WITHOUT_CAPTIONS

if TYPE_CHECKING:
    from atelier_mcp.server.providers.sd_webui.operation import SdWebuiAccount
    from atelier_mcp.server.providers.sd_webui.server_facts import SdWebuiFacts
    from atelier_mcp.server.providers.sd_webui.session import SdWebuiSession

MEMORY_PATH: Final = "/sdapi/v1/memory"
SCRIPTS_PATH: Final = "/sdapi/v1/script-info"
COUNTED_KINDS: Final = {"checkpoint": "checkpoints", "lora": "LoRAs", "sampler": "samplers", "upscale": "upscalers"}
GIBIBYTE: Final = 1_073_741_824


async def build_report(account: SdWebuiAccount) -> ServiceReport:
    """The report; raises any ``AtelierError`` where the server does not answer."""
    account.probe.forget()
    with raise_rejection_errors():
        facts = await account.probe.get()
        counts = {kind: len(await account.model_list.fetch(kind, refresh=True)) for kind in COUNTED_KINDS}
        scripts = await _list_scripts(account.session)
        memory = await _describe_memory(account.session)
        swapping = await _describe_swapping(account.session, facts)
    parts = [
        f"{facts.title} {facts.revision}".strip(),
        *(f"{counts[kind]} {name}" for kind, name in COUNTED_KINDS.items()),
        f"loaded {facts.loaded_checkpoint}" if facts.loaded_checkpoint else "no checkpoint loaded",
        f"extensions {', '.join(facts.extensions) or 'none that serve a tool'}",
        swapping,
        f"scripts {', '.join(scripts)}" if scripts else "",
        memory,
    ]
    words = ", ".join(part for part in parts if part)
    return ServiceReport(words, tuple(_list_served(facts, has_checkpoint=counts["checkpoint"] > 0)))


def _list_served(facts: SdWebuiFacts, *, has_checkpoint: bool) -> list[str]:
    """The capabilities that what is there is enough for."""
    served = {
        "generate_image": has_checkpoint,
        "inpaint_image": has_checkpoint,
        "outpaint_image": has_checkpoint,
        "upscale_image": facts.variant != "sdcpp",
        "describe_image": facts.variant not in WITHOUT_CAPTIONS,
        "cut_out_subject": facts.has_cut_out,
        "swap_faces": facts.swap_models is not None,
        "list_models": True,
    }
    return [name for name, is_served in served.items() if is_served]


async def _list_scripts(session: SdWebuiSession) -> list[str]:
    """The titles of the scripts that are always on, each once."""
    document = await _try_find(session, SCRIPTS_PATH)
    entries = cast("list[Any]", document) if isinstance(document, list) else []
    rows = [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]
    return list(dict.fromkeys(str(row["name"]) for row in rows if row.get("is_alwayson") and row.get("name")))


async def _describe_memory(session: SdWebuiSession) -> str:
    """How much of the card's memory is free."""
    match await _try_find(session, MEMORY_PATH):
        case {"cuda": {"system": {"free": int(free), "total": int(total)}}}:
            return f"{free / GIBIBYTE:.1f} of {total / GIBIBYTE:.1f} GiB free on its card"
        case _:
            return ""


async def _describe_swapping(session: SdWebuiSession, facts: SdWebuiFacts) -> str:
    """What the extension for faces has, where it is there."""
    if facts.swap_models is None:
        return ""
    counts = {"models": len(facts.swap_models)}
    for name, path in {"upscalers": "/reactor/upscalers", "facemodels": "/reactor/facemodels"}.items():
        document = await _try_find(session, path)
        found = cast("dict[str, Any]", document).get(name) if isinstance(document, dict) else None
        names = cast("list[Any]", found) if isinstance(found, list) else []
        counts[name] = sum(entry != "None" for entry in names)
    return (
        f"ReActor with {counts['models']} models, {counts['upscalers']} upscalers, {counts['facemodels']} stored faces"
    )


async def _try_find(session: SdWebuiSession, path: str) -> Any:
    """A document that is only an addition: None where it cannot be had."""
    try:
        with raise_rejection_errors():
            return await session.find(path)
    except AtelierError:
        return None
