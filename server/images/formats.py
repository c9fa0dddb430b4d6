"""Which picture format bytes begin with, or what else they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atelier_mcp.server.errors import ImageRefused

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

HEAD_BYTES = 512
"""How much of the beginning is enough to tell."""

ACCEPTED_FORMATS_HINT = "Accepted: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC pictures."

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
}

SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/bmp": ".bmp",
    "image/tiff": ".tiff",
    "image/avif": ".avif",
    "image/heif": ".heic",
}

_PREFIXES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_BMP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}

_OTHER_FILES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"\x1aE\xdf\xa3", "a video"),
)


def detect_format(head: bytes) -> str | None:
    """Pillow's name of the format the first ``HEAD_BYTES`` bytes announce; None when it is none of ours."""
    for prefix, name in _PREFIXES:
        if head.startswith(prefix):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # Two letters are too little to go by: a text may begin with BM. The size of the header that follows is telling.
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return _detect_iso_media_format(head)


def describe_content(head: bytes) -> str:
    """What bytes that are no picture of ours are, as a noun: ``an HTML page``."""
    if not head:
        return "an empty file"
    for prefix, noun in _OTHER_FILES:
        if head.startswith(prefix):
            return noun
    if head[4:8] == b"ftyp":
        return "a video"
    return _describe_text(head) or "not a picture format we know"


def check_image_file(path: Path, stream: BinaryIO) -> None:
    """Raise ``ImageRefused`` unless the open file that lies at ``path`` begins as a picture does."""
    head = stream.read(HEAD_BYTES)
    if detect_format(head) is None:
        raise ImageRefused(f"{path} is {describe_content(head)}, not a picture.", hint=ACCEPTED_FORMATS_HINT)


def _detect_iso_media_format(head: bytes) -> str | None:
    """AVIF and HEIF share a container and are told apart by brand; the major brand alone may say only ``mif1``."""
    if head[4:8] != b"ftyp":
        return None
    box = head[8 : int.from_bytes(head[:4], "big")]
    # Major brand, version, compatible brands: the four bytes at 4 are the version.
    brands = {box[start : start + 4] for start in range(0, len(box), 4) if start != 4}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def _describe_text(head: bytes) -> str | None:
    text = head.decode("utf-8", errors="ignore")
    # What was cut off may end within a character, which is ignored: up to three bytes.
    if len(text.encode()) < len(head) - 3 or any(
        ord(character) < 32 and character not in "\t\n\r\f" for character in text
    ):
        return None
    start = text.lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html", "<head", "<body")):
        return "an HTML page"
    if "<svg" in start:
        return "an SVG drawing"
    if start.startswith("<"):
        return "an XML document"
    if start.startswith(("{", "[")):
        return "a JSON document"
    return "a text"
