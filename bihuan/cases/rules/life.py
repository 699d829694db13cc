"""The life of a case as events for the loop engine: facts in, events out. Pure.

The engine wants to know when the case was first suspected, when confirmed, when reported, tested, isolated,
admitted and how it ended. Onset is not an event: nobody knew then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bihuan.cases.rules.moments import Moment
from bihuan.cases.rules.words import CONFIRMED_LIKE, Outcome

# The moment a case became known: the first of these that is recorded, by kind of knowledge.
KNOWN_AS_CONFIRMED = ("confirmation", "result", "diagnosis", "report", "admission", "visit", "outcome")
KNOWN_AS_SUSPECTED = ("diagnosis", "report", "visit", "sample", "result", "admission", "isolation", "outcome")
# Facts that show the case was known to be one, whatever it was then called.
SHOWS_KNOWN = ("diagnosis", "report", "confirmation")


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What rules see of a case. `moments` maps a name of `words.DATED` to its Moment; absent = unknown."""

    classification: str
    recorded_at: datetime
    moments: Mapping[str, Moment] = field(default_factory=dict)
    outcome: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class LifeEvent:
    """One event: kind, instant, precision, and evidence. `slug` is stable within the case."""

    kind: str
    at: datetime
    precision: str = "minute"
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        return self.kind


def _first(facts: CaseFacts, names: tuple[str, ...]) -> Moment:
    for name in names:
        if name in facts.moments:
            return facts.moments[name]
    return Moment(facts.recorded_at.date(), facts.recorded_at)


def opening(facts: CaseFacts, tz: ZoneInfo) -> list[LifeEvent]:
    """The event or two that open the loop: suspected, confirmed, or the one and later the other."""
    if facts.classification not in CONFIRMED_LIKE:
        seen = _earliest(facts, _first(facts, KNOWN_AS_SUSPECTED), tz)
        return [_event("case.suspected", seen, tz, {"classification": facts.classification})]
    sure = _first(facts, KNOWN_AS_CONFIRMED)
    seen = _earliest(facts, sure, tz)
    confirmed = _event("case.confirmed", sure, tz, {"classification": facts.classification})
    if seen.day < sure.day or (seen.at is not None and sure.at is not None and seen.at < sure.at):
        return [_event("case.suspected", seen, tz, {"classification": "suspected"}), confirmed]
    return [_event("case.confirmed", seen, tz, {"classification": facts.classification})]


def _earliest(facts: CaseFacts, known: Moment, tz: ZoneInfo) -> Moment:
    shown = [facts.moments[name] for name in SHOWS_KNOWN if name in facts.moments]
    return min([known, *shown], key=lambda m: (m.instant(tz), m.precision))


def life(facts: CaseFacts, tz: ZoneInfo) -> list[LifeEvent]:
    """All events the facts imply, in order of time. A fact older than the opening stands at the opening.

    Somebody admitted on Monday and diagnosed on Tuesday was admitted when the loop opened; the
    true date stays
    in the case and in the event's data as `since`.
    """
    events = opening(facts, tz)
    if facts.classification == "discarded":
        end = facts.moments.get("outcome") or facts.moments.get("result")
        ended = end if end else Moment(facts.recorded_at.date(), facts.recorded_at)
        events.append(_not_before(events[0], _event("case.discarded", ended, tz), tz))
        # everything else of a discarded case still happened
    for name, kind in (
        ("report", "case.reported"),
        ("isolation", "case.isolated"),
        ("admission", "case.admitted"),
    ):
        if name in facts.moments:
            events.append(_not_before(events[0], _event(kind, facts.moments[name], tz), tz))
    if "result" in facts.moments and facts.result:
        tested = _event("case.tested", facts.moments["result"], tz, {"result": facts.result})
        events.append(_not_before(events[0], tested, tz))
    if facts.outcome in (Outcome.RECOVERED, Outcome.DIED) and facts.classification != "discarded":
        kind = "case.died" if facts.outcome == Outcome.DIED else "case.discharged"
        when = facts.moments.get("outcome")
        if when is not None:
            word = kind.partition(".")[2]
            events.append(_not_before(events[0], _event(kind, when, tz, {"outcome": word}), tz))
    first = events[0]
    return sorted(events, key=lambda e: (e.at, e is not first, ORDER.index(e.kind)))


# Of events at one instant the opening comes first, and what opens a duty before what ends it.
ORDER = (
    "case.suspected",
    "case.tested",
    "case.confirmed",
    "case.reported",
    "case.isolated",
    "case.transferred",
    "case.admitted",
    "case.discharged",
    "case.died",
    "case.discarded",
)


def _event(kind: str, when: Moment, tz: ZoneInfo, data: Mapping[str, Any] | None = None) -> LifeEvent:
    return LifeEvent(kind, when.instant(tz), when.precision, dict(data or {}))


def _not_before(opened: LifeEvent, event: LifeEvent, tz: ZoneInfo) -> LifeEvent:
    if event.at >= opened.at:
        return event
    same_day = event.at.astimezone(tz).date() == opened.at.astimezone(tz).date()
    precision = "day" if same_day and event.precision == "day" else opened.precision
    return LifeEvent(event.kind, opened.at, precision, {**event.data, "since": event.at.isoformat()})
