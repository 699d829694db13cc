"""Places and their gates as read: facts, how full, how complete. Counts only, never who."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, F, Q, QuerySet
from django.utils.translation import gettext as _

from bihuan.cases.queries.pages import Page, page_size, read_page, read_sort
from bihuan.epi.errors import EpiError
from bihuan.policy.values import value
from bihuan.registry import clock, posts, scope, territory
from bihuan.registry.models import Account
from bihuan.tracing import visits
from bihuan.tracing.errors import UnknownPlace
from bihuan.tracing.models import MUST_LABELS, SETTING_LABELS, GateCheck, GateHandOver, Place, PlaceAlert
from bihuan.tracing.rules import gates

SORTS = {"name": False, "territory_code": False, "recorded_at": False}
_ALERTS_SHOWN = 10
#: Kinds of places and musts of a gate with their names, in the order they are shown.
KINDS = SETTING_LABELS
MUSTS = MUST_LABELS


@dataclass(frozen=True, slots=True)
class PlaceFilter:
    """Parts joined by "and". `text`: a piece of the name or address, or the beginning of an id."""

    text: str = ""
    territory: str = ""
    kind: str = ""
    active: bool | None = True
    over: bool = False
    sort: str = "name"


@dataclass(frozen=True, slots=True)
class PlaceRow:
    id: int
    public_id: str
    store_id: str
    name: str
    name_en: str
    kind: str
    territory_code: str
    address: str
    latitude: float | None
    longitude: float | None
    capacity: int | None
    active: bool
    is_over: bool = False
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GateDay:
    """What a gate did on a local day. `complete` of `entries` lack none of the musts; `missing` counts each
    must that was lacking; `inside` in less out."""

    entries: int = 0
    exits: int = 0
    medical: int = 0
    complete: int = 0
    febrile: int = 0
    strangers: int = 0
    late: int = 0
    skewed: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)

    @property
    def percent(self) -> int | None:
        return gates.completeness(self.complete, self.entries)

    @property
    def inside(self) -> int:
        return max(0, self.entries - self.exits)


@dataclass(frozen=True, slots=True)
class AlertRow:
    began_at: datetime
    ended_at: datetime | None
    limit: int
    most: int


@dataclass(frozen=True, slots=True)
class HandOverRow:
    """Records that `taken_by` took ("" = not logged in) and `sent_by` sent, at the device they share."""

    at: datetime
    taken_by: str
    sent_by: str
    records: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PlaceView:
    """One place. `limit`: people at once that the policy allows (None = no limit); `records` of today in the
    visit store, from every source; `required` musts."""

    place: PlaceRow
    day: GateDay
    limit: int | None
    records: int
    required: tuple[str, ...]
    alerts: tuple[AlertRow, ...]
    hand_overs: tuple[HandOverRow, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self.day.inside > self.limit


@dataclass(frozen=True, slots=True)
class GateNow:
    """What a gate's screen shows of its place: how many are inside, in less out, and how many may be."""

    place: PlaceRow
    inside: int
    limit: int | None

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self.inside > self.limit


def list_places(given: PlaceFilter, *, cursor: str = "", size: int | None = None) -> Page[PlaceRow]:
    """One page of places within the scope."""
    found, following = read_page(
        _filtered(given), read_sort(given.sort or "name", SORTS), cursor=cursor, size=page_size(size)
    )
    return Page(tuple(_rows(found)), following)


def closed_lately(since: datetime, *, size: int) -> tuple[PlaceRow, ...]:
    """Places within the scope that were closed since a moment, the newest first."""
    return tuple(_rows(Place.objects.filter(closed_at__gte=since).order_by("-closed_at")[:size]))


def count_places(given: PlaceFilter) -> int:
    return _filtered(given).count()


