"""Any rule in force at a place and date, with layer, clause and its sentence; what a new pack changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.doors.web import places, whys
from bihuan.doors.web.access import access
from bihuan.policy import packs
from bihuan.policy.packs import ResolvedPolicy
from bihuan.policy.values import Value
from bihuan.registry import clock, territory
from bihuan.registry.errors import BihuanError, NotFound
from bihuan.registry.text import label


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One value in force, in words. `was`: what it says on the other side of a comparison."""

    key: str
    title: str
    words: str
    sentence: str
    pack: str
    clause: str
    source: str
    verified: bool
    layers: int
    was: str = ""
    was_pack: str = ""


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


@access("policy.view")
def policy(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    found = packs.in_force(asked.code, asked.on)
    q = request.GET.get("q", "").strip()
    lines = [line for line in map(_line, _sorted(found)) if _matches(line, q)]
    context = {
        "asked": asked,
        "place": territory.name_path(asked.code) or _("All territories"),
        "place_text": request.GET.get("place", ""),
        "q": q,
        "layers": found.layers,
        "groups": _grouped(lines),
        "n": len(lines),
        "found": found,
        "stretches": packs.library().stretches(asked.code),
    }
    return render(request, "web/policy/policy.html", context)


@access("policy.view")
def value(request: HttpRequest, key: str) -> HttpResponse:
    """Why one value is what it is: the panel that opens everywhere."""
    asked = _asked(request)
    try:
        found = packs.in_force(asked.code, asked.on).value(key)
    except BihuanError:
        raise
    except KeyError as missing:
        raise NotFound(str(missing)) from missing
    template = "web/parts/why.html" if request.headers.get("HX-Request") else "web/why.html"
    return render(request, template, {"why": whys.of_value(found)})


@access("policy.view")
def diff(request: HttpRequest) -> HttpResponse:
    """What differs between two days at one place: what a new edition changed."""
    before, after = _asked(request, day_key="before"), _asked(request, day_key="on")
    old, new = packs.in_force(before.code, before.on), packs.in_force(after.code, after.on)
    context = {
        "asked": after,
        "before": before,
        "place": territory.name_path(after.code) or _("All territories"),
        "place_text": request.GET.get("place", ""),
        "groups": _grouped(list(_differences(old, new))),
        "old": old,
        "new": new,
        "stretches": packs.library().stretches(after.code),
    }
    return render(request, "web/policy/diff.html", context)


def _short(language: str) -> str:
    return "zh" if language.startswith("zh") else "en"


def _sorted(found: ResolvedPolicy) -> list[Value]:
    return [found.values[key] for key in sorted(found.values)]


def _line(found: Value) -> RuleLine:
    language = get_language() or "zh"
    return RuleLine(
        key=found.key,
        title=label(found.spec.title),
        words=found.words(_short(language)),
        sentence=found.sentence(language),
        pack=found.pack,
        clause=found.clause,
        source=label(found.source),
        verified=found.confidence == "verified",
        layers=len(found.chain),
    )


def _differences(old: ResolvedPolicy, new: ResolvedPolicy) -> list[RuleLine]:
    language = _short(get_language() or "zh")
    lines = []
    for key in sorted({*old.values, *new.values}):
        before, after = old.values.get(key), new.values.get(key)
        if before is not None and after is not None and before.value == after.value:
            continue
        shown = after or before
        assert shown is not None
        line = _line(shown)
        lines.append(
            RuleLine(
                line.key, line.title, after.words(language) if after else "–", line.sentence,
                after.pack if after else "", line.clause, line.source, line.verified, line.layers,
                was=before.words(language) if before else "–", was_pack=before.pack if before else "",
            )
        )  # fmt: skip
    return lines


def _matches(line: RuleLine, q: str) -> bool:
    needle = q.casefold()
    return not needle or any(
        needle in text.casefold() for text in (line.key, line.title, line.sentence, line.clause, line.pack)
    )


def _grouped(lines: list[RuleLine]) -> list[tuple[str, list[RuleLine]]]:
    """Lines by the first word of their key, in the order of keys."""
    return [(name, list(part)) for name, part in groupby(lines, key=lambda line: line.key.split(".")[0])]
