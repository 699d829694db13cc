"""The answer with its reason: the tree read part by part, keeping what each part came to.

Slower than the closure and written apart from it on purpose: the tests hold the two, and the databases,
equal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.policy.language import tree
from bihuan.policy.language.explain import explain, in_words
from bihuan.policy.language.facts import NOW, Fact, FactType, read_fact
from bihuan.policy.language.tree import Node


@dataclass(frozen=True)
class TracePart:
    """One condition of the rule and what it came to: True, False, or None (not known)."""

    node: Node
    value: bool | None
    depth: int

    def says(self, lang: str) -> str:
        return explain(self.node, lang)


@dataclass(frozen=True)
class Trace:
    """A decision and why.

    `result` is what the closure gives. `values` are the facts used, `policy` the policy values used.
    `parts` are all conditions, outer before inner; `because` only those that decided.
    """

    result: Any
    values: Mapping[str, Any]
    policy: Mapping[str, Any]
    parts: tuple[TracePart, ...]
    decided_by: tuple[TracePart, ...]
    facts: Mapping[str, Fact]

    def because(self, lang: str) -> list[str]:
        """Return the conditions that decided, each as a sentence."""
        return [part.says(lang) for part in self.decided_by]

    def used(self, lang: str) -> list[tuple[str, str]]:
        """Return (label, value) of every fact used, as a person reads them."""
        return [
            (self.facts[name].label.get(lang) or name, in_words(self.facts[name], value, lang))
            for name, value in self.values.items()
        ]


def trace(node: Node, row: Mapping[str, Any], now: dt.datetime | None, *, tz: str) -> Trace:
    """Evaluate a tree on a row, keeping every part."""
    facts = {n.fact.name: n.fact for n in tree.walk(node) if isinstance(n, tree.Ref)}
    values = {name: read_fact(f, now if f is NOW else row.get(name)) for name, f in facts.items()}
    reader = _Reader(values, ZoneInfo(tz))
    result = reader.value(node)
    held = {id(n): reader.value(n) for n in tree.walk(node) if n.type is FactType.BOOLEAN}
    parts = tuple(TracePart(n, held[id(n)], d) for n, d in _conditions(node, 0))
    policy = {n.policy_key: n.value for n in tree.walk(node) if isinstance(n, tree.Literal) and n.policy_key}
    decided = tuple(TracePart(n, reader.value(n), 0) for n in _decisive(node, reader))
    return Trace(result, values, policy, parts, decided, facts)


def evaluate(node: Node, row: Mapping[str, Any], now: dt.datetime | None, *, tz: str) -> Any:
    """Return the value of a tree by plain reading (the yardstick for the compiled forms)."""
    facts = [n.fact for n in tree.walk(node) if isinstance(n, tree.Ref)]
    values = {f.name: read_fact(f, now if f is NOW else row.get(f.name)) for f in facts}
    return _Reader(values, ZoneInfo(tz)).value(node)


def _conditions(node: Node, level: int) -> list[tuple[Node, int]]:
    is_condition = node.type is FactType.BOOLEAN and not isinstance(node, (tree.Literal, tree.When))
    found = [(node, level)] if is_condition else []
    for child in node.children():
        found += _conditions(child, level + 1 if is_condition else level)
    return found


def _decisive(node: Node, reader: _Reader) -> list[Node]:
    """Return the smallest conditions that made a tree come out as it did."""
    if isinstance(node, tree.Case):
        for branch in node.branches:
            if reader.value(branch.condition) is True:
                return _decisive(branch.condition, reader)
        return [branch.condition for branch in node.branches]
    if not isinstance(node, (tree.All, tree.AnyOf)):
        return [node] if node.type is FactType.BOOLEAN else []
    value, stop = reader.value(node), isinstance(node, tree.AnyOf)
    wanted = (
        [p for p in node.parts if reader.value(p) is value] if value in (stop, None) else list(node.parts)
    )
    return [found for part in wanted for found in _decisive(part, reader)]


class _Reader:
    def __init__(self, values: Mapping[str, Any], zone: ZoneInfo) -> None:
        self.values, self.zone = values, zone

    def value(self, node: Node) -> Any:
        return _READERS[type(node)](self, node)

    def day(self, held: Any) -> dt.date:
        return held.astimezone(self.zone).date() if isinstance(held, dt.datetime) else held


def _compare(r: _Reader, n: tree.Compare) -> bool | None:
    return _compared(n.op, r.value(n.left), r.value(n.right))


def _compared(op: str, a: Any, b: Any) -> bool | None:
    if a is None or b is None:
        return None
    return bool(
        {
            "=": lambda: a == b,
            "<>": lambda: a != b,
            "<": lambda: a < b,
            "<=": lambda: a <= b,
            ">": lambda: a > b,
            ">=": lambda: a >= b,
        }[op]()
    )


def _both(values: list[Any]) -> bool | None:
    return False if any(v is False for v in values) else None if None in values else True


def _either(values: list[Any]) -> bool | None:
    return True if any(v is True for v in values) else None if None in values else False


def _opposite(value: bool | None) -> bool | None:
    return None if value is None else not value


def _among(r: _Reader, n: tree.Among) -> bool | None:
    held = r.value(n.item)
    options = [_compared("=", held, o.value) for o in n.options]
    return _either([*options, None] if n.has_null else options)


def _between(r: _Reader, n: tree.Between) -> bool | None:
    held = r.value(n.item)
    return _both([_compared(">=", held, r.value(n.low)), _compared("<=", held, r.value(n.high))])


def _case(r: _Reader, n: tree.Case) -> Any:
    for branch in n.branches:
        if r.value(branch.condition) is True:
            return r.value(branch.result)
    return None if n.default is None else r.value(n.default)


def _call(r: _Reader, n: tree.Call) -> Any:
    held = [r.value(a) for a in n.args]
    known = [v for v in held if v is not None]
    if n.name == "coalesce":
        return known[0] if known else None
    if n.name in ("least", "greatest"):
        return (min if n.name == "least" else max)(known) if known else None
    if len(known) < len(held):
        return None
    if n.name == "day_of":
        return r.day(held[0])
    if n.name == "days_between":
        return (r.day(held[1]) - r.day(held[0])).days
    return (held[1] - held[0]) // dt.timedelta(microseconds=1) / 3_600_000_000


def _sum(r: _Reader, n: tree.Sum) -> Any:
    a, b = r.value(n.left), r.value(n.right)
    if a is None or b is None:
        return None
    return a + b if n.op == "+" else a - b


def _on_known(r: _Reader, node: Node, do: Callable[[Any], Any]) -> Any:
    held = r.value(node)
    return None if held is None else do(held)


_READERS: dict[type[Node], Callable[[_Reader, Any], Any]] = {
    tree.Literal: lambda r, n: n.value,
    tree.Ref: lambda r, n: r.values[n.fact.name],
    tree.Compare: _compare,
    tree.All: lambda r, n: _both([r.value(p) for p in n.parts]),
    tree.AnyOf: lambda r, n: _either([r.value(p) for p in n.parts]),
    tree.Not: lambda r, n: _opposite(r.value(n.part)),
    tree.Among: _among,
    tree.Between: _between,
    tree.IsNull: lambda r, n: r.value(n.item) is None,
    tree.IsTruth: lambda r, n: r.value(n.item) is n.truth,
    tree.When: lambda r, n: r.value(n.result),
    tree.Case: _case,
    tree.Call: _call,
    tree.Sum: _sum,
    tree.Minus: lambda r, n: _on_known(r, n.part, lambda v: -v),
    tree.Widen: lambda r, n: _on_known(r, n.part, float),
}
