"""Other installations for the system administrator: our own name and key, whom this one trusts, what waits,
pairing, suspending."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.doors.web import places, words
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import add_errors
from bihuan.registry import clock, territory
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.tracing.actions.assistance import peers as verbs
from bihuan.tracing.errors import UnknownPeer
from bihuan.tracing.queries import peers as queries
from bihuan.tracing.queries.peers import DecisionView, PeerView

RIGHT: Final = "account.admin"
REFUSED_SHOWN: Final = 20
DECISIONS_SHOWN: Final = 100
"""The newest; `bihuan peers history` has them all."""
_BY_WORKER: Final = gettext_lazy("by itself")
_BY_COMMAND: Final = gettext_lazy("on the command line")
_BETWEEN: Final = re.compile(r"[\n,;，；、]+")
"""What stands between two territories in a list that a person types."""


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


class OwnForm(forms.Form):
    """What this installation is to others. The room judges it; territories may be named."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        help_text=gettext_lazy("What people elsewhere call this installation."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
        max_length=120,
    )
    url = forms.CharField(
        label=gettext_lazy("Network address"),
        help_text=gettext_lazy("Where the others reach this server, https://…"),
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"}),
        max_length=300,
    )
    serves = forms.CharField(
        label=gettext_lazy("Serves"),
        help_text=gettext_lazy(
            "One territory a line, by name or code. Requests about people there and in all below are "
            "answered here; all others go back by themselves."
        ),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocomplete": "off"}),
        max_length=10_000,
    )

    def clean_serves(self) -> list[str]:
        """The codes of what was typed."""
        typed = [text.strip() for text in _BETWEEN.split(self.cleaned_data["serves"])]
        try:
            return [places.named(text).code for text in typed if text]
        except BihuanError as wrong:
            raise forms.ValidationError(_in_words(wrong)) from None


class KeyForm(forms.Form):
    """`newest` is the key that stood on the page: sent twice, one new key is made."""

    newest = forms.CharField(widget=forms.HiddenInput, max_length=16, required=False)
    sure = forms.BooleanField(label=gettext_lazy("I have read this: make a new key"))


@access(RIGHT)
def peers(request: HttpRequest) -> HttpResponse:
    """Ourselves, whom we trust, and who was refused at the door."""
    own = queries.own_card()
    card, fingerprint = own if own else ({}, "")
    rows = queries.peers()
    context = {
        "own": card,
        "own_serves": [_place(code) for code in card.get("serves", [])],
        "own_text": json.dumps(card, ensure_ascii=False),
        "fingerprint": fingerprint,
        "old_keys": queries.old_keys(),
        "untold": _untold(rows),
        "rows": [_row(row) for row in rows],
        "refused": [
            {"one": one, "text": _refused(one.code)} for one in queries.refusals(limit=REFUSED_SHOWN)
        ],
    }
    return render(request, "web/peers/list.html", context)


def _untold(rows: list[PeerView]) -> str:
    """Who does not know our newest key yet."""
    return _names(row for row in rows if row.revoked_at is None and not row.knows_our_key)


def _names(rows: Iterable[PeerView]) -> str:
    return str(_(", ")).join(row.name for row in rows)


@access(RIGHT)
def peer_own(request: HttpRequest) -> HttpResponse:
    """Name this installation for others, or change its name, address or territories."""
    verbs.require_whole()
    own = queries.own_card()
    card = own[0] if own else {}
    start = {**card, "serves": "\n".join(card.get("serves", []))}
    if not card and request.is_secure():
        start["url"] = f"https://{request.get_host()}"
    form = OwnForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            verbs.name_installation(**form.cleaned_data, actor=request.actor)  # type: ignore[attr-defined]
        except Invalid as wrong:
            add_errors(form, wrong)
        else:
            text = _(
                "Saved. The others go by the old card until people there add the new one: send it to them."
            )
            if not card:
                text = _(
                    "This installation has a name and a key now. Send its card to whom you want to pair with."
                )
            messages.success(request, text)
            return redirect("web:peers")
    decided = [_decided(one) for one in queries.decisions(limit=DECISIONS_SHOWN)]
    context = {"form": form, "own": card, "decided": decided, "back": reverse("web:peers")}
    return render(request, "web/peers/own.html", context, status=422 if form.errors else 200)


