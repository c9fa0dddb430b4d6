"""Where one picture lies in another, and how large it becomes: numbers only, no pixels."""

from __future__ import annotations


def get_position_shares(position: str) -> tuple[float, float]:
    """The share of the free room to the left of and above a picture at ``topleft``, ``middle``, ``bottomright``..."""
    x_share = 0.0 if position.endswith("left") else 1.0 if position.endswith("right") else 0.5
    y_share = 0.0 if position.startswith("top") else 1.0 if position.startswith("bottom") else 0.5
    return x_share, y_share


def place(size: tuple[int, int], canvas: tuple[int, int], position: str) -> tuple[int, int]:
    """Left and top edge of a picture of ``size`` at a position of a canvas; negative where it is the larger one."""
    x_share, y_share = get_position_shares(position)
    return round((canvas[0] - size[0]) * x_share), round((canvas[1] - size[1]) * y_share)


def fit_within(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The largest size of the same ratio that fits into the box, in pixels."""
    return _scale(size, min(box[0] / size[0], box[1] / size[1]))


def fit_over(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """The smallest size of the same ratio that covers the box, in pixels."""
    width, height = _scale(size, max(box[0] / size[0], box[1] / size[1]))
    return max(width, box[0]), max(height, box[1])


def crop_to_ratio(size: tuple[int, int], ratio: float) -> tuple[int, int]:
    """The largest part of a picture that has the ratio, width by height."""
    width, height = size
    return (max(1, round(height * ratio)), height) if width / height > ratio else (width, max(1, round(width / ratio)))


def enlarge_to_minimum(size: tuple[int, int], min_side_px: int) -> tuple[int, int]:
    """The same size, or where a side is shorter than the minimum, one of the same ratio whose shorter side has it."""
    shortest_px = min(size)
    return size if shortest_px >= min_side_px else _scale(size, min_side_px / shortest_px)


def _scale(size: tuple[int, int], factor: float) -> tuple[int, int]:
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
