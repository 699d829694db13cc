"""Looks at entry records beyond one case: who was at a place, where several cases were together.

A look is a POST: it is noted with the investigation and in the access log of whoever was seen. Nothing here
makes a contact; that is decided on the page of the proposals, name by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.cases.queries import people
from bihuan.doors.web import places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import LOCAL_MINUTE
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, territory
from bihuan.registry.errors import Invalid
from bihuan.registry.territory import tz_of
from bihuan.tracing.actions.looks import Common, CommonLook, PlaceLook, Present, look_common, look_place
from bihuan.tracing.errors import InvestigationClosed
from bihuan.tracing.queries import investigations as reads
from bihuan.tracing.queries.investigations import InvestigationRow, InvestigationView
from bihuan.tracing.queries.places import KINDS
from bihuan.tracing.queries.recorded import recorded_words

RIGHT: Final = "investigation.view"
WRITE: Final = "investigation.write"
LOOK: Final = "visits.look"
#: Below this a probability is told as "< 0.001".
SMALL: Final = 0.001


class PlaceLookForm(forms.Form):
    """Which place of the investigation, when (local time), and what for."""

    template_name = "web/parts/form.html"

    place = forms.ChoiceField(label=gettext_lazy("Place"), widget=forms.Select({"class": "input"}))
    since = forms.DateTimeField(
        label=gettext_lazy("From"), input_formats=[LOCAL_MINUTE],
        widget=forms.DateTimeInput({"type": "datetime-local"}, LOCAL_MINUTE),
    )  # fmt: skip
    until = forms.DateTimeField(
        label=gettext_lazy("To"), input_formats=[LOCAL_MINUTE],
        widget=forms.DateTimeInput({"type": "datetime-local"}, LOCAL_MINUTE),
    )  # fmt: skip
    purpose = forms.CharField(label=gettext_lazy("Purpose of this look"), max_length=200)

    def __init__(self, data: Any = None, *, choices: list[tuple[str, Any]], **settings: Any) -> None:
        super().__init__(data, **settings)
        self.fields["place"].choices = choices  # type: ignore[attr-defined]

    def hours(self, tz: ZoneInfo) -> tuple[datetime, datetime]:
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        return since.replace(tzinfo=tz), until.replace(tzinfo=tz)


@access(LOOK, personal=True)
def place(request: HttpRequest, public_id: str) -> HttpResponse:
    """Who was at a place of the track, or of a hypothesis, in the hours asked about."""
    view = reads.find_investigation(public_id)
    code = view.row.territory_code
    registry_access.require(LOOK, field_class=seen.LOCATION, territory_code=code)
    choices = _choices(view)
    form = PlaceLookForm(request.POST or None, choices=choices, initial=_initial(request, view))
    look = None
    if request.method == "POST":
        if view.row.status != "open":
            raise InvestigationClosed(public_id)
        look = _look_at_place(request, view, form)
    context = {
        "one": view.investigation,
        "crumbs": places.crumbs(request, code),
        "is_open": view.row.status == "open",
        "form": form,
        "has_places": bool(choices),
        "look": look,
        **(_place_found(look, view) if look is not None else {}),
    }
    status = 422 if request.method == "POST" and form.errors else 200
    return render(request, "web/investigation/place.html", context, status=status)


def _look_at_place(request: HttpRequest, view: InvestigationView, form: PlaceLookForm) -> PlaceLook | None:
    """The look, or None with what is wrong at the form."""
    if not form.is_valid():
        return None
    since, until = form.hours(view.tz)
    try:
        return look_place(
            view.row.public_id,
            form.cleaned_data["place"],
            since=since,
            until=until,
            purpose=form.cleaned_data["purpose"],
            actor=request.actor,  # type: ignore[attr-defined]
        )
    except Invalid as wrong:
        _at_field(form, wrong)
    return None


def _at_field(form: forms.Form, wrong: Invalid) -> None:
    """The error with its way out, at its field if it has one."""
    name = str((wrong.details or {}).get("field", ""))
    form.add_error(name if name in form.fields else None, str(wrong))


def _choices(view: InvestigationView) -> list[tuple[str, Any]]:
    """Places this investigation is about: nobody looks around. Those of the track first."""
    own: dict[str, str] = {}
    for entry in view.entries:
        key = entry.place or entry.place_store_id
        if key:
            own.setdefault(key, entry.where or key)
    asked = {
        one.place: one.place_name
        for one in view.hypotheses
        if one.place and one.standing != "ruled_out" and one.place not in own
    }
    groups = ((_("Of the track"), own), (_("Of a hypothesis"), asked))
    return [(title, list(group.items())) for title, group in groups if group]


def _initial(request: HttpRequest, view: InvestigationView) -> dict[str, Any]:
    """The place and hours of an entry of the track, if the address names one."""
    chosen = request.GET.get("entry", "")
    entry = next((one for one in view.entries if str(one.id) == chosen), None)
    initial: dict[str, Any] = {"purpose": view.investigation.purpose_said}
    if entry is None:
        return initial
    until = min(entry.until or view.until, view.until)
    return initial | {
        "place": entry.place or entry.place_store_id,
        "since": entry.since.astimezone(view.tz).replace(tzinfo=None),
        "until": max(until, entry.since).astimezone(view.tz).replace(tzinfo=None),
    }


def _place_found(look: PlaceLook, view: InvestigationView) -> dict[str, Any]:
    known = people.briefs(row.person_id for row in look.rows if row.person_id is not None)
    rows = sorted(look.rows, key=lambda row: (row.since, row.until or row.since))
    return {
        "rows": [_present(row, known, view) for row in rows],
        "hours": _span(look.since, look.until, view.tz),
        "left_out": look.total - len(look.rows),
    }


def _present(row: Present, known: Mapping[int, Any], view: InvestigationView) -> dict[str, Any]:
    person = known.get(row.person_id or 0)
    return {
        "who": _who(row, person),
        "about": seen.about(person) if person else "",
        "place": places.below(person.territory_code) if person else "",
        "href": reverse("web:person", args=[person.public_id]) if person else "",
        "is_case": row.person_id == view.row.person_id,
        "since": _moment(row.since, view.tz),
        "until": _until(row.since, row.until, view.tz) if row.until else "",
        "how": recorded_words(row.how),
    }


def _who(row: Present, person: Any) -> str:
    """Masked where the reader may see who it is; of people elsewhere the county; of the others a number."""
    if person is not None:
        return seen.name_in_list(person)
    if row.county:
        found = territory.find(row.county)
        return _("somebody of %(county)s") % {"county": found.label if found else row.county}
    return _("Number %(id)s") % {"id": f"…{row.key & 0xFFFFF:05x}"}


def _moment(at: datetime, tz: Any) -> str:
    return f"{at.astimezone(tz):%m-%d %H:%M}"


def _until(since: datetime, until: datetime, tz: Any) -> str:
    """The end of a stay: the hour alone on the same day."""
    same = since.astimezone(tz).date() == until.astimezone(tz).date()
    return f"{until.astimezone(tz):%H:%M}" if same else _moment(until, tz)


def _span(since: datetime, until: datetime, tz: Any) -> str:
    return _("%(from)s to %(to)s") % {"from": _moment(since, tz), "to": _until(since, until, tz)}


# --- where several cases were together ----------------------------------------------------------------------


@access(LOOK, personal=True)
def common(request: HttpRequest) -> HttpResponse:
    """Places and hours where the cases of several open investigations were, ranked against chance."""
    sight.require_whole(RIGHT)
    registry_access.require(LOOK, field_class=seen.LOCATION)
    code, _error = places.asked(request, within_scope=True)
    open_rows = reads.list_investigations(status="open", territory=code)
    given = request.POST if request.method == "POST" else request.GET
    chosen = list(dict.fromkeys(given.getlist("one")))
    wrong, look = "", None
    if request.method == "POST":
        try:
            look = look_common(
                chosen,
                purpose=given.get("purpose", ""),
                actor=request.actor,  # type: ignore[attr-defined]
            )
        except Invalid as refused:
            wrong = str(refused)
    known = people.briefs(row.person_id for row in open_rows)
    names = {row.case: seen.name_in_list(known.get(row.person_id)) for row in open_rows}
    context = {
        "crumbs": places.crumbs(request, code),
        "rows": [_choice(row, known, chosen) for row in open_rows],
        "purpose": given.get("purpose", ""),
        "wrong": wrong,
        "look": look,
        **(_common_found(look, names, code) if look is not None else {}),
    }
    return render(request, "web/investigation/common.html", context, status=422 if wrong else 200)


def _choice(row: InvestigationRow, known: Mapping[int, Any], chosen: list[str]) -> dict[str, Any]:
    person = known.get(row.person_id)
    return {
        "row": row,
        "name": seen.name_in_list(person),
        "about": seen.about(person),
        "case": case_word(row.classification),
        "place": places.below(row.territory_code),
        "chosen": row.public_id in chosen,
    }


def _common_found(look: CommonLook, names: Mapping[str, str], code: str) -> dict[str, Any]:
    may_name = bool(registry_access.may(None, WRITE)) and bool(
        registry_access.may(None, "case.view", field_class=seen.HEALTH)
    )
    asked = len(look.investigations)
    kinds = {row.place.kind for row in look.rows}
    return {
        "found": [
            _common(row, names, asked, may_name=may_name, tz=clock.zone(tz_of(row.place.territory or code)))
            for row in look.rows
        ],
        "kinds": [(kind, label) for kind, label in KINDS if kind in kinds],
        "unseen": [{"id": case, "name": names.get(case, case)} for case in look.unseen],
        "unheld": [{"id": case, "name": names.get(case, case)} for case in look.unheld],
    }


def _common(
    row: Common, names: Mapping[str, str], asked: int, *, may_name: bool, tz: ZoneInfo
) -> dict[str, Any]:
    """One common place; hours in its own time zone."""
    hour, when = _span(row.since, row.until, tz), _span(row.span_since, row.span_until, tz)
    words = {
        "n": len(row.cases), "m": len(row.span_cases), "all": asked, "place": row.place.name, "when": hour,
        "span": when, "expected": _figure(row.expected),
    }  # fmt: skip
    said = (
        _(
            "%(n)s of %(all)s cases were at %(place)s, %(when)s; by chance it would be %(expected)s. "
            "A lead to verify, no finding."
        )
        if row.hours == 1
        else _(
            "%(m)s of %(all)s cases were at %(place)s, %(span)s. In its least likely hour, %(when)s, there "
            "were %(n)s; by chance it would be %(expected)s in that hour. A lead to verify, no finding."
        )
    )
    return {
        "kind": row.place.kind,
        "kind_label": dict(KINDS).get(row.place.kind, ""),
        "hour": hour if row.hours > 1 else "",
        "place": row.place.name,
        "place_url": reverse("web:place", args=[row.place.public_id]) if _is_in_sight(row) else "",
        "when": when,
        "cases": [
            {"name": names.get(case, case), "href": reverse("web:case", args=[case])}
            for case in row.span_cases
        ],
        "n": len(row.cases),
        "stays": row.stays,
        "expected": _figure(row.expected),
        "p": _figure(row.p),
        "q": _figure(row.q),
        "strong": row.q < 0.05,
        "says": said % words,
        "cluster": _cluster_href(row, tz) if may_name else "",
    }


def _is_in_sight(row: Common) -> bool:
    """Whether the place is registered, and in a territory of the reader."""
    code = row.place.territory
    return bool(row.place.public_id and registry_access.may(None, "territory.view", territory_code=code))


def _figure(value: float) -> str:
    """Two digits, never a rounded zero."""
    if value < SMALL:
        return f"< {SMALL}"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _cluster_href(row: Common, tz: Any) -> str:
    """The form of a new cluster, filled."""
    first, last = row.span_since.astimezone(tz).date(), row.span_until.astimezone(tz).date()
    query = {
        "name": _("%(place)s, %(day)s") % {"place": row.place.name, "day": f"{first:%m-%d}"},
        "place": row.place.public_id,
        "setting": row.place.kind,
        "date_first": first.isoformat(),
        "date_last": last.isoformat(),
        "cases": " ".join(row.span_cases),
    }
    return f"{reverse('web:cluster_new')}?{urlencode(query)}"
