"""Notes that tell the writer of a prompt, in the writer's words, what of it is not in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.likenesses import LIKENESSES
from atelier_mcp.server.engine.paint import find_main_subject, names_anything
from atelier_mcp.server.engine.paint.coverage import (
    find_undrawn,
    find_undrawn_on_source,
    find_undrawn_on_surface,
    find_undrawn_under_mask,
)
from atelier_mcp.server.engine.paint.surfaces import choose_surface
from atelier_mcp.server.engine.recolour import find_new_colours
from atelier_mcp.server.engine.regrade import list_regrades

if TYPE_CHECKING:
    from atelier_mcp.server.engine.prompt import Prompt

NOTHING_UNDERSTOOD: Final = "Nothing in the prompt was understood: what the picture shows is the painter's own choice"
FULL_STRENGTH: Final = 0.95
"""From here on a higher strength would make no difference to be seen."""
NEVER_PAINTED: Final = frozenset(
    {"text", "letters", "logo", "signature", "watermark", "username", "caption", "frame", "border", "文字", "水印"}
    | {"blurry", "blur", "noise", "noisy", "jpeg", "artifact", "artifacts", "artefacts", "lowres", "low", "模糊"}
    | {"worst", "bad", "ugly", "deformed", "disfigured", "mutated", "mutation", "distorted", "poorly", "变形", "丑陋"}
    | {"anatomy", "hands", "fingers", "limbs", "extra", "missing", "cropped", "duplicate", "error", "nsfw", "drawn"}
)
"""What negative prompts commonly name and no painting of this engine shows."""
NOTHING_TO_PAINT: Final = "The prompt names nothing that can be painted: the marked area was filled from around it"


def format_image_remarks(prompt: Prompt, *, is_repaint: bool, strength: float = 1.0) -> tuple[str, ...]:
    """Remarks on a whole picture, or on a source image repainted by the prompt; none when it shows everything."""
    if is_repaint:
        undrawn = find_undrawn_on_source(prompt)
        return (
            *_format_unknown(prompt),
            *_format_list("Understood, but the source keeps its own forms", undrawn),
            *_format_regrade(prompt, strength),
        )
    undrawn = find_undrawn(prompt)
    return (
        *_format_unknown(prompt),
        *_format_list("Understood, but not drawn", undrawn),
        *_format_likenesses(prompt, without=undrawn),
    )


def format_mask_remarks(prompt: Prompt, *, strength: float = 1.0) -> tuple[str, ...]:
    """Remarks on a masked area: it takes one subject, or a surface, or a scene, and no style."""
    if not names_anything(prompt):
        manner = _list_style_words(prompt)
        return (
            NOTHING_TO_PAINT,
            *_format_missing(prompt),
            *_format_list("Understood, but left out under a mask", manner),
        )
    if new_colours := find_new_colours(prompt):
        manner = _list_style_words(prompt)
        return (
            *_format_unknown(prompt),
            f"The marked area keeps its forms and takes the colour: {', '.join(new_colours)}"
            + (f" at a strength of {strength:g}; a higher one changes it more" if strength < FULL_STRENGTH else ""),
            *_format_list("Understood, but left out under a mask", manner),
        )
    main, surface = find_main_subject(prompt), choose_surface(prompt)
    if surface:
        undrawn = find_undrawn_on_surface(prompt, surface)
        return (*_format_unknown(prompt), *_format_list("Understood, but left out under a mask", undrawn))
    if main is None:
        undrawn = find_undrawn(prompt)
        undrawn = (*undrawn, *(text for text in _list_style_words(prompt) if text not in undrawn))
        return (
            *_format_unknown(prompt),
            *_format_list("Understood, but left out under a mask", undrawn),
            *_format_likenesses(prompt, without=undrawn),
        )
    several = (f"Under a mask one {main.name} is drawn, not several",) if main.count != 1 else ()
    undrawn = find_undrawn_under_mask(prompt, main)
    return (
        *_format_unknown(prompt),
        *several,
        *_format_list("Understood, but left out under a mask", undrawn),
        *_format_likenesses(prompt, without=undrawn),
    )


def format_negative_remarks(negative: Prompt) -> tuple[str, ...]:
    """What of a negative prompt has no effect; not the flaws that no painting here has."""
    unknown = tuple(word for word in negative.not_understood if word not in NEVER_PAINTED)
    return _format_list("Not understood in the negative prompt, and without effect", unknown)


def _format_unknown(prompt: Prompt) -> tuple[str, ...]:
    nothing = (NOTHING_UNDERSTOOD,) if prompt.is_incomprehensible else ()
    return (*nothing, *_format_missing(prompt))


def _format_missing(prompt: Prompt) -> tuple[str, ...]:
    return (
        *_format_list("Not understood, and left out", prompt.not_understood),
        *_format_list("No lettering is drawn", prompt.lettering),
    )


def _format_likenesses(prompt: Prompt, *, without: tuple[str, ...]) -> tuple[str, ...]:
    """What stands in the picture as its kind alone; ``without`` are the phrases that do not stand there at all."""
    # A noun that is missing is named with its colours before it: "two red barns".
    likenesses = (
        f"{mention.text} ({LIKENESSES[mention.key]})"
        for mention in prompt.mentions
        if mention.key in LIKENESSES and not any(phrase.endswith(mention.text) for phrase in without)
    )
    return _format_list("Drawn as the nearest the painter knows", tuple(dict.fromkeys(likenesses)))


def _format_regrade(prompt: Prompt, strength: float) -> tuple[str, ...]:
    """What was done to a source's light and season, and that a higher strength does more."""
    names = list_regrades(prompt)
    if not names:
        return ()
    more = "; a higher strength changes it more" if strength < FULL_STRENGTH else ""
    return (f"The source was relit and recoloured for {', '.join(names)}, at a strength of {strength:g}{more}",)


def _format_list(lead: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
    return (f"{lead}: {', '.join(phrases)}",) if phrases else ()


def _list_style_words(prompt: Prompt) -> tuple[str, ...]:
    return tuple(mention.text for mention in prompt.mentions if any(term.kind == "style" for term in mention.terms))
