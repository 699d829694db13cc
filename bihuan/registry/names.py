"""Names of people: how they are spelled for search, and what is a surname. Pure.

A Chinese name is found by its characters, its full pinyin ("zhouxiaoming") and its initials ("zxm");
a name in Latin letters by its letters without accents and by each of its words. Surnames are read as
surnames (单 Shàn, 曾 Zēng, 尉迟 Yùchí): a general dictionary reads them as words. Where a surname has
two living readings (覃 Qín or Tán) the more common one spells the name and both find it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from bihuan.registry.pinyin import is_no_phrase, syllables

# Surnames whose reading differs from the character's everyday one, or that have a second reading;
# first reading first. From the common knowledge of Chinese dictionaries (姓氏异读).
_SINGLE: dict[str, tuple[str, ...]] = {
    "单": ("shan",), "單": ("shan",), "曾": ("zeng",), "解": ("xie",), "仇": ("qiu",), "查": ("zha",),
    "区": ("ou",), "區": ("ou",), "盖": ("ge", "gai"), "蓋": ("ge", "gai"), "任": ("ren",), "华": ("hua",),
    "華": ("hua",), "朴": ("piao",), "翟": ("zhai", "di"), "覃": ("qin", "tan"), "冼": ("xian",),
    "洗": ("xian",), "缪": ("miao",), "繆": ("miao",), "乐": ("yue", "le"), "樂": ("yue", "le"),
    "员": ("yun", "yuan"), "員": ("yun", "yuan"), "隗": ("wei", "kui"), "郇": ("xun", "huan"),
    "种": ("chong",), "折": ("she",), "能": ("nai",), "过": ("guo",), "黑": ("he", "hei"), "召": ("shao",),
    "卜": ("bu",), "句": ("gou",), "阚": ("kan",), "闞": ("kan",), "谌": ("chen", "shen"),
    "諶": ("chen", "shen"), "应": ("ying",), "訾": ("zi",), "祭": ("zhai", "ji"), "宁": ("ning",),
    "葛": ("ge",), "柏": ("bai", "bo"), "燕": ("yan",), "撒": ("sa",), "繁": ("po",), "牟": ("mou", "mu"),
    "尉": ("wei",), "万": ("wan",), "都": ("du",), "乜": ("nie",), "秘": ("bi",), "眭": ("sui",),
    "郗": ("xi", "chi"), "厍": ("she",), "薄": ("bo",), "炅": ("gui",), "莘": ("shen", "xin"),
    "藏": ("zang",), "呙": ("guo",), "宓": ("mi", "fu"), "晟": ("cheng",), "盛": ("sheng",), "石": ("shi",),
    "冯": ("feng",), "车": ("che",), "长": ("chang",), "贾": ("jia",), "俞": ("yu",), "佴": ("nai",),
    "逄": ("pang",), "幺": ("yao",), "臧": ("zang",), "娄": ("lou",), "纪": ("ji",), "那": ("na",),
    "哈": ("ha",), "瞿": ("qu",), "费": ("fei",), "强": ("qiang",), "曲": ("qu",), "尹": ("yin",),
    "台": ("tai",), "洼": ("wa",), "庹": ("tuo",), "郄": ("qie",), "粘": ("nian",), "适": ("kuo",),
    "行": ("xing",), "贲": ("ben",), "钭": ("tou",), "仉": ("zhang",), "昝": ("zan",), "相": ("xiang",),
}  # fmt: skip

# Surnames of two characters, read as one; the reading only where the characters alone mislead.
_PLAIN_DOUBLES = """
    欧阳 歐陽 上官 司马 司馬 东方 東方 独孤 南宫 南宮 闻人 夏侯 诸葛 諸葛 赫连 皇甫 濮阳 公孙 公孫 慕容 钟离
    鍾離 宇文 司徒 司空 申屠 太史 端木 轩辕 百里 呼延 东郭 西门 南门 左丘 梁丘 淳于 公羊 公冶 宗政 仲孙 闾丘
    谷梁 第五 纳兰 完颜 耶律 拓跋 巫马 漆雕 壤驷 公良 段干 羊舌 微生 达奚 公西 宰父 子车
