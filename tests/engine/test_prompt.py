"""What the prompt reader makes of words, English and Chinese."""

from __future__ import annotations

import pytest

from atelier_mcp.server.engine.prompt import Noun, Prompt, read_prompt
from atelier_mcp.server.engine.vocabulary import COLOUR_VALUES, LEXICON, STYLES


def get_meaning(prompt: Prompt) -> tuple[object, ...]:
    """Everything but the words themselves."""
    return (prompt.scenes, prompt.time_of_day, prompt.weather, prompt.subjects, prompt.colours, prompt.style)


def get_only_subject(text: str) -> Noun:
    (noun,) = read_prompt(text).subjects
    return noun


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ("boats", "boat"),
        ("cats", "cat"),
        ("houses", "house"),
        ("foxes", "fox"),
        ("ponies", "pony"),
        ("butterflies", "butterfly"),
        ("women", "woman"),
        ("cherry blossoms", "cherry blossom"),
        ("hot air balloons", "hot air balloon"),
    ],
)
def test_a_plural_noun_is_the_same_subject_as_its_singular_several_times(several: str, one: str) -> None:
    assert get_only_subject(one).count == 1
    assert get_only_subject(several) == Noun(get_only_subject(one).name, (), None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("three boats", 3),
        ("3 boats", 3),
        ("a pair of boats", 2),
        ("one boat", 1),
        ("several boats", None),
        ("99 boats", None),
    ],
)
def test_a_number_says_how_many(text: str, count: int | None) -> None:
    assert get_only_subject(text) == Noun("boat", (), count)


@pytest.mark.parametrize(("text", "count"), [("fish", None), ("a red fish", 1), ("two fish", 2)])
def test_a_word_without_a_plural_form_is_one_after_an_article_only(text: str, count: int | None) -> None:
    assert get_only_subject(text).count == count


@pytest.mark.parametrize("text", ["a village in the mountains", "a hamlet", "雪山下的村庄"])
def test_a_village_is_several_houses(text: str) -> None:
    assert get_only_subject(text) == Noun("house", (), None)


def test_a_number_does_not_leap_over_a_comma_or_stay_for_the_next_noun() -> None:
    prompt = read_prompt("two cats, a boat and a house")
    assert [noun.count for noun in prompt.subjects] == [2, 1, 1]


def test_a_colour_belongs_to_the_noun_after_it() -> None:
    prompt = read_prompt("a black cat in a meadow with red flowers")
    assert prompt.find_subject("cat") == Noun("cat", ("black",))
    assert prompt.find_subject("flower") == Noun("flower", ("red",), None)
    assert prompt.find_scene("meadow") == Noun("meadow")
    assert prompt.colours == ()


def test_several_colours_may_share_a_noun() -> None:
    assert get_only_subject("pink and white roses").colours == ("pink", "white")


def test_things_of_one_kind_and_two_colours_stay_apart() -> None:
    prompt = read_prompt("a red boat and two blue boats")
    assert prompt.subjects == (Noun("boat", ("red",)), Noun("boat", ("blue",), 2))


def test_a_colour_without_a_noun_belongs_to_the_whole_picture() -> None:
    prompt = read_prompt("abstract composition, teal and coral")
    assert prompt.colours == ("teal", "coral")
    assert prompt.scenes == (Noun("abstract"),)


def test_scenes_take_colours_too() -> None:
    assert read_prompt("a calm turquoise sea").scenes == (Noun("sea", ("turquoise",)),)


def test_words_outside_the_vocabulary_are_reported_and_quiet_ones_are_not() -> None:
    prompt = read_prompt("a beautiful, highly detailed zorgon sitting beside the frobnicated lighthouse, 4k")
    assert prompt.not_understood == ("zorgon", "frobnicated")
    assert prompt.understood == ("lighthouse",)


