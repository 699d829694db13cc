"""The visit store as an operator sees it: how much, how old, what waits, what was deleted. Counts only."""

from __future__ import annotations

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
    """What the store holds, until when, and what was deleted of it."""
    store = visit_store.view_store(translation.get_language() or "")
    rows = visit_store.gates_today()
    most = max((day.stays for day in store.days), default=0)
    rule = due() if store.is_there else None
    context = {
        "store": store,
        "days": store.days[:DAYS_SHOWN],
        "most": most,
        "due": rule,
        "told_by": label(rule.document) if rule else "",
        "deletions": visit_store.deletions(),
        "gates": [{"row": r, "name": name_of(r.place.name, r.place.name_en)} for r in rows],
    }
    return render(request, "web/visits/visits.html", context)
