"""The report of an investigation (流调报告) as a document, in the reader's language, as far as her role
reaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from bihuan.cases.queries import people
from bihuan.cases.queries.words import CLASSIFICATION_LABELS
from bihuan.doors.exchange.reports.setting import pdf_of
from bihuan.registry import access, audit, clock, territory
from bihuan.registry.masking import mask_name
from bihuan.registry.purposes import purpose
from bihuan.tracing.queries import investigations as reads
from bihuan.tracing.queries.investigations import EntryView, InvestigationView
from bihuan.tracing.queries.named import NamedContact, named_for, persons_of
from bihuan.tracing.queries.reasons import criterion_labels, sentence
from bihuan.tracing.queries.recorded import recorded_words
from bihuan.tracing.rules.track import ConflictKind

VIEW, EXPORT = "investigation.view", "export.run"


def investigation_report(public_id: str) -> bytes:
    """The report as PDF. Whose role does not hold names sees them masked, and not who was with the case; why
    each contact is one stands there for roles that hold health. That it left is written in the access log, of
    each person in it. Raises UnknownInvestigation; NotAllowed without the rights to
    view and to export where somebody was; NoFont."""
    view = reads.find_investigation(public_id)
    code = view.row.territory_code
    for right in (VIEW, EXPORT):
        access.require(right, field_class="location", territory_code=code)
    shown = frozenset.intersection(
        *(access.field_classes(None, right, territory_code=code) for right in (VIEW, EXPORT))
    )
    contacts = named_for(view.case.pk) if "health" in shown else []
    persons = [view.row.person_id, *persons_of(contacts)]
    audit.log_read(persons, sorted(shown), purpose("export.investigation", public_id))
    return pdf_of("investigation.typ", data_of(view, contacts, shown=shown))


def data_of(
    view: InvestigationView, contacts: Sequence[NamedContact], *, shown: frozenset[str]
) -> dict[str, Any]:
    """What the report says, in words."""
    one, row = view.investigation, view.row
    whole = "identity" in shown
    brief = people.briefs([row.person_id]).get(row.person_id)
    name = (brief.name if whole else mask_name(brief.name)) if brief else ""
    looks = dict(reads.LOOK_LABELS)
    return {
        "title": _("Case investigation report"),
        "subtitle": _("%(name)s · case %(case)s")
        % {"name": name or _("name unknown"), "case": row.case_number},
        "id": row.public_id,
        "made": _("Made %(at)s") % {"at": _at(clock.now(), view)},
        "lang": (get_language() or "zh")[:2],
        "facts": _facts(view, health="health" in shown),
        "missing": ", ".join(day.isoformat() for day in view.missing),
        "no_track_reason": "" if one.in_error else one.no_track_reason,
        "entries": [_entry(entry, view, whole=whole) for entry in view.entries],
        "conflicts": _conflicts(view),
        "hypotheses": _hypotheses(view),
        "contacts": ngettext(
            "%(n)d person is recorded as a contact of this case.",
            "%(n)d people are recorded as contacts of this case.",
            view.contacts,
        )
        % {"n": view.contacts},
        "named": [_named(contact, view, whole=whole) for contact in contacts],
        "summary": one.summary,
        "looks": [
            {
                "at": _at(look.at, view),
                "by": look.by_name,
                "what": str(looks[look.kind]),
                "purpose": look.purpose_said,
                "rows": str(look.rows),
            }
            for look in reversed(view.looks)
        ],
        "words": _words(),
    }


def _words() -> dict[str, Any]:
    return {
        "track": _("Track day by day"),
        "missing": _("Nothing confirmed is told of"),
        "no_entries": _("Nothing is told."),
        "columns": [_("Day"), _("Time"), _("Place and what was done"), _("Certainty and source")],
        "conflicts": _("Contradictions"),
        "source": _("Where it may have come from"),
        "no_hypotheses": _("No hypothesis."),
        "contacts": _("Contacts"),
        "named": [_("Close contact"), _("Criterion and reason"), _("When and where"), _("Confirmed by")],
        "found": _("Findings of the investigation"),
        "no_summary": _("Nothing written yet."),
        "looks": _("Looks at entry records"),
        "no_looks": _("Nobody has looked."),
        "note": _(
            "Entry records not confirmed by the person are no proof of presence. This document "
            "holds personal data: for the control of this epidemic only, and destroyed when no longer needed."
        ),
    }


def _facts(view: InvestigationView, *, health: bool) -> list[tuple[str, str]]:
    one, case = view.investigation, view.case
    facts = [(_("Territory"), territory.name_path(view.row.territory_code))]
    if health:
        facts += [
            (_("Classification"), str(dict(CLASSIFICATION_LABELS).get(case.classification, ""))),
            (_("Onset"), _day(case.date_onset)),
            (_("Diagnosis confirmed"), _day(case.date_confirmation)),
            (_("Isolated since"), _day(case.date_isolation)),
        ]
    until = _at(one.window_to, view) if one.window_to else _("now")
    facts += [
        (_("Purpose"), one.purpose_said),
        (_("Legal basis"), one.legal_basis or "–"),
        (
            _("Days asked about"),
            _("%(from)s to %(to)s") % {"from": _at(one.window_from, view), "to": until},
        ),
        (_("Opened"), f"{_at(one.opened_at, view)} · {one.opened_by_name}"),
        (_("Due"), _at(one.due_at, view) if one.due_at else "–"),
        (
            _("Finished"),
            f"{_at(one.closed_at, view)} · {one.closed_by_name}" if one.closed_at else _("still open"),
        ),
        *([(_("Opened in error"), one.no_track_reason or "–")] if one.in_error else []),
    ]
    return facts


def _day(day: date | None) -> str:
    return day.isoformat() if day else "–"


def _at(at: datetime, view: InvestigationView) -> str:
    return date_format(at.astimezone(view.tz), "Y-m-d H:i")


def _entry(entry: EntryView, view: InvestigationView, *, whole: bool) -> dict[str, str]:
    labels = {
        "setting": reads.SETTING_LABELS,
        "source": reads.SOURCE_LABELS,
        "certainty": reads.CERTAINTY_LABELS,
    }
    words = {name: str(dict(told).get(getattr(entry, name), "")) for name, told in labels.items()}
    how = recorded_words(entry.how, judged=entry.certainty != "unconfirmed")
    since = entry.since.astimezone(view.tz)
    companions = _("with %(whom)s") % {"whom": entry.companions} if entry.companions and whole else ""
    return {
        "day": f"{since:%Y-%m-%d}",
        "times": _times(entry, view),
        "where": entry.where or words["setting"],
        "setting": words["setting"] if entry.where and entry.setting != "unknown" else "",
        "more": " · ".join(part for part in (entry.activity, companions) if part),
        "certainty": words["certainty"],
        "source": " · ".join(filter(None, (words["source"], how))),
    }


def _times(entry: EntryView, view: InvestigationView) -> str:
    since = entry.since.astimezone(view.tz)
    until = entry.until.astimezone(view.tz) if entry.until else None
    if entry.precision == "minute":
        if until is None:
            return f"{since:%H:%M}"
        later = f" ({until:%m-%d})" if until.date() != since.date() else ""
        return f"{since:%H:%M}–{until:%H:%M}{later}"
    if entry.precision == "part":
        parts = {0: _("at night"), 6: _("in the morning"), 12: _("in the afternoon"), 18: _("in the evening")}
        return parts.get(since.hour, "")
    last = (until or since) - timedelta(minutes=1)
    return _("to %(day)s") % {"day": f"{last:%m-%d}"} if last.date() > since.date() else _("the whole day")


def _conflicts(view: InvestigationView) -> list[str]:
    entries = {entry.id: entry for entry in view.entries}
    found = []
    for clash in view.conflicts:
        words = {
            "a": entries[clash.first].where,
            "b": entries[clash.second].where,
            "at": _at(clash.since, view),
            "kmh": round(clash.kmh),
        }
        found.append(
            _("In two places at once, %(at)s: %(a)s and %(b)s.") % words
            if clash.kind == ConflictKind.TWO_PLACES
            else _("From %(a)s to %(b)s, %(at)s, would take %(kmh)s km/h.") % words
        )
    return found


def _named(one: NamedContact, view: InvestigationView, *, whole: bool) -> dict[str, Any]:
    """A contact and why she is one. Where and when they met is told while the investigation is open; after
    it the days and the place stay."""
    home = territory.find(one.territory_code)
    name = (one.person.name if whole else mask_name(one.person.name)) if one.person else _("out of sight")
    days = [day.isoformat() for day in dict.fromkeys((one.first, one.last)) if day is not None]
    met = [sentence(e, view.tz) for e in one.encounters] if view.row.status == "open" else []
    minutes = _("%(n)s minutes together") % {"n": one.minutes} if one.minutes else ""
    after = [part for part in (" – ".join(days), one.setting, minutes) if part]
    return {
        "name": name or _("name unknown"),
        "id": f"{one.public_id} · {home.label if home else one.territory_code}",
        "criterion": " · ".join(filter(None, (criterion_labels().get(one.criterion, ""), one.clause))),
        "reason": one.reason or _("Not stated"),
        "met": met or [" · ".join(after) or "–"],
        "by": one.by or "–",
        "at": _at(one.at, view),
    }


def _hypotheses(view: InvestigationView) -> list[dict[str, str]]:
    kinds, standings = dict(reads.HYPOTHESIS_LABELS), dict(reads.STANDING_LABELS)
    return [
        {
            "kind": str(kinds[one.kind]),
            "standing": str(standings[one.standing]),
            "what": " · ".join(part for part in (one.case, one.place_name, one.text) if part),
            "reasons": one.reasons,
        }
        for one in view.hypotheses
    ]
