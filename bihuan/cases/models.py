"""Facts about cases, as they were reported, and every revision of them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F
from django.db.models.functions import Left
from django.utils.translation import gettext_lazy as _

from bihuan.cases.rules import DATED, TIMED, Classification, NoTrack, Origin, Outcome, Severity, TestResult
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel, TerritoryCodeField
from bihuan.registry.models.history import append_only, track

# Lists are indexed by the first characters of the territory code: in China's tree, the county.
COUNTY = 6


class WordField(TerritoryCodeField):
    """An id with one plain index, and not a second for LIKE; in the collation of the database, so that it can
    be matched with other ids by index."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_collation", None)
        super().__init__(*args, **kwargs)


def county_field() -> models.GeneratedField:
    """The first characters of the territory code as a column of its own, for lists in the order of time.

    An expression index would not do: under row-level security the planner uses only conditions that cannot
    leak. And the code itself has no index in such a table: beside this one it would only mislead the planner,
    which cannot know that both say the same.
    """
    code = models.CharField(max_length=COUNTY, db_collation="C")
    return models.GeneratedField(
        expression=Left("territory_code", COUNTY), output_field=code, db_persist=True
    )


CLASSIFICATION_LABELS = [
    (Classification.SUSPECTED.value, _("Suspected case")),
    (Classification.PROBABLE.value, _("Probable case")),
    (Classification.CONFIRMED.value, _("Confirmed case")),
    (Classification.CLINICALLY_DIAGNOSED.value, _("Clinically diagnosed case")),
    (Classification.ASYMPTOMATIC.value, _("Asymptomatic infection")),
    (Classification.DISCARDED.value, _("Discarded")),
]
SEVERITY_LABELS = [
    (Severity.NONE.value, _("No symptoms")),
    (Severity.MILD.value, _("Mild")),
    (Severity.MODERATE.value, _("Moderate")),
    (Severity.SEVERE.value, _("Severe")),
    (Severity.CRITICAL.value, _("Critical")),
    (Severity.UNKNOWN.value, _("Unknown severity")),
]
OUTCOME_LABELS = [
    (Outcome.IN_CARE.value, _("In care")),
    (Outcome.RECOVERED.value, _("Recovered")),
    (Outcome.DIED.value, _("Died")),
    (Outcome.UNKNOWN.value, _("Unknown outcome")),
]
ORIGIN_LABELS = [
    (Origin.IMPORTED.value, _("Imported")),
    (Origin.IMPORT_LINKED.value, _("Linked to an imported case")),
    (Origin.LOCAL.value, _("Local")),
    (Origin.EXPORTED_NOTICE.value, _("Notice about a person elsewhere")),
    (Origin.UNDER_INVESTIGATION.value, _("Under investigation")),
]
RESULT_LABELS = [
    (TestResult.POSITIVE.value, _("Positive")),
    (TestResult.NEGATIVE.value, _("Negative")),
    (TestResult.INCONCLUSIVE.value, _("Inconclusive")),
    (TestResult.PENDING.value, _("Pending")),
]

NO_TRACK_LABELS = [
    (NoTrack.PAPER_FORM.value, _("A paper form is kept elsewhere")),
    (NoTrack.OTHER_SYSTEM.value, _("Kept in another system")),
    (NoTrack.NOT_POSSIBLE.value, _("Nobody could be asked")),
]

# The day of the fact, or the local day of the instant: written by actions, always both from one Moment.
DATE_FIELDS = tuple(f"date_{name}" for name in DATED)
INSTANT_FIELDS = tuple(f"{name}_at" for name in TIMED)


def case_id() -> str:
    return new_id("C")


def test_id() -> str:
    return new_id("X")


test_id.__test__ = False  # type: ignore[attr-defined]  # a maker of ids, not a pytest test


def _day() -> Any:
    return models.DateField(null=True, blank=True)


def _instant() -> Any:
    return models.DateTimeField(null=True, blank=True)


CASE_FACTS = (
    "id",
    "public_id",
    "territory_code",
    "person",
    "local_id",
    "disease",
    "classification",
    "severity",
    *DATE_FIELDS,
    *INSTANT_FIELDS,
    "test_result",
    "outcome",
    "origin",
    "facility",
    "source_text",
    "recorded_at",
)


