"""The pictures of an edit: a form's files, or a JSON body's links (contract: images.edits, images.edits_json)."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from atelier_mcp.server.emulator.openai_images.errors import OpenaiImagesError, invalid_value, missing_parameter
from atelier_mcp.server.emulator.sources import SourceError, SourceRule, decode_base64

if TYPE_CHECKING:
    from PIL.Image import Image

    from atelier_mcp.server.emulator.openai_images.calls import OpenaiImagesCall
    from atelier_mcp.server.emulator.openai_images.models import EmulatedModel
    from atelier_mcp.server.emulator.sources import SourceImage

MAX_IMAGES: Final = 16
MAX_SENSENOVA_IMAGES: Final = 5
MAX_IMAGE_BYTES: Final = 50_000_000 - 1
MAX_MASK_BYTES: Final = 4_000_000 - 1
MAX_URL_CHARS: Final = 20_971_520
RULE: Final = SourceRule(min_side_px=1, max_side_px=20_000)
OPAQUE_FROM: Final = 128
"""Alpha under this counts as transparent (contract: edits.mask_without_alpha)."""


@dataclass(frozen=True, slots=True)
class EditSources:
    """What an edit starts from."""

    images: tuple[SourceImage, ...]
    mask: bytes | None = None
    """Black where to redraw, as the engine has it."""


async def read_sources(call: OpenaiImagesCall, model: EmulatedModel) -> EditSources:
    """The pictures, and the mask in the engine's convention; raises OpenaiImagesError."""
    limit = MAX_SENSENOVA_IMAGES if model.is_sensenova else MAX_IMAGES
    if model.is_sensenova and call.is_form:
        raise _build_sensenova_error()
    found = [*call.files.get("image", ()), *[await _fetch(call, entry, "images") for entry in _list_entries(call)]]
    if not 1 <= len(found) <= limit:
        if model.is_sensenova:  # whatever is wrong with the field (contract: sensenova.edit_field)
            raise _build_sensenova_error()
        raise missing_parameter("image") if not found else invalid_value("image", f"At most {limit} images.")
    images = tuple([await _check(call, data, "image", MAX_IMAGE_BYTES) for data in found])
    mask_data = await _read_image(call, "mask")
    markup = await _read_image(call, "markup")
    if markup is not None:
        if mask_data is not None:
            raise invalid_value("markup", "mask and markup cannot be used together.")
        _check_same_size(await _check(call, markup, "markup", MAX_IMAGE_BYTES), images[0], "markup")
    if mask_data is None:
        return EditSources(images)
    mask = await _check(call, mask_data, "mask", MAX_MASK_BYTES)
    _check_same_size(mask, images[0], "mask")
    return EditSources(images, await asyncio.to_thread(_convert_mask, mask.data))


async def _read_image(call: OpenaiImagesCall, name: str) -> bytes | None:
    if files := call.files.get(name):
        return files[0]
    entry = call.fields.get(name)
    return None if entry is None else await _fetch(call, entry, name)


def _list_entries(call: OpenaiImagesCall) -> list[Any]:
    entries = call.fields.get("images", [])
    if not isinstance(entries, list):
        raise invalid_value("images", "Expected an array of objects.")
    return cast("list[Any]", entries)


async def _fetch(call: OpenaiImagesCall, entry: Any, param: str) -> bytes:
    """A picture by link or data URL; files by id are nobody's here."""
    match entry:
        case {"image_url": str(), "file_id": str()}:
            raise invalid_value(param, "Exactly one of image_url and file_id is expected.")
        case {"file_id": str(file_id)}:
            raise OpenaiImagesError(404, f"No such File object: {file_id}", param=param)
        case {"image_url": str(url)} if len(url) <= MAX_URL_CHARS:
            pass
        case _:
            raise invalid_value(param, "Expected an object with image_url.")
    try:
        if url.startswith("data:"):
            return decode_base64(url)
        return await call.emulator.sources.download(url, most_bytes=MAX_IMAGE_BYTES)
    except SourceError as err:
        raise invalid_value(param, f"The image {err}.") from err


async def _check(call: OpenaiImagesCall, data: bytes, param: str, most_bytes: int) -> SourceImage:
    try:
        return await call.emulator.sources.check(data, RULE, most_bytes=most_bytes)
    except SourceError as err:
        raise invalid_value(param, f"The image {err}.") from err


def _check_same_size(overlay: SourceImage, image: SourceImage, param: str) -> None:
    if overlay.format != "PNG":
        raise invalid_value(param, f"{param} must be a PNG.")
    if (overlay.width, overlay.height) != (image.width, image.height):
        raise invalid_value(param, f"{param} must have the size of the first image.")


def _convert_mask(data: bytes) -> bytes:
    from PIL import Image

    mask: Image = Image.open(io.BytesIO(data))
    if "A" not in mask.getbands() and "transparency" not in mask.info:
        raise invalid_value("mask", "The mask has no alpha channel.")
    alpha = mask.convert("RGBA").getchannel("A")
    out = io.BytesIO()
    alpha.point([0 if value < OPAQUE_FROM else 255 for value in range(256)]).save(out, "PNG")
    return out.getvalue()


def _build_sensenova_error() -> OpenaiImagesError:
    return OpenaiImagesError(400, "images must have 1 to 5 items", code="3")