@pytest.mark.parametrize(
    ("english", "chinese", "name"),
    [
        ("a red kite", "红色的风筝", "kite"),
        ("a golden retriever", "金色的狗", "dog"),
        ("a birthday cake", "生日蛋糕", "cake"),
        ("a snowman", "雪人", "snowman"),
        ("a pumpkin", "南瓜", "pumpkin"),
        ("a rocket", "火箭", "rocket"),
        ("a bicycle", "自行车", "bicycle"),
        ("an umbrella", "雨伞", "umbrella"),
    ],
)
def test_everyday_things_are_known_in_both_languages(english: str, chinese: str, name: str) -> None:
    assert get_only_subject(english) == get_only_subject(chinese)
    assert get_only_subject(english).name == name


@pytest.mark.parametrize("word", ["sunglasses", "dragon", "hot dog", "sea horse", "catfish", "熊猫", "蜗牛", "长颈鹿"])
def test_what_cannot_be_drawn_is_said(word: str) -> None:
    assert read_prompt(word).not_understood == (word,)


def test_unknown_chinese_is_reported_run_by_run() -> None:
    assert read_prompt("灯塔旁边的麒麟").not_understood == ("麒麟",)


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("暴风雨中的灯塔，油画", "a lighthouse in a storm, oil painting"),
        ("三艘红色的船在湖上", "three red boats on a lake"),
        ("一只黑猫在草地上", "a black cat in a meadow"),
        ("日落时的山和湖", "mountain and lake at sunset"),
        ("雪中的小屋，水彩", "a cottage in the snow, watercolour"),
        ("许多热气球", "several hot air balloons"),
        ("两只白色的狗", "two white dogs"),
        ("夜晚的城市，霓虹", "city at night, neon"),
        ("紫色的星云和一颗行星", "purple nebula and a planet"),
    ],
)
def test_chinese_means_what_english_means(chinese: str, english: str) -> None:
    assert get_meaning(read_prompt(chinese)) == get_meaning(read_prompt(english))
    assert read_prompt(chinese).not_understood == ()


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("oil painting of a boat", "oil"),
        ("a boat, Watercolor", "watercolour"),
        ("pencil sketch of a boat", "pencil"),
        ("a boat in coloured pencil", "colour_pencil"),
        ("ink sketch of a boat", "ink"),
        ("8-bit boat", "pixel"),
        ("水墨山水", "ink"),
        ("a boat", None),
    ],
)
def test_the_style_is_read_from_its_usual_names(text: str, style: str | None) -> None:
    assert read_prompt(text).style == style


def test_case_and_white_space_make_no_difference() -> None:
    assert read_prompt("  A Red\n BOAT ") == read_prompt("a red\n boat")
    assert read_prompt("a  red   boat") == read_prompt("A red boat")


def test_emphasis_weights_are_not_numbers_of_things() -> None:
    assert get_only_subject("(red boat:1.3)") == Noun("boat", ("red",), 1)


def test_a_word_may_say_two_things() -> None:
    prompt = read_prompt("moonlit sea")
    assert prompt.time_of_day == "night"
    assert prompt.has("moon")


@pytest.mark.parametrize(
    "text", ["", "   ", "!!!", ",,,，，", "12345678901234567890", "🙂", "лодка", "的的的", "'", "x" * 5000]
)
def test_any_text_can_be_read(text: str) -> None:
    assert read_prompt(text).subjects == ()


def test_every_style_and_colour_of_the_vocabulary_is_one_the_engine_has() -> None:
    terms = [term for terms in LEXICON.values() for term in terms]
    assert {term.name for term in terms if term.kind == "style"} == set(STYLES)
    assert {term.name for term in terms if term.kind == "colour"} == set(COLOUR_VALUES)


@pytest.mark.parametrize(
    "compound",
    [
        "ice cream", "teddy bear", "sea lion", "fish and chips", "horse chestnut", "coffee table", "wheel chair",
        "河马", "花生", "斑马", "火车站", "海豹", "水母", "冰淇淋", "热狗", "猫头鹰", "老虎", "月饼", "茶几", "人参",
    ],
)  # fmt: skip
def test_a_compound_that_cannot_be_drawn_is_named_whole_and_not_cut(compound: str) -> None:
    prompt = read_prompt(compound)
    assert (prompt.subjects, prompt.scenes, prompt.weather) == ((), (), ())
    assert prompt.not_understood == (compound,)


