"""Files to upload that are small enough for tests, and of their kind by what they begin with."""

from __future__ import annotations

import os
import struct


def build_safetensors(size_bytes: int = 1000) -> bytes:
    """A file in the format of safetensors, without tensors; what follows its header is random."""
    header = b"{}      "
    return struct.pack("<Q", len(header)) + header + os.urandom(size_bytes - 8 - len(header))


MODEL_HEADS = {
    ".safetensors": build_safetensors(16),
    ".ckpt": b"PK\x03\x04",
    **dict.fromkeys((".pt", ".pth", ".bin"), b"\x80\x02}."),
}
"""What model files begin with, by the ending of their name."""
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
