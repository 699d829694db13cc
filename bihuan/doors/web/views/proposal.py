"""One proposed contact: what it rests on, who she is, and what can still be done."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from bihuan.care.actions import take_back
from bihuan.doors.web import seen
from bihuan.doors.web.access import access
from bihuan.doors.web.proposal_forms import WhoForm, person_of, refused
from bihuan.doors.web.views.proposals import VIEW, WRITE, may_ask_gates, part_labels, shown_row, tells_places
from bihuan.doors.web.views.proposals_do import actor_of
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, masking
from bihuan.registry.errors import BihuanError
from bihuan.registry.masking import PersonView
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import person_by_public_id
from bihuan.registry.territory import tz_of
from bihuan.tracing.actions import proposals as verbs
from bihuan.tracing.actions.looks import StrangerLook, look_stranger
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.queries.proposals import ProposalRow
from bihuan.tracing.queries.reasons import criterion_labels


@access(VIEW, personal=True)
def proposal(request: HttpRequest, public_id: str) -> HttpResponse:
    """One proposal: everything it rests on, all criteria, and what can still be done."""
    sight.require_whole(VIEW)
    row, investigation, _policy = reads.find_proposal(public_id)
    is_open = investigation.status == investigation.OPEN
    tells = tells_places(investigation)
    if tells:
        why = purpose("page.proposal", public_id, investigation.public_id)
        seen.note([row.person_id], [seen.LOCATION], why)
    may = registry_access.may(None, WRITE, territory_code=investigation.territory_code).allowed
    labels = criterion_labels()
    may_resolve = may and is_open and row.state == "proposed" and row.person_id is None
    form: forms.Form = WhoForm()
    asked: StrangerLook | None = None
    if request.method == "POST":
        registry_access.require(WRITE, territory_code=investigation.territory_code)
        if request.POST.get("do") == "registered":
            asked = look_stranger(public_id, purpose=request.POST.get("purpose", ""), actor=actor_of(request))
            form = WhoForm(initial={"name": asked.name, "phone": asked.phone})
        else:
            answer = _one(request, row, investigation.public_id)
            if isinstance(answer, HttpResponse):
                return answer
            form = answer
    zh = (get_language() or "zh").startswith("zh")
    context = {
        "one": investigation,
        "shown": shown_row(row, investigation, clock.zone(tz_of(investigation.territory_code)), tells=tells),
        "row": row,
        "tells": tells,
        "form": form,
        "may_resolve": may_resolve,
        "may_ask_gates": may_resolve
        and row.number is not None
        and not row.county
        and may_ask_gates(investigation),
        "asked": asked,
        "call": _to_call(row, investigation) if is_open and row.at_gate and row.state == "proposed" else None,
        "may_take_back": may and row.state == "confirmed",
        "candidates": [
            (labels[c.criterion.value], c.zh if zh else c.en, c.counts.value, c.clause)
            for c in row.candidates
            if tells
        ],
        "state": part_labels().get(row.state, _("To be decided")),
    }
    return render(request, "web/investigation/proposal.html", context, status=422 if form.errors else 200)


def _to_call(row: ProposalRow, investigation: Any) -> PersonView | None:
    """Name and phone as she told them at a gate, to be verified by whoever decides about her."""
    if (
        row.person is None
        or not registry_access.may(None, WRITE, territory_code=investigation.territory_code).allowed
    ):
        return None
    view = masking.shown(person_by_public_id(row.person.public_id), on=clock.today())
    fields = [name for name in ("name", "phone") if name in view.fields]
    seen.note([view.id], fields, purpose("page.proposal", row.public_id, investigation.public_id))
    return view


def _one(request: HttpRequest, row: ProposalRow, investigation_id: str) -> HttpResponse | forms.Form:
    actor = actor_of(request)
    if request.POST.get("do") == "take_back":
        free = take_back(row.public_id, reason=request.POST.get("reason", ""), actor=actor)
        kept = _("Taken back; another naming still obliges the person.")
        messages.success(request, _("Taken back; the person is free.") if free else kept)
        return redirect("web:proposals", public_id=investigation_id)
    form = WhoForm(request.POST)
    if form.is_valid():
        try:
            verbs.resolve(row.public_id, person_of(form.cleaned_data), actor=actor)
        except BihuanError as wrong:
            refused(form, wrong)
        else:
            messages.success(request, _("It is known who this is; now to be decided."))
            return redirect("web:proposals", public_id=investigation_id)
    return form