def find_place(public_id: str, *, as_of: datetime | None = None) -> PlaceView:
    """One place with today's figures. Raises UnknownPlace."""
    place = _one(public_id)
    at = as_of or clock.now()
    begin = clock.start_of_day(clock.local_day(at))
    alerts = PlaceAlert.objects.filter(place=place).order_by("-began_at")[:_ALERTS_SHOWN]
    return PlaceView(
        place=_rows([place])[0],
        day=gate_days([place.pk], since=begin, until=at).get(place.pk, GateDay()),
        limit=_limit(place, at),
        records=records_of(place.store_id, since=begin, until=at),
        required=tuple(value("gate.required_checks", place.territory_code, at).value),
        alerts=tuple(AlertRow(a.began_at, _ended(a, begin), a.limit, a.most) for a in alerts),
        hand_overs=_hand_overs(place),
    )


def gate_now(public_id: str) -> GateNow:
    """One place as its gate's screen shows it, again and again: nothing of the visit store is read. Raises
    UnknownPlace."""
    place, now = _one(public_id), clock.now()
    inside = head_counts([place.pk], since=clock.start_of_day(clock.local_day(now))).get(place.pk, 0)
    return GateNow(_rows([place])[0], inside, _limit(place, now))


def _one(public_id: str) -> Place:
    place: Place | None = Place.objects.filter(public_id=public_id).first()
    if place is None:
        raise UnknownPlace(public_id)
    return place


def _limit(place: Place, at: datetime) -> int | None:
    percent = float(value("gate.head_count_percent", place.territory_code, at).value)
    return gates.head_count_limit(place.capacity, percent)


def _standing() -> QuerySet[PlaceAlert]:
    """Alerts of today that no record has ended: at midnight a gate begins to count anew."""
    today = clock.start_of_day(clock.today())
    rows: QuerySet[PlaceAlert] = PlaceAlert.objects.filter(ended_at=None, began_at__gte=today)
    return rows


def _ended(alert: PlaceAlert, today: datetime) -> datetime | None:
    """When an alert ended: by a record, else at the end of its day."""
    if alert.ended_at is not None or alert.began_at >= today:
        return alert.ended_at
    return counted_until(alert)


def counted_until(alert: PlaceAlert) -> datetime:
    """The midnight at which a gate counts anew, and an alert of that day is over."""
    return clock.start_of_day(clock.local_day(alert.began_at) + timedelta(days=1))


def _hand_overs(place: Place) -> tuple[HandOverRow, ...]:
    """The newest ones, each by name in the reader's language; as it was written where that is gone."""
    rows = list(GateHandOver.objects.filter(place=place).order_by("-at")[:_ALERTS_SHOWN])
    ids = {n for row in rows for n in (row.taken_account_id, row.sent_account_id) if n is not None}
    accounts, known = Account.objects.in_bulk(ids), posts.directory().by_id

    def name(account: int | None, post: int | None, written: str) -> str:
        if account not in accounts or post not in known:
            return written
        return f"{accounts[account]} · {known[post].label}"

    return tuple(
        HandOverRow(
            row.at,
            name(row.taken_account_id, row.taken_post_id, row.taken_by),
            name(row.sent_account_id, row.sent_post_id, row.sent_by),
            row.records,
            row.first_at,
            row.last_at,
        )
        for row in rows
    )


def closed_since(at: datetime, territory_code: str) -> str:
    """Since when a place is closed, in the reader's language and the time of its territory."""
    local = at.astimezone(clock.zone(territory.tz_of(territory_code)))
    return _("this place was closed on %(when)s") % {"when": f"{local:%Y-%m-%d %H:%M}"}


