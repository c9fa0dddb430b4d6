"""Server-sent events of data alone, read line by line however they arrive (contract: conventions.streaming)."""

from __future__ import annotations

import codecs
from typing import Final

END_MARK: Final = "[DONE]"
_BYTE_ORDER_MARK: Final = "\ufeff"
_OTHER_FIELDS: Final = (":", "event:", "id:", "retry:")


class EventStreamDecoder:
    """Bytes in, the data of whole events out: a character or a line may come in any number of parts."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._buffer = ""
        self._is_first = True

    def feed(self, part: bytes) -> list[str]:
        """The data of the lines that these bytes complete; LF and CR LF end one."""
        text = self._buffer + self._decoder.decode(part)
        if self._is_first and text:
            text, self._is_first = text.removeprefix(_BYTE_ORDER_MARK), False
        # What follows the last line end may be half a line, or half a character of one.
        *lines, self._buffer = text.split("\n")
        return [data for line in lines if (data := _parse_data(line)) is not None]

    def flush(self) -> list[str]:
        """What is left when the body is over: the data of a line without an end, or half of it."""
        data = _parse_data(self._buffer + self._decoder.decode(b"", final=True))
        return [] if data is None else [data]


def _parse_data(line: str) -> str | None:
    """The data of a line; None for an empty line, a comment and any other field.

    The prefix may be missing (contract: fusion_chat_with_image.data_prefix).
    """
    line = line.removesuffix("\r")
    if not line.strip() or line.startswith(_OTHER_FIELDS):
        return None
    return line.removeprefix("data:").removeprefix(" ")
