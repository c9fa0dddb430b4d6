"""What colours and tones look like, whatever a file holds: 8-bit sRGB, in previews and in what leaves."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageCms

from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.exchange import ImageRule
from atelier_mcp.server.images.preview import create_previews
from atelier_mcp.server.images.probe import probe
from tests.images.samples import decode_image, draw_sample, encode_image, is_near, make_image

if TYPE_CHECKING:
    from pathlib import Path

RULE = ImageRule(min_side_px=1)
BLUE, RED = (20, 20, 230), (230, 20, 20)
RAMP = (0, 16_383, 32_767, 49_151, 65_535)
RIGHT_RAMP = ((0,), (63, 64), (127,), (191,), (255,))
create_profile: Any = ImageCms.createProfile  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # Pillow names no type


def build_swapped_profile() -> bytes:
    """sRGB with its red and blue exchanged: it calls itself sRGB all the same."""
    profile = bytearray(ImageCms.ImageCmsProfile(create_profile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    for entry in range(132, 132 + 12 * count, 12):
        name = bytes(profile[entry : entry + 4])
        profile[entry : entry + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(name, name)
    return bytes(profile)


SWAPPED = build_swapped_profile()


def save(image: Image.Image, image_format: str, **options: Any) -> bytes:
    """The picture as a file."""
    stream = BytesIO()
    if image_format == "HEIF":
        pillow_heif = pytest.importorskip("pillow_heif", reason="needs atelier-mcp[heif]")
        pillow_heif.from_pillow(image).save(stream, **options)
    else:
        image.save(stream, image_format, **options)
    return stream.getvalue()


def build_png(*, depth: int, colour_type: int, values: bytes, size: tuple[int, int], extra: bytes = b"") -> bytes:
    """A PNG of one row, with more chunks in front of its pixels."""

    def build_chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    rest = build_chunk(extra[:4], extra[4:]) if extra else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + build_chunk(b"IHDR", head)
        + rest
        + build_chunk(b"IDAT", zlib.compress(b"\0" + values))
        + build_chunk(b"IEND", b"")
    )


async def look(data: bytes, folder: Path) -> list[Image.Image]:
    """The picture as the engine, a service and a reader of the preview see it."""
    path = folder / "picture"
    path.write_bytes(data)
    sent, _ = convert_to_rule(data, probe(data), RULE)
    assert "icc_profile" not in decode_image(sent).info
    return [
        decode_upright(data),
        decode_image(sent),
        *(decode_image(preview.data) for preview in create_previews([path])),
    ]


def read_tones(image: Image.Image) -> list[int]:
    """The values of a row of grey."""
    return list(image.convert("L").crop((0, 0, image.width, 1)).tobytes())


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
async def test_a_profile_is_converted_and_not_dropped(image_format: str, tmp_path: Path) -> None:
    """What the numbers say without it is another colour altogether."""
    data = save(Image.new("RGB", (64, 64), BLUE), image_format, icc_profile=SWAPPED)
    for seen in await look(data, tmp_path):
        assert is_near(seen.convert("RGB").crop((9, 9, 10, 10)).tobytes(), RED)  # pyright: ignore[reportArgumentType]  # three bytes


@pytest.mark.parametrize("mode", ["P", "RGBA"])
async def test_a_profile_counts_for_palettes_and_transparent_pictures(mode: str, tmp_path: Path) -> None:
    """Their colours are RGB as well."""
    image = Image.new("RGB", (64, 64), BLUE)
    image = image.quantize(4) if mode == "P" else image.convert("RGBA")
    for seen in await look(save(image, "PNG", icc_profile=SWAPPED), tmp_path):
        assert is_near(seen.convert("RGB").crop((9, 9, 10, 10)).tobytes(), RED)  # pyright: ignore[reportArgumentType]  # three bytes


@pytest.mark.parametrize("profile", [ImageCms.ImageCmsProfile(create_profile("sRGB")).tobytes(), b"no profile"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_profile_that_changes_nothing_changes_nothing(profile: bytes, mode: str) -> None:
    """The same bytes are sent, so the same handle and link."""
    data = save(draw_sample(mode=mode), "JPEG", icc_profile=profile)
    assert convert_to_rule(data, probe(data), RULE) == (data, ())


@pytest.mark.parametrize(
    ("image_format", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("TIFF", "I"), ("TIFF", "F")]
)
async def test_deep_greys_keep_their_tones(image_format: str, mode: str, tmp_path: Path) -> None:
    """Cut off at 255 they would all be white."""
    deep = Image.frombytes("I;16", (5, 1), struct.pack("<5H", *RAMP))
    if mode == "F":
        deep = deep.convert("I").convert("F").point(lambda value: value * (1 / 65_535))
    else:
        deep = deep.convert("I").convert(mode) if mode == "I" else Image.frombytes(mode, (5, 1), pack_greys(mode))
    engine, sent, _ = await look(save(deep, image_format), tmp_path)
    for seen in (engine, sent):
        assert all(tone in right for tone, right in zip(read_tones(seen), RIGHT_RAMP, strict=True)), read_tones(seen)


def pack_greys(mode: str) -> bytes:
    """The ramp in the byte order of a mode."""
    return struct.pack(f"{'>' if mode.endswith('B') else '<'}5H", *RAMP)


@pytest.mark.parametrize("colour_type", [0, 2])
async def test_deep_pngs_keep_their_tones_and_their_transparent_colour(colour_type: int, tmp_path: Path) -> None:
    """The one colour that is transparent is named in 16 bits as well."""
    channels = 3 if colour_type == 2 else 1
    values = struct.pack(f">{5 * channels}H", *(tone for tone in RAMP for _ in range(channels)))
    white = struct.pack(f">{channels}H", *[65_535] * channels)
    data = build_png(depth=16, colour_type=colour_type, values=values, size=(5, 1), extra=b"tRNS" + white)

    engine, sent, _ = await look(data, tmp_path)
    for seen in (engine, sent):
        assert seen.mode == "RGBA"
        assert all(tone in right for tone, right in zip(read_tones(seen), RIGHT_RAMP, strict=True))
        assert list(seen.getchannel("A").tobytes()) == [255, 255, 255, 255, 0]


def test_a_transparent_grey_of_two_bits_is_found() -> None:
    """Its value is one of four."""
    data = build_png(depth=2, colour_type=0, values=b"\x1b", size=(4, 1), extra=b"tRNS\0\1")
    image = decode_upright(data)
    assert read_tones(image) == [0, 85, 170, 255]
    assert list(image.getchannel("A").tobytes()) == [255, 0, 255, 255]


def test_linear_tones_of_a_png_are_those_of_srgb_afterwards() -> None:
    """A gamma of 1 says that half the number is half the light."""
    data = build_png(
        depth=8, colour_type=0, values=b"\0\x37\xff", size=(3, 1), extra=b"gAMA" + struct.pack(">I", 100_000)
    )
    assert read_tones(decode_upright(data)) == [0, 127, 255]


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
async def test_printing_colours_become_rgb(image_format: str, tmp_path: Path) -> None:
    """Services read CMYK as its negative, or not at all."""
    data = save(Image.new("RGB", (64, 64), BLUE).convert("CMYK"), image_format)
    for seen in await look(data, tmp_path):
        assert seen.mode == "RGB"
        assert is_near(seen.crop((9, 9, 10, 10)).tobytes(), BLUE)  # pyright: ignore[reportArgumentType]  # three bytes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_ordinary_pictures_are_left_as_they_are(mode: str) -> None:
    """The same bytes are sent."""
    data = encode_image(draw_sample().convert(mode))
    assert convert_to_rule(data, probe(data), RULE)[0] is data


def test_what_was_changed_is_said() -> None:
    """In words for the reader."""
    data = save(Image.new("I;16", (64, 64), 30_000), "PNG", icc_profile=SWAPPED)
    assert "reduced from 16 to 8 bits a channel" in convert_to_rule(data, probe(data), RULE)[1]
    data = save(Image.new("RGB", (64, 64), BLUE), "JPEG", icc_profile=SWAPPED)
    assert convert_to_rule(data, probe(data), RULE)[1] == ("colours converted to sRGB",)
    assert convert_to_rule(make_image("JPEG"), probe(make_image("JPEG")), RULE)[1] == ()
