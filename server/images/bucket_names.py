"""What the objects of a library in a bucket are called.

images/img_x.png                        the bytes
images/img_x.json                       the record, written once, after the bytes
newest/8235...123_img_x                 empty; sorts newest first, so that the first page of a list is the newest
masks/img_x/8235...123_img_m            empty; a mask over img_x, in the same order
records.json.gz                         a copy of all records, where there are many (bucket_digest)
principals/3f9a...c41e/images/...       the same for the library of another principal
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.images.handles import ImageHandle
from atelier_mcp.server.images.library_keys import LIBRARIES
from atelier_mcp.server.images.provenance import DrawnMask

if TYPE_CHECKING:
    from atelier_mcp.server.images.stored_image import StoredImage

_END_MS: Final = 9_999_999_999_999
"""The year 2286; what is left until then counts down, so that later sorts first."""
_LISTED: Final = re.compile(r"(\d{13})_(img_[a-z0-9]+)")


def build_library_prefix(root: str, library: str) -> str:
    """What the keys of a library begin with; ``root`` is what every key of ours begins with."""
    return f"{root}{LIBRARIES}/{library}/" if library else root


def find_library_prefix(root: str, key: str) -> str:
    """What all keys of the library begin with that this one belongs to."""
    parts = key.removeprefix(root).split("/")
    return build_library_prefix(root, parts[1] if parts[0] == LIBRARIES else "")


def build_dated_name(image: StoredImage) -> str:
    """A name that sorts by when the picture was made, the newest first, and those of one moment by handle."""
    left_ms = _END_MS - int(image.created_at.timestamp() * 1000)
    return f"{left_ms:013d}_{image.handle}"


def parse_dated_name(name: str) -> ImageHandle | None:
    """The handle in such a name; None for any other."""
    found = _LISTED.fullmatch(name)
    return ImageHandle(found[2]) if found else None


def parse_created_s(name: str) -> float:
    """When the picture of such a name was made, in Unix seconds."""
    return (_END_MS - int(name.partition("_")[0])) / 1000


def list_markers(image: StoredImage) -> list[str]:
    """The empty objects by which a picture is listed, below the prefix of its library."""
    name = build_dated_name(image)
    source = image.provenance.image if isinstance(image.provenance, DrawnMask) else None
    return [f"newest/{name}", *([f"masks/{source}/{name}"] if source and "/" not in source else [])]
