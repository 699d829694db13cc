"""What a track is made of: entries told, corrected, retracted. A wrong entry stays readable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import moment_now, stamp, writing, zone_of
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.text import name_of
from bihuan.tracing.actions.investigate.life import REASON, locked, too_long, wrong
from bihuan.tracing.actions.windows import renew
from bihuan.tracing.errors import InvestigationInvalid
from bihuan.tracing.models import (
    CERTAINTY_LABELS,
    SETTING_LABELS,
    SOURCE_LABELS,
    Investigation,
    Place,
    TrackEntry,
)
from bihuan.tracing.queries.investigations import mark_of
from bihuan.tracing.rules.settings import SettingKind
from bihuan.tracing.rules.track import PARTS, Precision, Span, span_of_day, span_of_part

_CHOICES = {
    "setting": {key for key, _label in SETTING_LABELS},
    "source": {key for key, _label in SOURCE_LABELS},
    "certainty": {key for key, _label in CERTAINTY_LABELS},
}
_LONGEST = {"place_text": 200, "activity": 300, "companions": 300}
#: Entries of one call.
MOST = 2_000
#: Numbers from here on are none of the database's.
MOST_ID = 1 << 63


@dataclass(frozen=True, slots=True)
class EntryInput:
    """A stay or journey as told, in local time of the case.

    `day` with `begin` (and `end`, on `end_day` if that was a later one): known to the minute. With `part`
    (night, morning, afternoon, evening): a part of the day. With neither: the whole day, to `end_day` if
    given. `place` is the number L-… of a registered place; else `place_text` says where (not needed at home).
    """

    day: date
    begin: time | None = None
    end: time | None = None
    end_day: date | None = None
    part: str = ""
    place: str = ""
    place_text: str = ""
    place_territory: str = ""
    setting: str = SettingKind.UNKNOWN.value
    activity: str = ""
    companions: str = ""
    source: str = "interview"
    certainty: str = "confirmed"


def add_entry(
    investigation_id: str, given: EntryInput, *, actor: Actor, now: datetime | None = None
) -> TrackEntry:
    """One entry more. Raises as `add_entries` does."""
    return add_entries(investigation_id, [given], actor=actor, now=now)[0]


def add_entries(
    investigation_id: str, inputs: Sequence[EntryInput], *, actor: Actor, now: datetime | None = None
) -> list[TrackEntry]:
    """Entries told, late or not, all or none; one that stands there word for word (sent twice) is not told
    again. Raises UnknownInvestigation, NotAllowed, InvestigationClosed, and InvestigationInvalid naming row
    and field: a time outside of what is investigated is not needed."""
    at = moment_now(now)
    if len(inputs) > MOST:
        raise wrong("entries", "many", _("At most %(n)s entries at once.") % {"n": MOST})
    with writing(actor):
        found = locked(investigation_id)
        renew(found, now=at)
        tz, places = zone_of(found.territory_code), _places(inputs)
        errors = [e for row, given in enumerate(inputs) for e in _problems(found, given, row, at, tz, places)]
        if errors:
            raise InvestigationInvalid(
                _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
            )
        there = {mark_of(e): e for e in TrackEntry.objects.filter(investigation=found, retracted_at=None)}
        told = [_told(found, _facts(given, tz, places), at=at, actor=actor) for given in inputs]
        fresh = {mark_of(e): e for e in reversed(told) if mark_of(e) not in there}
        there |= {mark_of(e): e for e in TrackEntry.objects.bulk_create(reversed(fresh.values()))}
        return [there[mark_of(e)] for e in told]


def _told(found: Investigation, facts: dict[str, Any], *, at: datetime, actor: Actor) -> TrackEntry:
    return TrackEntry(
        investigation=found,
        territory_code=found.territory_code,
        recorded_at=at,
        **facts,
        **stamp(actor),
    )


def change_entry(
    investigation_id: str,
    entry_id: int,
    given: EntryInput,
    *,
    actor: Actor,
    read: str = "",
    now: datetime | None = None,
) -> TrackEntry:
    """An entry told better. What it said before stays in its history.

    `read` is the mark of the entry as it was read; where somebody has changed it since, nothing is written
    over, and InvestigationInvalid says so (rule `changed`, `mark` in its details).
    """
    at = moment_now(now)
    with writing(actor):
        found = locked(investigation_id)
        renew(found, now=at)
        entry = _entry(found, entry_id)
        if read and read != mark_of(entry):
            text = _("Somebody else changed this entry while you had it open: nothing of yours is saved yet.")
            hint = _("Look at it beside yours; saved again, yours replaces it.")
            raise wrong("entry", "changed", text, hint, details={"mark": mark_of(entry)})
        tz, places = zone_of(found.territory_code), _places([given])
        errors = _problems(found, given, None, at, tz, places)
        if errors:
            raise InvestigationInvalid(errors[0]["message"], errors=errors)
        for name, told in _facts(given, tz, places).items():
            setattr(entry, name, told)
        entry.save()
        return entry


def judge_entries(
    investigation_id: str,
    entry_ids: Sequence[int],
    *,
    certainty: str,
    actor: Actor,
    now: datetime | None = None,
) -> int:
    """The person said whether she was there: entries become `certainty`. Returns how many changed."""
    if certainty not in _CHOICES["certainty"]:
        raise wrong("certainty", "choice", _("%(value)s is not allowed here.") % {"value": certainty})
    with writing(actor):
        found = locked(investigation_id)
        changed = 0
        for entry_id in dict.fromkeys(entry_ids):
            entry = _entry(found, entry_id)
            if entry.certainty != certainty:
                entry.certainty = certainty
                entry.save(update_fields=["certainty"])
                changed += 1
        return changed


def retract_entries(
    investigation_id: str,
    entry_ids: Sequence[int],
    *,
    reason: str,
    actor: Actor,
    now: datetime | None = None,
) -> int:
    """Entries that are not so (the code was forwarded, another person's record): kept, with the reason, and
    not drafted again. Returns how many were retracted."""
    at = moment_now(now)
    if not reason.strip():
        raise wrong("reason", "required", _("Say why this is not so."))
    too_long("reason", reason, REASON)
    with writing(actor), attributed(actor, reason=reason.strip()):
        found = locked(investigation_id)
        for entry_id in dict.fromkeys(entry_ids):
            entry = _entry(found, entry_id)
            entry.retracted_at, entry.retracted_by_name = at, actor.name
            entry.retracted_reason = reason.strip()
            entry.save(update_fields=["retracted_at", "retracted_by_name", "retracted_reason"])
        return len(set(entry_ids))


def _entry(found: Investigation, entry_id: int) -> TrackEntry:
    rows = TrackEntry.objects.filter(investigation=found, retracted_at=None)
    entry = rows.filter(id=entry_id).first() if 0 < entry_id < MOST_ID else None
    if entry is None:
        raise wrong("entry", "unknown", _("There is no entry %(id)s in this track.") % {"id": entry_id})
    return entry


def _places(inputs: Sequence[EntryInput]) -> dict[str, Place]:
    """Places by number. People go to other counties, and a place is nobody's personal data."""
    wanted = {given.place for given in inputs if given.place}
    if not wanted:
        return {}
    with scope.system():
        return {p.public_id: p for p in Place.objects.filter(public_id__in=wanted)}


def span_of(given: EntryInput, tz: ZoneInfo) -> tuple[Span, Precision, bool]:
    """When, how exactly, and whether the end is known."""
    if given.begin is not None:
        begin = datetime.combine(given.day, given.begin, tzinfo=tz)
        if given.end is None:
            return Span(begin, begin), Precision.MINUTE, False
        return (
            Span(begin, datetime.combine(given.end_day or given.day, given.end, tzinfo=tz)),
            Precision.MINUTE,
            True,
        )
    if given.part:
        return span_of_part(given.day, given.part, tz=tz), Precision.PART, True
    last = span_of_day(given.end_day or given.day, tz=tz)
    return Span(span_of_day(given.day, tz=tz).since, last.until), Precision.DAY, True


def _problems(
    found: Investigation,
    given: EntryInput,
    row: int | None,
    now: datetime,
    tz: ZoneInfo,
    places: dict[str, Place],
) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []

    def say(field: str, rule: str, message: str, hint: str = "") -> None:
        error = {"field": field, "rule": rule, "message": message, "hint": hint}
        errors.append(error if row is None else {"row": row, **error})

    for name, allowed in _CHOICES.items():
        if getattr(given, name) not in allowed:
            say(name, "choice", _("%(value)s is not allowed here.") % {"value": getattr(given, name)})
    for name, most in _LONGEST.items():
        if len(getattr(given, name)) > most:
            say(name, "length", _("At most %(n)s characters.") % {"n": most})
    if given.place and given.place not in places:
        say("place", "unknown", _("There is no place %(id)s.") % {"id": given.place})
    if not given.place and not given.place_text.strip() and given.setting != SettingKind.HOME:
        say("place_text", "required", _("Say where the person was."))
    if given.part and given.part not in PARTS:
        say("part", "choice", _("%(value)s is not allowed here.") % {"value": given.part}, ", ".join(PARTS))
        return errors
    if given.end is not None and given.begin is None:
        say("begin", "required", _("An end needs a beginning."))
        return errors
    span, _precision, known = span_of(given, tz)
    if span.until < span.since:
        hint = _("If it went past midnight, give the day it ended.")
        say("end", "order", _("It ends before it begins."), hint)
    elif span.since > now:
        say("day", "future", _("It lies in the future."))
    elif known and (given.end_day or given.day) > now.astimezone(tz).date():
        say("end_day", "future", _("It lies in the future."))
    elif given.end is not None and span.until > now:
        say("end", "future", _("It lies in the future."), _("If it still lasts, leave the end empty."))
    elif span.until < found.source_from or span.since > (found.window_to or now):
        words = {
            "from": f"{found.source_from.astimezone(tz):%Y-%m-%d}",
            "to": f"{(found.window_to or now).astimezone(tz):%Y-%m-%d}",
        }
        hint = _("Nothing is kept that is not needed. If the onset is wrong, revise the case first.")
        say("day", "outside", _("This investigation asks about %(from)s to %(to)s.") % words, hint)
    return errors


def _facts(given: EntryInput, tz: ZoneInfo, places: dict[str, Place]) -> dict[str, Any]:
    span, precision, known = span_of(given, tz)
    place = places.get(given.place)
    setting = given.setting
    if place is not None and setting == SettingKind.UNKNOWN:
        setting = place.kind
    return {
        "from_at": span.since,
        "to_at": span.until if known else None,
        "precision": precision.value,
        "place": place,
        "place_text": name_of(place.name, place.name_en) if place is not None else given.place_text.strip(),
        "place_territory": place.territory_code if place is not None else given.place_territory,
        "setting": setting,
        "activity": given.activity.strip(),
        "companions": given.companions.strip(),
        "source": given.source,
        "certainty": given.certainty,
    }
