"""Recognise the sentences `describe` writes, so that a prompt made of them is not read as a wish for what they name.

They tell colours, faces and places of a picture whose contents are unknown. Read as any prompt, "charcoal" would be a
drawing and a text without a subject a landscape; as what they are, they ask for an abstract picture in those colours.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.phrases import PUNCTUATION, Match
from atelier_mcp.server.engine.vocabulary import Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OPENING: Final = re.compile(
    r"\b(?:landscape-format|portrait-format|square|panoramic|narrow) picture"
    r"(?:(?: in (?:muted|vivid) colours)?, (?:mostly|nearly all)| in black and white\b)",
    re.IGNORECASE,
)
_ABSTRACT: Final = Match("abstract", (Term("scene", "abstract"),), key="abstract")
_OWN_COLOURS: Final = {"charcoal": "grey", "sand": "beige"}
"""Names of colours that mean something else in a prompt."""


def is_own_description(text: str) -> bool:
    """Whether a text begins like one of `describe`."""
    return bool(_OPENING.search(text))


def read_description(matches: Iterable[Match]) -> Iterator[Match]:
    """The phrases that say something to the painter: the colours, and the faces if there are any."""
    phrases = list(matches)
    if not any(match.key == "face" for match in phrases):
        yield _ABSTRACT
    for match in phrases:
        if match.text in _OWN_COLOURS:
            yield Match(match.text, (Term("colour", _OWN_COLOURS[match.text]),))
        elif match.text in PUNCTUATION or not match.kinds.isdisjoint({"colour", "break"}) or match.key == "face":
            yield match
