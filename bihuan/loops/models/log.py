"""What became true about whom: the append-only log every loop is read from."""

from __future__ import annotations

from django.db import models

from bihuan.registry.models.base import PlainField, ScopedModel, TerritoryCodeField
from bihuan.registry.models.history import append_only


class Subject(ScopedModel):
    """Who or what events speak of: a kind and a public id of some upper room. Its row is the lock under which
    its log is written and read."""

    territory_code = TerritoryCodeField()  # found by kind and ref alone
    kind = models.CharField(max_length=30)
    ref = models.CharField(max_length=40)
    person_id = models.BigIntegerField(null=True)

    class Meta(ScopedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["kind", "ref"], name="loops_subject_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class LogEvent(ScopedModel):
    """One event. `at` is when it was true, `recorded_at` when known; the id gives the order of arrival.

    Append-only: what was wrong is taken back by a later event (`loop.retracted`).
    """

    append_only = True

    territory_code = TerritoryCodeField()  # read by subject alone
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="events", db_constraint=False)
    kind = models.CharField(max_length=60)
    at = models.DateTimeField()
    at_precision = models.CharField(max_length=6, default="minute")
    recorded_at = models.DateTimeField()
    data = models.JSONField(default=dict)
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=120, blank=True)
    door = models.CharField(max_length=20, blank=True)
    source = models.CharField(max_length=120, blank=True)
    idempotency_key = PlainField(max_length=160, null=True, unique=True)

    class Meta(ScopedModel.Meta):
        db_table = "loops_event"
        triggers = [append_only()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(at_precision__in=["minute", "day"]), name="loops_event_precision"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"
