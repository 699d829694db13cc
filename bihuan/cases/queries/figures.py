"""Figures about cases, each recomputed from the records: rates, intervals, curves, same-day clearance.

As of a day: a case counts if it was found by then, and a fact of it if its date lies not after that day. What
was learnt later about that day counts; the figures tell what was true, not what was known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet

from bihuan.cases.models import DATE_FIELDS, Case, Step
from bihuan.cases.queries.facts import facts_from
from bihuan.cases.queries.lines import within
from bihuan.cases.rules import (
    CONFIRMED_LIKE,
    SUSPECTED_LIKE,
    Classification,
    ClearanceFacts,
    Moment,
    Outcome,
    Waits,
    due_today,
    life,
    waits_for,
)
from bihuan.epi.curves import Curve, epidemic_curve
from bihuan.epi.delays import CHAIN_STEPS, FIVE_STEPS, Days, DelaySummary, delays, summarize, summarize_by
from bihuan.epi.delays import Step as Interval
from bihuan.registry import clock
from bihuan.registry.territory import tz_of


def _zone(territory: str):  # type: ignore[no-untyped-def]
    return clock.zone(tz_of(territory)) if territory else clock.zone()


def _end(day: date, territory: str) -> datetime:
    """The instant `day` ends at the place."""
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=_zone(territory))


def standing(territory: str, on: date | None) -> QuerySet[Case]:
    """Cases found by the end of `on` (None = all) that are not discarded."""
    rows: QuerySet[Case] = within(Case, territory)
    rows = rows.exclude(classification=Classification.DISCARDED.value)
    return rows if on is None else rows.filter(found_at__lt=_end(on, territory))


# --- intervals (D1-01, D0-10) -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One interval over all cases, and per county."""

    key: str
    start: str
    end: str
    all: DelaySummary
    by_county: Mapping[str, DelaySummary]


def five_intervals(territory: str = "", *, on: date | None = None, disease: str = "") -> list[IntervalRow]:
    """Onset to found, report, diagnosis, isolation, treatment (五早): median, p90 and missing share."""
    return _intervals(FIVE_STEPS, territory, on, disease)


def chain_intervals(territory: str = "", *, on: date | None = None, disease: str = "") -> list[IntervalRow]:
    """Onset, visit, test, result, admission, each from the step before (D0-10)."""
    return _intervals(CHAIN_STEPS, territory, on, disease)


def _intervals(steps: Sequence[Interval], territory: str, on: date | None, disease: str) -> list[IntervalRow]:
    rows = standing(territory, on)
    if disease:
        rows = rows.filter(disease=disease)
    names = [*DATE_FIELDS, "territory_code"]
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for values in rows.values_list(*names).iterator(chunk_size=5000):
        for name, value in zip(names, values, strict=True):
            columns[name].append(value)
    counties = [code[:6] for code in columns["territory_code"]]
    return [_interval(step, columns, counties, on) for step in steps]


def _interval(
    step: Interval, columns: Mapping[str, list[Any]], counties: Sequence[str], on: date | None
) -> IntervalRow:
    days: Days = delays(_known(_best(step.start, columns), on), _known(_best(step.end, columns), on))
    return IntervalRow(step.key, step.start, step.end, summarize(days), summarize_by(counties, days))


def _best(name: str, columns: Mapping[str, list[Any]]) -> list[date | None]:
    """Diagnosis is the first of diagnosis and confirmation where only the latter is recorded."""
    if name != "date_diagnosis":
        return columns[name]
    pairs = zip(columns["date_diagnosis"], columns["date_confirmation"], strict=True)
    return [diagnosis if diagnosis is not None else confirmation for diagnosis, confirmation in pairs]


def _known(days: Sequence[date | None], on: date | None) -> list[date | None]:
    return [day if day is None or on is None or day <= on else None for day in days]


# --- curves -----------------------------------------------------------------------------------------

CURVES = {"onset": "date_onset", "report": "date_report", "confirmation": "date_confirmation"}


def case_curve(
    by: str = "onset", territory: str = "", *, first: date | None = None, last: date | None = None
) -> Curve:
    """Cases a day by onset, report or confirmation date; those without the date are counted apart."""
    if by not in CURVES:
        raise ValueError(f"a curve is drawn by {', '.join(CURVES)}, not by {by!r}")
    days = standing(territory, None).values_list(CURVES[by], flat=True)
    return epidemic_curve(list(days.iterator(chunk_size=5000)), first, last)


# --- headline rates (D0-01) -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rate:
    """`n` of `of`; `share` None when the denominator is unknown or zero. `numerator` and `denominator` are
    names of the record sets, which `records_of` lists."""

    key: str
    n: int
    of: int | None
    numerator: str
    denominator: str

    @property
    def share(self) -> float | None:
        return self.n / self.of if self.of else None


def headline_rates(
    territory: str = "", *, on: date | None = None, population: int | None = None
) -> list[Rate]:
    """Admission, cure, infection and fatality rate, with denominators (收治率·治愈率·感染率·病亡率).

    Admission: admitted of those confirmed. Cure and fatality: of those confirmed. Infection: confirmed of the
    population (None = unknown, and then the rate is unknown, not zero).
    """
    n = {name: rows.count() for name, rows in record_sets(territory, on=on).items()}
    return [
        Rate("admission", n["admitted"], n["confirmed"], "admitted", "confirmed"),
        Rate("cure", n["recovered"], n["confirmed"], "recovered", "confirmed"),
        Rate("infection", n["confirmed"], population, "confirmed", "population"),
        Rate("fatality", n["died"], n["confirmed"], "died", "confirmed"),
    ]


