"""Cells to values. Pure: a cell, the list's conventions and the as-of date in, a value or a finding out.

Dates: a `date` (the day is known) or a naive `datetime` in the list's time zone (the minute is known).
Ages: years as a float. Sexes: F, M, O, U. Code lists: the canonical value. Text: one line of plain text,
stored as it is; formulas in it are neutralized when it is exported (`reader.safe_cell`), not here.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.registry import identity

from . import words
from .fields import Field
from .findings import SET_ASIDE, CellError

EARLIEST = dt.date(1900, 1, 1)  # before it, a list must say its era
OLDEST = 130
_MEMO = 20_000


@dataclass(frozen=True)
class Conventions:
    """How a list writes dates. `day_first` None: an ambiguous date is refused rather than guessed."""

    day_first: bool | None = None
    year: int | None = None
    timezone: str = "Asia/Shanghai"
    era_from: dt.date = EARLIEST
    era_to: dt.date | None = None
    as_of: dt.date | None = None


class Bad(Exception):
    """A cell that cannot be read; becomes a CellError where the column is known."""

    def __init__(self, rule: str, **params: Any) -> None:
        super().__init__(rule)
        self.rule = rule
        self.params = {k: str(v) for k, v in params.items()}


# --- dates ------------------------------------------------------------------------------------------

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january ene enero",
            "feb february febrero",
            "mar march marzo",
            "apr april abr abril",
            "may mayo",
            "jun june junio",
            "jul july julio",
            "aug august ago agosto",
            "sep sept september septiembre setiembre",
            "oct october octubre",
            "nov november noviembre",
            "dec december dic diciembre",
        ),
        start=1,
    )
    for name in names.split()
}
_TIME = r"(?:[t\s]+(\d{1,2})[:：时点](\d{1,2})(?:[:：分](\d{1,2})(?:\.\d+)?秒?)?分?\s*(z|[+-]\d{2}:?\d{2})?)?"
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_YMD = re.compile(rf"(\d{{4}})\s*[-/.,年]\s*(\d{{1,2}})\s*[-/.,月]\s*(\d{{1,2}})\s*[日号]?{_TIME}")
_XMY = re.compile(rf"(\d{{1,2}})\s*([-/.,])\s*(\d{{1,2}})\s*[-/.,]\s*(\d{{4}}|\d{{2}}){_TIME}")
_MD = re.compile(r"(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?")
_MD_BARE = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{1,2})")
_DMON = re.compile(
    r"(\d{1,2})(?:st|nd|rd|th)?[\s\-/.]*(?:de\s+)?([a-z]{3,10})\.?(?:[\s\-/.,]*(?:del?\s+)?(\d{4}|\d{2}))?"
)
_MOND = re.compile(r"([a-z]{3,10})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?")
_YEAR = re.compile(r"(1[89]|20)\d{2}年?")
_MONTH = re.compile(
    r"((1[89]|20)\d{2}\s*[-/.年]\s*(1[0-2]|0?[1-9])月?"
    r"|(1[0-2]|0?[1-9])[-/.](19|20)\d{2}"
    r"|[a-z]{3,10}\.?[\s\-]+(19|20)\d{2})"
)
_VAGUE = re.compile(
    r"(上旬|中旬|下旬|月初|月底|月末|左右|前后|约|大概|春节|除夕|^pre\b|before|after|\babout|early|mid|late\b"
    r"|end of|begin|antes|despu|aprox|principios|finales|_\d{1,2}$|week|第.*周|semana)"
)
_SPAN = re.compile(r".+(\bto\b|至|到|~|—|–|\s-\s|\ba\b|\bal\b|\bhasta\b).*|^(\?|to |until |hasta ).*")
_SERIAL = (20_000, 80_000)  # Excel days: 1954-10-03 to 2119-01-10
_EXCEL_ZERO = dt.datetime(1899, 12, 30)

When = dt.date  # a datetime is a date whose minute is known


def parse_date(cell: Any, how: Conventions) -> When:
    """The day (or minute) a cell names, without holding it against era or as-of. Raises Bad."""
    if isinstance(cell, dt.datetime):
        return _local(cell, how)
    if isinstance(cell, dt.date):
        return cell
    if isinstance(cell, bool | dt.time):
        raise Bad("date.form")
    if isinstance(cell, int | float):
        return _from_number(float(cell), how)
    text = str(cell)
    iso = _ISO.fullmatch(text)
    if iso:
        return _day(int(iso[1]), int(iso[2]), int(iso[3]))
    return _from_text(words.plain(text), how)


def _local(moment: dt.datetime, how: Conventions) -> When:
    if moment.tzinfo is not None:
        moment = moment.astimezone(ZoneInfo(how.timezone)).replace(tzinfo=None)
    if moment.hour == moment.minute == moment.second == 0:
        return moment.date()  # midnight is how spreadsheets write a day without a time
    return moment.replace(microsecond=0)


def _from_number(number: float, how: Conventions) -> When:
    if _SERIAL[0] <= number <= _SERIAL[1]:
        return _local(_EXCEL_ZERO + dt.timedelta(seconds=round(number * 86_400)), how)
    if number.is_integer():
        return _from_text(str(int(number)), how)
    raise Bad("date.form")


def _from_text(text: str, how: Conventions) -> When:
    for read in (_read_ymd, _read_xmy, _read_compact, _read_named, _read_month_day):
        found = read(text, how)
        if found is not None:
            return found
    number = re.fullmatch(r"(\d{5})(\.\d+)?", text)
    if number and _SERIAL[0] <= float(text) <= _SERIAL[1]:
        return _from_number(float(text), how)
    if _YEAR.fullmatch(text):
        raise Bad("date.year_only")
    if _MONTH.fullmatch(text) and (not re.match("[a-z]", text) or text.split()[0].strip(".-") in _MONTHS):
        raise Bad("date.month_only")
    if re.search(r"\d", text) and _VAGUE.search(text):
        raise Bad("date.vague")
    if re.search(r"\d", text) and _SPAN.fullmatch(text):
        raise Bad("date.span")
    raise Bad("date.form")


def _read_ymd(text: str, how: Conventions) -> When | None:
    m = _YMD.fullmatch(text)
    return _with_time(_day(int(m[1]), int(m[2]), int(m[3])), m.groups()[3:], how) if m else None


def _read_xmy(text: str, how: Conventions) -> When | None:
    m = _XMY.fullmatch(text)
    if not m:
        return None
    first, second, year = int(m[1]), int(m[3]), _full_year(m[4])
    if first > 12 or second > 12:
        day_first = first > 12
    elif first == second:
        day_first = True
    elif how.day_first is not None:
        day_first = how.day_first
    elif m[2] == ".":
        day_first = True  # with dots only day-month-year is in use
    else:
        raise Bad("date.ambiguous")
    day = _day(year, second, first) if day_first else _day(year, first, second)
    return _with_time(day, m.groups()[4:], how)


def _read_compact(text: str, how: Conventions) -> When | None:
    m = _COMPACT.fullmatch(text)
    if not m:
        return None
    return _with_time(_day(int(m[1]), int(m[2]), int(m[3])), (m[4], m[5], m[6], None), how)


def _read_named(text: str, how: Conventions) -> When | None:
    m = _DMON.fullmatch(text)
    if m and m[2] in _MONTHS:
        return _day(_year_or_default(m[3], how), _MONTHS[m[2]], int(m[1]))
    m = _MOND.fullmatch(text)
    if m and m[1] in _MONTHS:
        return _day(_year_or_default(m[3], how), _MONTHS[m[1]], int(m[2]))
    return None


def _read_month_day(text: str, how: Conventions) -> When | None:
    m = _MD.fullmatch(text)
    if m:
        return _day(_year_or_default(None, how), int(m[1]), int(m[2]))
    m = _MD_BARE.fullmatch(text)
    if m and how.year is not None:  # 1.21 without a year in the mapping is rather a number
        first, second = int(m[1]), int(m[2])
        return _day(how.year, second, first) if how.day_first else _day(how.year, first, second)
    return None


def _year_or_default(text: str | None, how: Conventions) -> int:
    if text:
        return _full_year(text)
    if how.year is None:
        raise Bad("date.no_year")
    return how.year


def _full_year(text: str) -> int:
    year = int(text)
    return year if len(text) == 4 else year + (2000 if year < 70 else 1900)


def _day(year: int, month: int, day: int) -> dt.date:
    try:
        return dt.date(year, month, day)
    except ValueError as error:
        raise Bad("date.calendar") from error


def _with_time(day: dt.date, parts: tuple[str | None, ...], how: Conventions) -> When:
    hour, minute, second, zone = parts
    if hour is None:
        return day
    try:
        moment = dt.datetime(day.year, day.month, day.day, int(hour), int(minute or 0), int(second or 0))
    except ValueError as error:
        raise Bad("date.calendar") from error
    if zone:
        moment = dt.datetime.fromisoformat(moment.isoformat() + ("+00:00" if zone == "z" else zone))
    return _local(moment, how)


def day_of(when: When) -> dt.date:
    return when.date() if isinstance(when, dt.datetime) else when


def check_date(when: When, how: Conventions) -> When:
    """Hold a date of the outbreak against the list's era and the as-of date. Raises Bad."""
    day = day_of(when)
    if day < how.era_from or (how.era_to is not None and day > how.era_to):
        raise Bad("date.era", **{"from": how.era_from, "to": how.era_to or how.as_of or "…"})
    if how.as_of is not None and day > how.as_of:
        raise Bad("date.later", as_of=how.as_of)
    return when


