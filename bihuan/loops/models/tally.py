"""Counts of duties kept by triggers, so that a board costs the same at a thousand and at a million.

`bucket` is the quarter hour that ends at or after the deadline, `lead` the minutes of warning before it,
`territory_code` the first nine characters (a street) of the duty's. `state` 0-3 as in a duty; -1 counts
duties ever created, apart from what became of them: the two sides of the conservation law.
"""

from __future__ import annotations

from django.db import models

from bihuan.registry.models.base import ScopedModel, TerritoryCodeField

CREATED = -1
STREET_CODE_LENGTH = 9


class Counted(ScopedModel):
    bucket = models.DateTimeField()
    definition = models.CharField(max_length=60)
    kind = models.CharField(max_length=60)
    stage = models.CharField(max_length=60)
    lead = models.IntegerField()
    state = models.SmallIntegerField()
    n = models.BigIntegerField()

    territory_code = TerritoryCodeField()

    class Meta(ScopedModel.Meta):
        abstract = True


class Tally(Counted):
    """Folded counts: one row a key."""

    class Meta(Counted.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["territory_code", "definition", "kind", "stage", "state", "bucket", "lead"],
                name="loops_tally_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.territory_code} {self.kind} {self.state}: {self.n}"


class TallyDelta(Counted):
    """Changes not folded yet: appended by the triggers, added by whoever reads, folded by the sweep."""

    class Meta(Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.territory_code} {self.kind} {self.state}: {self.n:+d}"
