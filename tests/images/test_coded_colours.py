"""Colours that a file names by numbers come out as the colours they are."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.probe import probe

COLOUR = (200, 120, 60)
P3_TO_SRGB = ((1.2249, -0.2247, 0.0), (-0.0420, 1.0419, 0.0), (-0.0197, -0.0786, 1.0979))
"""On light, as printed beside the standard."""
BT2020_TO_SRGB = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))


def convert(matrix: tuple[tuple[float, ...], ...]) -> tuple[int, ...]:
    """What the colour is in sRGB."""
    light = [(value / 255 + 0.055) ** 2.4 / 1.055**2.4 for value in COLOUR]
    rows = [sum(factor * part for factor, part in zip(row, light, strict=True)) for row in matrix]
    return tuple(round(255 * min(1.0, 1.055 * max(0.0, row) ** (1 / 2.4) - 0.055)) for row in rows)


def build_file(file_format: str, primaries: int, transfer: int) -> bytes:
    """A picture of one colour whose file says these numbers of it."""
    if file_format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), COLOUR).save(buffer, file_format)
    data = buffer.getvalue()
    if file_format == "PNG":
        body = b"cICP" + bytes([primaries, transfer, 0, 1])
        chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:33] + chunk + data[33:]
    place = data.index(b"nclx") + 4
    return data[:place] + struct.pack(">HH", primaries, transfer) + data[place + 4 :]


def read_colour(data: bytes) -> tuple[int, ...]:
    return decode_upright(data).convert("RGB").getpixel((30, 30))  # pyright: ignore[reportReturnType]  # RGB has three


def is_near(one: tuple[int, ...], other: tuple[int, ...], *, steps: int = 4) -> bool:
    return all(abs(a - b) <= steps for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("file_format", ["AVIF", "HEIF", "PNG"])
@pytest.mark.parametrize(("primaries", "matrix"), [(12, P3_TO_SRGB), (9, BT2020_TO_SRGB)])
def test_wide_colours_are_converted_and_said(
    file_format: str, primaries: int, matrix: tuple[tuple[float, ...], ...]
) -> None:
    data = build_file(file_format, primaries, 13)
    assert is_near(read_colour(data), convert(matrix)), (read_colour(data), convert(matrix))
    assert "colours converted to sRGB" in probe(data).colour_changes


@pytest.mark.parametrize("file_format", ["AVIF", "HEIF", "PNG"])
def test_srgb_and_what_is_not_told_stay_as_they_are(file_format: str) -> None:
    for primaries, transfer in ((1, 13), (2, 2), (1, 1), (6, 6)):
        data = build_file(file_format, primaries, transfer)
        assert is_near(read_colour(data), COLOUR)
        assert probe(data).colour_changes == ()


def test_high_dynamic_range_is_brought_to_white_and_said() -> None:
    """58 % of PQ are 203 nits, which are white."""
    data = build_file("PNG", 9, 16)
    changes = probe(data).colour_changes
    assert "high dynamic range (PQ) cut off at white" in changes
    white = Image.new("RGB", (4, 4), (148, 148, 148))
    buffer = io.BytesIO()
    white.save(buffer, "PNG")
    plain = buffer.getvalue()
    chunk = data[33:49]
    assert min(read_colour_at(plain[:33] + chunk + plain[33:])) >= 250


def read_colour_at(data: bytes) -> tuple[int, ...]:
    return decode_upright(data).convert("RGB").getpixel((1, 1))  # pyright: ignore[reportReturnType]  # RGB has three


def test_colours_of_a_kind_nobody_here_knows_are_said_to_be_left() -> None:
    data = build_file("PNG", 22, 13)
    assert read_colour(data) == COLOUR
    assert probe(data).colour_changes == ("colours left as they are: of a kind not known here (CICP 22/13)",)
