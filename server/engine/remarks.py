"""Notes that tell the writer of a prompt, in the writer's words, what of it is not in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.paint import find_main_subject
from atelier_mcp.server.engine.paint.coverage import find_undrawn, find_undrawn_on_source, find_undrawn_under_mask

if TYPE_CHECKING:
    from atelier_mcp.server.engine.prompt import Prompt

NOTHING_UNDERSTOOD: Final = "Nothing in the prompt was understood: what the picture shows is the painter's own choice"


def format_image_remarks(prompt: Prompt, *, is_repaint: bool) -> tuple[str, ...]:
    """Remarks on a whole picture, or on a source image repainted by the prompt; none when it shows everything."""
    if is_repaint:
        undrawn = find_undrawn_on_source(prompt)
        return (*_format_unknown(prompt), *_format_list("Understood, but the source keeps its own forms", undrawn))
    return (*_format_unknown(prompt), *_format_list("Understood, but not drawn", find_undrawn(prompt)))


def format_mask_remarks(prompt: Prompt) -> tuple[str, ...]:
    """Remarks on a masked area: it takes one subject, or a scene, and no style."""
    main = find_main_subject(prompt)
    if main is None:
        undrawn = find_undrawn(prompt)
        undrawn = (*undrawn, *(text for text in _list_style_words(prompt) if text not in undrawn))
        return (*_format_unknown(prompt), *_format_list("Understood, but left out under a mask", undrawn))
    several = (f"Under a mask one {main.name} is drawn, not several",) if main.count != 1 else ()
    undrawn = find_undrawn_under_mask(prompt, main)
    return (*_format_unknown(prompt), *several, *_format_list("Understood, but left out under a mask", undrawn))


def _format_unknown(prompt: Prompt) -> tuple[str, ...]:
    nothing = (NOTHING_UNDERSTOOD,) if prompt.is_incomprehensible else ()
    return (
        *nothing,
        *_format_list("Not understood, and left out", prompt.not_understood),
        *_format_list("No lettering is drawn", prompt.lettering),
    )


def _format_list(lead: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
    return (f"{lead}: {', '.join(phrases)}",) if phrases else ()


def _list_style_words(prompt: Prompt) -> tuple[str, ...]:
    return tuple(mention.text for mention in prompt.mentions if any(term.kind == "style" for term in mention.terms))
