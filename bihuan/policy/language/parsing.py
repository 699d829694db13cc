"""From text to a typed tree. Everything that is not on the list is refused, with its place and what is
allowed."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from bihuan.policy.errors import RuleBroken, UnknownPolicyKey, nearest, say
from bihuan.policy.language import tree
from bihuan.policy.language.facts import FactRegistry, FactType
from bihuan.policy.language.tree import Node

LONGEST_TEXT = 4000
DEEPEST_TREE = 40
LARGEST_INTEGER = 2**53

ALLOWED = (
    "facts, literals, = <> < <= > >=, AND, OR, NOT, IN, BETWEEN, IS NULL, IS TRUE, CASE, + -, "
    "coalesce, least, greatest, days_between, hours_between, day_of, policy"
)
COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
ORDERED = (FactType.INTEGER, FactType.NUMBER, FactType.DATE, FactType.TIMESTAMP)
NUMERIC = (FactType.INTEGER, FactType.NUMBER)
# What a node of sqlglot may carry; anything else in it (SYMMETRIC, a sub-query, DISTINCT …) is refused.
PARTS: dict[type[exp.Expr], frozenset[str]] = {
    exp.In: frozenset({"this", "expressions"}),
    exp.Between: frozenset({"this", "low", "high"}),
    exp.Is: frozenset({"this", "expression", "negate"}),
    exp.Case: frozenset({"this", "ifs", "default"}),
    exp.If: frozenset({"this", "true"}),
    exp.Coalesce: frozenset({"this", "expressions"}),
    exp.Greatest: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Least: frozenset({"this", "expressions", "ignore_nulls"}),
    exp.Column: frozenset({"this"}),
    exp.Cast: frozenset({"this", "to"}),
}


class Policy(Protocol):
    """Where `policy('key')` looks; a ResolvedPolicy is one."""

    def value(self, key: str) -> Any: ...


def parse(text: str, facts: FactRegistry, *, policy: Policy | None = None) -> Node:
    """Return the tree of `text`, or raise RuleBroken with the place and the way out."""
    if len(text) > LONGEST_TEXT:
        raise RuleBroken("A rule may be {n} characters long.", {"n": LONGEST_TEXT}, text=text[:200])
    try:
        node = _Parser(text, facts, policy).parse()
        deep = tree.depth(node)
    except RecursionError:
        deep = DEEPEST_TREE + 1
    if deep > DEEPEST_TREE:
        raise RuleBroken(
            "The rule is nested too deeply ({n} levels are allowed).", {"n": DEEPEST_TREE}, text=text
        )
    return node


def _read(text: str) -> exp.Expr:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    try:
        found = [e for e in sqlglot.parse(text, read="postgres") if e is not None]
    except SqlglotError as error:
        first: dict[str, Any] = next(iter(getattr(error, "errors", []) or []), {})
        raise RuleBroken(
            "This cannot be read as an expression; something is missing or too much near here.",
            text=text,
            position=_offset(text, first.get("line"), first.get("col"), first.get("highlight")),
        ) from None
    if len(found) != 1:
        raise RuleBroken("A rule is one expression; here are {n}.", {"n": len(found)}, text=text)
    return found[0]


def _offset(text: str, line: int | None, column: int | None, highlight: str | None) -> int:
    if not line:
        return 0
    before = sum(len(part) + 1 for part in text.split("\n")[: line - 1])
    return max(0, min(len(text), before + (column or 1) - len(highlight or " ")))


class _Parser:
    def __init__(self, text: str, facts: FactRegistry, policy: Policy | None) -> None:
        self.text, self.facts, self.policy = text, facts, policy

    def parse(self) -> Node:
        node = self.node(_read(self.text))
        if node.type is FactType.NULL:
            raise self.refusal(node.at, "The rule is never anything but NULL.")
        return node

    # --- saying no ---

    def refusal(self, at: int | exp.Expr, template: str, hint: str = "", **params: Any) -> RuleBroken:
        place = at if isinstance(at, int) else self.place(at)
        return RuleBroken(template, params, text=self.text, position=place, hint=hint)

    def place(self, e: exp.Expr) -> int:
        """Return where a node begins in the text: its own mark, or its first part's, or where its text is
        found."""
        if "start" in e.meta:
            return int(e.meta["start"])
        marks = [n.meta["start"] for n in e.walk() if "start" in n.meta]
        if marks:
            return int(min(marks))
        return max(0, self.text.lower().find(e.sql(dialect="postgres").lower()))

    def only(self, e: exp.Expr) -> None:
        allowed = PARTS.get(type(e))
        if allowed is None:
            return
        for name, held in e.args.items():
            if held and name not in allowed:
                raise self.refusal(
                    e, "{what} is not in the rule language. Allowed: {allowed}.", what=name, allowed=ALLOWED
                )

    # --- nodes ---

    def node(self, e: exp.Expr) -> Node:
        self.only(e)
        if type(e) in COMPARISONS:
            return self.compare(e, COMPARISONS[type(e)], e.this, e.expression)
        build = _BUILDERS.get(type(e))
        if build is None:
            shown = e.sql(dialect="postgres")
            raise self.refusal(
                e,
                "{what} is not in the rule language. Allowed: {allowed}.",
                what=shown if len(shown) <= 60 else shown[:57] + "…",
                allowed=ALLOWED,
            )
        return build(self, e)

    def value(self, e: exp.Expr) -> Node:
        """Return a node that is not the word NULL."""
        node = self.node(e)
        if node.type is FactType.NULL:
            raise self.refusal(
                e, "NULL cannot stand here.", hint="Write IS NULL to ask whether something is not known."
            )
        return node

    def boolean(self, e: exp.Expr, what: str) -> Node:
        node = self.value(e)
        if node.type is not FactType.BOOLEAN:
            raise self.refusal(e, "{what} needs true or false; this is {kind}.", what=what, kind=node.type)
        return node

    def same(self, nodes: Sequence[Node], at: exp.Expr, what: str) -> tuple[list[Node], FactType]:
        """Return nodes of one type, whole numbers widened where needed; NULL goes with any type."""
        kinds = {n.type for n in nodes} - {FactType.NULL}
        if kinds == set(NUMERIC):
            return [_widened(n) for n in nodes], FactType.NUMBER
        if len(kinds) > 1:
            raise self.refusal(
                at,
                "{what} of different types: {kinds}.",
                hint=_advice(kinds),
                what=what,
                kinds=", ".join(sorted(kinds)),
            )
        return list(nodes), next(iter(kinds), FactType.NULL)

    def compare(self, e: exp.Expr, op: str, left: exp.Expr, right: exp.Expr) -> Node:
        (a, b), kind = self.same([self.value(left), self.value(right)], e, say("The comparison is"))
        if kind is FactType.BOOLEAN and op not in ("=", "<>"):
            raise self.refusal(e, "True and false have no order; use = or <>.")
        self.words(a, [b], right)
        self.words(b, [a], left)
        return tree.Compare(FactType.BOOLEAN, self.place(e), op, a, b)

    def words(self, asked: Node, literals: Sequence[Node], at: exp.Expr) -> None:
        if not isinstance(asked, tree.Ref) or not asked.fact.words:
            return
        for node in literals:
            if (
                isinstance(node, tree.Literal)
                and node.value is not None
                and node.value not in asked.fact.words
            ):
                raise self.refusal(
                    at,
                    "{word} is not a word of {name}. Allowed: {allowed}.",
                    word=node.value,
                    name=asked.fact.name,
                    allowed=", ".join(asked.fact.words),
                )

    def joined(self, e: exp.Expr, kind: type[exp.Expr], into: Callable[..., Node], what: str) -> Node:
        parts: list[exp.Expr] = []
        waiting: list[exp.Expr] = [e]
        while waiting:
            one = waiting.pop()
            if isinstance(one, kind):
                waiting += [one.expression, one.this]
            else:
                parts.append(one)
        nodes = tuple(self.boolean(p, what) for p in parts)
        return into(FactType.BOOLEAN, nodes[0].at, nodes)


def _widened(node: Node) -> Node:
    if node.type is not FactType.INTEGER:
        return node
    if isinstance(node, tree.Literal):
        return tree.Literal(FactType.NUMBER, node.at, float(node.value), node.policy_key)
    return tree.Widen(FactType.NUMBER, node.at, node)


def _advice(kinds: set[FactType]) -> str:
    if kinds == {FactType.DATE, FactType.TIMESTAMP}:
        return "Use day_of(…) to get the local day of an instant."
    if kinds == {FactType.DATE, FactType.TEXT}:
        return "Write a date as DATE '2020-01-31'."
    if kinds == {FactType.TIMESTAMP, FactType.TEXT}:
        return "Write an instant as TIMESTAMPTZ '2020-01-31 08:00+08:00'."
    return ""


# --- one builder for each kind of node --------------------------------------------------------------


def _paren(p: _Parser, e: exp.Expr) -> Node:
    return p.node(e.this)


def _column(p: _Parser, e: exp.Expr) -> Node:
    identifier = e.this
    if not isinstance(identifier, exp.Identifier):
        raise p.refusal(
            e, "{what} is not in the rule language. Allowed: {allowed}.", what=e.sql(), allowed=ALLOWED
        )
    name = identifier.this if identifier.args.get("quoted") else identifier.this.lower()
    fact = p.facts.get(name)
    if fact is None:
        near = ", ".join(nearest(name, p.facts)) or ", ".join(sorted(p.facts))
        raise p.refusal(
            identifier,
            "There is no fact {name} about a {subject}.",
            hint=say("Nearest: {names}.", names=near),
            name=name,
            subject=p.facts.subject,
        )
    return tree.Ref(fact.type, p.place(identifier), fact)


def _literal(p: _Parser, e: exp.Expr) -> Node:
    at = p.place(e)
    if e.args.get("is_string"):
        if "\x00" in e.this:
            raise p.refusal(e, "A text cannot hold a zero character.")
        return tree.Literal(FactType.TEXT, at, str(e.this))
    return _number(p, e, str(e.this), at)


def _number(p: _Parser, e: exp.Expr, digits: str, at: int) -> Node:
    if digits.isdigit():
        whole = int(digits)
        if whole > LARGEST_INTEGER:
            raise p.refusal(e, "{number} is too large.", number=digits)
        return tree.Literal(FactType.INTEGER, at, whole)
    try:
        number = float(digits)
    except ValueError:
        raise p.refusal(e, "{number} is not a number.", number=digits) from None
    if not math.isfinite(number):
        raise p.refusal(e, "{number} is too large.", number=digits)
    return tree.Literal(FactType.NUMBER, at, number)


def _boolean(p: _Parser, e: exp.Expr) -> Node:
    return tree.Literal(FactType.BOOLEAN, p.place(e), bool(e.this))


def _null(p: _Parser, e: exp.Expr) -> Node:
    return tree.Literal(FactType.NULL, p.place(e), None)


def _negative(p: _Parser, e: exp.Expr) -> Node:
    node = p.value(e.this)
    if node.type not in NUMERIC:
        raise p.refusal(e, "{what} needs numbers; this is {kind}.", what="-", kind=node.type)
    if isinstance(node, tree.Literal):
        return tree.Literal(node.type, node.at, -node.value, node.policy_key)
    return tree.Minus(node.type, node.at, node)


def _sum(p: _Parser, e: exp.Expr) -> Node:
    op = "+" if isinstance(e, exp.Add) else "-"
    nodes = [p.value(e.this), p.value(e.expression)]
    for node, part in zip(nodes, (e.this, e.expression), strict=True):
        if node.type not in NUMERIC:
            hint = "Use days_between(…) for the days between two dates." if node.type in ORDERED else ""
            raise p.refusal(part, "{what} needs numbers; this is {kind}.", hint=hint, what=op, kind=node.type)
    (left, right), kind = p.same(nodes, e, say("The sum is"))
    return tree.Sum(kind, p.place(e), op, left, right)


def _and(p: _Parser, e: exp.Expr) -> Node:
    return p.joined(e, exp.And, tree.All, "AND")


def _or(p: _Parser, e: exp.Expr) -> Node:
    return p.joined(e, exp.Or, tree.AnyOf, "OR")


def _not(p: _Parser, e: exp.Expr) -> Node:
    return tree.Not(FactType.BOOLEAN, p.place(e), p.boolean(e.this, "NOT"))


def _in(p: _Parser, e: exp.Expr) -> Node:
    if not e.expressions:
        raise p.refusal(e, "IN needs a list of literals.")
    nodes = [p.node(option) for option in e.expressions]
    for node, option in zip(nodes, e.expressions, strict=True):
        if not isinstance(node, tree.Literal):
            raise p.refusal(option, "IN needs a list of literals.")
    same, _ = p.same([p.value(e.this), *nodes], e, say("The list is"))
    p.words(same[0], same[1:], e)
    options = tuple(n for n in same[1:] if isinstance(n, tree.Literal) and n.value is not None)
    return tree.Among(FactType.BOOLEAN, p.place(e), same[0], options, len(options) < len(nodes))


def _between(p: _Parser, e: exp.Expr) -> Node:
    nodes = [p.value(e.this), p.value(e.args["low"]), p.value(e.args["high"])]
    (item, low, high), kind = p.same(nodes, e, say("BETWEEN is"))
    if kind is FactType.BOOLEAN:
        raise p.refusal(e, "True and false have no order; use = or <>.")
    return tree.Between(FactType.BOOLEAN, p.place(e), item, low, high)


def _is(p: _Parser, e: exp.Expr) -> Node:
    at, asked = p.place(e), e.expression
    node: Node
    if isinstance(asked, exp.Null):
        node = tree.IsNull(FactType.BOOLEAN, at, p.value(e.this))
    elif isinstance(asked, exp.Boolean):
        node = tree.IsTruth(FactType.BOOLEAN, at, p.boolean(e.this, "IS TRUE"), bool(asked.this))
    else:
        raise p.refusal(e, "After IS comes NULL, TRUE or FALSE.")
    return tree.Not(FactType.BOOLEAN, at, node) if e.args.get("negate") else node


def _case(p: _Parser, e: exp.Expr) -> Node:
    conditions = []
    for branch in e.args["ifs"]:
        p.only(branch)
        condition = (
            p.compare(branch.this, "=", e.this, branch.this) if e.this else p.boolean(branch.this, "WHEN")
        )
        conditions.append(condition)
    results = [p.node(branch.args["true"]) for branch in e.args["ifs"]]
    default = e.args.get("default")
    if default is not None:
        results.append(p.node(default))
    same, kind = p.same(results, e, say("The results of CASE are"))
    if kind is FactType.NULL:
        raise p.refusal(e, "The rule is never anything but NULL.")
    branches = tuple(tree.When(kind, c.at, c, r) for c, r in zip(conditions, same, strict=False))
    return tree.Case(kind, p.place(e), branches, same[-1] if default is not None else None)


def _choose(p: _Parser, e: exp.Expr) -> Node:
    """coalesce, least, greatest."""
    name = "coalesce" if isinstance(e, exp.Coalesce) else "least" if isinstance(e, exp.Least) else "greatest"
    listed = [e.this, *e.expressions]
    nodes = [p.node(a) if name == "coalesce" else p.value(a) for a in listed]
    same, kind = p.same(nodes, e, say("{name} is", name=name))
    if kind is FactType.NULL:
        raise p.refusal(e, "The rule is never anything but NULL.")
    if name != "coalesce" and kind not in ORDERED:
        raise p.refusal(e, "{what} needs numbers, dates or instants; this is {kind}.", what=name, kind=kind)
    return tree.Call(kind, p.place(e), name, tuple(same))


def _function(p: _Parser, e: exp.Expr) -> Node:
    name = str(e.this).lower()
    args = list(e.expressions)
    if name == "policy":
        return _policy(p, e, args)
    shape = _FUNCTIONS.get(name)
    if shape is None:
        raise p.refusal(
            e, "{what} is not in the rule language. Allowed: {allowed}.", what=f"{name}()", allowed=ALLOWED
        )
    kinds, returns, n = shape
    if len(args) != n:
        raise p.refusal(e, "{what} takes {n} arguments.", what=name, n=n)
    nodes = tuple(p.value(a) for a in args)
    for node, arg in zip(nodes, args, strict=True):
        if node.type not in kinds:
            raise p.refusal(
                arg, "{what} needs {allowed}; this is {kind}.",
                what=name, allowed=" / ".join(kinds), kind=node.type,
            )  # fmt: skip
    return tree.Call(returns, p.place(e), name, nodes)


_DAYS = (FactType.DATE, FactType.TIMESTAMP)
_FUNCTIONS: dict[str, tuple[tuple[FactType, ...], FactType, int]] = {
    "days_between": (_DAYS, FactType.INTEGER, 2),
    "hours_between": ((FactType.TIMESTAMP,), FactType.NUMBER, 2),
    "day_of": ((FactType.TIMESTAMP,), FactType.DATE, 1),
}


def _policy(p: _Parser, e: exp.Expr, args: list[exp.Expr]) -> Node:
    if len(args) != 1 or not isinstance(args[0], exp.Literal) or not args[0].args.get("is_string"):
        raise p.refusal(e, "Write policy('key') with the key in quotes.")
    if p.policy is None:
        raise p.refusal(e, "This rule asks the policy, but no policy was given to compile it with.")
    key = str(args[0].this)
    try:
        held = p.policy.value(key).value
    except UnknownPolicyKey as error:
        raise p.refusal(args[0], "There is no policy key {key}.", hint=error.hint, key=key) from None
    for kind, classes in _LITERALS:
        if type(held) in classes:
            return tree.Literal(kind, p.place(e), held, key)
    raise p.refusal(args[0], "The policy value {key} is not one number, word or date.", key=key)


_LITERALS = (
    (FactType.BOOLEAN, (bool,)),
    (FactType.INTEGER, (int,)),
    (FactType.NUMBER, (float,)),
    (FactType.TEXT, (str,)),
    (FactType.DATE, (dt.date,)),
)


def _cast(p: _Parser, e: exp.Expr) -> Node:
    """DATE '…' and TIMESTAMPTZ '…' literals; no other conversion exists."""
    kind = e.args["to"].this
    text = e.this.this if isinstance(e.this, exp.Literal) and e.this.args.get("is_string") else None
    if text is not None and kind == exp.DataType.Type.DATE:
        try:
            return tree.Literal(FactType.DATE, p.place(e), dt.date.fromisoformat(text))
        except ValueError:
            raise p.refusal(e, "{value} is not a date (YYYY-MM-DD).", value=text) from None
    if text is not None and kind == exp.DataType.Type.TIMESTAMPTZ:
        try:
            instant = dt.datetime.fromisoformat(text)
        except ValueError:
            raise p.refusal(e, "{value} is not an instant (YYYY-MM-DD HH:MM+HH:MM).", value=text) from None
        if instant.tzinfo is None:
            raise p.refusal(e, "{value} is not an instant (YYYY-MM-DD HH:MM+HH:MM).", value=text)
        return tree.Literal(FactType.TIMESTAMP, p.place(e), instant.astimezone(dt.UTC))
    raise p.refusal(
        e, "{what} is not in the rule language. Allowed: {allowed}.",
        what=e.sql(dialect="postgres"), allowed="DATE '2020-01-31', TIMESTAMPTZ '2020-01-31 08:00+08:00'",
    )  # fmt: skip


def _clock(p: _Parser, e: exp.Expr) -> Node:
    raise p.refusal(
        e, "The clock is the fact now, without brackets.", hint="Write now, or day_of(now) for the local day."
    )


_BUILDERS: dict[type[exp.Expr], Callable[[_Parser, Any], Node]] = {
    exp.Paren: _paren,
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Boolean: _boolean,
    exp.Null: _null,
    exp.Neg: _negative,
    exp.Add: _sum,
    exp.Sub: _sum,
    exp.And: _and,
    exp.Or: _or,
    exp.Not: _not,
    exp.In: _in,
    exp.Between: _between,
    exp.Is: _is,
    exp.Case: _case,
    exp.Coalesce: _choose,
    exp.Least: _choose,
    exp.Greatest: _choose,
    exp.Anonymous: _function,
    exp.Cast: _cast,
    exp.CurrentTimestamp: _clock,
    exp.CurrentDate: _clock,
    exp.CurrentTime: _clock,
}
