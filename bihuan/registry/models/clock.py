"""Where the movable clock stands. One row; read only in demo, drill and test installations."""

from __future__ import annotations

from django.db import models


class ClockSetting(models.Model):
    """The clock shows `shown_at` at the real instant `set_at`, and runs on from there (both UTC)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    shown_at = models.DateTimeField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="registry_clock_one_row")]

    def __str__(self) -> str:
        return f"{self.shown_at:%Y-%m-%d %H:%M:%S} UTC"
