"""Who looked at whom and why, what was opened in an emergency, and the chain that proves both."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.registry.ids import new_id
from bihuan.registry.models.base import ScopedModel
from bihuan.registry.models.history import append_only, track


def glass_id() -> str:
    return new_id("B")


class AccessLog(ScopedModel):
    """Personal data of one person were read, once. Append-only.

    `fields` names what was shown, `purpose` why; `territory_code` is the person's at that moment.
    """

    append_only = True

    at = models.DateTimeField()
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=120, blank=True)
    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+", db_index=False)
    fields = ArrayField(models.CharField(max_length=40))
    purpose = models.CharField(max_length=200)
    door = models.CharField(max_length=20)
    request_id = models.CharField(max_length=40, blank=True)
    glass = models.CharField(max_length=20, blank=True)

    class Meta(ScopedModel.Meta):
        triggers = [append_only()]
        indexes = [
            models.Index(fields=["person", "at"], name="registry_access_person"),
            models.Index(fields=["account_id", "at"], name="registry_access_account"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(purpose=""), name="registry_access_has_purpose")
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.account_id} → {self.person_id}"


@track(
    fields=[
        "id",
        "public_id",
        "account_id",
        "post_id",
        "territory_code",
        "person",
        "reason",
        "opened_at",
        "until_at",
        "ended_at",
    ]
)
class BreakGlass(ScopedModel):
    """A post opened another territory in an emergency, for a time and a reason; that territory sees it."""

    public_id = models.CharField(max_length=20, unique=True, default=glass_id)
    account_id = models.BigIntegerField()
    post_id = models.BigIntegerField()
    person = models.ForeignKey("registry.Person", null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(_("reason"), max_length=300)
    opened_at = models.DateTimeField()
    until_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(ScopedModel.Meta):
        indexes = [models.Index(fields=["account_id", "until_at"], name="registry_glass_account")]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="registry_glass_has_reason"),
            models.CheckConstraint(
                condition=models.Q(until_at__gt=models.F("opened_at")), name="registry_glass_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class ChainBlock(models.Model):
    """One link of the audit chain. Append-only.

    `content` is what was hashed: the tables with their new rows (see `registry/chain.py`). `hash` is
    SHA-256 of the previous hash and the canonical content, `mac` the same under a key outside the database.
    """

    append_only = True

    number = models.BigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    content = models.JSONField()
    hash = models.CharField(max_length=64, unique=True)
    mac = models.CharField(max_length=64)
    key_name = models.CharField(max_length=16)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.number} {self.hash[:12]}"


class ShredRecord(ScopedModel):
    """Identity data were destroyed: of whom (pseudonym), why, by whom, how many rows of which kind.

    Append-only, and what the audit chain accepts as the reason that history rows are empty.
    """

    append_only = True

    person = models.ForeignKey("registry.Person", on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    reason = models.CharField(max_length=300)
    account_id = models.BigIntegerField(null=True)
    post_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(max_length=120, blank=True)
    rows = models.JSONField(default=dict)

    class Meta(ScopedModel.Meta):
        triggers = [append_only()]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="registry_shred_has_reason")
        ]

    def __str__(self) -> str:
        return f"{self.person_id} {self.at:%Y-%m-%d}"