def test_a_compound_ends_where_it_ends() -> None:
    prompt = read_prompt("a cat eats a hot dog on the beach, two ice creams")
    assert [noun.name for noun in prompt.subjects] == ["cat"]
    assert [noun.name for noun in prompt.scenes] == ["coast"]
    assert prompt.not_understood == ("eats", "hot dog", "ice creams")


@pytest.mark.parametrize(
    "compound",
    [
        "牛仔裤", "羊毛", "虎牙", "狗尾草", "鸡蛋", "船长", "树懒", "海马", "海豚", "马上", "人间", "大熊座", "马头琴",
        "斗牛士", "钓鱼竿", "赛马场", "花果山", "对牛弹琴", "走马观花", "塞翁失马", "鸟语花香", "马踏飞燕", "绣花针",
    ],
)  # fmt: skip
def test_a_chinese_word_that_holds_the_word_for_something_else_is_named_whole(compound: str) -> None:
    for text in (compound, f"一个{compound}"):
        prompt = read_prompt(text)
        assert (prompt.subjects, prompt.scenes, prompt.not_understood) == ((), (), (compound,))


@pytest.mark.parametrize("text", ["xqzv blorf", "three zorgons", "2 zorgons", "三只熊猫"])
def test_a_prompt_of_which_nothing_is_understood_is_known_as_one(text: str) -> None:
    assert read_prompt(text).is_incomprehensible
    assert not read_prompt(f"{text}, a cat").is_incomprehensible


@pytest.mark.parametrize("text", ["[cat:dog:0.5] asleep", "a [cat|dog]", "{cat|dog|cow}"])
def test_of_a_choice_the_first_is_drawn(text: str) -> None:
    assert [noun.name for noun in read_prompt(text).subjects] == ["cat"]


@pytest.mark.parametrize("word", ["蓑马", "魟鱼", "隼鸟"])
def test_a_noun_of_one_ideograph_after_a_strange_one_is_part_of_a_longer_word(word: str) -> None:
    assert read_prompt(f"一只{word}").subjects == ()
    assert read_prompt(f"一只{word}").not_understood == (word,)


@pytest.mark.parametrize("word", ["马克思", "牛轧糖", "羊肚菌", "花豹", "鱼鹰", "鸟嘌呤", "马里奥", "熊熊烈火"])
def test_a_noun_of_one_ideograph_before_strange_ones_is_part_of_a_longer_word(word: str) -> None:
    prompt = read_prompt(word)
    assert (prompt.subjects, prompt.scenes, prompt.not_understood) == ((), (), (word,))


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("马路上的汽车", ["road", "car"]),
        ("男孩骑马", ["person", "horse"]),
        ("胖猫", ["cat"]),
        ("两只北极熊", ["bear"]),
        ("狗叼着骨头", ["dog"]),
        ("鸟栖息在树上", ["bird", "tree"]),
        ("一个人撑伞走在雨中", ["person", "umbrella"]),
        ("猫伸懒腰", ["cat"]),
        ("看书的猫", ["book", "cat"]),
        ("女孩喂鸭子", ["person", "duck"]),
        ("骑在马上的人", ["horse", "person"]),
        ("马背上的少年", ["horse", "person"]),
        ("花瓶里的玫瑰", ["vase", "flower"]),
        ("人山人海", ["person"]),
        ("梨花", ["blossom"]),
        ("花海", ["flower"]),
        ("牧羊犬", ["dog"]),
        *((verb + "鱼", ["fish"]) for verb in "钓捕煮杀烹炸蒸养喂偷捉"),
        *((verb + "猫", ["cat"]) for verb in "撸逗救找捡吸抱养怕梳洗"),
        *((verb + "树", ["tree"]) for verb in "种砍伐栽植爬摇"),
        *((verb + "花", ["flower"]) for verb in "赏浇献送采摘折"),
        *(("狗" + verb, ["dog"]) for verb in ("狂奔", "刨土", "咆哮", "归家", "蹭腿", "掉毛", "抖水", "环顾")),
        *(("花" + verb, ["flower"]) for verb in ("绽放", "凋谢", "枯萎", "吐蕊", "飘香", "结果")),
        *(("人" + verb, ["person"]) for verb in ("沉思", "祈祷", "磨刀", "织布", "练剑", "吹笛", "挑担", "哭泣")),
    ],
)
def test_what_lies_around_a_known_chinese_word_does_not_hide_it(text: str, subjects: list[str]) -> None:
    assert [noun.name for noun in read_prompt(text).subjects] == subjects


