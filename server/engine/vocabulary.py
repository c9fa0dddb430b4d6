"""The words the painter knows, English and Chinese, and what each of them stands for.

A meaning is a ``Term``: a kind and a name. One word may carry several ("moonlit" is night and a moon), and many words
may share one. English words are listed in the singular; `prompt` finds their plurals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from atelier_mcp.server.engine import compounds, manner_words

if TYPE_CHECKING:
    from collections.abc import Mapping

TermKind = Literal[
    "colour", "time", "weather", "scene", "subject", "surface", "style", "number", "view", "age", "size", "pose",
    "compound", "deny", "restrict", "break", "quiet",
]  # fmt: skip


class Term(NamedTuple):
    """One meaning of a word: "boat" is ``Term("subject", "boat")``.

    A "break" ends the wait of colours for a noun ("in", "with"); "quiet" words mean nothing and are not reported. A
    "compound" is known to be one thing and cannot be drawn; "deny" and "restrict" say whether what follows is wanted.
    """

    kind: TermKind
    name: str


COLOUR_VALUES: Final[Mapping[str, str]] = {
    "red": "#c8322b", "crimson": "#a3142d", "orange": "#ee7b2a", "amber": "#f2a83b", "gold": "#e8b53a",
    "yellow": "#f4d35e", "green": "#3f8f4f", "emerald": "#1f8a5b", "olive": "#7d803c", "teal": "#1f8a8c",
    "turquoise": "#3bb8b0", "cyan": "#37c2e0", "blue": "#2f6fbd", "navy": "#16305e", "indigo": "#3b3490",
    "purple": "#7442a8", "violet": "#8756c9", "lavender": "#b8a4e0", "magenta": "#c83a94", "pink": "#f08bb0",
    "coral": "#f4795b", "peach": "#f9b996", "brown": "#7a5236", "beige": "#e6d5b8", "white": "#f7f5f0",
    "black": "#17171c", "grey": "#83878c", "silver": "#bcc3ca", "mint": "#a5dcc2",
}  # fmt: skip
"""Every colour name, with its sRGB value."""

ACHROMATIC: Final = frozenset({"white", "black", "grey", "silver"})

_COLOURS: Final = {
    "red": "red, scarlet, 红, 红色, 鲜红, 大红, 朱红", "crimson": "crimson, maroon, burgundy, ruby, raspberry, "
    "深红, 绯红, 暗红",
    "orange": "orange, 橙色, 橘色, 橙, 橘黄, 橘红", "amber": "amber, ochre, 琥珀色",
    "gold": "gold, golden, blonde, blond, 金色, 金, 金黄, 金黄色", "yellow": "yellow, 黄色, 黄, 明黄",
    "green": "green, 绿色, 绿, 翠绿, 碧绿, 青翠", "emerald": "emerald, jade, 祖母绿, 翡翠",
    "olive": "olive, khaki, 橄榄绿", "teal": "teal, 青色, 青, 蓝绿色", "turquoise": "turquoise, aqua, 绿松石, 碧色",
    "cyan": "cyan, 青蓝, 天青",
    "blue": "blue, sky blue, slate blue, azure, 蓝色, 蓝, 天蓝, 天蓝色, 湛蓝, 蔚蓝",
    "navy": "navy, 深蓝, 藏青, 深蓝色",
    "indigo": "indigo, 靛蓝, 靛",
    "purple": "purple, mauve, 紫色, 紫",
    "violet": "violet, 紫罗兰",
    "lavender": "lavender, lilac, 淡紫, 薰衣草",
    "magenta": "magenta, fuchsia, 品红, 洋红",
    "pink": "pink, rose pink, dusky rose, dusty pink, 粉色, 粉红, 粉红色, 粉",
    "coral": "coral, salmon, salmon pink, 珊瑚色",
    "peach": "peach, 桃色",
    "brown": "brown, chestnut, bronze, reddish brown, olive brown, 棕色, 褐色, 棕, 咖啡色",
    "beige": "beige, cream, ivory, sand colour, sand color, 米色, 米白",
    "white": "white, 白色, 白, 雪白, 洁白", "black": "black, ebony, 黑色, 黑, 漆黑",
    "grey": "grey, gray, slate, slate grey, slate gray, 灰色, 灰",
    "silver": "silver, 银色, 银白", "mint": "mint, 薄荷色",
}  # fmt: skip

_COLOURS_OF_COMPOUNDS: Final = {
    "white": "polar bear, arctic fox, 北极熊, 白马", "black": "black bear, 黑熊, 黑马", "brown": "brown bear, 棕熊",
    "grey": "grizzly, grizzly bear, 灰熊", "yellow": "school bus, rubber duck, 校车, 小黄鸭", "gold": "金发",
}  # fmt: skip
"""Names of things that say their colour."""

_TIMES: Final = {
    "night": "night, midnight, nighttime, moonlit, moonlight, starry, starlit, starry night, 夜, 夜晚, 晚上, "
    "夜间, 夜色, 夜里, 午夜, 深夜, "
    "星空, 月夜, 月光, 月下, 夜景",
    "dawn": "dawn, sunrise, daybreak, morning, 黎明, 日出, 清晨, 早晨, 早上, 晨, 拂晓, 破晓",
    "sunset": "sunset, dusk, evening, twilight, golden hour, sundown, 日落, 黄昏, 傍晚, 夕阳, 晚霞, 落日, 暮色",
    "day": "day, daytime, noon, midday, sunny, sunlit, sunlight, daylight, 白天, 正午, 中午, 阳光, 晴天, 白日",
}

_WEATHERS: Final = {
    "storm": "storm, stormy, thunder, thunderstorm, tempest, hurricane, typhoon, 暴风雨, 风暴, 雷雨, 暴雨, 台风, 风雨",
    "lightning": "lightning, 闪电, 雷电",
    "rain": "rain, rainy, raining, drizzle, 雨, 下雨, 细雨, 雨天, 雨中",
    "snow": "snow, snowy, winter, ice, icy, frozen, frost, blizzard, snowfall, 雪, 下雪, 雪地, 冬天, 冬日, 冬季, "
    "冰, 冰雪, 大雪, 飘雪, 雪景, 雪花",
    "fog": "fog, foggy, mist, misty, haze, hazy, 雾, 薄雾, 云雾, 雾气, 晨雾, 迷雾",
    "cloudy": "cloud, cloudy, overcast, 云, 多云, 阴天, 云海, 乌云, 云朵",
    "clear": "clear, cloudless, 晴朗, 晴空, 无云",
    "calm": "calm, still water, serene, tranquil, peaceful, 平静, 宁静, 静谧",
    "autumn": "autumn, autumnal, fall foliage, 秋天, 秋, 秋日, 秋季, 红叶",
}

_SCENES: Final = {
    "mountains": "mountain, mountain range, alp, peak, summit, cliff, fjord, 山, 高山, 山脉, 群山, 雪山, 山峰, "
    "远山, 山峦, 峡湾",
    "hills": "hill, hillside, valley, highland, 丘陵, 山坡, 小山, 山丘, 山谷",
    "sea": "sea, ocean, wave, water, 海, 大海, 海洋, 海面, 海浪, 波浪, 水, 水面",
    "coast": "coast, beach, shore, seaside, headland, bay, island, 海岸, 海滩, 沙滩, 海边, 岛, 岛屿, 海湾, 岸",
    "harbour": "harbour, harbor, port, marina, fishing village, 港口, 海港, 码头, 港湾, 渔村",
    "lake": "lake, river, pond, lagoon, stream, creek, brook, 湖, 湖泊, 湖水, 湖面, 河, 河流, 江, 池塘, 小溪, 溪",
    "forest": "forest, rain forest, wood, woodland, jungle, grove, rainforest, 雨林, 热带雨林, 森林, 树林, 丛林, "
    "林, 林间, 松林",
    "desert": "desert, dune, sahara, sand dune, 沙漠, 沙丘, 大漠",
    "city": "city, skyline, cityscape, town, downtown, skyscraper, building, street, metropolis, tokyo, shanghai, "
    "城市, 都市, 天际线, 摩天楼, 摩天大楼, 高楼, 大楼, 街道, 街, 大街, 街头, 小镇, 上海, 东京, 城",
    "neon": "neon, cyberpunk, 霓虹, 霓虹灯, 赛博朋克",
    "space": "space, galaxy, nebula, cosmos, universe, cosmic, outer space, milky way, 太空, 宇宙, 星系, 星云, "
    "银河, 外太空",
    "meadow": "meadow, field, garden, grass, countryside, farm, park, prairie, lawn, grassland, "
    "pasture, orchard, savanna, savannah, "
    "草地, 草原, 田野, 花园, 乡村, 农场, 公园, 草坪, 原野, 花田, 田园",
    "still life": "still life, table, tabletop, kitchen, 静物, 桌子, 桌上, 桌面, 餐桌, 桌",
    "underwater": "underwater, coral reef, reef, undersea, aquarium, 水下, 海底, 珊瑚礁, 水族馆",
    "portrait": "portrait, face, headshot, selfie, 肖像, 人像, 头像, 脸, 面孔, 肖像画",
    "abstract": "abstract, abstraction, fractal, gradient, texture, wallpaper, marble, swirl, 抽象, 渐变, 纹理, "
    "壁纸, 大理石",
    "plain": "plain background, solid background, blank background, solid colour background, solid color background, "
    "plain colour background, plain color background, 纯色背景, 纯色",
    "geometric": "geometric, geometry, bauhaus, pattern, cubist, mondrian, triangle, circle, 几何, 几何图形, 包豪斯, "
    "图案, 三角形, 圆形",
}

_SUBJECTS: Final = {
    "cat": "cat, kitten, kitty, tabby, siamese cat, 猫, 小猫, 猫咪, 花猫, 橘猫",
    "dog": "dog, puppy, pup, sheep dog, sheepdog, bulldog, bull dog, guide dog, police dog, bird dog, hound, "
    "retriever, labrador, labrador retriever, corgi, beagle, terrier, spaniel, collie, "
    "dalmatian, shiba inu, poodle, 狗, 小狗, 犬, 狗狗, 柴犬, 柯基, 金毛, 金毛犬, 拉布拉多, "
    "牧羊犬, 斗牛犬, 花狗, 警犬, 猎犬, 猎狗, 军犬",
    "fox": "fox, arctic fox, fennec fox, 狐狸, 小狐狸",
    "wolf": "wolf, husky, sled dog, german shepherd, 狼, 哈士奇",
    "horse": "horse, race horse, racehorse, work horse, pony, stallion, mare, 马, 骏马, 小马, 白马, 黑马, 马匹, "
    "战马, 马儿, 马背, 马背上, 在马上, 骑在马上, 坐在马上, 马上的",
    "rabbit": "rabbit, bunny, hare, 兔子, 兔",
    "bird": "bird, gull, seagull, crane, swallow, dove, pigeon, eagle, hawk, raven, crow, sparrow, goose, heron, "
    "鸟, 海鸥, 小鸟, 飞鸟, 鹤, 燕子, 鸽子, 老鹰, 雄鹰, 乌鸦, 麻雀, 大雁",
    "fish": "fish, goldfish, koi, 鱼, 金鱼, 锦鲤",
    "whale": "whale, 鲸, 鲸鱼",
    "butterfly": "butterfly, 蝴蝶, 花蝴蝶",
    "boat": "boat, sailboat, yacht, sail, sailing boat, rowing boat, 船, 小船, 帆船, 渔船, 帆, 扁舟, 舟, "
    "游船, 渡船, 木船, 小木船",
    "ship": "ship, galleon, sailing ship, pirate ship, 轮船, 大船, 海盗船, 战船",
    "balloon": "balloon, hot air balloon, 热气球, 气球",
    "house": "house, village, hamlet, cabin, cottage, hut, barn, home, farmhouse, log cabin, villa, chalet, shed, "
    "房子, 小屋, 村庄, 村子, 村落, "
    "木屋, 房屋, 农舍, 屋, 别墅",
    "castle": "castle, palace, fortress, 城堡, 宫殿, 堡垒",
    "pagoda": "pagoda, temple, shrine, 塔, 宝塔, 寺庙, 寺, 亭子, 古塔",
    "lighthouse": "lighthouse, light house, 灯塔",
    "windmill": "windmill, 风车",
    "bridge": "bridge, stone bridge, 桥, 石桥, 拱桥",
    "tree": "tree, oak, maple, birch, willow, apple tree, orange tree, lemon tree, pear tree, fruit tree, 树, "
    "大树, 橡树, 枫树, 树木, 柳树",
    "blossom": "cherry blossom, cherry blossom tree, cherry tree, blossom, blossom tree, sakura, plum blossom, "
    "樱花, 樱花树, 樱树, 桃花, 梅花, 梨花, 杏花, 李花, 花树",
    "pine": "pine, pine tree, christmas tree, fir, spruce, conifer, 松树, 松, 杉树, 圣诞树",
    "palm": "palm, palm tree, coconut tree, 棕榈, 棕榈树, 椰子树, 椰树",
    "flower": "flower, flower bed, water lily, lotus flower, tulip, rose, poppy, daisy, lily, sunflower, "
    "bouquet, wildflower, peony, lotus, "
    "carnation, chrysanthemum, dahlia, marigold, hydrangea, 花, 花朵, 鲜花, 玫瑰, 郁金香, 向日葵, 花束, 野花, "
    "雏菊, 牡丹, 荷花, 罂粟, 菊花, 莲花, 茶花, 兰花, 花丛, 花海, 花坛",
    "mushroom": "mushroom, mushroom cap, toadstool, 蘑菇",
    "cactus": "cactus, saguaro, cactus plant, 仙人掌",
    "pumpkin": "pumpkin, gourd, 南瓜",
    "snowman": "snowman, 雪人",
    "robot": "robot, android, droid, 机器人",
    "umbrella": "umbrella, parasol, beach umbrella, 雨伞, 伞, 阳伞, 遮阳伞",
    "car": "car, automobile, sports car, race car, racing car, toy car, street racer, taxi, vehicle, traffic, "
    "汽车, 轿车, 小汽车, 跑车, 车, 车辆, 小车",
    "bicycle": "bicycle, mountain bike, road bike, bike, 自行车, 单车, 脚踏车",
    "rocket": "rocket, rocket ship, spaceship, spacecraft, 火箭, 飞船, 宇宙飞船",
    "aeroplane": "aeroplane, airplane, plane, jet, airliner, aircraft, 飞机, 客机",
    "kite": "kite, 风筝",
    "heart": "heart, love heart, 爱心, 心形",
    "pyramid": "pyramid, 金字塔",
    "apple": "apple, fruit, 苹果, 水果",
    "orange fruit": "orange fruit, tangerine, 橙子, 橘子",
    "lemon": "lemon, 柠檬",
    "pear": "pear, 梨, 梨子",
    "cake": "cake, birthday cake, 蛋糕, 生日蛋糕",
    "cup": "cup, coffee cup, coffee mug, tea cup, mug, coffee, tea, teacup, latte, espresso, 杯子, 咖啡, 茶, "
    "茶杯, 咖啡杯, 水杯, 马克杯",
    "vase": "vase, jug, pitcher, 花瓶, 陶罐",
    "bottle": "bottle, wine bottle, beer bottle, wine, 瓶子, 酒瓶, 葡萄酒",
    "bowl": "bowl, 碗",
    "candle": "candle, candlelight, 蜡烛, 烛光",
    "book": "book, 书, 书本",
    "planet": "planet, planet earth, saturn, jupiter, mars, ringed planet, 行星, 星球, 土星, 木星",
    "moon": "moon, full moon, moonlit, moonlight, crescent, 月亮, 月, 圆月, 明月, 满月, 月光, 月下, 月夜",
    "sun": "sun, 太阳",
    "star": "star, starry, starry night, starlit, 星星, 星, 繁星, 星空",
    "comet": "comet, meteor, shooting star, 彗星, 流星",
    "aurora": "aurora, northern light, aurora borealis, 极光, 北极光",
    "rainbow": "rainbow, 彩虹",
    "sky": "sky, 天空, 天",
    "road": "road, path, trail, country road, mountain road, 路, 小路, 小径, 道路, 马路, 公路, 高速公路, 山路, "
    "乡间小路",
    "rock": "rock, stones, boulder, reef rock, 岩石, 石头, 礁石",
    "person": "person, woman, man, girl, boy, child, lady, people, human, "
    "pedestrian, tourist, passer by, passerby, bystander, kid, guy, 游客, 旅客, 小孩, 人, 女人, 男人, 女孩, 男孩, "
    "孩子, 少女, 少年, 女子, 男子, 人物, 行人, 路人, 人群, 人山人海",
    "hair": "hair, 头发, 长发, 短发, 金发",
    "fur": "fur, plumage, feathers, mane, 毛皮, 皮毛, 毛发, 羽毛, 鬃毛",
    "eyes": "eye, 眼睛, 眼",
    "garment": "dress, shirt, coat, jacket, sweater, robe, kimono, scarf, suit, clothes, 裙子, 衣服, 连衣裙, 外套, "
    "毛衣, 衬衫, 长裙, 旗袍, 花裙子, 花裙, 花衬衫, 风衣",
    "hat": "hat, sun hat, straw hat, beret, cap, 帽子, 草帽",
    "duck": "duck, duckling, mallard, rubber duck, 鸭, 鸭子, 小鸭, 小鸭子, 野鸭, 小黄鸭",
    "bear": "bear, bear cub, brown bear, black bear, grizzly, grizzly bear, polar bear, 熊, 小熊, 黑熊, 棕熊, "
    "灰熊, 北极熊, 大熊",
    "lion": "lion, lioness, lion cub, 狮子, 雄狮, 母狮, 小狮子, 狮",
    "elephant": "elephant, baby elephant, elephant calf, 大象, 小象, 象群",
    "cow": "cow, cattle, bull, ox, calf, 牛, 奶牛, 母牛, 公牛, 黄牛, 小牛, 牛群",
    "sheep": "sheep, lamb, ewe, 羊, 绵羊, 小羊, 羊羔, 小绵羊, 羊群",
    "train": "train, steam train, locomotive, steam locomotive, steam engine, railway train, 火车, 列车, "
    "蒸汽火车, 小火车, 火车头",
    "bus": "bus, school bus, coach, double decker, double decker bus, 公交车, 公共汽车, 巴士, 大巴, 大巴车, 客车, 校车",
    "tower": "tower, watch tower, watchtower, clock tower, bell tower, stone tower, 高塔, 塔楼, 钟楼, 钟塔, "
    "石塔, 瞭望塔",
    "church": "church, chapel, cathedral, 教堂, 大教堂, 小教堂",
    "waterfall": "waterfall, cascade, 瀑布",
    "volcano": "volcano, 火山, 活火山",
    "chair": "chair, wooden chair, armchair, arm chair, rocking chair, stool, 椅子, 木椅, 凳子, 椅",
    "bed": "bed, double bed, single bed, 床, 大床, 双人床, 单人床",
    "pizza": "pizza, pizza pie, 披萨, 比萨, 比萨饼, 披萨饼",
    "guitar": "guitar, acoustic guitar, electric guitar, bass guitar, 吉他, 木吉他, 电吉他",
    "astronaut": "astronaut, cosmonaut, spaceman, space man, 宇航员, 航天员, 太空人",
    "baby": "baby, infant, newborn, toddler, 婴儿, 宝宝, 小婴儿, 新生儿, 小宝宝",
}

_SURFACES: Final = {
    "brick wall": "brick wall, bricks, brickwork, red brick wall, 砖墙, 红砖墙",
    "stone wall": "stone wall, rock wall, cobblestone, cobble, 石墙",
    "wall": "wall, plaster, plaster wall, stucco, concrete, concrete wall, cement, 墙壁, 墙面, 水泥, 混凝土",
    "planks": "plank, wood plank, floorboard, wooden floor, wood floor, wooden wall, parquet, decking, 木板, 木地板",
    "tiles": "tiles, tiled floor, tiled wall, floor tiles, wall tiles, 瓷砖",
    "sand": "sand, 沙子, 沙地",
    "soil": "soil, mud, dirt, bare earth, 泥土, 泥地",
    "gravel": "gravel, pebble, shingle, 碎石, 砾石",
    "asphalt": "asphalt, tarmac, pavement, 沥青, 柏油路",
}
"""Grounds and walls that fill a picture, or a marked area, where nothing else is named."""

STYLES: Final = (
    "oil",
    "watercolour",
    "pencil",
    "colour_pencil",
    "ink",
    "pixel",
    "poster",
    "comic",
    "duotone",
    "vintage",
)
_STYLES: Final = {
    "oil": "oil, oil painting, oil on canvas, impasto, impressionist, impressionism, monet, van gogh, 油画, "
    "印象派, 厚涂",
    "watercolour": "watercolor, watercolour, aquarelle, gouache, 水彩, 水彩画",
    "pencil": "pencil, sketch, graphite, drawing, pencil sketch, pencil drawing, charcoal, 铅笔, 素描, 铅笔画, 速写",
    "colour_pencil": "colour pencil, color pencil, colored pencil, coloured pencil, crayon, 彩铅, 彩色铅笔, 蜡笔",
    "ink": "ink, ink painting, ink sketch, ink drawing, ink wash, sumi e, calligraphy, line art, 水墨, 水墨画, "
    "墨, 国画, 书法",
    "pixel": "pixel, pixel art, pixelart, 8 bit, 8bit, 16 bit, 像素, 像素画, 像素风, 像素艺术",
    "poster": "poster, flat design, travel poster, art deco, 海报, 扁平",
    "comic": "comic, manga, cartoon, anime, pop art, comic book, 漫画, 动漫, 卡通, 波普",
    "duotone": "duotone, risograph, two tone, 双色",
    "vintage": "vintage, retro, polaroid, film, sepia, old photo, vintage photo, 复古, 老照片, 怀旧, 胶片",
}

_NUMBERS: Final = {
    "1": "one, single, lone, lonely, solitary, 一, 孤独",
    "2": "two, pair, couple, twin, both, 二, 两, 一对, 一双",
    "3": "three, trio, 三", "4": "four, 四", "5": "five, 五", "6": "six, 六", "7": "seven, 七", "8": "eight, 八",
    "9": "nine, 九", "10": "ten, 十", "12": "dozen, 一打",
    "many": "many, several, few, some, group, flock, fleet, herd, row, crowd, cluster, bunch, lots, numerous, "
    "various, school, village, hamlet, "
    "几, 许多, 很多, 一群, 一束, 一些, 无数, 众多, 一排, 多, 群, 数, 村庄, 村子, 村落",
}  # fmt: skip

_BREAKS: Final = (
    "in, on, at, with, of, over, under, above, below, beside, behind, by, near, from, through, across, "
    "into, onto, against, "
    "between, beneath, around, before, after, during, along, underneath, within, wearing, next to, in front of, "
    "在, 于, 里, 上, 下, 中, 旁, 前, 后, 边, 穿着, 下面, 上面, 里面, 之上, 之下, 中的, 上的, 下的, 里的, "
    "前的, 旁边, 穿"
)

_QUIET: Final = (
    # Articles, pronouns, auxiliaries and the like.
    "a, an, the, and, or, to, as, is, are, was, be, being, it, its, his, her, their, this, that, these, "
    "those, there, for, but, "
    "very, so, all, up, down, out, off, while, where, who, which, has, have, having, s, t, e, "
    "i, my, your, we, our, "
    # Praise and camera talk: about quality, not about things.
    "beautiful, pretty, lovely, nice, stunning, gorgeous, amazing, epic, majestic, breathtaking, "
    "magnificent, charming, cute, "
    "adorable, elegant, detailed, highly, ultra, hyper, intricate, realistic, photorealistic, "
    "hyperrealistic, hd, uhd, hdr, "
    "4k, 8k, 16k, masterpiece, best, quality, high, resolution, res, sharp, focus, professional, award, "
    "winning, cinematic, "
    "dramatic, atmospheric, moody, artistic, aesthetic, art, artwork, artstation, trending, concept, "
    "digital, illustration, "
    "painting, picture, image, photo, photograph, photography, render, rendering, scene, landscape, "
    "view, background, "
    "foreground, composition, style, styled, lighting, light, lit, soft, warm, cool, bright, dark, deep, "
    "pale, vivid, vibrant, "
    "colourful, colorful, colour, color, pastel, rich, magical, dreamy, fantasy, mystical, wonderful, "
    "simple, minimal, "
    "minimalist, minimalistic, modern, classic, traditional, delicate, fine, fresh, wild, rustic, cozy, cosy, quiet, "
    "idyllic, picturesque, scenic, octane, unreal, engine, bokeh, depth, "
    # Size, age and manner that the picture shows anyway or cannot contradict.
    "long, wide, new, "
    "distant, far, close, "
    "wooden, stone, sandy, rocky, grassy, rolling, lush, blooming, steaming, hot, cold, ringed, "
    "red-hot, "
    "rising, setting, shining, glowing, falling, overlooking, "
    "reflecting, "
    "reflection, reflected, crashing, full, piece, set, top, side, edge, middle, center, centre, front, "
    "landscape format, portrait format, square format, landscape orientation, portrait orientation, "
    "filled, covered, plain, solid, blank, uniform, backdrop, anything, everything, any, free, "
    "make, made, change, replace, replaced, turn, turned, recolour, recolor, now, instead, paint, draw, "
    "create, generate, show, me, please, same, thick, season, weather, "
    "的, 了, 着, 时, 时候, 时分, 当, 和, 与, 及, 并, 一幅, 一张, 张, 幅, 画, 一个, 个, 只, 艘, 条, 辆, 把, 块, "
    "座, 朵, 棵, 匹, 头, "
    "栋, 间, 颗, 位, 名, 片, 轮, 杯, 瓶, 本, 支, 根, "
    "株, 架, 一座, 一片, 是, 有, 地, 得, 很, 非常, 美丽, 漂亮, 美, 精美, 精致, 细节, 高清, 超清, 高质量, "
    "杰作, 壮丽, 壮观, 唯美, 可爱, 优雅, 梦幻, "
    "风格, 风, 风景, 景色, 场景, 背景, 照片, 图片, 插画, 插图, 绘画, 作品, 远处, "
    "近处, 远方, "
    "盛开, 开满, 开, 倒影, 木, 木质, 木头, 热, 温暖, 明亮, 绚丽, 彩色, 色, 色彩, 光, 光线, "
    "画面, 但, 但是, 而, 却, 还, 又, 再, 特别, 分别, 区别, 个别, 别致, 别的, 无比, 无限, 无尽, 无边, 无边无际, "
    "无垠, 一望无际, 无际, 无穷, 无声, 无瑕, "
    "无忧, 无忧无虑, 无与伦比, 无论, 无缝, 无所, 毫无疑问, 沉没, 淹没, 出没, 也, 都, 任何, 什么, "
    "变成, 变为, 换成, 改成, 改为, 把, 它, 让, "
    "请, 生成, 一下, 我, 帮, 给, 上空, 充满, 笼罩, 覆盖"
)

IRREGULAR_PLURALS: Final[Mapping[str, str]] = {
    "passersby": "passerby",
    "people": "person", "men": "man", "women": "woman", "children": "child", "ladies": "lady", "wolves": "wolf",
    "leaves": "leaf", "lilies": "lily", "mice": "mouse", "geese": "goose", "cacti": "cactus",
    "snowmen": "snowman", "oranges": "orange fruit", "calves": "calf", "oxen": "ox", "spacemen": "spaceman",
    "babies": "baby", "churches": "church", "volcanoes": "volcano",
    "butterflies": "butterfly", "berries": "berry", "buses": "bus", "skies": "sky", "galaxies": "galaxy",
}  # fmt: skip

UNCHANGED_PLURALS: Final = frozenset({"fish", "koi", "goldfish", "sheep", "cattle"})
"""Words whose plural looks like their singular."""

MASS_PLURALS: Final = frozenset({"hair", "fur", "eyes", "garment", "sky", "star", "road"})
"""Subjects whose number says nothing about how many to draw."""


COATED: Final = frozenset(
    {"cat", "dog", "fox", "wolf", "horse", "rabbit", "bear", "lion", "elephant", "cow", "sheep", "duck", "bird"}
)
"""Subjects with fur or feathers."""


def is_cjk(character: str) -> bool:
    """Whether the character is a Chinese ideograph."""
    return "㐀" <= character <= "鿿" or "豈" <= character <= "﫿"


def _add_terms(lexicon: dict[str, tuple[Term, ...]], kind: TermKind, table: Mapping[str, str]) -> None:
    for name, phrases in table.items():
        for phrase in phrases.split(", "):
            lexicon[phrase] = (*lexicon.get(phrase, ()), Term(kind, name))


def _build_lexicon() -> dict[str, tuple[Term, ...]]:
    lexicon: dict[str, tuple[Term, ...]] = {}
    _add_terms(lexicon, "colour", _COLOURS)
    _add_terms(lexicon, "colour", _COLOURS_OF_COMPOUNDS)
    _add_terms(lexicon, "time", _TIMES)
    _add_terms(lexicon, "weather", _WEATHERS)
    _add_terms(lexicon, "scene", _SCENES)
    _add_terms(lexicon, "subject", _SUBJECTS)
    _add_terms(lexicon, "surface", _SURFACES)
    _add_terms(lexicon, "style", _STYLES)
    _add_terms(lexicon, "number", _NUMBERS)
    _add_terms(lexicon, "view", manner_words.VIEWS)
    _add_terms(lexicon, "age", manner_words.AGES)
    _add_terms(lexicon, "size", manner_words.SIZES)
    _add_terms(lexicon, "pose", manner_words.POSES)
    _add_terms(lexicon, "deny", {"": f"{manner_words.DENIALS}, {manner_words.NOBODY}"})
    _add_terms(lexicon, "subject", {"person": manner_words.NOBODY})
    _add_terms(lexicon, "restrict", {"": manner_words.RESTRICTIONS})
    _add_terms(lexicon, "compound", {"": f"{compounds.ENGLISH}, {compounds.CHINESE}"})
    _add_terms(lexicon, "break", {"": _BREAKS})
    _add_terms(lexicon, "quiet", {"": _QUIET})
    return lexicon


LEXICON: Final[Mapping[str, tuple[Term, ...]]] = _build_lexicon()
LONGEST_PHRASE_WORDS: Final = max(len(phrase.split()) for phrase in LEXICON)
LONGEST_CJK_WORD: Final = max(len(phrase) for phrase in LEXICON if is_cjk(phrase[0]))
