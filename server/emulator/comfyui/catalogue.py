"""What the server has: nodes, files, and itself (contract: object_info, models.folder, system_stats, free)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from atelier_mcp.server.emulator.comfyui.errors import ComfyuiHttpError, build_error_body
from atelier_mcp.server.emulator.comfyui.models import FILES
from atelier_mcp.server.emulator.comfyui.node_classes import CLASSES

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.comfyui.calls import ComfyuiCall, ComfyuiRow

VERSION: Final = "0.3.65"
MEMORY_BYTES: Final = 16 * 2**30


def build_rows() -> list[ComfyuiRow]:
    """The calls."""
    return [
        ("GET", "/object_info", list_classes),
        ("GET", "/object_info/{node_class}", read_class),
        ("GET", "/models", list_folders),
        ("GET", "/models/{folder}", list_files),
        ("GET", "/embeddings", list_embeddings),
        ("GET", "/system_stats", read_stats),
        ("POST", "/free", free),
    ]


async def list_classes(call: ComfyuiCall) -> Response:
    """Every class of nodes."""
    return JSONResponse(await _describe(call, list(CLASSES)))


async def read_class(call: ComfyuiCall) -> Response:
    """One class; nothing for one there is not."""
    name = call.request.path_params["node_class"]
    return JSONResponse(await _describe(call, [name] if name in CLASSES else []))


async def _describe(call: ComfyuiCall, names: list[str]) -> dict[str, Any]:
    input_files = await asyncio.to_thread(call.state.files.list_inputs)
    return {
        name: CLASSES[name].describe(
            name,
            lambda kind: input_files if kind.is_file else kind.choices,
            names_combos=call.switches.names_combos,
        )
        for name in names
    }


async def list_folders(_: ComfyuiCall) -> Response:
    """The folders of files."""
    return JSONResponse(list(FILES))


async def list_files(call: ComfyuiCall) -> Response:
    """The files of one folder."""
    folder = call.request.path_params["folder"]
    if folder not in FILES:
        raise ComfyuiHttpError(404, build_error_body(404))
    return JSONResponse(list(FILES[folder]))


async def list_embeddings(_: ComfyuiCall) -> Response:
    """What a prompt can name as ``embedding:name``."""
    return JSONResponse(list(FILES["embeddings"]))


async def read_stats(_: ComfyuiCall) -> Response:
    """The machine and the version."""
    memory = {"ram_total": MEMORY_BYTES, "ram_free": MEMORY_BYTES // 2}
    system = {"os": "posix", **memory, "comfyui_version": VERSION, "python_version": "3.12", "argv": ["main.py"]}
    device = {"name": "cpu", "type": "cpu", "index": 0, "vram_total": MEMORY_BYTES, "vram_free": MEMORY_BYTES // 2}
    return JSONResponse({"system": system, "devices": [device]})


async def free(_: ComfyuiCall) -> Response:
    """Nothing is held in memory that could be let go of."""
    return Response()
