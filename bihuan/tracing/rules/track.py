"""A track day by day: what is told of each local day, what is missing, and what cannot both be true. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import combinations
from math import asin, cos, radians, sin, sqrt
from zoneinfo import ZoneInfo

from bihuan.tracing.rules.asked_window import day_bounds, local_days

#: No journey is faster than this: somewhat above the cruising speed of an airliner (about 900 km/h).
FASTEST_KMH = 1000.0
#: Distances below this say nothing: one coordinate stands for a whole market or station.
NEAR_KM = 2.0
_EARTH_KM = 6371.0088  # mean radius, IUGG


class Certainty(StrEnum):
    CONFIRMED = "confirmed"
    LIKELY = "likely"
    UNCONFIRMED = "unconfirmed"


class Precision(StrEnum):
    """How exactly the time of an entry is known. A part of a day is one of PARTS."""

    MINUTE = "minute"
    PART = "part"
    DAY = "day"


#: Parts of a day in local hours: from, to.
PARTS = {"night": (0, 6), "morning": (6, 12), "afternoon": (12, 18), "evening": (18, 24)}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time [since, until), UTC."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


@dataclass(frozen=True, slots=True)
class Stay:
    """One entry of a track as the rules see it. `key` names it. `until` None = only the entry is known.

    `place` is any word that is the same for the same place ("" = not known); `at` its latitude and longitude
    in degrees, if known.
    """

    key: int
    since: datetime
    until: datetime | None
    precision: Precision = Precision.MINUTE
    certainty: Certainty = Certainty.CONFIRMED
    place: str = ""
    at: tuple[float, float] | None = None

    @property
    def span(self) -> Span:
        return Span(self.since, max(self.until or self.since, self.since))


@dataclass(frozen=True, slots=True)
class DayTrack:
    """A local day of the track: its hours within the window, what of them is told, and what is missing.

    `is_told` = something confirmed or likely is known of it. `stays` are the keys of the entries that touch
    it."""

    day: date
    since: datetime
    until: datetime
    told: tuple[Span, ...]
    gaps: tuple[Span, ...]
    is_told: bool
    stays: tuple[int, ...]


class ConflictKind(StrEnum):
    TWO_PLACES = "two_places"
    TOO_FAST = "too_fast"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two entries that cannot both be true as they stand. `kmh` is the speed needed, for TOO_FAST."""

    kind: ConflictKind
    first: int
    second: int
    since: datetime
    until: datetime
    kmh: float = 0.0


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that neither touch nor overlap, in order. Empty spans are left out."""
    found: list[Span] = []
    for span in sorted((s for s in spans if s.until > s.since), key=lambda s: s.since):
        if found and span.since <= found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(span)
    return found


def complement(spans: Iterable[Span], *, within: Span) -> list[Span]:
    """What of `within` no span covers, in order."""
    found, at = [], within.since
    for span in union(spans):
        if span.until <= at or span.since >= within.until:
            continue
        if span.since > at:
            found.append(Span(at, span.since))
        at = max(at, span.until)
    if at < within.until:
        found.append(Span(at, within.until))
    return found


def days_of(
    stays: Sequence[Stay], *, since: datetime, until: datetime, tz: ZoneInfo, gap: timedelta
) -> list[DayTrack]:
    """The track over [since, until), one local day after the other. Gaps shorter than `gap` are not shown.

    Entries not confirmed cover nothing, as nobody has said yet that they are true. A gap that crosses
    midnight is judged as the one gap it is, and shown in both days.
    """
    solid = [stay for stay in stays if stay.certainty != Certainty.UNCONFIRMED]
    whole = Span(since, max(since, until))
    told = union(stay.span for stay in solid)
    missing = [span for span in complement(told, within=whole) if span.length >= gap]
    return [
        _day(day, whole, stays, solid, told, missing, tz)
        for day in local_days(whole.since, whole.until, tz=tz)
    ]


def _day(
    day: date,
    whole: Span,
    stays: Sequence[Stay],
    solid: Sequence[Stay],
    told: Sequence[Span],
    missing: Sequence[Span],
    tz: ZoneInfo,
) -> DayTrack:
    midnight, end = day_bounds(day, tz=tz)
    hours = Span(max(midnight, whole.since), min(end, whole.until))
    return DayTrack(
        day=day,
        since=hours.since,
        until=hours.until,
        told=tuple(_cut(told, hours)),
        gaps=tuple(_cut(missing, hours)),
        is_told=any(touches(stay, midnight, end) for stay in solid),
        stays=tuple(stay.key for stay in stays if touches(stay, midnight, end)),
    )


def touches(stay: Stay, since: datetime, until: datetime) -> bool:
    """Whether an entry lies in [since, until) with any part of it; one of no length by its moment."""
    span = stay.span
    return span.since < until and (span.until > since or span.since >= since)


def _cut(spans: Iterable[Span], hours: Span) -> list[Span]:
    cut = [Span(max(s.since, hours.since), min(s.until, hours.until)) for s in spans]
    return [span for span in cut if span.until > span.since]


def untold(days: Iterable[DayTrack]) -> list[date]:
    """Days of which nothing confirmed or likely is known."""
    return [day.day for day in days if not day.is_told]


def conflicts(stays: Sequence[Stay]) -> list[Conflict]:
    """Pairs of entries, known to the minute, that put one person in two places at once, or in places so far
    apart that nobody travels so fast. In order of time."""
    exact = sorted(
        (s for s in stays if s.precision == Precision.MINUTE and s.place), key=lambda s: (s.since, s.key)
    )
    found = [c for a, b in combinations(exact, 2) if (c := _conflict(a, b)) is not None]
    return sorted(found, key=lambda c: (c.since, c.first, c.second))


def _conflict(a: Stay, b: Stay) -> Conflict | None:
    if a.place == b.place:
        return None
    begin, end = max(a.since, b.since), min(a.span.until, b.span.until)
    if begin < end or _inside(a, b) or _inside(b, a):
        return Conflict(ConflictKind.TWO_PLACES, a.key, b.key, begin, end)
    if a.at is None or b.at is None:
        return None
    far = distance_km(a.at, b.at)
    if far < NEAR_KM:
        return None
    hours = max((begin - end) / timedelta(hours=1), 1 / 60)  # times are known to the minute
    if far / hours > FASTEST_KMH:
        return Conflict(ConflictKind.TOO_FAST, a.key, b.key, end, begin, far / hours)
    return None


def _inside(moment: Stay, stay: Stay) -> bool:
    """An entry without a known end, in the midst of a stay elsewhere."""
    span = stay.span
    return moment.span.length == timedelta(0) and span.since < moment.since < span.until


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two points in degrees (haversine)."""
    (lat1, lon1), (lat2, lon2) = ((radians(x), radians(y)) for x, y in (a, b))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))


def span_of_day(day: date, *, tz: ZoneInfo) -> Span:
    """A whole local day."""
    return Span(*day_bounds(day, tz=tz))


def span_of_part(day: date, part: str, *, tz: ZoneInfo) -> Span:
    """A part of a local day (a key of PARTS)."""
    since, until = PARTS[part]
    begin = datetime.combine(day, time(since), tzinfo=tz)
    end = day_bounds(day, tz=tz)[1] if until == 24 else datetime.combine(day, time(until), tzinfo=tz)
    return Span(begin.astimezone(UTC), end.astimezone(UTC))
