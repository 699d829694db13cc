"""Investigations: the list with its clocks, one with its track day by day, and what is done in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from bihuan.cases.queries import find_case, people
from bihuan.doors.exchange.reports import investigation_report
from bihuan.doors.web import investigation_forms as collect
from bihuan.doors.web import places, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import add_errors
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.doors.web.views import proposals
from bihuan.loops.queries import sight
from bihuan.registry import access as registry_access
from bihuan.registry import clock, territory
from bihuan.registry.errors import Invalid, NotFound
from bihuan.registry.purposes import purpose, said
from bihuan.tracing.actions import investigate
from bihuan.tracing.errors import InvestigationOpen
from bihuan.tracing.purposes import FIND_OUT
from bihuan.tracing.queries import clusters as place_lists
from bihuan.tracing.queries import investigations as reads
from bihuan.tracing.queries.investigations import EntryView, InvestigationRow, InvestigationView
from bihuan.tracing.queries.recorded import recorded_words
from bihuan.tracing.rules.track import ConflictKind, DayTrack, Span

RIGHT: Final = "investigation.view"
WRITE: Final = "investigation.write"
LOOK: Final = "visits.look"
LOOKS_SHOWN: Final = 20
_MARK: Final = re.compile(r"[0-9a-f]{16}")


@access(RIGHT, personal=True)
def investigations(request: HttpRequest) -> HttpResponse:
    """Open ones by deadline, then the closed ones."""
    sight.require_whole(RIGHT)
    code, _error = places.asked(request, within_scope=True)
    status = request.GET.get("status", "open")
    rows = reads.list_investigations(status="" if status == "all" else status, territory=code)
    counts = reads.count_investigations(territory=code)
    known = people.briefs(row.person_id for row in rows)
    now = clock.now()
    context = {
        "crumbs": places.crumbs(request, code),
        "rows": [
            {
                "row": row,
                "name": seen.name_in_list(known.get(row.person_id)),
                "about": seen.about(known.get(row.person_id)),
                "case": case_word(row.classification),
                "place": places.below(row.territory_code),
                **_clock(row, now),
            }
            for row in rows
        ],
        "tabs": [
            {"label": f"{text} {counts[key]:,}" if key in counts else text, "href": f"?status={key}",
             "current": key == status}
            for key, text in _tabs().items()
        ],
        "may_look": bool(registry_access.may(None, LOOK)),
        "empty_title": _("No investigation here"),
        "empty_text": _("An investigation is opened from the page of a person who is a case."),
    }  # fmt: skip
    return render(request, "web/investigation/list.html", context)


def _tabs() -> Mapping[str, str]:
    return {"open": _("Open"), "late": _("Late"), "closed": _("Ended"), "all": _("All")}


def _clock(row: InvestigationRow, now: datetime) -> dict[str, Any]:
    """What the clock of an investigation says, in words and tone."""
    due, ended = row.due_at, row.closed_at
    if row.clock == "late" and due is not None:
        return {"tone": "late", "clock": _("Late"), "by": now - due}
    if row.clock == "done_late" and due is not None and ended is not None:
        return {"tone": "late", "clock": _("Closed late"), "by": ended - due}
    if row.clock == "in_error":
        return {"tone": "line", "clock": _("Opened in error"), "by": None}
    if row.clock == "done":
        return {"tone": "done", "clock": _("Closed in time"), "by": None}
    return {"tone": "soon" if row.clock == "soon" else "fact", "clock": _("Open"), "by": None}


@access(WRITE, personal=True)
def investigation_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Open the investigation of a case: say what for."""
    row = find_case(public_id).row
    registry_access.require(WRITE, territory_code=row.territory_code)
    form = collect.OpenForm(
        request.POST or None,
        initial={
            "purpose": said(purpose(FIND_OUT)),
            "legal_basis": _(
                "Law on the Prevention and Control of Infectious Diseases, control plan in force"
            ),
        },
    )
    if request.method == "POST" and form.is_valid():
        try:
            made = investigate.open_investigation(public_id, actor=request.actor, **form.cleaned_data)  # type: ignore[attr-defined]
        except Invalid as wrong:
            add_errors(form, wrong)
        except InvestigationOpen as taken:
            messages.warning(request, str(taken))
            return redirect("web:investigation", public_id=taken.details["investigation"])
        else:
            return redirect("web:investigation", public_id=made.public_id)
    context = {
        "form": form,
        "case": public_id,
        "name": seen.name_in_list(row.person),
        "about": seen.about(row.person),
        "word": case_word(row.classification),
        "onset": row.date_onset,
        "case_url": reverse("web:case", args=[public_id]),
        "crumbs": places.crumbs(request, row.territory_code),
    }
    return render(request, "web/investigation/open.html", context, status=422 if form.errors else 200)


