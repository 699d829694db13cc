"""Visits are deleted when their time is up; days that an investigation or a cluster still needs stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import moment_now
from bihuan.epi.visits import deletions as listed_deletions
from bihuan.epi.visits.layout import read_json
from bihuan.epi.visits.store import Forgotten, VisitStore
from bihuan.policy.values import value
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.tracing import visits
from bihuan.tracing.actions.record_visits import merge_waiting, told
from bihuan.tracing.models import (
    Cluster,
    GateCheck,
    GateHandOver,
    Investigation,
    Place,
    Stranger,
    VisitDeletion,
)
from bihuan.tracing.queries.visit_store import retention_log

KEY: Final = "retention.visits_days"
BY_RULE, BY_HAND = "retention", "by hand"


@dataclass(frozen=True, slots=True)
class Due:
    """What the rule says now: `days` of retention and who says so (`source`, as a deletion keeps it; `pack`,
    `document` by language and whether that was `verified`, as pages say it); the first day that stays; what
    holds older days (public ids), and from which day on."""

    days: int
    source: str
    before: date
    pack: str
    document: Mapping[str, str]
    verified: bool
    holding: tuple[tuple[str, date], ...] = ()


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion took; all 0 where nothing was so old."""

    before: date
    days: int
    stays: int
    size: int
    people: int
    checks: int
    strangers: int


def due(now: datetime | None = None) -> Due:
    """Which days are over: older than the retention, and needed by no investigation or cluster that is open
    or ended less than the retention ago. The store is one folder, so the longest retention of any territory
    with places, and the oldest need of all, hold for all of it.
    """
    at = moment_now(now)
    with scope.system():
        codes = {code[:6] for code in Place.objects.values_list("territory_code", flat=True).distinct()}
        told_by = max((value(KEY, code, at) for code in codes or {""}), key=lambda found: int(found.value))
        days = int(told_by.value)
        before = clock.local_day(at) - timedelta(days=days)
        holding = tuple(sorted(_needs(at - timedelta(days=days)), key=lambda need: need[1]))
    held = [first for _id, first in holding]
    source = f"{told_by.pack}: {told_by.source.get('en', '')} ({told_by.confidence})"
    return Due(
        days=days,
        source=source,
        before=min([before, *held]),
        pack=told_by.pack,
        document=told_by.source,
        verified=told_by.confidence == "verified",
        holding=tuple(one for one in holding if one[1] < before),
    )


def forget_due(*, actor: Actor, now: datetime | None = None) -> Deleted | None:
    """Delete what is over by the rule; None when nothing is. The worker, every night."""
    at = moment_now(now)
    store = visits.open_store()
    if store is None:
        return None
    found = due(at)
    day = _number(found.before)
    if not any(segment.day < day for segment in store.segments()) and not _has_checks(found.before):
        return None
    return forget(found.before, actor=actor, reason=BY_RULE, source=found.source, now=at)


def forget(
    before: date, *, actor: Actor, reason: str = BY_HAND, source: str = "", now: datetime | None = None
) -> Deleted:
    """Delete all days before a local date, for good: visits, what the gates counted, strangers they
    registered. A line in `retention.log` of the store and an entry under the audit chain prove it. Raises
    Invalid for a day in the future, VisitsInvalid while another process writes.
    """
    at = moment_now(now)
    if before > clock.local_day(at):
        raise Invalid(
            _("%(day)s is in the future; the store would take no visits until then.") % {"day": before},
            hint=_("Name today or a day before."),
        )
    gone = Forgotten(str(before), 0, 0, 0, 0)
    with told():
        merge_waiting()  # what waits may be of days that are over
        store = visits.open_store()
        if store is not None:
            gone = VisitStore(store.folder).forget(
                _number(before), by=actor.name, at=at.astimezone(UTC).isoformat(timespec="seconds")
            )
    return _enter(before, gone, by=actor.name, reason=reason, source=source, at=at)


def follow_list(*, actor: Actor, now: datetime | None = None) -> Deleted | None:
    """Delete what a restored database brought back of days that were deleted since its backup was made, as
    the list beside the store tells: what gates counted, strangers. None when there is nothing. Deletions that
    were done to the store alone leave the database as it is. Raises StoreError when the list was changed."""
    folder = visits.folder()
    about = folder / "store.json"
    number = read_json(about).get("id") if about.exists() else None
    listed = [
        date.fromisoformat(one.before)
        for one in (listed_deletions.read(folder) if number else ())
        if one.store == number and not one.by.startswith(listed_deletions.STORE_ALONE)
    ]
    if not listed or not _has_checks(max(listed)):
        return None
    gone = Forgotten(str(max(listed)), 0, 0, 0, 0)
    source = listed_deletions.path_of(folder).name
    return _enter(max(listed), gone, by=actor.name, reason=BY_HAND, source=source, at=moment_now(now))


def _enter(before: date, gone: Forgotten, *, by: str, reason: str, source: str, at: datetime) -> Deleted:
    """Delete what the database holds of days before a local date, and note it with what the store lost."""
    end = clock.start_of_day(before).astimezone(UTC)
    with transaction.atomic(), scope.system():
        checks = GateCheck.unscoped.filter(at__lt=end).delete()[0]
        strangers = Stranger.unscoped.filter(at__lt=end).delete()[0]
        GateHandOver.unscoped.filter(last_at__lt=end).delete()
        deleted = Deleted(before, gone.days, gone.stays, gone.bytes, gone.people, checks, strangers)
        VisitDeletion.objects.create(
            at=at, before=before, days=gone.days, stays=gone.stays, size=gone.bytes, people=gone.people,
            checks=checks, strangers=strangers, reason=reason, source=source[:120], by_name=by,
        )  # fmt: skip
    return deleted


def note_by_hand(*, now: datetime | None = None) -> int:
    """Enter deletions that `bihuan visits forget` did to the store alone, as its `retention.log` tells them,
    under the audit chain; how many."""
    lines = [line for line in retention_log(limit=1000) if line.get("days")]
    known = set(VisitDeletion.objects.values_list("before", "days", "stays", "size"))
    fresh = []
    for line in reversed(lines):
        told_by = (date.fromisoformat(line["before"]), line["days"], line["stays"], line["bytes"])
        if told_by not in known:
            before, days, stays, size = told_by
            fresh.append(
                VisitDeletion(
                    at=moment_now(now), before=before, days=days, stays=stays, size=size,
                    people=line["people"], reason=BY_HAND, by_name="bihuan visits forget",
                )
            )  # fmt: skip
    VisitDeletion.objects.bulk_create(fresh)
    return len(fresh)


def _has_checks(before: date) -> bool:
    end = clock.start_of_day(before).astimezone(UTC)
    with scope.system():
        return GateCheck.unscoped.filter(at__lt=end).exists() or Stranger.unscoped.filter(at__lt=end).exists()


def _needs(since: datetime) -> Iterator[tuple[str, date]]:
    """Investigations and clusters that are open or ended after `since`, and the first day each needs."""
    standing = Q(status="open") | Q(closed_at__gte=since)
    rows = Investigation.unscoped.filter(standing).values_list("public_id", "source_from", "window_from")
    for public_id, source_from, window_from in rows:
        yield public_id, clock.local_day(min(source_from, window_from))
    clusters = Cluster.unscoped.filter(standing, date_first__isnull=False)
    for public_id, first in clusters.values_list("public_id", "date_first"):
        if first is not None:
            yield public_id, first


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