def record_sets(territory: str = "", *, on: date | None = None) -> dict[str, QuerySet[Case]]:
    """The records behind the figures: confirmed, and of them admitted, recovered, died, as of a day."""
    confirmed = standing(territory, on).filter(classification__in=[word.value for word in CONFIRMED_LIKE])
    if on is not None:
        confirmed = confirmed.exclude(date_confirmation__gt=on)
    admitted = confirmed.filter(date_admission__isnull=False)
    recovered = confirmed.filter(outcome=Outcome.RECOVERED.value)
    died = confirmed.filter(outcome=Outcome.DIED.value)
    if on is not None:
        admitted = admitted.filter(date_admission__lte=on)
        recovered, died = recovered.exclude(date_outcome__gt=on), died.exclude(date_outcome__gt=on)
    return {"confirmed": confirmed, "admitted": admitted, "recovered": recovered, "died": died}


# --- same-day clearance (D0-07) ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Uncleared:
    """One case that today must still clear, and what it waits for."""

    case_id: int
    public_id: str
    person_id: int
    territory_code: str
    waits_for: Waits
    since: datetime


@dataclass(frozen=True, slots=True)
class Clearance:
    """Of the cases `day` must clear: how many, how many are, and the remaining list, longest waiting
    first.
    """

    day: date
    as_of: datetime
    closes_at: datetime
    due: int
    cleared: int
    remaining: tuple[Uncleared, ...]

    @property
    def rate(self) -> float | None:
        return self.cleared / self.due if self.due else None

    def waiting(self) -> dict[str, int]:
        """How many wait for what."""
        counts = {word.value: 0 for word in Waits}
        for row in self.remaining:
            counts[row.waits_for.value] += 1
        return counts


def clearance(territory: str = "", *, as_of: datetime | None = None, day: date | None = None) -> Clearance:
    """Same-day clearance at any clock time. With a past `day` and no `as_of`: the verdict at its midnight."""
    tz = _zone(territory)
    wanted = day or (as_of or clock.now()).astimezone(tz).date()
    start = datetime.combine(wanted, time.min, tzinfo=tz)
    closes = start + timedelta(days=1)
    at = as_of or min(clock.now(), closes)
    near = _near(territory, wanted)
    steps = _transfers([case.id for case in near])
    due = cleared = 0
    remaining = []
    for case in near:
        facts = clearance_facts(case, steps.get(case.id), tz)
        if not due_today(facts, start, min(at, closes - timedelta(microseconds=1))):
            continue
        due += 1
        waits = waits_for(facts, at)
        if waits is None:
            cleared += 1
            continue
        since = facts.confirmed_at if facts.confirmed_at and facts.confirmed_at <= at else facts.suspected_at
        remaining.append(
            Uncleared(
                case.id, case.public_id, case.person_id, case.territory_code, waits, since or case.found_at
            )
        )
    remaining.sort(key=lambda row: (row.since, row.case_id))
    return Clearance(wanted, at, closes, due, cleared, tuple(remaining))


def _near(territory: str, day: date) -> list[Case]:
    """Cases that became suspected or confirmed on `day`, and a few more that rules then leave out."""
    start = datetime.combine(day, time.min, tzinfo=_zone(territory))
    rows = within(Case, territory)
    found = rows.filter(found_at__gte=start, found_at__lt=start + timedelta(days=1))
    confirmed = rows.filter(date_confirmation=day)
    decided = rows.filter(date_result=day)
    return list({case.id: case for part in (found, confirmed, decided) for case in part}.values())


def _transfers(ids: Sequence[int]) -> dict[int, datetime]:
    rows = (
        Step.objects.filter(case__in=ids, kind="case.transferred")
        .order_by("-at")
        .values_list("case_id", "at")
    )
    return dict(rows)


def clearance_facts(case: Case, transferred_at: datetime | None, tz: Any) -> ClearanceFacts:
    """The instants of one case that the clearance rule sees. A fact known only to the day counts
    from its start,
    so that a day-precise admission clears the day it happened."""
    kinds = {event.kind: event.at for event in life(facts_from(case), tz)}
    moments = {name: Moment(day) for name, day in (("sample", case.date_sample),) if day is not None}
    sampled = case.sample_at or (moments["sample"].instant(tz) if moments else None)
    ends = [kinds[kind] for kind in ("case.discarded", "case.died", "case.discharged") if kind in kinds]
    return ClearanceFacts(
        suspected_at=kinds.get("case.suspected"),
        confirmed_at=kinds.get("case.confirmed"),
        sampled_at=sampled,
        tested_at=kinds.get("case.tested"),
        transferred_at=transferred_at,
        admitted_at=kinds.get("case.admitted"),
        closed_at=min(ends) if ends else None,
    )


SUSPECTED = tuple(word.value for word in SUSPECTED_LIKE)
CONFIRMED = tuple(word.value for word in CONFIRMED_LIKE)
