"""When an exposure counts. Whole local days; pure."""

from __future__ import annotations

from datetime import date, timedelta

from bihuan.cases.rules import Decision, Reason

CLAUSE = "protocols.md 3"


def window(
    *, onset: date | None, first_positive_sample: date | None, isolated: date | None, days_before: int
) -> tuple[date | None, date | None]:
    """First and last day on which a case could infect, inclusive; None = open at that end.

    Starts `days_before` the onset (for a case without symptoms: before the first positive
    sampling), ends with
    isolation (protocols.md section 3).
    """
    start = onset if onset is not None else first_positive_sample
    return (start - timedelta(days=days_before) if start is not None else None), isolated


def in_window(first: date | None, last: date | None, *, opens: date | None, closes: date | None) -> Decision:
    """Does an exposure from `first` to `last` touch the window? Unknown dates count in favor of asking a
    person.
    """
    lo, hi = first or last, last or first
    params = {"first": _day(lo), "last": _day(hi), "opens": _day(opens), "closes": _day(closes)}
    values = ("contact.window_before_days",)
    if lo is None or hi is None:
        text = "No date of exposure is known; an investigator decides."
        return Decision(True, (Reason("exposure_unknown", text, params),), "contact.window", CLAUSE, values)
    if opens is not None and hi < opens:
        text = "The last exposure (%(last)s) lies before the case could infect (%(opens)s)."
        return Decision(False, (Reason("before_window", text, params),), "contact.window", CLAUSE, values)
    if closes is not None and lo > closes:
        text = "The first exposure (%(first)s) lies after the case was isolated (%(closes)s)."
        return Decision(False, (Reason("after_window", text, params),), "contact.window", CLAUSE, values)
    text = "The exposure (%(first)s to %(last)s) falls into the days the case could infect."
    return Decision(True, (Reason("in_window", text, params),), "contact.window", CLAUSE, values)


def later_exposure(known: date | None, new: date | None) -> date | None:
    """The last exposure after a new one is heard of. Observation restarts only if this moved (trap 5)."""
    days = [day for day in (known, new) if day is not None]
    return max(days) if days else None


def _day(day: date | None) -> str:
    return day.isoformat() if day is not None else "?"