# --- ages, sexes, codes, texts ----------------------------------------------------------------------

_AGE_PLAIN = re.compile(r"\d{1,3}(?:[.,]\d+)?")
_AGE = re.compile(
    r"(?:(\d{1,3}(?:[.,]\d+)?)\s*(?:岁|周岁|years? old|years?|yrs?|y|anos?|a|年))?"
    r"\s*(?:零|and\s)?\s*(?:(\d{1,3})\s*(?:个月|月龄|月|months?|mos?|m|mes|meses))?"
    r"\s*(?:零)?\s*(?:(\d{1,3})\s*(?:天|日龄|日|days?|d|dias?))?"
)
_BAND = re.compile(
    r"\d{1,3}\s*(?:s|多岁?|余岁?|岁?以上|\+|-\s*\d{1,3}\s*岁?|至\d{1,3}岁?|to\s*\d{1,3}|~\d{1,3}岁?)"
    r"|[<>≥≤]\s*\d+"
)


def parse_age(cell: Any) -> float:
    """Years, as a float; months and days become fractions. Raises Bad: form, band, range."""
    if isinstance(cell, bool | dt.date | dt.time):
        raise Bad("age.form")
    if isinstance(cell, int | float):
        years = float(cell)
    else:
        text = words.plain(str(cell))
        if _AGE_PLAIN.fullmatch(text):
            years = float(text.replace(",", "."))
        elif (m := _AGE.fullmatch(text)) and any(m.groups()):
            years = float((m[1] or "0").replace(",", ".")) + int(m[2] or 0) / 12 + int(m[3] or 0) / 365.25
        else:
            raise Bad("age.band" if _BAND.fullmatch(text) else "age.form")
    if not 0 <= years <= OLDEST:
        raise Bad("age.range")
    return years


