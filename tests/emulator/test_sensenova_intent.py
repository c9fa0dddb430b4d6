"""When SenseNova's stand-in takes a message for a drawing request, and what of."""

from __future__ import annotations

import pytest

from atelier_mcp.server.emulator.sensenova.intent import find_drawing_subjects
from atelier_mcp.server.emulator.sensenova.parameters import ConversationMessage
from atelier_mcp.server.engine.prompt import read_prompt


def find_wanted(*messages: str) -> str | None:
    """What the last of these messages wants drawn."""
    return find_drawing_subjects([ConversationMessage("user", message) for message in messages])[-1]


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("Draw a lighthouse in a storm", "a lighthouse in a storm"),
        ("Could you please draw me a picture of a red fox in the snow?", "a red fox in the snow"),
        ("paint an oil painting of a harbour at dusk, please", "an oil painting of a harbour at dusk"),
        ("Sketch two dogs on a beach for me, thanks!", "two dogs on a beach"),
        ("I'd like a watercolour painting of a vase", "a watercolour painting of a vase"),
        ("How about a picture of a cat", "a cat"),
        ("a photo of two dogs on a beach", "two dogs on a beach"),
        ("make me a nice image showing mountains", "mountains"),
        ("generate an image of a city at night. I like neon.", "a city at night"),
        ("draw a girl who paints flowers", "a girl who paints flowers"),
        ("I don't mind the weather. Draw a boat.", "a boat"),
        ("画一座暴风雨中的灯塔", "一座暴风雨中的灯塔"),
        ("请帮我画一只在雪地里的红狐狸，谢谢", "一只在雪地里的红狐狸"),
        ("生成一张山间湖泊的图片", "山间湖泊"),
        ("生成海边城堡的图片", "海边城堡"),
        ("来一张雪山的照片吧", "雪山"),
        ("给我一幅油画", "油画"),
        ("一幅梵高风格的向日葵", "梵高风格的向日葵"),
        ("你能画一艘船吗？", "一艘船"),
        ("绘制一幅城市夜景", "城市夜景"),
    ],
)
def test_a_message_that_asks_for_a_drawing_says_of_what(message: str, what: str) -> None:
    assert find_wanted(message) == what


@pytest.mark.parametrize(
    "message",
    [
        "hello",
        "What is the capital of France?",
        "How do I draw a cat?",
        "what did you draw?",
        "Can you draw?",
        "Draw something",
        "Don't draw anything, just explain light",
        "Describe the painting of the Sistine chapel",
        "now at night",
        "你好",
        "怎么画猫？",
        "你会画画吗？",
        "你画了什么",
        "不要画猫",
        "今天去看画展",
        "换成晚上",
        "",
    ],
)
def test_a_message_that_talks_is_not_taken_for_one(message: str) -> None:
    assert find_wanted(message) is None


@pytest.mark.parametrize(
    ("before", "message", "what"),
    [
        ("draw a lighthouse at noon", "now at night", "at night, a lighthouse at noon"),
        ("draw a cat", "Make it black.", "black cat"),
        ("draw a cat", "Could you make it black?", "black cat"),
        ("draw a cat", "in the snow", "in the snow, a cat"),
        ("draw a cat", "add a red boat please", "a red boat, a cat"),
        ("draw a cat", "again", "a cat"),
        ("draw a boat", "Another one please", "a boat"),
        ("draw a boat", "draw another one", "a boat"),
        ("draw a boat", "Show me one more, please.", "a boat"),
        ("draw a boat", "draw another house", "another house"),
        ("draw a red house by the sea", "make the house blue", "a blue house by the sea"),
        ("draw a red bicycle in a park", "make it green", "green bicycle in a park"),
        ("draw a boat with a red sail", "make it blue", "blue boat with a red sail"),
        ("画一辆红色的自行车", "改成绿色的", "绿色的一辆自行车"),
        ("draw an orange on a table", "make it green", "green orange on a table"),
        ("draw a man in red boots", "make it blue", "blue man in red boots"),
        ("draw a kite over red hills", "make it blue", "blue kite over red hills"),
        ("draw a bowl of orange soup", "make it green", "green bowl of orange soup"),
        ("画一条金鱼", "改成红色的", "红色的一条金鱼"),
        ("画一只白鹤", "改成黑色的", "黑色的一只白鹤"),
        ("draw a house by the sea", "Now paint the sea dark green, please!", "a house by the dark green sea"),
        ("draw a boat", "make the sky grey", "grey sky, a boat"),
        ("draw a boat", "the same in winter", "in winter, a boat"),
        ("draw a cat", "now draw a dog", "a dog"),
        ("画一只猫", "换成晚上", "晚上，一只猫"),
        ("画一座灯塔", "现在是晚上", "晚上，一座灯塔"),
        ("画一座灯塔", "能换成晚上吗？", "晚上，一座灯塔"),
        ("画一座灯塔", "把它变成红色的", "红色的一座灯塔"),
        ("画一座灯塔", "加上一艘船", "一艘船，一座灯塔"),
        ("画一座灯塔", "再来一张", "一座灯塔"),
        ("画一座灯塔", "再画一只狗", "一只狗"),
    ],
)
def test_a_message_after_a_drawing_may_change_it(before: str, message: str, what: str) -> None:
    assert find_wanted(before, message) == what


@pytest.mark.parametrize(
    ("before", "message"),
    [
        ("draw a cat", "thanks!"),
        ("draw a cat", "what did you draw?"),
        ("draw a cat", "In what year was Rome founded"),
        ("draw a cat", "I am tired now"),
        ("draw a cat", "in the snow?"),
        ("画一座灯塔", "谢谢"),
        ("画一座灯塔", "要是下雨怎么办"),
    ],
)
def test_a_message_after_a_drawing_may_be_mere_talk(before: str, message: str) -> None:
    assert find_wanted(before, message) is None


def test_changes_add_up_and_survive_talk_when_they_say_that_they_are_changes() -> None:
    assert find_wanted("draw a cat", "the same in winter", "make it sunset") == "sunset in winter, a cat"
    assert find_wanted("draw a cat", "hello", "make it black") == "black cat"
    assert find_wanted("draw a cat", "hello", "in the snow") is None


def test_what_the_assistant_says_asks_for_nothing() -> None:
    turns = [
        ConversationMessage("user", "hello"),
        ConversationMessage("assistant", "draw a cat"),
        ConversationMessage("user", "now at night"),
    ]
    assert find_drawing_subjects(turns) == [None, None]


@pytest.mark.parametrize(
    ("before", "change", "time", "subject"),
    [
        ("draw a lighthouse at noon", "now at night", "night", "lighthouse"),
        ("画一座中午的灯塔", "换成晚上", "night", "lighthouse"),
    ],
)
def test_the_engine_understands_the_changed_subject(before: str, change: str, time: str, subject: str) -> None:
    """Of two times of day the later request's is drawn."""
    prompt = read_prompt(find_wanted(before, change) or "")
    assert prompt.time_of_day == time
    assert prompt.find_subject(subject)


@pytest.mark.parametrize(
    ("before", "change", "subject", "colour"),
    [("draw a boat", "make it red", "boat", "red"), ("画一艘船", "改成红色的", "boat", "red")],
)
def test_a_colour_goes_to_what_was_drawn(before: str, change: str, subject: str, colour: str) -> None:
    noun = read_prompt(find_wanted(before, change) or "").find_subject(subject)
    assert noun is not None
    assert noun.colours == (colour,)
