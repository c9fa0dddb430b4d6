"""What a stored picture is called in a list: the words it was made from, or what it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, assert_never

from atelier_mcp.server.images.provenance import Derived, DrawnMask, Generated, Imported, Unrecorded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from atelier_mcp.server.images.stored_image import StoredImage

MAX_TITLE_CHARACTERS = 80


def build_title(image: StoredImage) -> str:
    """A title in one line of at most 80 characters: ``a red kite``, ``Mask of img_...``, ``Imported photo.jpg``."""
    title = " ".join(_describe_origin(image).split()) or image.name
    return title if len(title) <= MAX_TITLE_CHARACTERS else f"{title[: MAX_TITLE_CHARACTERS - 1].rstrip()}…"


def _describe_origin(image: StoredImage) -> str:
    match provenance := image.provenance:
        case Generated():
            return _get_prompt(provenance.request) or _describe_edit(provenance)
        case Imported(source=source):
            return f"Imported {_get_last_name(source)}" if source else ""
        case Derived(parents=parents, operation=operation):
            return f"{operation.capitalize()}: {', '.join(parents)}" if parents else operation.capitalize()
        case DrawnMask(image=source):
            return f"Mask of {_get_last_name(source)}" if source else "Mask"
        case Unrecorded(facts=facts):
            return _get_prompt(facts)
        case _:
            assert_never(provenance)


def _get_prompt(request: Mapping[str, Any]) -> str:
    """The words a picture was made from; of a conversation, what was said last."""
    match request:
        case {"prompt": str(prompt)}:
            return prompt
        case {"messages": [*_, {"content": str(content)}]}:
            return content
        case _:
            return ""


def _describe_edit(generated: Generated) -> str:
    """``Upscale image: img_...``, for what is made without words."""
    action = generated.capability.replace("_", " ").capitalize()
    image = generated.request.get("image")
    return f"{action}: {image}" if action and isinstance(image, str) else action


def _get_last_name(source: str) -> str:
    """The last name in a path or link; a handle as it is."""
    # "a data URL" loses its article: "Imported data URL".
    return re.split(r"[/\\]", source.rstrip("/\\"))[-1].removeprefix("a ")
