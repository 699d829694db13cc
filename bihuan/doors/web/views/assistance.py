"""Assistance requests (协查): lists with clocks, one request, asking with a look at what would be shared,
answering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from bihuan.care.verbs import VERBS, perform
from bihuan.cases.queries import find_case, people
from bihuan.doors.web import cards, evidence, places, seen, words
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import VerbForm, add_errors, values_of
from bihuan.doors.web.shapes import Moment
from bihuan.loops.queries import DutyFilter, find_duties
from bihuan.loops.queries.progress import progress_of
from bihuan.registry import access as registry_access
from bihuan.registry import clock, territory
from bihuan.registry.errors import BihuanError, Invalid, NotFound
from bihuan.registry.masking import mask_name
from bihuan.registry.purposes import purpose
from bihuan.registry.queries import person_by_public_id
from bihuan.tracing.actions import assistance as actions
from bihuan.tracing.queries import assistance as queries
from bihuan.tracing.queries import find_contact
from bihuan.tracing.queries.assistance import (
    FIELD_CLASS,
    NEED_LABELS,
    AssistanceFilter,
    AssistanceRow,
    AssistanceView,
    MessageView,
)

PAGE: Final = 50
VIEW: Final = "assistance.view"
SIDES: Final = {"in": "asked", "out": "asking"}
SHOWS: Final = ("open", "waiting", "all")
#: What may be said on the page, in the order of the buttons; the first is the usual one.
OFFERED: Final = (
    ("link", "assistance.link"),
    ("request", "assistance.send"),
    ("accept", "assistance.accept"),
    ("answer", "assistance.answer"),
    ("return", "assistance.return"),
    ("end", "assistance.end"),
    ("deleted", "assistance.delete"),
    ("settle", "assistance.settle"),
)
#: The names under which the worker acts on requests.
_BY_ITSELF: Final = ("assistance",)
PRIMARY: Final = frozenset({"link", "request", "accept", "answer"})


# --- lists ----------------------------------------------------------------------------------------------


@access(VIEW, personal=True)
def requests(request: HttpRequest) -> HttpResponse:
    """What others ask of this territory, or it of others, the newest first, each with its clock."""
    side = request.GET.get("side", "in")
    side = side if side in SIDES else "in"
    show = request.GET.get("show", "open")
    show = show if show in SHOWS else "open"
    code, _error = places.asked(request, within_scope=True)
    after = request.GET.get("after", "")
    now = clock.now()
    given = AssistanceFilter(SIDES[side], show, code, int(after) if after.isdigit() else None)
    found = queries.list_requests(given, now=now, limit=PAGE)
    n, late = queries.count_requests(AssistanceFilter(SIDES[side], show, code), now=now)
    identity = seen.IDENTITY in seen.classes(VIEW)
    context = {
        "side": side,
        "crumbs": places.crumbs(request, code),
        "tabs": [
            {"label": text, "href": f"?side={key}&show={show}", "current": key == side}
            for key, text in (("in", _("Asked of us")), ("out", _("Asked by us")))
        ],
        "views": [
            {"label": text, "href": f"?side={side}&show={key}", "current": key == show}
            for key, text in zip(SHOWS, (_("Open"), _("No answer yet"), _("All")), strict=True)
        ],
        "summary": ngettext("%(n)s request", "%(n)s requests", n) % {"n": n},
        "late": late,
        "rows": [{"row": row, "who": _who(row, identity=identity)} for row in found],
        "now": now,
        "next": found[-1].id if len(found) == PAGE else None,
        "may_ask": registry_access.may(None, "assistance.write").allowed,
        "empty_title": _("Nothing is asked") if side == "in" else _("Nothing has been asked"),
        "empty_text": _("A request from another territory about a person here appears with its clocks.")
        if side == "in"
        else _("Ask from the page of a person: choose the need, see what would be shared, send."),
    }
    return render(request, "web/assistance/list.html", context)


def _who(row: AssistanceRow, *, identity: bool) -> str:
    """The masked name; the number where this side may not know; nothing after deletion."""
    if row.number is not None:
        return _("a keyed number")
    if row.name:
        return mask_name(row.name)
    return _("out of sight") if identity else _("a person")


# --- one request ----------------------------------------------------------------------------------------


@access(VIEW, personal=True)
def one(request: HttpRequest, public_id: str) -> HttpResponse:
    """One request: what it asks, what was shared, every message with its proof, and what is owed now."""
    now = clock.now()
    found = queries.find_request(public_id, now=now)
    row = found.row
    shown = registry_access.field_classes(None, VIEW, territory_code=row.territory_code)
    seen.note([row.person_id], shown, purpose("page.assistance", public_id))
    owed = find_duties(DutyFilter(subject=("assistance", public_id)), limit=10).rows
    every = find_duties(DutyFilter(subject=("assistance", public_id), status=""), limit=1).rows
    rings = progress_of({every[0].loop}) if every else {}
    progress = rings.get(every[0].loop) if every else None
    context = {
        "row": row,
        "title": _title(found, shown),
        "about": _about(found),
        "chips": _chips(row),
        "stages": cards.arcs(progress),
        "loop_href": reverse("web:loop", args=[every[0].loop]) if every else "",
        "shared": _shared(found, shown),
        "reason": found.reason if seen.HEALTH in shown else "",
        "question": found.question if seen.HEALTH in shown else "",
        "is_told": found.is_told,
        "moments": [_moment(m, shown) for m in reversed(found.messages)],
        "travel": _travel(found),
        "offers": _offers(found),
        "owed": cards.cards(owed, now=now),
        "facts": _facts(found, shown),
        "deletion": _deletion(found),
    }
    return render(request, "web/assistance/one.html", context)


def _title(found: AssistanceView, shown: frozenset[str]) -> str:
    name = found.fields.get("name", "") or found.row.name
    if found.row.number is not None:
        return _("a keyed number")
    if not name:
        return found.row.public_id
    return name if seen.IDENTITY in shown else mask_name(name)


def _about(found: AssistanceView) -> str:
    row = found.row
    line = _("%(need)s · asked of %(place)s") if row.side == "asking" else _("%(need)s · asked by %(place)s")
    return line % {"need": row.need_label, "place": found.request.other_office or row.other_place}


def _chips(row: AssistanceRow) -> list[dict[str, str]]:
    tone = {"returned": "soon", "answered": "done", "deleted": "done", "draft": ""}.get(row.status, "fact")
    chips = [{"tone": tone, "text": row.status_label}]
    if row.outcome_label:
        chips.append({"tone": "fact", "text": row.outcome_label})
    if row.is_late:
        chips.append({"tone": "late", "text": _("reply overdue")})
    if row.peer:
        chips.append({"tone": "line", "text": _("by sealed and signed message")})
    return chips


def _shared(found: AssistanceView, shown: frozenset[str]) -> list[dict[str, str]]:
    """Field by field: what was shared, as far as this reader's role reaches."""
    labels = queries.field_words()
    rows = []
    for name in found.request.shared:
        text = found.fields.get(name, "")
        if text and FIELD_CLASS[name] not in shown:
            text = _("not for your role")
        elif text:
            text = value_words(name, text)
        rows.append({"label": labels[name], "text": text or _("deleted")})
    return rows


