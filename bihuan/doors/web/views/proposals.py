"""Contacts of a case: who was proposed and why, chosen together, confirmed or dismissed with a reason."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.care.queries.obliged import obliged_until
from bihuan.cases.queries import people
from bihuan.doors.web import exporting, places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.proposal_forms import ManifestForm, NameForm
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, territory
from bihuan.registry.errors import Conflict, Invalid
from bihuan.registry.purposes import purpose
from bihuan.registry.territory import tz_of
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.queries.clusters import SETTING_LABELS
from bihuan.tracing.queries.proposals import ProposalFilter, ProposalList, ProposalRow
from bihuan.tracing.queries.reasons import criterion_labels, sentence
from bihuan.tracing.rules.criteria import Counts, counted_kinds

VIEW: Final = "investigation.view"
WRITE: Final = "investigation.write"
LOOK: Final = "visits.look"
EXPORT: Final = "export.run"
#: Names told of those that could not be decided so.
WRONG_SHOWN: Final = 10
#: Encounters of a row that are told at once; the others unfold.
TOLD: Final = 3


def part_labels() -> Mapping[str, str]:
    return {
        "open": _("To be decided"),
        "unknown": _("Not known who"),
        "elsewhere": _("Living elsewhere"),
        "second": _("Contacts of contacts"),
        "confirmed": _("Confirmed as contact"),
        "dismissed": _("Dismissed"),
        "sent": _("Sent for assistance"),
    }


def panel(investigation_id: str) -> dict[str, Any]:
    """What the page of the investigation shows of its contacts: how many stand where, and the way there."""
    investigation = reads.find_investigation(investigation_id)
    counts = reads.count_proposals(investigation)
    labels = part_labels()
    return {
        "href": reverse("web:proposals", args=[investigation_id]),
        "parts": [(labels[part], n) for part, n in counts.items() if n],
        "total": sum(counts.values()),
        "waiting": sum(counts.get(part, 0) for part in ("open", "elsewhere", "unknown")),
    }


@access(VIEW, personal=True)
def proposals(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """The proposals of one investigation; one part of them as a file where the address asks for it."""
    if request.GET.get("export") in ("csv", "xlsx"):
        return _file(request, public_id)
    return proposals_page(request, public_id)


def _file(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Every name of a part with why it is there, as the page tells it. That it left stands in the access
    log."""
    sight.require_whole(VIEW)
    investigation = reads.find_investigation(public_id)
    registry_access.require(EXPORT, territory_code=investigation.territory_code)
    tells = tells_places(investigation) and seen.LOCATION in seen.classes(EXPORT)
    given = _filter(request.GET, tells=tells)
    found = reads.all_proposals(investigation, given)
    tz = clock.zone(tz_of(investigation.territory_code))
    classes = [seen.LOCATION] if tells else ["operational"]
    seen.note([row.person_id for row in found], classes, purpose("export.proposals", public_id))
    headers = [
        _("Who"), _("Contact"), _("Source case"), _("Territory"), _("Criterion"), _("Clause"), _("Reason"),
        _("Minutes"), _("Times"), _("When and where"), _("First exposure"), _("Last exposure"),
        _("Confirmed by"), _("Decided at"), _("Assistance request"), _("Number of the proposal"),
    ]  # fmt: skip
    rows = [_cells(row, investigation, tz, tells=tells) for row in found]
    write = exporting.as_csv if request.GET["export"] == "csv" else exporting.as_xlsx
    return write(f"{public_id}-{given.part}", headers, rows)


def _cells(row: ProposalRow, investigation: Any, tz: tzinfo, *, tells: bool) -> list[Any]:
    met = "; ".join(sentence(e, tz) for e in row.encounters) if tells else ""
    place = places.below(row.person.territory_code) if row.person else ""
    return [
        _name(row), row.contact, investigation.case.public_id, place,
        criterion_labels().get(row.criterion, row.criterion), row.clause, row.reason, row.minutes, row.times,
        met, row.first_at if tells else None, row.last_at if tells else None, row.decided_by, row.decided_at,
        row.request, row.public_id,
    ]  # fmt: skip


