"""Open a cluster, put cases into it and take them out, merge and close it. Each change is a person's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, moment_now, stamp, writing, zone_of
from bihuan.cases.models import Case
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.territory import resolve
from bihuan.tracing.errors import ClusterClosed, ClusterInvalid, UnknownCluster
from bihuan.tracing.models import SETTING_LABELS, Cluster, ClusterMember, Place
from bihuan.tracing.rules.clusters import Role, Standing, roles_of

RIGHT = "investigation.write"
SETTINGS = frozenset(key for key, _label in SETTING_LABELS)
#: Cases in one call.
MOST = 5000


@dataclass(frozen=True, slots=True)
class ClusterInput:
    """What is told of a cluster. `place` is the public id of a place ("" = none); `exposed` everybody at
    risk, the cases among them (None = not known)."""

    name: str
    territory_code: str
    setting: str = "unknown"
    place: str = ""
    date_first: date | None = None
    date_last: date | None = None
    exposed: int | None = None
    source: str = ""
    note: str = ""


def open_cluster(
    given: ClusterInput, *, cases: Sequence[str] = (), actor: Actor, now: datetime | None = None
) -> Cluster:
    """Name an event as a cluster, with the cases that belong to it. Raises ClusterInvalid, NotAllowed."""
    at = moment_now(now)
    authorize(RIGHT, given.territory_code)
    facts = _facts(given, at)
    with writing(actor):
        cluster = Cluster.objects.create(
            **facts,
            opened_at=at,
            opened_by_account_id=actor.account_id,
            opened_by_post_id=actor.post_id,
            opened_by_name=actor.name,
            recorded_at=at,
        )
        if cases:
            _add(cluster, cases, actor=actor, at=at)
    return cluster


def revise_cluster(
    cluster_id: str, given: ClusterInput, *, actor: Actor, now: datetime | None = None
) -> Cluster:
    """Change what is told of an open cluster. What stood before stays in its history."""
    at = moment_now(now)
    with writing(actor):
        cluster = _locked(cluster_id)
        authorize(RIGHT, given.territory_code)
        for name, value in _facts(given, at).items():
            setattr(cluster, name, value)
        cluster.save()
        ClusterMember.objects.filter(cluster=cluster).update(territory_code=cluster.territory_code)
    return cluster


def add_cases(
    cluster_id: str, cases: Sequence[str], *, actor: Actor, now: datetime | None = None
) -> list[str]:
    """Put cases (public ids) into a cluster; those in it already stay. Returns the ids that are new."""
    at = moment_now(now)
    with writing(actor):
        return _add(_locked(cluster_id), cases, actor=actor, at=at)


def remove_case(
    cluster_id: str, case: str, *, reason: str, actor: Actor, now: datetime | None = None
) -> None:
    """Take a case out; it stays on record with the reason."""
    at = moment_now(now)
    _require_reason(reason)
    with writing(actor):
        cluster = _locked(cluster_id)
        member = (
            ClusterMember.objects.select_for_update(of=("self",))
            .filter(cluster=cluster, case__public_id=case, removed_at__isnull=True)
            .first()
        )
        if member is None:
            raise _invalid("case", _("Case %(id)s is not in this cluster.") % {"id": case})
        member.removed_at, member.removed_by_name, member.removed_reason = at, actor.name, reason.strip()
        member.save(update_fields=["removed_at", "removed_by_name", "removed_reason"])


def set_role(cluster_id: str, case: str, role: str, *, actor: Actor) -> None:
    """Say what a case is in the cluster: index, primary, co-primary, secondary."""
    if role not in {one.value for one in Role}:
        raise _invalid("role", _("%(value)s is not allowed here.") % {"value": role})
    with writing(actor):
        cluster = _locked(cluster_id)
        changed = ClusterMember.objects.filter(
            cluster=cluster, case__public_id=case, removed_at__isnull=True
        ).update(role=role)
        if not changed:
            raise _invalid("case", _("Case %(id)s is not in this cluster.") % {"id": case})


def merge_clusters(
    cluster_id: str, into: str, *, reason: str, actor: Actor, now: datetime | None = None
) -> Cluster:
    """Two clusters are one event: the cases of the first go over, and its number leads to the second."""
    at = moment_now(now)
    _require_reason(reason)
    if cluster_id == into:
        raise _invalid("into", _("A cluster cannot be merged into itself."))
    with writing(actor):
        first, second = sorted((cluster_id, into))  # held in one order whoever asks
        held = {first: _locked(first), second: _locked(second)}
        one, other = held[cluster_id], held[into]
        members = ClusterMember.objects.filter(cluster=one, removed_at__isnull=True)
        _move(members, other, actor=actor, at=at)
        members.update(removed_at=at, removed_by_name=actor.name, removed_reason=reason.strip())
        _spread(other, one)
        one.status, one.merged_into = Standing.MERGED.value, other
        one.closed_at, one.closed_by_name, one.close_reason = at, actor.name, reason.strip()
        one.save()
        other.save(update_fields=["date_first", "date_last"])
    return other


def close_cluster(cluster_id: str, *, reason: str, actor: Actor, now: datetime | None = None) -> Cluster:
    """The event is over; the reason says how that is known."""
    at = moment_now(now)
    _require_reason(reason)
    with writing(actor):
        cluster = _locked(cluster_id)
        cluster.status = Standing.CLOSED.value
        cluster.closed_at, cluster.closed_by_name, cluster.close_reason = at, actor.name, reason.strip()
        cluster.save(update_fields=["status", "closed_at", "closed_by_name", "close_reason"])
    return cluster


def _move(members: QuerySet[ClusterMember], into: Cluster, *, actor: Actor, at: datetime) -> None:
    """Cases go over by their row: also those out of sight of whoever merges."""
    here = ClusterMember.objects.filter(cluster=into, removed_at__isnull=True).values("case_id")
    ClusterMember.objects.bulk_create(
        ClusterMember(
            cluster=into,
            territory_code=into.territory_code,
            case_id=member.case_id,
            role=member.role,
            added_at=at,
            **stamp(actor),
        )
        for member in members.exclude(case_id__in=here)
    )


def _spread(into: Cluster, one: Cluster) -> None:
    days = [day for day in (into.date_first, one.date_first) if day is not None]
    into.date_first = min(days) if days else None
    days = [day for day in (into.date_last, one.date_last) if day is not None]
    into.date_last = max(days) if days else None


def _locked(cluster_id: str) -> Cluster:
    """The open cluster, held until the transaction ends, by somebody who may change it."""
    cluster = Cluster.objects.select_for_update(of=("self",)).filter(public_id=cluster_id).first()
    if cluster is None:
        raise UnknownCluster(cluster_id)
    authorize(RIGHT, cluster.territory_code)
    if cluster.status != Standing.OPEN:
        raise ClusterClosed(
            _("Cluster %(id)s is closed: %(status)s.")
            % {"id": cluster_id, "status": cluster.get_status_display()},
            hint=_("Open a new one for a new event."),
        )
    return cluster


def _add(cluster: Cluster, cases: Sequence[str], *, actor: Actor, at: datetime) -> list[str]:
    wanted = list(dict.fromkeys(cases))
    if len(wanted) > MOST:
        raise _invalid("cases", _("At most %(n)s cases at once.") % {"n": MOST})
    found = {case.public_id: case for case in Case.objects.filter(public_id__in=wanted)}
    errors = [
        _error("cases", _("There is no case %(id)s here.") % {"id": c}) for c in wanted if c not in found
    ]
    if errors:
        raise ClusterInvalid(_("%(n)s cases are not here.") % {"n": len(errors)}, errors=errors)
    inside = set(
        ClusterMember.objects.filter(cluster=cluster, removed_at__isnull=True).values_list(
            "case_id", flat=True
        )
    )
    fresh = [found[case] for case in wanted if found[case].id not in inside]
    guessed = roles_of([(c.public_id, c.date_onset, c.date_report) for c in fresh]) if not inside else {}
    ClusterMember.objects.bulk_create(
        ClusterMember(
            cluster=cluster,
            territory_code=cluster.territory_code,
            case=case,
            role=guessed.get(case.public_id, Role.UNKNOWN).value,
            added_at=at,
            **stamp(actor),
        )
        for case in fresh
    )
    return [case.public_id for case in fresh]


def _facts(given: ClusterInput, at: datetime) -> dict[str, Any]:
    with scope.system():
        resolve(given.territory_code)
    errors = []
    if not given.name.strip():
        errors.append(_error("name", _("Give the cluster a name.")))
    if given.setting not in SETTINGS:
        errors.append(_error("setting", _("%(value)s is not allowed here.") % {"value": given.setting}))
    first, last = given.date_first, given.date_last
    if first and last and last < first:
        errors.append(_error("date_last", _("The last day lies before the first.")))
    today = at.astimezone(zone_of(given.territory_code)).date()
    if any(day is not None and day > today for day in (first, last)):
        errors.append(_error("date_first", _("The days of exposure lie in the future.")))
    if given.exposed is not None and given.exposed < 1:
        errors.append(_error("exposed", _("At least one was exposed; leave it empty if nobody knows.")))
    place = Place.objects.filter(public_id=given.place).first() if given.place else None
    if given.place and place is None:
        errors.append(_error("place", _("There is no place %(id)s here.") % {"id": given.place}))
    if errors:
        raise ClusterInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
        )
    return {
        "name": given.name.strip(),
        "territory_code": given.territory_code,
        "setting": given.setting,
        "place": place,
        "date_first": first,
        "date_last": last or first,
        "exposed": given.exposed,
        "source": given.source.strip(),
        "note": given.note.strip(),
    }


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise _invalid("reason", _("A reason is needed."))


def _error(field: str, message: str) -> dict[str, Any]:
    return {"field": field, "rule": "invalid", "message": message, "hint": ""}


def _invalid(field: str, message: str) -> ClusterInvalid:
    return ClusterInvalid(message, errors=[_error(field, message)])
