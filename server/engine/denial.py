"""Find what a prompt does not want: "no cars", "without people or dogs", "没有云", "不要狗和猫".

A denial reaches to the end of its phrase: to a mark, a preposition after the thing denied ("no boats on the lake" wants
the lake), or a word that turns back ("but", "only"). Lists go on through "and", "or" and a comma that an "or" follows.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.engine.phrases import ARTICLES, PUNCTUATION, UNWANTED_FROM, UNWANTED_TO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.engine.phrases import Match

_AND: Final = frozenset({"and", "plus", "和", "与", "及", "以及", "跟"})
_OR: Final = frozenset({"or", "nor", "或", "或者", "、"})
_TURNS: Final = frozenset(
    [
        "but",
        "while",
        "where",
        "who",
        "which",
        "is",
        "are",
        "has",
        "have",
        "with",
        "then",
        "so",
        "yet",
        "because",
        "showing",
        "full",
        "filled",
        "但",
        "但是",
        "而",
        "却",
        "只",
        "有",
        "是",
    ]
)
_EXCEPT: Final = frozenset({"除了", "除去", "except", "except for"})
_FREE: Final = frozenset({"free"})


def find_denied(matches: Sequence[Match]) -> frozenset[int]:
    """The positions of the phrases that are denied, without the words that deny."""
    denied: set[int] = set()
    position = 0
    while position < len(matches):
        match = matches[position]
        scope: Sequence[int] = ()
        if match.text == UNWANTED_FROM:
            scope = _find_marked(matches, position)
        elif "deny" in match.kinds:
            if match.text in _EXCEPT and _is_exception_to_nothing(matches, position + 1):
                position += 1
                continue
            # "Nobody" and "treeless" say themselves what they deny.
            scope = [position] if match.is_noun else _find_scope(matches, position + 1)
        elif match.text in _FREE and position and matches[position - 1].is_noun and matches[position - 1].terms:
            scope = [position - 1]
        denied.update(scope)
        position = max(position, *scope) + 1 if scope else position + 1
    return frozenset(denied)


def _is_exception_to_nothing(matches: Sequence[Match], start: int) -> bool:
    """Whether "except" is followed by "there is nothing", as in 除了一只狗什么都没有: then the dog is all there is."""
    clause = itertools.takewhile(lambda match: match.text not in PUNCTUATION, matches[start:])
    return any("deny" in match.kinds for match in clause)


def _find_marked(matches: Sequence[Match], start: int) -> Sequence[int]:
    """What lies between the marks."""
    end = next((at for at in range(start, len(matches)) if matches[at].text == UNWANTED_TO), len(matches))
    return range(start + 1, end)


def _find_scope(matches: Sequence[Match], start: int) -> list[int]:
    """The positions that a denial just before ``start`` reaches."""
    scope: list[int] = []
    has_noun = has_article = False
    for position in range(start, len(matches)):
        match = matches[position]
        if _ends_scope(matches, position, has_noun=has_noun, has_article=has_article):
            break
        has_article = has_article or match.text in ARTICLES
        has_noun = has_noun or (match.is_noun and match.text not in PUNCTUATION)
        scope.append(position)
    return scope


def _ends_scope(matches: Sequence[Match], position: int, *, has_noun: bool, has_article: bool) -> bool:
    match = matches[position]
    if not match.kinds.isdisjoint({"deny", "restrict"}):
        return True
    if match.text in _OR:
        return False
    if match.text in PUNCTUATION:
        return not (match.text == "," and has_noun and _list_goes_on(matches, position + 1))
    if not has_noun:
        return match.text in {"but", "而是"}
    if match.text in _AND:
        return _starts_anew(matches, position + 1, has_article=has_article)
    return match.text in _TURNS or match.text == "的" or ("break" in match.kinds and match.text != "of")


def _starts_anew(matches: Sequence[Match], position: int, *, has_article: bool) -> bool:
    """Whether "and" begins another wish: "no boats and a red house", but not "without a hat and a scarf"."""
    if position >= len(matches):
        return True
    match = matches[position]
    is_counted = match.text in ARTICLES or "number" in match.kinds
    return is_counted and not has_article


def _list_goes_on(matches: Sequence[Match], start: int) -> bool:
    """Whether the comma before ``start`` is one of "no cars, people or dogs"."""
    for match in matches[start:]:
        if match.text in _OR:
            return True
        is_list = match.text == "," or match.is_noun or not match.kinds.isdisjoint({"colour", "size", "age"})
        if not is_list or (match.text in PUNCTUATION and match.text != ","):
            return False
    return False