def proposals_page(
    request: HttpRequest,
    public_id: str,
    *,
    forms_bad: Mapping[str, forms.Form] | None = None,
    wrong: Invalid | Conflict | None = None,
) -> HttpResponse:
    """The list as it was asked for; after something `wrong` with whom was chosen and why as they stood."""
    sight.require_whole(VIEW)
    tells = tells_places(reads.find_investigation(public_id))
    query = QueryDict(request.POST.get("kept", "")) if wrong else request.GET
    given = _filter(query, tells=tells)
    found = reads.list_proposals(public_id, given)
    investigation = found.investigation
    tz = clock.zone(tz_of(investigation.territory_code))
    is_open = investigation.status == investigation.OPEN
    may = is_open and registry_access.may(None, WRITE, territory_code=investigation.territory_code).allowed
    if tells:
        seen.note(
            [row.person_id for row in found.rows],
            [seen.LOCATION],
            purpose("page.proposals", public_id),
        )
    context = {
        "one": investigation,
        "case_name": seen.name_in_list(
            people.briefs([investigation.case.person_id]).get(investigation.case.person_id)
        ),
        "crumbs": places.crumbs(request, investigation.territory_code),
        "part": given.part,
        "given": given,
        "filtered": given != ProposalFilter(part=given.part),
        "tabs": _tabs(found, given),
        "rows": [shown_row(row, investigation, tz, tells=tells) for row in found.rows],
        "first_only": len(found.rows) if len(found.rows) == reads.MOST else 0,
        "tells": tells,
        "may_export": registry_access.may(None, EXPORT, territory_code=investigation.territory_code).allowed,
        "places": found.places if tells else (),
        "settings": [(k, v) for k, v in SETTING_LABELS if k in found.settings and tells],
        "is_open": is_open,
        "may_write": may,
        "may_take_back": registry_access.may(
            None, WRITE, territory_code=investigation.territory_code
        ).allowed,
        "may_look": may
        and registry_access.may(None, LOOK, territory_code=investigation.territory_code).allowed,
        "may_ask_gates": may and given.part == "unknown" and may_ask_gates(investigation),
        "bulk": may and given.part in ("open", "second", "dismissed", "elsewhere", "unknown"),
        "criteria": [(k.value, criterion_labels()[k.value]) for k in counted_kinds(found.policy)],
        "secondary_off": "" if found.policy.secondary else _said(found.policy.quote("secondary")),
        "secondary_clause": found.policy.quote("secondary").clause,
        "edition": found.policy.quote("kinds"),
        "edition_says": _said(found.policy.quote("kinds")),
        "name_form": NameForm(investigation=investigation),
        "manifest_form": ManifestForm(),
        **(forms_bad or {}),
        "opened": next(iter(forms_bad or {}), ""),
        "kept": query.urlencode(),
        **_as_sent(request, wrong, found),
        "empty_title": _empty(given.part, found)[0],
        "empty_text": _empty(given.part, found)[1],
    }
    status = wrong.status if wrong else 422 if forms_bad else 200
    return render(request, "web/investigation/proposals.html", context, status=status)


def _as_sent(
    request: HttpRequest, wrong: Invalid | Conflict | None, found: ProposalList
) -> Mapping[str, Any]:
    """What was chosen and written, with what is wrong about it: nothing has to be typed again."""
    if wrong is None:
        return {}
    told = (wrong.details.get("errors") or [])[:WRONG_SHOWN]
    rows = {row.public_id: row for row in found.rows}
    return {
        "wrong": wrong,
        "wrong_lines": [
            {
                "name": _name(rows.get(e["field"]) or reads.find_proposal(e["field"])[0]),
                "text": e["message"],
                "href": reverse("web:proposal", args=[e["field"]]),
            }
            for e in told
        ],
        "chosen": frozenset(request.POST.getlist("proposal")),
        "sent": {name: request.POST.get(name, "") for name in ("criterion", "need", "reason", "purpose")},
    }


def tells_places(investigation: Any) -> bool:
    """Whether the page tells where people were: while the investigation is open, to posts that see it."""
    return investigation.status == investigation.OPEN and seen.LOCATION in seen.classes(VIEW)


def may_ask_gates(investigation: Any) -> bool:
    """What gates registered are names and phones."""
    code = investigation.territory_code
    return registry_access.may(None, LOOK, field_class="identity", territory_code=code).allowed


