"""What clusters hold about a person: that her case belongs to an event. Why one was taken out goes with her
identity; that somebody was a member, and in which role, stays under the public id of the case."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bihuan.registry import shredder
from bihuan.registry.shredder import Held, Records, empty_history, history_remains
from bihuan.tracing.models import ROLE_LABELS, ClusterMember

KEY = "retention.identity_days"


def _of(records: Records) -> Any:
    return ClusterMember.unscoped.filter(case__person_id__in=records)


def _shred(records: Records) -> dict[str, list[int]]:
    ids = sorted(_of(records).values_list("id", flat=True))
    if not ids:
        return {}
    ClusterMember.unscoped.filter(id__in=ids).update(removed_reason="")
    return empty_history(ClusterMember, ids)


def _remain(records: Records) -> int:
    rows = _of(records)
    told = int(rows.exclude(removed_reason="").count())
    return told + history_remains(ClusterMember, sorted(rows.values_list("id", flat=True)))


def _hold(records: Records) -> Held:
    roles = dict(ROLE_LABELS)
    facts = tuple(
        {
            "record": row.cluster.public_id,
            "event": row.cluster.name,
            "role": str(roles[row.role]),
            "removed": row.removed_at,
            "since": row.added_at,
        }
        for row in _of(records).select_related("cluster").order_by("id")
    )
    return Held(kind=_("Clusters"), facts=facts, retention_key=KEY)


def register() -> None:
    """Called once, when the room is ready."""
    shredder.register_shredder("clusters", gettext_lazy("Clusters"), KEY, _shred, _remain)
    shredder.register_holder("clusters", _hold)
