"""An investigation (流调) of one case: its track day by day, where it may have come from, and every look at
the visit store that was taken for it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.cases.models import WordField
from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import append_only, track
from bihuan.registry.purposes import said
from bihuan.tracing.models.places import SETTING_LABELS
from bihuan.tracing.rules.settings import SettingKind

SOURCE_LABELS = [
    ("interview", _("Interview")),
    ("visit", _("Entry record")),
    ("transport", _("Transport record")),
    ("document", _("Document or receipt")),
    ("other", _("Other source")),
]
CERTAINTY_LABELS = [
    ("confirmed", _("Certain")),
    ("likely", _("Likely")),
    ("unconfirmed", _("Not confirmed")),
]
HYPOTHESIS_LABELS = [
    ("case", _("A known case")),
    ("place", _("A place or event")),
    ("imported", _("Brought in from elsewhere")),
    ("household", _("The household")),
    ("occupation", _("Work")),
    ("environment", _("Goods or environment")),
    ("unknown", _("Not known")),
]
STANDING_LABELS = [
    ("leading", _("Most likely")),
    ("possible", _("Possible")),
    ("ruled_out", _("Ruled out")),
]
LOOK_LABELS = [
    ("track", _("Where a case was")),
    ("met", _("Who was where a case was")),
    ("place", _("Who was at a place")),
    ("common", _("Where cases were together")),
    ("stranger", _("What gates registered of a number")),
]


def investigation_id() -> str:
    return new_id("I")


@track(
    fields=[
        "id",
        "public_id",
        "territory_code",
        "case",
        "status",
        "purpose",
        "legal_basis",
        "window_from",
        "window_to",
        "no_track_reason",
        "closed_at",
        "summary",
    ],
    personal=("summary", "no_track_reason"),
)
class Investigation(ScopedModel):
    """The investigation of a case. Personal data of the visit store are looked at only while one is open.

    `window_from` and `window_to` (UTC) bound what may be looked at: the days the case may have infected
    others, and, for where it came from, `source_from`. `window_to` None = until now. `due_at` is the clock of
    the investigation duty. `in_error`: it was opened for the wrong case; closed, and its duty is owed as
    before. Times in UTC.
    """

    OPEN, CLOSED = "open", "closed"

    public_id = WordField(max_length=20, unique=True, default=investigation_id)
    case = models.ForeignKey("cases.Case", on_delete=models.PROTECT, related_name="investigations")
    status = models.CharField(max_length=8, choices=[(OPEN, _("open")), (CLOSED, _("closed"))], default=OPEN)
    purpose = models.CharField(max_length=200)
    legal_basis = models.CharField(max_length=200, blank=True)
    source_from = models.DateTimeField()
    window_from = models.DateTimeField()
    window_to = models.DateTimeField(null=True, blank=True)
    opened_at = models.DateTimeField()
    opened_by_account_id = models.BigIntegerField(null=True)
    opened_by_post_id = models.BigIntegerField(null=True)
    opened_by_name = models.CharField(max_length=120)
    due_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by_name = models.CharField(max_length=120, blank=True)
    summary = models.TextField(blank=True)
    no_track_reason = models.CharField(max_length=300, blank=True)
    in_error = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["case"], condition=models.Q(status="open"), name="tracing_one_open_investigation"
            )
        ]

    @property
    def purpose_said(self) -> str:
        """What it is for, in the reader's language."""
        return said(self.purpose)

    def __str__(self) -> str:
        return self.public_id


@track(
    fields=[
        "id",
        "investigation",
        "territory_code",
        "from_at",
        "to_at",
        "precision",
        "place",
        "place_text",
        "setting",
        "activity",
        "companions",
        "source",
        "certainty",
        "retracted_at",
        "retracted_reason",
    ],
    personal=("place", "place_text", "activity", "companions", "retracted_reason"),
)
class TrackEntry(ScopedModel):
    """One stay or journey of a case. `precision`: minute, part (of a day), day. Times in UTC.

    `source` and `certainty` as told; an entry made from a visit record starts as not confirmed, because a
    forwarded code is not presence. `visit` keeps what the record said: store id of the place, start and end
    as minutes of the store. `territory_code` is the case's; `place_territory` is where it was. A wrong entry
    is retracted with a reason, and stays readable.
    """

    investigation = models.ForeignKey(Investigation, on_delete=models.PROTECT, related_name="entries")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)
    precision = models.CharField(max_length=6, default="minute")
    place = models.ForeignKey(
        "tracing.Place", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    place_text = models.CharField(max_length=200, blank=True)
    place_territory = WordField(max_length=64, blank=True)
    setting = models.CharField(max_length=20, choices=SETTING_LABELS, default=SettingKind.UNKNOWN.value)
    activity = models.CharField(max_length=300, blank=True)
    companions = models.CharField(max_length=300, blank=True)
    source = models.CharField(max_length=10, choices=SOURCE_LABELS)
    certainty = models.CharField(max_length=12, choices=CERTAINTY_LABELS)
    visit = models.JSONField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)
    retracted_at = models.DateTimeField(null=True, blank=True)
    retracted_by_name = models.CharField(max_length=120, blank=True)
    retracted_reason = models.CharField(max_length=300, blank=True)

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["investigation", "from_at"], name="tracing_track_in_time")]

    def __str__(self) -> str:
        return f"{self.investigation_id} {self.from_at}"


@track(
    fields=["id", "investigation", "territory_code", "kind", "standing", "case", "place", "text", "reasons"],
    personal=("text", "reasons"),
)
class SourceHypothesis(ScopedModel):
    """Where the case may have been infected, and what speaks for and against it."""

    investigation = models.ForeignKey(Investigation, on_delete=models.PROTECT, related_name="hypotheses")
    kind = models.CharField(max_length=12, choices=HYPOTHESIS_LABELS)
    standing = models.CharField(max_length=10, choices=STANDING_LABELS, default="possible")
    case = models.ForeignKey("cases.Case", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    place = models.ForeignKey(
        "tracing.Place", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    text = models.CharField(max_length=300, blank=True)
    reasons = models.CharField(max_length=600, blank=True)
    recorded_at = models.DateTimeField()
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return f"{self.investigation_id} {self.kind} {self.standing}"


class VisitLook(ScopedModel):
    """One look at who was where: who looked, for which investigation, why, at what, and how much was shown.

    `persons` are the people of the register it concerned (their pages show it); `place` the store's id;
    `since` and `until` what was asked (UTC); `rows` how many lines were shown. Append-only.
    """

    append_only = True

    investigation = models.ForeignKey(Investigation, on_delete=models.PROTECT, related_name="looks")
    at = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=LOOK_LABELS)
    purpose = models.CharField(max_length=200)
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120)
    door = models.CharField(max_length=12)
    persons = ArrayField(models.BigIntegerField(), default=list)
    place = WordField(max_length=120, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    rows = models.PositiveIntegerField()

    class Meta(ScopedModel.Meta):
        triggers = [append_only("looks_stay")]
        indexes = [models.Index(fields=["investigation", "-at"], name="tracing_look_newest")]

    @property
    def purpose_said(self) -> str:
        """What it was for, in the reader's language."""
        return said(self.purpose)

    def __str__(self) -> str:
        return f"{self.investigation_id} {self.kind} {self.at}"
