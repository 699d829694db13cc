"""What the API keeps of its own: answers already given, so that a repeated request is not done twice, and how
fast tokens call."""

from __future__ import annotations

from django.db import models


class Pace(models.Model):
    """Until when the calls of a token so far have used up its pace (see `pace.py`)."""

    token = models.OneToOneField(
        "registry.ApiToken", on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    used_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.token_id}: {self.used_until}"


class Answer(models.Model):
    """The answer to one request that carried an `Idempotency-Key`; kept for `answers.KEPT`."""

    token = models.ForeignKey("registry.ApiToken", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=120)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "key"], name="api_answer_once")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status}"
