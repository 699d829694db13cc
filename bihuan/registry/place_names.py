"""Places in English, by rule: pinyin of the name proper and a word for its kind. No Django.

武汉市 -> Wuhan City    硚口区 -> Qiaokou District
恩施土家族苗族自治州 -> Enshi Tujia and Miao Autonomous Prefecture
"""

from __future__ import annotations

import re
from functools import lru_cache

from bihuan.registry.pinyin import syllables

#: Ending of the Chinese name -> (English word, kind). The longest ending that fits is used.
_ENDINGS: dict[int, dict[str, tuple[str, str]]] = {
    1: {
        "省": ("Province", "province"),
        "市": ("Municipality", "municipality"),
        "自治区": ("Autonomous Region", "autonomous_region"),
        "特别行政区": ("Special Administrative Region", "special_region"),
    },
    2: {
        "市": ("City", "city"),
        "自治州": ("Autonomous Prefecture", "prefecture"),
        "地区": ("Prefecture", "prefecture"),
        "盟": ("League", "prefecture"),
        "直辖县级行政区划": ("Directly Administered Counties", "pseudo_city"),
        "省直辖县级行政区划": ("Directly Administered Counties", "pseudo_city"),
        "自治区直辖县级行政区划": ("Directly Administered Counties", "pseudo_city"),
        "市辖区": ("Urban Districts", "pseudo_city"),
        "县": ("Counties", "pseudo_city"),
    },
    3: {
        "市": ("City", "county_city"),
        "区": ("District", "district"),
        "县": ("County", "county"),
        "自治县": ("Autonomous County", "county"),
        "旗": ("Banner", "county"),
        "自治旗": ("Autonomous Banner", "county"),
        "林区": ("Forestry District", "district"),
        "市辖区": ("Urban Districts", "district"),
        "高新技术产业开发区": ("High-tech Zone", "zone"),
        "经济技术开发区": ("Economic and Technological Development Zone", "zone"),
        "经济开发区": ("Economic Development Zone", "zone"),
        "开发区": ("Development Zone", "zone"),
        "工业园区": ("Industrial Park", "zone"),
        "管理区": ("Management Area", "zone"),
        "新区": ("New Area", "zone"),
    },
    4: {
        "街道": ("Subdistrict", "subdistrict"),
        "街道办事处": ("Subdistrict", "subdistrict"),
        "办事处": ("Subdistrict", "subdistrict"),
        "地区": ("Area", "subdistrict"),
        "镇": ("Town", "town"),
        "乡": ("Township", "township"),
        "民族乡": ("Ethnic Township", "township"),
        "苏木": ("Sumu", "township"),
        "林场": ("Forest Farm", "zone"),
        "农场": ("Farm", "zone"),
        "渔场": ("Fishery", "zone"),
        "茶场": ("Tea Farm", "zone"),
        "原种场": ("Seed Farm", "zone"),
        "种畜场": ("Stud Farm", "zone"),
        "水库": ("Reservoir", "zone"),
        "开发区": ("Development Zone", "zone"),
        "经济开发区": ("Economic Development Zone", "zone"),
        "经济技术开发区": ("Economic and Technological Development Zone", "zone"),
        "高新技术产业开发区": ("High-tech Zone", "zone"),
        "工业园": ("Industrial Park", "zone"),
        "工业园区": ("Industrial Park", "zone"),
        "产业园": ("Industrial Park", "zone"),
        "农场管理区": ("Farm Management Area", "zone"),
        "管理区": ("Management Area", "zone"),
        "管理处": ("Management Office", "zone"),
        "管委会": ("Management Committee", "zone"),
        "管理委员会": ("Management Committee", "zone"),
        "风景区": ("Scenic Area", "zone"),
        "新区": ("New Area", "zone"),
        "园区": ("Park", "zone"),
    },
    5: {
        "社区": ("Community", "community"),
        "社区居委会": ("Community", "community"),
        "社区居民委员会": ("Community", "community"),
        "居委会": ("Community", "community"),
        "居民委员会": ("Community", "community"),
        "社区委员会": ("Community", "community"),
        "村": ("Village", "village"),
        "村委会": ("Village", "village"),
        "村村委会": ("Village", "village"),
        "村民委员会": ("Village", "village"),
        "村村民委员会": ("Village", "village"),
        "生活区": ("Residential Area", "community"),
        "虚拟社区": ("Virtual Community", "community"),
        "虚拟生活区": ("Virtual Residential Area", "community"),
        "生产队": ("Production Team", "village"),
        "生产大队": ("Production Brigade", "village"),
        "大队": ("Brigade", "village"),
        "分场": ("Branch Farm", "village"),
        "林场": ("Forest Farm", "village"),
        "农场": ("Farm", "village"),
    },
}

_ENDINGS_BY_LENGTH = {
    level: sorted(endings.items(), key=lambda item: -len(item[0])) for level, endings in _ENDINGS.items()
}

