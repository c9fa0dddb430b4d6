"""Cut a prompt into phrases, each the longest the vocabulary knows; what it lacks comes out as unknown phrases.

English is cut at spaces and marks. Chinese is written without spaces, so a run of ideographs is cut into its longest
known words, and a noun of one ideograph with a stranger beside it is taken for a part of a longer word: cut to its
first or last ideograph, an unlisted animal or name would be drawn as a horse or a fish.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from atelier_mcp.server.engine.vocabulary import (
    IRREGULAR_PLURALS,
    LEXICON,
    LONGEST_CJK_WORD,
    LONGEST_PHRASE_WORDS,
    UNCHANGED_PLURALS,
    Term,
    is_cjk,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_COUNT: Final = 12
"""The largest number of one subject that is drawn."""
UNWANTED_FROM: Final = "\ue000"
UNWANTED_TO: Final = "\ue001"
"""Marks around what the notation of other tools takes out of a prompt: ``--no dog``, ``(dog:0)``."""

# "(boat:1.3)" as Stable Diffusion prompts have it: the weight is dropped, or 1 would be read as a number of boats.
_EMPHASIS: Final = re.compile(r":\s*\d+(\.\d+)?(?=\s*[)\]>,]|\s*$)")
_WEIGHT_OF_NOTHING: Final = re.compile(r"\(([^():]*):\s*0(?:\.0*)?\s*\)")
# "[cat:dog:0.5]" and "[cat|dog]" of WebUI's prompts: what comes first is drawn.
_CHOICE: Final = re.compile(r"[\[{]([^\[\]{}|:]*[^\W\d_][^\[\]{}|:]*)[|:][^\[\]{}]*[\]}]")
_FREE_OF: Final = re.compile(r"\b([^\W\d_]+)-free\b")
_TAIL_OF_UNWANTED: Final = re.compile(r"--no\b(.*?)(?=--|\Z)", re.DOTALL)
# A run of ideographs, a word of other letters and digits, or one mark.
_ATOMS: Final = re.compile(rf"[㐀-鿿豈-﫿]+|[^\W_]+|[,.;:!?/|()\[\]、，。；：！？（）\n{UNWANTED_FROM}{UNWANTED_TO}]")
PUNCTUATION: Final = frozenset(f",.;:!?/|()[]、，。；：！？（）\n{UNWANTED_FROM}{UNWANTED_TO}")
ARTICLES: Final = frozenset({"a", "an", "the", "one", "single", "this", "that", "my", "its"})
NOUN_KINDS: Final = frozenset({"scene", "subject", "surface"})
# Before these an ideograph the vocabulary lacks is an adjective or a verb of its own, and no part of the noun.
_LONE_IDEOGRAPHS: Final = frozenset(
    "胖瘦懒笨傻乖萌呆困饿醉活死肥壮新旧破脏净美丑真假全半整各每某此那这其另同双单长短宽窄厚薄深浅软硬轻重快慢"
    "喂养摸追赶骑遛抓捉买卖吃喝看望听闻听拿举提背抱拉推拖牵踢打踩跨越穿过到从往向朝对被让叫给跟随像似如若比"
    "都也还又再就才已正将会能可想要爱喜恨怕又或者另外且夏春秋冬早晚午"
    "撸放牧种划捕钓赏观撑修登逗驯救找等拴绑披砍伐栽植浇插折献送采摘写搬翻造搭探奔攀摇乘租驾倒耕宰杀烹炸蒸煮烤射训"
    "丢偷捡吸梳洗端摔敲铺换晾缝猎织磨吹挑捧遮擦叼衔拥扶扛驮逮擒斗寻觅迎候绘拍泡沏嗅舔咬啃扑撞躲藏赠"
)
# What a sentence goes on with after its noun, of what the vocabulary lacks: verbs, adverbs, particles, and places.
_CONTINUATIONS: Final = _LONE_IDEOGRAPHS | frozenset(
    "叼咬啃舔嚼吞咽叫吠吼鸣嘶打拍敲撞滚翻钻挖埋藏躲逃冲奔扑跃蹦游潜浮漂流落升降停歇栖睡醒靠倚挂摆放摇晃转绕围"
    "盘守护陪等盯瞪闻嗅照射映洒盖铺堆种栽摘采割砍劈烧煮烤煎炒切盛装载驶修建造立竖耸矗俯仰低昂伸缩张闭撑划握挥"
    "嬉戏争斗互相一不没正很太最更极非十分依仍忽突静默悄缓渐独各齐共同变成为被所之其与或因虽拼努奋悠慢"
    "狂绽凋枯飘筑嚎咆啼晒蹭吐沉抛谢闪烁祈祷接归展眯刨冒发掉断倾练撕扯甩踱奏唱诵念思哭泣呼喊吆喘眠腾跪拜鞠弯扭舐载运逛"
    "迈掠拂掩泊搁航启滑溜跌滴溅涌坠燃熄亮暗耀萎结长抽垂舒卷饮驰跳飞踮淋沐环抬抖颤蜷缩蜿蜒横斜盛怒"
    "来去进出回起满着了呢吗吧啊呀们样般丛畔顶脚底巅侧内外央隙滨梢端面处影堆"
)
_ASPECTS: Final = frozenset("着了过起在到向往满成住来去出进回下上")
"""After one of these comes what a verb does, so the ideograph before it is a verb: 狗叼着骨头."""


class Match(NamedTuple):
    """A phrase of the text with its meanings; none at all for an unknown one.

    ``key`` is the phrase as the vocabulary lists it, in the singular: "dogs" has the key "dog".
    """

    text: str
    terms: tuple[Term, ...]
    plural: bool = False
    key: str = ""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of its meanings."""
        return frozenset(term.kind for term in self.terms)

    @property
    def is_noun(self) -> bool:
        """Whether it names something: what can be drawn, what cannot, and what is unknown."""
        return not self.terms or not self.kinds.isdisjoint({*NOUN_KINDS, "compound", "weather", "time", "style"})


