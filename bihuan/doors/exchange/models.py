"""Import jobs, their ledger, and what each row of a list became."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel, TerritoryCodeField

NEW, MAPPED, QUEUED, RUNNING = "new", "mapped", "queued", "running"
DONE, FAILED = "done", "failed"
STATES = [
    (NEW, _("Uploaded")),
    (MAPPED, _("Mapped")),
    (QUEUED, pgettext_lazy("import", "Waiting")),
    (RUNNING, _("Running")),
    (DONE, _("Done")),
    (FAILED, _("Stopped by an error")),
]
ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"
STATUSES = [
    (ACCEPTED, _("Accepted")),
    (DUPLICATE, _("Already there")),
    (REJECTED, _("Rejected")),
]


def job_id() -> str:
    return new_id("J")


class ImportJob(ScopedModel):
    """One file on its way in. `territory_code` is the territory imported for ("" is everywhere).

    `n_rows = n_accepted + n_duplicate + n_rejected` at every commit; of the accepted, `n_revised` changed
    something imported earlier. `n_rows` is also where a stopped job goes on.
    """

    public_id = models.CharField(max_length=20, unique=True, default=job_id)
    kind = models.CharField(max_length=12)
    file_name = models.CharField(max_length=255)
    path = models.CharField(max_length=1000)
    is_upload = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField()
    mapping = models.TextField(blank=True)
    list_id = models.CharField(max_length=80, blank=True)
    given_territory = TerritoryCodeField(blank=True, default="")
    as_of = models.DateField(null=True, blank=True)
    look_for_duplicates = models.BooleanField(default=True)
    state = models.CharField(max_length=10, choices=STATES, default=NEW)
    n_total = models.IntegerField(null=True, blank=True)
    n_rows = models.IntegerField(default=0)
    n_accepted = models.IntegerField(default=0)
    n_revised = models.IntegerField(default=0)
    n_duplicate = models.IntegerField(default=0)
    n_rejected = models.IntegerField(default=0)
    notes = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    file_deleted_at = models.DateTimeField(null=True, blank=True)
    by_account_id = models.BigIntegerField(null=True)
    by_post_id = models.BigIntegerField(null=True)
    by_name = models.CharField(max_length=120, blank=True)

    class Meta(ScopedModel.Meta):
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    n_rows=models.F("n_accepted") + models.F("n_duplicate") + models.F("n_rejected")
                ),
                name="exchange_job_conserves_rows",
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class ImportRow(ScopedModel):
    """What became of one row of one job: the ledger. `findings` as in findings.CellError.as_json."""

    # Asked for by job and number alone; jobs are never deleted, so rows carry no check of their own.
    territory_code = TerritoryCodeField()
    job = models.ForeignKey(
        ImportJob, on_delete=models.CASCADE, related_name="rows", db_index=False, db_constraint=False
    )
    number = models.IntegerField()
    line = models.IntegerField()
    status = models.CharField(max_length=10, choices=STATUSES)
    is_revision = models.BooleanField(default=False)
    row_key = models.CharField(max_length=160, blank=True, db_collation="C")
    subject_id = models.CharField(max_length=20, blank=True)
    findings = models.JSONField(default=list, blank=True)

    class Meta(ScopedModel.Meta):
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="exchange_row_once")]
        indexes = [
            models.Index(
                fields=["job", "status", "number"],
                name="exchange_row_odd",
                condition=~models.Q(status=ACCEPTED),  # accepted rows are most of a list
            )
        ]

    def __str__(self) -> str:
        return f"{self.job_id}/{self.number}"


class ImportedRow(ScopedModel):
    """The last accepted contents of one row of a list, and the fact it became.

    `space` is the territory whose office keeps the list (the importing post's; "" for the command line):
    two offices may both have a list named "cases". `content` is the hash of the row's values.
    """

    territory_code = TerritoryCodeField()  # asked for by list and key, or by subject
    space = TerritoryCodeField(blank=True, default="", db_index=False)
    list_id = models.CharField(max_length=80, db_collation="C")
    kind = models.CharField(max_length=12)
    row_key = models.CharField(max_length=160, db_collation="C")
    content = models.CharField(max_length=24)
    subject_id = models.CharField(max_length=20)
    first_job = models.ForeignKey(
        ImportJob, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    last_job = models.ForeignKey(
        ImportJob, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    last_line = models.IntegerField()

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["list_id", "kind", "row_key", "space"], name="exchange_imported_once"
            )
        ]
        indexes = [models.Index(fields=["subject_id"], name="exchange_imported_subject")]

    def __str__(self) -> str:
        return f"{self.list_id}/{self.row_key}"
