"""What a service says, made fit to be shown: one short line, marked as the service's words, without any secret."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections import deque
from functools import lru_cache
from typing import Final

MAX_QUOTE_CHARS: Final = 200
MAX_REMEMBERED_TOKENS: Final = 8
MIN_SECRET_CHARS: Final = 6
"""Shorter ones are words, and striking them out would spoil every message."""
# Any JWT, also one of somebody else that the service repeats.
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*")
# Signatures stand in the query of a link; the rest of it may be shown.
_QUERY = re.compile(r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]*")


class Redactor:
    """Strikes the secrets of one account out of texts."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        """Know ``secrets``, which were configured; tokens come to be known by ``remember``."""
        self._secrets = tuple(secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS)
        self._tokens: deque[str] = deque(maxlen=MAX_REMEMBERED_TOKENS)

    def remember(self, token: str) -> None:
        """Strike out this token, too; of such the last few are remembered."""
        if len(token) >= MIN_SECRET_CHARS:
            self._tokens.append(token)

    def clean(self, text: object, *, max_chars: int = MAX_QUOTE_CHARS) -> str:
        """One line of at most ``max_chars`` characters: no control characters, links' queries, keys or tokens."""
        line = _to_one_line(str(text))
        # Before shortening: half a secret at the end of the line would not be found.
        # Tokens whole, and before the keys, whose base64 may be a part of one.
        line = _TOKEN.sub("[token]", line)
        for secret in (*self._secrets, *self._tokens):
            line = _build_pattern(secret).sub("[secret]", line)
        # quotes would end the ones our sentence puts around these words
        line = _QUERY.sub(r"\1?...", line).replace('"', "'")
        return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


@lru_cache(maxsize=64)
def _build_pattern(secret: str) -> re.Pattern[str]:
    """A secret in the ways in which services repeat it: as it is, URL-encoded, in hex or inside of base64.

    In small letters or capitals, and folded: white space may stand, or be missing, anywhere in it.
    """
    data = secret.encode()
    plain = _join_folded([_match_character(character) for character in secret])
    packed = [data.hex(), *(_encode_base64_core(data, before) for before in range(3))]
    folded = [_join_folded([_BASE64_MARKS.get(c, re.escape(c)) for c in text]) for text in packed]
    return re.compile("|".join((plain, *folded)), re.IGNORECASE)


_BASE64_MARKS: Final = {"+": r"[+-]", "/": r"[/_]"}
"""Beside them what stands for them in addresses."""


def _join_folded(parts: list[str]) -> str:
    return r"\s*".join(parts)


def _match_character(character: str) -> str:
    """A character of a secret, or its bytes with a percent sign before each, once or twice over."""
    encoded = "".join(f"%(?:25)*{byte:02x}" for byte in character.encode())
    return rf"(?:\s*|{encoded}|\+)" if character.isspace() else f"(?:{re.escape(character)}|{encoded})"


def _encode_base64_core(data: bytes, before: int) -> str:
    """What is always there of ``data`` in base64 that begins ``before`` bytes earlier, whatever stands around it."""
    encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
    # A character holds six bits: the first and the last few are mixed with those of what stands beside.
    bits = 8 * (before + len(data))
    return encoded[-(-8 * before // 6) : bits // 6]


def _to_one_line(text: str) -> str:
    """No control, format or private characters; runs of white space become one space."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
