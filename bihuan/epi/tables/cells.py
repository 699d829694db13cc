"""Reading cells as dates, numbers and text, in one query; the first that cannot be read is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from bihuan.epi.errors import InputError
from bihuan.epi.series import NO_DAY
from bihuan.epi.tables.files import CELL, COLUMN, Table, broken
from bihuan.epi.years import FIRST, LAST

Kind = Literal["date", "number", "text"]
Weeks = Literal["iso", "mmwr"]

#: Cells that say "not known".
NOT_KNOWN = ("", "na", "n/a", "nan", "null", "none", "-", "缺失", "不详")
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y年%m月%d日",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M:%S.%g",
)
MONTHS = ("month", "月", "月份", "mon")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column to read. `name` may be two for a date (`year,week`, `year,month`) and several for a text."""

    name: str
    kind: Kind = "text"
    needed: bool = False  # a cell that says "not known" is refused
    weeks: Weeks = "iso"  # how 2020-W06 is counted: from Monday, or from Sunday


def fetch(
    table: Table, wanted: Mapping[str, Wanted], *, where: Sequence[tuple[str, str]] = ()
) -> dict[str, NDArray[Any]]:
    """The wanted columns as arrays (datetime64[D] with NaT, float64 with NaN, text with ""), and `row`: the
    number of each record. `where` keeps rows whose column holds exactly that text.
    """
    texts = {key: _text(table, one) for key, one in wanted.items()}
    parts = ["r"]
    for i, (key, one) in enumerate(wanted.items()):
        parts += [f"{_value(texts[key], one.kind, one.weeks)} AS v{i}", f"{_is_known(texts[key])} AS k{i}"]
    conditions = [f"trim(c{table.position(column)}) = ?" for column, _value in where]
    kept = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    try:
        found = table.connection.execute(
            f"SELECT {', '.join(parts)} FROM {table.source}{kept}", [value for _column, value in where]
        ).fetchnumpy()
    except duckdb.Error as error:
        raise broken(table.path, error) from None
    if not len(found["r"]):
        raise _no_rows(table, where)
    columns: dict[str, NDArray[Any]] = {"row": found["r"]}
    for i, (key, one) in enumerate(wanted.items()):
        values, known = np.ma.asarray(found[f"v{i}"]), np.asarray(found[f"k{i}"], dtype=bool)
        missing = np.ma.getmaskarray(values)
        if one.kind != "text":
            _check(table, one, texts[key], found["r"], known & (missing | _far_off(values, one.kind)))
        if one.needed:
            _check_known(table, one, found["r"], known)
        columns[key] = _array(values, missing, one.kind)
    return columns