def _decided(one: DecisionView) -> dict[str, Any]:
    return {
        "at": one.at,
        "label": one.label,
        "about": _("this installation") if one.is_own else one.name,
        "name": one.name if one.is_own else one.installation,
        "reason": one.reason,
        "by": _BY_WORKER if one.door == "worker" else one.by,
        "way": _BY_COMMAND if one.door == "cli" else "",
        "serves": [_place(code) for code in one.serves]
        if one.what in ("named", "changed", "trusted")
        else [],
        "fingerprint": one.fingerprint,
    }


@access(RIGHT)
def peer_key(request: HttpRequest) -> HttpResponse:
    """Change the key of this installation, after reading what it means."""
    verbs.require_whole()
    own = queries.own_card()
    if own is None:
        raise verbs.not_named()
    card, fingerprint = own
    form = KeyForm(request.POST or None, initial={"newest": card["key"]["id"]})
    if request.method == "POST" and form.is_valid():
        verbs.rotate_key(actor=request.actor, newest=form.cleaned_data["newest"])  # type: ignore[attr-defined]
        messages.success(request, _("There is a new key. The worker tells it to the other installations."))
        return redirect("web:peers")
    rows = queries.peers()
    context = {
        "form": form,
        "fingerprint": fingerprint,
        "told": _names(row for row in rows if row.revoked_at is None),
        "untold": _untold(rows),
        "suspended": _names(row for row in rows if row.revoked_at is not None),
        "back": reverse("web:peers"),
    }
    return render(request, "web/peers/key.html", context, status=422 if form.errors else 200)


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
    else:
        form.fields["card"].widget = forms.HiddenInput()
        form.fields["fingerprint"].widget.attrs["autofocus"] = True
        if "fingerprint" not in request.POST:
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
        "compared": _compared(row),
    }


def _compared(row: PeerView) -> str:
    """Since when it is known that neither side has lost an open request."""
    if row.revoked_at is not None:
        return ""
    if row.compare_error == "malformed":
        return _("An older version: open requests are not compared with it.")
    if row.compared_at is None:
        return ""
    return _("open requests compared %(at)s") % {"at": words.say_when(row.compared_at, clock.now())}


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
        "unknown-thread": _(
            "It has lost a request, perhaps restored from an older backup: what was said goes again."
        ),
        "not-asked": _("It has lost a request and cannot take it up: the request says what to do."),
        "thread-taken": _("It has lost a request and cannot take it up: the request says what to do."),
        "not-theirs": _("It does not know that we speak for the territory that asks: send our new card."),
    }
    return known.get(code, code)


def _refused(code: str) -> str:
    """Why a message was refused at our door."""
    known = {
        "malformed": _("no message of this form"),
        "too-large": _("no message of this form"),
        "not-for-us": _("meant for another installation"),
        "not-recognized": _("nobody trusted here, or not with the key known here"),
        "revoked": _("suspended here"),
        "unknown-key": _("sealed for a key that is gone here; comes again"),
        "unknown-thread": _(
            "about a request that is not here, perhaps since a restore; comes again with a copy of it"
        ),
        "older-card": _("a new key on an older card: exchange cards anew"),
        "does-not-open": _("altered on the way, or sealed wrongly"),
        "message-reused": _("a number that another message has"),
        "thread-taken": _("a number that another request has"),
        "excess-fields": _("told more than the need justifies"),
        "not-theirs": _("asked for a territory that is not theirs"),
        "not-asked": _("a copy of a request that cannot have been asked from here"),
    }
    return known.get(code, "")


def _place(code: str) -> str:
    found = territory.find(code)
    return f"{found.label} {code}" if found else code


def _in_words(wrong: BihuanError) -> str:
    return f"{wrong.message} {wrong.hint or ''}".strip()
