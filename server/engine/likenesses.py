"""Words for what the painter draws only as its kind: a corgi as a dog, an island as a coast.

They are words of `vocabulary` like others; here stands which of them say more than the picture will show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORDS_BY_KIND: Final = {
    "mountains": "fjord, cliff, 峡湾",
    "hills": "valley, highland, 山谷",
    "coast": "island, bay, 岛, 岛屿, 海湾",
    "harbour": "marina, fishing village, 渔村",
    "lake": "river, stream, creek, brook, lagoon, 河, 河流, 江, 小溪, 溪",
    "forest": "jungle, rain forest, rainforest, 雨林, 热带雨林, 丛林",
    "city skyline": "town, street, building, tokyo, shanghai, 街道, 街, 大街, 街头, 小镇, 上海, 东京",
    "meadow": "farm, park, orchard, savanna, savannah, prairie, 农场, 公园",
    "table": "kitchen",
    "sea floor": "aquarium, 水族馆",
    "pattern": "fractal, marble, 大理石, mondrian",
    "cat": "siamese cat",
    "dog": "bulldog, bull dog, guide dog, police dog, bird dog, retriever, labrador, labrador retriever, corgi, "
    "beagle, terrier, spaniel, collie, dalmatian, shiba inu, poodle, 柴犬, 柯基, 金毛, 金毛犬, 拉布拉多, 牧羊犬, "
    "斗牛犬, 警犬, 军犬",
    "wolf": "husky, sled dog, german shepherd, 哈士奇",
    "bird": "crane, swallow, dove, pigeon, eagle, hawk, raven, crow, sparrow, goose, heron, 鹤, 燕子, 鸽子, 老鹰, "
    "雄鹰, 乌鸦, 麻雀, 大雁",
    "fish": "goldfish, koi, 金鱼, 锦鲤",
    "boat": "yacht, rowing boat, 扁舟, 游船, 渡船",
    "ship": "galleon, pirate ship, 海盗船, 战船",
    "house": "barn, villa, chalet, shed, 别墅",
    "castle": "palace, fortress, 宫殿, 堡垒",
    "pagoda": "temple, shrine, 寺庙, 寺, 亭子",
    "tree": "oak, maple, birch, willow, apple tree, orange tree, lemon tree, pear tree, fruit tree, 橡树, 枫树, 柳树",
    "flower": "water lily, lotus flower, tulip, rose, poppy, daisy, lily, peony, lotus, carnation, chrysanthemum, "
    "dahlia, marigold, hydrangea, 玫瑰, 郁金香, 雏菊, 牡丹, 荷花, 罂粟, 菊花, 莲花, 茶花, 兰花",
    "car": "sports car, race car, racing car, street racer, taxi, 跑车",
    "bicycle": "mountain bike, road bike",
    "rocket": "spaceship, spacecraft, 飞船, 宇宙飞船",
    "aeroplane": "jet, 客机",
    "planet": "planet earth, jupiter, mars, 木星",
    "lion": "lioness, lion cub, 母狮, 小狮子",
    "cow": "bull, ox, calf, 公牛, 小牛",
    "tower": "clock tower, bell tower, 钟楼, 钟塔",
    "church": "cathedral, 大教堂",
    "bus": "double decker, double decker bus, coach",
    "chair": "armchair, arm chair, rocking chair, stool, 凳子",
    "guitar": "electric guitar, bass guitar, 电吉他",
}

LIKENESSES: Final[Mapping[str, str]] = {
    word: kind for kind, words in _WORDS_BY_KIND.items() for word in words.split(", ")
}
"""By word, in the singular: what stands in the picture for it."""
