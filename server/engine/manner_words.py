"""Words that say how a thing is to be shown, and words that deny or restrict what follows them.

The painter has no camera and no size or age for what it draws, so views, ages, sizes and poses are understood in order
to be reported. Written like the tables of `vocabulary`: a name, and the phrases that mean it.
"""

from __future__ import annotations

from typing import Final

VIEWS: Final = {
    "from above": "aerial view, aerial, aerial shot, bird s eye view, bird eye view, birds eye view, bird s eye, "
    "from above, top down, top view, "
    "overhead, overhead view, drone view, flat lay, 俯视, 俯视图, 鸟瞰, 鸟瞰图, 俯拍, 航拍, 俯瞰, 从上往下",
    "from below": "from below, low angle, worm s eye view, worm eye view, worms eye view, "
    "looking up at, 仰视, 仰拍, 低角度",
    "close": "close up, closeup, close shot, extreme close up, macro, macro shot, zoomed in, tight shot, "
    "detail shot, "
    "特写, 近景, 微距, 大特写",
    "far": "wide angle, wide shot, long shot, establishing shot, panorama, panoramic, panoramic view, zoomed out, "
    "from afar, from a distance, 广角, 远景, 全景, 全景图",
    "side": "side view, side on, in profile, profile view, from the side, 侧面, 侧视, 侧视图, 侧脸",
    "front": "front view, frontal, frontal view, from the front, facing the camera, 正面, 正面照, 正视图",
    "back": "back view, rear view, from behind, from the back, 背影, 背面, 后视图",
    "bust": "head and shoulders, bust, upper body, half body, waist up, 半身, 半身像, 上半身",
    "whole": "full body, full length, whole body, head to toe, 全身, 全身像, 全身照",
    "projection": "isometric, isometric view, fisheye, fish eye, fisheye lens, first person, first person view, pov, "
    "tilt shift, cutaway, "
    "cross section, exploded view, three quarter view, dutch angle, over the shoulder, split screen, high angle, "
    "等距, 等轴, 鱼眼, 第一人称, 移轴, 剖面, 剖面图",
}

AGES: Final = {
    "old": "old, elderly, aged, ageing, aging, ancient, senior, middle aged, wrinkled, "
    "老, 古老, 年老, 老年, 中年, 年迈, 苍老",
    "young": "young, teenage, adolescent, youthful, juvenile, 年轻, 年幼, 幼小, 青年, 幼年",
}

SIZES: Final = {
    "large": "big, large, huge, giant, gigantic, enormous, massive, colossal, tall, 大, 巨大, 巨型, 庞大, 高大, 硕大",
    "small": "small, little, tiny, miniature, short, 小, 微小, 小小, 迷你",
}

POSES: Final = {
    "sitting": "sitting, seated, sits, crouching, perched, 坐, 坐在, 蹲, 蹲在",
    "standing": "standing, stands, 站, 站在, 站立, 伫立",
    "lying": "lying, lies, resting, sleeping, asleep, curled up, lying down, 躺, 躺在, 趴, 趴在, 睡觉, 睡着, 熟睡",
    "moving": "running, walking, jumping, dancing, leaping, galloping, swimming, climbing, playing, fighting, "
    "riding, "
    "chasing, crawling, driving, "
    "奔跑, 跑, 走, 行走, 跳, 跳舞, 跳跃, 游泳, 玩, 玩耍, 骑, 骑着, 追, 追逐, 遛, 爬, 散步, 奔驰",
    "acting": "eating, drinking, reading, holding, carrying, hugging, smiling, laughing, crying, singing, cooking, "
    "looking, facing, waving, "
    "吃, 喝, 读, 拿, 拿着, 抱, 抱着, 牵, 牵着, 举着, 戴, 戴着, 看, 看着, 望, 望着, 微笑, 笑, 哭, 唱歌, 弹, 弹着",
    "flying": "flying, soaring, hovering, gliding, 飞, 飞翔, 飞行, 翱翔",
    "floating": "floating, sailing, drifting, 漂浮, 航行, 漂流",
}

DENIALS: Final = (
    "no, not, without, never, none, neither, nor, don t, do not, doesn t, does not, didn t, isn t, aren t, is not, "
    "are not, "
    "wasn t, won t, shouldn t, should not, must not, mustn t, can t, cannot, hasn t, haven t, dont, "
    "free of, free from, devoid of, empty of, lacking, lack of, absence of, minus, except, except for, excluding, "
    "exclude, "
    "avoid, omit, everything but, anything but, all but, instead of, rather than, leave out, no more, "
    "not a single, zero, absent of, absent any, sans, bereft of, void of, clear of, w / o, "
    "没有, 没, 不要, 不含, 不带, 不画, 不要画, 不包含, 不包括, 不出现, 不要出现, 不要有, 不能有, 不许有, 不是, "
    "而不是, "
    "而非, 无, 别画, 别加, 别有, 别出现, 不想要, "
    "不见, 不准有, 不准出现, 不得有, 不得出现, 不可有, 不许出现, 不能出现, 请勿出现, 请勿, 勿, "
    "不添加, 不加, 排除, 剔除, "
    "避免, 去掉, 去除, 除了, 除去, 禁止, 毫无, 并无, 不存在, 看不到, 看不见, 缺少, 不需要, 没什么, 沒有, 無"
)
"""What follows these is unwanted, up to the end of its phrase."""

NOBODY: Final = (
    "nobody, no one, noone, deserted, uninhabited, unpopulated, empty, unmanned, abandoned, "
    "空无一人, 无人, 没人, 荒无人烟, 空荡荡, 空旷, 空荡"
)
"""These deny people by themselves."""

RESTRICTIONS: Final = (
    "nothing but, nothing except, nothing other than, none but, no one but, no other than, nothing more than, "
    "not only, not just, no less than, no fewer than, not less than, no more than, at most, at least, only, just, "
    "nothing else, but also, no doubt, no matter, "
    "只有, 仅有, 只是, 仅仅, 只画, 只要, 不仅, 不只, 不仅仅, 没有别的, 除此之外, 而是, 只剩"
)
"""What follows these is wanted, though some begin like a denial."""
