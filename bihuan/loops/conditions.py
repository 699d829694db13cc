"""`when` of a loop definition: the policy's rule language over what events have told of the subject.

Event data is JSON, so dates and instants come as text; each fact is read as the type the packs declare for it
(packs/facts.yaml). What is missing or of another type is unknown, and unknown waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from bihuan.loops.rules.bound import Condition
from bihuan.policy import packs
from bihuan.policy.language import Fact, FactRegistry, FactType, compile_rule
from bihuan.policy.language.facts import read_fact


def compile_for(subject: str) -> Callable[[str], Condition]:
    """The compiler of conditions over the facts of one kind of subject."""
    return lambda text: _compile(subject, text)


_TIMES = frozenset({FactType.DATE, FactType.TIMESTAMP})


@lru_cache(maxsize=4096)
def _compile(subject: str, text: str) -> Condition:
    facts = FactRegistry.from_data(subject, packs.library().vocabulary.facts.get(subject, {}))
    rule = compile_rule(text, facts, returns=FactType.BOOLEAN)
    used = [fact for name, fact in rule.uses.items() if name != "now"]
    decide = rule.closure

    def condition(known: Mapping[str, Any], now: Any) -> Any:
        return decide({fact.name: _read(fact, known.get(fact.name)) for fact in used}, now)

    # Whether the answer is the same on every day: it looks at no clock and no date.
    timeless = len(used) == len(rule.uses) and not any(fact.type in _TIMES for fact in used)
    condition.timeless = timeless  # type: ignore[attr-defined]
    return condition


def _read(fact: Fact, value: Any) -> Any:
    try:
        if isinstance(value, str) and fact.type is FactType.DATE:
            return date.fromisoformat(value[:10])
        if isinstance(value, str) and fact.type is FactType.TIMESTAMP:
            return datetime.fromisoformat(value)
        return read_fact(fact, value)
    except Exception:  # not of the declared type: not known
        return None
