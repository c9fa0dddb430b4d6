"""Whether the last message asks for a drawing, and of what: read by rules, in English and in Chinese.

"Now at night" after a drawing means the earlier subject at night: what was to be drawn is carried from turn to turn.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atelier_mcp.server.emulator.sensenova.parameters import ConversationMessage

_IMAGE_WORDS: Final = (
    r"(?:picture|image|photo|photograph|pic|drawing|illustration|painting|sketch|poster|wallpaper|portrait)"
)
_PLAIN_IMAGE_WORDS: Final = r"(?:picture|image|photo|photograph|pic|drawing)"
_ARTICLE: Final = r"(?:an?|the|one|some|another|this|that)"
_FIRST_ARTICLE: Final = re.compile(rf"\A{_ARTICLE}\s+", re.IGNORECASE)
_VERB: Final = r"(?:draw|paint|sketch|illustrate|render|depict)"

_DENIED: Final = re.compile(
    r"\b(?:don'?t|do not|never|stop|(?:how|what)(?! about)|which|who|why|when|where|did|have you|describe|explain)\b",
    re.IGNORECASE,
)
"""Words in front of which, in the same sentence, drawing is talked about, not asked for."""
_DRAW: Final = re.compile(rf"\b{_VERB}\b(?:\s+(?:me|us|it|one|for (?:me|us)))*\b\s*(?P<what>[^.!?\n]*)", re.IGNORECASE)
_MAKE: Final = re.compile(
    r"(?:\b(?:make|create|generate|produce|design|give|show|send|want|need|would like|(?:how|what) about)|'d like)"
    r"\b(?:\s+(?:me|us|to see))*[^.!?\n]{0,60}?"
    rf"(?P<what>\b(?:{_ARTICLE}\s+)?(?:[\w-]+\s+){{0,4}}?{_IMAGE_WORDS}\s+(?:of|with|showing)\b[^.!?\n]*)",
    re.IGNORECASE,
)
_NAMED: Final = re.compile(
    rf"\A\W*(?!describe|explain|tell|about|wh)(?P<what>(?:{_ARTICLE}\s+)?(?:[\w-]+\s+){{0,2}}?{_IMAGE_WORDS}\s+of\b[^.!?\n]*)",
    re.IGNORECASE,
)
_WRAPPING: Final = re.compile(
    rf"\A(?:{_ARTICLE}\s+)?(?:(?:new|nice|beautiful|quick|good)\s+)?{_PLAIN_IMAGE_WORDS}\s+(?:of|with|showing)\s+",
    re.IGNORECASE,
)
_MANNERS: Final = re.compile(
    r"(?:(?:\A|[\s,]+)(?:please|for me|for us|thanks?|thank you|if you can))+\W*\Z", re.IGNORECASE
)
_EMPTY: Final = re.compile(rf"\A(?:{_ARTICLE}\s+)?(?:(?:{_IMAGE_WORDS}|something|anything|things)s?)?\Z", re.IGNORECASE)

_AGAIN: Final = re.compile(
    r"\A(?:(?:and|now|then|ok(?:ay)?|please|great|nice|good|thanks|but|can you|could you)[\s,]+)*"
    r"(?P<lead>make (?:it|that|this|them|the sky|the scene)|change (?:it|that) (?:to|into)|turn (?:it|that) into|"
    r"(?:draw|paint|do|try) (?:it|that|the same|this)(?: again| one more time)?|"
    # "Draw another house" asks for a house.
    r"(?:draw|paint|make|give|show)(?: me)? (?:another(?: one| version| picture)?|one more)(?=(?:,? please)?\W*\Z)|"
    r"(?:the )?same(?: (?:one|thing|picture|scene))?|"
    r"again|once more|another(?: one| version)?|one more|add|this time|instead)?"
    r"\b\s*,?\s*(?P<change>[^.!?\n]*)",
    re.IGNORECASE,
)
_TURN_OF_SCENE: Final = re.compile(
    r"\A(?:in|at|on|under|with|without|as|but|during|by|from|near|more|less|brighter|darker)\b", re.IGNORECASE
)

_COLOUR: Final = (
    r"(?:(?:dark|light|bright|pale|deep)\s+)?(?:red|orange|yellow|green|blue|purple|violet|pink|brown|black|white|gr[ae]y|"
    r"gold(?:en)?|silver|turquoise|teal|beige|cyan|magenta)"
)
_ZH_COLOUR: Final = r"[深浅淡]?[红橙黄绿青蓝紫粉棕黑白灰金银]"
_COLOUR_ALONE: Final = re.compile(rf"\A(?:{_COLOUR}|{_ZH_COLOUR}色?的?)\Z", re.IGNORECASE)
_LITTLE_WORD: Final = (
    rf"(?:{_ARTICLE}|and|by|in|at|on|of|near|under|over|above|below|through|beside|between|across|into|onto|wearing|with|"
    r"from|behind)"
)
# A colour word without a thing after it is a thing itself: an orange on a table, 金鱼.
_COLOUR_OF_FIRST_THING: Final = re.compile(
    rf"\A(?P<before>(?:{_ARTICLE}\s+)?(?:(?!{_LITTLE_WORD}\b)[\w-]+\s+){{0,2}}?){_COLOUR}\s+"
    rf"(?=(?!{_LITTLE_WORD}\b)[\w-])",
    re.IGNORECASE,
)
_ZH_COLOUR_OF_FIRST_THING: Final = re.compile(
    rf"\A(?P<before>[一两三]?[个只艘辆朵匹条座棵张件把]?){_ZH_COLOUR}(?:色的?|的)"
)

_PART: Final = re.compile(
    r"\A(?:(?:and|now|then|ok(?:ay)?|please|but|can you|could you)[\s,]+)*"
    r"(?:make|paint|turn|colou?r)\s+the\s+(?P<part>[\w-]+)\s+(?P<change>(?:(?:dark|light|bright|pale|deep)\s+)?[\w-]+)\W*\Z",
    re.IGNORECASE,
)
"""One thing of the scene changed: "make the house blue"."""

_ZH_DENIED: Final = re.compile(r"怎么|怎样|如何|不要|不用|不必|别|什么|为什么|谁|多少|解释|描述")
_ZH_DRAW: Final = re.compile(
    r"(?:绘制|描绘|(?<![漫绘油版插国水动图壁书])[画绘](?![了过得的吗家框展画面]))(?:出|个|下)?(?P<what>[^。！？\n]*)"
)
_ZH_MAKE: Final = re.compile(
    r"(?:生成|创作|制作|设计|来|给我|做|想要|想看|要|看看?)[^，。！？\n]{0,6}?[一两三]?(?:张|幅|副)(?P<what>[^。！？\n]*)"
)
_ZH_NAMED: Final = re.compile(r"\A\W*[一两三]?(?:张|幅)(?P<what>[^。！？\n]*)")
_ZH_TO_MAKE: Final = re.compile(r"(?:生成|创作|制作)(?P<what>[^。！？\n]*?)的?(?:图片|图像|照片|插画|海报|壁纸)")
_ZH_HEAD: Final = re.compile(r"\A(?:[一两三](?:张|幅|副)|一个)?(?:关于)?")
_ZH_TAIL: Final = re.compile(
    r"(?:的(?:图片|图像|图画|照片|相片|图|画)|图片|图像|图画|照片|的)?(?:吧|好吗|可以吗|吗|呢|谢谢|[,，\s])*\W*\Z"
)
_ZH_AGAIN: Final = re.compile(
    r"\A(?:现在|然后|那么?|请|再|这次|好的?|你|能不能|能|可以|，|,|\s)*"
    r"(?P<lead>(?:把它)?(?:换成|改成|变成|改为|换|加上|加|要(?!是))|(?:再)?(?:来|画)一[张幅次个]|一样的?|同样的?|重新画|再画)?是?"
    r"(?P<change>[^。！？\n]*)"
)
_ZH_TURN_OF_SCENE: Final = re.compile(
    r"\A(?:在|但|换|改|变|加|要|更|不要)|(?:晚上?|夜晚?|天|色|风格|雨|雪|雾|日落|黄昏|清晨)\W*\Z"
)


MOST_READ_CHARS: Final = 2000
"""Of a message; a longer one is no longer a wish for a picture, and patterns take their time over long texts."""


def find_drawing_request(messages: Sequence[ConversationMessage]) -> str | None:
    """What the last message wants drawn; None for a message that wants words."""
    return find_drawing_subjects(messages)[-1] if messages and messages[-1].role == "user" else None


def find_drawing_subjects(messages: Sequence[ConversationMessage]) -> list[str | None]:
    """For each message of the user what it wants drawn, oldest first."""
    return [subject for subject, _ in _follow_drawings(messages)]


def find_changed_drawing(messages: Sequence[ConversationMessage]) -> str | None:
    """What was first wanted of the drawing that the last message changes; None where it asks for another one."""
    drawings = _follow_drawings(messages)
    (subject, first) = drawings[-1] if drawings else (None, None)
    return None if subject == first else first


def _follow_drawings(messages: Sequence[ConversationMessage]) -> list[tuple[str | None, str | None]]:
    """For each message of the user what it wants drawn, and what the first wish for that same scene was."""
    drawings: list[tuple[str | None, str | None]] = []
    earlier: str | None = None
    first: str | None = None
    for message in messages:
        if message.role != "user":
            continue
        just_drawn = bool(drawings) and drawings[-1][0] is not None
        changed = _apply_change(message.content, earlier, just_drawn=just_drawn) if earlier else None
        subject = changed or _find_subject(message.content)
        # "Once more" changes nothing about the subject, and so begins another scene of it.
        first = first if changed and changed != earlier else subject or first
        drawings.append((subject, first))
        earlier = subject or earlier
    return drawings


def is_chinese(text: str) -> bool:
    """Whether a text is to be answered in Chinese."""
    return any("㐀" <= character <= "鿿" for character in text)


def _normalize(message: str) -> str:
    # NFKC makes full-width letters and marks plain ones, which the patterns know.
    return unicodedata.normalize("NFKC", message[:MOST_READ_CHARS]).strip()


def _find_subject(message: str) -> str | None:
    text = _normalize(message).replace("，", ",")
    return _find_chinese_subject(text) if is_chinese(text) else _find_english_subject(text)


def _find_english_subject(text: str) -> str | None:
    # From the plainest way of asking to the vaguest.
    match = _DRAW.search(text) or _MAKE.search(text) or _NAMED.search(text)
    if match is None or _DENIED.search(_find_sentence_before(text, match)):
        return None
    what = _WRAPPING.sub("", _MANNERS.sub("", match["what"].strip())).strip(" ,;:\"'")
    return None if _EMPTY.fullmatch(what) else what


def _find_chinese_subject(text: str) -> str | None:
    # Not as in English: the verb for drawing is also a part of words for pictures, so the longer patterns come first.
    for pattern in (_ZH_TO_MAKE, _ZH_MAKE, _ZH_DRAW, _ZH_NAMED):
        match = pattern.search(text)
        if match and not _ZH_DENIED.search(_find_sentence_before(text, match)):
            what = _ZH_TAIL.sub("", _ZH_HEAD.sub("", match["what"].strip(" ,"))).strip(" ,:;")
            return what or None
    return None


def _find_sentence_before(text: str, match: re.Match[str]) -> str:
    """What stands in the same sentence before what is to be drawn."""
    return re.split(r"[.!?;。！？；\n]", text[: match.start("what")])[-1]


def _apply_change(message: str, earlier: str, *, just_drawn: bool) -> str | None:
    """The earlier subject with what this message changes about it; None where it changes nothing."""
    text = _normalize(message)
    chinese = is_chinese(text)
    if (part := _PART.match(_MANNERS.sub("", text))) is not None:
        # Before what the thing was called so far: of two colours, the engine takes the first.
        of_earlier = re.compile(rf"\b(?:(?!{_LITTLE_WORD}\b)[\w-]+\s+)?{re.escape(part['part'])}\b", re.IGNORECASE)
        changed, count = of_earlier.subn(lambda found: _colour_thing(part["change"], found[0]), earlier, count=1)
        return changed if count else f"{part['change']} {part['part']}, {earlier}"
    match = (_ZH_AGAIN if chinese else _AGAIN).match(text)
    if match is None:
        return None
    change = _MANNERS.sub("", match["change"]).strip(" ,;:")
    is_scene_change = bool((_ZH_TURN_OF_SCENE if chinese else _TURN_OF_SCENE).search(change))
    is_question = (_ZH_DENIED if chinese else _DENIED).search(change)
    # "At night" means the picture only right after one.
    is_implied = just_drawn and is_scene_change and not text.endswith("?")
    if is_question or not (match["lead"] or is_implied):
        return None
    return _join_change(change, earlier, chinese=chinese)


def _join_change(change: str, earlier: str, *, chinese: bool) -> str:
    """Both as one prompt. The change comes first: of two times of day, the engine takes the first."""
    if not change:
        return earlier
    earlier = _drop_replaced_colour(change, earlier)
    if chinese:
        # A change that is nothing but tail is kept whole.
        change = _ZH_TAIL.sub("", change) or change
        return f"{change}的{earlier}" if change.endswith("色") else f"{change}，{earlier}"
    if len(change.split()) == 1 and not _TURN_OF_SCENE.match(change):
        return f"{change} {_FIRST_ARTICLE.sub('', earlier)}"
    return f"{change}, {earlier}"


def _colour_thing(change: str, thing: str) -> str:
    """A thing, with the word before it, and what it is to be: another colour takes the place of the one it had."""
    return f"{change} {_drop_replaced_colour(change, thing)}"


def _drop_replaced_colour(change: str, earlier: str) -> str:
    """The earlier subject without the colour of its first thing, where the change is a colour in its place."""
    if not _COLOUR_ALONE.match(change):
        return earlier
    colour = _ZH_COLOUR_OF_FIRST_THING if is_chinese(earlier) else _COLOUR_OF_FIRST_THING
    return colour.sub(r"\g<before>", earlier, count=1)
