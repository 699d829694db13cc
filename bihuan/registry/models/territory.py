"""The tree of places that have an authority."""

from __future__ import annotations

from django.db import models

from bihuan.registry.models.base import TerritoryCodeField


class Level(models.IntegerChoices):
    PROVINCE = 1
    CITY = 2
    COUNTY = 3
    STREET = 4
    COMMUNITY = 5
    GRID = 6
    UNIT = 7


class Territory(models.Model):
    """One code with the dates it was in force. A retired code names its successor, when that is known.

    `valid_from`, `valid_to` are local dates, inclusive and exclusive; None = always, still.
    `tile` is [x, y] on the schematic map of its parent, None = laid out automatically.
    """

    code = TerritoryCodeField(primary_key=True)
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=200, blank=True)
    level = models.PositiveSmallIntegerField(choices=Level.choices)
    kind = models.CharField(max_length=40, blank=True)
    parent_code = TerritoryCodeField(blank=True, db_index=True)
    valid_from = models.DateField(null=True, blank=True)
    valid_to = models.DateField(null=True, blank=True)
    successor_code = TerritoryCodeField(null=True, blank=True)
    tz = models.CharField(max_length=40, default="Asia/Shanghai")
    geometry_tile = models.JSONField(null=True, blank=True)
    population = models.BigIntegerField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["name"], name="registry_territory_name")]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"
