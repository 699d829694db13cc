"""What a post is told: notices, gathered into one digest per post and sending time."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Digest(models.Model):
    """All that one post is told at one time. It is on the post's page at once and leaves by the other ways
    (mail, message) from `send_at` on. `counts` is {kind: n} of its notices."""

    post = models.ForeignKey("registry.Post", on_delete=models.CASCADE, related_name="digests")
    send_at = models.DateTimeField()
    counts = models.JSONField(default=dict)
    n_notices = models.IntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by_account_id = models.BigIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "send_at"], name="registry_digest_once")]
        indexes = [models.Index(fields=["send_at"], name="registry_digest_send_at")]

    def __str__(self) -> str:
        return f"{self.post_id} {self.send_at:%Y-%m-%d %H:%M}"


class Notice(models.Model):
    """One thing a post is told. `key` names it among the post's notices: announcing it again adds nothing.

    `payload` holds public ids and numbers only, no names, phones or identity numbers.
    """

    post = models.ForeignKey("registry.Post", on_delete=models.CASCADE, related_name="notices")
    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "key"], name="registry_notice_once")]

    def __str__(self) -> str:
        return f"{self.post_id} {self.kind} {self.key}"


class DeliveryState(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    SENDING = "sending", _("Being sent")
    SENT = "sent", _("Sent")
    UNSURE = "unsure", _("Perhaps sent")
    FAILED = "failed", _("Given up")


class Delivery(models.Model):
    """A digest on one way out. A row is claimed by a conditional update, so that no digest leaves twice."""

    digest = models.ForeignKey(Digest, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=30)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.SmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["digest", "channel"], name="registry_delivery_once")]
        indexes = [
            models.Index(
                fields=["channel", "next_try_at"],
                name="registry_delivery_due",
                condition=models.Q(state__in=["waiting", "sending"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.digest_id} {self.channel} {self.state}"
