"""The parts of a PNG, JPEG or WebP file that make its picture, taken out of the file that a decoder then reads.

A decoder refuses a whole file for a comment that is too long, a block whose checksum is wrong, or a last part that
was lost on the way. None of these are pixels, so a decoder never sees them: it gets the parts that are, in a file
written anew around them. What says of itself how the picture lies, and does so in a place where only some readers
look, is left out as well and reported, since it must not turn the picture for some and not for others.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass, replace

from atelier_mcp.server.images.coded_colours import CodedColours, find_coded_colours, parse_png_colours
from atelier_mcp.server.images.jpeg_end import END_MARK, complete_jpeg

MAX_PROFILE_BYTES = 16_000_000
"""The largest profiles, tables for printing presses, have a few megabytes; what unpacks to more is an attack."""
_MAX_UNDOUBTED_BYTES = 1_000_000
"""Decoders in wide use refuse a PNG with a longer text or profile."""
MAX_SEGMENTS = 100_000
"""Of a JPEG's header, of a PNG or WebP as a whole. Photos with depth maps have some hundred, a PNG of 50 MB that was
written in pieces of a kilobyte 50,000; what comes after so many is not read."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Kept whatever their checksum: without them there is no picture.
_PNG_ALWAYS = frozenset({b"IHDR", b"PLTE", b"IDAT"})
# Kept with the right checksum and in front of the pixels.
_PNG_IF_SOUND = frozenset({b"tRNS", b"gAMA", b"sRGB", b"acTL", b"eXIf"})
_PNG_LEAST_BYTES = {b"gAMA": 4, b"sRGB": 1, b"acTL": 8}
_PNG_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PNG_TEXTS_ON_ORIENTATION = (b"XML:com.adobe.xmp", b"Raw profile type ")

# 0xFF 0x00 is a byte of pixels, and 0xFF may be repeated as filling.
# The last of several fill bytes: to look for all of them takes the square of their number where no marker follows.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
# TEM, RST0 to RST7 and SOI.
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_START_OF_SCAN, _END_OF_IMAGE, _COMMENT, _EXIF_SEGMENT, _PROFILE_SEGMENT = 0xDA, 0xD9, 0xFE, 0xE1, 0xE2
_APPLICATION_SEGMENTS = range(0xE0, 0xF0)
_JPEG_KEPT = (
    (0xE0, b"JFIF\0", 6),
    (_EXIF_SEGMENT, b"Exif\0", 6),
    (_PROFILE_SEGMENT, b"ICC_PROFILE\0", 14),
    (0xEE, b"Adobe", 11),
)
"""Their numbers, what they begin with, and how many bytes that is with the fields that always follow."""

_WEBP_KEPT = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF"})
_WEBP_METADATA = frozenset({b"ICCP", b"EXIF"})
_WEBP_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}

# Without its first letter, which is a capital in some texts and small in others.
_ORIENTATION = b"rientation"


@dataclass(frozen=True, slots=True)
class FileParts:
    """A file with nothing in it but what makes the picture."""

    data: bytes
    profile: bytes | None = None
    """The colour profile of a PNG, which is not in ``data``: decoders refuse the whole picture for a long one.

    Of other files, the profile that says what they say of their colours by numbers.
    """
    is_ambiguous: bool = False
    """True when what was left out makes other readers turn the picture, or refuse it."""
    colour_notes: tuple[str, ...] = ()
    """What a reader should know of colours that are told by numbers."""


def extract_parts(data: bytes, image_format: str, *, keeps_exif: bool = True) -> FileParts:
    """What makes the picture; the bytes as they are in formats other than PNG, JPEG and WebP. Raises nothing."""
    match image_format:
        case "PNG":
            return _extract_png_parts(data, keeps_exif=keeps_exif)
        case "JPEG":
            return _extract_jpeg_parts(data, keeps_exif=keeps_exif)
        case "WEBP":
            return _extract_webp_parts(data, keeps_exif=keeps_exif)
        case "AVIF" | "HEIF":
            colours = find_coded_colours(data)
            return FileParts(data) if colours is None else _add_colours(FileParts(data), colours)
        case _:
            return FileParts(data)


