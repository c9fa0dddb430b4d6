"""Control by a reference picture: the map read from it, and a painting made to follow that map.

The kinds and their pre-processors are those of MHAPI's ``controlnet_configs`` (entry ``imgenstd.imgen``). No network
weights are involved: lines come from filters, and depth, normals and pose are guesses that say so in their docstrings.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.control import figures, guiding, lines, surfaces
from atelier_mcp.server.engine.pixels import scaled_to_cover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atelier_mcp.server.engine.pixels import Pixels

PASS: Final = "pass"  # noqa: S105 - the pre-processor that does nothing, not a password
"""The pre-processor for a picture that is a control map already."""

PRE_PROCESSORS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "canny": ("canny", "invert", PASS),
        "depth": ("depth", PASS),
        "normal": ("normal", PASS),
        "openpose": ("openpose", "openpose_face", "openpose_faceonly", "openpose_full", "openpose_hand", PASS),
        "mlsd": ("mlsd", PASS),
        "lineart": ("lineart_standard", "lineart_coarse", "lineart_realistic", PASS),
        "lineart_anime": ("lineart_anime", "lineart_anime_denoise", PASS),
        "softedge": ("softedge", PASS),
        "scribble": ("scribble", PASS),
        "seg": ("seg", PASS),
        "shuffle": ("shuffle", PASS),
        "tile": ("tile_resample", "tile_colorfix", "tile_colorfix_sharp", PASS),
        "ip2p": ("ip2p", PASS),
        "brightness": ("brightness", PASS),
        "reference_only": ("reference_only", PASS),
        "ip_adapter_faceid": ("face_id_plus", "plus_vith", "face_id_plus_plus_vith", PASS),
    }
)
"""The pre-processors of each kind of control, its default first."""

CONTROL_TYPES: Final[tuple[str, ...]] = tuple(PRE_PROCESSORS)
"""The kinds of control there are."""

_MAPS: Final[Mapping[str, Callable[[Pixels], Pixels]]] = MappingProxyType(
    {
        "invert": lines.inverted,
        "lineart_standard": lines.lineart,
        "lineart_coarse": lines.lineart_coarse,
        "lineart_realistic": lines.lineart_realistic,
        "lineart_anime": lines.lineart_anime,
        "lineart_anime_denoise": lines.lineart_anime_denoise,
        "softedge": lines.soft_edges,
        "scribble": lines.scribble,
        "mlsd": lines.straight_lines,
        "brightness": surfaces.brightness,
        "shuffle": surfaces.shuffled,
        "tile_colorfix": surfaces.colours_kept,
        "tile_colorfix_sharp": surfaces.colours_and_edges_kept,
        "depth": surfaces.guessed_depth,
        "normal": surfaces.guessed_normals,
        "seg": surfaces.regions,
    }
)


def control_map(
    picture: Pixels,
    kind: str,
    *,
    pre_processor: str | None,
    low: int = 100,
    high: int = 200,
    down_sample: float = 1.0,
) -> Pixels:
    """The RGB map of one kind read from the picture, at its size.

    ``pre_processor`` is one of :data:`PRE_PROCESSORS` for the kind, or None for its default; ``low`` and ``high`` are
    Canny's thresholds in [1, 255]; ``down_sample`` in [1, 8] is for ``tile_resample``. A face map without a face and a
    pose map without a figure are black. Raises ``ValueError`` for an unknown kind or pre-processor.
    """
    named = _pre_processor(kind, pre_processor)
    match named:
        case "canny":
            return lines.canny(picture, low, high)
        case "tile_resample":
            return surfaces.down_sampled(picture, down_sample)
        case "face_id_plus" | "plus_vith" | "face_id_plus_plus_vith":
            return figures.face_region(picture, reach=1.0 if named == "face_id_plus" else 1.35)
        case _ if kind == "openpose" and named != PASS:
            return figures.pose(picture, named)
        case _ if named in _MAPS:
            return _MAPS[named](picture)
        case _:
            return picture.copy()


def guide(painted: Pixels, map: Pixels, kind: str, *, weight: float, start: float, end: float, seed: int) -> Pixels:  # noqa: A002 - the contract's word
    """The painted picture made to follow a control map, which is scaled and cropped to cover it.

    ``start`` and ``end`` are the share of the run in which the control acts: what counts is ``weight * (end - start)``,
    0 leaves the picture as it is, 1 (the default) follows the map by about four fifths. Raises ``ValueError`` for an
    unknown kind.
    """
    _pre_processor(kind, None)
    effective = weight * max(0.0, end - start)
    if effective <= 0:
        return painted.copy()
    height, width = painted.shape[:2]
    follow = 1 - 0.2**effective
    return guiding.GUIDES[kind](painted, scaled_to_cover(map, width, height), follow, seed)


def _pre_processor(kind: str, named: str | None) -> str:
    known = PRE_PROCESSORS.get(kind)
    if known is None:
        raise ValueError(f"no control type {kind!r}; there are {', '.join(CONTROL_TYPES)}")
    if named is None:
        return known[0]
    if named not in known:
        raise ValueError(f"no pre-processor {named!r} for {kind}; there are {', '.join(known)}")
    return named
