"""Sizes as callers give them: an aspect in words, or sides of which one may be enough."""

from __future__ import annotations

import re
from typing import Annotated, Protocol, TypeVar

from pydantic import AfterValidator

_ASPECT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*[:/x]\s*(\d+(?:\.\d+)?)\s*")
_MAX_RATIO = 20.0


def parse_aspect(aspect: str) -> float:
    """Width by height of ``16:9``, ``3:4``, ``2.35:1``. Raises ``ValueError`` for anything else, and past 20:1."""
    match = _ASPECT.fullmatch(aspect)
    width, height = (float(side) for side in match.groups()) if match else (0.0, 0.0)
    if not width or not height or not 1 / _MAX_RATIO <= width / height <= _MAX_RATIO:
        raise ValueError('give width:height, such as "16:9" or "3:4"')
    return width / height


def _check_aspect(aspect: str) -> str:
    parse_aspect(aspect)
    return aspect


Aspect = Annotated[str, AfterValidator(_check_aspect)]
"""Width by height in words: ``16:9``. ``parse_aspect`` gives the number."""


def complete_size(width: int | None, height: int | None, ratio: float) -> tuple[int, int] | None:
    """Both sides: those given, and the missing one by ``ratio``, width by height; None where neither is given."""
    if width is None and height is None:
        return None
    # At least one pixel: at 20:1 the short side of a small picture may round to none.
    return width or max(1, round((height or 1) * ratio)), height or max(1, round((width or 1) / ratio))


class SizedRequest(Protocol):
    """A request with a size in it."""

    @property
    def width(self) -> int | None:
        """Pixels."""
        ...

    @property
    def height(self) -> int | None:
        """Pixels."""
        ...

    @property
    def aspect(self) -> Aspect | None:
        """Width by height."""
        ...


SizedRequestT = TypeVar("SizedRequestT", bound=SizedRequest)


def check_one_shape(request: SizedRequestT) -> SizedRequestT:
    """Pass a request whose sides and aspect say one shape; raise ``ValueError`` for one that says two."""
    if request.aspect and request.width and request.height:
        width = request.height * parse_aspect(request.aspect)
        # Rounded to whole pixels, by whichever side.
        if abs(request.width - width) > max(1.0, parse_aspect(request.aspect)):
            raise ValueError(
                f"{request.width}x{request.height} is not {request.aspect}: give two of width, height and aspect"
            )
    return request
