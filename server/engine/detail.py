"""Give a fill that was made at a working size the fine detail of the full size.

Enlarging a small fill gives a soft spot in a sharp image. The fill is made of patches copied from elsewhere, and there
the full-size image still has its detail. The patch search does not tell where it copied from, so this module finds for
each small pixel of the hole its most similar one outside, by a search of its own (PatchMatch over per-pixel features),
and adds what the full-size image has there beyond its own enlarged small copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from atelier_mcp.server.engine.pixels import Array, Mask, Pixels, make_rng, resize

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS: Final = 2
LEAPS_PX: Final = (8, 4, 2, 1)
"""Distances at which a good source is tried by its neighbours: jump flooding, where PatchMatch goes pixel by pixel.
Every pixel is then handled at once by NumPy."""
FEATURES: Final = 8
"""Of the 27 numbers that describe a pixel's surroundings, as many main components as tell them apart."""
NEIGHBOUR_PX: Final = 2
RINGING_PX: Final = 3
"""Sources keep this far from the hole: enlarging smears its old content over so many small pixels."""
TILE_PX: Final = 512

Indices = NDArray[np.intp]


class Search(NamedTuple):
    """What a search for sources looks at: features of every pixel, by flat index, and which pixels may be sources."""

    width: int
    features: Array
    allowed: NDArray[np.bool_]