def _add_colours(parts: FileParts, colours: CodedColours) -> FileParts:
    return replace(parts, profile=colours.build_profile(), colour_notes=colours.describe())


def remove_ambiguities(data: bytes, image_format: str) -> bytes:
    """The same pixels without EXIF, XMP, texts and profile, in a file that is complete.

    For a picture that needs none of them: one that is upright, and in sRGB without its profile.
    """
    pixels = extract_parts(data, image_format, keeps_exif=False).data
    return complete_jpeg(pixels) if image_format == "JPEG" else pixels


def _extract_png_parts(data: bytes, *, keeps_exif: bool) -> FileParts:
    # Ambiguous until the end mark is found: some readers refuse a file that is cut off.
    parts, profile, is_ambiguous, has_pixels, position = [_PNG_SIGNATURE], None, True, False, len(_PNG_SIGNATURE)
    doubts: list[bool] = []
    colours: CodedColours | None = None
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IEND":
            is_ambiguous = any(doubts)
            break
        body, crc = data[position + 8 : position + 8 + length], data[position + 8 + length : position + 12 + length]
        position += 12 + length
        if kind in _PNG_ALWAYS:
            has_pixels = has_pixels or kind == b"IDAT"
            # With the checksum it had: whether the pixels are sound is for the decoder to say.
            parts.append(struct.pack(">I4s", len(body), kind) + body + crc.ljust(4, b"\0"))
            continue
        is_sound = crc == struct.pack(">I", zlib.crc32(kind + body))
        doubts.append(not is_sound or _is_doubtful(kind, body, has_pixels=has_pixels))
        if kind == b"iCCP" and is_sound:
            profile = _read_png_profile(body)
            doubts.append(profile is None or len(profile) > _MAX_UNDOUBTED_BYTES)
        elif kind == b"cICP" and is_sound and not has_pixels:
            colours = parse_png_colours(body)
        elif kind in _PNG_IF_SOUND and is_sound and not has_pixels and (keeps_exif or kind != b"eXIf"):
            # 16 to 29 is the body of IHDR, which comes first.
            parts.append(_build_optional_chunk(kind, body, header=data[16:29].ljust(13, b"\0")))
    extracted = FileParts(b"".join([*parts, _build_png_chunk(b"IEND", b"")]), profile, is_ambiguous)
    # They go before a profile: it is for readers that do not know them.
    return extracted if colours is None else _add_colours(extracted, colours)


def _is_doubtful(kind: bytes, body: bytes, *, has_pixels: bool) -> bool:
    """True for a part that some readers turn the picture by, or choke on."""
    if kind == b"eXIf":
        # EXIF data behind the pixels is read by some and not by others.
        return has_pixels
    if kind not in _PNG_TEXT:
        return len(body) < _PNG_LEAST_BYTES.get(kind, 0)
    # How long a packed text is shows only when it is unpacked, so any of them is doubtful.
    is_packed = kind == b"zTXt" or (kind == b"iTXt" and body.partition(b"\0")[2][:1] == b"\1")
    return is_packed or len(body) > _MAX_UNDOUBTED_BYTES or body.startswith(_PNG_TEXTS_ON_ORIENTATION)


def _build_optional_chunk(kind: bytes, body: bytes, *, header: bytes) -> bytes:
    """The chunk as Pillow reads it rightly; nothing when it is too short to say anything."""
    if kind == b"tRNS":
        body = _fit_transparent_colour(body, depth=header[8], colour_type=header[9])
    return _build_png_chunk(kind, body) if len(body) >= _PNG_LEAST_BYTES.get(kind, 1) else b""


