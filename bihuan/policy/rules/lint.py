"""Everything that is wrong with the packs of some folders: what loading finds, and what only shows
together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from bihuan.policy.errors import RuleBroken
from bihuan.policy.language import FactRegistry, compile_rule
from bihuan.policy.rules.library import Library, ResolvedPolicy, read_all
from bihuan.policy.rules.pack import ANYWHERE, LoopText, Pack, RuleText
from bihuan.policy.rules.problems import Problem

LoopValidator = Callable[[LoopText, ResolvedPolicy], Iterable[Problem]]
"""What a room above brings to check loop definitions with: the definition, and a policy it is used under."""


def find_problems(folders: Iterable[Path | str], validators: Sequence[LoopValidator] = ()) -> list[Problem]:
    """Return all problems, errors and warnings, in the order of files and lines."""
    library = read_all(folders)
    problems = list(library.problems)
    for pack in library.packs.values():
        problems += _check_rules(library, pack)
        if not any(p.severity == "error" for p in library.problems):
            problems += _check_pack_in_use(library, pack, validators)
    return sorted({str(p): p for p in problems}.values(), key=lambda p: (p.file, p.line, p.key))


def _where_used(library: Library, pack: Pack) -> Iterator[ResolvedPolicy]:
    """Return every stretch of days in which a pack is in force in its own territory."""
    codes = library.vocabulary.areas.get(pack.territory, (pack.territory or ANYWHERE,))
    for stretch in library.stretches(codes[0]):
        if pack in stretch.layers:
            yield stretch


def _check_rules(library: Library, pack: Pack) -> Iterator[Problem]:
    policy = library.in_force(pack.territory, pack.date_from or dt.date.min)
    for variants in pack.rules.values():
        for rule in variants:
            yield from _check_rule(library, rule, policy)


def _check_rule(library: Library, rule: RuleText, policy: ResolvedPolicy) -> Iterator[Problem]:
    facts = FactRegistry.from_data(rule.subject, library.vocabulary.facts[rule.subject])
    try:
        compile_rule(rule.expr, facts, policy=policy)
    except RuleBroken as error:
        template = "{why} (at character {n} of the expression)"
        params = {"why": str(error), "n": error.position + 1}
        where = rule.provenance
        yield Problem(where.file, where.line, f"rules.{rule.key}.expr", "rule-broken", template, params)


def _check_pack_in_use(
    library: Library, pack: Pack, validators: Sequence[LoopValidator]
) -> Iterator[Problem]:
    for policy in _where_used(library, pack):
        yield from _check_counts(policy)
        for loop in policy.loops.values():
            for validate in validators:
                yield from validate(loop, policy)


def _check_counts(policy: ResolvedPolicy) -> Iterator[Problem]:
    """A list of times and the number of times a day are two values; they must say the same."""
    for value in policy.values.values():
        number = policy.values.get(value.spec.counts) if value.spec.counts else None
        if number is not None and number.value != len(value.value):
            yield Problem(
                value.provenance.file,
                value.provenance.line,
                f"values.{value.key}",
                "count",
                "{key} lists {n} times, but {other} is {number} (from {pack}).",
                {
                    "key": value.key,
                    "n": len(value.value),
                    "other": number.key,
                    "number": number.value,
                    "pack": number.pack,
                },
            )
