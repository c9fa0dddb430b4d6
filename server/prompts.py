"""Prompts that people pick from a menu: each a few calls that are known to work, with the caller's pictures in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import PromptArgument

from atelier_mcp.server.icons import build_icon

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IMAGE: Final = "Handle (img_...), link or path"


@dataclass(frozen=True, slots=True)
class PromptRecipe:
    """A wish, and the calls that carry it out.

    In the steps, ``{name}`` stands for an argument as JSON; ``<1>`` is the first picture of step 1, ``<mask>`` a mask.
    """

    name: str
    title: str
    description: str
    arguments: tuple[tuple[str, str], ...]
    """Name and description; all are required."""
    steps: tuple[str, ...]
    closing: str
    outline: str
    """Of its icon."""


RECIPES: Final = (
    PromptRecipe(
        "product_shot",
        "Product shot on white",
        "Lift a product out of a photo and put it on clean white.",
        (("image", IMAGE),),
        (
            "cut_out_subject(image={image})",
            'compose_images(layers=[{{"image": "<1>", "height": 1200}}], background="white", width=1600, height=1600)',
        ),
        "Show the result. If the edge is not clean, mark the product by ask_for_mask and cut it out with that mask.",
        "M4 7l6-3 6 3v7l-6 3-6-3zM4 7l6 3 6-3M10 10v7",
    ),
    PromptRecipe(
        "extend_to_16_9",
        "Extend to 16:9",
        "Widen a picture to 16:9; nothing of it is cut off.",
        (("image", IMAGE),),
        ('outpaint_image(image={image}, aspect="16:9")',),
        "Show it beside the original.",
        "M7 6h6v8H7zM4 10H1M1 10l1.5-1.5M1 10l1.5 1.5M16 10h3M19 10l-1.5-1.5M19 10l-1.5 1.5",
    ),
    PromptRecipe(
        "restyle_set",
        "Restyle a set",
        "Redraw several pictures in one style.",
        (("images", "Handles, links or paths, separated by commas"),),
        (
            'list_models(kind=["style"])',
            'stylize_image(image=<each of {images}>, style="<style>", wait_s=0)',
            "wait_for_jobs()",
        ),
        "Ask which style is meant before step 2, and use the same one for every picture.",
        "M3 6h9v9H3zM8 6V3h9v9h-5M5 12l2-3 3 4",
    ),
    PromptRecipe(
        "clean_up_photo",
        "Clean up a photo",
        "Take what disturbs out of a photo, then enlarge it.",
        (("image", IMAGE),),
        (
            'ask_for_mask(image={image}, why="What should go")',
            'erase_object(image={image}, mask="<mask>")',
            'upscale_image(image="<2>", ratio=2)',
        ),
        "After step 1 wait for the user, then call ask_for_mask again: it answers with the mask.",
        "M12 4l5 5-7 7H6l-3-3zM8 8l5 5M6 16h11",
    ),
    PromptRecipe(
        "portrait_swap",
        "Portrait swap",
        "Put the face of one photo into another.",
        (("image", f"The picture to change. {IMAGE}"), ("face", f"A photo of the face. {IMAGE}")),
        (
            "detect_faces(image={image})",
            'swap_faces(image={image}, faces=[{{"image": {face}}}])',
        ),
        "With several faces in the picture, ask which one is meant and name it by its number.",
        "M6 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4M3 14c0-4 6-4 6 0M14 15a2 2 0 1 0 0-4 2 2 0 0 0 0 4M12 4h4v4M16 4l-4 4",
    ),
    PromptRecipe(
        "poster",
        "Poster with four variants",
        "Four posters to choose from, and the chosen one large.",
        (("subject", "What the poster shows"),),
        (
            'generate_image(prompt={subject}, aspect="2:3", samples=4)',
            'upscale_image(image="<1>", ratio=2)',
        ),
        "After step 1 ask which one is meant; <1> is that picture.",
        "M5 2h10v16H5zM8 6h4M8 9h4M7 15l3-3 3 3",
    ),
)


def build_prompts(tool_names: Sequence[str]) -> list[Prompt]:
    """The prompts all of whose tools are listed."""
    return [_build_prompt(recipe) for recipe in RECIPES if _list_tools(recipe) <= {*tool_names}]


def _list_tools(recipe: PromptRecipe) -> set[str]:
    return {step.partition("(")[0] for step in recipe.steps}


def _build_prompt(recipe: PromptRecipe) -> Prompt:
    return Prompt(
        name=recipe.name,
        title=recipe.title,
        description=recipe.description,
        arguments=[PromptArgument(name=name, description=text, required=True) for name, text in recipe.arguments],
        fn=_build_renderer(recipe),
        icons=[build_icon(recipe.outline)],
        context_kwarg=None,
    )


def _build_renderer(recipe: PromptRecipe) -> Callable[..., str]:
    def render(**values: str) -> str:
        # As JSON, so that a quotation mark in a value ends nothing.
        arguments = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
        steps = [f"{number}. {step.format(**arguments)}" for number, step in enumerate(recipe.steps, 1)]
        lines = [f"{recipe.title}: {recipe.description} Make these calls:", *steps, recipe.closing]
        return "\n".join([*lines, "<1> stands for the first picture of step 1."])

    return render
