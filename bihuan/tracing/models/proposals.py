"""Who may have been a contact: proposed from presence, named by somebody, or on a passenger list, until
a person decides."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import track
from bihuan.tracing.models.places import SETTING_LABELS
from bihuan.tracing.rules.settings import SettingKind

PROPOSED: Final = "proposed"
CONFIRMED: Final = "confirmed"
DISMISSED: Final = "dismissed"
SENT: Final = "sent"

PROPOSAL_LABELS = [
    (PROPOSED, _("Proposed")),
    (CONFIRMED, _("Confirmed as contact")),
    (DISMISSED, _("Dismissed")),
    (SENT, _("Sent to another territory")),
]
ORIGIN_LABELS = [
    ("visits", _("Entry records")),
    ("named", _("Named by somebody")),
    ("manifest", _("Passenger list")),
]


def proposal_id() -> str:
    return new_id("N")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "investigation",
        "person",
        "county",
        "order",
        "state",
        "criterion",
        "clause",
        "reason",
        "decided_at",
        "contact",
        "request",
    ],
    personal=("reason",),
)
class ContactProposal(ScopedModel):
    """Somebody who may have been a contact of an investigation's case. It obliges nobody: only a person's
    decision makes a contact of it.

    `number` is the signed keyed number of the visit store (None when named or on a list), `person` who
    that is, None while it is not known or lives elsewhere; then `county` is all that is told of her.
    `order` 2 is a contact of a contact. `encounters` say why: [{case, other, place, place_name,
    setting, from, to, minutes, how}], times as ISO in UTC, `other` the signed number of the contact in
    between; of a list {vehicle, carriage, row, seat, role}. `later` are encounters that came to light
    after the decision. `score` orders the list and is no probability; its parts are in weighted
    minutes. `territory_code` is the investigation's.
    """

    public_id = WordField(max_length=20, unique=True, default=proposal_id)
    investigation = models.ForeignKey(
        "tracing.Investigation", on_delete=models.PROTECT, related_name="proposals"
    )
    origin = models.CharField(max_length=10, choices=ORIGIN_LABELS, default="visits")
    number = models.BigIntegerField(null=True, blank=True)
    person = models.ForeignKey(
        "registry.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    county = WordField(max_length=64, blank=True)
    order = models.PositiveSmallIntegerField(default=1)
    score = models.FloatField(default=0)
    score_minutes = models.FloatField(default=0)
    score_encounters = models.FloatField(default=0)
    score_cases = models.FloatField(default=0)
    minutes = models.PositiveIntegerField(default=0)
    times = models.PositiveIntegerField(default=0)
    encounters = models.JSONField(default=list)
    later = models.JSONField(default=list)
    setting = models.CharField(max_length=20, choices=SETTING_LABELS, default=SettingKind.UNKNOWN.value)
    first_at = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=PROPOSAL_LABELS, default=PROPOSED)
    criterion = models.CharField(max_length=24, blank=True)
    clause = models.CharField(max_length=160, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by_account_id = models.BigIntegerField(null=True)
    decided_by_post_id = models.BigIntegerField(null=True)
    decided_by_name = models.CharField(max_length=120, blank=True)
    contact = models.ForeignKey(
        "tracing.Contact", null=True, blank=True, on_delete=models.PROTECT, related_name="proposals"
    )
    request = WordField(max_length=20, blank=True)
    recorded_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(fields=["investigation", "state", "-score", "id"], name="tracing_proposal_ranked"),
            models.Index(fields=["person"], name="tracing_proposal_person"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["investigation", "number"], name="tracing_proposal_once"),
            models.CheckConstraint(
                condition=models.Q(state=PROPOSED) | ~models.Q(decided_by_name=""),
                name="tracing_proposal_decided_by_someone",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=CONFIRMED)
                | (models.Q(contact__isnull=False) & ~models.Q(criterion="") & ~models.Q(reason="")),
                name="tracing_proposal_confirmed_with_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
