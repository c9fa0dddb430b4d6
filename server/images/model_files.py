"""Which local files are models and may be uploaded as one: by their name and by what they begin with.

An upload hands on a whole file as it is. Without a look at it any file could leave under the name of a model: a key,
a password store, a ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from atelier_mcp.server.errors import ImageRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import BinaryIO

HEAD_BYTES: Final = 16
MAX_SAFETENSORS_HEADER_BYTES: Final = 100_000_000
"""The format's own limit."""


def check_model_file(path: Path, stream: BinaryIO) -> None:
    """Raise ``ImageRefused`` unless the file that lies at ``path``, without links, holds what its name says.

    ``stream`` is the open file at its beginning, and is left behind what was looked at.
    """
    is_of_its_kind = MODEL_CHECKS.get(path.suffix.lower())
    if is_of_its_kind is None:
        raise ImageRefused(
            f"{path} is no model file: its name does not end in {', '.join(MODEL_CHECKS)}.",
            hint="Nothing else is uploaded as a model.",
        )
    if not is_of_its_kind(stream.read(HEAD_BYTES)):
        raise ImageRefused(
            f"{path} holds no model, whatever its name says.", hint="Only model files are uploaded; give a whole one."
        )


def _is_safetensors(head: bytes) -> bool:
    """The length of a JSON header in eight bytes, then that header; no text has so small a number there."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= MAX_SAFETENSORS_HEADER_BYTES


def _is_zip(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04")


def _is_checkpoint(head: bytes) -> bool:
    """What ``torch.save`` writes: a ZIP, and in older versions a pickle of protocol 2 or later."""
    return _is_zip(head) or head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


MODEL_CHECKS: Final[Mapping[str, Callable[[bytes], bool]]] = {
    ".safetensors": _is_safetensors,
    ".ckpt": _is_checkpoint,
    ".pt": _is_checkpoint,
    ".pth": _is_checkpoint,
    ".bin": _is_checkpoint,
    ".zip": _is_zip,
}
