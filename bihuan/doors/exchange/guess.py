"""A first mapping for an unknown file: by the words of its header and by what its cells look like.

The answer is a proposal with a confidence and a reason per column; a person reads it before it is used.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from django.utils.translation import gettext as _

from . import words
from .fields import CONTACTS, FIELDS, LINELIST, LINKS, Field, fields_of
from .mapping import ColumnMap, Mapping
from .parse import Bad, Conventions, day_of, parse_age, parse_date, parse_id_number
from .reader import Cell, FileHints, Table

SAMPLE_ROWS = 500
ERA_ROWS = 20_000  # rows looked at for the years of a list
FEW_DATES, MOST_DATES, YEARS_APART = 3, 0.6, 3
SURE, LIKELY, PERHAPS = 0.95, 0.75, 0.55


@dataclass(frozen=True)
class Profile:
    """What the filled cells of one column look like, as shares of them from 0 to 1."""

    filled: int
    distinct: int
    dates: float
    ages: float
    sexes: float
    ids: float
    id_numbers: float
    phones: float
    length: float
    top: tuple[str, ...]


def guess(table: Table, *, kind: str | None = None) -> Mapping:
    """Propose a mapping from the header and the first rows. Changes nothing; never fails on content."""
    rows = _sample(table)
    columns = [[row[i] for row in rows] for i in range(len(table.headers))]
    how = _conventions(columns)
    profiles = [profile(cells, how) for cells in columns]
    kind = kind or _kind(table.headers, profiles)
    chosen = _assign(table.headers, profiles, kind)
    maps = tuple(
        _column(header, cells, chosen.get(i), kind)
        for i, (header, cells) in enumerate(zip(table.headers, columns, strict=True))
    )
    name = _slug(table.path)
    fed = {f for c in maps for f in c.fields}
    era_from, era_to = _era(table, maps, how)
    built = Mapping(
        name=name,
        kind=kind,
        list_id=name,
        columns=maps,
        file=table_hints(table),
        day_first=how.day_first,
        year=how.year,
        era_from=era_from,
        era_to=era_to,
    )
    if kind == LINELIST and "case.classification" not in fed:
        guessed = "confirmed" if "case.date_confirmation" in fed else "suspected"
        built = replace(built, constants={"case.classification": guessed})
    return built


def table_hints(table: Table) -> FileHints:
    """What was recognized about the file, worth keeping in a mapping."""
    usual = table.encoding in (None, "utf-8", "utf-8-sig")
    return FileHints(
        encoding=None if usual else table.encoding,
        delimiter=None if table.delimiter in (None, ",") else table.delimiter,
        sheet=table.sheet if len(table.sheets) > 1 else None,
        header_row=table.header_row if table.header_row > 1 else None,
    )


def _sample(table: Table) -> list[tuple[Cell, ...]]:
    out = []
    for row in table.rows():
        out.append(row.cells[: len(table.headers)])
        if len(out) >= SAMPLE_ROWS:
            break
    return out


# --- what columns look like -------------------------------------------------------------------------


def profile(cells: Sequence[Cell], how: Conventions) -> Profile:
    """Look at one column's cells."""
    filled = [c for c in cells if c is not None and words.plain(str(c)) not in words.missing()]
    n = len(filled) or 1
    texts = [words.plain(str(c)) for c in filled]
    counts = Counter(texts)
    return Profile(
        filled=len(filled),
        distinct=len(counts),
        dates=sum(_is_date(c, how) for c in filled) / n,
        ages=sum(_is_age(c) for c in filled) / n,
        sexes=sum(t in words.codes("person.sex") for t in texts) / n,
        ids=sum(bool(re.fullmatch(r"(?=.*\d)[\w\-/.]{1,64}", t)) for t in texts) / n,
        id_numbers=sum(_is_id_number(c) for c in filled) / n,
        phones=sum(bool(re.fullmatch(r"(\+?\d{1,3}[\s-]?)?\d[\d\s-]{6,14}", t)) for t in texts) / n,
        length=sum(map(len, texts)) / n,
        top=tuple(t for t, _n in counts.most_common(12)),
    )


def _is_date(cell: Cell, how: Conventions) -> bool:
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return False  # a bare number is a date only where the header says so
    try:
        parse_date(cell, how)
    except Bad as bad:
        return bad.rule in ("date.span", "date.vague", "date.no_year", "date.ambiguous")
    return not re.fullmatch(r"\d+(\.\d+)?", str(cell))


