"""My duties: what is owed now, the shortest way to do it, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from bihuan.care.verbs import VERBS, perform
from bihuan.doors.web import cards, seen, today, whys
from bihuan.doors.web.access import access
from bihuan.doors.web.drawing import RingStage
from bihuan.doors.web.forms import VerbForm, add_errors, values_of
from bihuan.doors.web.views.board import targets
from bihuan.doors.web.views.session import back
from bihuan.loops import actions, queries
from bihuan.loops.queries import DutyFilter, DutyRow
from bihuan.registry import access as registry_access
from bihuan.registry import clock, posts, scope
from bihuan.registry.errors import BihuanError, Invalid, NotFound
from bihuan.registry.purposes import purpose
from bihuan.registry.text import label
from bihuan.tracing.queries.investigations import investigations_of_case

PAGE: Final = 60
CLOSED: Final = [RingStage("", done=1) for _n in range(5)]
COUNTED: Final = 500  # duties done today are counted up to this many


def _today(post_id: int, now: datetime, show: str) -> dict[str, Any]:
    """The head of the page: the parts of the day, and the ring of what is done."""
    parts = today.slices(post_id, now)
    start = today.end_of_day(now) - timedelta(days=1)
    done_filter = DutyFilter(post_id=post_id, status="done", due_from=start, due_to=today.end_of_day(now))
    done = len(queries.find_duties(done_filter, limit=COUNTED).rows)
    owed = sum(part.n for part in parts if part.key in ("late", "soon", "today"))
    late, soon = parts[0].n, parts[1].n
    ring = RingStage(_("today"), done=done, open=owed, soon=soon, late=late)
    return {
        "slices": parts,
        "show": show,
        "today_ring": [ring] if done + owed else CLOSED,
        "today_text": f"{done}/{done + owed}" if done + owed else "✓",
    }


def _own_post() -> int:
    acting = scope.current()
    if acting is None or acting.post_id is None:
        raise NotFound(_("You act in no post."))
    return acting.post_id


@access("duty.view")
def my_duties(request: HttpRequest) -> HttpResponse:
    """What the post acted in owes, by place: late first, then within the hour, then later."""
    post_id, now = _own_post(), clock.now()
    show = request.GET.get("show", "")
    head = _today(post_id, now, show)
    chosen = next((part.asked for part in head["slices"] if part.key == show), None)
    asked = chosen or DutyFilter(post_id=post_id, due_to=today.end_of_day(now))
    page = queries.find_duties(asked, page=request.GET.get("after") or None, limit=PAGE)
    ahead = head["slices"][3].n
    context = {
        **head,
        "places": cards.by_place(cards.cards(page.rows, now=now)),
        "next": page.next,
        "bulk": registry_access.may(None, "duty.bulk").allowed,
        "may_waive": registry_access.may(None, "duty.waive").allowed,
        "today_format": _("N j, l"),
        "closed_ring": CLOSED,
        "empty_title": _("Nothing is owed today") if not show else _("Nothing here"),
        "empty_text": ngettext("%(n)s duty comes after today.", "%(n)s duties come after today.", ahead)
        % {"n": ahead}
        if ahead
        else _("New duties appear here as soon as a loop opens one for your post."),
        "ahead_href": f"{request.path}?show=ahead" if ahead and show != "ahead" else "",
        "ahead_action": _("Show them"),
    }
    return render(request, "web/duties/mine.html", context)


def _row(duty_id: int) -> DutyRow:
    row = queries.get_duty(duty_id)
    if row is None:
        raise NotFound(
            _("There is no duty D-%(id)s on your desk.") % {"id": duty_id},
            hint=_("It may belong to another territory, or to another post."),
        )
    return row


def _form(row: DutyRow, data: Any = None, *, now: datetime) -> VerbForm:
    return VerbForm(cards.verb_of(row) or cards.plain_verb(row), data, now=now)


@access("duty.view", personal=True)
def duty(request: HttpRequest, duty_id: int) -> HttpResponse:
    """One duty: its form, or (POST) doing it."""
    row = _row(duty_id)
    if request.method == "POST":
        return _do(request, row)
    return _show(request, row, _form(row, now=clock.now()))


def _investigation(row: DutyRow) -> str:
    """Where the investigation that a duty asks for is worked on; "" for other duties and other posts."""
    if row.verb != "case.investigate" or not _may(row, "investigation.view"):
        return ""
    known = investigations_of_case([row.subject_ref])
    open_one = next((one for one in known if one.status == "open"), None)
    if open_one is not None:
        return reverse("web:investigation", args=[open_one.public_id])
    may_open = row.state == "open" and _may(row, "investigation.write")
    return reverse("web:investigation_new", args=[row.subject_ref]) if may_open else ""


def _may(row: DutyRow, right: str) -> bool:
    return registry_access.may(None, right, territory_code=row.territory_code).allowed


def _show(request: HttpRequest, row: DutyRow, form: VerbForm, *, status: int = 200) -> HttpResponse:
    now = clock.now()
    card = cards.cards([row], now=now)[0]
    what = (label(row.label, language) for language in ("zh", "en"))
    seen.note([row.person_id], ("operational",), purpose("page.duty", *what))
    context = {
        "card": card,
        "form": form,
        "row": row,
        "ended": row.state != "open",
        "verb": form.verb,
        "others": _others(row),
        "investigation": _investigation(row),
    }
    piece = request.headers.get("HX-Request")
    return render(
        request, "web/duties/form.html" if piece else "web/duties/page.html", context, status=status
    )


def _others(row: DutyRow) -> list[dict[str, str]]:
    """What else may be done about a duty: hand it over, or waive it with a reason."""
    found = []
    code, post = row.territory_code, row.owner_post_id
    if row.subject_kind == "contact" and registry_access.may(
        None, "contact.write", territory_code=row.territory_code
    ):
        href = reverse("web:act", args=["contact", row.subject_ref, "contact.lost"])
        found.append({"label": str(VERBS["contact.lost"].label), "href": href})
    if registry_access.may(None, "duty.waive", territory_code=code, post_id=post):
        found.append({"label": _("Waive…"), "href": reverse("web:duty_waive", args=[row.id])})
    if registry_access.may(None, "duty.do", territory_code=code, post_id=post):
        found.append({"label": _("Hand over…"), "href": reverse("web:duty_hand_over", args=[row.id])})
    return found


def _do(request: HttpRequest, row: DutyRow) -> HttpResponse:
    now = clock.now()
    form = _form(row, request.POST, now=now)
    full = "full" in request.POST
    try:
        with transaction.atomic():
            message = perform_duty(row, form, actor=request.actor)  # type: ignore[attr-defined]
    except Invalid as wrong:
        add_errors(form, wrong)
        if request.headers.get("HX-Request") and not full:
            return _card_again(request, row, str(wrong))
        return _show(request, row, form, status=422)
    if (now_row := queries.get_duty(row.id)) is not None and now_row.state == "open":
        return _still_owed(request, message)
    return _done(request, [row], message, panel=full)


def _still_owed(request: HttpRequest, message: str) -> HttpResponse:
    """Something was recorded that does not end the duty: it stays, and why is said."""
    messages.warning(request, message)
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    return redirect("web:my_duties")


def perform_duty(row: DutyRow, form: VerbForm, *, actor: Any) -> str:
    """Do a duty by its verb, or complete it plainly; returns the sentence for the worker."""
    if cards.verb_of(row) is not None:
        data = values_of(form, duty=row.key)
        return perform(row.verb, row.subject_kind, row.subject_ref, data, actor).message
    given = form.given()
    at = _local(given.pop("at", ""))
    evidence = {**given, **({"at": at.isoformat()} if "at" in row.evidence_asked else {})}
    actions.complete_duty(row.id, evidence, at, actor)
    return _("Done: %(what)s.") % {"what": label(row.label)}


def _local(text: str) -> datetime:
    if not text:
        return clock.now()
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = _("%(value)s is not a date or time.") % {"value": text}
        error = {"field": "at", "rule": "moment", "message": message, "hint": _("Write 2020-02-17 20:40.")}
        raise Invalid(message, errors=[error]) from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found


def _card_again(request: HttpRequest, row: DutyRow, error: str) -> HttpResponse:
    card = cards.cards([row], now=clock.now())[0]
    return render(request, "web/parts/duty_card.html", {"card": card, "error": error}, status=422)


def _done(request: HttpRequest, rows: Sequence[DutyRow], message: str, *, panel: bool) -> HttpResponse:
    """The cards go, the ring fills, and for a few seconds there is a way back."""
    undo = reverse("web:duty_undo", args=[rows[0].id]) if len(rows) == 1 else ""
    if not request.headers.get("HX-Request"):
        messages.success(request, message, extra_tags=undo)
        return redirect("web:my_duties")
    head = _today(_own_post(), clock.now(), "")
    context = {**head, "text": message, "undo": undo, "remove": rows[0].id if panel else None}
    answer = render(request, "web/duties/done.html", context)
    if panel:
        answer["HX-Trigger"] = "close-panel"
    return answer


@require_POST
@access("duty.do")
def undo(request: HttpRequest, duty_id: int) -> HttpResponse:
    """Take back what ended a duty; it is owed again."""
    row = _row(duty_id)
    actions.undo_completion(duty_id, _("taken back right after"), request.actor)  # type: ignore[attr-defined]
    messages.success(request, _("Taken back: %(what)s is owed again.") % {"what": label(row.label)})
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Refresh"] = "true"
        return answer
    return redirect("web:my_duties")


@access("duty.view")
def why(request: HttpRequest, duty_id: int) -> HttpResponse:
    """Why a duty is owed, until when, by which rule, and where it has climbed."""
    row = _row(duty_id)
    rungs = queries.escalations(duty_id)
    climbed = [(rung.at, rung.to or targets().get(rung.target, rung.target)) for rung in rungs]
    template = "web/parts/why.html" if request.headers.get("HX-Request") else "web/why.html"
    return render(request, template, {"why": whys.of_duty(row, climbed=climbed)})


@access("duty.waive")
def waive(request: HttpRequest, duty_id: int) -> HttpResponse:
    """End a duty without its being done: the reason and the name stay with it."""
    row = _row(duty_id)

    def act(reason: str) -> str:
        actions.waive(duty_id, reason, request.actor)  # type: ignore[attr-defined]
        return _("Waived: %(what)s.") % {"what": label(row.label)}

    return _reasoned(request, row, _("Waive"), act)


@access("duty.do")
def hand_over(request: HttpRequest, duty_id: int) -> HttpResponse:
    """Let another post of the territory owe a duty."""
    row = _row(duty_id)
    choices = [
        post
        for post in posts.of_territory(row.territory_code[:6], below=True)
        if post.id != row.owner_post_id
    ]
    choices = [post for post in choices if row.territory_code.startswith(post.territory_code)]

    def act(reason: str) -> str:
        wanted = next((post for post in choices if post.public_id == request.POST.get("to")), None)
        if wanted is None:
            raise Invalid(_("Choose a post."), errors=[{"field": "to", "message": _("Choose a post.")}])
        actions.hand_over(duty_id, wanted.id, reason, request.actor)  # type: ignore[attr-defined]
        return _("Handed over to %(post)s.") % {"post": wanted.label}

    return _reasoned(request, row, _("Hand over"), act, choices=[(p.public_id, p.label) for p in choices])


def _reasoned(
    request: HttpRequest,
    row: DutyRow,
    verb: str,
    act: Callable[[str], str],
    *,
    choices: Sequence[tuple[str, str]] = (),
) -> HttpResponse:
    error, reason = "", request.POST.get("reason", "").strip()
    if request.method == "POST":
        try:
            with transaction.atomic():
                message = act(reason)
        except BihuanError as wrong:
            error = str(wrong)
        else:
            return _done(request, [row], message, panel=True)
    context = {
        "card": cards.cards([row], now=clock.now())[0],
        "verb": verb,
        "choices": choices,
        "to": request.POST.get("to", ""),
        "reason": reason,
        "error": error,
        "action": request.path,
    }
    piece = request.headers.get("HX-Request")
    template = "web/duties/reason.html" if piece else "web/duties/reason_page.html"
    return render(request, template, context, status=422 if error else 200)


@require_POST
@access("duty.bulk")
def bulk(request: HttpRequest) -> HttpResponse:
    """Do or waive many duties in one go, all or none."""
    ids = [int(text) for text in request.POST.getlist("duty") if text.isdigit()]
    note = request.POST.get("note", "").strip()
    actor = request.actor  # type: ignore[attr-defined]
    if not ids:
        messages.error(request, _("Select something first."))
        return back(request, reverse("web:my_duties"))
    try:
        with transaction.atomic():
            n = (
                _waive_many(ids, note, actor)
                if request.POST.get("do") == "waive"
                else _do_many(ids, note, actor)
            )
    except BihuanError as wrong:
        messages.error(request, str(wrong))
    else:
        messages.success(request, ngettext("%(n)s duty ended.", "%(n)s duties ended.", n) % {"n": n})
    return back(request, reverse("web:my_duties"))


def _waive_many(ids: list[int], note: str, actor: Any) -> int:
    actions.waive_bulk(ids, note, actor)
    return len(ids)


def _do_many(ids: list[int], note: str, actor: Any) -> int:
    rows = queries.find_duties(DutyFilter(ids=ids), limit=len(ids)).rows
    plain = [row.id for row in rows if cards.verb_of(row) is None]
    if plain:
        actions.complete_bulk(plain, {"note": note, "at": clock.now().isoformat()}, clock.now(), actor)
    for row in rows:
        verb = cards.verb_of(row)
        if verb is None:
            continue
        if verb.adverse or not verb.one_tap:
            raise Invalid(
                _("“%(what)s” asks for a value or a decision about each person; open it.")
                % {"what": label(row.label)}
            )
        given = {"duty": row.key, "note": note}
        known = {described.name for described in verb.fields}
        data = {name: value for name, value in given.items() if name in known and value}
        perform(row.verb, row.subject_kind, row.subject_ref, data, actor)
    return len(rows)
