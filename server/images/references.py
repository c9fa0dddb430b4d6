"""The ways a caller can name a picture: handle, link, data URL or local path."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_to_bytes, urlsplit
from urllib.request import url2pathname

from atelier_mcp.server.errors import ImageRefused
from atelier_mcp.server.images.file_names import find_alike, find_nearest_name

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    return reference[:5].lower() == "data:"


def decode_data_url(url: str) -> bytes:
    """The bytes inside a data URL, base64 or percent-encoded. Raises ``ImageRefused`` for a broken one."""
    head, comma, payload = url.partition(",")
    if not comma:
        raise ImageRefused(
            "The data URL has no comma, so no data.", hint="Its form is data:image/png;base64,iVBORw0..."
        )
    if len(payload) > MAX_BYTES * 4 // 3 + 4:
        raise ImageRefused(f"The data URL holds more than {MAX_BYTES // 1_000_000} MB.", hint="Give a smaller picture.")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(payload)
    try:
        return base64.b64decode("".join(unquote(payload).split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise ImageRefused(
            "The data URL is broken: what follows the comma is not base64, or not all of it is there.",
            hint="Give the whole picture, or a link or path to it.",
        ) from err


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


def resolve_readable_file(path: Path, roots: Iterable[Path], *, max_bytes: int = MAX_BYTES) -> Path:
    """The file a path leads to once links are followed, inside one of the roots. Blocks on the disk.

    Where none has that very name, the one file of the folder is meant that differs from it only in how its characters
    are written: names of screenshots have narrow spaces, and some disks store accents apart. Raises ``ImageRefused``
    when it lies outside, before saying whether it is there at all.
    """
    roots, target = list(roots), path
    try:
        target = _resolve_inside(path, roots)
        if not target.exists():
            target = _resolve_inside(find_alike(target), roots)
        status = target.stat()
    except FileNotFoundError as err:
        nearest = find_nearest_name(target)
        hint = f"Did you mean {nearest}?" if nearest else "Check the path."
        raise ImageRefused(f"There is no file {path}.", hint=hint) from err
    except (OSError, RuntimeError) as err:
        raise ImageRefused(f"{path} cannot be read.", hint="Check the path and its permissions.") from err
    if not stat.S_ISREG(status.st_mode):
        raise ImageRefused(f"{path} is not a file.", hint="Give the path of a picture.")
    if status.st_size > max_bytes:
        raise ImageRefused(f"{path} has more than {max_bytes // 1_000_000} MB.", hint="Give a smaller picture.")
    return target


def _resolve_inside(path: Path, roots: Iterable[Path]) -> Path:
    target = path.resolve()
    if not any(target.is_relative_to(root.resolve()) for root in roots):
        raise ImageRefused(
            f"{path} lies outside the folders pictures may be read from: {', '.join(map(str, roots)) or 'none'}.",
            hint="Copy it there, or add its folder to ATELIER_INPUT_ROOTS.",
        )
    return target


def _parse_file_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise ImageRefused("A file URL can name only files of this machine.", hint=REFERENCE_HINT)
    return url2pathname(parts.path)