#: Readings that differ from the commonest one, and names with a settled English form.
_READINGS = {
    "陕西": "Shaanxi", "内蒙古": "Inner Mongolia", "广西壮族": "Guangxi Zhuang", "西藏": "Xizang",
    "宁夏回族": "Ningxia Hui", "新疆维吾尔": "Xinjiang Uygur", "重庆": "Chongqing", "厦门": "Xiamen",
    "呼和浩特": "Hohhot", "乌鲁木齐": "Urumqi", "拉萨": "Lhasa", "包头": "Baotou", "哈尔滨": "Harbin",
    "鄂尔多斯": "Ordos", "六安": "Lu'an", "六合": "Luhe", "台州": "Taizhou", "丽水": "Lishui",
    "番禺": "Panyu", "东莞": "Dongguan", "乐清": "Yueqing", "乐亭": "Laoting", "井陉": "Jingxing",
    "铅山": "Yanshan", "蔚": "Yu", "歙": "She", "单": "Shan", "黄陂": "Huangpi", "浠水": "Xishui",
    "大悟": "Dawu", "长阳": "Changyang", "长治": "Changzhi", "长子": "Zhangzi", "长武": "Changwu",
    "枞阳": "Zongyang", "亳州": "Bozhou", "涡阳": "Guoyang", "解州": "Xiezhou", "尉犁": "Yuli",
    "阿拉善": "Alxa", "锡林郭勒": "Xilingol", "兴安": "Xing'an", "巴音郭楞": "Bayingolin",
    "克孜勒苏": "Kizilsu", "喀什": "Kashgar", "和田": "Hotan", "阿克苏": "Aksu", "伊犁": "Ili",
    "塔城": "Tacheng", "阿勒泰": "Altay", "吐鲁番": "Turpan", "哈密": "Hami", "昌吉": "Changji",
    "博尔塔拉": "Bortala", "日喀则": "Xigazê", "那曲": "Nagqu", "昌都": "Qamdo", "林芝": "Nyingchi",
    "山南": "Shannan", "阿里": "Ngari", "阿坝": "Ngawa", "甘孜": "Garzê", "西双版纳": "Xishuangbanna",
    "德宏": "Dehong", "迪庆": "Diqing", "朝阳": "Chaoyang", "漯河": "Luohe", "三都": "Sandu",
    "呼伦贝尔": "Hulunbuir", "巴彦淖尔": "Bayannur", "齐齐哈尔": "Qiqihar", "乌兰察布": "Ulanqab",
    "克拉玛依": "Karamay",
}  # fmt: skip

_PEOPLES = {
    "土家族": "Tujia", "苗族": "Miao", "侗族": "Dong", "回族": "Hui", "藏族": "Tibetan", "羌族": "Qiang",
    "彝族": "Yi", "壮族": "Zhuang", "瑶族": "Yao", "白族": "Bai", "傣族": "Dai", "景颇族": "Jingpo",
    "傈僳族": "Lisu", "哈尼族": "Hani", "布依族": "Bouyei", "蒙古族": "Mongol", "蒙古": "Mongol",
    "满族": "Manchu", "朝鲜族": "Korean", "哈萨克族": "Kazakh", "哈萨克": "Kazakh",
    "柯尔克孜": "Kyrgyz", "维吾尔": "Uygur", "仡佬族": "Gelao", "水族": "Sui", "黎族": "Li", "畲族": "She",
    "仫佬族": "Mulao", "毛南族": "Maonan", "纳西族": "Naxi", "普米族": "Pumi", "拉祜族": "Lahu",
    "佤族": "Va", "布朗族": "Blang", "独龙族": "Derung", "怒族": "Nu", "东乡族": "Dongxiang",
    "保安族": "Bonan", "撒拉族": "Salar", "裕固族": "Yugur", "土族": "Tu", "锡伯族": "Xibe",
    "塔吉克": "Tajik", "达斡尔族": "Daur", "鄂温克族": "Evenki", "鄂伦春": "Oroqen", "各族": "Multi-ethnic",
}  # fmt: skip
_PEOPLES_AT_END = re.compile("(?:" + "|".join(sorted(_PEOPLES, key=len, reverse=True)) + ")+$")
_ONE_PEOPLE = re.compile("|".join(sorted(_PEOPLES, key=len, reverse=True)))
_CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_BRACKETS = re.compile(r"[（(][^（()）]*[）)]$")


def kind_of(name: str, level: int) -> str:
    """Return the kind that the name's ending says, or "" (a foreign tree, a name without one)."""
    return _split(name, level)[2]


@lru_cache(maxsize=65536)
def english(name: str, level: int) -> str:
    """Return the English name. A name without Chinese characters comes back as it is."""
    if not _CHINESE.search(name):
        return name
    proper, word, _ = _split(name, level)
    if not proper:
        return word or _pinyin(name)
    peoples = _PEOPLES_AT_END.search(proper) if word.startswith(("Autonomous", "Ethnic")) else None
    if peoples and peoples.start() > 0 and proper not in _READINGS:
        names = [_PEOPLES[p] for p in _ONE_PEOPLE.findall(peoples.group())]
        listed = names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
        return f"{_pinyin(proper[: peoples.start()])} {listed} {word}"
    return f"{_pinyin(proper)} {word}".strip()


def _split(name: str, level: int) -> tuple[str, str, str]:
    """(name proper, English word of its kind, kind). What stands in brackets at the end is left out."""
    name = _BRACKETS.sub("", name) or name
    for ending, (word, kind) in _ENDINGS_BY_LENGTH.get(level, ()):
        if not name.endswith(ending):
            continue
        proper = name[: -len(ending)]
        if proper or kind == "pseudo_city" or ending == "市辖区":
            return proper, word, kind
    return name, "", ""


def _pinyin(text: str) -> str:
    if text in _READINGS:
        return _READINGS[text]
    return _CHINESE.sub(lambda match: _word(match.group()), text)


@lru_cache(maxsize=65536)
def _word(characters: str) -> str:
    if characters in _READINGS:
        return _READINGS[characters]
    first, *others = syllables(characters, v_to_u=True)
    joined = first + "".join(("'" + s) if s[0] in "aeo" else s for s in others)
    return joined[0].upper() + joined[1:]