def gate_days(places: Sequence[int] | None, *, since: datetime, until: datetime) -> dict[int, GateDay]:
    """What gates did between two moments, by place; None = all in scope."""
    rows = GateCheck.objects.filter(at__gte=since, at__lte=until)
    if places is not None:
        rows = rows.filter(place_id__in=places)
    is_in, done = Q(direction=GateCheck.IN, medical=False), Q(missing__len=0) | Q(missing=[])
    found = rows.values("place_id").annotate(
        entries=Count("id", filter=is_in),
        exits=Count("id", filter=~Q(direction=GateCheck.IN)),
        medicals=Count("id", filter=Q(medical=True)),
        full=Count("id", filter=is_in & done),
        fever=Count("id", filter=Q(febrile=True)),
        unknown=Count("id", filter=Q(stranger=True)),
        lates=Count("id", filter=Q(late=True)),
        skews=Count("id", filter=~Q(skew=0)),
        **{must: Count("id", filter=is_in & Q(missing__contains=[must])) for must in gates.MUSTS},
    )
    return {
        row["place_id"]: GateDay(
            row["entries"], row["exits"], row["medicals"], row["full"], row["fever"], row["unknown"],
            row["lates"], row["skews"], {must: row[must] for must in gates.MUSTS if row[must]},
        )
        for row in found
    }  # fmt: skip


def head_counts(places: Sequence[int], *, since: datetime) -> dict[int, int]:
    """How many are inside each place by its gate since a moment: in less out, never below 0."""
    rows = GateCheck.objects.filter(place_id__in=places, at__gte=since).values("place_id")
    counted = rows.annotate(
        entries=Count("id", filter=Q(direction=GateCheck.IN)),
        exits=Count("id", filter=~Q(direction=GateCheck.IN)),
    )
    return {row["place_id"]: max(0, row["entries"] - row["exits"]) for row in counted}


def records_of(store_id: str, *, since: datetime, until: datetime) -> int:
    """How many visits of a place begin between two moments; 0 where the store cannot be read."""
    try:
        store = visits.open_store()
        if store is None or (number := store.places.find(store_id)) < 0:
            return 0
        first, last = visits.minute_of(store, since), visits.minute_of(store, until)
        total = 0
        for segment in store.segments(first // 1440, last // 1440):
            for part in store.index_of(segment).columns:
                at = int(np.searchsorted(part["places"], number))
                if at < part["places"].size and int(part["places"][at]) == number:
                    begin = int(part["place_ends"][at - 1]) if at else 0
                    starts = part["start"][begin : int(part["place_ends"][at])].astype(np.int64)
                    starts += segment.day * 1440
                    total += int(((starts >= first) & (starts <= last)).sum())
        return total
    except (EpiError, OSError):
        return 0


def names_of(store_ids: Iterable[str]) -> dict[str, PlaceRow]:
    """Places within the scope by their ids in the store."""
    return {row.store_id: row for row in _rows(Place.objects.filter(store_id__in=set(store_ids)))}


def names_by_id(places: Iterable[int]) -> dict[int, PlaceRow]:
    """Places within the scope by their numbers."""
    return {row.id: row for row in _rows(Place.objects.filter(id__in=set(places)))}


def _filtered(given: PlaceFilter) -> QuerySet[Place]:
    rows: QuerySet[Place] = Place.objects.below(given.territory)
    if given.active is not None:
        rows = rows.filter(active=given.active)
    if given.kind:
        rows = rows.filter(kind=given.kind)
    if given.over:
        rows = rows.filter(id__in=_standing().values("place_id"))
    text = given.text.strip()
    if text:
        part = Q(name__icontains=text) | Q(name_en__icontains=text) | Q(address__icontains=text)
        rows = rows.filter(
            part | Q(public_id=text.upper()) | Q(store_id__gte=text, store_id__lt=text + scope.LAST)
        )
    return rows


def _rows(found: Iterable[Place]) -> list[PlaceRow]:
    places = list(found)
    over = set(_standing().filter(place__in=places).values_list(F("place_id"), flat=True))
    return [
        PlaceRow(
            p.pk, p.public_id, p.store_id, p.name, p.name_en, p.kind, p.territory_code, p.address,
            p.latitude, p.longitude, p.capacity, p.active, p.pk in over, p.closed_at,
        )
        for p in places
    ]  # fmt: skip
