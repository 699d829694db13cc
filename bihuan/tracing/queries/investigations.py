"""Reads of investigations: the list with its clocks, one with its track day by day. Always within the
scope."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case as Choice
from django.db.models import Count, F, Q, When
from django.db.models.functions import Coalesce

from bihuan.cases.models import Case
from bihuan.policy.values import value
from bihuan.registry import clock, scope
from bihuan.registry.territory import tz_of
from bihuan.registry.text import name_of
from bihuan.tracing.errors import UnknownInvestigation
from bihuan.tracing.models import (
    CERTAINTY_LABELS,
    HYPOTHESIS_LABELS,
    LOOK_LABELS,
    SETTING_LABELS,
    SOURCE_LABELS,
    STANDING_LABELS,
    Investigation,
    Place,
    SourceHypothesis,
    TrackEntry,
    VisitLook,
)
from bihuan.tracing.queries.named import count_for
from bihuan.tracing.rules.recorded import is_of_carrier
from bihuan.tracing.rules.track import (
    Certainty,
    Conflict,
    DayTrack,
    Precision,
    Stay,
    conflicts,
    days_of,
    untold,
)

GAP_KEY = "investigation.gap_hours"
WARN_KEY = "clocks.warn_hours"

__all__ = [
    "CERTAINTY_LABELS",
    "HYPOTHESIS_LABELS",
    "LOOK_LABELS",
    "SETTING_LABELS",
    "SOURCE_LABELS",
    "STANDING_LABELS",
    "EntryView",
    "HypothesisView",
    "InvestigationRow",
    "InvestigationView",
    "count_investigations",
    "find_investigation",
    "investigations_of_case",
    "list_investigations",
    "mark_of",
]


@dataclass(frozen=True, slots=True)
class InvestigationRow:
    """One line of the list. `clock` is open, soon, late (still open), done, done_late, or in_error (opened
    for the wrong case and closed again). Times in UTC."""

    public_id: str
    case: str
    case_number: str
    person_id: int
    classification: str
    territory_code: str
    status: str
    clock: str
    opened_at: datetime
    opened_by: str
    due_at: datetime | None
    closed_at: datetime | None
    entries: int
    unconfirmed: int


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry of a track. `place` is the number of a registered place ("" otherwise). Times in UTC; `visit`
    tells that an entry record stands behind or beside it, `how` it came about (a word of `rules.recorded`;
    None: no record, or not read); `is_record` that the entry says nothing but the record; `mark` is another
    one as soon as the entry says something else."""

    id: int
    since: datetime
    until: datetime | None
    precision: str
    where: str
    place: str
    place_store_id: str
    place_territory: str
    setting: str
    activity: str
    companions: str
    source: str
    certainty: str
    visit: bool
    how: str | None
    by: str
    recorded_at: datetime
    retracted_at: datetime | None
    retracted_by: str
    retracted_reason: str
    mark: str

    @property
    def is_record(self) -> bool:
        return self.source == "visit" or (self.source == "transport" and is_of_carrier(self.how))


@dataclass(frozen=True, slots=True)
class HypothesisView:
    id: int
    kind: str
    standing: str
    case: str
    place: str
    place_name: str
    text: str
    reasons: str
    by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class InvestigationView:
    """An investigation with all that belongs to it. `days` run over the window until `until`; `earlier` are
    days of the source window of which something is told. `gap` in hours."""

    row: InvestigationRow
    investigation: Investigation
    case: Case
    tz: ZoneInfo
    until: datetime
    gap: float
    days: tuple[DayTrack, ...]
    earlier: tuple[DayTrack, ...]
    missing: tuple[date, ...]
    entries: tuple[EntryView, ...]
    retracted: tuple[EntryView, ...]
    conflicts: tuple[Conflict, ...]
    hypotheses: tuple[HypothesisView, ...]
    looks: tuple[VisitLook, ...]
    contacts: int


