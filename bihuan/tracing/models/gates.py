"""What a gate did, without who passed; strangers it registered; places over their limit; visits deleted."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import append_only
from bihuan.tracing.models.places import Place

MUST_LABELS = [
    ("scan", _("Code or number")),
    ("temperature", _("Temperature")),
    ("mask", _("Mask")),
    ("register", _("Registration of a stranger")),
]


class GateHandOver(ScopedModel):
    """Records that one person took at a gate and another sent, on a device they share: both are named.

    `taken_by` "" = somebody who was not logged in, whose records `sent_by` says are hers. `records` counts
    what came by it, taken from `first_at` to `last_at`. Deleted with the visits of the day.
    """

    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="hand_overs")
    at = models.DateTimeField()
    taken_account_id = models.BigIntegerField(null=True)
    taken_post_id = models.BigIntegerField(null=True)
    taken_by = models.CharField(max_length=240, blank=True)
    sent_account_id = models.BigIntegerField(null=True)
    sent_post_id = models.BigIntegerField(null=True)
    sent_by = models.CharField(max_length=240)
    records = models.PositiveIntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["place", "-at"], name="tracing_handover_newest")]

    def __str__(self) -> str:
        return f"{self.place_id} {self.at}"


class GateCheck(ScopedModel):
    """One passing of a gate, as far as it may be counted: which of the four musts were done. Nobody's number
    stands here; who passed is in the visit store only.

    `account_id` and `post_id` took it (null: nobody was logged in, or it is from before this was kept);
    `hand_over` when another person sent it. `event` is the keyed hash of the device's event id (sent again,
    it is the same). `at` is corrected by `skew` (seconds the device's clock was behind ours, 0 within a
    minute). `late` when it was sent more than a minute after.
    """

    IN, OUT = "in", "out"

    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="checks")
    event = models.BigIntegerField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    direction = WordField(max_length=3)
    missing = ArrayField(WordField(max_length=12), default=list)
    febrile = models.BooleanField(default=False)
    stranger = models.BooleanField(default=False)
    medical = models.BooleanField(default=False)
    skew = models.IntegerField(default=0)
    late = models.BooleanField(default=False)
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    hand_over = models.ForeignKey(
        GateHandOver, null=True, blank=True, on_delete=models.SET_NULL, related_name="checks"
    )

    class Meta(ScopedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["place", "event"], name="tracing_gate_event_once")]
        indexes = [models.Index(fields=["place", "at"], name="tracing_gate_day")]

    def __str__(self) -> str:
        return f"{self.place_id} {self.at}"


class Stranger(ScopedModel):
    """A stranger whom a gate registered: keyed number, and what was told, enciphered. No page lists them; an
    investigation that met the number may open it (`queries.gates.strangers_of`). Deleted with the visits of
    the day."""

    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="+")
    event = models.BigIntegerField()
    key = models.BigIntegerField(db_index=True)
    told = models.BinaryField()
    at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["place", "event"], name="tracing_stranger_once")]

    def __str__(self) -> str:
        return f"{self.place_id} {self.at}"


class PlaceAlert(ScopedModel):
    """A place held more people than it may (D0-15): from when to when, the limit, the most counted."""

    place = models.ForeignKey(Place, on_delete=models.CASCADE, related_name="alerts")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    limit = models.PositiveIntegerField()
    most = models.PositiveIntegerField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["place"], condition=models.Q(ended_at=None), name="tracing_one_open_alert"
            )
        ]

    def __str__(self) -> str:
        return f"{self.place_id} {self.most}/{self.limit}"


class VisitDeletion(models.Model):
    """Proof that days of visits were deleted: counts only, under the audit chain. Append-only.

    `before` is the first day that stays; `reason` "retention" or "by hand"; `source` where the rule of the
    retention is from.
    """

    append_only = True

    at = models.DateTimeField()
    before = models.DateField()
    days = models.PositiveIntegerField()
    stays = models.BigIntegerField()
    size = models.BigIntegerField()
    people = models.BigIntegerField()
    checks = models.BigIntegerField(default=0)
    strangers = models.BigIntegerField(default=0)
    reason = WordField(max_length=12)
    source = models.CharField(max_length=120, blank=True)
    by_name = models.CharField(max_length=120)

    class Meta:
        triggers = [append_only("deletions_stay")]
        indexes = [models.Index(fields=["-at"], name="tracing_deletion_newest")]

    def __str__(self) -> str:
        return f"< {self.before}: {self.stays}"