def _is_age(cell: Cell) -> bool:
    try:
        return parse_age(cell) <= 120
    except Bad:
        return False


def _is_id_number(cell: Cell) -> bool:
    if len(str(cell)) not in (15, 18):
        return False
    try:
        parse_id_number(cell, on=dt.date.max)
    except Bad:
        return False
    return True


_AMBIGUOUS = re.compile(r"\s*(\d{1,2})[-/](\d{1,2})[-/](\d{4}|\d{2})\b.*")
_YEAR = re.compile(r"\b(19|20)\d{2}\b")


def _conventions(columns: Sequence[Sequence[Cell]]) -> Conventions:
    """Day first or month first from cells that leave no doubt; the usual year when cells have none."""
    first = second = no_year = 0
    years = Counter[int]()
    for cells in columns:
        for cell in cells:
            text = str(cell) if cell is not None else ""
            if isinstance(cell, dt.date):
                years[cell.year] += 1
            m = _AMBIGUOUS.fullmatch(text)
            if m:
                first += int(m[1]) > 12
                second += int(m[2]) > 12
            elif _lacks_year(text):
                no_year += 1
            elif (y := _YEAR.search(text)) and len(text) <= 24:
                years[int(y[0])] += 1
    day_first = None if first == second else first > second
    return Conventions(day_first=day_first, year=years.most_common(1)[0][0] if no_year and years else None)


def _lacks_year(text: str) -> bool:
    try:
        parse_date(text, Conventions())
    except Bad as bad:
        return bad.rule == "date.no_year"
    return False