@access(RIGHT, personal=True)
def investigation(request: HttpRequest, public_id: str) -> HttpResponse:
    """One investigation."""
    return _page(request, reads.find_investigation(public_id))


@require_POST
@access(RIGHT, personal=True)
def report(request: HttpRequest, public_id: str) -> HttpResponse:
    """The report as a file. That it left stands in the access log."""
    answer = HttpResponse(investigation_report(public_id), content_type="application/pdf")
    answer["Content-Disposition"] = content_disposition_header(True, f"{public_id}.pdf") or "attachment"
    mark = request.POST.get("arrived", "")
    if _MARK.fullmatch(mark):  # waiting.ts looks for it: nothing else tells a page that its file came
        answer.set_cookie("arrived", mark, max_age=60, secure=request.is_secure(), samesite="Lax")
    return answer


@access(WRITE, personal=True)
def investigation_entry(request: HttpRequest, public_id: str, entry_id: int) -> HttpResponse:
    """Tell an entry better."""
    view = reads.find_investigation(public_id)
    registry_access.require(WRITE, territory_code=view.row.territory_code)
    entry = next((one for one in view.entries if one.id == entry_id), None)
    if entry is None:
        raise NotFound(_("There is no entry %(id)s in this track.") % {"id": entry_id})
    shown, other = _shown(view), False
    form = collect.EntryForm(
        request.POST or None, places=_places(view), initial=collect.initial_of(entry, view.tz)
    )
    if request.method == "POST" and form.is_valid():
        try:
            investigate.change_entry(
                public_id,
                entry_id,
                form.told(),
                actor=request.actor,  # type: ignore[attr-defined]
                read=request.POST.get("read", ""),
            )
        except Invalid as wrong:
            add_errors(form, wrong)
            other = any(error["rule"] == "changed" for error in wrong.errors)
        else:
            messages.success(request, _("The entry is changed."))
            return redirect("web:investigation", public_id=public_id)
    context = {
        "form": form,
        "one": view.investigation,
        "crumbs": places.crumbs(request, view.row.territory_code),
        "back": reverse("web:investigation", args=[public_id]),
        "read": entry.mark,
        "now_says": _said(entry, view, shown) if other else None,
    }
    return render(request, "web/investigation/entry.html", context, status=422 if form.errors else 200)


@access(WRITE, personal=True)
def investigation_do(request: HttpRequest, public_id: str, what: str) -> HttpResponse:
    """Do one thing in an investigation, and come back to it; so does whoever only opens the address again."""
    if request.method != "POST":
        return redirect("web:investigation", public_id=public_id)
    step = _STEPS.get(what)
    if step is None:
        raise NotFound(_("There is nothing called %(key)s to be done here.") % {"key": what})
    view = reads.find_investigation(public_id)
    registry_access.require(WRITE, territory_code=view.row.territory_code)
    made = step(request, view)
    if isinstance(made, str):
        messages.success(request, made)
        return redirect("web:investigation", public_id=public_id)
    return _page(request, reads.find_investigation(public_id), **{made.name: made.form})


