"""The ways a caller can name a picture: handle, link, data URL or local path."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.file_names import is_file_name

MAX_BYTES = 50_000_000
"""The largest picture that is taken in, from wherever."""

REFERENCE_HINT = "Give a handle (img_...), an https link, a data URL, or the path of a local file."

_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{1,30}):(//)?")
_SCHEMES_WITHOUT_SLASHES = frozenset({"about", "attachment", "blob", "cid", "content", "javascript", "mailto", "urn"})
"""Any other name with a colon in it may be a file's: ``shot12:30.png``."""
_MAX_PATH_LENGTH = 4096


def is_link(reference: str) -> bool:
    """True for an http or https link."""
    return reference[:8].lower().startswith(("http://", "https://"))


def is_data_url(reference: str) -> bool:
    """True for a data URL."""
    # Only the beginning is made lower case: a data URL may have megabytes.
    return reference[:5].lower() == "data:"


def decode_data_url(url: str) -> bytes:
    """The bytes inside a data URL, base64 or percent-encoded. Raises ``ImageRefused`` for a broken one."""
    head, comma, payload = url.partition(",")
    if not comma:
        raise ImageRefused(
            "The data URL has no comma, so no data.", hint="Its form is data:image/png;base64,iVBORw0..."
        )
    # Base64 has four characters for three bytes: refused before it is decoded.
    if len(payload) > MAX_BYTES * 4 // 3 + 4:
        raise ImageRefused(f"The data URL holds more than {MAX_BYTES // 1_000_000} MB.", hint="Give a smaller picture.")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        # Some tools wrap base64 in lines or percent-encode its marks.
        return base64.b64decode("".join(unquote(payload).split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise ImageRefused(
            "The data URL is broken: what follows the comma is not base64, or not all of it is there.",
            hint="Give the whole picture, or a link or path to it.",
        ) from err


def find_path(reference: str, folder: Path) -> Path:
    """The path a reference names, from ``folder`` on; raises as ``parse_path`` does. Blocks on the disk."""
    return folder / (reference if is_file_name(reference, folder) else parse_path(reference))


def parse_path(reference: str) -> Path:
    """The path a reference names, ``~`` expanded. Raises ``ImageRefused`` when it cannot be one on this machine."""
    if reference[:5].lower() == "file:":
        return Path(_parse_file_url(reference))
    if reference.startswith("\\\\") or (_WINDOWS_DRIVE.match(reference) and os.name != "nt"):
        raise ImageRefused(
            f"{reference[:100]} is a Windows path that leads nowhere on this machine.", hint=REFERENCE_HINT
        )
    scheme = _SCHEME.match(reference)
    if scheme and not _WINDOWS_DRIVE.match(reference) and (scheme[2] or scheme[1].lower() in _SCHEMES_WITHOUT_SLASHES):
        raise ImageRefused(f"Pictures cannot be read from {scheme[1].lower()}: addresses.", hint=REFERENCE_HINT)
    if len(reference) > _MAX_PATH_LENGTH or "\0" in reference:
        raise ImageRefused("This is neither a link nor a path.", hint=f"{REFERENCE_HINT} Base64 goes into a data URL.")
    is_bare_name = bool(Path(reference).suffix) and not Path(reference).parent.name
    if not reference.startswith("~") or is_bare_name:  # ~backup.png is a file of that name
        return Path(reference)
    try:
        return Path(reference).expanduser()
    except RuntimeError as err:
        raise ImageRefused(f"{reference[:100]}: that user has no home folder.", hint=REFERENCE_HINT) from err


def _parse_file_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as err:  # brackets in it that hold no IPv6 address
        raise ImageRefused("The file URL is not a valid one.", hint=REFERENCE_HINT) from err
    if parts.netloc not in ("", "localhost"):
        raise ImageRefused("A file URL can name only files of this machine.", hint=REFERENCE_HINT)
    path = url2pathname(parts.path)
    if "\0" in path:  # written as %00
        raise ImageRefused("The file URL is not a valid one.", hint=REFERENCE_HINT)
    return path
