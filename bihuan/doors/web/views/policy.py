"""Any rule in force at a place and date, with layer, clause and its sentence; what a new pack changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.doors.web import places, whys
from bihuan.doors.web.access import access
from bihuan.policy import packs, queries
from bihuan.policy.packs import ResolvedPolicy
from bihuan.policy.queries import DiffRow, RuleRow
from bihuan.registry import clock, territory
from bihuan.registry.errors import BihuanError

#: Which chapter of the page a group of keys (the first word of a key) stands in; unknown ones in the last.
CHAPTERS: Final = (
    ("deadlines", ("clocks", "daily_clearing", "escalation", "errand", "appeal", "retention")),
    (
        "cases",
        ("case", "suspected", "asymptomatic", "categories", "incubation", "fever_clinic", "temperature",
         "pathway", "placement", "home_care", "discharge", "follow_up"),
    ),
    ("contacts", ("contact", "observation", "home_observation", "arrival", "travel")),
    ("places", ("cluster", "focus", "grid", "gate", "incident", "institution", "school")),
    ("response", ("response", "early_response", "readiness", "indicators")),
)  # fmt: skip
REST: Final = "rest"
FEW: Final = 24  # so many rules of a search are shown without folding


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule in force, in words. `was`: what it says on the other side of a comparison."""

    key: str
    title: str
    words: str
    sentence: str
    pack: str
    clause: str
    verified: bool
    was: str = ""
    was_pack: str = ""
    was_clause: str = ""

    @property
    def group(self) -> str:
        return self.key.split(".")[0]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A part of the page that folds: its groups of lines, in order."""

    key: str
    title: str
    groups: Sequence[tuple[str, Sequence[RuleLine]]]

    @property
    def n(self) -> int:
        return sum(len(lines) for _group, lines in self.groups)


@dataclass(frozen=True, slots=True)
class Asked:
    """The place and day a policy page speaks of, and what was wrong with what was asked."""

    code: str
    on: date
    error: str = ""


def _asked(request: HttpRequest, *, day_key: str = "on", place_key: str = "place") -> Asked:
    code, error = places.asked(request, key=place_key)
    today = timezone.localtime(clock.now()).date()
    try:
        on = date.fromisoformat(request.GET.get(day_key, "") or today.isoformat())
    except ValueError:
        on, error = today, _("Write the date as 2020-02-17.")
    return Asked(code, on, error)


def _language() -> str:
    return "zh" if (get_language() or "zh").startswith("zh") else "en"


@access("policy.view")
def policy(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    found = packs.in_force(asked.code, asked.on)
    q = request.GET.get("q", "").strip()
    rows = queries.rules_in_force(asked.code, asked.on, _language())
    lines = [line for line in map(_line, rows) if _matches(line, q)]
    context = {
        "asked": asked,
        "place": territory.name_path(asked.code) or _("All territories"),
        "place_text": request.GET.get("place", ""),
        "q": q,
        "layers": found.layers,
        "chapters": _chapters(lines),
        "n": len(lines),
        "unfolded": bool(q) and len(lines) <= FEW,
        "found": found,
        "stretches": packs.library().stretches(asked.code),
    }
    return render(request, "web/policy/policy.html", context)


@access("policy.view")
def value(request: HttpRequest, key: str) -> HttpResponse:
    """Why one rule is what it is: the panel that opens everywhere. Raises UnknownPolicyKey."""
    asked = _asked(request)
    found = packs.in_force(asked.code, asked.on)
    if key in found.rules:
        rows = queries.rules_in_force(asked.code, asked.on, _language())
        why = whys.of_rule(next(row for row in rows if row.key == key))
    else:
        why = whys.of_value(found.value(key))
    template = "web/parts/why.html" if request.headers.get("HX-Request") else "web/why.html"
    return render(request, template, {"why": why})


# --- what differs -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: how it is called above its column, and what holds there."""

    name: str
    about: str
    policy: ResolvedPolicy


