"""What the API keeps of its own: answers already given, so that a repeated request is not done twice."""

from __future__ import annotations

from django.db import models


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
