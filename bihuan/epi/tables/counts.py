"""Counts per series and period from a file: long, wide, or a line list with one row a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import Dates, Floats, Frequency, Panel
from bihuan.epi.tables import grids
from bihuan.epi.tables.cells import Wanted, Weeks, dates_of, fetch
from bihuan.epi.tables.files import CELL, COLUMN, Table, open_table, stacked
from bihuan.epi.tables.roles import Columns, find, not_found

#: The name of the one series of a table without a column for it, and of cases of unknown place.
ONLY, UNKNOWN = "all", "?"


@dataclass(frozen=True, slots=True)
class Note:
    """What was decided while reading, in both languages."""

    en: str
    zh: str

    def text(self, lang: str = "en") -> str:
        return self.zh if lang.startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read counts. `lines`: every row is one case. `frequency` coarser than the rows adds them up,
    weeks from Monday. `gaps`: a period without a row is "missing" (not reported) or "zero"; default zero for
    line lists, missing for counts. `cumulative`: cells are totals so far. `negative`: refuse them or take
    them as not reported. `duplicates`: refuse two rows for one period, or add them. `start`: the date column
    numbers the periods 1, 2, … of `frequency`, and this is the first. `weeks`: how 2020-W06 is counted.
    `where` keeps rows.
    """

    lines: bool = False
    frequency: Frequency | None = None
    gaps: Literal["missing", "zero"] | None = None
    cumulative: bool = False
    negative: Literal["error", "missing"] = "error"
    duplicates: Literal["error", "sum"] = "error"
    since: date | None = None
    until: date | None = None
    start: date | None = None
    weeks: Weeks = "iso"
    where: Sequence[tuple[str, str]] = ()
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What was read: the panel, the columns it came from, and what was decided on the way."""

    panel: Panel
    columns: Columns
    n_rows: int
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One entry a cell: series, day, value, and where it stood."""

    names: tuple[str, ...]
    series: NDArray[np.intp]
    days: Dates
    values: Floats
    rows: NDArray[np.int64]
    population: Floats | None = None
    notes: tuple[Note, ...] = ()


def read_counts(path: str | Path, columns: Columns | None = None, *, how: Reading | None = None) -> Counts:
    """Read a table of counts as a Panel. Columns that are not named are recognized by their names.

    Long: a date, a count, and where there are several series what names them; wide: a date and one column a
    series, or one column a date. Raises InputError with the row and what to do.
    """
    how = how or Reading()
    with open_table(path, encoding=how.encoding) as table:
        found = find(table, columns or Columns(), lines=how.lines)
        cells = _cells(table, found, how)
        cells = _within(cells, how)
        made, notes = grids.build(cells, table, how)
    return Counts(made, found, int(cells.rows.size), (*cells.notes, *notes))


def _cells(table: Table, found: Columns, how: Reading) -> Cells:
    if how.lines:
        return _lines(table, found, how)
    if found.count:
        return _long(table, found, how)
    if found.date:
        return _wide(table, found, how)
    return _days_across(table, found, how)


def _long(table: Table, found: Columns, how: Reading) -> Cells:
    if not found.date:
        raise not_found(table, "the date", "日期", "--date COLUMN")
    wanted = {"day": _day(found, how), "value": Wanted(found.count, "number")}
    if found.series:
        wanted["series"] = Wanted(found.series, "text", True)
    if found.population:
        wanted["population"] = Wanted(found.population, "number", True)
    read = fetch(table, wanted, where=how.where)
    names, series = _named(read.get("series"), read["row"].size)
    days = _days(read["day"], how)
    return Cells(names, series, days, read["value"], read["row"], read.get("population"))


def _day(found: Columns, how: Reading) -> Wanted:
    return Wanted(found.date, "number" if how.start else "date", True, how.weeks)


def _days(read: NDArray[Any], how: Reading) -> Dates:
    """Dates as they are, or the numbers of periods counted from `how.start`."""
    if how.start is None:
        return read
    first, number = np.datetime64(how.start, "D"), read.astype(np.int64) - 1
    if how.frequency == "monthly":
        return (first.astype("datetime64[M]") + number).astype("datetime64[D]")
    return first + number * np.timedelta64(7 if how.frequency == "weekly" else 1, "D")


