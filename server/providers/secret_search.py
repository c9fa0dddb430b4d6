"""Find secrets in what a service says, in the ways in which services repeat them.

A text is read in several views: as it stands, with its escapes read (of URLs, JSON, HTML and mail), and as hex without
what separates its bytes. Each view is in small letters and without white space, since that may be put in or left out
anywhere; each of its characters knows where it comes from. In all of them a secret is looked for as it is, as UTF-8, in
hex, and inside of base64 and base32.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ESCAPE: Final = (
    r"(?:\\{1,8}u|%u)(?P<unit>[0-9a-f]{4})|(?:%(?:25){0,3}|\\{1,8}x)(?P<byte>[0-9a-f]{2})"
    r"|&(?:amp;)?\#(?:(?P<decimal>\d{1,7})|x(?P<code>[0-9a-f]{1,6}));|\\(?=[/\"'])"
)
_ESCAPES: Final = re.compile(_ESCAPE, re.IGNORECASE)
_MAIL_ESCAPES: Final = re.compile(rf"{_ESCAPE}|=(?P<mail>[0-9a-f]{{2}})", re.IGNORECASE)
_HEX_SEPARATORS: Final = re.compile(r"\\{0,8}[0\\]x|[\s:,;.-]+", re.IGNORECASE)
_NOTHING: Final = re.compile(r"(?!)")
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width letters, digits and marks, and the plain ones."""
_FOLDED: Final = _WIDE | dict.fromkeys(map(ord, "+＋"), ord("-")) | dict.fromkeys(map(ord, "/／"), ord("_"))
"""The marks of base64 are others in URLs."""


def find_secrets(text: str, secrets: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where any of the secrets stands, as places to cut at, in order and without overlap."""
    forms = [form for secret in secrets for form in _list_forms(secret)]
    found = [span for view in _list_views(text) for form in forms for span in view.find_all(form)]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


class _View:
    """A text as it is searched, and where each of its characters comes from."""

    def __init__(self, text: str, escapes: re.Pattern[str], read: Callable[[re.Match[str]], str]) -> None:
        self._characters: list[str] = []
        self._spans: list[tuple[int, int]] = []
        position = 0
        for match in escapes.finditer(text):
            self._add_plain(text, position, match.start())
            self._add(read(match), match.span())
            position = match.end()
        self._add_plain(text, position, len(text))
        self._text = "".join(self._characters)

    def find_all(self, form: str) -> Iterator[tuple[int, int]]:
        """Where the form stands in the text."""
        at = self._text.find(form)
        while at >= 0:
            yield self._spans[at][0], self._spans[at + len(form) - 1][1]
            at = self._text.find(form, at + 1)

    def _add_plain(self, text: str, start: int, end: int) -> None:
        for position in range(start, end):
            self._add(text[position], (position, position + 1))

    def _add(self, characters: str, span: tuple[int, int]) -> None:
        folded = _fold(characters)
        self._characters.extend(folded)
        self._spans.extend([span] * len(folded))


def _list_views(text: str) -> Iterator[_View]:
    yield _View(text, _NOTHING, _read_escape)
    for escapes in (_ESCAPES, _MAIL_ESCAPES):
        if escapes.search(text):
            yield _View(text, escapes, _read_escape)
    yield _View(text, _HEX_SEPARATORS, lambda _: "")


def _read_escape(match: re.Match[str]) -> str:
    groups = match.groupdict()
    if groups["decimal"]:
        return _to_character(int(groups["decimal"]))
    digits = next((groups[name] for name in ("unit", "byte", "code", "mail") if groups.get(name)), "")
    return _to_character(int(digits, 16)) if digits else ""


def _to_character(code: int) -> str:
    return chr(code) if code <= 0x10FFFF else ""


def _fold(text: str) -> str:
    return "".join(text.translate(_FOLDED).lower().split())


@lru_cache(maxsize=64)
def _list_forms(secret: str) -> tuple[str, ...]:
    data = secret.encode()
    wide = [secret.encode(encoding) for encoding in ("utf-16-le", "utf-16-be")]
    twice = base64.b64encode(data).rstrip(b"=")
    forms = [
        secret,
        re.sub(r"\s", "+", secret),
        data.decode("latin-1"),  # as the bytes of escapes are read
        *(one.hex() for one in (data, *wide)),
        *(_encode_base64_core(one, before) for one in (data, *wide, twice) for before in range(3)),
        # Its last character is mixed with what follows.
        base64.b32encode(data).decode().rstrip("=")[:-1],
    ]
    return tuple(dict.fromkeys(map(_fold, forms)))


def _encode_base64_core(data: bytes, before: int) -> str:
    """What is always there of ``data`` in base64 that begins ``before`` bytes earlier, whatever stands around it."""
    encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
    # A character holds six bits: the first and the last few are mixed with those of what stands beside.
    bits = 8 * (before + len(data))
    return encoded[-(-8 * before // 6) : bits // 6]