def _filter(query: QueryDict, *, tells: bool) -> ProposalFilter:
    """What is asked for; not by whereabouts where they are not told, as a filter would tell them."""

    def number(key: str) -> float:
        try:
            return max(0.0, float(query.get(key) or 0))
        except ValueError:
            return 0.0

    part = query.get("part", "open")
    return ProposalFilter(
        part=part if part in reads.PARTS else "open",
        place=query.get("place", "")[:120] if tells else "",
        setting=query.get("setting", "")[:20] if tells else "",
        least_minutes=min(int(number("minutes")), 100_000),
        least_score=min(number("score"), 1.0),
    )


def _tabs(found: ProposalList, given: ProposalFilter) -> list[dict[str, Any]]:
    labels = part_labels()
    return [
        {"label": labels[part], "n": n, "href": f"?part={part}", "current": part == given.part}
        for part, n in found.counts.items()
        if n or part in ("open", "confirmed", "dismissed", "second") or part == given.part
    ]


def _empty(part: str, found: ProposalList) -> tuple[str, str]:
    if part == "second" and not found.policy.secondary:
        return _("Contacts of contacts are not identified"), _said(found.policy.quote("secondary"))
    if part == "open" and not sum(found.counts.values()):
        return _("Nobody has been proposed yet"), _(
            "Look who was where the case was, enter those the case named, or bring a passenger list."
        )
    if part == "open":
        return _("Everybody is decided about"), _("New entry records may bring more: look again.")
    return _("Nobody here"), ""


def _said(quote: Any) -> str:
    return str(quote.zh if (get_language() or "zh").startswith("zh") else quote.en)


# --- one row ------------------------------------------------------------------------------------------


def _observed_until(row: ProposalRow, territory_code: str, tz: tzinfo) -> date | None:
    """The last day of observation, where it has passed already: whoever decides should know."""
    if row.last_at is None or row.state != "proposed":
        return None
    today = clock.now().astimezone(tz).date()
    met = row.last_at.astimezone(tz).date()
    last = obliged_until(met, today, territory_code, secondary=row.order > 1)
    return last if last < today else None


def shown_row(row: ProposalRow, investigation: Any, tz: tzinfo, *, tells: bool) -> dict[str, Any]:
    best = row.candidates[0] if row.candidates and tells else None
    told = [sentence(e, tz) for e in row.encounters] if tells else []
    return {
        "row": row,
        "name": _name(row),
        "about": seen.about(row.person) if row.person else "",
        "place": places.below(row.person.territory_code) if row.person else "",
        "score": f"{row.score:.2f}",
        "parts": [
            (_("time together"), round(row.parts[0])),
            (_("encounters"), round(row.parts[1])),
            (_("further cases"), round(row.parts[2])),
        ],
        # it tells when they met
        "over": _observed_until(row, investigation.territory_code, tz) if tells else None,
        "told": told[:TOLD],
        "more": told[TOLD:],
        "later": [sentence(e, tz) for e in row.later] if tells else [],
        "best": best,
        "best_label": criterion_labels()[best.criterion.value] if best else "",
        "best_says": (best.zh if (get_language() or "zh").startswith("zh") else best.en) if best else "",
        "tone": {Counts.YES: "done", Counts.JUDGE: "line", Counts.NO: "soon"}[best.counts] if best else "",
        "criterion": criterion_labels().get(row.criterion, row.criterion),
        "back": f"{reverse('web:proposal', args=[row.public_id])}#prop-reason",
    }


def _name(row: ProposalRow) -> str:
    if row.person is not None:
        return seen.name_in_list(row.person)
    if row.county:
        found = territory.find(row.county)
        return _("somebody of %(county)s") % {"county": found.label if found else row.county}
    if row.person_id is not None:
        return _("out of sight")
    return _("Number %(id)s") % {"id": f"…{(row.number or 0) & 0xFFFFF:05x}"}


def held_words(since: date | None) -> str:
    """That days before were asked for of which nothing is held; "" where none were."""
    if since is None:
        return ""
    return _("Entry records are held from %(day)s on; of the days before there are none.") % {
        "day": since.isoformat()
    }
