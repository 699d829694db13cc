"""Entries of a person's timeline as sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from bihuan.care.queries import Entry
from bihuan.care.queries.words import END_LABELS, HOME_LABELS, ORDER_KIND_LABELS, SYMPTOM_LABELS
from bihuan.doors.web import evidence, seen, words
from bihuan.doors.web.shapes import Moment
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.registry import clock
from bihuan.registry.text import label
from bihuan.tracing.queries.reasons import spoken
from bihuan.tracing.queries.words import EXPOSURE_LABELS, WHY_ENDED_LABELS

Data = Mapping[str, Any]
_TONES = {"fact": "fact", "decision": "soon", "duty": "late", "check": "done", "test": "quiet"}


def _word(pairs: Any, key: Any) -> str:
    return str(dict(pairs).get(key, key or ""))


def _symptoms(data: Data) -> str:
    found = [_word(SYMPTOM_LABELS, key) for key in data.get("symptoms") or ()]
    return ", ".join(found) or _("no symptoms")


def _several(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _day(text: Any) -> str:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return words.say_date(day, today=timezone.localtime(clock.now()).date(), inside=True)


def _dated() -> dict[str, str]:
    return {
        "onset": _("Fell ill"),
        "visit": _("First visit to a doctor"),
        "diagnosis": _("Diagnosed"),
        "sample": _("Specimen taken"),
        "result": _("Test result"),
        "report": _("Case reported"),
        "confirmation": _("Confirmed"),
        "isolation": _("Isolated"),
        "admission": _("Admitted"),
        "outcome": _("Outcome"),
    }


def _titles() -> dict[str, Callable[[Data], tuple[str, str]]]:
    """what → (title, detail)."""
    return {
        "case.found": lambda d: (_("Found as a case"), case_word(str(d.get("classification", "")))),
        "case.revised": lambda d: (
            _("Corrected: %(field)s") % {"field": evidence.field_word(str(d.get("field", "")))},
            _("“%(old)s” became “%(new)s”: %(reason)s")
            % {
                "old": evidence.word(str(d.get("field", "")), d.get("old") or "") or "–",
                "new": evidence.word(str(d.get("field", "")), d.get("new") or ""),
                "reason": d.get("reason", ""),
            },
        ),
        "case.reviewed": lambda d: (_("Report reviewed"), str(d.get("finding", ""))),
        "case.investigated": lambda d: (
            _("Case investigated"),
            _several(evidence.word("no_track", d.get("no_track") or ""), str(d.get("summary", ""))),
        ),
        "case.transferred": lambda d: (_("Taken to a hospital"), str(d.get("to", ""))),
        "case.follow_up": lambda d: (_("Followed up after discharge"), _symptoms(d)),
        "contact.exposed": lambda d: (
            _("Last exposure"),
            " · ".join(p for p in (_word(EXPOSURE_LABELS, d.get("kind")), str(d.get("setting") or "")) if p),
        ),
        "contact.exposed_again": lambda d: (
            _("A further exposure"),
            _several(_word(EXPOSURE_LABELS, d.get("kind")), spoken(str(d.get("criterion") or ""))),
        ),
        "contact.exposure_ended": lambda d: (
            _("An exposure no longer counts"),
            _several(
                _word(WHY_ENDED_LABELS, d.get("why")),
                str(d.get("reason") or "") if d.get("why") == "withdrawn" else "",
                _("observed until the end of %(day)s") % {"day": _day(d["last_day"])}
                if d.get("last_day")
                else "",
            ),
        ),
        "contact.confirmed": lambda d: (_("Named a close contact"), spoken(str(d.get("criterion") or ""))),
        "contact.located": lambda d: (_("Person found"), ""),
        "contact.handed_over": lambda _d: (_("Handed over to another territory"), ""),
        "contact.released": lambda d: (_("Released"), _word(END_LABELS, d.get("reason"))),
        "order.started": lambda d: (_word(ORDER_KIND_LABELS, d.get("kind")), _until(d)),
        "order.came_home": lambda d: (
            _("Home from the site"),
            _("%(home)s until the end of %(day)s")
            % {"home": _word(HOME_LABELS, d.get("home_kind")), "day": _day(d.get("last_day"))},
        ),
        "order.ended": lambda d: (_("Observation ended"), _word(END_LABELS, d.get("reason"))),
        "appeal.filed": lambda d: (_("Appeal filed"), ""),
        "appeal.decided": lambda d: (_("Appeal answered"), str(d.get("reason", ""))),
        "check.temperature": lambda d: (
            _("Temperature %(value)s °C") % {"value": d.get("value")},
            _symptoms(d),
        ),
        "check.follow_up": lambda d: (_("Followed up"), _symptoms(d)),
        "test.sampled": lambda d: (_("Specimen taken"), ""),
        "test.result": lambda d: (_("Test result"), case_word(str(d.get("result", "")))),
        "duty.done": lambda d: (_("Done late"), label(d.get("label") or {})),
        "duty.waived": lambda d: (
            _("Waived"),
            " · ".join(part for part in (label(d.get("label") or {}), str(d.get("reason", ""))) if part),
        ),
    }


def _until(d: Data) -> str:
    said = _("until the end of %(day)s · %(clause)s · approved by %(approver)s") % {
        "day": _day(d.get("last_day")),
        "clause": d.get("clause", ""),
        "approver": d.get("approver", ""),
    }
    if not d.get("home_from"):
        return said
    home = _("from %(day)s %(home)s") % {
        "day": _day(d.get("home_from")),
        "home": _word(HOME_LABELS, d.get("home_kind")),
    }
    return f"{home} · {said}"


def _tags() -> dict[str, str]:
    return {
        "fact": _("fact"),
        "decision": _("decision"),
        "duty": _("duty"),
        "check": _("observation"),
        "test": _("test"),
    }


def event_words(kind: str) -> str:
    """A kind of event of the log, or a fact a clock starts from, in words; an unknown one as it stands."""
    return {
        "case.suspected": _("Became a suspected case"),
        "case.confirmed": _("Became a confirmed case"),
        "case.reported": _("Case reported"),
        "case.reviewed": _("Report reviewed"),
        "case.investigated": _("Case investigated"),
        "case.tested": _("Test result"),
        "case.isolated": _("Isolated"),
        "case.transferred": _("Taken to a hospital"),
        "case.admitted": _("Admitted"),
        "case.discharged": _("Discharged"),
        "case.died": _("Died"),
        "case.discarded": _("Excluded"),
        "case.follow_up": _("Followed up after discharge"),
        "contact.confirmed": _("Named a close contact"),
        "contact.exposed_again": _("A further exposure"),
        "contact.exposure_ended": _("An exposure no longer counts"),
        "contact.located": _("Person found"),
        "contact.placed": _("Placed under observation"),
        "contact.temperature": _("Temperature taken"),
        "contact.followed_up": _("Followed up"),
        "contact.tested": _("Tested"),
        "contact.symptomatic": _("Shows symptoms"),
        "contact.referred": _("Taken to a clinic"),
        "contact.released": _("Released"),
        "contact.became_case": _("Became a case"),
        "contact.lost": _("Not found"),
        "contact.moved": _("Moved"),
        "contact.came_home": _("Home from the site"),
        "stage_ends_at": _("End of the first stage"),
        "observe_ends_at": _("End of the observation"),
        "contact.given_up": _("Search given up"),
        "contact.handed_over": _("Handed over to another territory"),
        "order.started": _("Observation began"),
        "order.ended": _("Observation ended"),
        "appeal.filed": _("Appeal filed"),
        "appeal.decided": _("Appeal answered"),
        "assistance.sent": _("Assistance asked for"),
        "assistance.arrived": _("Assistance request arrived"),
        "assistance.received": _("The other side has it"),
        "assistance.accepted": _("Request accepted"),
        "assistance.returned": _("Request sent back"),
        "assistance.progress": _("Answer on the way"),
        "assistance.answered": _("Request answered"),
        "assistance.ended": _("The need ended"),
        "assistance.deleted": _("Deletion confirmed"),
        "loop.opened": _("Loop opened"),
        "loop.closed": _("Loop closed"),
        "loop.retracted": _("Taken back"),
        "loop.replanned": _("Planned anew under another pack"),
        "duty.waived": _("Waived"),
        "duty.done": _("Done"),
        "duty.handed_over": _("Handed over"),
    }.get(kind, kind)


def evidence_words(key: str) -> str:
    return {
        "result": _("the result"),
        "value": _("the reading"),
        "order": _("the order"),
        "reason": _("the reason"),
        "decision": _("the decision"),
    }.get(key, key)


def moments_of(entries: Iterable[Entry], shown: frozenset[str]) -> list[Moment]:
    """The lines of the page in order. The daily checks of one day stand in one line, unless one is bad."""
    found: list[Moment] = []
    checks: list[Entry] = []
    for entry in entries:
        if entry.what.startswith("check.") and not entry.data.get("symptoms") and seen.HEALTH in shown:
            if checks and _local_day(checks[-1]) != _local_day(entry):
                found.append(_day_of_checks(checks))
                checks = []
            checks.append(entry)
            continue
        if checks:
            found.append(_day_of_checks(checks))
            checks = []
        moment = moment_of(entry, shown)
        if moment is not None:
            found.append(moment)
    if checks:
        found.append(_day_of_checks(checks))
    return found


def _local_day(entry: Entry) -> date:
    return timezone.localtime(entry.at).date()


def _sentence(text: str) -> str:
    """With a capital at the beginning, and nothing else changed (°C stays °C)."""
    return text[:1].upper() + text[1:]


def _day_of_checks(checks: list[Entry]) -> Moment:
    """体温 36.5 / 36.7 ℃，随访 2 次: one quiet day under observation."""
    readings = [f"{c.data['value']:.1f}" for c in checks if c.data.get("value") is not None]
    visits = sum(c.what == "check.follow_up" for c in checks)
    parts = []
    if readings:
        parts.append(_("temperature %(values)s °C") % {"values": " / ".join(readings)})
    if visits:
        parts.append(ngettext("followed up once", "followed up %(n)s times", visits) % {"n": visits})
    late = [c.recorded_at for c in checks if c.is_late_entry and c.recorded_at is not None]
    return Moment(
        at=checks[0].at,
        precision="day",
        title=_sentence(", ".join(parts)),
        detail=_("no symptoms"),
        tone="done",
        tag=_tags()["check"],
        recorded_at=max(late) if late else None,
    )


#: Entries that tell of the body; hidden from posts without that class of fields.
HEALTH = ("case.", "check.", "test.")


def moment_of(entry: Entry, shown: frozenset[str]) -> Moment | None:
    """One line of the page, or None when the reader's classes of fields do not reach it."""
    if seen.HEALTH not in shown and entry.what.startswith(HEALTH):
        return None
    title, detail = _said(entry)
    tone = _TONES.get(entry.kind, "fact")
    if entry.what == "check.temperature" and entry.data.get("symptoms"):
        tone = "late"
    if entry.by and seen.IDENTITY in shown:
        detail = f"{detail} · {entry.by}" if detail else entry.by
    href = (
        reverse("web:duty", args=[entry.data["duty"]])
        if entry.kind == "duty" and "duty" in entry.data
        else ""
    )
    return Moment(
        at=entry.at,
        precision=entry.precision,
        title=title,
        detail=detail,
        tone=tone,
        tag=_tags().get(entry.kind, ""),
        recorded_at=entry.recorded_at if entry.is_late_entry else None,
        href=href,
    )


def _said(entry: Entry) -> tuple[str, str]:
    if entry.what.startswith("case.date_"):
        name = entry.what.removeprefix("case.date_")
        return _dated().get(name, name), ""
    say = _titles().get(entry.what)
    return say(entry.data) if say else (entry.what, "")
