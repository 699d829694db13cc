"""A compiled rule: one tree, and everything made from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bihuan.policy.errors import RuleBroken
from bihuan.policy.language import closure, explain, sql, trace, tree
from bihuan.policy.language.facts import Fact, FactRegistry, FactType
from bihuan.policy.language.parsing import Policy, parse

DEFAULT_TZ = "Asia/Shanghai"


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule. `closure(row, now)` answers for one row; `sql(dialect)` for all; both from `node`."""

    text: str
    node: tree.Node
    facts: FactRegistry = field(repr=False)
    tz: str = DEFAULT_TZ

    @property
    def returns(self) -> FactType:
        return self.node.type

    @cached_property
    def uses(self) -> Mapping[str, Fact]:
        """The facts the rule looks at, by name."""
        return {n.fact.name: n.fact for n in tree.walk(self.node) if isinstance(n, tree.Ref)}

    @cached_property
    def policy_keys(self) -> frozenset[str]:
        """The policy keys whose values the rule holds."""
        literals = (n for n in tree.walk(self.node) if isinstance(n, tree.Literal))
        return frozenset(n.policy_key for n in literals if n.policy_key)

    @cached_property
    def closure(self) -> closure.Closure:
        """`closure(row, now)`: True, False or None for a boolean rule; else the value. `now` is an aware
        datetime."""
        return closure.compile_closure(self.node, tz=self.tz)

    def sql(self, dialect: str, columns: Mapping[str, str] | None = None) -> str:
        """Return the expression in "duckdb" or "postgres". `columns` maps facts to SQL (trusted), `now`
        among them."""
        return sql.compile_sql(self.node, dialect=dialect, tz=self.tz, columns=columns)

    def explain(self, lang: str) -> str:
        """Return the rule as a sentence in "zh" or "en"."""
        return explain.explain(self.node, lang)

    def trace(self, row: Mapping[str, Any], now: dt.datetime | None = None) -> trace.Trace:
        """Return the answer for one row with its reason."""
        return trace.trace(self.node, row, now, tz=self.tz)


def compile_rule(
    text: str,
    facts: FactRegistry,
    *,
    policy: Policy | None = None,
    tz: str = DEFAULT_TZ,
    returns: FactType | None = None,
) -> Rule:
    """Compile an expression over `facts`; `policy` answers `policy('key')`; local days are days of `tz`.

    Raises RuleBroken with place and way out, also when the rule does not give `returns`.
    """
    node = parse(text, facts, policy=policy)
    if returns is not None and node.type is not returns:
        raise RuleBroken(
            "The rule must give {wanted}; it gives {kind}.", {"wanted": returns, "kind": node.type}, text=text
        )
    return Rule(text, node, facts, tz)