def _lines(table: Table, found: Columns, how: Reading) -> Cells:
    if not found.date:
        raise not_found(table, "the date of a case", "病例日期", "--date COLUMN")
    wanted = {"day": Wanted(found.date, "date", weeks=how.weeks)}
    if found.series:
        wanted["series"] = Wanted(found.series)
    read = fetch(table, wanted, where=how.where)
    known = ~np.isnat(read["day"])
    if not known.any():
        raise InputError(
            f"no row has a date in column {found.date!r}",
            f"“{found.date}”列没有一个日期",
            field=found.date,
        )
    missing, notes = int((~known).sum()), []
    if missing:
        notes.append(
            Note(
                f"{missing} of {known.size} rows have no {found.date} and are not counted",
                f"{known.size} 行中有 {missing} 行没有 {found.date}，未计入",
            )
        )
    places = read.get("series")
    if places is not None:
        places = np.where(places == "", UNKNOWN, places)[known]
    names, series = _named(places, int(known.sum()))
    ones = np.ones(int(known.sum()))
    return Cells(names, series, read["day"][known], ones, read["row"][known], notes=tuple(notes))


def _wide(table: Table, found: Columns, how: Reading) -> Cells:
    """A date and one column a series."""
    taken = {part.strip() for part in found.date.split(",")} | {found.population}
    taken |= {column for column, _value in how.where}
    names = tuple(name for name in table.columns if name not in taken)
    if not names or found.population:
        raise not_found(table, "the counts", "计数", "--count COLUMN")
    wanted = {"day": _day(found, how), "series": Wanted(COLUMN), "value": Wanted(CELL, "number")}
    try:
        read = fetch(stacked(table, names), wanted, where=how.where)
    except InputError as error:
        if error.field not in names:
            raise
        option = "--count COLUMN"
        known = ", ".join(table.columns[:12])
        raise InputError(
            f"{error.en}. Read as one column a series; if one column holds the counts, name it: {option}; "
            f"if each row is one case, say --line-list. Columns: {known}",
            f"{error.zh}。按“每列一条序列”读取；若计数在一列中，请指明 {option}；"
            f"若每行一例，请加 --line-list。各列：{known}",
            field=error.field,
        ) from None
    place = {str(table.position(name)): i for i, name in enumerate(names)}
    series = np.array([place[column] for column in read["series"].tolist()], dtype=np.intp)
    return Cells(names, series, _days(read["day"], how), read["value"], read["row"])


def _days_across(table: Table, found: Columns, how: Reading) -> Cells:
    """One row a series and one column a date."""
    days = dates_of(table, table.columns)
    across = [i for i in range(days.size) if not np.isnat(days[i])]
    if len(across) < 2:
        raise not_found(table, "the date", "日期", "--date COLUMN")
    named = found.series or next((n for i, n in enumerate(table.columns) if i not in across), "")
    wanted = {"day": Wanted(COLUMN), "value": Wanted(CELL, "number")}
    if named:
        wanted["series"] = Wanted(named, "text", True)
    read = fetch(stacked(table, [table.columns[i] for i in across]), wanted, where=how.where)
    order = np.argsort(read["row"], kind="stable")  # series in the order of their rows
    read = {key: values[order] for key, values in read.items()}
    names, series = _named(read.get("series"), read["row"].size)
    on = days[np.array([int(column) for column in read["day"].tolist()], dtype=np.intp)]
    return Cells(names, series, on, read["value"], read["row"])


def _named(places: NDArray[Any] | None, n: int) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Names in order of first appearance, and the index of each entry."""
    if places is None:
        return (ONLY,), np.zeros(n, dtype=np.intp)
    seen = {name: i for i, name in enumerate(dict.fromkeys(places.tolist()))}
    return tuple(str(name) for name in seen), np.array(
        [seen[name] for name in places.tolist()], dtype=np.intp
    )


def _within(cells: Cells, how: Reading) -> Cells:
    """Only what falls into the days asked for."""
    keep = np.ones(cells.days.size, dtype=bool)
    if how.since:
        keep &= cells.days >= np.datetime64(how.since)
    if how.until:
        keep &= cells.days <= np.datetime64(how.until)
    if keep.all():
        return cells
    if not keep.any():
        first, last = cells.days.min(), cells.days.max()
        raise InputError(
            f"nothing falls into the days asked for; the file goes from {first} to {last}",
            f"所选日期内没有数据；文件覆盖 {first} 至 {last}",
            field="date",
        )
    population = None if cells.population is None else cells.population[keep]
    return replace(
        cells,
        series=cells.series[keep],
        days=cells.days[keep],
        values=cells.values[keep],
        rows=cells.rows[keep],
        population=population,
    )