@dataclass(frozen=True, slots=True)
class _Back:
    """A form that has to be shown again with its errors."""

    name: str
    form: forms.Form


def _filled(name: str, form: forms.Form, act: Callable[[], str]) -> str | _Back:
    """What was done, in words; or the form with what is wrong."""
    if form.is_valid():
        try:
            return act()
        except Invalid as wrong:
            add_errors(form, wrong)
    return _Back(name, form)


def _draft(request: HttpRequest, view: InvestigationView) -> str | _Back:
    form = collect.DraftForm(request.POST)

    def act() -> str:
        done = investigate.draft_track(
            view.row.public_id,
            purpose=form.cleaned_data["purpose"],
            actor=request.actor,  # type: ignore[attr-defined]
        )
        if done.look.state != "found":
            return _state_words()[done.look.state]
        words = ngettext(
            "%(n)d record added, not confirmed.", "%(n)d records added, not confirmed.", done.added
        )
        text = words % {"n": done.added}
        if done.supported:
            more = ngettext(
                "%(n)d entry is borne out by a record.",
                "%(n)d entries are borne out by records.",
                done.supported,
            )
            text += " " + more % {"n": done.supported}
        return " ".join(filter(None, (text, proposals.held_words(done.look.held_from))))

    return _filled("draft_form", form, act)


def _state_words() -> Mapping[str, str]:
    return {
        "no_store": _("There are no entry records in this installation."),
        "no_number": _("The register holds no identity number or phone of this person to look by."),
        "not_held": _("No entry records of these days are held: they were deleted, or never came in."),
        "not_seen": _("No gate recorded this person."),
    }


def _entry(request: HttpRequest, view: InvestigationView) -> str | _Back:
    form = collect.EntryForm(request.POST, places=_places(view))

    def act() -> str:
        investigate.add_entry(view.row.public_id, form.told(), actor=request.actor)  # type: ignore[attr-defined]
        return _("The entry is recorded.")

    return _filled("entry_form", form, act)


def _judge(request: HttpRequest, view: InvestigationView) -> str:
    chosen = [int(text) for text in request.POST.getlist("entry") if text.isdigit()]
    actor = request.actor  # type: ignore[attr-defined]
    if not chosen:
        raise Invalid(_("Nothing was chosen."), hint=_("Mark at least one entry."))
    if request.POST.get("certainty"):
        n = investigate.judge_entries(
            view.row.public_id, chosen, certainty=request.POST["certainty"], actor=actor
        )
        return ngettext("%(n)d entry is judged.", "%(n)d entries are judged.", n) % {"n": n}
    n = investigate.retract_entries(
        view.row.public_id, chosen, reason=request.POST.get("reason", ""), actor=actor
    )
    return ngettext("%(n)d entry is taken back.", "%(n)d entries are taken back.", n) % {"n": n}


def _hypothesis(request: HttpRequest, view: InvestigationView) -> str | _Back:
    form = collect.HypothesisForm(request.POST, places=_places(view))

    def act() -> str:
        investigate.add_hypothesis(view.row.public_id, form.told(), actor=request.actor)  # type: ignore[attr-defined]
        return _("The hypothesis is recorded.")

    return _filled("hypothesis_form", form, act)


def _standing(request: HttpRequest, view: InvestigationView) -> str:
    number = request.POST.get("hypothesis", "")
    investigate.judge_hypothesis(
        view.row.public_id,
        int(number) if number.isdigit() else 0,
        standing=request.POST.get("standing", ""),
        reasons=request.POST.get("reasons", ""),
        actor=request.actor,  # type: ignore[attr-defined]
    )
    return _("The hypothesis is judged.")


