"""A loop, and the bound definition that rules it."""

from __future__ import annotations

from django.db import models

from bihuan.loops.models.log import Subject
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import PlainField, ScopedModel


def loop_id() -> str:
    return new_id("L")


class Binding(models.Model):
    """A loop definition with the numbers of one policy, whole, as loops were opened with it."""

    digest = models.CharField(max_length=64, unique=True)
    definition = models.CharField(max_length=60)
    policy_id = models.CharField(max_length=400)
    body = models.JSONField()

    def __str__(self) -> str:
        return f"{self.definition} ({self.policy_id})"


class Transition(models.Model):
    """That a policy which asks for re-planning came into force, and what was done about it.

    One row a policy id (packs and their first day). `finished_at`: when a pass over all open loops first
    found nothing left to do. Each loop's own memory is the event `loop.replanned` in its subject's log.
    """

    policy_id = models.CharField(max_length=400, unique=True)
    pack = models.CharField(max_length=120)
    territory = models.CharField(max_length=40, blank=True)
    day = models.DateField()
    begun_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    n_loops = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.pack} {self.day}: {self.n_loops}"


class LoopState(models.IntegerChoices):
    OPEN = 0
    CLOSED = 1


class Loop(ScopedModel):
    """One definition at work on one subject. Follows from the subject's log; never written by hand.

    `binding` is the one it was opened with, `ruling` the one in use since the last re-planning (or the same).
    `waits` says that a condition is unknown and waits for facts. `passed_to`: how far time was let pass.
    """

    public_id = PlainField(max_length=20, unique=True, default=loop_id)
    subject = models.ForeignKey(
        Subject, on_delete=models.PROTECT, related_name="loops", db_constraint=False, db_index=False
    )
    subject_kind = models.CharField(max_length=30)
    subject_ref = models.CharField(max_length=40)
    person_id = models.BigIntegerField(null=True)
    definition = models.CharField(max_length=60)
    group = models.CharField(max_length=20)
    # Bindings are never deleted, and loops only made with one just read: no check row by row.
    binding = models.ForeignKey(
        Binding, on_delete=models.PROTECT, related_name="loops", db_index=False, db_constraint=False
    )
    ruling = models.ForeignKey(
        Binding, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    tz = models.CharField(max_length=40)
    state = models.SmallIntegerField(choices=LoopState.choices, default=LoopState.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=60, blank=True)
    openings = models.SmallIntegerField(default=1)
    waits = models.BooleanField(default=False)
    passed_to = models.DateTimeField()
    handed_to = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="handed_from", db_index=False
    )

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["subject", "definition"], name="loops_loop_once"),
            models.CheckConstraint(
                condition=models.Q(state=0, closed_at__isnull=True)
                | models.Q(state=1, closed_at__isnull=False),
                name="loops_loop_closed_has_end",
            ),
        ]
        indexes = [
            models.Index(fields=["subject_kind", "subject_ref"], name="loops_loop_subject"),
            models.Index(
                fields=["definition", "territory_code"], name="loops_loop_open", condition=models.Q(state=0)
            ),
            models.Index(
                fields=["handed_to"], name="loops_loop_handed", condition=models.Q(handed_to__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.definition} {self.subject_ref}"