DENIALS = [
    ("an empty street at night, no cars, no people", {"car", "person"}),
    ("a city without cars and people", {"car", "person"}),
    ("a city with no cars and no people", {"car", "person"}),
    ("a city without cars, people or dogs, in the rain", {"car", "person", "dog"}),
    ("a city, nobody there", {"person"}),
    ("a city free of cars", {"car"}),
    ("a car-free city", {"car"}),
    ("a treeless city", {"tree"}),
    ("a city, don't draw any birds", {"bird"}),
    ("a city --no birds, cars", {"bird", "car"}),
    ("a city, (car:0)", {"car"}),
    ("a city, absent of any people", {"person"}),
    ("a city w/o pedestrians or vehicles", {"car", "person"}),
    ("城市，请勿出现游客", {"person"}),
    ("没有人的城市", {"person"}),
    ("城市，不要汽车和行人", {"car", "person"}),
    ("城市，没有汽车、行人、狗", {"car", "person", "dog"}),
    ("空无一人的城市", {"person"}),
    ("城市无车辆", {"car"}),
    ("没有红色汽车的城市", {"car"}),
]


@pytest.mark.parametrize(("text", "unwanted"), DENIALS)
def test_what_is_denied_is_unwanted_and_not_drawn(text: str, unwanted: set[str]) -> None:
    prompt = read_prompt(text)
    assert prompt.unwanted == unwanted
    assert prompt.subjects == ()
    assert [noun.name for noun in prompt.scenes] == ["city"]


@pytest.mark.parametrize(
    ("text", "subjects", "scenes"),
    [
        ("no boats on the lake", [], ["lake"]),
        ("nothing but a dog on the beach", ["dog"], ["coast"]),
        ("not a cat but a dog", ["dog"], []),
        ("a lake with no boats and a red house", ["house"], ["lake"]),
        ("no men, a woman", ["person"], []),
        ("no people, only a dog", ["dog"], []),
        ("海滩上没有船，只有狗", ["dog"], ["coast"]),
        ("除了一只狗什么都没有", ["dog"], []),
        ("一只没有尾巴的猫", ["cat"], []),
        ("特别漂亮的猫", ["cat"], []),
        ("无数鸟", ["bird"], []),
        ("a blue car, no red cars", ["car"], []),
    ],
)
def test_a_denial_ends_with_its_phrase(text: str, subjects: list[str], scenes: list[str]) -> None:
    prompt = read_prompt(text)
    assert [noun.name for noun in prompt.subjects] == subjects
    assert [noun.name for noun in prompt.scenes] == scenes


def test_no_clouds_is_a_clear_sky() -> None:
    assert read_prompt("the sea, no clouds").weather == ("clear",)
    assert read_prompt("海，没有云").weather == ("clear",)


def test_the_number_of_something_unknown_is_not_the_next_things() -> None:
    assert get_only_subject("two zorgons in a boat").count == 1


def test_a_description_of_a_picture_names_no_subjects() -> None:
    prompt = read_prompt("A dark landscape-format picture, mostly navy, charcoal and rose pink, brighter at the top.")
    assert (prompt.subjects, prompt.style, prompt.not_understood) == ((), None, ())
    assert prompt.scenes == (Noun("abstract"),)
    assert prompt.colours == ("navy", "grey", "pink")


def test_a_background_takes_the_colour_before_it() -> None:
    assert read_prompt("plain orange background").scenes == (Noun("plain", ("orange",)),)
    assert read_prompt("一只猫，白色背景").scenes == (Noun("plain", ("white",)),)
    assert read_prompt("a cat, mountains in the background").scenes == (Noun("mountains"),)
