"""Figures, each recomputed from the records: gaps, clearance, intervals, rates, curve, ledger."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Literal

from django.utils.translation import gettext as _
from ninja import Query, Router, Schema

from bihuan.care.queries import Gap, GapRow, all_gaps, gap_list
from bihuan.cases import queries
from bihuan.cases.queries import IntervalRow
from bihuan.doors.api import paging, persons
from bihuan.doors.api.operation import Call, operation
from bihuan.doors.api.persons import HEALTH, OPERATIONAL, PersonRef
from bihuan.doors.api.reading import AsOf, Day
from bihuan.doors.api.shapes import place
from bihuan.epi.delays import DelaySummary
from bihuan.loops.queries.sight import require_whole
from bihuan.registry import clock
from bihuan.registry.errors import Invalid
from bihuan.registry.territory import tz_of

router = Router()
LONGEST_CURVE = timedelta(days=1100)
"""Days of one curve: our own rule, about three years."""

GapKey = Literal["isolate", "admit", "test", "treat"]
By = Literal["onset", "report", "confirmation"]


class GapOut(Schema):
    """Who should be minus who is. `oldest_seconds`: how long the longest has been missing."""

    key: str
    as_of: datetime
    should: int
    done: int
    missing: int
    oldest_seconds: int | None


class Gaps(Schema):
    items: list[GapOut]


class MissingOut(Schema):
    """One person missing from where she should be."""

    subject_kind: str
    subject_id: str
    person: PersonRef | None
    territory_code: str
    reason: str
    since: datetime


class GapPage(Schema):
    gap: GapOut
    items: list[MissingOut]
    next: str | None


class UnclearedOut(Schema):
    case: str
    person: PersonRef | None
    territory_code: str
    waits_for: str
    since: datetime


class ClearanceOut(Schema):
    """Of the cases the day must clear: how many, how many are; `rate` null when none is due."""

    day: date
    as_of: datetime
    closes_at: datetime
    due: int
    cleared: int
    rate: float | None
    waiting: dict[str, int]
    remaining: list[UnclearedOut]


class SummaryOut(Schema):
    """Days: `n` known, `missing` unknown, `negative` of the known below zero."""

    n: int
    missing: int
    missing_share: float | None
    negative: int
    median: float | None
    p90: float | None
    mean: float | None


class IntervalOut(Schema):
    key: str
    start: str
    end: str
    all: SummaryOut
    by_county: dict[str, SummaryOut]


class Intervals(Schema):
    items: list[IntervalOut]


class RateOut(Schema):
    """`n` of `of`; `share` null when the denominator is unknown or zero."""

    key: str
    n: int
    of: int | None
    share: float | None
    numerator: str
    denominator: str


class Rates(Schema):
    items: list[RateOut]


class CurveOut(Schema):
    """Cases a day. `missing` had no such date; `outside` the days asked for."""

    by: str
    days: list[date]
    counts: list[int]
    missing: int
    outside: int


class LedgerOut(Schema):
    """Stock and flow: opening + new - converted - released = closing."""

    category: str
    opening: int
    new: int
    converted: int
    released: int
    closing: int


class Ledger(Schema):
    day: date
    items: list[LedgerOut]


@operation(router, "GET", "/figures/gaps", right="board.view", response=Gaps)
def list_gaps(call: Call, territory: str = Query("", max_length=40), as_of: AsOf | None = None) -> Gaps:
    """The four gap lists, counted"""
    found = all_gaps(place(call, territory, "board.view"), as_of=as_of)
    return Gaps(items=[_gap(gap) for gap in found.values()])


@operation(router, "GET", "/figures/gaps/{key}", right="case.view", response=GapPage, personal=True)
def get_gap(
    call: Call,
    key: GapKey,
    territory: str = Query("", max_length=40),
    as_of: AsOf | None = None,
    cursor: str = Query("", max_length=1000),
    limit: int = Query(paging.LIMIT_DEFAULT, ge=1, le=paging.LIMIT_MOST),
) -> GapPage:
    """One gap list: who is missing, the longest first"""
    require_whole("case.view")
    found = gap_list(key, place(call, territory, "case.view"), as_of=as_of)
    start = paging.decode_number(f"gap-{key}", cursor) or 0
    rows = found.rows[start : start + limit]
    known = persons.refs(row.person_id for row in rows)
    persons.note(call, [row.person_id for row in rows], [OPERATIONAL, HEALTH])
    more = start + limit < len(found.rows)
    return GapPage(
        gap=_gap(found),
        items=[_missing(row, known) for row in rows],
        next=paging.encode(f"gap-{key}", start + limit) if more else None,
    )


@operation(router, "GET", "/figures/clearance", right="case.view", response=ClearanceOut, personal=True)
def get_clearance(
    call: Call,
    territory: str = Query("", max_length=40),
    day: Day | None = None,
    as_of: AsOf | None = None,
) -> ClearanceOut:
    """Same-day clearance: whom a day must still clear, and what each waits for"""
    require_whole("case.view")
    found = queries.clearance(place(call, territory, "case.view"), as_of=as_of, day=day)
    rows = found.remaining[: paging.LIMIT_MOST]
    known = persons.refs(row.person_id for row in rows)
    persons.note(call, [row.person_id for row in rows], [OPERATIONAL, HEALTH])
    return ClearanceOut(
        day=found.day,
        as_of=found.as_of,
        closes_at=found.closes_at,
        due=found.due,
        cleared=found.cleared,
        rate=found.rate,
        waiting=found.waiting(),
        remaining=[
            UnclearedOut(
                case=row.public_id,
                person=known.get(row.person_id),
                territory_code=row.territory_code,
                waits_for=row.waits_for.value,
                since=row.since,
            )
            for row in rows
        ],
    )


@operation(router, "GET", "/figures/intervals", right="case.view", response=Intervals)
def list_intervals(
    call: Call,
    territory: str = Query("", max_length=40),
    on: Day | None = None,
    chain: bool = False,
    disease: str = Query("", max_length=40),
) -> Intervals:
    """The five intervals from onset, or (chain) each from the step before: median, p90, missing share"""
    require_whole("case.view")
    ask = queries.chain_intervals if chain else queries.five_intervals
    rows = ask(place(call, territory, "case.view"), on=on, disease=disease)
    return Intervals(items=[_interval(row) for row in rows])


@operation(router, "GET", "/figures/rates", right="case.view", response=Rates)
def list_rates(
    call: Call,
    territory: str = Query("", max_length=40),
    on: Day | None = None,
    population: int | None = Query(None, ge=1, le=2_000_000_000),
) -> Rates:
    """Admission, cure, infection and fatality rate, with their denominators"""
    require_whole("case.view")
    rows = queries.headline_rates(place(call, territory, "case.view"), on=on, population=population)
    return Rates(
        items=[
            RateOut(
                key=r.key, n=r.n, of=r.of, share=r.share, numerator=r.numerator, denominator=r.denominator
            )
            for r in rows
        ]
    )


@operation(router, "GET", "/figures/curve", right="case.view", response=CurveOut)
def get_curve(
    call: Call,
    by: By = "onset",
    territory: str = Query("", max_length=40),
    first: Day | None = None,
    last: Day | None = None,
) -> CurveOut:
    """Cases a day by onset, report or confirmation"""
    require_whole("case.view")
    if first is not None and last is not None and not timedelta(0) <= last - first <= LONGEST_CURVE:
        message = _("A curve runs from the first day to a later last one, at most %(n)s days.")
        text = message % {"n": LONGEST_CURVE.days}
        raise Invalid(text, errors=[{"field": "last", "rule": "range", "message": text}])
    curve = queries.case_curve(by, place(call, territory, "case.view"), first=first, last=last)
    return CurveOut(
        by=by, days=list(curve.days), counts=list(curve.counts), missing=curve.missing, outside=curve.outside
    )


@operation(router, "GET", "/figures/ledger", right="case.view", response=Ledger)
def get_ledger(call: Call, territory: str = Query("", max_length=40), day: Day | None = None) -> Ledger:
    """Stock and flow of a day, by category"""
    require_whole("case.view")
    code = place(call, territory, "case.view")
    wanted = day or clock.today(tz_of(code))
    return Ledger(
        day=wanted,
        items=[
            LedgerOut(
                category=r.category,
                opening=r.opening,
                new=r.new,
                converted=r.converted,
                released=r.released,
                closing=r.closing,
            )
            for r in queries.ledger(code, wanted)
        ],
    )


def _gap(gap: Gap) -> GapOut:
    oldest = gap.oldest
    return GapOut(
        key=gap.key,
        as_of=gap.as_of,
        should=gap.should,
        done=gap.done,
        missing=gap.missing,
        oldest_seconds=None if oldest is None else int(oldest.total_seconds()),
    )


def _missing(row: GapRow, known: Mapping[int, PersonRef]) -> MissingOut:
    return MissingOut(
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        person=known.get(row.person_id),
        territory_code=row.territory_code,
        reason=row.reason,
        since=row.since,
    )


def _summary(s: DelaySummary) -> SummaryOut:
    return SummaryOut(
        n=s.n,
        missing=s.missing,
        missing_share=s.missing_share,
        negative=s.negative,
        median=s.median,
        p90=s.p90,
        mean=s.mean,
    )


def _interval(row: IntervalRow) -> IntervalOut:
    return IntervalOut(
        key=row.key,
        start=row.start,
        end=row.end,
        all=_summary(row.all),
        by_county={code: _summary(s) for code, s in row.by_county.items()},
    )
