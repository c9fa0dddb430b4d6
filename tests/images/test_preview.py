"""Small pictures for the model's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atelier_mcp.server.errors import ImageRefused, InvalidRequest
from atelier_mcp.server.images.preview import create_previews, create_view
from tests.images.samples import (
    LIME,
    build_truncated_jpeg,
    decode_image,
    draw_sample,
    encode_image,
    is_near,
    make_image,
    read_colour,
)

if TYPE_CHECKING:
    from pathlib import Path


def write_files(folder: Path, *images: bytes) -> list[Path]:
    """The pictures as files."""
    paths = [folder / f"{index}.bin" for index in range(len(images))]
    for path, data in zip(paths, images, strict=True):
        path.write_bytes(data)
    return paths


def test_previews_are_jpegs_of_the_wanted_size_in_order(tmp_path: Path) -> None:
    """Nothing is enlarged."""
    paths = write_files(
        tmp_path, make_image("PNG", 1600, 800), make_image("JPEG", 900, 1800), make_image("WEBP", 100, 60)
    )
    small = [decode_image(preview.data) for preview in create_previews(paths)]

    assert [image.format for image in small] == ["JPEG"] * 3
    assert [image.size for image in small] == [(512, 256), (256, 512), (100, 60)]


def test_together_they_stay_within_the_budget(tmp_path: Path) -> None:
    """Noise is the hardest thing to make small."""
    paths = write_files(tmp_path, *(make_image("PNG", 1000 + index, 1000, noise=True) for index in range(4)))
    small = create_previews(paths, longest_px=512, budget_bytes=100_000)

    assert sum(len(preview.data) for preview in small) <= 100_000
    assert all(preview.width > 100 for preview in small)


def test_a_preview_is_upright(tmp_path: Path) -> None:
    """The corner that was at the top left comes to the top right."""
    (small,) = create_previews(write_files(tmp_path, encode_image(draw_sample(), "JPEG", orientation=6)))
    assert decode_image(small.data).size == (240, 320)
    assert is_near(read_colour(small.data, 230, 10), LIME, 40)


def test_transparency_shows_a_light_checkerboard(tmp_path: Path) -> None:
    """A cut-out on plain white would hide white edges."""
    (small,) = create_previews(write_files(tmp_path, make_image("PNG", mode="RGBA")))
    assert is_near(read_colour(small.data, 316, 236), (255, 255, 255), 3)
    assert is_near(read_colour(small.data, 308, 236), (224, 224, 224), 3)


def test_a_damaged_picture_has_no_preview(tmp_path: Path) -> None:
    """It is said so, rather than shown half."""
    with pytest.raises(ImageRefused, match="cut off"):
        create_previews(write_files(tmp_path, build_truncated_jpeg()))


def test_no_pictures_have_no_previews() -> None:
    """A job may end without any."""
    assert create_previews([]) == []


def test_a_region_is_shown_at_full_detail(tmp_path: Path) -> None:
    """In pixels of the upright picture, and no further than its edge."""
    (path,) = write_files(tmp_path, encode_image(draw_sample(1600, 1200), "JPEG", orientation=6))
    corner = create_view(path, longest_px=512, region=(900, 0, 400, 200), budget_bytes=400_000)

    assert decode_image(corner.data).size == (300, 200)
    assert is_near(read_colour(corner.data, 150, 100), LIME, 40)


def test_without_a_region_the_whole_picture_is_shown(tmp_path: Path) -> None:
    """Scaled to what was asked."""
    (path,) = write_files(tmp_path, make_image("PNG", 1600, 800))
    assert decode_image(create_view(path, longest_px=1024, budget_bytes=400_000).data).size == (1024, 512)


@pytest.mark.parametrize("region", [(1, 2), (0, 0, 0, 5), (320, 0, 10, 10), (-20, -20, 10, 10)])
def test_an_impossible_region_is_refused(tmp_path: Path, region: tuple[int, ...]) -> None:
    """The message begins with the argument."""
    with pytest.raises(InvalidRequest, match=r"^region: "):
        create_view(write_files(tmp_path, make_image())[0], longest_px=512, region=region, budget_bytes=400_000)
