"""The vocabulary: which keys a pack may set, of what type, and how a value reads in a sentence.

It is data (`packs/keys.yaml`); here are the types it can use.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Labels = Mapping[str, str]
Complaint = tuple[str, dict[str, Any]]  # a template and its gaps

CLOCK_TIME = re.compile(r"^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$")
LADDER_TO = ("superior", "county_command", "city_command", "province_command")


@dataclass(frozen=True)
class Key:
    """One key of the vocabulary.

    `type` is one of TYPES. `allowed` maps an allowed word to its label ({zh, en}); `rows` does the same for
    the keys of a matrix. `says`/`says_no` are the sentences used where a pack gives none. `also` are other
    names of the same key. `lowest` and `highest` bound numbers.
    """

    name: str
    type: str
    title: Labels
    says: Labels | None = None
    says_no: Labels | None = None
    unit: str = ""
    allowed: Mapping[str, Labels] = field(default_factory=dict)
    rows: Mapping[str, Labels] = field(default_factory=dict)
    lowest: float | None = None
    highest: float | None = None
    also: tuple[str, ...] = ()
    counts: str = ""


# --- what a value of a type may be ------------------------------------------------------------------


def check_value(key: Key, value: Any) -> Complaint | None:
    """Return what is wrong with `value` as a value of `key`, or None."""
    return TYPES[key.type].check(key, value)


def _number(key: Key, value: Any) -> Complaint | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "{value} is not a number.", {"value": shown(value)}
    return _bounds(key, value)


def _bounds(key: Key, value: float) -> Complaint | None:
    low, high = (0 if key.lowest is None else key.lowest), key.highest
    if value < low or (high is not None and value > high):
        return "{value} is outside the allowed range, {low} to {high}.", {
            "value": value,
            "low": f"{low:g}",
            "high": "…" if high is None else f"{high:g}",
        }
    return None


def _integer(key: Key, value: Any) -> Complaint | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return "{value} is not a whole number.", {"value": shown(value)}
    return _bounds(key, value)


def _deadline(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, Mapping):
        complaint = _number(key, value)
        if complaint and "range" not in complaint[0]:
            return (
                "{value} is not a deadline. Write a number of hours, or {{end_of_day: true, plus_days: 0}}.",
                {"value": shown(value)},
            )
        return complaint
    plus = value.get("plus_days", 0)
    good = set(value) <= {"end_of_day", "plus_days"} and value.get("end_of_day") is True
    if good and isinstance(plus, int) and not isinstance(plus, bool) and plus >= 0:
        return None
    return "{value} is not a deadline. Write a number of hours, or {{end_of_day: true, plus_days: 0}}.", {
        "value": shown(value)
    }


def _boolean(key: Key, value: Any) -> Complaint | None:
    return None if isinstance(value, bool) else ("{value} is not true or false.", {"value": shown(value)})


def _text(key: Key, value: Any) -> Complaint | None:
    return (
        None
        if isinstance(value, str) and value.strip()
        else ("{value} is not text.", {"value": shown(value)})
    )


def _date(key: Key, value: Any) -> Complaint | None:
    is_date = isinstance(value, dt.date) and not isinstance(value, dt.datetime)
    return None if is_date else ("{value} is not a date (YYYY-MM-DD).", {"value": shown(value)})


def _time(key: Key, value: Any) -> Complaint | None:
    if isinstance(value, str) and CLOCK_TIME.match(value):
        return None
    return '{value} is not a time of day ("HH:MM", to "24:00").', {"value": shown(value)}


def _slots(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, list):
        return "{value} is not a list of times of day.", {"value": shown(value)}
    for item in value:
        complaint = _time(key, item)
        if complaint:
            return complaint
    if value != sorted(set(value)):
        return "The list {value} must be in order and without repeats.", {"value": shown(value)}
    return None


def _day_list(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, list) or not all(isinstance(d, int) and not isinstance(d, bool) for d in value):
        return "{value} is not a list of day numbers.", {"value": shown(value)}
    if value != sorted(set(value)):
        return "The list {value} must be in order and without repeats.", {"value": shown(value)}
    return next((c for c in (_bounds(key, d) for d in value) if c), None)


def _choice(key: Key, value: Any) -> Complaint | None:
    if isinstance(value, str) and value in key.allowed:
        return None
    return "{value} is not allowed here. Allowed: {allowed}.", {
        "value": shown(value),
        "allowed": ", ".join(key.allowed),
    }


def _choices(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, list):
        return "{value} is not a list.", {"value": shown(value)}
    if len(set(map(str, value))) != len(value):
        return "The list {value} must be without repeats.", {"value": shown(value)}
    return next((c for c in (_choice(key, item) for item in value) if c), None)


def _matrix(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, Mapping):
        return "{value} is not a mapping.", {"value": shown(value)}
    for row, items in value.items():
        if row not in key.rows:
            return "{value} is not allowed here. Allowed: {allowed}.", {
                "value": row,
                "allowed": ", ".join(key.rows),
            }
        complaint = _choices(key, items)
        if complaint:
            return complaint
    return None


def _ladder(key: Key, value: Any) -> Complaint | None:
    if not isinstance(value, list) or not value:
        return "{value} is not a ladder: a list of {{to, after_hours}}.", {"value": shown(value)}
    last = -1.0
    for step in value:
        if not isinstance(step, Mapping) or set(step) != {"to", "after_hours"}:
            return "{value} is not a ladder: a list of {{to, after_hours}}.", {"value": shown(step)}
        if step["to"] not in LADDER_TO:
            return "{value} is not allowed here. Allowed: {allowed}.", {
                "value": step["to"],
                "allowed": ", ".join(LADDER_TO),
            }
        complaint = _number(key, step["after_hours"])
        if complaint:
            return complaint
        if step["after_hours"] <= last:
            return "The steps of a ladder must come later and later.", {}
        last = step["after_hours"]
    return None


def shown(value: Any) -> str:
    """Return a value as a person would write it in a pack."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {shown(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return str(value)


