"""Server-sent events of data alone, read line by line however they arrive (contract: conventions.streaming)."""

from __future__ import annotations

import codecs
from typing import Final

END_MARK: Final = "[DONE]"
_BYTE_ORDER_MARK: Final = "\ufeff"
_OTHER_FIELDS: Final = (":", "event:", "id:", "retry:")


class Events:
    """Bytes in, the data of whole events out: a character or a line may come in any number of parts."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._first = True

    def feed(self, part: bytes) -> list[str]:
        """The data of the lines that these bytes complete; LF and CR LF end one."""
        text = self._rest + self._decoder.decode(part)
        if self._first and text:
            text, self._first = text.removeprefix(_BYTE_ORDER_MARK), False
        *lines, self._rest = text.split("\n")
        return [data for line in lines if (data := _data_in(line)) is not None]

    def end(self) -> list[str]:
        """What is left when the body is over: the data of a line without an end, or half of it."""
        data = _data_in(self._rest + self._decoder.decode(b"", final=True))
        return [] if data is None else [data]


def _data_in(line: str) -> str | None:
    """The data of a line; None for an empty line, a comment and any other field.

    The prefix may be missing (contract: fusion_chat_with_image.data_prefix).
    """
    line = line.removesuffix("\r")
    if not line.strip() or line.startswith(_OTHER_FIELDS):
        return None
    return line.removeprefix("data:").removeprefix(" ")