def value_words(name: str, text: str) -> str:
    """One shared value as a person reads it."""
    if name == "sex":
        return {"M": _("male"), "F": _("female"), "O": _("other sex")}.get(text, text)
    return evidence.word(name, text) if name in ("exposure_kind", "exposure_last", "case_onset") else text


def _moment(message: MessageView, shown: frozenset[str]) -> Moment:
    parts = [message.outcome_label, message.reason_label]
    if message.said == "answer" and not message.is_final:
        parts.append(_("more to come"))
    if message.note:
        parts.append(message.note if seen.HEALTH in shown else _("text not for your role"))
    parts.append(_("by itself") if message.by in _BY_ITSELF else message.by)
    tag, tone = _proof(message)
    late = (message.recorded_at - message.said_at).total_seconds() > 3600
    return Moment(
        at=message.said_at,
        precision="minute",
        title=message.label,
        detail=" · ".join(part for part in parts if part),
        tone=tone,
        tag=tag,
        recorded_at=message.recorded_at if late and not message.is_own else None,
    )


def _proof(message: MessageView) -> tuple[str, str]:
    """What proves a message: the signature it came with, or the other side's signed receipt."""
    if message.verified:
        return _("signature verified"), "done"
    if message.is_taken_up:
        return _("from the other side's copy"), "soon"
    if message.is_settled:
        return _("not delivered, sent no more"), "soon"
    if message.is_sent and message.delivered_at:
        return _("receipt verified"), "done"
    if message.is_sent:
        return _("on its way"), "soon"
    return "", "fact"


