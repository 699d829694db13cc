"""Places people visit, and the keyed numbers under which people stand in the visit store."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import track
from bihuan.tracing.rules.settings import SettingKind

SETTING_LABELS = [
    (SettingKind.HOME.value, _("Home")),
    (SettingKind.SHOP.value, _("Shop")),
    (SettingKind.MARKET.value, _("Market")),
    (SettingKind.RESTAURANT.value, _("Restaurant")),
    (SettingKind.WORKPLACE.value, _("Workplace")),
    (SettingKind.SCHOOL.value, _("School")),
    (SettingKind.CLINIC.value, _("Clinic")),
    (SettingKind.HOSPITAL.value, _("Hospital")),
    (SettingKind.CARE_HOME.value, _("Care home")),
    (SettingKind.PRISON.value, _("Prison")),
    (SettingKind.WORSHIP.value, _("Place of worship")),
    (SettingKind.ENTERTAINMENT.value, _("Entertainment and sport")),
    (SettingKind.GATHERING.value, _("Gathering")),
    (SettingKind.HOTEL.value, _("Hotel")),
    (SettingKind.STATION.value, _("Station or port")),
    (SettingKind.TRAIN.value, _("Train")),
    (SettingKind.AIRCRAFT.value, _("Aircraft")),
    (SettingKind.COACH.value, _("Coach or bus")),
    (SettingKind.SHIP.value, _("Ship")),
    (SettingKind.VEHICLE.value, _("Car or taxi")),
    (SettingKind.COMMUNITY_GATE.value, _("Gate of a community")),
    (SettingKind.OUTDOORS.value, _("Outdoors")),
    (SettingKind.OTHER.value, _("Other setting")),
    (SettingKind.UNKNOWN.value, _("Setting not known")),
]


def place_id() -> str:
    return new_id("L")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "store_id",
        "name",
        "name_en",
        "kind",
        "address",
        "capacity",
        "active",
        "closed_at",
    ]
)
class Place(ScopedModel):
    """A shop, ward, carriage, gate: somewhere with a door and a register.

    `store_id` is the id under which its entry records stand in the visit store. `capacity` is the head-count
    limit the place was given (D0-15; None = no limit). `latitude`, `longitude` in degrees (WGS 84).
    `closed_at` since when it is not `active`: its gate still sends what it recorded before (None = open).
    """

    public_id = WordField(max_length=20, unique=True, default=place_id)
    store_id = WordField(max_length=120, unique=True)
    name = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=20, choices=SETTING_LABELS, default=SettingKind.UNKNOWN.value)
    address = models.CharField(max_length=300, blank=True)
    latitude = models.FloatField(null=True, blank=True)
    longitude = models.FloatField(null=True, blank=True)
    capacity = models.PositiveIntegerField(null=True, blank=True)
    active = models.BooleanField(default=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    recorded_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(active=True, closed_at__isnull=True)
                | models.Q(active=False, closed_at__isnull=False),
                name="tracing_place_closed_since",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Pseudonym(models.Model):
    """The keyed number of a person in the visit store (`epi.visits.numbers.keyed_number` as a signed number).

    The door's role reads it only through functions of the database (migration 0004): one answers with people
    of the scope acted in, one tells no more than the county somebody lives in. One row for each form in
    which a gate may have recorded the identity number or phone. `of` is the person's search index of that
    thing (`id_index`, `phone_index`), by which a number that changed is noticed; the old one stays, as the
    old visits do.
    """

    hidden_from_door = True

    ID, PHONE = "id", "phone"

    person = models.ForeignKey("registry.Person", on_delete=models.CASCADE, related_name="+")
    key = models.BigIntegerField(db_index=True)
    kind = models.CharField(max_length=8)
    of = WordField(max_length=64)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "key"], name="tracing_pseudonym_once")]

    def __str__(self) -> str:
        return f"{self.person_id} {self.kind}"
