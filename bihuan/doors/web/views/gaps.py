"""The four gap lists (应隔·应收·应检·应治) and same-day clearance: who is not where she should be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.care.queries import GAPS, gap_list
from bihuan.cases.queries import clearance as same_day
from bihuan.cases.queries import people
from bihuan.doors.web import moments, places, seen
from bihuan.doors.web.access import access
from bihuan.loops.queries import sight
from bihuan.registry.errors import NotFound

SHOWN = 500


def titles() -> Mapping[str, str]:
    return {
        "isolate": _("Not isolated"),
        "admit": _("Not admitted"),
        "test": _("Not tested"),
        "treat": _("Not treated"),
    }


def explanations() -> Mapping[str, str]:
    return {
        "isolate": _(
            "Every standing case and every close contact, less those isolated or under observation."
        ),
        "admit": _("Every confirmed case, less those admitted."),
        "test": _(
            "Every suspected case without a result, and every contact whose test day has come without one."
        ),
        "treat": _("Every confirmed case, less those in care with a clinical state on record."),
    }


def reason(word: str) -> str:
    """Why somebody is on a list, in words."""
    if word.startswith("test_due_"):
        return _("test of %(day)s is missing") % {"day": word.removeprefix("test_due_")}
    return {
        "case_not_isolated": _("ill, not isolated"),
        "contact_not_observed": _("close contact, not under observation"),
        "confirmed_not_admitted": _("confirmed, not admitted"),
        "suspected_not_tested": _("suspected, not tested"),
        "waits_for_result": _("sampled, waits for the result"),
        "severe_without_care": _("severe, without hospital care"),
        "waits_for_treatment": _("confirmed, waits for treatment"),
        "clinical_state_unknown": _("in care, clinical state not recorded"),
    }.get(word, word)


def waits() -> Mapping[str, str]:
    return {
        "sample": _("Waits for sampling"),
        "result": _("Waits for the test result"),
        "transfer": _("Waits for transfer"),
        "admission": _("Waits for admission"),
    }


@access("board.view", personal=True)
def gap(request: HttpRequest, key: str) -> HttpResponse:
    """One gap list as of a moment, the longest missing first."""
    if key not in GAPS:
        raise NotFound(_("There is no gap list %(key)s.") % {"key": key}, hint=", ".join(GAPS))
    sight.require_whole("case.view")
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    found = gap_list(key, code, as_of=moment.given)
    known = people.briefs(row.person_id for row in found.rows[:SHOWN])
    rows = [
        {
            "name": seen.name_in_list(known.get(row.person_id)),
            "about": seen.about(known.get(row.person_id)),
            "href": reverse("web:subject", args=[row.subject_id]),
            "reason": reason(row.reason),
            "since": row.since,
            "age": row.age(found.as_of),
            "place": places.below(row.territory_code),
        }
        for row in found.rows[:SHOWN]
    ]
    kept = f"?{request.GET.urlencode()}" if request.GET else ""
    context = {
        **_head(request, code, moment, titles()[key], explanations()[key]),
        "summary": _("%(should)s should be, %(done)s are, %(missing)s are missing.")
        % {"should": f"{found.should:,}", "done": f"{found.done:,}", "missing": f"{found.missing:,}"},
        "tabs": [
            {"label": titles()[one], "href": f"{reverse('web:gap', args=[one])}{kept}", "current": one == key}
            for one in GAPS
        ],
        "rows": rows,
        "more": max(0, found.missing - SHOWN),
        "empty_title": _("Nobody is missing"),
        "empty_text": _("Everybody who should be there is there, at this moment."),
    }
    return render(request, "web/gaps/list.html", context)


@access("board.view", personal=True)
def clearance(request: HttpRequest) -> HttpResponse:
    """Whom this day must still clear before midnight, and what each waits for."""
    sight.require_whole("case.view")
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    found = same_day(code, as_of=moment.given)
    only = request.GET.get("waits", "")
    remaining = [row for row in found.remaining if not only or row.waits_for.value == only]
    known = people.briefs(row.person_id for row in remaining[:SHOWN])
    rows = [
        {
            "name": seen.name_in_list(known.get(row.person_id)),
            "about": seen.about(known.get(row.person_id)),
            "href": reverse("web:subject", args=[row.public_id]),
            "reason": waits().get(row.waits_for.value, row.waits_for.value),
            "since": row.since,
            "age": _age(row.since, found.as_of),
            "place": places.below(row.territory_code),
        }
        for row in remaining[:SHOWN]
    ]
    counts = found.waiting()
    context = {
        **_head(request, code, moment, _("Same-day clearance"),
                _("Everybody confirmed today is admitted today, every suspected case tested today.")),
        "summary": _("%(cleared)s of %(due)s cleared.") % {"cleared": found.cleared, "due": found.due},
        "closes_at": found.closes_at,
        "tabs": [{"label": f"{text} {counts.get(key, 0)}", "href": f"?waits={key}", "current": key == only}
                 for key, text in waits().items()],
        "rows": rows,
        "more": max(0, len(remaining) - SHOWN),
        "empty_title": _("Everything due today is done."),
        "empty_text": _("A case suspected or confirmed today stands here until it is tested or admitted."),
    }  # fmt: skip
    return render(request, "web/gaps/list.html", context)


def _age(since: datetime, at: datetime) -> object:
    return at - since


def _head(
    request: HttpRequest, code: str, moment: moments.Moment, title: str, explains: str
) -> dict[str, object]:
    return {
        "title": title,
        "explains": explains,
        "crumbs": places.crumbs(request, code),
        "as_of": moment.at,
        "looking_back": moment.looking_back,
        "as_of_choices": moments.choices(moment),
        "as_of_kept": [(k, v) for k, v in request.GET.items() if k != "as_of"],
    }
