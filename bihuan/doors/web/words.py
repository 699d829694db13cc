"""Times as people say them: 今天 22:40, 超时 2 时. Exact figures stand on hover.

Every function takes the moment it is asked at (`now`, aware) and speaks in the reader's language and the
active time zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
ENGLISH_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


#: A syllable of pinyin: Huang|long, Shi|yan|gong|ye. A final n, ng or r goes to the next vowel if one comes.
_SYLLABLE: Final = re.compile(
    r"(?:[zcs]h|[bpmfdtnlgkhjqxrzcsyw])?[aeiouv]+(?:ng(?![aeiouv])|n(?![aeiouv])|r(?![aeiouv]))?",
    re.IGNORECASE,
)
_LONG_WORD: Final = re.compile(r"[A-Za-z]{8,}")
SOFT_HYPHEN: Final = "\u00ad"


def soft(name: str) -> str:
    """A name with soft hyphens between the syllables of its long pinyin words, so that it breaks where it may
    in a small place; words that are not pinyin stay whole."""
    return _LONG_WORD.sub(lambda found: _softened(found[0]), name)


def _softened(word: str) -> str:
    syllables = _SYLLABLE.findall(word)
    return SOFT_HYPHEN.join(syllables) if "".join(syllables) == word else word


def reads_chinese() -> bool:
    return (get_language() or "zh").startswith("zh")


def say_date(day: date, *, today: date, inside: bool = False) -> str:
    """今天, 昨天, 明天, 2月17日, 2019年12月8日; Today, Yesterday, Tomorrow, 17 Feb, 8 Dec 2019.

    `inside` a sentence, without the capital.
    """
    near = {0: _("Today"), -1: _("Yesterday"), 1: _("Tomorrow")}.get((day - today).days)
    if near:
        return near.lower() if inside else near
    if reads_chinese():
        return (
            f"{day.month}月{day.day}日" if day.year == today.year else f"{day.year}年{day.month}月{day.day}日"
        )
    text = f"{day.day} {ENGLISH_MONTHS[day.month - 1]}"
    return text if day.year == today.year else f"{text} {day.year}"


def say_when(at: datetime, now: datetime, *, precision: str = "minute") -> str:
    """An instant as a person says it: the day, and the time unless only the day is known."""
    local = timezone.localtime(at)
    day = say_date(local.date(), today=timezone.localtime(now).date())
    return day if precision == "day" else f"{day} {local:%H:%M}"


def say_due(at: datetime, now: datetime) -> str:
    """A deadline: local midnight is said as 24:00 of the day that ends."""
    local = timezone.localtime(at)
    today = timezone.localtime(now).date()
    if local.time() == time(0):
        return f"{say_date(local.date() - DAY, today=today)} 24:00"
    return f"{say_date(local.date(), today=today)} {local:%H:%M}"


def say_span(length: timedelta) -> str:
    """9 小时 12 分, 2 小时, 3 天 4 小时, 12 天: two units at most, none of them nought."""
    minutes = int(abs(length).total_seconds() // 60)
    days, rest = divmod(minutes, 24 * 60)
    hours, mins = divmod(rest, 60)
    if days >= 7:
        hours = mins = 0
    elif days:
        mins = 0
    parts = []
    if days:
        parts.append(pgettext("span", "%d d") % days)
    if hours:
        parts.append(pgettext("span", "%d h") % hours)
    if mins or not parts:
        parts.append(pgettext("span", "%d min") % mins)
    return " ".join(parts)


def exact(at: datetime, *, precision: str = "minute") -> str:
    """2020-02-17 22:40 UTC+08:00."""
    local = timezone.localtime(at)
    if precision == "day":
        return f"{local:%Y-%m-%d}"
    offset = f"{local:%z}"
    return f"{local:%Y-%m-%d %H:%M} UTC{offset[:3]}:{offset[3:5]}"
