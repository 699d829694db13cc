"""The tree as an expression of DuckDB or PostgreSQL, for everybody at once.

Columns must have the type of their fact: boolean, any integer, double precision, text, date, timestamp with
time zone. Text is ordered by code point (collation "C"), sums of whole numbers are 64-bit, and a local day
is taken in the rule's own zone, whatever the session's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from bihuan.policy.language import tree
from bihuan.policy.language.closure import HOUR
from bihuan.policy.language.facts import FactType
from bihuan.policy.language.tree import Node

DIALECTS = ("duckdb", "postgres")


def compile_sql(node: Node, *, dialect: str, tz: str, columns: Mapping[str, str] | None = None) -> str:
    """Return the expression. `columns` maps a fact to the SQL that gives it (trusted text); default: its
    name quoted."""
    if dialect not in DIALECTS:
        raise ValueError(f"dialect must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    return _Writer(dialect, tz, columns or {}).write(node)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class _Writer:
    def __init__(self, dialect: str, tz: str, columns: Mapping[str, str]) -> None:
        self.postgres, self.tz, self.columns = dialect == "postgres", tz, columns

    def write(self, node: Node) -> str:
        return _WRITERS[type(node)](self, node)

    def ordered(self, node: Node) -> str:
        """Return a node as it stands where order matters."""
        text = self.write(node)
        return f'({text} COLLATE "C")' if self.postgres and node.type is FactType.TEXT else text

    def whole(self, node: Node) -> str:
        text = self.write(node)
        return f"CAST({text} AS BIGINT)" if node.type is FactType.INTEGER else text

    def day(self, node: Node) -> str:
        text = self.write(node)
        return (
            f"CAST(timezone({quoted(self.tz)}, {text}) AS DATE)" if node.type is FactType.TIMESTAMP else text
        )


def _literal(w: _Writer, n: tree.Literal) -> str:
    value = n.value
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    if isinstance(value, float):
        return f"CAST({quoted(repr(value))} AS FLOAT8)"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMPTZ {quoted(value.isoformat(sep=' '))}"
    if isinstance(value, dt.date):
        return f"DATE {quoted(value.isoformat())}"
    return quoted(value)


def _ref(w: _Writer, n: tree.Ref) -> str:
    name = n.fact.name
    return w.columns.get(name) or '"' + name.replace('"', '""') + '"'


def _compare(w: _Writer, n: tree.Compare) -> str:
    side = w.write if n.op in ("=", "<>") else w.ordered
    return f"({side(n.left)} {n.op} {side(n.right)})"


def _all(w: _Writer, n: tree.All) -> str:
    return "(" + " AND ".join(map(w.write, n.parts)) + ")"


def _any(w: _Writer, n: tree.AnyOf) -> str:
    return "(" + " OR ".join(map(w.write, n.parts)) + ")"


def _not(w: _Writer, n: tree.Not) -> str:
    return f"(NOT {w.write(n.part)})"


def _among(w: _Writer, n: tree.Among) -> str:
    options = [w.write(o) for o in n.options] + (["NULL"] if n.has_null else [])
    return f"({w.write(n.item)} IN ({', '.join(options)}))"


def _between(w: _Writer, n: tree.Between) -> str:
    return f"({w.ordered(n.item)} BETWEEN {w.ordered(n.low)} AND {w.ordered(n.high)})"


def _is_null(w: _Writer, n: tree.IsNull) -> str:
    return f"({w.write(n.item)} IS NULL)"


def _is_truth(w: _Writer, n: tree.IsTruth) -> str:
    return f"({w.write(n.item)} IS {'TRUE' if n.truth else 'FALSE'})"


def _case(w: _Writer, n: tree.Case) -> str:
    branches = " ".join(f"WHEN {w.write(b.condition)} THEN {w.whole(b.result)}" for b in n.branches)
    default = f" ELSE {w.whole(n.default)}" if n.default is not None else ""
    return f"(CASE {branches}{default} END)"


def _call(w: _Writer, n: tree.Call) -> str:
    if n.name in ("coalesce", "least", "greatest"):
        return f"{n.name}({', '.join(map(w.whole, n.args))})"
    if n.name == "day_of":
        return w.day(n.args[0])
    first, second = n.args
    if n.name == "hours_between":
        return _hours(w, w.write(first), w.write(second))
    if w.postgres:
        return f"({w.day(second)} - {w.day(first)})"
    return f"date_diff('day', {w.day(first)}, {w.day(second)})"


def _hours(w: _Writer, first: str, second: str) -> str:
    """Whole microseconds first, then one division, so that every engine rounds once and alike."""
    if w.postgres:
        between = f"CAST(EXTRACT(EPOCH FROM ({second} - {first})) * 1000000 AS BIGINT)"
    else:
        between = f"(epoch_us({second}) - epoch_us({first}))"
    return f"({between} / CAST({HOUR} AS FLOAT8))"


def _sum(w: _Writer, n: tree.Sum) -> str:
    return f"({w.whole(n.left)} {n.op} {w.whole(n.right)})"


def _minus(w: _Writer, n: tree.Minus) -> str:
    return f"(- {w.whole(n.part)})"


def _widen(w: _Writer, n: tree.Widen) -> str:
    return f"CAST({w.write(n.part)} AS FLOAT8)"


_WRITERS: dict[type[Node], Callable[[_Writer, Any], str]] = {
    tree.Literal: _literal,
    tree.Ref: _ref,
    tree.Compare: _compare,
    tree.All: _all,
    tree.AnyOf: _any,
    tree.Not: _not,
    tree.Among: _among,
    tree.Between: _between,
    tree.IsNull: _is_null,
    tree.IsTruth: _is_truth,
    tree.Case: _case,
    tree.Call: _call,
    tree.Sum: _sum,
    tree.Minus: _minus,
    tree.Widen: _widen,
}