def list_investigations(
    *, status: str = "", territory: str = "", now: datetime | None = None, limit: int = 500
) -> list[InvestigationRow]:
    """The first `limit`: open ones by deadline, then closed ones newest first. `status`: open, late, closed,
    "" for all."""
    at = now or clock.now()
    rows = _annotated(Investigation.objects.below(territory))
    if status in (Investigation.OPEN, Investigation.CLOSED):
        rows = rows.filter(status=status)
    if status == "late":
        rows = rows.filter(status=Investigation.OPEN, due_at__lt=at)
    is_open = Q(status=Investigation.OPEN)
    ordered = rows.order_by(
        Choice(When(is_open, then=0), default=1),
        Choice(When(is_open, then=F("due_at"))).asc(nulls_last=True),
        Coalesce("closed_at", "opened_at").desc(),
        "-id",
    )
    return [_row(one, at) for one in ordered.select_related("case")[:limit]]


def count_investigations(*, territory: str = "", now: datetime | None = None) -> dict[str, int]:
    """How many are open, late and closed."""
    at = now or clock.now()
    late = Q(status=Investigation.OPEN, due_at__lt=at)
    return Investigation.objects.below(territory).aggregate(
        open=Count("id", filter=Q(status=Investigation.OPEN)),
        late=Count("id", filter=late),
        closed=Count("id", filter=Q(status=Investigation.CLOSED)),
    )


def investigations_of_case(case_ids: Iterable[str], *, now: datetime | None = None) -> list[InvestigationRow]:
    """Investigations of cases by public id, newest first."""
    rows = _annotated(Investigation.objects.filter(case__public_id__in=list(case_ids)))
    return [_row(one, now or clock.now()) for one in rows.select_related("case").order_by("-opened_at")]


def find_investigation(public_id: str, *, now: datetime | None = None) -> InvestigationView:
    """Raises UnknownInvestigation when there is none in the scope."""
    at = now or clock.now()
    rows = _annotated(Investigation.objects.filter(public_id=public_id))
    found = rows.select_related("case").first()
    if found is None:
        raise UnknownInvestigation(public_id)
    tz = clock.zone(tz_of(found.territory_code))
    hours = float(value(GAP_KEY, found.territory_code, found.opened_at).value)
    entries = list(TrackEntry.objects.filter(investigation=found).order_by("from_at", "to_at", "id"))
    standing = [entry for entry in entries if entry.retracted_at is None]
    places = _places(entries)
    stays = [_stay(entry, places) for entry in standing]
    until = max(min(found.window_to or at, at), found.window_from)
    days = days_of(stays, since=found.window_from, until=until, tz=tz, gap=timedelta(hours=hours))
    before = days_of(
        stays, since=found.source_from, until=found.window_from, tz=tz, gap=timedelta(hours=hours)
    )
    return InvestigationView(
        row=_row(found, at),
        investigation=found,
        case=found.case,
        tz=tz,
        until=until,
        gap=hours,
        days=tuple(days),
        earlier=tuple(day for day in before if day.stays and day.day < days[0].day),
        missing=tuple(untold(days)),
        entries=tuple(_entry(entry, places) for entry in standing),
        retracted=tuple(_entry(entry, places) for entry in entries if entry.retracted_at is not None),
        conflicts=tuple(conflicts(stays)),
        hypotheses=_hypotheses(found),
        looks=tuple(VisitLook.objects.filter(investigation=found).order_by("-at", "-id")),
        contacts=count_for([found.case_id]),
    )


def _annotated(rows: Any) -> Any:
    standing = Q(entries__retracted_at=None)
    return rows.annotate(
        n_entries=Count("entries", filter=standing),
        n_unconfirmed=Count("entries", filter=standing & Q(entries__certainty="unconfirmed")),
    )


def _row(one: Investigation, at: datetime) -> InvestigationRow:
    return InvestigationRow(
        public_id=one.public_id,
        case=one.case.public_id,
        case_number=one.case.local_id or one.case.public_id,
        person_id=one.case.person_id,
        classification=one.case.classification,
        territory_code=one.territory_code,
        status=one.status,
        clock=_clock(one, at),
        opened_at=one.opened_at,
        opened_by=one.opened_by_name,
        due_at=one.due_at,
        closed_at=one.closed_at,
        entries=one.n_entries,  # type: ignore[attr-defined]
        unconfirmed=one.n_unconfirmed,  # type: ignore[attr-defined]
    )