def dates_of(table: Table, texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Texts as dates, NaT where they are none."""
    given = {"t": np.array([text.strip() for text in texts], dtype=object)}
    table.connection.register("given_dates", given)
    query = f"SELECT {_value('CAST(t AS VARCHAR)', 'date')} AS d FROM given_dates"
    found = np.ma.asarray(table.connection.execute(query).fetchnumpy()["d"])
    return _array(found, np.ma.getmaskarray(found), "date")


def _far_off(values: Any, kind: Kind) -> NDArray[np.bool_]:
    """Dates in no year that is meant, numbers without an end."""
    data = np.ma.getdata(values)
    if kind == "number":
        return np.isinf(np.asarray(data, dtype=np.float64))
    years = np.asarray(data, dtype="datetime64[Y]").astype(np.int64) + 1970
    return (years < FIRST) | (years > LAST)


def _text(table: Table, one: Wanted) -> str:
    """The SQL of a cell's text; several columns become one."""
    names = [one.name] if one.name in table.columns else [part.strip() for part in one.name.split(",")]
    cells = [f"coalesce(trim(c{table.position(name)}), '')" for name in names]
    if len(cells) == 1:
        return cells[0]
    if one.kind == "date" and len(cells) == 2:
        months = names[1].casefold() in MONTHS
        joined = f"'-' || lpad({cells[1]}, 2, '0')" if months else f"'-W' || lpad({cells[1]}, 2, '0')"
        return f"CASE WHEN {cells[0]} = '' OR {cells[1]} = '' THEN '' ELSE {cells[0]} || {joined} END"
    if one.kind == "text":
        return " || ' / ' || ".join(cells)
    raise InputError(
        f"{one.name!r} names {len(cells)} columns; a date takes year,week or year,month, a number one",
        f"{one.name!r} 含 {len(cells)} 列；日期可用“年,周”或“年,月”，数字只能用一列",
        field="column",
    )


def _is_known(text: str) -> str:
    return f"lower({text}) NOT IN ({', '.join(_quoted(word) for word in NOT_KNOWN)})"


def _value(text: str, kind: Kind, weeks: Weeks = "iso") -> str:
    if kind == "text":
        return text
    if kind == "number":
        return f"CASE WHEN {_is_known(text)} THEN TRY_CAST({text} AS DOUBLE) END"
    formats = ", ".join(_quoted(form) for form in DATE_FORMATS)
    start = f"({_first_week(text, weeks)} + INTERVAL 7 DAY * (TRY_CAST(right({text}, 2) AS INTEGER) - 1))"
    after = _first_week(text, weeks, plus=1)
    return (
        f"CASE WHEN NOT {_is_known(text)} THEN NULL "
        f"WHEN regexp_full_match({text}, '\\d{{4}}-?W\\d{{2}}') THEN "
        f"  CASE WHEN right({text}, 2) > '00' AND {start} < {after} THEN CAST({start} AS DATE) END "
        f"WHEN regexp_full_match({text}, '\\d{{4}}[-/.年]\\d{{1,2}}月?') THEN "
        f"  CAST(try_strptime(regexp_replace({text}, '[-/.年](\\d+)月?', '-\\1-01'), '%Y-%m-%d') AS DATE) "
        f"ELSE CAST(try_strptime({text}, [{formats}]) AS DATE) END"
    )


def _first_week(text: str, weeks: Weeks, *, plus: int = 0) -> str:
    """First day of the week that holds 4 January: from Monday (ISO 8601) or Sunday (MMWR)."""
    fourth = f"TRY_CAST((TRY_CAST(left({text}, 4) AS INTEGER) + {plus}) || '-01-04' AS DATE)"
    weekday = f"(isodow({fourth}) - 1)" if weeks == "iso" else f"dayofweek({fourth})"
    return f"({fourth} - INTERVAL 1 DAY * {weekday})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _array(values: Any, missing: NDArray[np.bool_], kind: Kind) -> NDArray[Any]:
    data = np.ma.getdata(values)
    if kind == "date":
        days = np.array(data, dtype="datetime64[D]")
        days[missing] = NO_DAY
        return days
    if kind == "number":
        return np.array(np.where(missing, np.nan, data), dtype=np.float64)
    return np.array(np.where(missing, "", data), dtype=object)


def _check(
    table: Table, one: Wanted, text: str, records: NDArray[np.int64], wrong: NDArray[np.bool_]
) -> None:
    if not wrong.any():
        return
    record = int(records[int(np.argmax(wrong))])
    name, said = _wrong_cell(table, one, text, record)
    row = table.row(record)
    if one.kind == "date":
        en, zh = "not a date that can be read; write it as 2020-02-05", "不是可识别的日期；请写成 2020-02-05"
    else:
        en, zh = "not a number; write digits only, or leave it empty", "不是数字；请只写数字，未知时留空"
    raise InputError(
        f"row {row}, column {name!r}: {said!r} is {en}",
        f"第 {row} 行“{name}”列：{said!r} {zh}",
        field=name,
    )


def _wrong_cell(table: Table, one: Wanted, text: str, record: int) -> tuple[str, str]:
    """The column and the text of the cell that cannot be read."""
    which = f"c{table.position(COLUMN)}" if one.name == CELL else "''"
    value = _value(text, one.kind, one.weeks)
    wrong = f" AND {_is_known(text)} AND ({value} IS NULL OR isinf({value}))" if one.kind == "number" else ""
    query = f"SELECT {which}, {text} FROM {table.source} WHERE r = {record}{wrong}"
    found = table.connection.execute(query).fetchone() or ("", "")
    return (table.across[int(found[0])] if found[0] else one.name), str(found[1])[:60]


def _check_known(table: Table, one: Wanted, records: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
    if known.all():
        return
    row = table.row(int(records[int(np.argmin(known))]))
    raise InputError(
        f"row {row}, column {one.name!r} is empty; fill it in or take the row out",
        f"第 {row} 行“{one.name}”列为空；请补上或删去该行",
        field=one.name,
    )


def _no_rows(table: Table, where: Sequence[tuple[str, str]]) -> InputError:
    if not where:
        return InputError(f"{table.path.name} holds no rows", f"{table.path.name} 没有数据行", field="path")
    said = ", ".join(f"{column}={value}" for column, value in where)
    return InputError(
        f"no row of {table.path.name} has {said}", f"{table.path.name} 中没有 {said} 的行", field="where"
    )