def _travel(found: AssistanceView) -> list[str]:
    """What has not arrived yet, and why: in words that say what is to be done."""
    why = {
        "unreachable": _("the other installation does not answer"),
        "not-recognized": _("the other installation does not recognize our key: compare fingerprints"),
        "revoked": _("the other installation no longer trusts this one"),
        "no-receipt": _("the answer was no receipt of theirs"),
        "unknown-key": _("sealed for a key that is gone there, it goes again with their new one"),
        "not-theirs": _("the other installation does not know that we serve the place that asks"),
    }
    waiting = [m for m in found.messages if m.is_sent and m.delivered_at is None and not m.is_settled]
    lines = [
        ngettext(
            "“%(what)s” is on its way, tried %(n)s time: %(why)s.",
            "“%(what)s” is on its way, tried %(n)s times: %(why)s.",
            m.attempts,
        )
        % {"what": m.label, "n": m.attempts, "why": why.get(m.error, m.error)}
        for m in waiting
        # what was not tried yet goes within a minute; of a request that is lost there speaks its own line
        if m.error and m.error not in queries.LOST_THERE
    ]
    return [*_lost(found, waiting), *_unanswered(found), *lines]


def _unanswered(found: AssistanceView) -> list[str]:
    """The other side has deleted what it was told, and never said whether anybody was found."""
    if found.row.side != "asking" or found.row.status != "returned" or found.request.returned:
        return []
    text = _(
        "%(place)s has deleted what it was told without answering: take it that nobody there looks for the "
        "person. Ask elsewhere or act yourself, then end this request."
    )
    return [text % {"place": found.row.peer or found.row.other_place}]


def _lost(found: AssistanceView, waiting: list[MessageView]) -> list[str]:
    """What to do when a side came back from an older backup and has lost the request."""
    lines: list[str] = []
    kept = found.request
    is_unnamed = kept.contact_id is None and kept.person_id is None and not found.row.is_over
    if is_unnamed and any(m.is_taken_up for m in found.messages):
        text = _(
            "This installation had lost this request, as it happens when it comes back from an older backup. "
            "It was taken up again from the copy of %(place)s. Look whether it was asked here and name the "
            "contact it is about; if it was not asked here, end it."
        )
        lines.append(text % {"place": found.row.peer})
    errors = {m.error for m in waiting}
    text = ""
    if found.row.side == "asking" and queries.UNKNOWN_THREAD in errors:
        text = _(
            "%(place)s has lost this request, as it happens when an installation comes back from an "
            "older backup. All that was said here goes there again, and nothing is taken twice. Until they "
            "accept it anew, take it that nobody there has the person: call them."
        )
    elif found.row.side == "asked" and errors & (queries.LOST_THERE - {queries.UNKNOWN_THREAD}):
        text = _(
            "%(place)s has lost this request, as it happens when an installation comes back from an "
            "older backup, and cannot take it up again from the copy. Tell them the result by telephone, "
            "record it here as the answer (or send the request back), and close it here."
        )
    elif found.row.side == "asked" and errors & queries.LOST_THERE:
        text = _(
            "%(place)s has lost this request, as it happens when an installation comes back from an "
            "older backup. All that was said here goes there again with a copy of the request, from which "
            "it is taken up there. If that does not succeed, tell them the result by telephone, record it "
            "here as the answer (or send the request back), and close it here."
        )
    return [*lines, text % {"place": found.row.peer}] if text else lines


def _offers(found: AssistanceView) -> list[dict[str, Any]]:
    href = [(said, reverse("web:assistance_do", args=[found.row.public_id, said])) for said, _verb in OFFERED]
    return [
        {"label": str(VERBS[verb].label), "href": dict(href)[said], "primary": said in PRIMARY}
        for said, verb in OFFERED
        if said in found.offers
    ]


def _facts(found: AssistanceView, shown: frozenset[str]) -> list[tuple[str, str, str]]:
    row, kept = found.row, found.request
    rows = [
        (_("Number"), row.public_id, ""),
        (_("Asked by"), kept.own_office if kept.is_asking else kept.other_office, ""),
        (_("Asked"), kept.other_office if kept.is_asking else kept.own_office, ""),
        (_("Clause"), kept.clause, ""),
    ]
    if kept.assigned_territory:
        rows.append((_("Acts there"), territory.name_path(kept.assigned_territory), ""))
    brief = people.briefs([row.person_id]).get(row.person_id) if row.person_id else None
    if brief is not None:
        href = reverse("web:person", args=[brief.public_id])
        rows.append((_("Person"), seen.name_on_page(brief, shown), href))
    if found.contact:
        rows.append((_("Contact"), found.contact, reverse("web:contact", args=[found.contact])))
    if kept.handed_over_at is not None:
        since = words.say_when(kept.handed_over_at, clock.now())
        rows.append((_("The person is with the other side since"), since, ""))
    if found.case:
        rows.append((_("Case"), found.case, reverse("web:case", args=[found.case])))
    if kept.thread != row.public_id:
        rows.append((_("Number there"), kept.thread, ""))
    return rows