def _clock(one: Investigation, at: datetime) -> str:
    if one.in_error:
        return "in_error"
    if one.status == Investigation.CLOSED:
        late = one.due_at is not None and one.closed_at is not None and one.closed_at > one.due_at
        return "done_late" if late else "done"
    if one.due_at is None:
        return "open"
    if one.due_at < at:
        return "late"
    warn = timedelta(hours=float(value(WARN_KEY, one.territory_code, one.opened_at).value))
    return "soon" if one.due_at - warn <= at else "open"


def _places(entries: Sequence[TrackEntry]) -> dict[int, Place]:
    """Places of a track: people go to other counties, and a place is nobody's personal data."""
    wanted = {entry.place_id for entry in entries if entry.place_id}
    with scope.system():
        return {place.pk: place for place in Place.objects.filter(id__in=wanted)}


def _stay(entry: TrackEntry, places: dict[int, Place]) -> Stay:
    place = places.get(entry.place_id or 0)
    name = place.name if place is not None else entry.place_text
    word = " ".join(name.split()).casefold() or str((entry.visit or {}).get("place", ""))
    at = None
    if place is not None and place.latitude is not None and place.longitude is not None:
        at = (place.latitude, place.longitude)
    return Stay(
        entry.pk, entry.from_at, entry.to_at, Precision(entry.precision), Certainty(entry.certainty), word, at
    )


def _entry(entry: TrackEntry, places: dict[int, Place]) -> EntryView:
    place = places.get(entry.place_id or 0)
    recorded = str((entry.visit or {}).get("place", ""))
    return EntryView(
        id=entry.pk,
        since=entry.from_at,
        until=entry.to_at,
        precision=entry.precision,
        where=name_of(place.name, place.name_en) if place is not None else entry.place_text,
        place=place.public_id if place is not None else "",
        place_store_id=place.store_id if place is not None else recorded,
        place_territory=entry.place_territory,
        setting=entry.setting,
        activity=entry.activity,
        companions=entry.companions,
        source=entry.source,
        certainty=entry.certainty,
        visit=entry.visit is not None,
        how=(entry.visit or {}).get("how"),
        by=entry.by_name,
        recorded_at=entry.recorded_at,
        retracted_at=entry.retracted_at,
        retracted_by=entry.retracted_by_name,
        retracted_reason=entry.retracted_reason,
        mark=mark_of(entry),
    )


def mark_of(entry: TrackEntry) -> str:
    """What an entry says, as a short sign: whoever changes it shows which one she read."""
    said = (
        entry.from_at.timestamp(), entry.to_at and entry.to_at.timestamp(), entry.precision, entry.place_id,
        entry.place_text, entry.setting, entry.activity, entry.companions, entry.source, entry.certainty,
    )  # fmt: skip
    return blake2b(repr(said).encode(), digest_size=8).hexdigest()


def _hypotheses(found: Investigation) -> tuple[HypothesisView, ...]:
    rows = list(SourceHypothesis.objects.filter(investigation=found).order_by("id"))
    with scope.system():  # a source may live elsewhere: its number is enough to name it
        cases = dict(Case.objects.filter(id__in=[r.case_id for r in rows]).values_list("id", "public_id"))
        places = {p.pk: p for p in Place.objects.filter(id__in=[r.place_id for r in rows])}
    order = {key: n for n, (key, _label) in enumerate(STANDING_LABELS)}
    made = [_hypothesis(row, cases, places.get(row.place_id or 0)) for row in rows]
    return tuple(sorted(made, key=lambda one: (order[one.standing], one.id)))


def _hypothesis(row: SourceHypothesis, cases: dict[int, str], place: Place | None) -> HypothesisView:
    return HypothesisView(
        id=row.pk,
        kind=row.kind,
        standing=row.standing,
        case=cases.get(row.case_id or 0, ""),
        place=place.public_id if place is not None else "",
        place_name=name_of(place.name, place.name_en) if place is not None else "",
        text=row.text,
        reasons=row.reasons,
        by=row.by_name,
        recorded_at=row.recorded_at,
    )
