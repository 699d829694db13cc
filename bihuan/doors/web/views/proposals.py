"""Contacts of a case: who was proposed and why, chosen together, confirmed or dismissed with a reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from bihuan.care.actions import take_back
from bihuan.care.queries.obliged import obliged_until
from bihuan.cases.queries import people
from bihuan.doors.exchange.passenger_list import received
from bihuan.doors.web import exporting, places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.views.asked import asked_words
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, masking, territory
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, Conflict, Invalid, NotFound
from bihuan.registry.masking import PersonView
from bihuan.registry.people import PersonInput
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import person_by_public_id
from bihuan.registry.territory import tz_of
from bihuan.tracing.actions import proposals as verbs
from bihuan.tracing.actions import proposals_ask as ask
from bihuan.tracing.actions import proposals_decide as decide
from bihuan.tracing.actions.looks import StrangerLook, look_stranger
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.queries.clusters import SETTING_LABELS
from bihuan.tracing.queries.proposals import ProposalFilter, ProposalList, ProposalRow
from bihuan.tracing.queries.reasons import criterion_labels, sentence
from bihuan.tracing.rules.criteria import Counts, counted_kinds
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind

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
    }


@access(VIEW, personal=True)
def proposals(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """The proposals of one investigation; one part of them as a file where the address asks for it."""
    if request.GET.get("export") in ("csv", "xlsx"):
        return _file(request, public_id)
    return _page(request, public_id)


def _file(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Every name of a part with why it is there, as the page tells it. That it left stands in the access
    log."""
    sight.require_whole(VIEW)
    investigation = reads.find_investigation(public_id)
    registry_access.require(EXPORT, territory_code=investigation.territory_code)
    tells = _tells(investigation) and seen.LOCATION in seen.classes(EXPORT)
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


def _page(
    request: HttpRequest,
    public_id: str,
    *,
    forms_bad: Mapping[str, forms.Form] | None = None,
    wrong: Invalid | Conflict | None = None,
) -> HttpResponse:
    """The list as it was asked for; after something `wrong` with whom was chosen and why as they stood."""
    sight.require_whole(VIEW)
    tells = _tells(reads.find_investigation(public_id))
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
        "rows": [_shown(row, investigation, tz, tells=tells) for row in found.rows],
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
        "may_ask_gates": may and given.part == "unknown" and _may_ask_gates(investigation),
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


def _tells(investigation: Any) -> bool:
    """Whether the page tells where people were: while the investigation is open, to posts that see it."""
    return investigation.status == investigation.OPEN and seen.LOCATION in seen.classes(VIEW)


def _may_ask_gates(investigation: Any) -> bool:
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


def _shown(row: ProposalRow, investigation: Any, tz: tzinfo, *, tells: bool) -> dict[str, Any]:
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


# --- deciding -----------------------------------------------------------------------------------------


@access(WRITE, personal=True)
def proposals_do(request: HttpRequest, public_id: str, what: str) -> HttpResponse:
    """What is done with the names chosen, or to bring names in; whoever only opens the address again comes
    to the list."""
    if request.method != "POST":
        return redirect("web:proposals", public_id=public_id)
    do = _DO.get(what)
    if do is None:
        raise NotFound(_("There is no %(what)s here.") % {"what": what})
    try:
        with transaction.atomic():
            return do(request, public_id, _actor(request))
    except (Invalid, Conflict) as wrong:
        return _page(request, public_id, wrong=wrong)


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def _back(request: HttpRequest, public_id: str) -> HttpResponse:
    kept = request.POST.get("kept", "")
    tail = f"?{kept}" if kept and "\n" not in kept else ""
    return redirect(reverse("web:proposals", args=[public_id]) + tail)


