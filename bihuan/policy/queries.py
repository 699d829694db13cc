"""Reads for pages, the API and the command line. No scope: policy is public to everyone who may log in
(D0-33)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bihuan.policy.decisions import compiled
from bihuan.policy.packs import in_force, library
from bihuan.policy.rules.frozen import FrozenDict
from bihuan.policy.rules.keys import shown
from bihuan.policy.rules.library import ResolvedPolicy
from bihuan.policy.rules.pack import BASES, Pack, Provenance, RuleText, Value
from bihuan.registry.text import label


@dataclass(frozen=True)
class Covered:
    """What a lower layer says, covered by a higher one."""

    pack: str
    layer_title: str
    value: Any
    shown: str
    sentence: str
    source: str
    clause: str
    confidence: str


@dataclass(frozen=True)
class RuleRow:
    """One rule in force: a value, or an expression (`kind` "value" or "rule").

    `value` is the plain value, `shown` as a pack writes it, `words` as a person says it. Texts are in the
    asked language, except the two sentences. `overridden` are the lower layers, nearest first. `basis` says
    how the confidence came about, `note` what the source leaves open; `file` and `line` where it stands.
    """

    key: str
    kind: str
    group: str
    title: str
    value: Any
    shown: str
    words: str
    unit: str
    sentence_zh: str
    sentence_en: str
    pack: str
    layer_title: str
    territory: str
    source: str
    clause: str
    confidence: str
    basis: str
    note: str
    date_from: dt.date | None
    date_to: dt.date | None
    file: str
    line: int
    overridden: list[Covered]

    def sentence(self, lang: str) -> str:
        return self.sentence_zh if lang.startswith("zh") else self.sentence_en


@dataclass(frozen=True)
class PackRow:
    """One pack. `date_to` is the last day it runs: its own end, or the day before the next edition (None:
    open)."""

    id: str
    title: str
    about: str
    territory: str
    extends: str
    date_from: dt.date | None
    date_to: dt.date | None
    tz: str
    transition: str
    sunset: dt.date | None
    n_values: int
    n_rules: int
    loops: list[str]
    n_unverified: int
    file: str


@dataclass(frozen=True)
class PackDetail:
    """A pack and all it says itself: `rows` without what lies below it."""

    pack: PackRow
    rows: list[RuleRow]


@dataclass(frozen=True)
class DiffRow:
    """A key that two packs answer differently; None where one has no answer. Sentences are in the asked
    language."""

    key: str
    title: str
    a: Any
    b: Any
    a_shown: str
    b_shown: str
    a_sentence: str
    b_sentence: str


def rules_in_force(territory: str, on: dt.date | dt.datetime, lang: str = "zh") -> list[RuleRow]:
    """Return every value and rule in force in a territory on a local day, by key."""
    policy = in_force(territory, on)
    values = [_value_row(v, lang) for v in policy.values.values()]
    return values + [_rule_row(r, policy, lang) for r in policy.rules.values()]


def rule_in_force(key: str, territory: str, on: dt.date | dt.datetime, lang: str = "zh") -> RuleRow:
    """Return one value in force with its reason. Raises UnknownPolicyKey."""
    return _value_row(in_force(territory, on).value(key), lang)


def packs_in_force(territory: str, on: dt.date | dt.datetime, lang: str = "zh") -> list[PackRow]:
    """Return the packs that speak in a territory on a local day, the narrowest first."""
    return [_pack_row(p, lang) for p in in_force(territory, on).layers]


def all_packs(lang: str = "zh") -> list[PackRow]:
    """Return every pack, widest territory first, then by date."""
    packs = sorted(library().packs.values(), key=lambda p: (len(p.territory), p.date_from or dt.date.min))
    return [_pack_row(p, lang) for p in packs]


def pack_detail(pack_id: str, lang: str = "zh") -> PackDetail:
    """Return what one pack says itself. Raises UnknownPack."""
    pack = library().pack(pack_id)
    policy = standing(pack_id)
    rows = [_value_row(v, lang) for variants in pack.values.values() for v in variants]
    rows += [_rule_row(r, policy, lang) for variants in pack.rules.values() for r in variants]
    return PackDetail(_pack_row(pack, lang), sorted(rows, key=lambda r: (r.kind != "value", r.key)))


def standing(pack_id: str) -> ResolvedPolicy:
    """Return the policy in the pack's own territory on its first day: the pack on what it stands on."""
    held = library()
    pack = held.pack(pack_id)
    codes = held.vocabulary.areas.get(pack.territory, (pack.territory,))
    return held.in_force(codes[0], pack.date_from or dt.date.min)


def diff(a: str, b: str, lang: str = "zh") -> list[DiffRow]:
    """Return the keys that two packs answer differently, each standing on its first day on what it stands
    on."""
    return diff_policies(standing(a), standing(b), lang)