def _era(table: Table, maps: Sequence[ColumnMap], how: Conventions) -> tuple[dt.date | None, dt.date | None]:
    """The time of the list: a year around the years most of its outbreak dates lie in, so that a typing error
    in a year (2002 or 2200 for 2020) stands out. Years belong together when no more than two lie between.

    Nothing where dates are few or spread; no end where the list is longer than what was looked at.
    """
    places = [i for i, column in enumerate(maps) if any(FIELDS[f].era for f in column.fields)]
    years, whole = _years(table, places, how)
    n = sum(years.values())
    if n < FEW_DATES:
        return None, None
    ordered = sorted(years.elements())
    middle = ordered[n // 2]
    first = _reach(middle, sorted((y for y in years if y < middle), reverse=True))
    last = _reach(middle, sorted(y for y in years if y > middle))
    inside = sum(count for year, count in years.items() if first <= year <= last)
    if inside < MOST_DATES * n:
        return None, None
    end = dt.date(last + 1, 12, 31) if whole and last < dt.MAXYEAR else None
    return dt.date(max(first - 1, dt.MINYEAR), 1, 1), end


def _years(table: Table, places: Sequence[int], how: Conventions) -> tuple[Counter[int], bool]:
    """The years of the dates in these columns, and whether all rows were looked at."""
    years = Counter[int]()
    for n, row in enumerate(table.rows() if places else ()):
        if n >= ERA_ROWS:
            return years, False
        for place in places:
            try:
                years[day_of(parse_date(row.cells[place], how)).year] += 1
            except Bad:
                continue
    return years, True


def _reach(middle: int, others: Sequence[int]) -> int:
    """How far from the middle year the list goes, by years in order of distance."""
    here = middle
    for year in others:
        if abs(year - here) > YEARS_APART:
            break
        here = year
    return here


# --- which field ------------------------------------------------------------------------------------


def _kind(headers: Sequence[str], profiles: Sequence[Profile]) -> str:
    keys = {words.header_key(h) for h in headers}
    synonyms = words.synonyms()
    from_to = bool(keys & (set(synonyms["contact.case_id"]) - set(synonyms["case.local_id"])))
    to = bool(keys & (set(synonyms["contact.to_case_id"]) - {"caseid"})) or (from_to and "caseid" in keys)
    person = any(
        keys & set(synonyms[f])
        for f in ("person.name", "person.age", "person.sex", "contact.date_follow_up_start")
    )
    if to and not person and (from_to or len(headers) <= 4):
        return LINKS
    follow = any(
        keys & set(synonyms[f])
        for f in ("contact.local_id", "contact.final_status", "contact.date_follow_up_start")
    )
    return CONTACTS if follow or (from_to and person) else LINELIST


def _assign(
    headers: Sequence[str], profiles: Sequence[Profile], kind: str
) -> dict[int, tuple[str, float, str]]:
    """Column -> (field, confidence, reason); each field once, the surest pair first."""
    offers = []
    for index, (header, look) in enumerate(zip(headers, profiles, strict=True)):
        for f in fields_of(kind):
            score, reason = _score(header, look, f)
            if score >= PERHAPS:
                offers.append((score, -index, f.key, reason))
    offers.sort(reverse=True)
    taken: dict[int, tuple[str, float, str]] = {}
    used: set[str] = set()
    for score, negative, key, reason in offers:
        if -negative not in taken and key not in used:
            taken[-negative] = (key, round(score, 2), reason)
            used.add(key)
    return taken


def _score(header: str, look: Profile, f: Field) -> tuple[float, str]:
    by_name, reason = _by_name(words.header_key(header), f.key)
    fits, seen = _fit(look, f)
    if look.filled == 0:
        return by_name * 0.8, reason
    if by_name == 0:
        return (fits * LIKELY if fits > 0.9 and f.kind in ("sex", "id_number") else 0.0), seen
    if fits < 0.3:
        return 0.0, seen
    return by_name * (0.6 + 0.4 * fits), f"{reason}; {seen}" if seen else reason


def _by_name(key: str, field_key: str) -> tuple[float, str]:
    synonyms = words.synonyms()[field_key]
    if key in synonyms:
        return SURE + 0.04 * (1 - synonyms.index(key) / len(synonyms)), _("the header says so")
    best = 0.0
    for word in synonyms:
        edge = len(word) >= 3 and 2 * len(word) >= len(key) and (key.startswith(word) or key.endswith(word))
        if edge or (len(word) >= 2 and not word.isascii() and word in key):
            best = max(best, PERHAPS + 0.3 * len(word) / max(len(key), 1))
    return min(best, LIKELY + 0.1), _("part of the header says so")


def _fit(look: Profile, f: Field) -> tuple[float, str]:
    """How well the cells fit the field's kind, and the words for it."""
    share, words_for = {
        "date": (look.dates, _("%d%% of the cells are dates")),
        "birth": (look.dates, _("%d%% of the cells are dates")),
        "age": (look.ages, _("%d%% of the cells are ages")),
        "sex": (look.sexes, _("%d%% of the cells are sexes")),
        "id_number": (look.id_numbers, _("%d%% are valid identity numbers")),
        "phone": (look.phones, _("%d%% look like phone numbers")),
        "id": (max(look.ids, 0.5 if look.distinct else 0), _("%d%% look like identifiers")),
    }.get(f.kind, (1.0, ""))
    if f.kind in ("code", "bool"):
        known = words.codes(f.key if f.kind == "code" else "bool")
        share = sum(t in known for t in look.top) / max(len(look.top), 1)
        if look.dates > 0.5:
            share = 0.0
        return max(share, 0.35 if look.distinct <= 12 and look.dates <= 0.5 else 0.0), _(
            "%d%% of the usual values are known"
        ) % (100 * share)
    serial = look.ids > 0.9 and look.distinct == look.filled > 5
    if f.kind in ("text", "name", "territory") and look.filled and (look.dates > 0.8 or serial):
        return 0.0, ""
    return share, (words_for % (100 * share) if words_for else "")


_DEATH = r"death|dead|deceas|died|死亡|defunc|fallec"
_DISCHARGE = r"discharge|出院|release|egreso|recover"


def _column(
    header: str, cells: Sequence[Cell], choice: tuple[str, float, str] | None, kind: str
) -> ColumnMap:
    if choice is None:
        return ColumnMap(header, reason=_("no field fits"))
    key, confidence, reason = choice
    f = FIELDS[key]
    values: dict[str, str] = {}
    if f.kind in ("code", "sex", "bool"):
        known = words.codes("bool" if f.kind == "bool" else key)
        seen = Counter(words.plain(str(c)) for c in cells if c not in (None, ""))
        values = {
            v: known.get(v, "") for v, _n in seen.most_common(30) if v not in words.missing() or v in known
        }
    implies = {}
    if key == "case.date_outcome":
        died, left = (bool(re.search(pattern, words.plain(header))) for pattern in (_DEATH, _DISCHARGE))
        if died != left:
            implies = {"case.outcome": "died" if died else "recovered"}
    return ColumnMap(header, (key,), values, frozenset(), implies, confidence, reason)


def _slug(path: Path) -> str:
    stem = re.sub(r"[^\w\-]+", "-", path.stem, flags=re.ASCII).strip("-").lower()
    parent = re.sub(r"[^\w\-]+", "-", path.parent.name, flags=re.ASCII).strip("-").lower()
    return "-".join(x for x in (parent, stem) if x)[:60] or "list"
