"""Entries of a person's timeline as sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from bihuan.care.models import END_LABELS, ORDER_KIND_LABELS, SYMPTOM_LABELS
from bihuan.care.queries import Entry
from bihuan.doors.web import seen, words
from bihuan.doors.web.shapes import Moment
from bihuan.doors.web.templatetags.bihuan import case_word
from bihuan.registry import clock
from bihuan.tracing.models import EXPOSURE_LABELS

Data = Mapping[str, Any]
_TONES = {"fact": "fact", "decision": "soon", "duty": "late", "check": "done", "test": "quiet"}


def _word(pairs: Any, key: Any) -> str:
    return str(dict(pairs).get(key, key or ""))


def _symptoms(data: Data) -> str:
    found = [_word(SYMPTOM_LABELS, key) for key in data.get("symptoms") or ()]
    return ", ".join(found) or _("no symptoms")


def _day(text: Any) -> str:
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return words.say_date(day, today=timezone.localtime(clock.now()).date())


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
            _("Corrected: %(field)s") % {"field": d.get("field", "")},
            _("“%(old)s” became “%(new)s”: %(reason)s")
            % {
                "old": case_word(str(d.get("old", ""))) or "–",
                "new": case_word(str(d.get("new", ""))),
                "reason": d.get("reason", ""),
            },
        ),
        "case.reviewed": lambda d: (_("Report reviewed"), str(d.get("finding", ""))),
        "case.investigated": lambda d: (_("Case investigated"), str(d.get("summary", ""))),
        "case.transferred": lambda d: (_("Taken to a hospital"), str(d.get("to", ""))),
        "case.follow_up": lambda d: (_("Followed up after discharge"), _symptoms(d)),
        "contact.exposed": lambda d: (
            _("Last exposure"),
            " · ".join(p for p in (_word(EXPOSURE_LABELS, d.get("kind")), str(d.get("setting") or "")) if p),
        ),
        "contact.exposed_again": lambda d: (_("A further exposure"), _word(EXPOSURE_LABELS, d.get("kind"))),
        "contact.confirmed": lambda d: (_("Named a close contact"), str(d.get("criterion") or "")),
        "contact.located": lambda d: (_("Person found"), ""),
        "contact.released": lambda d: (_("Released"), _word(END_LABELS, d.get("reason"))),
        "order.started": lambda d: (
            _word(ORDER_KIND_LABELS, d.get("kind")),
            _("until the end of %(day)s · %(clause)s · approved by %(approver)s")
            % {
                "day": _day(d.get("last_day")),
                "clause": d.get("clause", ""),
                "approver": d.get("approver", ""),
            },
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
        "duty.done": lambda d: (_("Done late"), str(d.get("kind", ""))),
        "duty.waived": lambda d: (_("Waived"), str(d.get("reason", ""))),
    }


def _tags() -> dict[str, str]:
    return {
        "fact": _("fact"),
        "decision": _("decision"),
        "duty": _("duty"),
        "check": _("observation"),
        "test": _("test"),
    }


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