def _close(request: HttpRequest, view: InvestigationView) -> str | _Back:
    form = collect.CloseForm(request.POST, view=view, now=clock.now())

    def act() -> str:
        done = investigate.close_investigation(
            view.row.public_id,
            summary=form.cleaned_data["summary"],
            no_track_reason=form.cleaned_data.get("no_track_reason", ""),
            at=form.moment(view.tz),
            actor=request.actor,  # type: ignore[attr-defined]
        )
        late = done.due_at is not None and done.closed_at is not None and done.closed_at > done.due_at
        return _("The investigation is closed, late.") if late else _("The investigation is closed in time.")

    return _filled("close_form", form, act)


def _withdraw(request: HttpRequest, view: InvestigationView) -> str:
    investigate.withdraw_investigation(
        view.row.public_id,
        reason=request.POST.get("reason", ""),
        actor=request.actor,  # type: ignore[attr-defined]
    )
    return _("Closed as opened in error; the duty to investigate the case stays as it was.")


def _reopen(request: HttpRequest, view: InvestigationView) -> str:
    investigate.reopen_investigation(
        view.row.public_id,
        reason=request.POST.get("reason", ""),
        actor=request.actor,  # type: ignore[attr-defined]
    )
    return _("The investigation is open again.")


_STEPS: Final[dict[str, Callable[[HttpRequest, InvestigationView], str | _Back]]] = {
    "draft": _draft,
    "entry": _entry,
    "judge": _judge,
    "hypothesis": _hypothesis,
    "standing": _standing,
    "close": _close,
    "withdraw": _withdraw,
    "reopen": _reopen,
}


# --- the page ---------------------------------------------------------------------------------------------


def _shown(view: InvestigationView) -> frozenset[str]:
    """The classes of fields the reader sees; the page is of where somebody was, so that class is needed."""
    code = view.row.territory_code
    registry_access.require(RIGHT, field_class=seen.LOCATION, territory_code=code)
    return registry_access.field_classes(None, RIGHT, territory_code=code)


def _page(request: HttpRequest, view: InvestigationView, **bad: forms.Form) -> HttpResponse:
    shown = _shown(view)
    row, one, now = view.row, view.investigation, clock.now()
    seen.note([row.person_id], shown, purpose("page.investigation", row.public_id))
    brief = people.briefs([row.person_id]).get(row.person_id)
    may_write = bool(registry_access.may(None, WRITE, territory_code=row.territory_code))
    is_open = row.status == "open"
    entries = {entry.id: entry for entry in view.entries}
    clashes = _clashes(view, entries)
    context: dict[str, Any] = {
        "one": one,
        "row": row,
        "view": view,
        "name": seen.name_on_page(brief, shown) if brief else _("out of sight"),
        "about": seen.about(brief),
        "person_url": reverse("web:person", args=[brief.public_id]) if brief else "",
        "case_word": case_word(row.classification),
        "where": territory.name_path(row.territory_code),
        "crumbs": places.crumbs(request, row.territory_code),
        **_clock(row, now),
        "is_open": is_open,
        "may_withdraw": may_write and is_open and not _is_worked_on(view),
        "may_write": may_write and is_open,
        "may_reopen": may_write and not is_open,
        "may_look": is_open and bool(registry_access.may(None, LOOK, territory_code=row.territory_code)),
        "days": [_day(day, view, entries, clashes, shown) for day in view.days],
        "earlier": [_day(day, view, entries, clashes, shown, asked=False) for day in view.earlier],
        "unconfirmed": row.unconfirmed,
        "missing": [_date(day) for day in view.missing],
        "gap": timedelta(hours=view.gap),
        "no_onset": is_open and view.case.date_onset is None,
        "window": _window(view),
        "clashes": clashes.values(),
        "retracted": [_said(entry, view, shown) for entry in view.retracted],
        "hypotheses": _hypothesis_rows(view),
        "standings": reads.STANDING_LABELS,
        "looks": [
            {"look": look, "what": str(look.get_kind_display())} for look in view.looks[:LOOKS_SHOWN]
        ],
        "looks_more": max(0, len(view.looks) - LOOKS_SHOWN),
        "contacts_url": f"{reverse('web:contacts')}?case={row.case}",
        "contacts": proposals.panel(one.public_id),
    }  # fmt: skip
    if context["may_write"]:
        context |= {
            "entry_form": collect.EntryForm(places=_places(view), initial={"day": _next_day(view)}),
            "hypothesis_form": collect.HypothesisForm(places=_places(view)),
            "close_form": collect.CloseForm(view=view, now=now),
            "draft_form": collect.DraftForm(initial={"purpose": one.purpose_said}),
        }
    context |= bad
    context["opened"] = next(iter(bad), "")
    return render(request, "web/investigation/investigation.html", context, status=422 if bad else 200)


