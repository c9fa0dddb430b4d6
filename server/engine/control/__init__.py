"""Control by a reference image: read a map from it (`compute_control_map`), make a painting follow it (`guide`).

The kinds and their pre-processors are those of MHAPI's ``controlnet_configs`` (entry ``imgenstd.imgen``). No network
weights are involved: lines come from filters and look like the usual preprocessors' output; depth, normals, pose and
regions are guesses, and their docstrings say how they are made. Where ControlNet steers a diffusion, the map here is
drawn into a finished painting: regions between its lines are recoloured, its light or its figure laid over.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.control import figures, guides, lines, surfaces
from atelier_mcp.server.engine.pixels import scale_to_cover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from atelier_mcp.server.engine.pixels import Pixels

PASS: Final = "pass"  # noqa: S105 - the pre-processor that does nothing, not a password
"""The pre-processor for an image that is a control map already."""

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
        "invert": lines.invert,
        "lineart_standard": lines.draw_lineart,
        "lineart_coarse": lines.draw_lineart_coarse,
        "lineart_realistic": lines.draw_lineart_realistic,
        "lineart_anime": lines.draw_lineart_anime,
        "lineart_anime_denoise": lines.draw_lineart_anime_denoise,
        "softedge": lines.draw_soft_edges,
        "scribble": lines.draw_scribble,
        "mlsd": lines.draw_straight_lines,
        "brightness": surfaces.extract_brightness,
        "shuffle": surfaces.shuffle_colours,
        "tile_colorfix": surfaces.extract_colours,
        "tile_colorfix_sharp": surfaces.extract_colours_and_edges,
        "depth": surfaces.estimate_depth,
        "normal": surfaces.estimate_normals,
        "seg": surfaces.segment_regions,
    }
)


def compute_control_map(
    image: Pixels,
    kind: str,
    *,
    pre_processor: str | None,
    low: int = 100,
    high: int = 200,
    down_sample: float = 1.0,
) -> Pixels:
    """The RGB map of one kind read from the RGB image, at its size.

    ``pre_processor`` is one of :data:`PRE_PROCESSORS` for the kind, or None for its default; ``low`` and ``high`` are
    Canny's thresholds in [1, 255]; ``down_sample`` in [1, 8] is for ``tile_resample``. A face map without a face and a
    pose map without a figure are black.

    Raises:
        ValueError: the kind or the pre-processor is unknown.
    """
    name = _resolve_pre_processor(kind, pre_processor)
    match name:
        case "canny":
            return lines.draw_canny(image, low, high)
        case "tile_resample":
            return surfaces.down_sample(image, down_sample)
        case "face_id_plus" | "plus_vith" | "face_id_plus_plus_vith":
            return figures.extract_face_region(image, reach=1.0 if name == "face_id_plus" else 1.35)
        case _ if kind == "openpose" and name != PASS:
            return figures.draw_pose(image, name)
        case _ if name in _MAPS:
            return _MAPS[name](image)
        # What is left takes the image as its own map: pass, reference_only and ip2p.
        case _:
            return image.copy()


def guide(painting: Pixels, map: Pixels, kind: str, *, weight: float, start: float, end: float, seed: int) -> Pixels:  # noqa: A002 - the contract's word
    """The RGB painting made to follow a control map, which is scaled and cropped to cover it.

    ``start`` and ``end`` are the share of the run in which the control acts: what counts is ``weight * (end - start)``,
    0 leaves the painting as it is, 1 (the default) follows the map by about four fifths, 2 nearly all the way.

    Raises:
        ValueError: the kind is unknown.
    """
    _resolve_pre_processor(kind, None)
    influence = compute_influence(weight, start, end)
    if influence <= 0:
        return painting.copy()
    height, width = painting.shape[:2]
    return guides.GUIDES[kind](painting, scale_to_cover(map, width, height), influence, seed)


def compute_influence(weight: float, start: float, end: float) -> float:
    """How far a picture follows a control, in [0, 1); ``start`` and ``end`` are shares of the run."""
    return 1 - 0.2 ** (weight * max(0.0, end - start))


def _resolve_pre_processor(kind: str, name: str | None) -> str:
    known = PRE_PROCESSORS.get(kind)
    if known is None:
        raise ValueError(f"no control type {kind!r}; there are {', '.join(CONTROL_TYPES)}")
    if name is None:
        return known[0]
    if name not in known:
        raise ValueError(f"no pre-processor {name!r} for {kind}; there are {', '.join(known)}")
    return name
