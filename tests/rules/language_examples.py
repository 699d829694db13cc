"""Random expressions of the rule language, of every type, and random rows of facts with gaps."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from bihuan.policy.language import Fact, FactRegistry, FactType

COLUMNS = {
    "b1": FactType.BOOLEAN,
    "b2": FactType.BOOLEAN,
    "i1": FactType.INTEGER,
    "i2": FactType.INTEGER,
    "n1": FactType.NUMBER,
    "n2": FactType.NUMBER,
    "s1": FactType.TEXT,
    "s2": FactType.TEXT,
    "d1": FactType.DATE,
    "d2": FactType.DATE,
    "t1": FactType.TIMESTAMP,
    "t2": FactType.TIMESTAMP,
}
FACTS = FactRegistry.of(
    "example", [Fact(name, kind, {"zh": name, "en": name}) for name, kind in COLUMNS.items()]
)
SQL_TYPES = {
    FactType.BOOLEAN: "boolean",
    FactType.INTEGER: "bigint",
    FactType.NUMBER: "double precision",
    FactType.TEXT: "text",
    FactType.DATE: "date",
    FactType.TIMESTAMP: "timestamp with time zone",
}
TABLE = ", ".join(
    f"{name} {SQL_TYPES[kind]}" for name, kind in {**COLUMNS, "now": FactType.TIMESTAMP}.items()
)

integers = st.one_of(st.integers(-3, 3), st.integers(-(2**53), 2**53))
numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 37.3, 37.29999999999999, 1e-9, 38.0]),
    st.floats(-1e12, 1e12, allow_nan=False, allow_subnormal=False),
    st.integers(-3, 3).map(float),
)
texts = st.one_of(
    st.sampled_from(["", "a", "A", "b", "Z", "é", "中", "文", "𝒳", "a b", "'", "%", "\\", "home", "ab"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4),
)
dates = st.one_of(
    st.sampled_from([dt.date(2020, 2, 28), dt.date(2020, 2, 29), dt.date(2020, 3, 1), dt.date(2019, 12, 31)]),
    st.dates(dt.date(2019, 1, 1), dt.date(2024, 12, 31)),
)
instants = st.one_of(
    st.sampled_from(
        [
            dt.datetime(
                2020, 2, 28, 15, 59, 59, 999_999, dt.UTC
            ),  # a microsecond before midnight in Shanghai
            dt.datetime(2020, 2, 28, 16, tzinfo=dt.UTC),
            dt.datetime(2020, 2, 29, 6, tzinfo=dt.UTC),
        ]
    ),
    st.datetimes(dt.datetime(2019, 1, 1), dt.datetime(2024, 12, 31), timezones=st.just(dt.UTC)),
)
VALUES: dict[FactType, st.SearchStrategy[Any]] = {
    FactType.BOOLEAN: st.booleans(),
    FactType.INTEGER: integers,
    FactType.NUMBER: numbers,
    FactType.TEXT: texts,
    FactType.DATE: dates,
    FactType.TIMESTAMP: instants,
}
rows = st.fixed_dictionaries({name: st.none() | VALUES[kind] for name, kind in COLUMNS.items()})
moments = instants


def as_literal(value: Any) -> str:
    """Return a value as it is written in a rule."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMPTZ '{value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return f"{value:.6f}"
    return str(value)


# Texts in a rule avoid the backslash: it is an escape in some dialects and belongs to no word of a registry.
_LITERALS = {**VALUES, FactType.TEXT: texts.filter(lambda s: "\\" not in s)}
_TYPES = st.sampled_from(list(COLUMNS.values()))
_ORDERED = st.sampled_from([FactType.INTEGER, FactType.NUMBER, FactType.DATE, FactType.TIMESTAMP])
_COMPARE = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


@st.composite
def expressions(draw: st.DrawFn, kind: FactType = FactType.BOOLEAN, levels: int = 4) -> str:
    """Return a random expression of a type, at most `levels` deep."""
    if levels == 0 or draw(st.integers(0, 4)) == 0:
        return _leaf(draw, kind)
    return _BUILD[kind](draw, levels - 1)


def _leaf(draw: st.DrawFn, kind: FactType) -> str:
    names = [name for name, k in COLUMNS.items() if k is kind] + (
        ["now"] if kind is FactType.TIMESTAMP else []
    )
    if draw(st.integers(0, 2)):
        return draw(st.sampled_from(names))
    return as_literal(draw(_LITERALS[kind]))


def _sub(draw: st.DrawFn, kind: FactType, levels: int) -> str:
    return f"({draw(expressions(kind, levels))})"


def _mixed(draw: st.DrawFn, kind: FactType) -> FactType:
    """Return the type, or for numbers sometimes a whole number in its place."""
    return FactType.INTEGER if kind is FactType.NUMBER and draw(st.booleans()) else kind


