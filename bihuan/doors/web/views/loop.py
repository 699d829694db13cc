"""One loop: its ring, every duty with its clock and its end, what it climbed, and the log it follows from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from bihuan.cases.queries import people
from bihuan.doors.web import cards, evidence, moments, seen, timeline, words
from bihuan.doors.web.access import access
from bihuan.doors.web.shapes import Moment
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.doors.web.views.board import targets
from bihuan.doors.web.views.person import strip
from bihuan.loops import queries
from bihuan.loops.queries import DutyRow, sight
from bihuan.loops.queries.detail import EventRow, LoopDetail
from bihuan.loops.queries.progress import progress_of
from bihuan.registry import clock, territory
from bihuan.registry.purposes import purpose
from bihuan.registry.text import label


@access("loop.view", personal=True)
def loop(request: HttpRequest, public_id: str) -> HttpResponse:
    """Everything about one loop at a moment."""
    moment = moments.asked(request)
    found = queries.loop_detail(public_id, as_of=moment.given)
    one = found.loop
    shown = sight.classes_of(
        "loop.view",
        territory_code=one.territory_code,
        person_id=one.person_id,
        subject=(one.subject_kind, one.subject_ref),
    )
    seen.note([one.person_id], shown, purpose("page.loop"))
    progress = progress_of([public_id], as_of=moment.given).get(public_id)
    person = people.briefs([one.person_id]).get(one.person_id) if one.person_id else None
    context = {
        "loop": {
            "label": label(one.label),
            "subject": seen.name_in_list(person) if person else one.subject_ref,
        },
        "stages": cards.arcs(progress),
        "strip": strip(progress),
        "chips": _chips(found),
        "groups": _groups(found, moment.at),
        "facts": _facts(found, person.public_id if person else ""),
        "escalations": [
            {
                "what": _duty_label(found, rung.duty),
                "to": rung.to or targets().get(rung.target, rung.target),
                "at": rung.at,
            }
            for rung in found.rungs
        ],
        "moments": [_moment(event, shown) for event in found.events],
        "no_duties_title": _("Nothing was owed yet"),
        "no_duties_text": _("Duties appear here as facts open them."),
    }
    return render(request, "web/loop/loop.html", context)


def _chips(found: LoopDetail) -> list[dict[str, str]]:
    one = found.loop
    if not one.is_open:
        text = _("closed: %(outcome)s") % {"outcome": case_word(one.outcome)} if one.outcome else _("closed")
        return [{"tone": "done", "text": text}]
    late = sum(row.status == "late" for row in found.duties)
    chips = [{"tone": "fact", "text": _("open")}]
    if late:
        chips.append({"tone": "late", "text": _("late %(n)s") % {"n": late}})
    return chips


def _duty_label(found: LoopDetail, ref: str) -> str:
    row = next((row for row in found.duties if row.ref == ref), None)
    return label(row.label) if row else ref


def _groups(found: LoopDetail, now: datetime) -> list[dict[str, Any]]:
    """Duties by stage, in the order of the ring."""
    groups = []
    for stage in found.ring.stages:
        rows = [row for row in found.duties if row.stage == stage.stage]
        if rows:
            groups.append(_group(label(stage.label), rows, now))
    known = {stage.stage for stage in found.ring.stages}
    rest = [row for row in found.duties if row.stage not in known]
    if rest:
        groups.append(_group(_("Decide"), rest, now))
    return groups


def _group(name: str, rows: Sequence[DutyRow], now: datetime) -> dict[str, Any]:
    """One stage: its single duties, then the days of what repeats, the newest first."""
    single = [row for row in rows if cards.day_of(row) is None]
    days: dict[date, list[DutyRow]] = {}
    for row in rows:
        day = cards.day_of(row)
        if day is not None:
            days.setdefault(day, []).append(row)
    return {
        "label": name,
        **_counted(rows),
        "duties": [_line(row, now) for row in single],
        "days": [
            _day(day, days[day], now, open_first=n == 0) for n, day in enumerate(sorted(days, reverse=True))
        ],
    }


def _counted(rows: Sequence[DutyRow]) -> dict[str, int]:
    return {
        "done": sum(row.state == "done" for row in rows),
        "total": sum(row.state != "superseded" for row in rows),
        "late": sum(row.status == "late" for row in rows),
    }


def _day(day: date, rows: Sequence[DutyRow], now: datetime, *, open_first: bool) -> dict[str, Any]:
    """The repeated duties of one local day. A day stands open while something of it is owed, or as the
    newest; a day that is over folds into one line with its count and its readings."""
    return {
        "day": day,
        **_counted(rows),
        "open": open_first or any(row.state == "open" for row in rows),
        "readings": evidence.readings(row.evidence for row in rows),
        "owner": rows[0].owner if len({row.owner for row in rows}) == 1 else "",
        "duties": [_line(row, now) for row in rows],
    }


def _line(row: DutyRow, now: datetime) -> dict[str, Any]:
    ended, tone = endings().get(row.status, ("", ""))
    return {
        "what": label(row.label),
        "note": cards.note_of(row),
        "owner": row.owner,
        "fallback": row.owner_fallback,
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "state": "late" if row.status == "late" else row.state,
        "late_by": now - row.due_at,
        "ended": ended,
        "tone": tone,
        "ended_at": row.ended_at,
        "precision": "day" if row.ended_day_only else "minute",
        "evidence": evidence.said(row.evidence, verb=row.verb) or row.reason,
        "why_href": reverse("web:duty_why", args=[row.id]),
    }


def endings() -> Mapping[str, tuple[str, str]]:
    return {
        "done": (_("done"), "is-done"),
        "done_late": (_("done late"), "is-late"),
        "waived": (_("waived"), "is-soon"),
        "superseded": (_("no longer needed"), "quiet"),
    }


def _facts(found: LoopDetail, person: str) -> Sequence[tuple[str, str, str]]:
    one = found.loop
    now = clock.now()
    subject = reverse("web:person", args=[person]) if person else ""
    rows = [
        (_("Number"), one.public_id, ""),
        (_("Subject"), one.subject_ref, subject),
        (_("Territory"), territory.name_path(one.territory_code), ""),
        (_("Opened"), words.say_when(one.opened_at, now), ""),
    ]
    if one.closed_at:
        rows.append((_("Closed"), words.say_when(one.closed_at, now), ""))
    rows.append((_("Policy"), one.policy.partition("@")[0].replace("+", " + "), reverse("web:policy")))
    if one.handed_to:
        rows.append((_("Carried on by"), one.handed_to, reverse("web:loop", args=[one.handed_to])))
    return rows


def _moment(event: EventRow, shown: frozenset[str]) -> Moment:
    late = (event.recorded_at - event.at).days >= 1
    detail = evidence.said(event.data) if seen.HEALTH in shown else ""
    said = event.actor if seen.IDENTITY in shown else ""
    return Moment(
        at=event.at,
        precision=event.at_precision,
        title=timeline.event_words(event.kind),
        detail=" · ".join(part for part in (detail, said, event.source) if part),
        tone="quiet" if event.taken_back else "fact",
        tag=_("taken back") if event.taken_back else "",
        recorded_at=event.recorded_at if late else None,
    )
