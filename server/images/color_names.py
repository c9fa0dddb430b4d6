"""Colours in words: ``#ff8000``, any CSS name, ``rgb(...)``, ``transparent``."""

from __future__ import annotations

from typing import TypeAlias

from atelier_mcp.server.errors import InvalidRequest

Color: TypeAlias = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0 to 255 each."""

TRANSPARENT: Color = (0, 0, 0, 0)
WHITE: Color = (255, 255, 255, 255)


def find_color(text: str) -> Color | None:
    """The colour that a text names, or None where it names none."""
    from PIL import ImageColor

    if text.strip().lower() in ("transparent", "none"):
        return TRANSPARENT
    try:
        red, green, blue, *opacity = ImageColor.getrgb(text.strip())
    except ValueError:
        return None
    return red, green, blue, opacity[0] if opacity else 255


def parse_color(text: str, argument: str) -> Color:
    """The colour that a text names. Raises ``InvalidRequest`` that begins with the argument."""
    color = find_color(text)
    if color is None:
        raise InvalidRequest(
            f"{argument}: {text[:40]!r} is no colour.",
            hint='Give "#ff8000", a CSS name such as "teal", or "transparent".',
        )
    return color
