"""Who looked at whom in this territory, and why."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from bihuan.doors.web import places
from bihuan.doors.web.access import access
from bihuan.registry.masking import mask_name
from bihuan.registry.reads import find_reads

PAGE = 50


def field_words() -> Mapping[str, str]:
    return {
        "operational": _("what is owed"),
        "health": _("health"),
        "location": _("address"),
        "identity": _("name and numbers"),
        "visits": _("where somebody was"),
    }


@access("audit.view")
def reads(request: HttpRequest) -> HttpResponse:
    """The access log, newest first."""
    code, _error = places.asked(request, within_scope=True)
    after = request.GET.get("after", "")
    found = find_reads(code, before=int(after) if after.isdigit() else None, limit=PAGE)
    words = field_words()
    rows = [
        {"row": row, "name": mask_name(row.name), "fields": ", ".join(words.get(f, f) for f in row.fields)}
        for row in found
    ]
    context = {
        "rows": rows,
        "next": found[-1].id if len(found) == PAGE else None,
        "crumbs": places.crumbs(request, code),
        "empty_title": _("Nobody has looked at anybody here"),
        "empty_text": _("Each time a person's data are opened, it is written here: who, whom, what and why."),
    }
    return render(request, "web/reads.html", context)