def _deletion(found: AssistanceView) -> dict[str, str]:
    """How it stands with deleting what was shared."""
    kept = found.request
    if kept.deleted_at is not None and any(m.is_settled for m in found.messages):
        text = _("What was shared is deleted here. The other side has lost the request and was not told.")
        return {"tone": "done", "text": text}
    if kept.deleted_at is not None:
        here = _("What was shared is deleted here, and that was confirmed.")
        both = _("What was shared is deleted on both sides; the other side confirmed.")
        return {"tone": "done", "text": both if kept.is_asking else here}
    if kept.status == "deletion_asked":
        return {"tone": "soon", "text": _("The need has ended. Deletion is asked and not confirmed yet.")}
    if not found.is_told:
        return {"tone": "done", "text": _("What was shared is deleted here.")}
    return {"tone": "", "text": _("Kept, encrypted, until the need ends; then deleted on both sides.")}


# --- saying something -----------------------------------------------------------------------------------


@access("assistance.write", personal=True)
def say(request: HttpRequest, public_id: str, said: str) -> HttpResponse:
    """The form of accepting, sending back, answering or ending, and (POST) doing it."""
    found = queries.find_request(public_id, now=clock.now())
    verb = VERBS.get(dict(OFFERED).get(said, ""))
    if verb is None:
        raise NotFound(_("There is nothing called %(key)s to be done here.") % {"key": said})
    form = VerbForm(verb, request.POST if request.method == "POST" else None, now=clock.now())
    if said == "answer":
        form.fields["outcome"].widget = forms.RadioSelect(choices=queries.outcomes_for(found.row.need))
    if said == "accept":
        _offer_places_and_people(form, found)
    if said == "link":
        _offer_contacts(form, found)
    error = ""
    if request.method == "POST":
        try:
            with transaction.atomic():
                result = perform(verb.key, "assistance", public_id, values_of(form), request.actor)  # type: ignore[attr-defined]
        except Invalid as wrong:
            add_errors(form, wrong)
        except BihuanError as wrong:
            error = str(wrong)
        else:
            messages.success(request, result.message)
            return _onward(request, public_id)
    context = {"verb": verb, "form": form, "subject": public_id, "action": request.path, "error": error}
    context["about"] = _meaning(said)
    piece = request.headers.get("HX-Request")
    template = "web/person/act.html" if piece else "web/person/act_page.html"
    return render(request, template, context, status=422 if error or form.errors else 200)


def _meaning(said: str) -> str:
    """What is done that cannot be taken back, before it is."""
    means = {
        "end": _(
            "What was shared is deleted over there when they have this; they confirm it, and it goes here."
        ),
        "return": _(
            "What the request told is deleted here. The reason and your words go to the side that asked."
        ),
        "deleted": _("What the request told is deleted here, and the side that asked is told so."),
        "link": _(
            "The page of the contact shows the request again. If the other side has taken her over, she is "
            "handed over to it."
        ),
        "settle": _(
            "What the request told is deleted here. What has not arrived there is sent no more, unless the "
            "other side is heard of this request again."
        ),
    }
    return means.get(said, "")


def _offer_places_and_people(form: VerbForm, found: AssistanceView) -> None:
    """The streets and communities of the place asked, and who of the own register it may be: to choose
    from."""
    place = form.fields["territory_code"]
    place.label, place.help_text = _("Where the person is"), ""
    below = [
        (street.label, [(one.code, one.label) for one in (street, *territory.children(street.code))])
        for street in territory.children(found.row.territory_code)
    ]
    place.widget = forms.Select(attrs={"class": "input"}, choices=[("", _("all of the territory")), *below])
    likely = queries.candidates(found.row.public_id, on=clock.today())
    if not likely:
        del form.fields["person"]
        return
    person = form.fields["person"]
    person.label, person.help_text = _("Known here as"), ""
    known = [
        (one.public_id, f"{mask_name(one.name)} · {territory.name_path(one.territory_code)}")
        for one in likely
    ]
    person.widget = forms.RadioSelect(choices=[("", _("nobody: register her")), *known])