@track(fields=CASE_FACTS, personal=("source_text", "local_id"))
class Case(ScopedModel):
    """A person meeting a case definition.

    `date_<x>` is the local calendar date of a fact, `<x>_at` its instant, filled only if the time of day is
    known (else the precision is "day"). `found_at` is the instant the loop counts from: when the case first
    met
    a definition, `found_precision` its precision. `recorded_at` is when this house came to know of it.
    `source_key` is the importing row's key: the same row comes in once.
    """

    territory_code = TerritoryCodeField()  # without an index of its own: see county_field
    county = county_field()
    public_id = WordField(max_length=20, unique=True, default=case_id)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="cases")
    local_id = models.CharField(_("Case number"), max_length=80, blank=True, db_collation="C")
    disease = models.CharField(max_length=40, default="covid-19")
    classification = models.CharField(max_length=24, choices=CLASSIFICATION_LABELS)
    severity = models.CharField(max_length=12, choices=SEVERITY_LABELS, default=Severity.UNKNOWN.value)
    date_onset = _day()
    date_visit = _day()
    visit_at = _instant()
    date_diagnosis = _day()
    diagnosis_at = _instant()
    date_sample = _day()
    sample_at = _instant()
    date_result = _day()
    result_at = _instant()
    date_report = _day()
    report_at = _instant()
    date_confirmation = _day()
    confirmation_at = _instant()
    date_isolation = _day()
    isolation_at = _instant()
    date_admission = _day()
    admission_at = _instant()
    date_outcome = _day()
    outcome_at = _instant()
    test_result = models.CharField(max_length=14, choices=RESULT_LABELS, blank=True)
    outcome = models.CharField(max_length=12, choices=OUTCOME_LABELS, default=Outcome.UNKNOWN.value)
    origin = models.CharField(max_length=24, choices=ORIGIN_LABELS, default=Origin.UNDER_INVESTIGATION.value)
    facility = models.CharField(max_length=200, blank=True)
    source_text = models.TextField(blank=True)
    reported_by = models.ForeignKey(
        "registry.Organization",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    found_at = models.DateTimeField()
    found_precision = models.CharField(max_length=6, default="minute")
    source_key = WordField(max_length=120, null=True, blank=True, unique=True, db_collation="C")
    recorded_at = models.DateTimeField()
    recorded_by_account_id = models.BigIntegerField(null=True)
    recorded_by_post_id = models.BigIntegerField(null=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(fields=["-found_at", "-id"], name="cases_case_newest"),
            models.Index(fields=["county", "-found_at", "-id"], name="cases_case_county"),
            models.Index(F("date_onset").desc(nulls_last=True), F("id").desc(), name="cases_case_by_onset"),
            models.Index(F("date_report").desc(nulls_last=True), F("id").desc(), name="cases_case_by_report"),
            models.Index(fields=["local_id"], name="cases_case_local", condition=~models.Q(local_id="")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(found_precision__in=["minute", "day"]), name="cases_case_precision"
            )
        ]

    def __str__(self) -> str:
        return self.public_id


@track(
    fields=["id", "case", "territory_code", "field", "old", "new", "at", "reason", "recorded_at"],
    personal=("old", "new"),
)
class CaseRevision(ScopedModel):
    """One corrected field: what was said, what is said now, when it was true, when it was known (D4-21c)."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="revisions")
    field = models.CharField(max_length=40)
    old = models.TextField(blank=True)
    new = models.TextField(blank=True)
    at = models.DateTimeField()
    at_precision = models.CharField(max_length=6, default="minute")
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)
    reason = models.CharField(max_length=300)

    class Meta(ScopedModel.Meta):
        triggers = [append_only("revisions_stay")]

    def __str__(self) -> str:
        return f"{self.case_id}.{self.field}"


class Step(ScopedModel):
    """One thing done about a case that has no date of its own in `Case`: review, investigation, transfer."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="steps")
    kind = models.CharField(max_length=24)
    at = models.DateTimeField()
    at_precision = models.CharField(max_length=6, default="minute")
    data = models.JSONField(default=dict, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        triggers = [append_only("steps_stay")]

    def __str__(self) -> str:
        return f"{self.case_id} {self.kind}"


class Test(ScopedModel):
    """A specimen of a person and what it showed. `subject_kind`, `subject_id`: the case or contact it is
    for.
    """

    __test__ = False

    public_id = models.CharField(max_length=20, unique=True, default=test_id)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="tests")
    subject_kind = models.CharField(max_length=10)
    subject_id = models.CharField(max_length=20, db_collation="C")
    sampled_at = models.DateTimeField(null=True, blank=True)
    sampled_precision = models.CharField(max_length=6, default="minute")
    result = models.CharField(max_length=14, choices=RESULT_LABELS, default=TestResult.PENDING.value)
    result_at = models.DateTimeField(null=True, blank=True)
    result_precision = models.CharField(max_length=6, default="minute")
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["subject_id", "sampled_at"], name="cases_test_subject")]

    def __str__(self) -> str:
        return self.public_id
