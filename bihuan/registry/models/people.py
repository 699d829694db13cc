"""People and households: who, where to find them, and which records are one person.

A row is a person as one source reported her. Records of one person are joined, never mixed: `root` points
to the record that stands for all of them, and every query of the upper rooms can group by it. Numbers
are kept as cipher and keyed hash (`registry/secrets.py`), the name with what finds it (`registry/names.py`).
"""

from __future__ import annotations

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.registry.ids import new_id
from bihuan.registry.models.base import PlainField, ScopedModel
from bihuan.registry.models.history import track

NAME_LENGTH = 200


def person_id() -> str:
    return new_id("P")


def household_id() -> str:
    return new_id("H")


class PersonSex(models.TextChoices):
    MALE = "M", _("Male")
    FEMALE = "F", _("Female")
    OTHER = "O", _("Other sex")
    UNKNOWN = "U", _("Not stated")


class IdentityKind(models.TextChoices):
    RESIDENT = "resident", _("Resident identity card")
    PASSPORT = "passport", _("Passport")
    PERMANENT = "permanent_residence", _("Foreigner's permanent residence card")
    HK_MACAO = "hk_macao_permit", _("Hong Kong or Macao permit")
    TAIWAN = "taiwan_permit", _("Taiwan permit")
    BIRTH = "birth_certificate", _("Birth certificate")
    MILITARY = "military", _("Military card")
    OTHER = "other", _("Other document")
    LOCAL = "local", _("Number within the source")


@track(fields=["id", "public_id", "address", "territory_code", "unit_code"], personal=["address"])
class Household(ScopedModel):
    """Where people live together. `unit_code` is the ten-household unit (十户联防) or building, a code below
    `territory_code` in the tree or equal to it."""

    public_id = models.CharField(max_length=20, unique=True, default=household_id)
    address = models.CharField(max_length=300, blank=True)
    unit_code = models.CharField(max_length=64, blank=True, db_index=True)

    def __str__(self) -> str:
        return self.public_id


# What the shredder empties, in the row and in its history.
PERSONAL_FIELDS = (
    "name",
    "date_birth",
    "id_kind",
    "id_cipher",
    "id_index",
    "phone_cipher",
    "phone_index",
    "address",
    "occupation",
    "local_id",
)


