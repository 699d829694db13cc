"""The tree as a sentence, Chinese or English. The reason shown on a page comes from what was compiled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from bihuan.policy.language import tree
from bihuan.policy.language.facts import Fact, FactType
from bihuan.policy.language.tree import Node

_SIGNS: dict[str, dict[str, tuple[str, str]]] = {
    # op: lang: (for numbers and words, for dates and instants)
    "=": {"zh": ("为", "为"), "en": ("is", "is")},
    "<>": {"zh": ("不为", "不为"), "en": ("is not", "is not")},
    "<": {"zh": ("小于", "早于"), "en": ("is less than", "is before")},
    "<=": {"zh": ("不超过", "不晚于"), "en": ("is at most", "is not after")},
    ">": {"zh": ("大于", "晚于"), "en": ("is more than", "is after")},
    ">=": {"zh": ("不少于", "不早于"), "en": ("is at least", "is not before")},
}
_WORDS: dict[str, dict[str, str]] = {
    "and": {"zh": "，且", "en": " and "},
    "or": {"zh": "，或", "en": " or "},
    "not": {"zh": "并非（{0}）", "en": "not ({0})"},
    "not_fact": {"zh": "非{0}", "en": "not {0}"},
    "brackets": {"zh": "（{0}）", "en": "({0})"},
    "in": {"zh": "{0}为{1}之一", "en": "{0} is one of {1}"},
    "between": {"zh": "{0}介于{1}与{2}之间（含）", "en": "{0} is from {1} to {2}"},
    "is_null": {"zh": "{0}不详", "en": "{0} is not known"},
    "is_true": {"zh": "确知{0}", "en": "it is known that {0}"},
    "is_false": {"zh": "确知并非（{0}）", "en": "it is known that not ({0})"},
    "when": {"zh": "若{0}则为{1}", "en": "if {0} then {1}"},
    "else": {"zh": "否则为{0}", "en": "otherwise {0}"},
    "else_null": {"zh": "否则不详", "en": "otherwise not known"},
    "case_comma": {"zh": "；", "en": "; "},
    "days_between": {"zh": "{0}至{1}的天数", "en": "the days from {0} to {1}"},
    "hours_between": {"zh": "{0}至{1}的小时数", "en": "the hours from {0} to {1}"},
    "day_of": {"zh": "{0}当日", "en": "the local day of {0}"},
    "assumed": {"zh": "{0}（不详时按{1}计）", "en": "{0} (taken as {1} when not known)"},
    "coalesce": {"zh": "{0}（依次取已知者）", "en": "the first known of {0}"},
    "least": {"zh": "{0}中最小者", "en": "the least of {0}"},
    "greatest": {"zh": "{0}中最大者", "en": "the greatest of {0}"},
    "+": {"zh": "{0}加{1}", "en": "{0} plus {1}"},
    "-": {"zh": "{0}减{1}", "en": "{0} minus {1}"},
    "minus": {"zh": "负{0}", "en": "minus {0}"},
    "true": {"zh": "是", "en": "true"},
    "false": {"zh": "否", "en": "false"},
    "null": {"zh": "不详", "en": "not known"},
    "comma": {"zh": "、", "en": ", "},
}


def explain(node: Node, lang: str) -> str:
    """Return the meaning of a tree in "zh" or "en"."""
    return _Speaker("zh" if lang.startswith("zh") else "en").say(node)


def in_words(fact: Fact | None, value: Any, lang: str) -> str:
    """Return a value of a fact as a person reads it."""
    speaker = _Speaker("zh" if lang.startswith("zh") else "en")
    return speaker.value(value, fact)


class _Speaker:
    def __init__(self, lang: str) -> None:
        self.lang = lang

    def word(self, name: str, *parts: str) -> str:
        return _WORDS[name][self.lang].format(*parts)

    def say(self, node: Node) -> str:
        return _SPEAKERS[type(node)](self, node)

    def inner(self, node: Node) -> str:
        """Return a part of AND or OR; in brackets where it would be read wrong."""
        said = self.say(node)
        return self.word("brackets", said) if isinstance(node, (tree.All, tree.AnyOf, tree.Case)) else said

    def beside(self, node: Node, other: Node) -> str:
        """Return one side of a comparison; a word reads by the label its fact gives it."""
        fact = _fact_of(other)
        return self.value(node.value, fact) if isinstance(node, tree.Literal) else self.say(node)

    def listed(self, items: list[str]) -> str:
        return _WORDS["comma"][self.lang].join(items)

    def label(self, fact: Fact) -> str:
        return fact.label.get(self.lang) or fact.name

    def value(self, value: Any, fact: Fact | None = None) -> str:
        if value is None:
            return self.word("null")
        if isinstance(value, bool):
            return self.word("true" if value else "false")
        if isinstance(value, float):
            return f"{value:g}"
        if isinstance(value, dt.datetime):
            return value.isoformat(sep=" ", timespec="minutes")
        if isinstance(value, str) and fact is not None and value in fact.words:
            return fact.words[value].get(self.lang) or value
        return str(value)


def _fact_of(node: Node) -> Fact | None:
    return node.fact if isinstance(node, tree.Ref) else None


def _literal(s: _Speaker, n: tree.Literal) -> str:
    return s.value(n.value)


def _ref(s: _Speaker, n: tree.Ref) -> str:
    return s.label(n.fact)


def _compare(s: _Speaker, n: tree.Compare) -> str:
    in_time = n.left.type in (FactType.DATE, FactType.TIMESTAMP)
    sign = _SIGNS[n.op][s.lang][1 if in_time else 0]
    gap = "" if s.lang == "zh" else " "
    return f"{s.beside(n.left, n.right)}{gap}{sign}{gap}{s.beside(n.right, n.left)}"


def _all(s: _Speaker, n: tree.All) -> str:
    return _WORDS["and"][s.lang].join(map(s.inner, n.parts))


def _any(s: _Speaker, n: tree.AnyOf) -> str:
    return _WORDS["or"][s.lang].join(map(s.inner, n.parts))


def _not(s: _Speaker, n: tree.Not) -> str:
    return s.word("not_fact" if isinstance(n.part, tree.Ref) else "not", s.say(n.part))


def _among(s: _Speaker, n: tree.Among) -> str:
    options = [s.value(o.value, _fact_of(n.item)) for o in n.options] + (["NULL"] if n.has_null else [])
    return s.word("in", s.say(n.item), s.listed(options))


def _between(s: _Speaker, n: tree.Between) -> str:
    return s.word("between", s.say(n.item), s.beside(n.low, n.item), s.beside(n.high, n.item))


def _is_null(s: _Speaker, n: tree.IsNull) -> str:
    return s.word("is_null", s.say(n.item))


def _is_truth(s: _Speaker, n: tree.IsTruth) -> str:
    return s.word("is_true" if n.truth else "is_false", s.inner(n.item))


def _case(s: _Speaker, n: tree.Case) -> str:
    branches = [s.word("when", s.inner(b.condition), s.say(b.result)) for b in n.branches]
    last = s.word("else", s.say(n.default)) if n.default is not None else s.word("else_null")
    return _WORDS["case_comma"][s.lang].join([*branches, last])


def _call(s: _Speaker, n: tree.Call) -> str:
    said = [s.say(a) for a in n.args]
    if n.name == "coalesce" and len(n.args) == 2 and isinstance(n.args[1], tree.Literal):
        return s.word("assumed", *said)
    if n.name in ("coalesce", "least", "greatest"):
        return s.word(n.name, s.listed(said))
    return s.word(n.name, *said)


def _sum(s: _Speaker, n: tree.Sum) -> str:
    return s.word(n.op, s.say(n.left), s.say(n.right))


def _minus(s: _Speaker, n: tree.Minus) -> str:
    return s.word("minus", s.say(n.part))


def _widen(s: _Speaker, n: tree.Widen) -> str:
    return s.say(n.part)


_SPEAKERS: dict[type[Node], Callable[[_Speaker, Any], str]] = {
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
