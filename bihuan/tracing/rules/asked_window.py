"""From when to when an investigation asks: the days a case may have infected others, and those in which it
may have been infected. Pure; whole local days, told as instants in UTC."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CLAUSE = "protocols.md 3"


@dataclass(frozen=True, slots=True)
class WindowPolicy:
    """The values in force: days before onset, days before the first positive sampling, whether the last
    negative test opens the window of a case found by frequent testing, longest incubation in days."""

    before_onset_days: int
    before_sample_days: int
    from_last_negative: bool
    incubation_days: int


@dataclass(frozen=True, slots=True)
class Anchors:
    """What the window hangs on. `found` is the local day the case was found; the rest may be unknown.

    `last_negative` is the newest negative sampling before the first positive one (before the day the case was
    found, if no positive one is known); `isolated` when the case was isolated (the end of that day if only
    the day is known).
    """

    found: date
    onset: date | None = None
    first_positive_sample: date | None = None
    last_negative: datetime | None = None
    isolated: datetime | None = None


@dataclass(frozen=True, slots=True)
class AskedWindow:
    """`source_from` ≤ `window_from` ≤ `window_to` (UTC; `window_to` None = not isolated yet: until now).

    `reason` is the word for what opened it: onset, sample, last_negative or found.
    """

    source_from: datetime
    window_from: datetime
    window_to: datetime | None
    reason: str


def asked_window(anchors: Anchors, policy: WindowPolicy, *, tz: ZoneInfo) -> AskedWindow:
    """The window of a case under the policy in force (protocols.md section 3).

    From so many days before onset; without symptoms before the first positive sampling; where the pack says
    so from the last negative test of whoever was found by frequent testing, if that is later; a negative from
    the day of onset on says nothing. It ends with isolation. Sources are looked for from the longest
    incubation before the first of these days on.
    """
    onset = anchors.onset
    first = onset or anchors.first_positive_sample or anchors.found
    before = policy.before_onset_days if onset is not None else policy.before_sample_days
    reason = "onset" if onset is not None else "sample" if anchors.first_positive_sample else "found"
    since = _midnight(first - timedelta(days=before), tz)
    negative = anchors.last_negative
    if negative is not None and onset is not None and negative >= _midnight(onset, tz):
        negative = None
    if policy.from_last_negative and negative is not None and since < negative:
        since, reason = negative, "last_negative"
    until = anchors.isolated
    if until is not None and until <= since:
        until = _midnight(until.astimezone(tz).date() + timedelta(days=1), tz)
        since = min(since, until - timedelta(days=1))
    source = _midnight(first - timedelta(days=policy.incubation_days), tz)
    return AskedWindow(
        min(source, since).astimezone(UTC),
        since.astimezone(UTC),
        until.astimezone(UTC) if until is not None else None,
        reason,
    )


def local_days(since: datetime, until: datetime, *, tz: ZoneInfo) -> list[date]:
    """Local days touched by [since, until): none twice, in order; at least the day of `since`."""
    first = since.astimezone(tz).date()
    last = max(first, (until - timedelta(microseconds=1)).astimezone(tz).date())
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def day_bounds(day: date, *, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """A local day as instants [0:00, 24:00) in UTC. Where clocks are turned it has 23 or 25 hours."""
    return _midnight(day, tz).astimezone(UTC), _midnight(day + timedelta(days=1), tz).astimezone(UTC)


def clipped(
    since: datetime, until: datetime, *, lo: datetime, hi: datetime
) -> tuple[datetime, datetime] | None:
    """[since, until] cut to [lo, hi]; None when nothing is left."""
    begin, end = max(since, lo), min(until, hi)
    return (begin, end) if begin <= end else None


def first_of(days: Iterable[date | None]) -> date | None:
    known = [day for day in days if day is not None]
    return min(known) if known else None


def _midnight(day: date, tz: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, tzinfo=tz)