def parse_code(
    cell: Any, *, name: str, extra: Mapping[str, str], allowed: tuple[str, ...], label: str
) -> str | None:
    """The canonical value of a code list; None when the list says the value means unknown. Raises Bad."""
    key = words.plain(_as_text(cell))
    found = extra.get(key)
    if found is None:
        found = words.codes(name).get(key)
    if found is None:
        raise Bad("code.unknown", field=label, allowed=", ".join(allowed))
    return found or None


def parse_bool(cell: Any, *, extra: Mapping[str, str]) -> bool | None:
    """True, False, or None when the list says the value means unknown. Raises Bad."""
    if isinstance(cell, bool):
        return cell
    key = words.plain(_as_text(cell))
    found = extra.get(key, words.codes("bool").get(key))
    if found is None:
        raise Bad("bool.unknown")
    return {"true": True, "false": False}.get(found)


_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\u200b-\u200f\u202a-\u202e\ufeff]+")


def _as_text(cell: Any) -> str:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def parse_text(cell: Any, *, longest: int) -> str:
    """One line of plain text: control and direction marks become spaces. Raises Bad when too long."""
    text = _as_text(cell)
    if not text.isprintable():
        text = _CONTROL.sub(" ", text)
    text = text.strip()
    if len(text) > longest:
        raise Bad("text.length", limit=longest)
    return text


# Lazy, so that 市中区 after 十堰市 is found; 荆州 and 新乡 are no units of their own before 市 or 区.
_UNIT = re.compile(
    r"[^\W\d_]{1,12}?(?:特别行政区|自治区|自治州|自治县|开发区|街道办事处|居民委员会|村民委员会|社区|街道|街办|居委会|村委会|省|市"
    r"|[区县旗镇乡州盟村](?![市区县]))"
)


