"""Rules of the rule language that packs hold, compiled with the numbers in force."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

from bihuan.policy.errors import UnknownPolicyRule
from bihuan.policy.language import FactRegistry, Rule, compile_rule
from bihuan.policy.packs import in_force, library
from bihuan.policy.rules.library import Library, ResolvedPolicy
from bihuan.policy.rules.pack import RuleText


def facts_about(subject: str) -> FactRegistry:
    """Return the facts that rules about a subject ("case", "contact") may use."""
    return _facts(library(), subject)


def rule(key: str, territory: str, on: dt.date | dt.datetime) -> Rule:
    """Return a rule in force, compiled. Raises UnknownPolicyRule, which names the nearest."""
    policy = in_force(territory, on)
    found = policy.rules.get(key)
    if found is None:
        raise UnknownPolicyRule(key, policy.rules)
    return compiled(found, policy)


def compiled(text: RuleText, policy: ResolvedPolicy) -> Rule:
    """Return a pack's rule, compiled with the values of a policy. Local days are days of the pack's zone."""
    return _compiled(library(), text, policy)


@lru_cache(maxsize=256)
def _facts(held: Library, subject: str) -> FactRegistry:
    return FactRegistry.from_data(subject, held.vocabulary.facts[subject])


@lru_cache(maxsize=4096)
def _compiled(held: Library, text: RuleText, policy: ResolvedPolicy) -> Rule:
    return compile_rule(text.expr, _facts(held, text.subject), policy=policy, tz=policy.tz)