def _fit_transparent_colour(body: bytes, *, depth: int, colour_type: int) -> bytes:
    """The colour that is transparent, in the depth in which Pillow hands out the pixels.

    It spreads greys of 2 and 4 bits over 8, and cuts colours of 16 bits down to 8, but not the one named in tRNS.
    """
    if colour_type == 3:  # a palette: the values are opacities
        return body
    values = struct.unpack(f">{len(body) // 2}H", body[: len(body) // 2 * 2])
    if len(values) < (3 if colour_type == 2 else 1):
        return b""
    if colour_type == 2 and depth == 16:
        values = tuple(value >> 8 for value in values)
    elif colour_type == 0 and depth in (2, 4):
        values = tuple(value * 255 // (2**depth - 1) for value in values)
    return struct.pack(f">{len(values)}H", *values)


def _read_png_profile(body: bytes) -> bytes | None:
    name, _, packed = body.partition(b"\0")
    if not name or packed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None


def _build_png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _extract_jpeg_parts(data: bytes, *, keeps_exif: bool) -> FileParts:
    parts, is_ambiguous, position = [b"\xff\xd8"], False, 2
    for _ in range(MAX_SEGMENTS):
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            break
        kind, position = marker[1][0], marker.end()
        if kind in _JPEG_WITHOUT_LENGTH:
            continue
        if kind == _START_OF_SCAN:  # from here on there are pixels
            # Pixels follow up to the end mark; without it some readers refuse the file.
            is_ambiguous = is_ambiguous or data.find(END_MARK, position) < 0
            return FileParts(b"".join([*parts, b"\xff\xda", memoryview(data)[position:]]), None, is_ambiguous)
        # The length counts its own two bytes; the ``max`` below keeps one of less from leading backwards.
        end = position + int.from_bytes(data[position : position + 2])
        body = data[position + 2 : end]
        if _is_jpeg_part(kind, body) and (keeps_exif or kind != _EXIF_SEGMENT):
            parts.append(b"\xff" + marker[1] + data[position:end])
        else:
            is_ambiguous = (
                is_ambiguous or (kind == _EXIF_SEGMENT and _ORIENTATION in body) or body[:11] == b"ICC_PROFILE"
            )
        position = max(end, position + 2)
    # Without pixels: the decoder says so.
    return FileParts(b"".join(parts), None, is_ambiguous)


def _is_jpeg_part(kind: int, body: bytes) -> bool:
    if kind in _APPLICATION_SEGMENTS:
        return any(kind == kept and body.startswith(prefix) and len(body) > size for kept, prefix, size in _JPEG_KEPT)
    return kind != _COMMENT


def _extract_webp_parts(data: bytes, *, keeps_exif: bool) -> FileParts:
    parts, kinds, is_ambiguous, position = list[bytes](), set[bytes](), False, 12
    for _ in range(MAX_SEGMENTS):
        if position + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        # Parts are padded to an even length, which their own length does not count.
        position += 8 + length + length % 2
        is_cut_off = len(body) < length
        if kind in _WEBP_KEPT and not (kind in _WEBP_METADATA and is_cut_off) and (keeps_exif or kind != b"EXIF"):
            kinds.add(kind)
            parts.append(struct.pack("<4sI", kind, length) + body + b"\0" * (length % 2 and not is_cut_off))
        else:
            is_ambiguous = is_ambiguous or is_cut_off or (kind == b"XMP " and _ORIENTATION in body)
    content = b"".join([b"WEBP", *(_clear_webp_flags(part, kinds) for part in parts)])
    return FileParts(struct.pack("<4sI", b"RIFF", len(content)) + content, None, is_ambiguous)


def _clear_webp_flags(part: bytes, kinds: set[bytes]) -> bytes:
    """The extended header without a mention of what is not there; any other part as it is."""
    if not part.startswith(b"VP8X") or len(part) < 9:
        return part
    flags = part[8]
    for kind, flag in _WEBP_FLAGS.items():
        if kind not in kinds:
            flags &= ~flag
    return part[:8] + bytes([flags]) + part[9:]