def split_address(text: str) -> list[str]:
    """The names in an address that may be territories, in its order: 湖北省 十堰市 张湾区 汉江路街道 of
    湖北省十堰市张湾区汉江路街道12号; elsewhere what stands between commas."""
    plain_text = unicodedata.normalize("NFKC", text).strip()
    parts = [part.strip() for part in re.split(r"[,;|/、;\n]+", plain_text) if part.strip()]
    found = []
    for part in parts:
        names = _UNIT.findall(part)
        names = [name.removesuffix("办事处") if name.endswith("街道办事处") else name for name in names]
        names = [f"{name[:-1]}道" if name.endswith("街办") else name for name in names]
        found += names or ([part] if len(parts) > 1 or len(part) <= 20 else [])
    return found


def parse_id(cell: Any, *, longest: int) -> str:
    text = parse_text(cell, longest=longest) if len(_as_text(cell)) <= longest else ""
    if not text or not any(c.isalnum() for c in text):
        raise Bad("id.form")
    return text


def parse_name(cell: Any, *, longest: int) -> str:
    text = parse_text(unicodedata.normalize("NFKC", _as_text(cell)), longest=longest)
    if not any(c.isalpha() for c in text):
        raise Bad("name.form")
    return " ".join(text.split())


def parse_phone(cell: Any) -> str:
    text = unicodedata.normalize("NFKC", _as_text(cell))
    answer = identity.normalize_phone(text)
    if answer.problem is not None:
        raise Bad("phone.form", digits=sum(c.isdigit() for c in text))
    return str(answer.canonical)


def parse_id_number(cell: Any, *, on: dt.date) -> str:
    text = _as_text(cell)
    answer = identity.check_identity(text, kind=identity.guess_kind(text), on=on)
    if answer.problem is not None:
        raise Bad("id_number.form", why=answer.problem.message)
    return str(answer.canonical)


# --- one converter per column ------------------------------------------------------------------------

PRIVATE = frozenset({"id_number", "phone"})


@dataclass(frozen=True)
class Column:
    """What a converter needs to know of a mapped column."""

    header: str
    field: Field
    values: Mapping[str, str]  # plain cell -> canonical
    missing: frozenset[str]  # plain cells that mean nothing is known, beyond the usual ones


def converter(column: Column, how: Conventions, *, label: str) -> Callable[[Any], Any]:
    """A function from a cell to its value, None (nothing known) or a CellError; it remembers answers."""
    read = _reader(column, how, label)
    unknown = words.missing() | column.missing
    code = column.field.kind in ("code", "sex", "bool")
    memo: dict[Any, Any] = {"": None, None: None}

    def convert(cell: Any) -> Any:
        try:
            return memo[cell]
        except KeyError:
            pass
        key = words.plain(cell) if isinstance(cell, str) else None
        if key is not None and key in unknown and not (code and key in column.values):
            value: Any = None
        else:
            try:
                value = read(cell)
            except Bad as bad:
                value = CellError(column.header, shown(cell, column.field), bad.rule, SET_ASIDE, bad.params)
        if len(memo) < _MEMO:
            memo[cell] = value
        return value

    return convert


def shown(cell: Any, field: Field) -> str:
    """The cell as a ledger may repeat it: identity numbers and phones are not."""
    text = _as_text(cell)
    return f"({len(text)})" if field.kind in PRIVATE else text[:120]


def _reader(column: Column, how: Conventions, label: str) -> Callable[[Any], Any]:
    field, longest = column.field, column.field.longest
    match field.kind:
        case "date":
            return lambda cell: check_date(parse_date(cell, how), how)
        case "birth":
            birth = Conventions(how.day_first, how.year, how.timezone, EARLIEST, None, how.as_of)
            return lambda cell: day_of(check_date(parse_date(cell, birth), birth))
        case "age":
            return parse_age
        case "sex":
            return lambda cell: parse_code(
                cell, name="person.sex", extra=column.values, allowed=("F", "M", "O", "U"), label=label
            )
        case "code":
            return lambda cell: parse_code(
                cell, name=field.key, extra=column.values, allowed=field.codes, label=label
            )
        case "bool":
            return lambda cell: parse_bool(cell, extra=column.values)
        case "id":
            return lambda cell: parse_id(cell, longest=longest)
        case "name":
            return lambda cell: parse_name(cell, longest=longest)
        case "phone":
            return parse_phone
        case "id_number":
            return lambda cell: parse_id_number(cell, on=how.as_of or dt.date.max)
    return lambda cell: parse_text(cell, longest=longest)
