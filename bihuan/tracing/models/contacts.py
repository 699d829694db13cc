"""Facts about exposures: contacts, further exposures, and links between cases."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField, county_field
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel, TerritoryCodeField
from bihuan.registry.models.history import append_only, track
from bihuan.tracing.rules import ExposureKind, Status

STATUS_LABELS = [
    (Status.CANDIDATE.value, _("To be assessed")),
    (Status.CONFIRMED.value, _("Close contact")),
    (Status.GENERAL.value, _("General contact")),
    (Status.RELEASED.value, _("Released")),
    (Status.BECAME_CASE.value, _("Became a case")),
    (Status.LOST.value, _("Not found")),
    (Status.HANDED_OVER.value, _("Handed over")),
]
EXPOSURE_LABELS = [
    (ExposureKind.HOUSEHOLD.value, _("Same household")),
    (ExposureKind.CARE.value, _("Care or treatment")),
    (ExposureKind.WORK_OR_SCHOOL.value, _("Work or school")),
    (ExposureKind.MEAL_OR_GATHERING.value, _("Meal or gathering")),
    (ExposureKind.TRANSPORT.value, _("Transport")),
    (ExposureKind.HOSPITAL_VISIT.value, _("Hospital visit")),
    (ExposureKind.ENVIRONMENT.value, _("Contaminated environment")),
    (ExposureKind.OTHER.value, _("Other exposure")),
    (ExposureKind.UNKNOWN.value, _("Exposure not stated")),
]


def contact_id() -> str:
    return new_id("K")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "person",
        "case",
        "local_id",
        "exposure_kind",
        "exposure_first",
        "exposure_last",
        "criterion",
        "status",
        "released_at",
        "release_reason",
        "became_case",
        "recorded_at",
    ],
    personal=("local_id",),
)
class Contact(ScopedModel):
    """A person exposed to a case, or to several: whoever is an open contact is not made a second one.

    `case` is the source first named, further ones stand in `Exposure`. `exposure_last` is the deciding last
    exposure of all that stand; `own_last` what this record itself told, once a further one has moved that.
    `confirmed_at` is when the person was named a close contact, from which the loop counts. `handed_over_at`:
    when another territory had taken the person over by an assistance request, and while it has.
    """

    territory_code = TerritoryCodeField()  # without an index of its own: see county_field
    county = county_field()
    public_id = WordField(max_length=20, unique=True, default=contact_id)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="contacts")
    case = models.ForeignKey(
        "cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="contacts"
    )
    local_id = models.CharField(max_length=80, blank=True, db_collation="C")
    exposure_kind = models.CharField(
        max_length=24, choices=EXPOSURE_LABELS, default=ExposureKind.UNKNOWN.value
    )
    setting = models.CharField(max_length=200, blank=True)
    exposure_first = models.DateField(null=True, blank=True)
    exposure_last = models.DateField(null=True, blank=True)
    own_last = models.DateField(null=True, blank=True)
    criterion = models.CharField(max_length=120, blank=True)
    status = models.CharField(max_length=12, choices=STATUS_LABELS, default=Status.CONFIRMED.value)
    confirmed_at = models.DateTimeField()
    confirmed_precision = models.CharField(max_length=6, default="minute")
    located_at = models.DateTimeField(null=True, blank=True)
    located_precision = models.CharField(max_length=6, default="minute")
    lost_at = models.DateTimeField(null=True, blank=True)
    handed_over_at = models.DateTimeField(null=True, blank=True)
    symptomatic_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    release_reason = models.CharField(max_length=24, blank=True)
    became_case = models.ForeignKey(
        "cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="was_contact"
    )
    source_key = WordField(max_length=120, null=True, blank=True, unique=True, db_collation="C")
    recorded_at = models.DateTimeField()
    recorded_by_account_id = models.BigIntegerField(null=True)
    recorded_by_post_id = models.BigIntegerField(null=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(fields=["-confirmed_at", "-id"], name="tracing_contact_newest"),
            models.Index(fields=["county", "-confirmed_at", "-id"], name="tracing_contact_county"),
            models.Index(fields=["local_id"], name="tracing_contact_local", condition=~models.Q(local_id="")),
        ]

    def __str__(self) -> str:
        return self.public_id


class Exposure(ScopedModel):
    """A further exposure of a contact: another case, or another day, told later. Append-only.

    `last` None = the day is not known. `criterion` says why it counts, `source_key` is the number of the
    record it came by, so that the same record is taken once.
    """

    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="exposures")
    case = models.ForeignKey("cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    first = models.DateField(null=True, blank=True)
    last = models.DateField(null=True, blank=True)
    kind = models.CharField(max_length=24, choices=EXPOSURE_LABELS, default=ExposureKind.UNKNOWN.value)
    setting = models.CharField(max_length=200, blank=True)
    criterion = models.CharField(max_length=120, blank=True)
    source_key = WordField(max_length=120, null=True, blank=True, unique=True, db_collation="C")
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        triggers = [append_only("exposures_stay")]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.last}"


WHY_ENDED_LABELS = [
    ("source_excluded", _("The source case was excluded")),
    ("withdrawn", _("Named in error")),
    ("joined", _("Counts for another contact of hers")),
]


class NamingEnd(ScopedModel):
    """A naming of a contact that no longer counts: its case was excluded, or it was an error. Append-only.

    `exposure` None = the contact record's own naming. `exposure_last` is what decides since, `last_day` the
    last day of observation that follows where an order was shortened by it.
    """

    append_only = True

    contact = models.ForeignKey(Contact, on_delete=models.PROTECT, related_name="ended_namings")
    exposure = models.OneToOneField(
        Exposure, null=True, blank=True, on_delete=models.PROTECT, related_name="end"
    )
    case = models.ForeignKey("cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    why = models.CharField(max_length=16, choices=WHY_ENDED_LABELS)
    reason = models.CharField(max_length=300, blank=True)
    exposure_last = models.DateField(null=True, blank=True)
    last_day = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        triggers = [append_only("endings_stay")]
        constraints = [
            models.UniqueConstraint(
                fields=["contact"],
                condition=models.Q(exposure__isnull=True),
                name="tracing_own_naming_ends_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.why}"


class CaseLink(ScopedModel):
    """Who is said to have infected whom, as the source says. `territory_code` is that of `to_case`."""

    from_case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="links_out")
    to_case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="links_in")
    kind = models.CharField(max_length=24, choices=EXPOSURE_LABELS, default=ExposureKind.UNKNOWN.value)
    setting = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=120, blank=True)
    recorded_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["from_case", "to_case"], name="tracing_link_once"),
            models.CheckConstraint(
                condition=~models.Q(from_case=models.F("to_case")), name="tracing_link_of_two"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_case_id} → {self.to_case_id}"
