"""Other installations for the system administrator: whom this one trusts, what waits, pairing, suspending."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.doors.web.access import access
from bihuan.registry import territory
from bihuan.registry.errors import BihuanError
from bihuan.tracing.actions.assistance import peers as verbs
from bihuan.tracing.errors import UnknownPeer
from bihuan.tracing.queries import assistance as queries
from bihuan.tracing.queries.assistance import PeerView

RIGHT: Final = "account.admin"
REFUSED_SHOWN: Final = 20


class CardForm(forms.Form):
    """A card as it was sent; then what people there read of its fingerprint."""

    card = forms.CharField(
        label=gettext_lazy("Card of the other installation"),
        help_text=gettext_lazy("The text of the file that people there sent: all of it, with its braces."),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "autocomplete": "off"}),
        max_length=20_000,
    )
    fingerprint = forms.CharField(
        label=gettext_lazy("Fingerprint as people there read it to you"),
        help_text=gettext_lazy(
            "Call them by a number you know. Type what they read; do not copy it from here."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
        max_length=60,
    )


class SuspendForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Why it is no longer trusted"), max_length=300)


@access(RIGHT)
def peers(request: HttpRequest) -> HttpResponse:
    """Ourselves, whom we trust, and who was refused at the door."""
    own = queries.own_card()
    card, fingerprint = own if own else ({}, "")
    context = {
        "own": card,
        "own_serves": [_place(code) for code in card.get("serves", [])],
        "own_text": json.dumps(card, ensure_ascii=False),
        "fingerprint": fingerprint,
        "rows": [_row(row) for row in queries.peers()],
        "refused": queries.refusals(limit=REFUSED_SHOWN),
    }
    return render(request, "web/peers/list.html", context)


@access(RIGHT)
def peer_add(request: HttpRequest) -> HttpResponse:
    """Pair: paste the card, see what it says, compare the fingerprint by voice, trust."""
    form = CardForm(request.POST or None)
    shown: dict[str, Any] = {}
    if request.method == "POST":
        try:
            shown = verbs.card_of_text(request.POST.get("card", ""))
            told = form.cleaned_data["fingerprint"] if form.is_valid() else ""
            if told and not verbs.is_fingerprint(
                shown, told
            ):  # the right one is not told, or it would be copied
                text = _("The card has another fingerprint. Do not add it: have them send their card again.")
                form.add_error("fingerprint", text)
            elif told:
                peer = verbs.add_peer(shown, actor=request.actor)  # type: ignore[attr-defined]
                text = _("%(name)s is trusted now. It exchanges once people there have added our card, too.")
                messages.success(request, text % {"name": peer.name})
                return redirect("web:peers")
        except BihuanError as wrong:
            form.add_error("fingerprint" if shown else "card", _in_words(wrong))
    if not shown:
        del form.fields["fingerprint"]
    elif "fingerprint" not in request.POST:
        form.errors.clear()
    context = {
        "form": form,
        "card": shown,
        "serves": [_place(code) for code in shown.get("serves", [])],
        "back": reverse("web:peers"),
    }
    return render(request, "web/peers/add.html", context, status=422 if form.errors else 200)


@access(RIGHT)
def peer_suspend(request: HttpRequest, installation: str) -> HttpResponse:
    """Trust an installation no more, with the reason; what waits for it stays and waits."""
    verbs.require_whole()
    row = next((one for one in queries.peers() if one.installation == installation), None)
    if row is None:
        raise UnknownPeer(installation)
    form = SuspendForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        verbs.revoke_peer(installation, reason=form.cleaned_data["reason"], actor=request.actor)  # type: ignore[attr-defined]
        messages.success(request, _("%(name)s is trusted no more.") % {"name": row.name})
        return redirect("web:peers")
    context = {"form": form, "peer": row, "back": reverse("web:peers")}
    return render(request, "web/peers/suspend.html", context, status=422 if form.errors else 200)


def _row(row: PeerView) -> dict[str, Any]:
    text, tone = _state(row)
    return {
        "peer": row,
        "state": text,
        "tone": tone,
        "serves": [_place(code) for code in row.serves],
        "problem": _problem(row.last_error) if row.revoked_at is None else row.revoked_reason,
    }


def _state(row: PeerView) -> tuple[str, str]:
    if row.revoked_at is not None:
        return _("suspended"), "soon"
    if row.last_error:
        return _("does not get through"), "late"
    if not row.knows_our_key:
        return _("to be told our new key"), "soon"
    return _("trusted"), "done"


def _problem(code: str) -> str:
    """The last error in words that say what is to be done."""
    known = {
        "unreachable": _("Nobody answers at its address; it is tried again, up to once an hour."),
        "not-recognized": _(
            "It does not recognize our key: compare fingerprints and have our card added anew."
        ),
        "revoked": _("It trusts this installation no more."),
        "no-receipt": _("Something else answered at its address."),
        "unknown-key": _("Sealed for a key that is gone there; passes by itself when their new key is here."),
        "not-theirs": _("It does not know that we speak for the territory that asks: send our new card."),
    }
    return known.get(code, code)


def _place(code: str) -> str:
    found = territory.find(code)
    return f"{found.label} {code}" if found else code


def _in_words(wrong: BihuanError) -> str:
    return f"{wrong.message} {wrong.hint or ''}".strip()
