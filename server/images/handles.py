"""Names of stored pictures: ``img_`` and sixteen characters that follow from the bytes alone.

Base32 because models and file systems that do not tell upper from lower case must not confuse two of them; 80 bits
because among a million pictures two then share a name by chance once in two trillion libraries.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import NewType

ImageHandle = NewType("ImageHandle", str)
"""``img_`` and the first 80 bits of the SHA-256 of the bytes, in lower-case base32."""

_HANDLE = re.compile(r"img_[a-z2-7]{16}")
_SPELLINGS = re.compile(r"(atelier://images/)?(?P<handle>img_[a-z2-7]{16})(\.[a-z]{3,4})?")


def compute_handle(data: bytes) -> ImageHandle:
    """The handle of these bytes; the same bytes always have the same one."""
    digest = hashlib.sha256(data).digest()
    return ImageHandle("img_" + base64.b32encode(digest[:10]).decode("ascii").lower())


def is_handle(text: str) -> bool:
    """True when ``text`` has the shape of a handle, whether or not a picture of that name is stored."""
    return _HANDLE.fullmatch(text) is not None


def parse_handle(text: str) -> ImageHandle | None:
    """The handle that a text names as we write it: bare, as a resource link, or as a stored file's name."""
    spelling = _SPELLINGS.fullmatch(text.strip())
    return ImageHandle(spelling["handle"]) if spelling else None