@track(
    fields=[
        "id",
        "public_id",
        "name",
        "sex",
        "date_birth",
        "age_years",
        "age_reported_on",
        "id_kind",
        "id_cipher",
        "id_index",
        "phone_cipher",
        "phone_index",
        "address",
        "territory_code",
        "household",
        "occupation",
        "merged_into",
        "root",
        "source",
        "local_id",
        "shredded_at",
    ],
    personal=PERSONAL_FIELDS,
)
class Person(ScopedModel):
    """A person as one source reported her.

    `date_birth` and `age_years` (as reported, on `age_reported_on`) may both be missing. `birth_year` is
    derived from either and serves the duplicate search. `name_pinyin`, `name_initials`, `name_key` and
    `name_tokens` are derived from the name. `root` is this row itself unless it was merged.
    """

    public_id = PlainField(max_length=20, unique=True, default=person_id)
    name = models.CharField(max_length=NAME_LENGTH, blank=True, db_collation="C")
    name_pinyin = models.CharField(max_length=NAME_LENGTH, blank=True, db_collation="C")
    name_initials = models.CharField(max_length=40, blank=True, db_collation="C")
    name_key = models.CharField(max_length=NAME_LENGTH, blank=True, db_collation="C")
    name_tokens = ArrayField(models.CharField(max_length=NAME_LENGTH), default=list, blank=True)
    sex = models.CharField(max_length=1, choices=PersonSex.choices, default=PersonSex.UNKNOWN)
    date_birth = models.DateField(null=True, blank=True)
    birth_year = models.SmallIntegerField(null=True, blank=True)
    age_years = models.SmallIntegerField(null=True, blank=True)
    age_reported_on = models.DateField(null=True, blank=True)
    id_kind = models.CharField(max_length=30, choices=IdentityKind.choices, blank=True)
    id_cipher = models.BinaryField(null=True, blank=True)
    id_index = models.CharField(max_length=64, blank=True, db_collation="C")
    phone_cipher = models.BinaryField(null=True, blank=True)
    phone_index = models.CharField(max_length=64, blank=True, db_collation="C")
    address = models.CharField(max_length=300, blank=True)
    household = models.ForeignKey(
        Household, null=True, blank=True, on_delete=models.PROTECT, related_name="people", db_index=False
    )
    occupation = models.CharField(max_length=80, blank=True)
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="merged_records",
        db_index=False,
    )
    root = models.ForeignKey(
        "self", on_delete=models.PROTECT, related_name="same_person", db_constraint=False
    )
    source = models.CharField(max_length=80, blank=True)
    local_id = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField()
    shredded_at = models.DateTimeField(null=True, blank=True)

    class Meta(ScopedModel.Meta):
        indexes = [
            models.Index(
                fields=["id_index"], name="registry_person_id_index", condition=~models.Q(id_index="")
            ),
            models.Index(
                fields=["phone_index"], name="registry_person_phone", condition=~models.Q(phone_index="")
            ),
            models.Index(fields=["name_key", "birth_year"], name="registry_person_name_year"),
            models.Index(fields=["date_birth", "name_key"], name="registry_person_birth_name"),
            models.Index(fields=["name"], name="registry_person_name"),
            models.Index(fields=["name_pinyin"], name="registry_person_pinyin"),
            models.Index(fields=["name_initials"], name="registry_person_initials"),
            GinIndex(fields=["name_tokens"], name="registry_person_tokens"),
            models.Index(
                fields=["source", "local_id"],
                name="registry_person_local",
                condition=~models.Q(local_id=""),
            ),
            # Few have either: rows without are not in these.
            models.Index(
                fields=["household"], name="registry_person_home", condition=models.Q(household__isnull=False)
            ),
            models.Index(
                fields=["merged_into"],
                name="registry_person_merged",
                condition=models.Q(merged_into__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="root_is_self",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Q(new__root__isnull=True),
                func="NEW.root_id := NEW.id; RETURN NEW;",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(merged_into__isnull=False) | models.Q(root=models.F("id")),
                name="registry_person_root_or_merged",
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class MergeRecord(ScopedModel):
    """Somebody found two records to be one person, and perhaps took it back.

    Only records without `undone_at` hold; the roots of people follow from them in the order of their ids.
    `territory_code` is the longest common code of the two.
    """

    kept = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    merged = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=300)
    merged_at = models.DateTimeField()
    merged_by_account_id = models.BigIntegerField(null=True)
    merged_by_post_id = models.BigIntegerField(null=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_reason = models.CharField(max_length=300, blank=True)
    undone_by_account_id = models.BigIntegerField(null=True)
    undone_by_post_id = models.BigIntegerField(null=True)

    class Meta(ScopedModel.Meta):
        constraints = [
            models.CheckConstraint(condition=~models.Q(kept=models.F("merged")), name="registry_merge_of_two")
        ]

    def __str__(self) -> str:
        return f"{self.kept_id} ← {self.merged_id}"


class DuplicateVerdict(models.TextChoices):
    OPEN = "open", _("To be decided")
    SAME = "same", _("The same person")
    DIFFERENT = "different", _("Not the same person")


class DuplicateDecision(ScopedModel):
    """Two records that look like one person, and what somebody decided. The lower id stands first.

    `territory_code` is the longest common code of the two, so that only who may see both sees it.
    """

    low = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    high = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=DuplicateVerdict.choices, default=DuplicateVerdict.OPEN)
    score = models.SmallIntegerField(null=True)
    why = models.JSONField(default=list)
    found_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by_account_id = models.BigIntegerField(null=True)
    decided_by_post_id = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta(ScopedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["low", "high"], name="registry_duplicate_pair_once"),
            models.CheckConstraint(
                condition=models.Q(low__lt=models.F("high")), name="registry_duplicate_low_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.low_id} ? {self.high_id}: {self.verdict}"
