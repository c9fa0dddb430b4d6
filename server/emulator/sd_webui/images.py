"""Pictures in words, and the words inside of pictures (contract: interrogate, png_info)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from atelier_mcp.server.emulator.sd_webui import pixels
from atelier_mcp.server.emulator.sd_webui.errors import WebuiHttpError, build_route_error
from atelier_mcp.server.emulator.sd_webui.parameters import REQUIRED, WebuiField, read_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.emulator.sd_webui.calls import CallRow, WebuiCall

INTERROGATE_FIELDS: Final = {"image": WebuiField("string"), "model": WebuiField("string", "clip")}
CAPTION_FIELDS: Final = {"image": WebuiField("string"), "model": WebuiField("string", "")}
DESCRIBE: Final = "describe the image"
NO_ANSWERS: Final = "This stand-in answers no questions about pictures; what it sees:"
QUESTION_FIELDS: Final = {
    "image": WebuiField("string", ""),
    "model": WebuiField("string", ""),
    "question": WebuiField("string", DESCRIBE),
    "prompt": WebuiField("string", ""),
}
PNG_INFO_FIELDS: Final = {"image": WebuiField("string", REQUIRED)}
LITTLE_WORDS: Final = frozenset({"a", "an", "the", "of", "in", "on", "at", "and", "with", "is", "are", "it", "to"})
VARIANTS_WITHOUT_INTERROGATE: Final = frozenset({"forge_classic", "sdnext"})


def build_rows() -> list[CallRow]:
    """Both, and SD.Next's in the place of the first."""
    return [
        ("POST", "/sdapi/v1/interrogate", interrogate),
        ("POST", "/sdapi/v1/caption", caption),
        ("POST", "/sdapi/v1/vqa", answer_question),
        ("POST", "/sdapi/v1/png-info", read_png_info),
    ]


async def interrogate(call: WebuiCall) -> dict[str, Any]:
    """A sentence, or tags."""
    if call.switches.variant in VARIANTS_WITHOUT_INTERROGATE:
        raise build_route_error()
    values = read_fields(call.body, INTERROGATE_FIELDS)
    if not values["image"]:
        raise WebuiHttpError(404, "Image not found")
    if values["model"] not in ("clip", "deepdanbooru"):
        raise WebuiHttpError(404, "Model not found")
    words = await _describe(call, values["image"])
    return {"caption": words if values["model"] == "clip" else ", ".join(_list_tags(words))}


async def caption(call: WebuiCall) -> dict[str, Any]:
    """SD.Next's way."""
    return {"caption": await _describe(call, _read_sdnext_fields(call, CAPTION_FIELDS)["image"])}


async def answer_question(call: WebuiCall) -> dict[str, Any]:
    """What the engine sees, whatever is asked, and that it knows no questions (contract: interrogate.questions)."""
    values = _read_sdnext_fields(call, QUESTION_FIELDS)
    description = await _describe(call, values["image"])
    return {"answer": description if values["question"] == DESCRIBE else f"{NO_ANSWERS} {description}"}


async def read_png_info(call: WebuiCall) -> dict[str, Any]:
    """The generation text of a picture, taken apart."""
    image = await call.read_image(read_fields(call.body, PNG_INFO_FIELDS)["image"])
    text = await asyncio.to_thread(pixels.read_text, image)
    prompt, _, last_line = text.rpartition("\n")
    parameters = dict(re.findall(r"([A-Z][\w ]*): ([^,]*)", last_line))
    return {"info": text, "items": {"parameters": text}, "parameters": {"Prompt": prompt, **parameters}}


def _read_sdnext_fields(call: WebuiCall, fields: Mapping[str, WebuiField]) -> dict[str, Any]:
    if call.switches.variant != "sdnext":
        raise build_route_error()
    values = read_fields(call.body, fields)
    if not values["image"]:
        raise WebuiHttpError(404, "Image not found")
    return values


async def _describe(call: WebuiCall, encoded_image: str) -> str:
    image = await call.read_image(encoded_image)
    async with call.server.queue.run("", seconds=0, steps=0, clock=call.emulator.clock.now):
        return await call.emulator.run_engine("describe", image=image)


def _list_tags(words: str) -> list[str]:
    found = re.findall(r"[a-z]+", words.lower())
    return list(dict.fromkeys(word for word in found if word not in LITTLE_WORDS))
