"""What is done with the contacts of a case: look who was there, decide, ask the gates, name, bring a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.doors.exchange.passenger_list import received
from bihuan.doors.web.access import access
from bihuan.doors.web.proposal_forms import ManifestForm, NameForm, noon, person_of, refused
from bihuan.doors.web.views.asked import asked_words
from bihuan.doors.web.views.proposals import WRITE, held_words, proposals_page
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, Conflict, Invalid, NotFound
from bihuan.tracing.actions import proposals as verbs
from bihuan.tracing.actions import proposals_ask as ask
from bihuan.tracing.actions import proposals_decide as decide
from bihuan.tracing.queries import proposals as reads
from bihuan.tracing.rules.seats import Seat, Vehicle, VehicleKind


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
            return do(request, public_id, actor_of(request))
    except (Invalid, Conflict) as wrong:
        return proposals_page(request, public_id, wrong=wrong)


def actor_of(request: HttpRequest) -> Actor:
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
    if done.known:
        known = ngettext(
            "%(n)s had been confirmed before; nothing changed there.",
            "%(n)s had been confirmed before; nothing changed there.",
            done.known,
        ) % {"n": done.known}
        text = f"{text} {known}" if n else known
    (messages.success if n else messages.warning)(request, text)
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


def _name_one(request: HttpRequest, public_id: str, actor: Actor) -> HttpResponse:
    investigation = reads.find_investigation(public_id)
    form = NameForm(request.POST, investigation=investigation)
    if form.is_valid():
        told = form.cleaned_data
        try:
            verbs.name_person(
                public_id,
                person_of(form.cleaned_data),
                last=noon(told["day"]),
                setting=told["setting"] or "unknown",
                place=told["place"],
                minutes=told["minutes"] or 0,
                actor=actor,
            )
        except BihuanError as wrong:
            refused(form, wrong)
        else:
            messages.success(request, _("Entered: now to be decided."))
            return redirect("web:proposals", public_id=public_id)
    return proposals_page(request, public_id, forms_bad={"name_form": form})


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
                day=noon(told["day"]),
                actor=actor,
            )
        except BihuanError as wrong:
            refused(form, wrong)
        else:
            words = {"n": done.proposed, "judged": done.judged, "apart": done.apart}
            text = _("%(n)s proposed (%(judged)s to be judged); %(apart)s sat too far away.") % words
            if done.joined:
                text += " " + _("%(n)s were on the list already: the seat was added.") % {"n": done.joined}
            messages.success(request, text)
            return redirect("web:proposals", public_id=public_id)
    return proposals_page(request, public_id, forms_bad={"manifest_form": form})


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
