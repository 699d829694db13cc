"""How contact tracing goes: shares with what they are made of, their targets, and who says so."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.care.queries.indicators import DAYS, Indicator, tracing_indicators
from bihuan.doors.web import moments, places
from bihuan.doors.web.access import access
from bihuan.loops.queries import sight


def labels() -> Mapping[str, tuple[str, str]]:
    """Name of each indicator, and what it counts."""
    return {
        "traced_72h": (
            _("Contacts traced within 72 hours"),
            _("Under observation within 72 hours of the confirmation of their case."),
        ),
        "placed_24h": (
            _("Contacts placed within 24 hours"),
            _("Under observation within 24 hours of being confirmed as a contact."),
        ),
        "symptomatic_24h": (
            _("Contacts with symptoms sampled within 24 hours"),
            _("Of contacts who fell ill: a specimen was taken within 24 hours of the first signs."),
        ),
        "followed_today": (_("Followed up today"), _("Of those under observation today: checked today.")),
        "completing": (
            _("Observations completed"),
            _("Of those that ended or broke off: completed. Cases and early releases are left out."),
        ),
        "among_contacts": (_("Cases among known contacts"), _("Of all cases: known as contacts before.")),
        "in_quarantine": (
            _("Cases found under observation"),
            _("Of all cases: under observation when they were found."),
        ),
        "unlinked": (_("Cases without a link"), _("Not imported, and linked to no other case.")),
        "without_contacts": (
            _("Cases without a contact"),
            _("Confirmed for a day or longer, and no contact is known."),
        ),
        "interviewed_24h": (
            _("Investigated within 24 hours"),
            _("Of all cases: the investigation was done within 24 hours of finding them."),
        ),
        "interviews_per_case": (
            _("Interviews for one case found"),
            _("Cases interviewed for each case found among contacts."),
        ),
    }  # fmt: skip


@access("board.view")
def indicators(request: HttpRequest) -> HttpResponse:
    """The indicators of contact tracing of a territory, as of a moment."""
    sight.require_whole("case.view")
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    found = tracing_indicators(code, as_of=moment.given)
    context = {
        "crumbs": places.crumbs(request, code),
        "as_of": moment.at,
        "looking_back": moment.looking_back,
        "as_of_choices": moments.choices(moment),
        "as_of_kept": [(k, v) for k, v in request.GET.items() if k != "as_of"],
        "days": DAYS,
        "rows": [_shown(row) for row in found.rows],
    }
    return render(request, "web/gaps/indicators.html", context)


def _shown(row: Indicator) -> dict[str, object]:
    name, counts = labels()[row.key]
    value = row.value
    return {
        "name": name,
        "counts": counts,
        "value": "–" if value is None else f"{value:.1f}" if row.is_ratio else f"{value:.0%}",
        "of": f"{row.numerator:,} / {row.denominator:,}",
        "target": ""
        if row.target is None
        else (_("at least %(n)s") if row.at_least else _("at most %(n)s")) % {"n": f"{row.target:.0%}"},
        "tone": {None: "", True: "is-done", False: "is-late"}[row.is_met],
        "source": row.source,
        "recalled": row.confidence == "R",
    }
