"""What a service says, made fit to be shown: one short line, marked as the service's words, without any secret."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from typing import Final

from atelier_mcp.server.providers.secret_search import find_secrets

MAX_QUOTE_CHARS: Final = 200
MAX_REMEMBERED_TOKENS: Final = 8
_SEARCHED_TIMES: Final = 20
"""So much more than is shown is looked through: secrets that are struck out make a line shorter."""
_LONGEST_ESCAPE_CHARS: Final = 24
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
        known = (unicodedata.normalize("NFC", secret) for secret in secrets)
        self._secrets = tuple(secret for secret in known if len(secret) >= MIN_SECRET_CHARS)
        self._tokens: deque[str] = deque(maxlen=MAX_REMEMBERED_TOKENS)

    def remember(self, token: str) -> None:
        """Strike out this token, too; of such the last few are remembered."""
        if len(token) >= MIN_SECRET_CHARS:
            self._tokens.append(token)

    def clean(self, text: object, *, max_chars: int = MAX_QUOTE_CHARS) -> str:
        """One line of at most ``max_chars`` characters: no control characters, links' queries, keys or tokens."""
        line = _to_one_line(unicodedata.normalize("NFC", str(text)))
        # Before shortening: half a secret at the end of the line would not be found.
        # Tokens whole, and before the keys, whose base64 may be a part of one.
        line = _TOKEN.sub("[token]", line)
        line = self._strike_out(line, end=_SEARCHED_TIMES * max_chars)
        # quotes would end the ones our sentence puts around these words
        line = _QUERY.sub(r"\1?...", line).replace('"', "'")
        return line if len(line) <= max_chars else line[: max_chars - 1] + "…"

    def _strike_out(self, line: str, *, end: int) -> str:
        """The line up to ``end``, which is beyond what will be shown, without its secrets."""
        secrets = (*self._secrets, *self._tokens)
        reach = _LONGEST_ESCAPE_CHARS * max(map(len, secrets), default=0)
        # What begins before the end is found whole, and goes whole.
        spans = find_secrets(line[: end + reach], secrets)
        line = line[:end]
        for start, stop in reversed(spans):
            line = f"{line[:start]}[secret]{line[stop:]}" if start < end else line
        return line


def _to_one_line(text: str) -> str:
    """No control, format or private characters; runs of white space become one space."""
    spaced = "".join(" " if c.isspace() else c for c in text)
    return " ".join("".join(c for c in spaced if unicodedata.category(c)[0] != "C").split())
