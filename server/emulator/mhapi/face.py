"""face: faces found, and faces swapped (contract: face.*).

Results are wrapped in ``task`` and states are integers, as nowhere else. There is no failed state: a failed task
answers with code 9, or by a switch as finished and empty (face.no_failure_state).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.mhapi import models
from atelier_mcp.server.emulator.mhapi.errors import NOT_FOUND, STATE, MhapiHttpError, invalid_parameter
from atelier_mcp.server.emulator.mhapi.parameters import (
    FORMAT,
    IMG_URL,
    MODEL_ID,
    WATERMARK,
    ChoiceRule,
    IntegerRule,
    ListRule,
    NumberRule,
    ObjectRule,
    Parameter,
    TextRule,
    Values,
)
from atelier_mcp.server.emulator.mhapi.results import (
    build_model_list_handler,
    build_submit_response,
    create_link,
    find_view,
)
from atelier_mcp.server.emulator.tasks import Phase

if TYPE_CHECKING:
    from atelier_mcp.server.emulator.mhapi.calls import CallRow, MhapiCall
    from atelier_mcp.server.emulator.task_store import TaskRecord
    from atelier_mcp.server.emulator.tasks import TaskView

DETECT: Final = "face.detect"
SWAP: Final = "face.imggen"
FIND_FACES: Final = "faces"
MODELS: Final = (
    models.MhapiModelRow("faceswap_v1", "Face swap 1", "Swaps faces in general pictures"),
    models.MhapiModelRow("faceswap_yw", "Face swap, drawn", "Swaps faces in two-dimensional style pictures"),
)
KIND_OF_MODEL: Final = {"faceswap_v1": "normal", "faceswap_yw": "anime"}

DETECT_PARAMETERS: Final = (IMG_URL, Parameter("type", ChoiceRule(("normal", "anime")), default="normal"))
FACE: Final = (
    Parameter("url", TextRule(), required=True),
    Parameter("index", IntegerRule(0), required=True),
    Parameter("base_index", IntegerRule(0), required=True),
)
IMGGEN: Final = (
    MODEL_ID,
    # An object with url alone: faces of the base are named by base_index (face.swap.base_faces).
    Parameter("base_img", ObjectRule((Parameter("url", TextRule(), required=True),)), required=True),
    Parameter("faces", ListRule(ObjectRule(FACE), most=4, least=1), required=True),
    Parameter("dino_scale", NumberRule(0, 1), default=0.2),
    Parameter("guidance_scale", IntegerRule(10, 100), default=30),
    Parameter("prompt", TextRule(width=1000, may_be_empty=True), default=""),
    FORMAT,
    WATERMARK,
)


def build_rows() -> list[CallRow]:
    """The endpoints of the service; it has no batch lookup (face.no_batch)."""
    prefix = "/v1/face"
    return [
        ("GET", f"{prefix}/models", build_model_list_handler(MODELS, all_fields=False)),
        ("POST", f"{prefix}/detect", detect),
        ("GET", f"{prefix}/detect/{{task_id}}", get_detect_result),
        ("POST", f"{prefix}/imggen", imggen),
        ("POST", f"{prefix}/imggen_sync", imggen_sync),
        ("GET", f"{prefix}/imggen/{{task_id}}", get_imggen_result),
    ]


async def detect(call: MhapiCall) -> Any:
    """Accept a search for faces, in any picture."""
    values = call.read_parameters(DETECT_PARAMETERS)
    # Any picture, also one for no swap (face.detect.purpose).
    source = await call.fetch_source(values["img_url"], "img_url")
    engine_task = EngineTask(FIND_FACES, {"image": source.data, "kind": values["type"]})
    return build_submit_response((await call.accept(DETECT, engine_task)).task_id)


async def get_detect_result(call: MhapiCall) -> Any:
    """The faces, numbered from 0, left to right (face.detect_result.index_start)."""
    view = await find_view(call, DETECT)
    boxes = view.outcome.document if view.outcome is not None and _has_result(call, view) else None
    faces = [{"index": index, "coords": _build_coords(face)} for index, face in enumerate(boxes or ())]
    # Without faces the state is 1 all the same (face.detect_result.no_face).
    return {"task": {"state": _get_state(view), "faces": faces}}


async def imggen(call: MhapiCall) -> Any:
    """Accept a swap."""
    return build_submit_response((await _accept(call)).task_id)


async def imggen_sync(call: MhapiCall) -> Any:
    """Swap, and answer with the picture."""
    task = await _accept(call)
    await asyncio.sleep(call.switches.sync_seconds)
    return _build_swap_result(call, await call.emulator.tasks.finish(task))


async def get_imggen_result(call: MhapiCall) -> Any:
    """The swapped picture; both links lead to it (face.swap.single_output)."""
    return _build_swap_result(call, await find_view(call, SWAP))


async def _accept(call: MhapiCall) -> TaskRecord:
    values = call.read_parameters(IMGGEN)
    kind = KIND_OF_MODEL[models.find_model(MODELS, values["model_id"]).id]
    faces = values["faces"]
    if len({face["base_index"] for face in faces}) < len(faces):
        raise invalid_parameter("faces: a base_index is repeated")
    base, *references = await asyncio.gather(
        call.fetch_source(values["base_img"]["url"], "base_img.url"),
        *(call.fetch_source(face["url"], f"faces[{index}].url") for index, face in enumerate(faces)),
    )
    pairs = [
        {"image": reference.data, "index": face["index"], "base_index": face["base_index"]}
        for reference, face in zip(references, faces, strict=True)
    ]
    await _check_faces(call, base.data, pairs, kind)
    arguments = {
        "base": base.data,
        "pairs": pairs,
        "kind": kind,
        "seed": call.choose_seed(),
        "watermark": values["watermark_config"]["type"],
        "file_format": values["format"],
    }
    facts = {name: values[name] for name in ("dino_scale", "guidance_scale", "prompt")}
    return await call.accept(SWAP, EngineTask("swap", arguments), facts=facts)


async def _check_faces(call: MhapiCall, base: bytes, pairs: list[Values], kind: str) -> None:
    """Code 5 for a number that no face has (face.swap.duplicates)."""

    async def count(image: bytes) -> int:
        return len(await call.emulator.run_engine(FIND_FACES, image=image, kind=kind))

    # Each picture once: four faces may come out of one, and finding them is the slow part.
    distinct = {base, *(pair["image"] for pair in pairs)}
    counts = dict(zip(distinct, await asyncio.gather(*map(count, distinct)), strict=True))
    for index, pair in enumerate(pairs):
        if pair["base_index"] >= counts[base]:
            raise MhapiHttpError(NOT_FOUND, _format_missing_face("base_img", pair["base_index"], counts[base]))
        if pair["index"] >= counts[pair["image"]]:
            raise MhapiHttpError(
                NOT_FOUND, _format_missing_face(f"faces[{index}].url", pair["index"], counts[pair["image"]])
            )


def _format_missing_face(place: str, index: int, face_count: int) -> str:
    """What to say of a face that is not there, to somebody who may have looked at the picture."""
    if not face_count:
        return f"no face was found in {place}"
    return f"{place} has no face {index}: {face_count} found there, numbered from 0"


def _build_swap_result(call: MhapiCall, view: TaskView) -> dict[str, Any]:
    url = ""
    if (
        view.outcome is not None
        and _has_result(call, view)
        and view.outcome.images
        # There is no error_code in this result: a picture that was blocked just has no link.
        and not view.task.verdict.get_error_code(0)
    ):
        url = create_link(call, view, view.outcome.images[0].raw)
    return {"task": {"state": _get_state(view), "img_url": url, "img_raw_url": url}}


def _has_result(call: MhapiCall, view: TaskView) -> bool:
    """Whether there is something to show; code 9 for a failed task."""
    if view.phase is Phase.FAILED and not call.switches.empty_face_failure:
        reason = view.outcome.failed if view.outcome is not None else ""
        raise MhapiHttpError(STATE, reason)
    return view.phase is Phase.SUCCESS


def _get_state(view: TaskView) -> int:
    return int(view.phase in {Phase.SUCCESS, Phase.FAILED})


def _build_coords(face: dict[str, int]) -> dict[str, int]:
    """The box by its corners, in whole pixels (face.detect_result.coords)."""
    return {
        "x1": face["x"],
        "y1": face["y"],
        "x2": face["x"] + face["width"],
        "y2": face["y"] + face["height"],
    }
