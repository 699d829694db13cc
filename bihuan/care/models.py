"""Facts of care: observation orders with their decision record, daily checks, follow-ups, appeals."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bihuan.care.rules import AppealDecision, CheckKind, EndReason, HomeKind, OrderKind, Symptom
from bihuan.care.rules.own_page import OwnEnd
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import track

ORDER_KIND_LABELS = [
    (OrderKind.HOME.value, _("Observation at home")),
    (OrderKind.FACILITY.value, _("Observation in a facility")),
]
HOME_LABELS = [
    (HomeKind.MONITORING.value, _("Health monitoring at home")),
    (HomeKind.ISOLATION.value, _("Isolation at home")),
]
END_LABELS = [
    (EndReason.END_REACHED.value, _("Its planned end was reached")),
    (EndReason.RELEASED.value, _("Released at the end")),
    (EndReason.SOURCE_EXCLUDED.value, _("The source case was excluded")),
    (EndReason.GENERAL_CONTACT.value, _("Re-assessed as a general contact")),
    (EndReason.BECAME_CASE.value, _("Became a case")),
    (EndReason.APPEAL_UPHELD.value, _("Appeal upheld")),
    (EndReason.APPEAL_UNANSWERED.value, _("Appeal not answered in time")),
    (EndReason.REPLACED.value, _("Replaced by a later order")),
    (EndReason.LOST.value, _("Person not found")),
    (EndReason.DIED.value, _("Person died")),
    (EndReason.NAMED_IN_ERROR.value, _("Named a contact in error")),
    (EndReason.JOINED.value, _("Observed as another contact of hers")),
]
CHECK_LABELS = [
    (CheckKind.TEMPERATURE.value, _("Temperature")),
    (CheckKind.FOLLOW_UP.value, _("Follow-up")),
]
SYMPTOM_LABELS = [
    (Symptom.FEVER.value, _("Fever")),
    (Symptom.COUGH.value, _("Cough")),
    (Symptom.FATIGUE.value, _("Fatigue")),
    (Symptom.SORE_THROAT.value, _("Sore throat")),
    (Symptom.LOSS_OF_SMELL.value, _("Loss of smell or taste")),
    (Symptom.DIARRHEA.value, _("Diarrhea")),
    (Symptom.BREATHLESS.value, _("Short of breath")),
    (Symptom.OTHER.value, _("Other symptom")),
]
DECISION_LABELS = [
    (AppealDecision.UPHELD.value, _("Upheld: the order ends")),
    (AppealDecision.REJECTED.value, _("Rejected: the order stands")),
    (AppealDecision.LAPSED.value, _("Not answered in time: the order ended")),
    (AppealDecision.WITHDRAWN.value, _("Withdrawn")),
]
OWN_END_LABELS = [
    (OwnEnd.RENEWED.value, _("A newer code was given")),
    (OwnEnd.TAKEN_BACK.value, pgettext_lazy("code", "Taken back")),
    (OwnEnd.GUESSED.value, _("Wrong answers too often")),
]


def order_id() -> str:
    return new_id("O")


def appeal_id() -> str:
    return new_id("A")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "person",
        "contact",
        "kind",
        "proposer",
        "evidence",
        "pack",
        "rule",
        "clause",
        "approver",
        "start_at",
        "end_at",
        "last_day",
        "review_on",
        "ended_at",
        "end_reason",
    ],
)
class Order(ScopedModel):
    """An observation order. It is a control, so its whole decision record stands in the row (D4-27a).

    `day_zero` is exposure day 0, `first_day` and `last_day` (inclusive) its local days, `end_at` the midnight
    after the last day. An order never lasts beyond `end_at`: a longer one is a new order that names this one.
    `home_from` is the first day of a second stage at home (None: one stage), `home_kind` what the edition
    calls it, `moved_at` when who was at a site was taken home for it.
    """

    public_id = models.CharField(max_length=20, unique=True, default=order_id)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="orders")
    contact = models.ForeignKey("tracing.Contact", on_delete=models.PROTECT, related_name="orders")
    kind = models.CharField(max_length=10, choices=ORDER_KIND_LABELS)
    place = models.CharField(max_length=200, blank=True)
    proposer = models.CharField(max_length=120)
    proposer_account_id = models.BigIntegerField(null=True)
    proposer_post_id = models.BigIntegerField(null=True)
    evidence = models.CharField(max_length=300)
    pack = models.CharField(max_length=120)
    rule = models.CharField(max_length=80)
    clause = models.CharField(max_length=160)
    approver = models.CharField(max_length=120)
    approver_account_id = models.BigIntegerField(null=True)
    approver_post_id = models.BigIntegerField(null=True)
    start_at = models.DateTimeField()
    start_precision = models.CharField(max_length=6, default="minute")
    day_zero = models.DateField()
    first_day = models.DateField()
    last_day = models.DateField()
    end_at = models.DateTimeField()
    review_on = models.DateField()
    tests_on = ArrayField(models.DateField(), default=list)
    home_from = models.DateField(null=True, blank=True)
    home_kind = models.CharField(max_length=12, choices=HOME_LABELS, blank=True)
    moved_at = models.DateTimeField(null=True, blank=True)
    moved_by = models.CharField(max_length=120, blank=True)
    replaces = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=20, choices=END_LABELS, blank=True)
    end_text = models.CharField(max_length=300, blank=True)
    ended_by = models.CharField(max_length=120, blank=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(
                fields=["end_at"], name="care_order_running", condition=models.Q(ended_at__isnull=True)
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["contact"], name="care_order_one_running", condition=models.Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=models.Q(end_at__gt=models.F("start_at")), name="care_order_forward"
            ),
            models.CheckConstraint(
                condition=~(
                    models.Q(proposer="")
                    | models.Q(approver="")
                    | models.Q(evidence="")
                    | models.Q(rule="")
                    | models.Q(clause="")
                ),
                name="care_order_record_complete",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class DailyCheck(ScopedModel):
    """One temperature or follow-up under an order. `at` is when it was done, `recorded_at` when it was
    known.
    """

    contact = models.ForeignKey("tracing.Contact", on_delete=models.PROTECT, related_name="checks")
    order = models.ForeignKey(Order, null=True, blank=True, on_delete=models.PROTECT, related_name="checks")
    kind = models.CharField(max_length=12, choices=CHECK_LABELS)
    at = models.DateTimeField()
    at_precision = models.CharField(max_length=6, default="minute")
    value = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    symptoms = ArrayField(models.CharField(max_length=20, choices=SYMPTOM_LABELS), default=list, blank=True)
    note = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["contact", "at"], name="care_check_contact")]

    def __str__(self) -> str:
        return f"{self.contact_id} {self.kind} {self.at:%Y-%m-%d %H:%M}"


class FollowUp(ScopedModel):
    """A recheck after discharge (weeks 2 and 4). Re-positive is a result here, not a new case
    (protocols.md 2).
    """

    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="follow_ups")
    week = models.SmallIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    at_precision = models.CharField(max_length=6, default="minute")
    result = models.CharField(max_length=14, blank=True)
    symptoms = ArrayField(models.CharField(max_length=20, choices=SYMPTOM_LABELS), default=list, blank=True)
    note = models.CharField(max_length=300, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"{self.case_id} week {self.week}"


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "order",
        "filed_at",
        "due_at",
        "decided_at",
        "decision",
        "decision_reason",
    ],
)
class Appeal(ScopedModel):
    """A person (or somebody for her) asks whether an order stands. Unanswered by `due_at`, the order ends."""

    public_id = models.CharField(max_length=20, unique=True, default=appeal_id)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="appeals")
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="appeals")
    text = models.TextField()
    filed_by = models.CharField(max_length=120)
    filed_at = models.DateTimeField()
    due_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decision = models.CharField(max_length=10, choices=DECISION_LABELS, blank=True)
    decision_reason = models.CharField(max_length=300, blank=True)
    decided_by = models.CharField(max_length=120, blank=True)
    decided_by_account_id = models.BigIntegerField(null=True)
    decided_by_post_id = models.BigIntegerField(null=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(
                fields=["due_at"], name="care_appeal_waiting", condition=models.Q(decided_at__isnull=True)
            )
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["order"], name="care_appeal_one_waiting", condition=models.Q(decided_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.public_id


def own_access_id() -> str:
    return new_id("Y")


@track(
    fields=[
        "id",
        "public_id",
        "person",
        "territory_code",
        "reach",
        "given_at",
        "given_by",
        "given_by_account_id",
        "given_by_post_id",
        "until_at",
        "ended_at",
        "end_reason",
    ]
)
class OwnAccess(ScopedModel):
    """A code that opens somebody's own page, given to her by a post. Of the code only a keyed hash is kept.

    `reach` is the territory of that post: what lies outside is not shown, as the post does not see it either.
    `wrong` counts answers that were not hers, `opened` how often the page was opened, last at `opened_at`.
    """

    public_id = models.CharField(max_length=20, unique=True, default=own_access_id)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+")
    reach = models.CharField(max_length=64, blank=True)
    code_index = models.CharField(max_length=64, unique=True)
    given_at = models.DateTimeField()
    given_by = models.CharField(max_length=120, blank=True)
    given_by_account_id = models.BigIntegerField(null=True)
    given_by_post_id = models.BigIntegerField(null=True)
    until_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=12, choices=OWN_END_LABELS, blank=True)
    wrong = models.PositiveSmallIntegerField(default=0)
    opened = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["person"], name="care_own_access_one", condition=models.Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=models.Q(until_at__gt=models.F("given_at")), name="care_own_access_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
