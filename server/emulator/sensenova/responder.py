"""What the stand-in says: plainly as one, in the language of the question, and as usefully as rules can.

It tells what it can do, what was drawn, how much was said, and repeats what it was asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from atelier_mcp.server.emulator.sensenova.intent import find_drawing_request, find_drawing_subjects, is_chinese
from atelier_mcp.server.emulator.sensenova.responses import split_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from atelier_mcp.server.emulator.sensenova.parameters import ConversationMessage

QUOTED_CHARS: Final = 200


def compose_reply(messages: Sequence[ConversationMessage], *, can_draw: bool) -> str:
    """The answer to a conversation; ``can_draw`` tells whether this endpoint could draw."""
    question = messages[-1].content
    chinese = is_chinese(question)
    get_phrase = _get_chinese_phrase if chinese else _get_english_phrase
    if not can_draw and find_drawing_request(messages) is not None:
        return get_phrase("elsewhere")
    for topic, pattern in _TOPICS.items():
        if pattern.search(question):
            return _ANSWERS[topic](messages, get_phrase)
    return get_phrase("unknown").format(asked=_shorten(question))


def count_prompt_tokens(messages: Sequence[ConversationMessage]) -> int:
    """The tokens of all messages, with one for the role of each."""
    return sum(len(split_tokens(message.content)) + 1 for message in messages)


def truncate(text: str, most_tokens: int) -> str:
    """The words up to a number of tokens."""
    return "".join(split_tokens(text)[:most_tokens])


def _describe_abilities(_: Sequence[ConversationMessage], get_phrase: Callable[[str], str]) -> str:
    return get_phrase("abilities")


def _list_drawings(messages: Sequence[ConversationMessage], get_phrase: Callable[[str], str]) -> str:
    """What was asked to be drawn so far."""
    subjects = [subject for subject in find_drawing_subjects(messages[:-1]) if subject]
    if not subjects:
        return get_phrase("nothing drawn")
    subject_list = "; ".join(f"{number}. {_shorten(subject)}" for number, subject in enumerate(subjects, start=1))
    return get_phrase("drawn").format(count=len(subjects), listed=subject_list)


def _count_messages(messages: Sequence[ConversationMessage], get_phrase: Callable[[str], str]) -> str:
    own, rest = (sum(message.role == role for message in messages) for role in ("user", "assistant"))
    return get_phrase("counted").format(all=own + rest, own=own, rest=rest)


def _repeat_message(messages: Sequence[ConversationMessage], get_phrase: Callable[[str], str]) -> str:
    earlier = [message.content for message in messages[:-1] if message.role == "user"]
    return get_phrase("repeated").format(said=_shorten(earlier[-1])) if earlier else get_phrase("nothing said")


_TOPICS: Final = {
    "drawn": re.compile(
        r"\b(?:what|which)\b.*\b(?:dr[ae]wn?|painted|drawing|pictures?)\b|[画绘](?:了|过)|(?:哪些|什么)(?:图|画)",
        re.IGNORECASE,
    ),
    "counted": re.compile(r"\bhow many (?:messages|turns)\b|多少(?:条|个)?(?:消息|信息|轮)|几(?:条|轮)", re.IGNORECASE),
    "repeated": re.compile(
        r"\bwhat did i (?:say|ask)\b|\brepeat\b|(?:我|刚才|之前).*(?:说了?什么|问了?什么)|重复", re.IGNORECASE
    ),
    "abilities": re.compile(
        r"\bwhat can you\b|\bwho are you\b|\bwhat are you\b|\bhelp\b|\bcan you (?:draw|paint)\b|"
        r"你(?:能|会|可以)|你是谁|帮助|画画",
        re.IGNORECASE,
    ),
}
_ANSWERS: Final[dict[str, Callable[[Sequence[ConversationMessage], Callable[[str], str]], str]]] = {
    "drawn": _list_drawings,
    "counted": _count_messages,
    "repeated": _repeat_message,
    "abilities": _describe_abilities,
}

_ENGLISH: Final = {
    "unknown": (
        "I am the built-in stand-in, not a language model, so I cannot really answer this. You wrote: “{asked}”. "
        "Ask me to draw something, what was drawn, or how many messages there are."
    ),
    "abilities": (
        "I am the built-in stand-in, not a language model. In chat_with_image I draw what you name, for example: draw "
        "a lighthouse in a storm; then “now at night” changes it. I can also tell what was drawn, count the messages "
        "and repeat what you said."
    ),
    "elsewhere": (
        "I am the built-in stand-in, not a language model. This conversation is for words only; chat_with_image draws."
    ),
    "nothing drawn": "I am the built-in stand-in. Nothing was drawn in this conversation so far.",
    "drawn": "I am the built-in stand-in. Asked to be drawn so far ({count}): {listed}.",
    "counted": (
        "I am the built-in stand-in. This conversation has {all} messages: {own} of yours and {rest} of the assistant."
    ),
    "nothing said": "I am the built-in stand-in. This is your first message.",
    "repeated": "I am the built-in stand-in. Before this you wrote: “{said}”.",
}
_CHINESE: Final = {
    "unknown": (
        "我是内置的替身，不是语言模型，所以无法真正回答。您写的是：“{asked}”。"
        "您可以让我画点什么，问我画过什么，或问有多少条消息。"
    ),
    "abilities": (
        "我是内置的替身，不是语言模型。在 chat_with_image 里，您说什么我就画什么，例如：画一座暴风雨中的灯塔；"
        "再说“换成晚上”就会改变它。我还能说出画过什么、数消息、重复您说过的话。"
    ),
    "elsewhere": "我是内置的替身，不是语言模型。这里只用文字对话；chat_with_image 会画画。",
    "nothing drawn": "我是内置的替身。这次对话里还没有画过什么。",
    "drawn": "我是内置的替身。到目前为止要求画过（{count}）：{listed}。",
    "counted": "我是内置的替身。这次对话共有 {all} 条消息：您的 {own} 条，助手的 {rest} 条。",
    "nothing said": "我是内置的替身。这是您的第一条消息。",
    "repeated": "我是内置的替身。在此之前您写的是：“{said}”。",
}


def _get_english_phrase(what: str) -> str:
    return _ENGLISH[what]


def _get_chinese_phrase(what: str) -> str:
    return _CHINESE[what]


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= QUOTED_CHARS else f"{line[: QUOTED_CHARS - 1]}…"
