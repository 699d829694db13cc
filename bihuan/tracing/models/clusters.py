"""Clusters (聚集性疫情): cases that belong to one event, in a named setting, with how many were exposed."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import track
from bihuan.tracing.models.places import SETTING_LABELS
from bihuan.tracing.rules.clusters import Role, Standing
from bihuan.tracing.rules.settings import SettingKind

CLUSTER_STATUS_LABELS = [
    (Standing.OPEN.value, _("Open")),
    (Standing.CLOSED.value, _("Event over")),
    (Standing.MERGED.value, _("Merged into another")),
]
ROLE_LABELS = [
    (Role.INDEX.value, _("Index case")),
    (Role.PRIMARY.value, _("Primary case")),
    (Role.CO_PRIMARY.value, _("Co-primary case")),
    (Role.SECONDARY.value, _("Secondary case")),
    (Role.UNKNOWN.value, _("Role not known")),
]


def cluster_id() -> str:
    return new_id("E")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "name",
        "setting",
        "place",
        "date_first",
        "date_last",
        "exposed",
        "status",
        "merged_into",
        "closed_at",
        "close_reason",
        "note",
    ],
    personal=("name", "note", "close_reason"),
)
class Cluster(ScopedModel):
    """An event: where and when people were exposed together, and how many (`exposed`, None = not known).

    `date_first` to `date_last` are the local days of exposure. A cluster merged into another keeps its number
    and leads to it.
    """

    public_id = WordField(max_length=20, unique=True, default=cluster_id)
    name = models.CharField(max_length=120)
    setting = models.CharField(max_length=20, choices=SETTING_LABELS, default=SettingKind.UNKNOWN.value)
    place = models.ForeignKey(
        "tracing.Place", null=True, blank=True, on_delete=models.PROTECT, related_name="clusters"
    )
    date_first = models.DateField(null=True, blank=True)
    date_last = models.DateField(null=True, blank=True)
    exposed = models.PositiveIntegerField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=CLUSTER_STATUS_LABELS, default=Standing.OPEN.value)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged"
    )
    source = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    opened_at = models.DateTimeField()
    opened_by_account_id = models.BigIntegerField(null=True)
    opened_by_post_id = models.BigIntegerField(null=True)
    opened_by_name = models.CharField(max_length=120)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_name = models.CharField(max_length=120, blank=True)
    close_reason = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["-opened_at", "-id"], name="tracing_cluster_newest")]

    def __str__(self) -> str:
        return self.public_id


@track(
    fields=["id", "cluster", "territory_code", "case", "role", "removed_at", "removed_reason"],
    personal=("removed_reason",),
)
class ClusterMember(ScopedModel):
    """A case of a cluster. `territory_code` is the cluster's. One removed stays on record with the reason."""

    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT, related_name="members")
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="cluster_members")
    role = models.CharField(max_length=12, choices=ROLE_LABELS, default=Role.UNKNOWN.value)
    added_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by_name = models.CharField(max_length=120, blank=True)
    removed_reason = models.CharField(max_length=300, blank=True)

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["cluster", "case"],
                condition=models.Q(removed_at__isnull=True),
                name="tracing_member_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.cluster_id} {self.case_id}"