# --- how a value of a type reads --------------------------------------------------------------------

_WORDS: dict[str, Labels] = {
    "within": {"zh": "{n}小时内", "en": "within {n}"},
    "same_day": {"zh": "当日24时前", "en": "by the end of the same day"},
    "later_day": {
        "zh": "第{n}日24时前（当日为第0日）",
        "en": "by the end of day {n} (the same day is day 0)",
    },
    "none": {"zh": "无", "en": "none"},
    "at_once": {"zh": "逾期即报{who}", "en": "{who} as soon as it is late"},
    "after": {"zh": "逾期{n}小时报{who}", "en": "{who} when it is {n} late"},
    "superior": {"zh": "上级", "en": "the superior"},
    "county_command": {"zh": "县级指挥部", "en": "the county command"},
    "city_command": {"zh": "市级指挥部", "en": "the city command"},
    "province_command": {"zh": "省级指挥部", "en": "the provincial command"},
    "yes": {"zh": "是", "en": "yes"},
    "no": {"zh": "否", "en": "no"},
}


def in_words(key: Key, value: Any, lang: str) -> str:
    """Return `value` as a phrase in `lang` ("zh" or "en"), as it stands in the key's sentence."""
    return TYPES[key.type].words(key, value, "zh" if lang.startswith("zh") else "en")


def _plain(key: Key, value: Any, lang: str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(unit_zh: str, unit_en: str) -> Callable[[Key, Any, str], str]:
    def words(key: Key, value: Any, lang: str) -> str:
        number = f"{value:g}"
        return f"{number}{unit_zh}" if lang == "zh" else f"{number} {unit_en}{'' if value == 1 else 's'}"

    return words


_hours = _counted("小时", "hour")


def _deadline_words(key: Key, value: Any, lang: str) -> str:
    if isinstance(value, Mapping):
        plus = value.get("plus_days", 0)
        return _WORDS["later_day" if plus else "same_day"][lang].format(n=plus)
    return _WORDS["within"][lang].format(n=f"{value:g}" if lang == "zh" else _hours(key, value, lang))


def _degrees(key: Key, value: Any, lang: str) -> str:
    return f"{value:g} °C"


def _yes_no(key: Key, value: Any, lang: str) -> str:
    return _WORDS["yes" if value else "no"][lang]


def joined(items: list[str], lang: str) -> str:
    if not items:
        return _WORDS["none"][lang]
    if lang == "zh":
        return "、".join(items)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _list_words(key: Key, value: Any, lang: str) -> str:
    return joined([str(v) for v in value], lang)


def _day_list_words(key: Key, value: Any, lang: str) -> str:
    if not value:
        return _WORDS["none"][lang]
    listed = joined([str(v) for v in value], lang)
    if lang == "zh":
        return f"第{listed}天"
    return f"day {listed}" if len(value) == 1 else f"days {listed}"


def _label(labels: Mapping[str, Labels], word: str, lang: str) -> str:
    found = labels.get(word) or {}
    return found.get(lang) or word


def _choice_words(key: Key, value: Any, lang: str) -> str:
    return _label(key.allowed, value, lang)


def _choices_words(key: Key, value: Any, lang: str) -> str:
    return joined([_label(key.allowed, v, lang) for v in value], lang)


def _matrix_words(key: Key, value: Any, lang: str) -> str:
    colon, comma = ("：", "；") if lang == "zh" else (": ", "; ")
    rows = [f"{_label(key.rows, row, lang)}{colon}{_choices_words(key, v, lang)}" for row, v in value.items()]
    return comma.join(rows) or _WORDS["none"][lang]


def _ladder_words(key: Key, value: Any, lang: str) -> str:
    steps = []
    for step in value:
        who, n = _WORDS[step["to"]][lang], step["after_hours"]
        words = _WORDS["after" if n else "at_once"][lang]
        steps.append(words.format(who=who, n=f"{n:g}" if lang == "zh" else _hours(key, n, lang)))
    return ("，" if lang == "zh" else ", ").join(steps)


@dataclass(frozen=True)
class Type:
    check: Callable[[Key, Any], Complaint | None]
    words: Callable[[Key, Any, str], str] = _plain
    unit: str = ""


TYPES: dict[str, Type] = {
    "deadline": Type(_deadline, _deadline_words, "hours"),
    "hours": Type(_number, _hours, "hours"),
    "days": Type(_integer, _counted("天", "day"), "days"),
    "count": Type(_integer),
    "number": Type(_number),
    "celsius": Type(_number, _degrees, "°C"),
    "boolean": Type(_boolean, _yes_no),
    "text": Type(_text),
    "date": Type(_date),
    "time": Type(_time),
    "slots": Type(_slots, _list_words, "HH:MM"),
    "day_list": Type(_day_list, _day_list_words, "days"),
    "choice": Type(_choice, _choice_words),
    "choices": Type(_choices, _choices_words),
    "matrix": Type(_matrix, _matrix_words),
    "ladder": Type(_ladder, _ladder_words, "hours"),
}
