"""The visit store as an operator sees it: how much, how old, what waits, what was deleted. Counts only.

The store is one for all of the installation: whose post covers a part of that sees the gates of that part.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation

from bihuan.doors.web.access import access
from bihuan.registry.text import label, name_of
from bihuan.tracing.actions.forget_visits import due
from bihuan.tracing.queries import visit_store

DAYS_SHOWN = 60


@access("audit.view")
def visits(request: HttpRequest) -> HttpResponse:
    """What the store holds, until when, and what was deleted of it; the gates of the territory today."""
    context = {
        "gates": [
            {"row": row, "name": name_of(row.place.name, row.place.name_en)}
            for row in visit_store.gates_today()
        ],
        **(_whole() if visit_store.is_whole() else {}),
    }
    return render(request, "web/visits/visits.html", context)


def _whole() -> dict[str, Any]:
    """Figures of all that the installation serves."""
    store = visit_store.view_store(translation.get_language() or "")
    most = max((day.stays for day in store.days), default=0)
    rule = due() if store.is_there else None
    return {
        "is_whole": True,
        "store": store,
        "days": store.days[:DAYS_SHOWN],
        "most": most,
        "due": rule,
        "told_by": label(rule.document) if rule else "",
        "deletions": visit_store.deletions(),
    }
