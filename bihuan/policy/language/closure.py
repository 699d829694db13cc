"""The tree as a Python function for one row: a few comparisons, no interpretation, microseconds.

The function is generated as Python source, one assignment a node, and compiled once. NULL is None; AND and OR
look at their next part only while it can still matter. Equal to `sql.py` and to `trace.evaluate` on every row
(property-tested).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.policy.language import tree
from bihuan.policy.language.facts import NOW, READERS, Fact
from bihuan.policy.language.tree import Node

MICROSECOND = dt.timedelta(microseconds=1)
HOUR = 3_600_000_000  # microseconds

Closure = Callable[[Mapping[str, Any], Any], Any]


def compile_closure(node: Node, *, tz: str) -> Closure:
    """Return `f(row, now)`. A fact missing in the row is not known (None). Raises FactMissing on a wrong
    type."""
    writer = _Writer(ZoneInfo(tz))
    facts = {n.fact.name: n.fact for n in tree.walk(node) if isinstance(n, tree.Ref)}
    for name, fact in facts.items():
        writer.read(fact, writer.name_of(name))
    writer.line(f"return {writer.write(node)}")
    source = "def rule(row, now):\n    get = row.get\n" + "\n".join(writer.lines) + "\n"
    space: dict[str, Any] = dict(writer.constants)
    exec(compile(source, "<rule>", "exec"), space)
    made: Closure = space["rule"]
    made.__doc__ = source
    return made


class _Writer:
    def __init__(self, zone: ZoneInfo) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = {
            "_zone": zone,
            "_microsecond": MICROSECOND,
            "_datetime": dt.datetime,
        }
        self.indent, self.count = 1, 0
        self.names: dict[str, str] = {}

    # --- small tools ---

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def new(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def name_of(self, fact: str) -> str:
        return self.names.setdefault(fact, f"f{len(self.names)}")

    def constant(self, value: Any) -> str:
        if value is None or isinstance(value, (bool, int)):
            return repr(value) if not isinstance(value, int) or value >= 0 else f"({value!r})"
        name = f"k{len(self.constants)}"
        self.constants[name] = value
        return name

    def put(self, expression: str) -> str:
        name = self.new()
        self.line(f"{name} = {expression}")
        return name

    def guarded(self, operands: list[tuple[str, Node]], expression: str) -> str:
        """Assign `expression`, or None if an operand is None."""
        unknown = " or ".join(dict.fromkeys(f"{a} is None" for a, n in operands if nullable(n)))
        return self.put(f"None if {unknown} else {expression}" if unknown else expression)

    def read(self, fact: Fact, name: str) -> None:
        usual, reader = READERS[fact.type]
        usual_name, reader_name = self.constant(usual), self.constant(reader)
        source = "now" if fact is NOW else f"get({fact.name!r})"
        self.line(f"{name} = {source}")
        doubt = f"{name} is not None and ({name}.__class__ is not {usual_name}{_further(fact, name)})"
        self.line(f"if {doubt}: {name} = {reader_name}({fact.name!r}, {name})")

    # --- nodes ---

    def write(self, node: Node) -> str:
        """Write the lines that compute a node; return the name (or constant) that holds it."""
        return _WRITERS[type(node)](self, node)

    def chain(self, parts: tuple[Node, ...], stop: str) -> str:
        """AND (stop at False) and OR (stop at True)."""
        answer = self.put(self.write(parts[0]))
        for part in parts[1:]:
            self.line(f"if {answer} is not {stop}:")
            self.indent += 1
            held = self.write(part)
            self.line(f"if {held} is {stop}: {answer} = {stop}")
            if nullable(part):
                self.line(f"elif {held} is None: {answer} = None")
            self.indent -= 1
        return answer

    def compared(self, op: str, left: tuple[str, Node], right: tuple[str, Node]) -> str:
        sign = {"=": "==", "<>": "!="}.get(op, op)
        return self.guarded([left, right], f"{left[0]} {sign} {right[0]}")


def _further(fact: Fact, name: str) -> str:
    """Return what else makes a value of the usual class doubtful: NaN and infinity, an instant without a
    zone."""
    if fact.type == "number":
        return f" or {name} - {name} != 0.0"
    return f" or {name}.tzinfo is None" if fact.type == "timestamp" else ""


def nullable(node: Node) -> bool:
    """Return whether a node can be NULL."""
    if isinstance(node, tree.Literal):
        return node.value is None
    if isinstance(node, tree.Ref):
        return True
    if isinstance(node, (tree.IsNull, tree.IsTruth)):
        return False
    if isinstance(node, tree.Among):
        return node.has_null or nullable(node.item)
    if isinstance(node, tree.Case):
        results = [b.result for b in node.branches]
        return node.default is None or any(map(nullable, [*results, node.default]))
    if isinstance(node, tree.Call) and node.name in ("coalesce", "least", "greatest"):
        return all(map(nullable, node.args))
    return any(map(nullable, node.children()))


def _literal(w: _Writer, n: tree.Literal) -> str:
    return w.constant(n.value)


def _ref(w: _Writer, n: tree.Ref) -> str:
    return w.name_of(n.fact.name)


def _compare(w: _Writer, n: tree.Compare) -> str:
    return w.compared(n.op, (w.write(n.left), n.left), (w.write(n.right), n.right))


def _all(w: _Writer, n: tree.All) -> str:
    return w.chain(n.parts, "False")


def _any(w: _Writer, n: tree.AnyOf) -> str:
    return w.chain(n.parts, "True")


def _not(w: _Writer, n: tree.Not) -> str:
    held = w.write(n.part)
    return w.guarded([(held, n.part)], f"not {held}")


def _among(w: _Writer, n: tree.Among) -> str:
    held, options = w.write(n.item), w.constant(frozenset(o.value for o in n.options))
    answer = f"({held} in {options} or None)" if n.has_null else f"{held} in {options}"
    return w.guarded([(held, n.item)], answer)


def _between(w: _Writer, n: tree.Between) -> str:
    item = (w.write(n.item), n.item)
    answer = w.put(w.compared(">=", item, (w.write(n.low), n.low)))
    below = w.compared("<=", item, (w.write(n.high), n.high))
    w.line(f"if {below} is False: {answer} = False")
    w.line(f"elif {below} is None and {answer} is True: {answer} = None")
    return answer


def _is_null(w: _Writer, n: tree.IsNull) -> str:
    held = w.write(n.item)
    return w.put(f"{held} is None") if nullable(n.item) else "False"


def _is_truth(w: _Writer, n: tree.IsTruth) -> str:
    return w.put(f"{w.write(n.item)} is {n.truth}")


def _case(w: _Writer, n: tree.Case) -> str:
    answer, met = w.put("None"), w.put("False")
    for branch in n.branches:
        w.line(f"if not {met}:")
        w.indent += 1
        w.line(f"if {w.write(branch.condition)} is True:")
        w.indent += 1
        w.line(f"{answer} = {w.write(branch.result)}")
        w.line(f"{met} = True")
        w.indent -= 2
    if n.default is not None:
        w.line(f"if not {met}:")
        w.indent += 1
        w.line(f"{answer} = {w.write(n.default)}")
        w.indent -= 1
    return answer


def _call(w: _Writer, n: tree.Call) -> str:
    if n.name in ("least", "greatest"):
        return _extreme(w, n)
    if n.name == "coalesce":
        return _coalesce(w, n)
    held = [(w.write(a), a) for a in n.args]
    if n.name == "hours_between":
        return w.guarded(held, f"({held[1][0]} - {held[0][0]}) // _microsecond / {HOUR}")
    days = [f"{name}.astimezone(_zone).date()" if a.type == "timestamp" else name for name, a in held]
    return w.guarded(held, days[0] if n.name == "day_of" else f"({days[1]} - {days[0]}).days")


def _coalesce(w: _Writer, n: tree.Call) -> str:
    answer = w.put(w.write(n.args[0]))
    for arg in n.args[1:]:
        w.line(f"if {answer} is None:")
        w.indent += 1
        w.line(f"{answer} = {w.write(arg)}")
        w.indent -= 1
    return answer


def _extreme(w: _Writer, n: tree.Call) -> str:
    sign = "<" if n.name == "least" else ">"
    answer = w.put(w.write(n.args[0]))
    for arg in n.args[1:]:
        held = w.write(arg)
        known = f"{held} is not None and " if nullable(arg) else ""
        w.line(f"if {known}({answer} is None or {held} {sign} {answer}): {answer} = {held}")
    return answer


def _sum(w: _Writer, n: tree.Sum) -> str:
    left, right = w.write(n.left), w.write(n.right)
    return w.guarded([(left, n.left), (right, n.right)], f"{left} {n.op} {right}")


def _minus(w: _Writer, n: tree.Minus) -> str:
    held = w.write(n.part)
    return w.guarded([(held, n.part)], f"-{held}")


def _widen(w: _Writer, n: tree.Widen) -> str:
    held = w.write(n.part)
    return w.guarded([(held, n.part)], f"float({held})")


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
