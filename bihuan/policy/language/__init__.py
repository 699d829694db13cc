"""The rule language: one boolean or CASE expression over a typed registry of facts.

    rule = compile_rule("days_between(date_last_exposure, now) >= policy('observation.days')", facts,
    policy=policy) rule.closure(row, now)         one person: True, False, None (not known), or the value of
    a CASE rule.sql("postgres")           everybody: the same decision as an expression of PostgreSQL or
    DuckDB rule.explain("zh")             what it means, from the same tree
    rule.trace(row, now)           the answer with its reason: values used, parts true and false

It is a small part of SQL: facts, literals, `= <> < <= > >=`, AND, OR, NOT, IN (literals), BETWEEN, IS [NOT]
NULL, IS [NOT] TRUE, CASE, `+` and `-`, and the functions coalesce, least, greatest, days_between,
hours_between, day_of and policy. Anything else is refused. NULL means "not known" and follows SQL's
three-valued logic everywhere. Pure: no Django, no database, no clock (`now` is an argument).
"""

from bihuan.policy.language.facts import Fact, FactRegistry, FactType
from bihuan.policy.language.rule import Rule, compile_rule
from bihuan.policy.language.trace import Trace, TracePart

__all__ = ["Fact", "FactRegistry", "FactType", "Rule", "Trace", "TracePart", "compile_rule"]
