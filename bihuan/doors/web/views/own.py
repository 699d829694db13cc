"""Somebody's own page: what stands about her and until when, what comes next, what is held, who looked; and
the appeal. She opens it with a code and the end of one of her numbers, without an account."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from bihuan.care.actions.own_page import appeal_own, on_own_page, open_own_page
from bihuan.care.queries import Entry, OrderView, PersonPage, orders_about, person_page
from bihuan.care.queries.own_page import code_of
from bihuan.care.queries.words import DECISION_LABELS
from bihuan.care.rules.own_page import ASKED, CODE_LENGTH, TRIES, plain_answer, plain_code
from bihuan.doors.web import cards, seen, timeline, whys, words
from bihuan.doors.web.access import access
from bihuan.doors.web.shapes import Why
from bihuan.doors.web.views.person import chips, main_loop, strip
from bihuan.loops.queries.duties import duty_labels
from bihuan.loops.queries.progress import progress_of
from bihuan.registry import clock, posts, shredder
from bihuan.registry.audit import Look
from bihuan.registry.errors import BihuanError, NotFound
from bihuan.registry.masking import mask_name
from bihuan.registry.text import label
from bihuan.tracing.actions.held_visits import visits_held
from bihuan.tracing.queries.assistance import hand_over_of
from bihuan.tracing.queries.named import namings_beside
from bihuan.tracing.queries.reasons import criterion_labels
from bihuan.tracing.queries.words import EXPOSURE_LABELS

#: How long a page stays open that nobody touches: people share phones.
IDLE: Final = timedelta(minutes=30)
SHOWN_LOOKS: Final = 100
SHOWN_DUTIES: Final = 30
_SESSION: Final = "own_page"
#: What of her timeline is told: what happened to her, not what officials wrote, nor who was with her.
_TOLD: Final = (
    "case.found",
    "case.date_",
    "case.transferred",
    "case.follow_up",
    "contact.",
    "order.",
    "appeal.",
    "check.",
    "test.",
)
#: Words of officials, which may name others.
_KEPT_BACK: Final = frozenset({"criterion", "setting", "note", "to", "vehicle"})


class OpenForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code of my page"),
        max_length=40,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "off",
                "autocapitalize": "characters",
                "spellcheck": "false",
                "data-fragment": "",
                "autofocus": True,
            }
        ),
    )
    answer = forms.CharField(
        label=gettext_lazy("The last four characters of your identity document or telephone number"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "text", "spellcheck": "false"}),
    )

    def clean_code(self) -> str:
        if not plain_code(self.cleaned_data["code"]):
            raise forms.ValidationError(_("A code has %(n)d letters and digits.") % {"n": CODE_LENGTH})
        return str(self.cleaned_data["code"])

    def clean_answer(self) -> str:
        """The whole number typed in is no wrong answer yet."""
        if not plain_answer(self.cleaned_data["answer"]):
            raise forms.ValidationError(_("Give the last %(n)d characters alone.") % {"n": ASKED})
        return str(self.cleaned_data["answer"])


class AppealForm(forms.Form):
    text = forms.CharField(
        label=gettext_lazy("Why it should end"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )


@dataclass(frozen=True, slots=True)
class Next:
    """A step that is owed to her: what, by which office, until when."""

    what: str
    owner: str
    due_at: datetime
    is_late: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """An order she is under: why, the appeal that waits, and the form of one with what was wrong with it."""

    order_id: str
    why: Why
    waiting: Any
    form: AppealForm
    wrong: str


@dataclass(frozen=True, slots=True)
class Tried:
    """An appeal that did not arrive: against which order, as it was written, and why it did not."""

    order_id: str = ""
    form: AppealForm | None = None
    wrong: str = ""


@access(scope="anyone", personal=True)
@never_cache
def own(request: HttpRequest) -> HttpResponse:
    """The page, or the way into it. Who scans a code (`?open`) never sees the page of who was here before."""
    if request.user.is_authenticated:  # a post's device is not hers
        return render(request, "web/own/logged_in.html")
    if request.method == "POST":
        return _open(request)
    if "open" in request.GET:
        _close(request)
    access_id = _opened(request)
    return _way_in(request) if access_id is None else _page(request, access_id)


def _open(request: HttpRequest) -> HttpResponse:
    _close(request)
    form = OpenForm(request.POST)
    if form.is_valid():
        found = open_own_page(form.cleaned_data["code"], form.cleaned_data["answer"])
        if found is not None:
            request.session.cycle_key()
            _touch(request, found.public_id)
            return redirect("web:own")
        form.add_error(
            None,
            _("The code or the four characters are wrong. After %(n)s wrong answers a code opens nothing.")
            % {"n": TRIES},
        )
    return _way_in(request, form, status=422)


def _way_in(request: HttpRequest, form: OpenForm | None = None, *, status: int = 200) -> HttpResponse:
    if form is not None and "code" not in form.errors:  # the code was read; what is wrong stands below it
        form.fields["code"].widget.attrs.pop("autofocus")
        form.fields["answer"].widget.attrs["autofocus"] = True
    return render(request, "web/own/open.html", {"form": form or OpenForm()}, status=status)


def _page(
    request: HttpRequest, access_id: str, tried: Tried | None = None, *, status: int = 200
) -> HttpResponse:
    try:
        with on_own_page(access_id) as person:
            context = _context(person_page(person.public_id, looks=SHOWN_LOOKS), tried or Tried())
    except NotFound as closed:
        _close(request)
        messages.warning(request, str(closed))
        return redirect("web:own")
    return render(request, "web/own/page.html", context, status=status)


@access(scope="anyone", personal=True)
@never_cache
def own_appeal(request: HttpRequest, order_id: str) -> HttpResponse:
    """She appeals against an order about her."""
    access_id = None if request.user.is_authenticated else _opened(request)
    if request.method != "POST" or access_id is None:
        return redirect("web:own")
    form = AppealForm(request.POST)
    if not form.is_valid():
        return _page(request, access_id, Tried(order_id, form), status=422)
    try:
        made = appeal_own(access_id, order_id, text=form.cleaned_data["text"])
    except BihuanError as wrong:
        return _page(request, access_id, Tried(order_id, form, str(wrong)), status=wrong.status)
    said = words.say_due(made.due_at, clock.now())
    messages.success(request, _("Your appeal has arrived. It is answered by %(at)s.") % {"at": said})
    return redirect("web:own")


@access(scope="anyone")
@never_cache
def own_leave(request: HttpRequest) -> HttpResponse:
    """Close the page on this device."""
    if request.method == "POST" and not request.user.is_authenticated:
        _close(request)
    return redirect("web:own")


def _close(request: HttpRequest) -> None:
    if _SESSION in request.session:
        request.session.flush()


def _opened(request: HttpRequest) -> str | None:
    """The access by which the page was opened on this device not long ago."""
    access_id, at = request.session.get(_SESSION, ("", 0.0))
    if not access_id or abs(clock.now().timestamp() - at) > IDLE.total_seconds():
        _close(request)
        return None
    _touch(request, access_id)
    return str(access_id)


def _touch(request: HttpRequest, access_id: str) -> None:
    request.session[_SESSION] = (access_id, clock.now().timestamp())


# --- what it tells --------------------------------------------------------------------------------------


def _context(found: PersonPage, tried: Tried) -> dict[str, Any]:
    person = found.person
    rings = progress_of(loop.public_id for loop in found.loops)
    loop = main_loop(found, rings)
    orders = orders_about(person)
    running = [one for one in orders if one.order.ended_at is None]
    standing = _standing(running, tried)
    shown = found.order.order.pk if found.order is not None else None
    return {
        "name": mask_name(person.name) or person.public_id,
        "chips": [
            *chips(found),
            *({"tone": "soon", "text": whys.standing_short(v)} for v in running if v.order.pk != shown),
        ],
        "stages": cards.arcs(loop),
        "strip": strip(loop),
        "standing": standing,
        "is_case": any(
            one.classification != "discarded" and one.outcome not in ("recovered", "died")
            for one in found.cases
        ),
        "wrong": "" if standing else tried.wrong,
        "answered": [
            (dict(DECISION_LABELS).get(one.decision, ""), one.decision_reason, one.decided_at)
            for view in orders
            for one in view.appeals
            if one.decided_at
        ],
        "reasons": [reason for contact in found.contacts for reason in _reasons(contact)],
        "next": _next(found.duties),
        "handed_over": _handed_over(found),
        "moments": timeline.moments_of(_told(found.entries, orders), frozenset({seen.HEALTH})),
        "held": [(one.kind, len(one.facts)) for one in shredder.held_about(person.pk) if one.facts],
        "visits": visits_held(person.pk),
        "looks": [(_office(look), look.told, look.at, bool(look.glass)) for look in found.looks],
        "shown_looks": SHOWN_LOOKS if len(found.looks) == SHOWN_LOOKS else 0,
        "opened": code_of(person),
    }


def _standing(running: Sequence[OrderView], tried: Tried) -> list[Standing]:
    """The orders she is under. What she wrote against one replaced meanwhile stands at the newest."""
    ids = [view.order.public_id for view in running]
    at = tried.order_id if tried.order_id in ids else next(iter(ids), "")
    return [
        Standing(
            one,
            whys.of_order(view, herself=True),
            view.appeal_waiting,
            tried.form if tried.form is not None and one == at else AppealForm(auto_id=f"{one}-%s"),
            tried.wrong if one == at else "",
        )
        for one, view in zip(ids, running, strict=True)
    ]


def _reasons(contact: Any) -> list[tuple[str, date | None, datetime]]:
    """By which criterion, of which day, said when: not in whose words, nor who the case is."""
    labels = criterion_labels()
    kind = "" if contact.exposure_kind == "unknown" else dict(EXPOSURE_LABELS).get(contact.exposure_kind, "")
    return [
        (labels.get(one.criterion) or str(kind) or _("Named as a contact"), one.last, one.at)
        for one in namings_beside(contact, decisions=True)
    ]


def _next(duties: Sequence[Any]) -> list[Next]:
    """What is owed to her, the most urgent first."""
    shown, now = duties[:SHOWN_DUTIES], clock.now()
    labels = duty_labels((duty.binding_id, duty.kind) for duty in shown)
    houses = posts.directory().by_id
    return [
        Next(
            label(labels[duty.binding_id, duty.kind]),
            houses[duty.owner_post_id].label if duty.owner_post_id in houses else "",
            duty.due_at,
            duty.due_at < now,
        )
        for duty in shown
    ]


def _told(entries: Iterable[Entry], orders: Sequence[OrderView]) -> Iterable[Entry]:
    """What happened to her, without the words of officials, which may name others, and by the offices that
    decided."""
    offices = {view.order.public_id: whys.approving_office(view) for view in orders}
    for entry in entries:
        if not entry.what.startswith(_TOLD):
            continue
        back = _KEPT_BACK | ({"reason"} if entry.what == "contact.exposure_ended" else set())
        data = {key: value for key, value in entry.data.items() if key not in back}
        if data.get("order") in offices:
            data["approver"] = offices[data["order"]]
        yield replace(entry, by="", data=data)


def _handed_over(found: PersonPage) -> list[tuple[str, datetime]]:
    """Which office of another territory looks after her now, and since when."""
    gone = [hand_over_of(one.pk) for one in found.contacts if one.handed_over_at is not None]
    return [(one.office, one.at) for one in gone if one is not None]


def _office(look: Look) -> str:
    """The office that looked; a person's name is known there. At the command line nobody has a post."""
    return look.post or (look.who if look.door == "cli" else "") or _("an office")
