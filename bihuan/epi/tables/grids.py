"""From single cells to series over the same periods: duplicates, gaps, totals, weeks and months."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import FREQUENCY_ZH, MONTH, Dates, Floats, Frequency, Panel, panel
from bihuan.epi.tables.files import Table

if TYPE_CHECKING:
    from bihuan.epi.tables.counts import Cells, Note, Reading

LIMIT_CELLS = 100_000_000
ORDER: dict[Frequency, int] = {"daily": 0, "weekly": 1, "monthly": 2}


def build(cells: Cells, table: Table, how: Reading) -> tuple[Panel, list[Note]]:
    """The panel of these cells, and what was decided."""
    from bihuan.epi.tables.counts import Note

    notes: list[Note] = []
    own = "daily" if how.lines else _frequency(cells.days)
    asked = how.frequency or own
    if ORDER[asked] < ORDER[own]:
        raise InputError(
            f"the file counts {own} periods; they cannot be read as {asked}",
            f"文件为{FREQUENCY_ZH[own]}计数，无法读成{FREQUENCY_ZH[asked]}计数",
            field="frequency",
        )
    periods, place = _periods(cells, own, how)
    _check_size(len(cells.names), periods.size)
    counts, seen = _spread(cells, place, periods.size, table, how)
    gaps = int((~seen).sum())
    if how.gaps == "zero" or (how.lines and how.gaps is None):
        counts[~seen] = 0.0
    elif gaps:
        notes.append(
            Note(
                f"{gaps} of {seen.size} periods have no row and are taken as not reported "
                "(--gaps zero: as none)",
                f"{seen.size} 期中有 {gaps} 期无行，按未报告处理（--gaps zero：按零处理）",
            )
        )
    population = _population(cells, place, periods.size, table)
    if how.cumulative:
        counts, periods = np.diff(counts, axis=1), periods[1:]
        population = None if population is None else population[:, 1:]
        if not periods.size:
            raise InputError(
                "totals so far need at least two periods", "累计数至少需要两期", field="cumulative"
            )
    notes += _settle_negative(counts, cells.names, periods, how)
    if asked != own:
        counts, population, periods, more = _add_up(counts, population, periods, asked)
        notes += more
    notes += _broken(counts, cells.names)
    made = panel(counts, dates=periods, frequency=asked, names=cells.names, population=population)
    return made, notes


def _broken(counts: Floats, names: tuple[str, ...]) -> list[Note]:
    """A word on numbers that are no counts: methods for counts take a share of 0.9 for less than one case."""
    from bihuan.epi.tables.counts import Note

    whole = np.isnan(counts) | (counts == np.round(counts))
    if whole.all():
        return []
    i, t = (int(k) for k in np.argwhere(~whole)[0])
    return [
        Note(
            f"{int((~whole).sum())} values are not whole numbers, such as {counts[i, t]:g} of {names[i]!r}; "
            "these methods count cases: give counts, with the population as a column, not rates or shares",
            f"有 {int((~whole).sum())} 个数值不是整数，例如 {names[i]!r} 的 {counts[i, t]:g}；"
            "所用方法针对病例计数：请提供计数（可另附人口列），而不是率或百分比",
        )
    ]


def _frequency(days: Dates) -> Frequency:
    """By the steps between all dates: first days of months, whole weeks, else days. Steps much longer than
    the period (two dates a year apart) say nothing: days.
    """
    known = np.unique(days)
    if known.size < 2:
        return "daily"
    steps = np.diff(known).astype(np.int64)
    if (known == known.astype("datetime64[M]")).all() and 28 <= steps.min() <= 31:
        return "monthly"
    return "weekly" if (steps % 7 == 0).all() and steps.min() <= 28 else "daily"


def _periods(cells: Cells, own: Frequency, how: Reading) -> tuple[Dates, NDArray[np.intp]]:
    """Every period from first to last, and which one each cell falls into."""
    first, last = cells.days.min(), cells.days.max()
    if how.lines:  # days without a case are days too, as far as was asked
        first = min(first, np.datetime64(how.since or first.astype(object), "D"))
        last = max(last, np.datetime64(how.until or last.astype(object), "D"))
    if own == "monthly":
        months = np.arange(first.astype("datetime64[M]"), last.astype("datetime64[M]") + MONTH)
        place = (cells.days.astype("datetime64[M]") - months[0]).astype(np.intp)
        return months.astype("datetime64[D]"), place
    step = 7 if own == "weekly" else 1
    periods = np.arange(first, last + np.timedelta64(1, "D"), np.timedelta64(step, "D"))
    return periods, ((cells.days - first).astype(np.int64) // step).astype(np.intp)


def _check_size(n: int, t: int) -> None:
    if n * t > LIMIT_CELLS:
        raise InputError(
            f"{n} series over {t} periods are more than {LIMIT_CELLS} cells; is a date far off? "
            "Take fewer series, or a stretch of time",
            f"{n} 条序列 × {t} 期超过 {LIMIT_CELLS} 格；是否有日期明显有误？请减少序列或缩短时段",
            field="date",
        )


def _spread(
    cells: Cells, place: NDArray[np.intp], t: int, table: Table, how: Reading
) -> tuple[Floats, NDArray[np.bool_]]:
    """Cells on the grid of series × periods, NaN where there is none; and where there was a row."""
    n = len(cells.names)
    key = cells.series * t + place
    seen = np.zeros(n * t, dtype=bool)
    seen[key] = True
    if seen.sum() == key.size:
        counts = np.full(n * t, np.nan)
        counts[key] = cells.values
    elif how.lines or how.duplicates == "sum":
        counts = np.bincount(key, weights=cells.values, minlength=n * t).astype(np.float64)
        counts[~seen] = np.nan
    else:
        raise _twice(cells, key, table)
    return counts.reshape(n, t), seen.reshape(n, t)


def _twice(cells: Cells, key: NDArray[np.intp], table: Table) -> InputError:
    order = np.argsort(key, kind="stable")
    again = int(np.argmax(key[order][1:] == key[order][:-1]))
    a, b = order[again], order[again + 1]
    one, two = table.row(int(cells.rows[a])), table.row(int(cells.rows[b]))
    day, name = cells.days[b], cells.names[int(cells.series[b])]
    alone, known = len(cells.names) == 1, ", ".join(table.columns[:12])
    of, own = ("", "") if alone else (f" of {name!r}", f" {name!r} 的")
    return InputError(
        f"rows {one} and {two} both give {day}{of}; keep one of them, name further columns that tell series "
        f"apart (--series A,B) or keep some rows (--where COLUMN=VALUE), or add them (--sum). "
        f"Columns: {known}",
        f"第 {one} 行与第 {two} 行都是{own} {day}；请保留其一，或指明区分序列的其他列"
        f"（--series A,B）、筛选行（--where 列=值），或相加（--sum）。各列：{known}",
        field="date",
    )


def _population(cells: Cells, place: NDArray[np.intp], t: int, table: Table) -> Floats | None:
    """The population of every period: where there is no row, that of the period before, else after."""
    if cells.population is None:
        return None
    n = len(cells.names)
    if (cells.population <= 0).any():
        row = table.row(int(cells.rows[int(np.argmax(cells.population <= 0))]))
        raise InputError(
            f"row {row}: the population is not above zero; correct it, or leave the column out "
            "(--population -)",
            f"第 {row} 行：人口数不大于零；请更正，或不使用该列（--population -）",
            field="population",
        )
    flat = np.full(n * t, np.nan)
    flat[cells.series * t + place] = cells.population
    grid = flat.reshape(n, t)
    for _direction in range(2):
        last = np.maximum.accumulate(np.where(np.isnan(grid), -1, np.arange(t)), axis=1)
        filled = np.take_along_axis(grid, np.maximum(last, 0), axis=1)
        grid = np.where(last >= 0, filled, np.nan)[:, ::-1]
    return grid


def _settle_negative(counts: Floats, names: tuple[str, ...], periods: Dates, how: Reading) -> list[Note]:
    from bihuan.epi.tables.counts import Note

    with np.errstate(invalid="ignore"):
        wrong = counts < 0
    if not wrong.any():
        return []
    i, t = (int(k) for k in np.argwhere(wrong)[0])
    if how.negative == "missing":
        counts[wrong] = np.nan
        return [
            Note(
                f"{int(wrong.sum())} negative counts are taken as not reported, the first {periods[t]} of "
                f"{names[i]!r}",
                f"{int(wrong.sum())} 个负数按未报告处理，首个为 {names[i]!r} 的 {periods[t]}",
            )
        ]
    kind = ("the total falls by", "累计数减少") if how.cumulative else ("the count is", "计数为")
    number = -counts[i, t] if how.cumulative else counts[i, t]
    of, own = ("", "") if len(names) == 1 else (f" in {names[i]!r}", f"{names[i]!r} ")
    raise InputError(
        f"{kind[0]} {number:g} on {periods[t]}{of}; correct it, or take negative counts as not "
        "reported (--negative missing)",
        f"{own}在 {periods[t]} {kind[1]} {number:g}；请更正，或按未报告处理（--negative missing）",
        field="count",
    )


def _add_up(
    counts: Floats, population: Floats | None, periods: Dates, asked: Frequency
) -> tuple[Floats, Floats | None, Dates, list[Note]]:
    """Sums per week (from Monday) or month. One of which a day was not reported is not reported; the first
    and the last are left out when the days do not fill them.
    """
    from bihuan.epi.tables.counts import Note

    step = int(np.diff(periods[:2]).astype(np.int64)[0]) if periods.size > 1 else 1
    ends = periods + np.timedelta64(step - 1, "D")
    starts = _start_of(periods, asked)
    known, first = np.unique(starts, return_index=True)
    sums = np.add.reduceat(counts, first, axis=1)
    means = None
    if population is not None:
        means = np.add.reduceat(population, first, axis=1) / np.diff([*first, periods.size])
    keep = np.ones(known.size, dtype=bool)
    keep[0] = known[0] >= periods[0]
    keep[-1] &= _start_of(ends[-1:] + np.timedelta64(1, "D"), asked)[0] > known[-1]
    if not keep.any():
        raise InputError(
            f"the file does not fill a single {asked} period",
            f"文件不足一个完整的 {asked} 周期",
            field="frequency",
        )
    notes = []
    if not keep.all():
        left = ", ".join(str(day) for day in known[~keep])
        notes.append(
            Note(
                f"periods that the days do not fill are left out: {left} (--since, --until name whole ones)",
                f"不完整的周期未计入：{left}（可用 --since、--until 指明完整时段）",
            )
        )
    return sums[:, keep], None if means is None else means[:, keep], known[keep], notes


def _start_of(days: Dates, asked: Frequency) -> Dates:
    if asked == "monthly":
        return days.astype("datetime64[M]").astype("datetime64[D]")
    return days - ((days.astype(np.int64) + 3) % 7) * np.timedelta64(1, "D")
