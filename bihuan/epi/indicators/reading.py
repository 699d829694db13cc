"""Columns of a case list, a contact list and their follow-up, as they were known at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bihuan.epi.delays import times
from bihuan.epi.errors import InputError
from bihuan.epi.series import Floats

Columns = Mapping[str, Sequence[Any]]


class Tables:
    """The columns as numbers, as known at a moment; `lacking` names the first that is not there."""

    def __init__(self, tables: Mapping[str, Columns], now: float) -> None:
        self.tables, self.now = tables, now
        for name, table in tables.items():
            sizes = {column: len(values) for column, values in table.items()}
            if len(set(sizes.values())) > 1:
                raise InputError(
                    f"columns of {name} differ in length: {sizes}",
                    f"{name} 各列长度不同：{sizes}",
                    field=name,
                )

    def lacking(self, table: str, *columns: str) -> str | None:
        for column in columns:
            if column not in self.tables[table]:
                return f"{table}.{column}"
        return None

    def moments(self, table: str, column: str) -> Floats:
        """Days on the axis of time, NaN where unknown or later than the moment."""
        values = times.read(self.tables[table][column], field=f"{table}.{column}").values
        return np.where(values > self.now, np.nan, values)

    def flags(self, table: str, column: str) -> Floats:
        """1, 0, or NaN where unknown."""
        return np.array([np.nan if v is None else float(bool(v)) for v in self.tables[table][column]])

    def counts(self, table: str, column: str) -> Floats:
        values = np.array([np.nan if v is None else float(v) for v in self.tables[table][column]])
        if (values < 0).any():
            raise InputError(
                f"{table}.{column} holds a negative count",
                f"{table}.{column} 含负数",
                field=f"{table}.{column}",
            )
        return values


def moment(as_of: Any) -> float:
    value = float(times.read([as_of], field="as_of").values[0])
    return value + 1 - 1e-9 if value == np.floor(value) else value


def in_time(start: Floats, ends: list[Floats], days: float, now: float) -> tuple[Floats, int]:
    """1 where all ends came within `days` of the start, 0 where not (nor can any more), NaN where unknown or
    still running; and how many still run."""
    last = np.max(ends, axis=0) if ends else start
    with np.errstate(invalid="ignore"):
        done = ~np.isnan(last)
        met = np.where(done, (last - start <= days + 1e-9).astype(float), 0.0)
        running = ~done & ~np.isnan(start) & ~(now - start > days)
    if not np.isfinite(now):
        running = np.zeros_like(done)  # judged when all is over: what was never done was not in time
    met[np.isnan(start) | running] = np.nan
    return met, int(running.sum())


def known_days(read: Tables, table: str) -> np.ndarray:
    if read.lacking(table, "day"):
        return np.ones(len(next(iter(read.tables[table].values()), [])), dtype=bool)
    day = times.read(read.tables[table]["day"], field=f"{table}.day").values
    return np.asarray(~(day > read.now))
