"""Which column of a table of counts is which, when nobody says."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bihuan.epi.errors import InputError
from bihuan.epi.tables.files import Table

DATES = (
    "date",
    "日期",
    "week_start",
    "week_starting",
    "week_ending",
    "week_end",
    "week",
    "周",
    "month",
    "月份",
    "day",
    "period",
    "time",
    "date_onset",
    "date_of_onset",
    "onset_date",
    "symptom_onset",
    "onset",
    "发病日期",
    "date_report",
    "report_date",
    "报告日期",
    "t",
    "index",
)
PAIRS = (("year", "week"), ("year", "month"), ("年", "周"), ("年", "月"))
#: The finest place first: where there are several, the finest tells the series apart.
SERIES = (
    "series",
    "territory",
    "location",
    "county",
    "区县",
    "县区",
    "district",
    "city",
    "城市",
    "地市",
    "province",
    "省份",
    "地区",
    "region",
    "state",
    "area",
    "unit",
    "name",
    "id",
)
COUNTS = (
    "count",
    "counts",
    "cases",
    "n",
    "observed",
    "new_cases",
    "confirmed_new",
    "incidence",
    "i",
    "病例数",
    "例数",
    "新增",
    "新增病例",
    "计数",
    "发病数",
)
#: Given as a name: there is none, do not look for it.
NONE = "-"
POPULATIONS = ("population", "pop", "人口", "人口数")


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; empty ones are looked for, and "-" says that there is none. `date` may be
    `year,week` or `year,month`, `series` several columns that together name one (`site_type,nhs_region`).
    """

    date: str = ""
    series: str = ""
    count: str = ""
    population: str = ""


def find(table: Table, given: Columns, *, lines: bool) -> Columns:
    """The columns given, and the others where their names tell."""
    date = given.date or _date(table)
    taken = {part.strip() for part in date.split(",")}
    return replace(
        given,
        date=date,
        series="" if given.series == NONE else given.series or _first(table, SERIES, taken),
        count="" if lines else given.count or _first(table, COUNTS, taken | {given.series}),
        population=_population(table, given, taken, lines=lines),
    )


def _population(table: Table, given: Columns, taken: set[str], *, lines: bool) -> str:
    if lines or given.population == NONE:
        return ""
    return given.population or _first(table, POPULATIONS, taken)


def _date(table: Table) -> str:
    known = {name.casefold(): name for name in table.columns}
    for year, part in PAIRS:
        if year in known and part in known and "date" not in known and "日期" not in known:
            return f"{known[year]},{known[part]}"
    return _first(table, DATES, set())


def _first(table: Table, names: tuple[str, ...], taken: set[str]) -> str:
    known = {name.strip().casefold(): name for name in table.columns if name not in taken}
    return next((known[name] for name in names if name in known), "")


def not_found(table: Table, en: str, zh: str, option: str) -> InputError:
    """No column of that meaning: say which there are and how to name it."""
    known = ", ".join(table.columns[:12]) + (" …" if len(table.columns) > 12 else "")
    return InputError(
        f"which column of {table.path.name} holds {en}? It has: {known}. Name it: {option}",
        f"{table.path.name} 的哪一列是{zh}？现有：{known}。请指明：{option}",
        field="column",
    )
