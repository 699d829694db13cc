"""Who owes and who decides: organizations, their posts, who holds a post when, and what a post's role may do.

These are the public face of the administration and are not scoped: the next county must be able to name the
desk that a person is handed to.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from bihuan.registry.ids import new_id
from bihuan.registry.models.base import TerritoryCodeField
from bihuan.registry.models.history import track


def organization_id() -> str:
    return new_id("G")


def post_id() -> str:
    return new_id("T")


class OrganizationKind(models.TextChoices):
    COMMAND = "command", _("Command post")
    CDC = "cdc", _("Center for disease control")
    HOSPITAL = "hospital", _("Hospital")
    FEVER_CLINIC = "fever_clinic", _("Fever clinic")
    LABORATORY = "laboratory", _("Laboratory")
    STREET_OFFICE = "street_office", _("Street office")
    COMMUNITY_COMMITTEE = "community_committee", _("Community committee")
    QUARANTINE_SITE = "quarantine_site", _("Quarantine site")
    TRANSFER_TEAM = "transfer_team", _("Transfer team")
    SCHOOL = "school", _("School")
    PORT = "port", _("Point of entry")
    INSPECTION = "inspection", _("Inspection team")
    ADMINISTRATION = "administration", _("System administration")


class PostFunction(models.TextChoices):
    """What a loop definition says under `owed_by`."""

    COMMAND = "command", _("Command")
    CDC_REPORT_REVIEW = "cdc_report_review", _("Report review")
    CDC_INVESTIGATION = "cdc_investigation", _("Case investigation")
    CLINIC_REPORT = "clinic_report", _("Case reporting")
    HOSPITAL_ADMISSION = "hospital_admission", _("Admission")
    TRANSFER_TEAM = "transfer_team", _("Transfer")
    STREET_QUARANTINE = "street_quarantine", _("Quarantine of the street")
    COMMUNITY_FOLLOW_UP = "community_follow_up", _("Community follow-up")
    GRID_WORKER = "grid_worker", _("Grid work")
    SAMPLING = "sampling", _("Sampling")
    HOSPITAL_FOLLOW_UP = "hospital_follow_up", _("Follow-up after discharge")
    INSPECTOR = "inspector", _("Inspection")
    ADMINISTRATION = "administration", _("Administration")
    EXCHANGE = "exchange", _("Data exchange")


class Organization(models.Model):
    public_id = models.CharField(max_length=20, unique=True, default=organization_id)
    name = models.CharField(max_length=160)
    name_en = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=30, choices=OrganizationKind.choices)
    territory_code = TerritoryCodeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["territory_code", "kind", "name"], name="registry_organization_once"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """A row of `packs/roles.yaml`. `label` is {zh, en}."""

    key = models.CharField(max_length=40, primary_key=True)
    label = models.JSONField(default=dict)
    second_factor = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.key


class Grant(models.Model):
    """One cell of a role: a right on a field class in a relation of territories."""

    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="cells")
    right = models.CharField(max_length=40)
    field_class = models.CharField(max_length=20)
    relation = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["role", "right", "field_class", "relation"], name="registry_grant_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.role_id}: {self.right} {self.field_class} {self.relation}"


@track(
    fields=[
        "id",
        "public_id",
        "organization",
        "title",
        "title_en",
        "function",
        "territory_code",
        "role",
        "active_from",
        "active_to",
        "duty_hours",
    ]
)
class Post(models.Model):
    """A desk that owes duties. `territory_code` is its scope; `function` is what definitions call it.

    `active_from`, `active_to` are instants (None = always, still). `duty_hours` is
    `{"days": [1..7, Monday = 1], "from": "08:00", "to": "18:00"}` in the territory's local time; {} = always.
    """

    public_id = models.CharField(max_length=20, unique=True, default=post_id)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="posts")
    title = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160, blank=True)
    function = models.CharField(max_length=40, choices=PostFunction.choices)
    territory_code = TerritoryCodeField(db_index=True)
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="posts")
    active_from = models.DateTimeField(null=True, blank=True)
    active_to = models.DateTimeField(null=True, blank=True)
    duty_hours = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [models.Index(fields=["function", "territory_code"], name="registry_post_function")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "function", "territory_code", "title"], name="registry_post_once"
            )
        ]

    def __str__(self) -> str:
        return self.title


@track(fields=["id", "post", "account", "from_at", "to_at", "delegated_from", "reason"])
class Assignment(models.Model):
    """An account holds a post from one instant to another (None = still).

    A delegation is an assignment that names the one it was lent from; it ends with it.
    """

    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="assignments")
    account = models.ForeignKey("registry.Account", on_delete=models.PROTECT, related_name="assignments")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)
    delegated_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="delegations"
    )
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(to_at__isnull=True) | models.Q(to_at__gt=models.F("from_at")),
                name="registry_assignment_forward",
            )
        ]

    def __str__(self) -> str:
        return f"{self.account_id} in {self.post_id}"


class ApiToken(models.Model):
    """A key of another system, which acts in a post of an organization. Only its hash is kept."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="tokens")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="tokens")
    name = models.CharField(max_length=120)
    hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name
