"""What is left to do with a service's pictures before they are the ones that were asked for.

A service has its own steps, minimum sizes and ideas of what a result is. What it delivers is cropped to what was asked
for, gets the source put back pixel for pixel, is joined from tiles, or becomes a cut-out and its mask. Such a finish is
planned before the job is sent and kept with it, so that whoever fetches the pictures, after a restart too, can do it
(``apply_finish``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

Size: TypeAlias = tuple[int, int]
Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right and bottom edge in pixels."""

MASK_LABEL: Final = "mask"
CUT_OUT_LABEL: Final = "cut-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reframe:
    """A part of the service's picture brought to a size, with the source put back into it."""

    size: Size
    """Of the result."""
    canvas: Size | None = None
    """What the service was asked for; what it delivers in another size is read as a scaled version of that."""
    region: tuple[float, float, float, float] | None = None
    """The part of ``canvas`` that becomes the result: left, top, right, bottom. None: all of it."""
    source: str | None = None
    """The place in the request of the picture that is put back, at its own size."""
    at: tuple[int, int] = (0, 0)
    """Where in the result its left top corner lies."""
    keeps_ratio: bool = False
    """Without a ``canvas``: of whatever size the service delivers, the middle in the result's ratio is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOut:
    """The source with everything but its subject transparent, and the mask: black on the subject."""

    source: str = "image"
    outline: str | None = None
    """The place of a mask, black on what was marked, beyond which nothing is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Tiles that overlap, one picture of the service's each, put together."""

    size: Size
    boxes: tuple[Box, ...]
    """Where in the result each of the job's pictures lies, in their order: row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """The source with the marked part of the service's picture in it: no pixel beyond the mask is the service's."""

    source: str = "image"
    mask: str = "mask"
    """The place of the mask, black on what was marked."""


Finish: TypeAlias = Reframe | CutOut | Join | Patch


def finish_to_document(finish: Finish | None) -> dict[str, Any] | None:
    """A finish as JSON; keys are never renamed, for ledgers hold them."""
    return None if finish is None else {"kind": type(finish).__name__.lower(), **asdict(finish)}


def parse_finish(document: Mapping[str, Any] | None) -> Finish | None:
    """The finish in a document of ``finish_to_document``."""
    if document is None:
        return None
    values = {name: _to_tuple(value) for name, value in document.items() if name != "kind"}
    return {"reframe": Reframe, "cutout": CutOut, "join": Join, "patch": Patch}[document["kind"]](**values)


def _to_tuple(value: Any) -> Any:
    """JSON has lists where we have tuples."""
    return tuple(_to_tuple(item) for item in cast("list[Any]", value)) if isinstance(value, list | tuple) else value