def split_atoms(text: str) -> list[str]:
    """Words, runs of ideographs and marks, in lower case, without emphasis weights."""
    # NFKC makes full-width letters, digits and punctuation of Chinese input the plain ones.
    # The genitive goes: "the cat's eyes" are a cat and eyes.
    folded = unicodedata.normalize("NFKC", text).lower().replace("'s ", " ").replace("’s ", " ")
    # Our marks, written by somebody else, mean nothing.
    folded = folded.replace(UNWANTED_FROM, " ").replace(UNWANTED_TO, " ")
    marked = rf"{UNWANTED_FROM}\1{UNWANTED_TO}"
    # Before `_EMPHASIS`, which would take a weight of 0 away like any other.
    folded = _FREE_OF.sub(marked, _CHOICE.sub(r"\1", folded))
    folded = _TAIL_OF_UNWANTED.sub(marked, _WEIGHT_OF_NOTHING.sub(marked, folded))
    return _ATOMS.findall(_EMPHASIS.sub(" ", folded))


def find_matches(atoms: list[str]) -> Iterator[Match]:
    """The phrases of a prompt in order; a mark is a phrase of its own, with no meaning."""
    position = 0
    while position < len(atoms):
        atom = atoms[position]
        if is_cjk(atom[0]):
            yield from _split_ideographs(atom)
            position += 1
        else:
            match, length = _find_longest_phrase(atoms, position)
            yield match
            position += length


def _find_longest_phrase(atoms: list[str], start: int) -> tuple[Match, int]:
    """The longest known phrase that starts here, its last word in the singular or the plural."""
    for length in range(min(LONGEST_PHRASE_WORDS, len(atoms) - start), 0, -1):
        words = atoms[start : start + length]
        phrase = " ".join(words)
        if phrase in LEXICON:
            plural = _is_plural(words[-1], atoms[max(0, start - 3) : start])
            return Match(phrase, LEXICON[phrase], plural, phrase), length
        # Only the last word of a phrase is ever in the plural: "palm trees", "hot air balloons".
        for singular in _list_singulars(words[-1]):
            one = " ".join([*words[:-1], singular])
            if one in LEXICON:
                return Match(phrase, LEXICON[one], plural=True, key=one), length
    return _match_unlisted(atoms[start]), 1


def _is_plural(word: str, before: list[str]) -> bool:
    """Whether a listed word means several: "people", or "fish" that no article makes one."""
    return word == "people" or (word in UNCHANGED_PLURALS and ARTICLES.isdisjoint(before))


def _match_unlisted(word: str) -> Match:
    if word.isdecimal() and 0 < int(word) <= LARGEST_COUNT:
        return Match(word, (Term("number", str(int(word))),))
    # A number that is no count here: a year, or more than are ever drawn.
    if word[0].isdecimal() or word in PUNCTUATION:
        return Match(word, (Term("quiet", ""),))
    stem = word.removesuffix("less")
    # "A treeless plain": the word denies its own stem.
    if stem != word and any(term.kind in NOUN_KINDS for term in LEXICON.get(stem, ())):
        return Match(word, (Term("deny", ""), *LEXICON[stem]), key=stem)
    return Match(word, ())


def _list_singulars(word: str) -> Iterator[str]:
    """What the word may be the plural of, likeliest first."""
    if word in IRREGULAR_PLURALS:
        yield IRREGULAR_PLURALS[word]
    # "Bus" and "grass" are no plurals.
    if len(word) < 4 or not word.endswith("s") or word.endswith("ss"):
        return
    yield word[:-1]
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]


def _split_ideographs(run: str) -> Iterator[Match]:
    """A run of ideographs cut into its longest known words; what lies between them is unknown."""
    position, unknown = 0, ""
    while position < len(run):
        word = _find_longest_word(run, position)
        if not word:
            unknown += run[position]
            position += 1
            continue
        is_short = _is_short_noun(word)
        position += len(word)
        if is_short and len(unknown) == 1 and unknown not in _LONE_IDEOGRAPHS:
            unknown, word = unknown + word, ""
        if unknown:
            yield Match(unknown, ())
            unknown = ""
        if is_short and word and _goes_on_strangely(run, position):
            unknown = word
        elif word:
            yield Match(word, LEXICON[word], key=word)
    if unknown:
        yield Match(unknown, ())


def _goes_on_strangely(run: str, position: int) -> bool:
    """Whether what follows a noun of one ideograph there is the rest of a word that the vocabulary lacks."""
    following = run[position : position + 2]
    if not following or following[0] in _CONTINUATIONS or _find_longest_word(run, position):
        return False
    return following[1:] not in _ASPECTS


def _is_short_noun(word: str) -> bool:
    return len(word) == 1 and any(term.kind in NOUN_KINDS for term in LEXICON[word])


def _find_longest_word(run: str, start: int) -> str:
    for length in range(min(LONGEST_CJK_WORD, len(run) - start), 0, -1):
        if run[start : start + length] in LEXICON:
            return run[start : start + length]
    return ""
