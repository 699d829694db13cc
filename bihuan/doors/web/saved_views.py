"""Keeping a list's filters under a name."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, QueryDict

from bihuan.doors.web.models import SavedView

LONGEST_QUERY: Final = 2000
#: Parts of an address that say where one is reading, not what one asks for.
PASSING: Final = ("after", "export")


def of(request: HttpRequest, list_key: str) -> list[SavedView]:
    """The reader's own views of a list, by name."""
    if not request.user.is_authenticated:
        return []
    return list(SavedView.objects.filter(account=request.user.pk, list_key=list_key).order_by("name"))


def save(request: HttpRequest, *, list_key: str, name: str, query: str) -> SavedView | None:
    """Keep `query` under `name` (an existing name is replaced); None when there is nothing to keep."""
    params = QueryDict(query[:LONGEST_QUERY], mutable=True)
    for key in PASSING:
        params.pop(key, None)
    if not name.strip():
        return None
    view, _created = SavedView.objects.update_or_create(
        account_id=request.user.pk or 0,  # a view of nobody cannot be saved: the address asks for a log-in
        list_key=list_key[:40],
        name=name.strip()[:60],
        defaults={"query": params.urlencode()},
    )
    return view