def _is_worked_on(view: InvestigationView) -> bool:
    return any(entry.certainty != "unconfirmed" for entry in view.entries)


def _places(view: InvestigationView) -> list[tuple[str, str]]:
    """Places to choose from: those of the county, and those of the track."""
    own = {entry.place: entry.where for entry in view.entries if entry.place}
    return list({**own, **dict(place_lists.place_choices())}.items())


def _next_day(view: InvestigationView) -> date:
    """The first day nothing is told of, else the last: where the next entry most likely belongs."""
    return view.missing[0] if view.missing else view.days[-1].day


def _window(view: InvestigationView) -> str:
    since, until = view.investigation.window_from, view.investigation.window_to
    words = {"from": _moment(since, view), "to": _moment(until, view) if until else _("now")}
    return _("%(from)s to %(to)s") % words


def _moment(at: datetime, view: InvestigationView) -> str:
    return date_format(at.astimezone(view.tz), "Y-m-d H:i")


def _date(day: date) -> str:
    return date_format(day, "m-d")


def _clashes(view: InvestigationView, entries: Mapping[int, EntryView]) -> dict[tuple[int, int], str]:
    """What cannot both be true, in words, by the two entries."""
    found = {}
    for clash in view.conflicts:
        a, b = entries[clash.first], entries[clash.second]
        words = {"a": a.where, "b": b.where, "at": _moment(clash.since, view), "kmh": round(clash.kmh)}
        found[clash.first, clash.second] = (
            _("In two places at once, %(at)s: %(a)s and %(b)s.") % words
            if clash.kind == ConflictKind.TWO_PLACES
            else _("From %(a)s to %(b)s, %(at)s, would take %(kmh)s km/h.") % words
        )
    return found


def _day(
    day: DayTrack,
    view: InvestigationView,
    entries: Mapping[int, EntryView],
    clashes: Mapping[tuple[int, int], str],
    shown: frozenset[str],
    *,
    asked: bool = True,
) -> dict[str, Any]:
    """A day of the track as it is drawn. What is missing is shown only of days that are `asked` about."""
    clashing = {key for pair in clashes for key in pair}
    bars = [_bar(entries[key], day, view) for key in day.stays]
    midnight = datetime.combine(day.day, datetime.min.time(), tzinfo=view.tz)
    return {
        "day": day.day,
        "date": _date(day.day),
        "weekday": date_format(day.day, "D"),
        "told": day.is_told or not asked,
        "outside": [
            bar
            for bar in (
                _piece(Span(midnight, day.since), day, view),
                _piece(Span(day.until, midnight + timedelta(days=1)), day, view),
            )
            if bar["width"] > 0
        ],
        "bars": bars,
        "gaps": [
            {**_piece(gap, day, view), "from": _hour(gap.since, view), "to": _hour(gap.until, view, end=True)}
            for gap in (day.gaps if asked else ())
        ],
        "label": _("%(day)s: %(told)s") % {"day": _date(day.day), "told": _told(day)},
        "entries": [
            {**_said(entries[key], view, shown), "clash": key in clashing}
            for key in day.stays
            if entries[key].since >= midnight or day is view.days[0]
        ],
    }