def _offer_contacts(form: VerbForm, found: AssistanceView) -> None:
    """The contacts here that it may be about, to choose from; with none alike the number is typed."""
    likely = queries.likely_contacts(found.row.public_id, on=clock.today())
    if likely:
        words = [(key, f"{mask_name(name)} · {key}") for key, name in likely]
        form.fields["contact"].widget = forms.RadioSelect(choices=words)
        form.fields["contact"].label = _("Contact here")


def _onward(request: HttpRequest, public_id: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    return redirect("web:assistance_one", public_id=public_id)


# --- asking ---------------------------------------------------------------------------------------------


class AskForm(forms.Form):
    """What is asked; the fields to share stand beside it, once the need is known."""

    to_territory = forms.CharField(
        label=gettext_lazy("Which territory is asked"),
        max_length=80,
        help_text=gettext_lazy("Its name or code, such as 襄阳 襄城 or 420602."),
    )
    need = forms.ChoiceField(
        label=gettext_lazy("What is needed"), choices=NEED_LABELS, widget=forms.RadioSelect, initial="locate"
    )
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=1000,
        widget=forms.Textarea({"rows": 3}),
        help_text=gettext_lazy("The other side acts on it. Nothing about other people."),
    )
    question = forms.CharField(
        label=gettext_lazy("Question"), max_length=1000, required=False, widget=forms.Textarea({"rows": 2})
    )


@access("assistance.write", personal=True)
def ask(request: HttpRequest) -> HttpResponse:
    """Ask about one person: choose the need, see exactly what would be shared, send."""
    person_id, subject = _about_whom(request)
    sent = request.method == "POST"
    form = AskForm(request.POST if sent else None)
    step = request.POST.get("step", "")
    shown: actions.Preview | None = None
    error = ""
    if sent and form.is_valid():
        try:
            given = _input(request, form, person_id)
            if step == "send":
                with transaction.atomic():
                    row = actions.ask(given, actor=request.actor)  # type: ignore[attr-defined]
                messages.success(request, _("The request is sent."))
                return redirect("web:assistance_one", public_id=row.public_id)
            shown = actions.preview(given)
        except Invalid as wrong:
            add_errors(form, wrong)
        except BihuanError as wrong:
            error = str(wrong)
    brief = people.briefs([person_id]).get(person_id)
    seen.note([person_id], ("operational",), purpose("assistance.new"))
    context = {
        "form": form,
        "error": error,
        "subject": subject,
        "who": seen.name_in_list(brief),
        "about": seen.about(brief),
        "preview": shown,
        "boxes": _boxes(shown, request),
    }
    return render(
        request, "web/assistance/ask.html", context, status=422 if error or (sent and form.errors) else 200
    )


def _about_whom(request: HttpRequest) -> tuple[int, dict[str, str]]:
    """The person asked about, by P-…, or the contact or case by its number; within the scope."""
    asked = request.POST or request.GET
    contact, case, person = asked.get("contact", ""), asked.get("case", ""), asked.get("person", "")
    if contact:
        return find_contact(contact).row.person_id, {"contact": contact}
    if case:
        return find_case(case).row.person_id, {"case": case}
    if person:
        return person_by_public_id(person).pk, {"person": person}
    raise NotFound(
        _("A request is about one person."),
        hint=_("Open the page of the person, and choose “Ask for assistance” there."),
    )


def _input(request: HttpRequest, form: AskForm, person_id: int) -> actions.AssistanceInput:
    given = form.cleaned_data
    wanted = given["to_territory"].strip()
    try:
        place = territory.find(wanted) or territory.one_by_name(wanted)
    except BihuanError as wrong:
        told = {"field": "to_territory", "rule": "territory", "message": wrong.message, "hint": wrong.hint}
        raise Invalid(wrong.message, errors=[told]) from wrong
    chosen = request.POST.getlist("fields")
    same = request.POST.get("of") == given["need"]  # the boxes stand for this need
    return actions.AssistanceInput(
        to_territory=place.code,
        need=given["need"],
        reason=given["reason"],
        question=given["question"],
        person_id=person_id,
        contact_id=request.POST.get("contact", ""),
        case_id=request.POST.get("case", ""),
        fields=tuple(chosen) if same else None,
    )


def _boxes(shown: actions.Preview | None, request: HttpRequest) -> list[Mapping[str, Any]]:
    """Every field the need justifies: what would be shared of it, and whether it is chosen."""
    if shown is None:
        return []
    labels, would = queries.field_words(), dict(shown.fields)
    return [
        {
            "name": name,
            "label": labels[name],
            "text": value_words(name, would[name]) if name in would else "",
            "chosen": name in would or name in shown.missing,
            "missing": name in shown.missing,
        }
        for name in shown.allowed
    ]
