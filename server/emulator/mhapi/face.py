"""face: faces found, and faces swapped (contract: face.*).

Results are wrapped in ``task`` and states are integers, as nowhere else. There is no failed state: a failed task
answers with code 9, or by a switch as finished and empty (face.no_failure_state).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.calls import Call, route, unknown_method
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, STATE, Refused, invalid
from atelier_mcp.server.emulator.mhapi.fields import (
    FORMAT,
    IMG_URL,
    MODEL_ID,
    WATERMARK,
    Choice,
    Field,
    Group,
    Integer,
    Many,
    Number,
    Text,
    Values,
)
from atelier_mcp.server.emulator.mhapi.results import link, view_of
from atelier_mcp.server.emulator.mhapi.services import accepted, model_list
from atelier_mcp.server.emulator.tasks import Order, Phase

if TYPE_CHECKING:
    from starlette.routing import Route

    from atelier_mcp.server.emulator.task_store import Task
    from atelier_mcp.server.emulator.tasks import View
    from atelier_mcp.server.emulator.world import World

DETECT: Final = "face.detect"
SWAP: Final = "face.imggen"
FIND_FACES: Final = "atelier_mcp.server.engine.studio:faces"
MODELS: Final = (
    models.Model("faceswap_v1", "Face swap 1", "Swaps faces in general pictures"),
    models.Model("faceswap_yw", "Face swap, drawn", "Swaps faces in two-dimensional style pictures"),
)
KIND_OF_MODEL: Final = {"faceswap_v1": "normal", "faceswap_yw": "anime"}

FIND: Final = (IMG_URL, Field("type", Choice(("normal", "anime")), default="normal"))
FACE: Final = (
    Field("url", Text(), required=True),
    Field("index", Integer(0), required=True),
    Field("base_index", Integer(0), required=True),
)
IMGGEN: Final = (
    MODEL_ID,
    Field("base_img", Group((Field("url", Text(), required=True),)), required=True),
    Field("faces", Many(Group(FACE), most=4, least=1), required=True),
    Field("dino_scale", Number(0, 1), default=0.2),
    Field("guidance_scale", Integer(10, 100), default=30),
    Field("prompt", Text(width=1000, may_be_empty=True), default=""),
    FORMAT,
    WATERMARK,
)


def routes(world: World) -> list[Route]:
    """The endpoints of the service; it has no batch lookup (face.no_batch)."""
    prefix = "/v1/face"
    paths = ("models", "detect", "imggen", "imggen_sync", "detect/{task_id}", "imggen/{task_id}")
    return [
        route(world, "GET", f"{prefix}/models", model_list(MODELS, all_fields=False)),
        route(world, "POST", f"{prefix}/detect", detect),
        route(world, "GET", f"{prefix}/detect/{{task_id}}", detect_result),
        route(world, "POST", f"{prefix}/imggen", imggen),
        route(world, "POST", f"{prefix}/imggen_sync", imggen_sync),
        route(world, "GET", f"{prefix}/imggen/{{task_id}}", imggen_result),
        *(unknown_method(world, f"{prefix}/{path}") for path in paths),
    ]


async def detect(call: Call) -> Any:
    """Accept a search for faces, in any picture."""
    values = call.read(FIND)
    source = await call.source(values["img_url"], "img_url")
    order = Order(FIND_FACES, {"picture": source.data, "kind": values["type"]})
    return accepted((await call.accept(DETECT, order)).task_id)


async def detect_result(call: Call) -> Any:
    """The faces, numbered from 0, left to right (face.detect_result.index_start)."""
    view = await view_of(call, DETECT)
    found = view.outcome.document if view.outcome is not None and _over(call, view) else None
    faces = [{"index": index, "coords": _coords(face)} for index, face in enumerate(found or ())]
    return {"task": {"state": _state(view), "faces": faces}}


async def imggen(call: Call) -> Any:
    """Accept a swap."""
    return accepted((await _accept(call)).task_id)


async def imggen_sync(call: Call) -> Any:
    """Swap, and answer with the picture."""
    task = await _accept(call)
    await asyncio.sleep(call.switches.sync_seconds)
    return _swapped(call, await call.world.tasks.finish(task))


async def imggen_result(call: Call) -> Any:
    """The swapped picture; both links lead to it (face.swap.single_output)."""
    return _swapped(call, await view_of(call, SWAP))


async def _accept(call: Call) -> Task:
    values = call.read(IMGGEN)
    kind = KIND_OF_MODEL[models.find(MODELS, values["model_id"]).id]
    faces = values["faces"]
    if len({face["base_index"] for face in faces}) < len(faces):
        raise invalid("faces: a base_index is repeated")
    base, *references = await asyncio.gather(
        call.source(values["base_img"]["url"], "base_img.url"),
        *(call.source(face["url"], f"faces[{index}].url") for index, face in enumerate(faces)),
    )
    pairs = [
        {"picture": reference.data, "index": face["index"], "base_index": face["base_index"]}
        for reference, face in zip(references, faces, strict=True)
    ]
    await _check_faces(call, base.data, pairs, kind)
    order = {
        "base": base.data,
        "pairs": pairs,
        "kind": kind,
        "seed": call.seed(),
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    facts = {name: values[name] for name in ("dino_scale", "guidance_scale", "prompt")}
    return await call.accept(SWAP, Order("atelier_mcp.server.engine.studio:swap", order), facts=facts)


async def _check_faces(call: Call, base: bytes, pairs: list[Values], kind: str) -> None:
    """Code 5 for a number that no face has (face.swap.duplicates)."""

    async def count(picture: bytes) -> int:
        return len(await call.world.engine.run(FIND_FACES, picture=picture, kind=kind))

    distinct = {base, *(pair["picture"] for pair in pairs)}
    counts = dict(zip(distinct, await asyncio.gather(*map(count, distinct)), strict=True))
    for place, pair in enumerate(pairs):
        if pair["base_index"] >= counts[base]:
            raise Refused(NOT_FOUND, _missing("base_img", pair["base_index"], counts[base]))
        if pair["index"] >= counts[pair["picture"]]:
            raise Refused(NOT_FOUND, _missing(f"faces[{place}].url", pair["index"], counts[pair["picture"]]))


def _missing(place: str, index: int, found: int) -> str:
    """What to say of a face that is not there, to somebody who may have looked at the picture."""
    if not found:
        return f"no face was found in {place}"
    return f"{place} has no face {index}: {found} found there, numbered from 0"


def _swapped(call: Call, view: View) -> dict[str, Any]:
    url = ""
    if view.outcome is not None and _over(call, view) and view.outcome.pictures and not view.task.verdict.code_of(0):
        url = link(call, view, view.outcome.pictures[0].raw)
    return {"task": {"state": _state(view), "img_url": url, "img_raw_url": url}}


def _over(call: Call, view: View) -> bool:
    """Whether there is something to show; code 9 for a failed task."""
    if view.phase is Phase.FAILED and not call.switches.empty_face_failure:
        reason = view.outcome.failed if view.outcome is not None else ""
        raise Refused(STATE, reason)
    return view.phase is Phase.SUCCESS


def _state(view: View) -> int:
    return int(view.phase in {Phase.SUCCESS, Phase.FAILED})


def _coords(face: dict[str, int]) -> dict[str, int]:
    """The box by its corners, in whole pixels (face.detect_result.coords)."""
    return {
        "x1": face["x"],
        "y1": face["y"],
        "x2": face["x"] + face["width"],
        "y2": face["y"] + face["height"],
    }
