"""What every question about duties shares: the fence of the scope, a moment, and how a duty stands at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bihuan.registry import clock, scope

NOBODY = ("", "")
STATES = ("open", "done", "waived", "superseded")


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment asked about. `is_now`: rows as they stand; else as they truly stood then."""

    at: datetime
    is_now: bool


def moment(as_of: datetime | None) -> Moment:
    now = clock.now()
    return Moment(now, True) if as_of is None else Moment(as_of, as_of >= now)


def fence(territory_code: str = "") -> tuple[str, str]:
    """The interval of codes at or below a territory that the scope lets be read; empty when nobody acts."""
    bounds = scope.bounds()
    if bounds is None:
        return NOBODY
    lo, hi = max(bounds[0], territory_code), min(bounds[1], territory_code + scope.LAST)
    return (lo, hi) if lo < hi else NOBODY


OPEN_THEN = "(opened_at <= %(at)s AND (ended_at IS NULL OR ended_at > %(at)s) AND reason <> 'late_fact')"
LATE_END = "CASE WHEN ended_day_only THEN ended_at >= due_at ELSE ended_at > due_at END"


def is_open_sql(asked: Moment) -> str:
    """The condition that a duty is open at the moment (parameter `at`). A duty that no longer follows from
    the
    log (late_fact) never was."""
    return "state = 0" if asked.is_now else OPEN_THEN


def status_of(row: dict[str, Any], asked: Moment) -> str:
    """open, due_soon, late, done, done_late, waived or superseded, at the moment."""
    open_then = row["state"] == 0 or (
        not asked.is_now and row["ended_at"] is not None and row["ended_at"] > asked.at
    )
    if open_then:
        if row["due_at"] < asked.at:
            return "late"
        return "due_soon" if row["warn_at"] <= asked.at else "open"
    if row["state"] == 1:
        late = row["ended_at"] >= row["due_at"] if row["ended_day_only"] else row["ended_at"] > row["due_at"]
        return "done_late" if late else "done"
    return STATES[row["state"]]