"""
_DOUBLE: dict[str, tuple[str, str] | None] = dict.fromkeys(_PLAIN_DOUBLES.split())
_DOUBLE.update(
    {
        "尉迟": ("yu", "chi"), "尉遲": ("yu", "chi"), "万俟": ("mo", "qi"), "萬俟": ("mo", "qi"),
        "澹台": ("tan", "tai"), "澹臺": ("tan", "tai"), "长孙": ("zhang", "sun"), "長孫": ("zhang", "sun"),
        "单于": ("chan", "yu"), "亓官": ("qi", "guan"), "乐正": ("yue", "zheng"), "鲜于": ("xian", "yu"),
        "令狐": ("ling", "hu"), "颛孙": ("zhuan", "sun"), "夹谷": ("jia", "gu"), "仲长": ("zhong", "chang"),
        "贺兰": ("he", "lan"), "哥舒": ("ge", "shu"), "叱干": ("chi", "gan"), "库狄": ("she", "di"),
    }
)  # fmt: skip

_LATIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"}
)
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_CLEAN_ALREADY = re.compile(r"[\u4e00-\u9fff]+")
# Written where a name is withheld or unknown. Such a name tells nobody apart.
_WITHHELD = re.compile(
    r"某|[*＊]|(?<![a-z])[x×]{2,}(?![a-z])|[\u3400-\u9fff][x×]|^[?？\-—_.*\s]*$|^(不详|未知|无名|无名氏|匿名|患者|病例|病人|姓名|密接)\d*$"
    r"|^(unknown|anonymous|anon|n/?a|none|nn|no name|name withheld|desconocid[oa]|sin nombre|xx+)$"
    r"|^(case|patient|contact|caso|paciente|患者|病例)\s*[#№]?\s*\d+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class NameKeys:
    """What a name is found by: its spelling in a-z and 0-9 without spaces, its initials, and all words
    (other readings, given name alone, each word of a Latin name)."""

    pinyin: str
    initials: str
    tokens: tuple[str, ...]


def is_han(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return _HAN.search(text) is not None


def is_withheld(name: str) -> bool:
    """Whether this stands for a name that is not told (empty, 某某, "Case 12", unknown)."""
    text = name.strip()
    return not text or _WITHHELD.search(text) is not None


def clean(name: str) -> str:
    """The name as it is stored: width folded, outer and doubled spaces gone, no space between Chinese
    characters, the middle dot of transliterated names as ·. Nothing else is changed."""
    if _CLEAN_ALREADY.fullmatch(name):
        return name
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFKC", name)).strip()
    text = re.sub(r"(?<=[\u3400-\u9fff])\s(?=[\u3400-\u9fff])", "", text)
    return re.sub(r"(?<=[\u3400-\u9fff])\s*[.•‧・･●]\s*(?=[\u3400-\u9fff])", "·", text)


def surname_length(name: str) -> int:
    """How many characters of a Chinese name are the surname: 1, or 2 for a compound one; 0 for a name
    that has none by its form (a transliterated one with a middle dot, Latin letters)."""
    if not name or not _HAN.match(name[0]) or "·" in name:
        return 0
    return 2 if len(name) > 2 and name[:2] in _DOUBLE else 1


def fold(text: str) -> str:
    """Letters and digits in lower case without accents, other signs as single spaces; Chinese kept."""
    lowered = unicodedata.normalize("NFKC", text).casefold().translate(_LATIN)
    plain = "".join(c for c in unicodedata.normalize("NFKD", lowered) if not unicodedata.combining(c))
    return " ".join(re.sub(r"[^\w]|_", " ", plain.replace("'", "").replace("’", "")).split())


def keys(name: str) -> NameKeys:
    """How this name is found. `name` is taken as `clean` leaves it; an empty one has empty keys."""
    if not name:
        return NameKeys("", "", ())
    return _han_keys(name) if is_han(name) else _latin_keys(name)


def _han_keys(name: str) -> NameKeys:
    cut = surname_length(name)
    readings = _surname_readings(name[:cut])
    given = _syllables(name[cut:])
    spelled = ["".join((*reading, *given)) for reading in readings]
    initials = "".join(syllable[0] for syllable in (*readings[0], *given) if syllable)
    others = [spelled[0], *spelled[1:], "".join(given) if cut and len(given) > 1 else ""]
    return NameKeys(spelled[0], initials, tuple(dict.fromkeys(t for t in others if t)))


@lru_cache(maxsize=4096)
def _surname_readings(surname: str) -> tuple[tuple[str, ...], ...]:
    if len(surname) == 2:
        return (_DOUBLE[surname] or tuple(syllables(surname)),)
    if not surname:
        return ((),)
    return tuple((reading,) for reading in _SINGLE.get(surname, ())) or (_syllables(surname),)


@lru_cache(maxsize=262_144)
def _syllables(text: str) -> tuple[str, ...]:
    """Syllables of given names; ü as v, as it is typed; signs dropped, Latin words kept whole."""
    if len(text) == 2 and is_no_phrase(text):
        return (*_syllables(text[0]), *_syllables(text[1]))
    parts = (fold(part).replace(" ", "") for part in syllables(text))
    return tuple(part for part in parts if part)


def _latin_keys(name: str) -> NameKeys:
    words = fold(name).split()
    joined = "".join(words)
    tokens = dict.fromkeys([joined, *words]) if words else {}
    return NameKeys(joined, "".join(word[0] for word in words), tuple(tokens))


def query_key(text: str) -> str:
    """What was typed into a search box, in the form of `NameKeys.pinyin`: folded, without spaces."""
    return fold(text).replace(" ", "")


def sorting_key(name: str, found_by: NameKeys | None = None) -> str:
    """The spelling that two writings of one name share: the pinyin of a Chinese name (homophones meet), the
    words of a Latin one in alphabetical order (given name first or last). "" for a name that is not told."""
    if is_withheld(name):
        return ""
    if is_han(name):
        return (found_by or keys(name)).pinyin
    return "".join(sorted(fold(name).split()))