def enlarge_fill(image: Pixels, hole: Mask, small: Pixels, small_hole: Mask) -> Pixels:
    """A small filled image at the size of ``image``, in whose hole the detail lost by the scaling is put back.

    ``image`` and ``hole`` are at full size, ``small`` (filled) and ``small_hole`` at working size. Only the hole of
    the result is meaningful.
    """
    height, width = hole.shape
    out = cv2.resize(small, (width, height), interpolation=cv2.INTER_LANCZOS4)
    offsets = find_source_offsets(small, small_hole)
    if offsets is None:
        return out
    # Reduced anew, since ``small`` holds the fill: what is wanted is what the image lost by being reduced.
    before = resize(image, *small.shape[1::-1])
    for tile in _iterate_tiles(hole):
        across, down = _compute_source_coordinates(offsets, tile, (height, width))
        zoom = np.float32(small.shape[1] / width), np.float32(small.shape[0] / height)
        half = np.float32(0.5)
        fine = cv2.remap(image, across, down, cv2.INTER_NEAREST)
        plain = cv2.remap(
            before,
            (across + half) * zoom[0] - half,
            (down + half) * zoom[1] - half,
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # The difference is signed, and bytes would wrap or clip it: 16 bits in between, clipped once at the end.
        out[tile] = cv2.add(out[tile], cv2.subtract(fine, plain, dtype=cv2.CV_16S), dtype=cv2.CV_8U)
    return out


def _iterate_tiles(hole: Mask) -> Iterator[tuple[slice, slice]]:
    """The tiles of the full-size image with a hole in them; coordinates for all at once would take too much memory."""
    height, width = hole.shape
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            tile = slice(top, min(height, top + TILE_PX)), slice(left, min(width, left + TILE_PX))
            if hole[tile].any():
                yield tile


def find_source_offsets(small: Pixels, hole: Mask) -> Array | None:
    """For every pixel of the hole the offset (x, y) to the most similar pixel outside it, ``int32``, ``(h, w, 2)``.

    0 outside of the hole; None when there is no pixel to copy from, or no hole. A PatchMatch search (Barnes and
    others, 2009) over all pixels at once: good offsets are tried by the neighbours at shrinking distances, then varied
    by chance. Seeded by the size alone, so the same image gives the same detail.
    """
    height, width = hole.shape
    brush = np.ones((2 * RINGING_PX + 1, 2 * RINGING_PX + 1), np.uint8)
    allowed = (cv2.dilate(hole, brush) == 0).ravel()
    sources, targets = np.flatnonzero(allowed), np.flatnonzero(hole.ravel())
    if len(sources) == 0 or len(targets) == 0:
        return None
    search = Search(width, _compute_features(small), allowed)
    rng = make_rng("detail", height, width)
    found = np.full(height * width, -1, np.intp)
    # A poor start for each, which its neighbours mend.
    found[targets] = rng.choice(sources, len(targets))
    for _ in range(ROUNDS):
        for candidates in _propagate_sources(found, targets, width):
            _improve(search, found, targets, candidates)
        for candidates in _vary_sources(found, targets, (height, width), rng):
            _improve(search, found, targets, candidates)
    offsets = np.zeros((height * width, 2), np.int32)
    offsets[targets, 0] = found[targets] % width - targets % width
    offsets[targets, 1] = found[targets] // width - targets // width
    return offsets.reshape(height, width, 2)


def _compute_features(small: Pixels) -> Array:
    """``(pixels, FEATURES)``: the main components (PCA) of the Lab colours of each pixel and eight neighbours."""
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    steps = (-NEIGHBOUR_PX, 0, NEIGHBOUR_PX)
    pad = NEIGHBOUR_PX
    padded: Array = cv2.copyMakeBorder(lab, pad, pad, pad, pad, cv2.BORDER_REFLECT_101)
    height, width = lab.shape[:2]
    shifted = [
        padded[pad + down :, pad + across :][:height, :width].reshape(-1, 3) for down in steps for across in steps
    ]
    stacked = np.concatenate(shifted, axis=1)
    centred = stacked - stacked.mean(axis=0)
    # Ascending by eigenvalue, so the main axes are the last ones.
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.ascontiguousarray(centred @ axes[:, -FEATURES:].astype(np.float32))


def _propagate_sources(found: Indices, targets: Indices, width: int) -> Iterator[Indices]:
    """For each target the source beside its neighbour's source, for neighbours at shrinking distances."""
    for leap in LEAPS_PX:
        for step in (leap, -leap, leap * width, -leap * width):
            neighbours = np.clip(targets + step, 0, len(found) - 1)
            # A step of one row or column in flat indices may wrap round an edge; such a source is merely a bad one.
            yield np.where(found[neighbours] >= 0, found[neighbours] - step, -1)


def _vary_sources(
    found: Indices, targets: Indices, size: tuple[int, int], rng: np.random.Generator
) -> Iterator[Indices]:
    """For each target a source by chance within a shrinking distance of its own."""
    height, width = size
    reach = max(size) // 2
    while reach >= 2:
        rows = found[targets] // width + rng.integers(-reach, reach + 1, len(targets))
        columns = found[targets] % width + rng.integers(-reach, reach + 1, len(targets))
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        yield np.where(inside, rows * width + columns, -1)
        # Fewer rounds than by halves, and hardly worse: neighbours hand on what was found.
        reach //= 4


def _improve(search: Search, found: Indices, targets: Indices, candidates: Indices) -> None:
    """Take each candidate that may be a source and is liker its target than what was found before."""
    valid = (candidates >= 0) & (candidates < len(found))
    valid &= search.allowed[np.where(valid, candidates, 0)]
    places, sources = targets[valid], candidates[valid]
    target_features = search.features[places]
    before = np.square(target_features - search.features[found[places]]).sum(axis=1)
    after = np.square(target_features - search.features[sources]).sum(axis=1)
    better = after < before
    found[places[better]] = sources[better]


def _compute_source_coordinates(
    offsets: Array, tile: tuple[slice, slice], size: tuple[int, int]
) -> tuple[Array, Array]:
    """For a tile of the full-size image, the x and y coordinates its detail comes from, as whole numbers in floats.

    Whole, because interpolating between pixels would soften the very detail that is to be put back.
    """
    places: list[Indices] = [np.arange(side.start, side.stop, dtype=np.intp) for side in tile]
    small = [
        np.minimum(place * count // side, count - 1)
        for place, count, side in zip(places, offsets.shape[:2], size, strict=True)
    ]
    tile_offsets = offsets[small[0][:, None], small[1][None]].astype(np.float32)
    across = places[1][None] + np.round(tile_offsets[..., 0] * np.float32(size[1] / offsets.shape[1]))
    down = places[0][:, None] + np.round(tile_offsets[..., 1] * np.float32(size[0] / offsets.shape[0]))
    return np.clip(across, 0, size[1] - 1).astype(np.float32), np.clip(down, 0, size[0] - 1).astype(np.float32)
