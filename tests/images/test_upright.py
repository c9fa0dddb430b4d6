"""One notion of upright: whoever looks at a picture sees it lie the same way, and it leaves without a tag."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from atelier_mcp.server.images.convert import convert_to_rule
from atelier_mcp.server.images.decode import decode_upright
from atelier_mcp.server.images.exchange import ImageRule
from atelier_mcp.server.images.masks import overlay_mask
from atelier_mcp.server.images.preview import create_previews
from atelier_mcp.server.images.probe import probe
from tests.images.samples import LIME, ORIENTATION, decode_image, draw_sample, encode_image, is_near, read_colour

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RULE = ImageRule(min_side_px=1)
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
NO_EXIF = b"Exif\0\0http://ns.adobe.com/xap/1.0/"


def build_exif(orientation: int) -> bytes:
    """EXIF data with nothing but an orientation."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif.tobytes()


def save(image_format: str, **options: Any) -> bytes:
    """The sample, 320 x 240 with a green corner at its top left, saved with these options."""
    stream = BytesIO()
    draw_sample().save(stream, image_format, **options)
    return stream.getvalue()


def build_png_with_late_exif() -> bytes:
    """A PNG that says how it lies only behind its pixels."""
    data, body = save("PNG"), build_exif(6)[6:]
    chunk = struct.pack(">I4s", len(body), b"eXIf") + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    return data[:-12] + chunk + data[-12:]


def build_png_with_texts(**texts: str) -> bytes:
    """A PNG with XMP, or with EXIF data written out as a text."""
    info = PngInfo()
    for name, text in texts.items():
        info.add_text({"xmp": "XML:com.adobe.xmp", "profile": "Raw profile type exif"}[name], text)
    return save("PNG", pnginfo=info)


def build_avif_without_readable_exif() -> bytes:
    """An AVIF whose EXIF data does not begin like any."""
    data = save("AVIF", exif=b"Exif\0\0II*\0\x08\0\0\0" + bytes(40))
    return data.replace(b"II*\0", b"http")


UPRIGHT: Mapping[str, bytes] = {
    "XMP in a JPEG": save("JPEG", xmp=XMP.encode()),
    "XMP in a WebP": save("WEBP", xmp=XMP.encode(), lossless=True),
    "XMP in a TIFF": save("TIFF", tiffinfo={700: XMP.encode()}),
    "XMP in an AVIF": save("AVIF", xmp=XMP.encode()),
    "XMP in a PNG": build_png_with_texts(xmp=XMP),
    "a text profile": build_png_with_texts(profile=f"\nexif\n{len(build_exif(6)):8}\n{build_exif(6).hex()}\n"),
    "EXIF behind the pixels": build_png_with_late_exif(),
    "no EXIF in a JPEG": save("JPEG", exif=NO_EXIF),
    "no EXIF in a PNG": save("PNG", exif=NO_EXIF),
    "no EXIF in a WebP": save("WEBP", exif=NO_EXIF, lossless=True),
    "no EXIF in an AVIF": build_avif_without_readable_exif(),
    "an orientation of 0": encode_image(draw_sample(), "JPEG", orientation=0),
    "an orientation of 9": encode_image(draw_sample(), "TIFF", orientation=9),
}


@pytest.mark.parametrize("name", UPRIGHT)
async def test_what_is_not_exif_in_front_of_the_pixels_turns_nothing(name: str, tmp_path: Path) -> None:
    """Size, pixels, preview and what a service is sent agree."""
    data = UPRIGHT[name]
    path = tmp_path / "picture"
    path.write_bytes(data)
    sent, _ = convert_to_rule(data, probe(data), RULE)
    (preview,) = create_previews([path])

    assert (probe(data).width, probe(data).height, probe(data).is_rotated) == (320, 240, False)
    for upright in (decode_upright(data), decode_image(preview.data), decode_image(sent)):
        assert upright.size == (320, 240)
        assert is_near(upright.convert("RGB").crop((20, 20, 21, 21)).tobytes(), LIME, 40)  # pyright: ignore[reportArgumentType]  # three bytes
    assert decode_image(sent).getexif().get(ORIENTATION, 1) == 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_every_orientation_is_applied_once_everywhere(
    image_format: str, orientation: int, tmp_path: Path
) -> None:
    """The corner that was at the top left of the file stands where the standard says."""
    data = encode_image(draw_sample(), image_format, orientation=orientation)
    size = (320, 240) if orientation < 5 else (240, 320)
    right, bottom = size[0] - 20, size[1] - 20
    corner = {1: (20, 20), 2: (right, 20), 3: (right, bottom), 4: (20, bottom)}.get(
        orientation, {5: (20, 20), 6: (right, 20), 7: (right, bottom), 8: (20, bottom)}.get(orientation, (0, 0))
    )
    path = tmp_path / "picture"
    path.write_bytes(data)
    sent, _ = convert_to_rule(data, probe(data), RULE)
    (preview,) = create_previews([path])
    mask = encode_image(Image.new("L", size, "white"))

    assert (probe(data).width, probe(data).height) == size
    assert overlay_mask(data, mask, longest_px=512).size == size
    for upright in (encode_image(decode_upright(data)), preview.data, sent):
        assert decode_image(upright).size == size
        assert is_near(read_colour(upright, *corner), LIME, 40)
    assert decode_image(sent).getexif().get(ORIENTATION, 1) == 1


def test_a_tag_that_means_nothing_does_not_leave_with_the_picture() -> None:
    """A reader that believes XMP would turn what we measured and drew on lying otherwise."""
    for name in ("XMP in a JPEG", "XMP in a WebP", "XMP in a PNG", "a text profile", "EXIF behind the pixels"):
        sent, _ = convert_to_rule(UPRIGHT[name], probe(UPRIGHT[name]), RULE)
        assert b"rientation" not in sent, name
        assert decode_image(sent).tobytes() == decode_image(UPRIGHT[name]).tobytes(), name
