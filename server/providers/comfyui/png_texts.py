"""The texts in a PNG: ComfyUI writes the whole graph into its files, prompts included (contract: comfy.metadata)."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_FRAME_BYTES: Final = 12
"""Of a chunk beside its data: length, name and checksum."""


def read_graph(data: bytes) -> dict[str, Any]:
    """The graph that a file was made by; empty where it does not say."""
    for name, text in _iterate_texts(data):
        if name == b"prompt":
            try:
                document = json.loads(text)
            except ValueError:
                return {}
            return cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    return {}


def _iterate_texts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and text of each ``tEXt`` chunk."""
    position = len(SIGNATURE) if data.startswith(SIGNATURE) else len(data)
    while position + _FRAME_BYTES <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"tEXt":
            name, _, text = data[position + 8 : position + 8 + length].partition(b"\0")
            yield name, text
        position += length + _FRAME_BYTES
