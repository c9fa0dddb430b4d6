"""Drawing what a call asks for with the engine, and bringing it into the file that was asked for."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.engine_calls import EngineTask
from atelier_mcp.server.emulator.faults import get_verdict
from atelier_mcp.server.emulator.openai_images.calls import AcceptedDrawing
from atelier_mcp.server.emulator.openai_images.errors import drawing_failed, invalid_value, moderation_blocked
from atelier_mcp.server.emulator.openai_images.parameters import choose_size

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.emulator.openai_images.calls import OpenaiImagesCall
    from atelier_mcp.server.emulator.openai_images.parameters import ImageParameters
    from atelier_mcp.server.emulator.openai_images.sources import EditSources
    from atelier_mcp.server.emulator.task_store import TaskRecord

SERVICE: Final = "openai.images"
INPAINT: Final = "inpaint"
LARGEST_SEED: Final = 2**31 - 1
EDIT_STRENGTH: Final = 0.55
DISTURBANCE: Final = 12
"""Grey levels by which all pixels of an inpainted picture change, where they are to."""
OUTPUT_TOKENS: Final = {"low": 196, "medium": 439, "high": 1756, "xhigh": 3122, "max": 7024}
"""For 1024x1024 (contract: conventions.output_tokens_seen)."""
_MEGAPIXEL: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FinishedDrawing:
    """The pictures of a call, in the format that was asked for, and what they are."""

    images: tuple[bytes, ...]
    size: tuple[int, int]
    quality: str
    paths: tuple[str, ...]
    """Where in the store each one lies as it was drawn, for links."""
    remarks: tuple[str, ...] = ()
    """What the engine has to say of them."""


@dataclass(frozen=True, slots=True)
class DrawingOrder:
    """A drawing that was accepted and is under way."""

    task: TaskRecord
    size: tuple[int, int]
    entry: AcceptedDrawing


async def accept_drawing(
    call: OpenaiImagesCall, parameters: ImageParameters, sources: EditSources | None
) -> DrawingOrder:
    """Begin it; from here on it is paid for, whatever comes of it."""
    first = sources.images[0] if sources else None
    size = parameters.size or choose_size(parameters.model, (first.width, first.height) if first else None)
    entry = AcceptedDrawing(
        client_request_id=call.request.headers.get("x-client-request-id", ""),
        path=call.request.url.path,
        model=parameters.model.id,
        prompt=parameters.prompt,
        count=parameters.count,
    )
    call.ledger.drawings.append(entry)
    task = await call.emulator.tasks.accept(
        SERVICE,
        call.account.access_key,
        _build_task(call, parameters, sources, size),
        verdict=get_verdict(call.request),
        wait_share=0.0,
    )
    return DrawingOrder(task, size, entry)


async def finish_drawing(call: OpenaiImagesCall, parameters: ImageParameters, order: DrawingOrder) -> FinishedDrawing:
    """The pictures when they are there and their time is over; raises OpenaiImagesError for one that failed."""
    task = order.task
    outcome = await call.emulator.tasks.wait_for_outcome(task)
    # As long as a task takes at least; a clock moved by hand ends it at once.
    await asyncio.sleep(max(0.0, min(task.ends_at - call.emulator.clock.now(), call.emulator.settings.task_seconds)))
    order.entry.has_reader = not await call.request.is_disconnected()
    if task.verdict.failed:
        raise drawing_failed()
    if outcome.failed:
        raise invalid_value("image", outcome.failed)
    blocked = [bool(task.verdict.get_error_code(index)) for index in range(len(outcome.images))]
    kept = [image for image, is_blocked in zip(outcome.images, blocked, strict=True) if not is_blocked]
    if not kept:
        raise moderation_blocked("output")
    paths = tuple(f"tasks/{SERVICE}/{task.task_id}/{image.raw}" for image in kept)
    raw = [await asyncio.to_thread((call.emulator.store.folder / path).read_bytes) for path in paths]
    if parameters.is_transparent:
        raw = [await _cut_out(call, data) for data in raw]
    disturbs = call.switches.disturbs_outside and task.function == INPAINT
    images = [await asyncio.to_thread(_convert, data, parameters, order.size, disturbs=disturbs) for data in raw]
    quality = "medium" if parameters.quality == "auto" else parameters.quality
    return FinishedDrawing(tuple(images), order.size, quality, paths, outcome.notes)


def build_usage(parameters: ImageParameters, drawing: FinishedDrawing, *, image_count: int) -> dict[str, Any]:
    """Tokens by quality and size."""
    share = drawing.size[0] * drawing.size[1] / _MEGAPIXEL
    text, images = len(parameters.prompt) // 4 + 1, 500 * image_count
    output = round(OUTPUT_TOKENS.get(drawing.quality, 439) * share) * len(drawing.images)
    output += 100 * parameters.preview_count
    usage: dict[str, Any] = {
        "input_tokens": text + images,
        "input_tokens_details": {"text_tokens": text, "image_tokens": images},
        "output_tokens": output,
        "total_tokens": text + images + output,
    }
    return usage | ({"images_count": len(drawing.images)} if parameters.model.is_sensenova else {})


def _build_task(
    call: OpenaiImagesCall, parameters: ImageParameters, sources: EditSources | None, size: tuple[int, int]
) -> EngineTask:
    seed = call.emulator.rng.randint(1, LARGEST_SEED)
    common: dict[str, Any] = {
        "prompt": parameters.prompt,
        "seed": seed,
        "samples": parameters.count,
        "watermark": None,
        "file_format": "PNG",
    }
    if sources is not None and sources.mask is not None:
        arguments = {**common, "image": sources.images[0].data, "mask": sources.mask, "strength": 1.0}
        return EngineTask(INPAINT, arguments)
    drawn: dict[str, Any] = {**common, "width": size[0], "height": size[1], "controls": [], "profiles": []}
    if sources is None:
        return EngineTask("generate", drawn)
    return EngineTask("generate", {**drawn, "source": sources.images[0].data, "strength": EDIT_STRENGTH})


async def _cut_out(call: OpenaiImagesCall, data: bytes) -> bytes:
    """The subject on a transparent ground; the whole picture where none is found."""
    result = await call.emulator.run_engine("segment", image=data, seed=1, file_format="PNG")
    return result.images[0][0]


def _convert(data: bytes, parameters: ImageParameters, size: tuple[int, int], *, disturbs: bool) -> bytes:
    from PIL import Image

    image: Image = Image.open(io.BytesIO(data))
    image = image.convert("RGBA" if parameters.is_transparent else "RGB")
    if image.size != size:
        image = image.resize(size)
    if disturbs:
        image = image.point([min(255, value + DISTURBANCE) for value in range(256)] * len(image.getbands()))
    out = io.BytesIO()
    match parameters.output_format:
        case "jpeg":
            image.convert("RGB").save(out, "JPEG", quality=max(1, min(95, parameters.compression)))
        case "webp":
            image.save(out, "WEBP", quality=parameters.compression)
        case _:
            image.save(out, "PNG", compress_level=1)
    return out.getvalue()