def _find(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    found = verbs.find_contacts(public_id, purpose=request.POST.get("purpose", ""), actor=actor)
    words = {
        "no_store": _("No entry record has come in yet; there is nothing to look into."),
        "no_number": _("The register holds neither an identity number nor a phone of the case."),
        "not_held": _("No entry records of these days are held: they were deleted, or never came in."),
        "not_seen": _("No gate recorded the case in these days."),
    }
    if found.state in words:
        messages.warning(request, words[found.state])
    else:
        told = {"new": found.made, "changed": found.updated + found.again, "total": found.total}
        text = _("%(total)s were there; %(new)s new names, %(changed)s with more to tell.") % told
        messages.success(request, " ".join(filter(None, (text, held_words(found.held_from)))))
    return redirect("web:proposals", public_id=public_id)


def held_words(since: date | None) -> str:
    """That days before were asked for of which nothing is held; "" where none were."""
    if since is None:
        return ""
    return _("Entry records are held from %(day)s on; of the days before there are none.") % {
        "day": since.isoformat()
    }


def _confirm(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    done = decide.confirm_proposals(
        request.POST.getlist("proposal"),
        criterion=request.POST.get("criterion", ""),
        reason=request.POST.get("reason", ""),
        actor=actor,
    )
    n = done.made + done.joined
    text = ngettext("%(n)s contact confirmed.", "%(n)s contacts confirmed.", n) % {"n": n}
    if done.joined:
        text += " " + _("%(n)s of them were contacts already: the exposure was added.") % {"n": done.joined}
    if done.moved:
        text += " " + _("For %(n)s somebody decides whether observation lasts longer.") % {"n": done.moved}
    messages.success(request, text)
    return _back(request, public_id)


def _dismiss(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    n = decide.dismiss_proposals(
        request.POST.getlist("proposal"), reason=request.POST.get("reason", ""), actor=actor
    )
    messages.success(request, ngettext("%(n)s dismissed.", "%(n)s dismissed.", n) % {"n": n})
    return _back(request, public_id)


def _reconsider(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    n = decide.reconsider_proposals(
        request.POST.getlist("proposal"), reason=request.POST.get("reason", ""), actor=actor
    )
    messages.success(request, _("%(n)s to be decided again.") % {"n": n})
    return _back(request, public_id)


def _send(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    sent = decide.send_proposals(
        request.POST.getlist("proposal"),
        need=request.POST.get("need", "place_under_observation"),
        reason=request.POST.get("reason", ""),
        actor=actor,
    )
    n = len(sent.requests)
    messages.success(request, ngettext("%(n)s request sent.", "%(n)s requests sent.", n) % {"n": n})
    return _back(request, public_id)


def _ask(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    """Names that came up stand among those to be decided, where it goes on; else the list stays."""
    done = ask.ask_gates(
        request.POST.getlist("proposal"), purpose=request.POST.get("purpose", ""), actor=actor
    )
    (messages.success if done.named or done.known else messages.warning)(request, asked_words(done))
    if done.named or done.known:
        return redirect(f"{reverse('web:proposals', args=[public_id])}?part=open")
    return _back(request, public_id)


class NameForm(forms.Form):
    """Somebody the case, or a witness, named."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, investigation: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = territory.find(investigation.territory_code)
        self.fields |= {
            "name": forms.CharField(label=_("Name of the person"), max_length=80),
            "phone": forms.CharField(label=_("Phone"), max_length=30, required=False),
            "id_number": forms.CharField(label=_("Identity number"), max_length=30, required=False),
            "territory": forms.CharField(
                label=_("Lives in"), max_length=80, initial=own.label if own else "",
                help_text=_("Name or code of the street or community: its people get the duties."),
            ),
            "address": forms.CharField(label=_("Address"), max_length=200, required=False),
            "setting": forms.ChoiceField(label=_("Setting"), choices=SETTING_LABELS, required=False),
            "place": forms.CharField(label=_("Where they met"), max_length=200, required=False),
            "day": forms.DateField(label=_("Last together on"), widget=forms.DateInput({"type": "date"})),
            "minutes": forms.IntegerField(
                label=_("Minutes together"), min_value=0, max_value=20_000, required=False
            ),
        }  # fmt: skip


def _person(told: Mapping[str, Any]) -> PersonInput:
    return PersonInput(
        territory_code=_place(told["territory"]),
        name=told["name"],
        phone=told["phone"],
        id_number=told["id_number"],
        address=told["address"],
        source="investigation",
    )


def _place(text: str) -> str:
    found = territory.find(text.strip())
    return (found or territory.one_by_name(text.strip())).code


def _name_one(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    investigation = reads.find_investigation(public_id)
    form = NameForm(request.POST, investigation=investigation)
    if form.is_valid():
        told = form.cleaned_data
        try:
            verbs.name_person(
                public_id,
                _person(form.cleaned_data),
                last=_noon(told["day"]),
                setting=told["setting"] or "unknown",
                place=told["place"],
                minutes=told["minutes"] or 0,
                actor=actor,
            )
        except BihuanError as wrong:
            form.add_error(None, str(wrong))
        else:
            messages.success(request, _("Entered: now to be decided."))
            return redirect("web:proposals", public_id=public_id)
    return _page(request, public_id, forms_bad={"name_form": form})


def _noon(day: date) -> datetime:
    """Somewhen on that local day: noon, or now if that is still to come."""
    at = timezone.make_aware(datetime.combine(day, time(12)))
    now = clock.now()
    return now if at > now and timezone.localtime(now).date() == day else at


class ManifestForm(forms.Form):
    """A passenger list and where the case sat."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = [(k, v) for k, v in SETTING_LABELS if k in set(VehicleKind)]
        sealed = [("", _("not known")), ("yes", _("sealed, air-conditioned")), ("no", _("ventilated"))]
        self.fields |= {
            "kind": forms.ChoiceField(label=_("Vehicle"), choices=kinds),
            "vehicle": forms.CharField(
                label=_("Number"), max_length=40, help_text=_("As on the ticket: G1234, CZ3367.")
            ),
            "sealed": forms.ChoiceField(label=_("Carriage"), choices=sealed, required=False),
            "day": forms.DateField(label=_("Day of the journey"), widget=forms.DateInput({"type": "date"})),
            "carriage": forms.CharField(label=_("Carriage of the case"), max_length=20, required=False),
            "row": forms.IntegerField(
                label=_("Row or bay of the case"), min_value=1, max_value=999, required=False
            ),
            "room": forms.CharField(label=_("Compartment or cabin"), max_length=20, required=False),
            "file": forms.FileField(
                label=_("Passenger list (CSV, XLSX)"),
                help_text=_(
                    "Columns: name, id_number, phone, carriage, row or seat, role. "
                    "Those who sat too far away are not kept."
                ),
            ),
        }  # fmt: skip


def _manifest(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    form = ManifestForm(request.POST, request.FILES)
    if form.is_valid():
        told = form.cleaned_data
        sealed = {"yes": True, "no": False}.get(told["sealed"])
        try:
            done = verbs.propose_manifest(
                public_id,
                received(told["file"]),
                vehicle=Vehicle(VehicleKind(told["kind"]), sealed, told["vehicle"]),
                case_seat=Seat(told["carriage"], told["row"], told["room"]),
                day=_noon(told["day"]),
                actor=actor,
            )
        except BihuanError as wrong:
            form.add_error(None, " ".join(filter(None, (str(wrong), str(wrong.hint or "")))))
        else:
            words = {"n": done.proposed, "judged": done.judged, "apart": done.apart}
            text = _("%(n)s proposed (%(judged)s to be judged); %(apart)s sat too far away.") % words
            if done.joined:
                text += " " + _("%(n)s were on the list already: the seat was added.") % {"n": done.joined}
            messages.success(request, text)
            return redirect("web:proposals", public_id=public_id)
    return _page(request, public_id, forms_bad={"manifest_form": form})


_DO: Final[dict[str, Callable[[HttpRequest, str, Actor], HttpResponse]]] = {
    "find": _find,
    "confirm": _confirm,
    "dismiss": _dismiss,
    "reconsider": _reconsider,
    "send": _send,
    "ask": _ask,
    "name": _name_one,
    "manifest": _manifest,
}


# --- one proposal -------------------------------------------------------------------------------------


class WhoForm(forms.Form):
    """Who a keyed number is, as the register of the place tells."""

    template_name = "web/parts/form.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= {
            "name": forms.CharField(label=_("Name of the person"), max_length=80),
            "phone": forms.CharField(label=_("Phone"), max_length=30, required=False),
            "id_number": forms.CharField(label=_("Identity number"), max_length=30, required=False),
            "territory": forms.CharField(label=_("Lives in"), max_length=80, help_text=_(
                "Name or code of the street or community: its people get the duties.")),
            "address": forms.CharField(label=_("Address"), max_length=200, required=False),
        }  # fmt: skip


@access(VIEW, personal=True)
def proposal(request: HttpRequest, public_id: str) -> HttpResponse:
    """One proposal: everything it rests on, all criteria, and what can still be done."""
    sight.require_whole(VIEW)
    row, investigation, _policy = reads.find_proposal(public_id)
    is_open = investigation.status == investigation.OPEN
    tells = _tells(investigation)
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
            asked = look_stranger(public_id, purpose=request.POST.get("purpose", ""), actor=_actor(request))
            form = WhoForm(initial={"name": asked.name, "phone": asked.phone})
        else:
            answer = _one(request, row, investigation.public_id)
            if isinstance(answer, HttpResponse):
                return answer
            form = answer
    zh = (get_language() or "zh").startswith("zh")
    context = {
        "one": investigation,
        "shown": _shown(row, investigation, clock.zone(tz_of(investigation.territory_code)), tells=tells),
        "row": row,
        "tells": tells,
        "form": form,
        "may_resolve": may_resolve,
        "may_ask_gates": may_resolve
        and row.number is not None
        and not row.county
        and _may_ask_gates(investigation),
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
    actor = _actor(request)
    if request.POST.get("do") == "take_back":
        free = take_back(row.public_id, reason=request.POST.get("reason", ""), actor=actor)
        kept = _("Taken back; another naming still obliges the person.")
        messages.success(request, _("Taken back; the person is free.") if free else kept)
        return redirect("web:proposals", public_id=investigation_id)
    form = WhoForm(request.POST)
    if form.is_valid():
        try:
            verbs.resolve(row.public_id, _person(form.cleaned_data), actor=actor)
        except BihuanError as wrong:
            form.add_error(None, str(wrong))
        else:
            messages.success(request, _("It is known who this is; now to be decided."))
            return redirect("web:proposals", public_id=investigation_id)
    return form