def _choice_of(draw: st.DrawFn, kind: FactType, levels: int) -> str:
    """CASE and the functions that give back one of their arguments."""
    forms = ["case", "simple case", "coalesce", "case without else"]
    if kind not in (FactType.BOOLEAN, FactType.TEXT):
        forms += ["least", "greatest"]
    form = draw(st.sampled_from(forms))
    first, second = _sub(draw, kind, levels), _sub(draw, _mixed(draw, kind), levels)
    if form in ("coalesce", "least", "greatest"):
        third = draw(st.sampled_from(["", f", {_leaf(draw, kind)}"]))
        return f"{form}({first}, {second}{third})"
    if form == "case":
        condition, other = _sub(draw, FactType.BOOLEAN, levels), _sub(draw, FactType.BOOLEAN, levels)
        middle = draw(st.sampled_from(["NULL", second]))
        return f"CASE WHEN {condition} THEN {first} WHEN {other} THEN {middle} ELSE {second} END"
    asked = draw(_TYPES)
    head = f"CASE {_sub(draw, asked, levels)} WHEN {_sub(draw, asked, levels)} THEN {first}"
    return f"{head} END" if form == "case without else" else f"{head} ELSE {second} END"


def _boolean(draw: st.DrawFn, levels: int) -> str:
    form = draw(st.sampled_from(["and", "or", "not", "compare", "in", "between", "null", "truth", "choice"]))
    if form in ("and", "or"):
        parts = [_sub(draw, FactType.BOOLEAN, levels) for _ in range(draw(st.integers(2, 3)))]
        return f" {form.upper()} ".join(parts)
    if form == "not":
        return f"NOT {_sub(draw, FactType.BOOLEAN, levels)}"
    if form == "compare":
        return _compare(draw, levels)
    if form == "in":
        return _in(draw, levels)
    if form == "between":
        kind = draw(st.sampled_from([FactType.TEXT, FactType.INTEGER, FactType.NUMBER, FactType.DATE]))
        low, high = _sub(draw, _mixed(draw, kind), levels), _sub(draw, kind, levels)
        return f"{_sub(draw, kind, levels)} {draw(st.sampled_from(['', 'NOT ']))}BETWEEN {low} AND {high}"
    if form == "null":
        return f"{_sub(draw, draw(_TYPES), levels)} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
    if form == "truth":
        truth = draw(st.sampled_from(["TRUE", "FALSE", "NOT TRUE", "NOT FALSE"]))
        return f"{_sub(draw, FactType.BOOLEAN, levels)} IS {truth}"
    return _choice_of(draw, FactType.BOOLEAN, levels)


def _compare(draw: st.DrawFn, levels: int) -> str:
    kind = draw(_TYPES)
    op = draw(st.sampled_from(["=", "<>"]) if kind is FactType.BOOLEAN else _COMPARE)
    return f"{_sub(draw, kind, levels)} {op} {_sub(draw, _mixed(draw, kind), levels)}"


def _in(draw: st.DrawFn, levels: int) -> str:
    kind = draw(_TYPES)
    options = [as_literal(draw(_LITERALS[_mixed(draw, kind)])) for _ in range(draw(st.integers(1, 3)))]
    options += draw(st.sampled_from([[], [], ["NULL"]]))
    return f"{_sub(draw, kind, levels)} {draw(st.sampled_from(['', 'NOT ']))}IN ({', '.join(options)})"


def _integer(draw: st.DrawFn, levels: int) -> str:
    form = draw(st.sampled_from(["sum", "minus", "days", "choice"]))
    if form == "days":
        kinds = st.sampled_from([FactType.DATE, FactType.TIMESTAMP])
        return f"days_between({_sub(draw, draw(kinds), levels)}, {_sub(draw, draw(kinds), levels)})"
    return _arithmetic(draw, FactType.INTEGER, levels, form)


def _number(draw: st.DrawFn, levels: int) -> str:
    form = draw(st.sampled_from(["sum", "minus", "hours", "choice"]))
    if form == "hours":
        first, second = (_sub(draw, FactType.TIMESTAMP, levels) for _ in range(2))
        return f"hours_between({first}, {second})"
    return _arithmetic(draw, FactType.NUMBER, levels, form)


def _arithmetic(draw: st.DrawFn, kind: FactType, levels: int, form: str) -> str:
    if form == "choice":
        return _choice_of(draw, kind, levels)
    if form == "minus":
        return f"-{_sub(draw, kind, levels)}"
    other = _mixed(draw, kind)
    return f"{_sub(draw, kind, levels)} {draw(st.sampled_from('+-'))} {_sub(draw, other, levels)}"


def _date(draw: st.DrawFn, levels: int) -> str:
    if draw(st.booleans()):
        return f"day_of({_sub(draw, FactType.TIMESTAMP, levels)})"
    return _choice_of(draw, FactType.DATE, levels)


_BUILD = {
    FactType.BOOLEAN: _boolean,
    FactType.INTEGER: _integer,
    FactType.NUMBER: _number,
    FactType.TEXT: lambda draw, levels: _choice_of(draw, FactType.TEXT, levels),
    FactType.DATE: _date,
    FactType.TIMESTAMP: lambda draw, levels: _choice_of(draw, FactType.TIMESTAMP, levels),
}
any_expression = _TYPES.flatmap(lambda kind: expressions(kind, 3))


def comparable(value: Any) -> Any:
    """Return an answer so that those of Python and of a database can be held against each other."""
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
