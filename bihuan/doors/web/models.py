"""What the web door itself keeps: the views of lists that people saved."""

from __future__ import annotations

from django.db import models


class SavedView(models.Model):
    """A list's address under a name, for one account. It holds filters, not data."""

    account = models.ForeignKey("registry.Account", on_delete=models.CASCADE, related_name="saved_views")
    list_key = models.CharField(max_length=40)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=2000, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "list_key", "name"], name="web_saved_view_once")
        ]

    def __str__(self) -> str:
        return f"{self.list_key}: {self.name}"
