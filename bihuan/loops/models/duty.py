"""What is owed. `loops_duty` is partitioned by month of the deadline: `migrations/_sql.py` makes its
table, and
Django is told of it in the migration's state only."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from bihuan.loops.models.loop import Binding, Loop
from bihuan.registry.models.base import ScopedModel, TerritoryCodeField
from bihuan.registry.models.history import append_only


class Duty(ScopedModel):
    """One owed step. `state`: 0 open, 1 done, 2 waived, 3 superseded. Pack, rule, clause, verb and label are
    those of `kind` in the binding. `late_fact` in `reason`: it no longer follows from the log."""

    id = models.BigAutoField(primary_key=True)
    loop = models.ForeignKey(Loop, on_delete=models.DO_NOTHING, related_name="duties", db_constraint=False)
    binding = models.ForeignKey(Binding, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    definition = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=100)
    stage = models.CharField(max_length=60)
    owner_post_id = models.BigIntegerField()
    owner_fallback = models.BooleanField(default=False)
    person_id = models.BigIntegerField(null=True)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    warn_at = models.DateTimeField()
    clock_known = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()
    state = models.SmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    ended_day_only = models.BooleanField(default=False)
    ended_recorded_at = models.DateTimeField(null=True)
    ended_by_account_id = models.BigIntegerField(null=True)
    ended_by_post_id = models.BigIntegerField(null=True)
    ended_event_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    evidence = models.JSONField(null=True)

    class Meta(ScopedModel.Meta):
        db_table = "loops_duty"

    def __str__(self) -> str:
        return f"D-{self.id} {self.key}"


class DutyHistory(ScopedModel):
    """One change of a duty: who, when, old and new. Written by a trigger, for any number of duties at
    once."""

    append_only = True

    duty_id = models.BigIntegerField(db_index=True)
    changed_at = models.DateTimeField()
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=120, blank=True)
    old_state = models.SmallIntegerField()
    new_state = models.SmallIntegerField()
    old_owner_post_id = models.BigIntegerField()
    new_owner_post_id = models.BigIntegerField()
    old_due_at = models.DateTimeField()
    new_due_at = models.DateTimeField()
    old_ended_at = models.DateTimeField(null=True)
    new_ended_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    evidence = models.JSONField(null=True)

    territory_code = TerritoryCodeField()

    class Meta(ScopedModel.Meta):
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"D-{self.duty_id} {self.old_state}>{self.new_state}"


class Schedule(ScopedModel):
    """A daily repeat that runs: the sweep makes the slots of each local day from `next_day` to `last_day`."""

    # Every night the sweep rewrites each row, so it carries no index it can do without.
    loop = models.ForeignKey(Loop, on_delete=models.CASCADE, related_name="schedules", db_index=False)
    binding = models.ForeignKey(Binding, on_delete=models.PROTECT, related_name="+", db_index=False)
    definition = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    run = models.SmallIntegerField()
    stage = models.CharField(max_length=60)
    tz = models.CharField(max_length=40)
    from_at = models.DateTimeField()
    last_day = models.DateField()
    next_day = models.DateField()
    next_open_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)
    slots = ArrayField(models.SmallIntegerField())
    warn_lead = models.DurationField()
    owner_post_id = models.BigIntegerField()
    owner_fallback = models.BooleanField(default=False)
    person_id = models.BigIntegerField(null=True)

    territory_code = TerritoryCodeField()

    class Meta(ScopedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["loop", "kind", "run"], name="loops_schedule_once")]
        indexes = [
            models.Index(
                fields=["next_open_at"],
                name="loops_schedule_next",
                condition=models.Q(until_at__isnull=True, next_day__lte=models.F("last_day")),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.next_day}..{self.last_day}"


class Escalation(ScopedModel):
    """A rung a duty climbed, at its own moment (deadline + offset), whenever it was noticed.

    It counts only while that moment lies before the duty's end: see `queries.escalations`.
    """

    duty_id = models.BigIntegerField()
    due_at = models.DateTimeField()
    step = models.SmallIntegerField()
    target = models.CharField(max_length=30)
    to_post_id = models.BigIntegerField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()

    territory_code = TerritoryCodeField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["duty_id", "step", "at"], name="loops_escalation_once")
        ]
        indexes = [models.Index(fields=["to_post_id", "at"], name="loops_escalation_to")]

    def __str__(self) -> str:
        return f"D-{self.duty_id} step {self.step}"