@access("policy.view")
def diff(request: HttpRequest) -> HttpResponse:
    """What differs between two packs, or between two days at one place: what a new edition changed."""
    before, after = _asked(request, day_key="before"), _asked(request, day_key="on")
    a, b = request.GET.get("a", ""), request.GET.get("b", "")
    by_pack = "a" in request.GET or "b" in request.GET
    every = queries.all_packs(_language())
    error, sides = "", None
    try:
        if by_pack and a and b:
            sides = _pack_side(a), _pack_side(b)
        elif not by_pack:
            sides = _day_side(before), _day_side(after)
    except BihuanError as wrong:
        error = f"{wrong} {wrong.hint or ''}".strip()
    context = {
        "asked": after,
        "before": before,
        "place": territory.name_path(after.code) or _("All territories"),
        "place_text": request.GET.get("place", ""),
        "by_pack": by_pack,
        "packs": every,
        "a": a,
        "b": b,
        "error": error,
        "sides": sides,
        "chapters": _chapters(_differences(*sides)) if sides else [],
    }
    return render(request, "web/policy/diff.html", context, status=404 if error else 200)


def _pack_side(pack_id: str) -> Side:
    """A pack as it stands on its first day on the layers below it. Raises UnknownPack."""
    found = queries.standing(pack_id)
    return Side(pack_id, queries.pack_detail(pack_id, _language()).pack.title, found)


def _day_side(asked: Asked) -> Side:
    return Side(asked.on.isoformat(), "", packs.in_force(asked.code, asked.on))


def _differences(old: Side, new: Side) -> list[RuleLine]:
    rows = queries.diff_policies(old.policy, new.policy, _language())
    return [_difference(row, old.policy, new.policy) for row in rows]


def _difference(row: DiffRow, old: ResolvedPolicy, new: ResolvedPolicy) -> RuleLine:
    was, was_pack, was_clause = _as_said(row.key, old, row.a_sentence)
    now, pack, clause = _as_said(row.key, new, row.b_sentence)
    return RuleLine(
        key=row.key,
        title=row.title,
        words=now,
        sentence=row.b_sentence or row.a_sentence,
        pack=pack,
        clause=clause,
        verified=True,
        was=was,
        was_pack=was_pack,
        was_clause=was_clause,
    )


def _as_said(key: str, policy: ResolvedPolicy, sentence: str) -> tuple[str, str, str]:
    """What a policy says of a key in words, its pack and clause; a dash where it says nothing."""
    value = policy.values.get(key)
    if value is not None:
        return value.words(_language()), value.pack, value.clause
    rule = policy.rules.get(key)
    return (sentence, rule.pack, rule.clause) if rule is not None else ("–", "", "")


# --- lines and chapters -------------------------------------------------------------------------------


def _line(row: RuleRow) -> RuleLine:
    """A rule of the rule language is its sentence; a value stands beside its own."""
    return RuleLine(
        key=row.key,
        title=row.title,
        words=row.words if row.kind == "value" else "",
        sentence=row.sentence(_language()) if row.kind == "value" else row.words,
        pack=row.pack,
        clause=row.clause,
        verified=row.confidence == "verified",
    )


def _matches(line: RuleLine, q: str) -> bool:
    needle = q.casefold()
    texts: tuple[Any, ...] = (line.key, line.title, line.sentence, line.words, line.clause, line.pack)
    return not needle or any(needle in text.casefold() for text in texts)


def _titles() -> dict[str, str]:
    return {
        "deadlines": _("Deadlines, climbing, appeals"),
        "cases": _("Cases, care and discharge"),
        "contacts": _("Contacts and observation"),
        "places": _("Places and foci"),
        "response": _("Response and readiness"),
        REST: _("Other rules"),
    }


def _chapters(lines: Iterable[RuleLine]) -> list[Chapter]:
    """Lines by chapter, then by group, in the order of CHAPTERS; chapters without a line are left out."""
    place = {group: (n, m) for n, (_key, groups) in enumerate(CHAPTERS) for m, group in enumerate(groups)}
    last = (len(CHAPTERS), 0)
    ordered = sorted(lines, key=lambda line: (place.get(line.group, last), line.group))
    titles = _titles()
    found = []
    for n, part in groupby(ordered, key=lambda line: place.get(line.group, last)[0]):
        key = CHAPTERS[n][0] if n < len(CHAPTERS) else REST
        groups = [(name, tuple(some)) for name, some in groupby(part, key=lambda line: line.group)]
        found.append(Chapter(key, titles[key], groups))
    return found
