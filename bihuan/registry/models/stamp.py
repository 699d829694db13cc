"""A mark that changes with every change of a table, so that a process knows when its copy is old."""

from __future__ import annotations

from django.db import models


class Stamp(models.Model):
    """One row for each watched table; a statement trigger writes a new random value on every change.

    Random and not counted up: a rolled-back change never leaves a value that a later one reaches again.
    """

    name = models.CharField(max_length=40, primary_key=True)
    value = models.UUIDField()

    def __str__(self) -> str:
        return self.name