def diff_policies(a: ResolvedPolicy, b: ResolvedPolicy, lang: str = "zh") -> list[DiffRow]:
    """Return the keys that two policies answer differently (a place before and after a day, say)."""
    rows = [_diff_row(k, a.values.get(k), b.values.get(k), lang) for k in sorted({*a.values, *b.values})]
    rows += [_diff_rule(k, a, b, lang) for k in sorted({*a.rules, *b.rules})]
    return [row for row in rows if row.a_shown != row.b_shown]


# --- rows -------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return lists and dictionaries that a page or JSON can take."""
    if isinstance(value, FrozenDict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _layer(pack: str, lang: str) -> str:
    return label(library().pack(pack).title, lang)


def _common(provenance: Provenance, lang: str) -> dict[str, Any]:
    return {
        "pack": provenance.pack,
        "layer_title": _layer(provenance.pack, lang),
        "territory": provenance.territory,
        "source": label(provenance.source, lang),
        "clause": provenance.clause,
        "confidence": provenance.confidence,
        "basis": label(BASES[provenance.basis][1], lang),
        "note": label(provenance.note, lang),
        "date_from": provenance.date_from,
        "date_to": provenance.date_to,
        "file": provenance.file,
        "line": provenance.line,
    }


def _value_row(value: Value, lang: str) -> RuleRow:
    return RuleRow(
        key=value.key,
        kind="value",
        group=value.key.partition(".")[0],
        title=label(value.spec.title, lang),
        value=_plain(value.value),
        shown=shown(value.value),
        words=value.words(lang),
        unit=value.unit,
        sentence_zh=value.sentence("zh"),
        sentence_en=value.sentence("en"),
        overridden=[_covered(v, lang) for v in value.chain],
        **_common(value.provenance, lang),
    )


def _covered(value: Value, lang: str) -> Covered:
    return Covered(
        pack=value.pack,
        layer_title=_layer(value.pack, lang),
        value=_plain(value.value),
        shown=shown(value.value),
        sentence=value.sentence(lang),
        source=label(value.source, lang),
        clause=value.clause,
        confidence=value.confidence,
    )


def _rule_row(rule: RuleText, policy: ResolvedPolicy, lang: str) -> RuleRow:
    made = compiled(rule, policy)
    below = [compiled(r, policy).explain(lang) for r in rule.chain]
    return RuleRow(
        key=rule.key,
        kind="rule",
        group=rule.key.partition(".")[0],
        title=label(rule.title, lang),
        value=rule.expr,
        shown=rule.expr,
        words=made.explain(lang),
        unit="",
        sentence_zh=_sentence(rule.title, made.explain("zh"), "zh"),
        sentence_en=_sentence(rule.title, made.explain("en"), "en"),
        overridden=[
            Covered(
                r.pack, _layer(r.pack, lang), r.expr, r.expr, said,
                label(r.source, lang), r.clause, r.confidence,
            )
            for r, said in zip(rule.chain, below, strict=True)
        ],
        **_common(rule.provenance, lang),
    )  # fmt: skip


def _sentence(title: Mapping[str, str], meaning: str, lang: str) -> str:
    return f"{title['zh']}：{meaning}。" if lang == "zh" else f"{title['en']}: {meaning}."


def _pack_row(pack: Pack, lang: str) -> PackRow:
    values = [v for variants in pack.values.values() for v in variants]
    return PackRow(
        id=pack.id,
        title=label(pack.title, lang),
        about=label(pack.about, lang),
        territory=pack.territory,
        extends=pack.extends,
        date_from=pack.date_from,
        date_to=library().last_day(pack),
        tz=pack.tz,
        transition=pack.transition,
        sunset=pack.sunset,
        n_values=len(pack.values),
        n_rules=len(pack.rules),
        loops=list(pack.loops),
        n_unverified=sum(v.confidence == "unverified" for v in values),
        file=pack.file,
    )


def _diff_row(key: str, a: Value | None, b: Value | None, lang: str) -> DiffRow:
    spec = (a or b).spec  # type: ignore[union-attr]
    return DiffRow(
        key=key,
        title=label(spec.title, lang),
        a=_plain(a.value) if a else None,
        b=_plain(b.value) if b else None,
        a_shown=shown(a.value) if a else "",
        b_shown=shown(b.value) if b else "",
        a_sentence=a.sentence(lang) if a else "",
        b_sentence=b.sentence(lang) if b else "",
    )


def _diff_rule(key: str, a: ResolvedPolicy, b: ResolvedPolicy, lang: str) -> DiffRow:
    first, second = a.rules.get(key), b.rules.get(key)
    return DiffRow(
        key=key,
        title=label((first or second).title, lang),  # type: ignore[union-attr]
        a=first.expr if first else None,
        b=second.expr if second else None,
        a_shown=first.expr if first else "",
        b_shown=second.expr if second else "",
        a_sentence=compiled(first, a).explain(lang) if first else "",
        b_sentence=compiled(second, b).explain(lang) if second else "",
    )