def _told(day: DayTrack) -> str:
    told = sum((span.length for span in day.told), timedelta())
    whole = day.until - day.since
    return _("%(n)d %% of the time is told") % {"n": round(100 * told / whole) if whole else 0}


def _bar(entry: EntryView, day: DayTrack, view: InvestigationView) -> dict[str, Any]:
    until = entry.until or entry.since
    piece = _piece(Span(entry.since, until), day, view)
    piece["width"] = max(piece["width"], 6)
    title = f"{_times(entry, view)} {entry.where}".strip()
    return {**piece, "tone": entry.certainty, "title": title}


def _piece(span: Span, day: DayTrack, view: InvestigationView) -> dict[str, Any]:
    """A stretch as x and width in minutes of the local day."""
    midnight = datetime.combine(day.day, datetime.min.time(), tzinfo=view.tz)
    minutes = [
        max(0.0, min(1440.0, (at - midnight) / timedelta(minutes=1))) for at in (span.since, span.until)
    ]
    return {"x": round(minutes[0]), "width": round(minutes[1] - minutes[0])}


def _hour(at: datetime, view: InvestigationView, *, end: bool = False) -> str:
    local = at.astimezone(view.tz)
    return "24:00" if end and (local.hour, local.minute) == (0, 0) else f"{local:%H:%M}"


def _times(entry: EntryView, view: InvestigationView) -> str:
    """When, as far as it is known."""
    since = entry.since.astimezone(view.tz)
    if entry.precision == "part":
        parts = {0: "night", 6: "morning", 12: "afternoon", 18: "evening"}
        return collect.part_words().get(parts.get(since.hour, ""), "")
    if entry.precision == "day":
        until = (entry.until or entry.since).astimezone(view.tz) - timedelta(minutes=1)
        if until.date() > since.date():
            return _("%(from)s to %(to)s") % {"from": _date(since.date()), "to": _date(until.date())}
        return _("the whole day")
    if entry.until is None:
        return f"{since:%H:%M}"
    until = entry.until.astimezone(view.tz)
    next_day = f" {_date(until.date())}" if until.date() != since.date() else ""
    return f"{since:%H:%M}–{until:%H:%M}{next_day}"


def _said(entry: EntryView, view: InvestigationView, shown: frozenset[str]) -> dict[str, Any]:
    labels = {
        "setting": reads.SETTING_LABELS,
        "source": reads.SOURCE_LABELS,
        "certainty": reads.CERTAINTY_LABELS,
    }
    words = {name: str(dict(told).get(getattr(entry, name), "")) for name, told in labels.items()}
    whole = seen.IDENTITY in shown
    return {
        "entry": entry,
        "times": _times(entry, view),
        "date": _date(entry.since.astimezone(view.tz).date()),
        "where": entry.where or words["setting"],
        "setting": words["setting"] if entry.setting not in ("unknown", "home") or not entry.where else "",
        "source": words["source"],
        "how": recorded_words(entry.how, judged=entry.certainty != "unconfirmed"),
        "certainty": words["certainty"],
        "tone": {"confirmed": "done", "likely": "fact"}.get(entry.certainty, "line"),
        "activity": entry.activity,
        "companions": entry.companions if whole else "",
        "edit": reverse("web:investigation_entry", args=[view.row.public_id, entry.id]),
    }


def _hypothesis_rows(view: InvestigationView) -> list[dict[str, Any]]:
    kinds, standings = dict(reads.HYPOTHESIS_LABELS), dict(reads.STANDING_LABELS)
    tones = {"leading": "done", "possible": "fact", "ruled_out": "line"}
    return [
        {
            "one": one,
            "kind": str(kinds[one.kind]),
            "standing": str(standings[one.standing]),
            "tone": tones[one.standing],
            "what": " · ".join(part for part in (one.case, one.place_name, one.text) if part),
        }
        for one in view.hypotheses
    ]
