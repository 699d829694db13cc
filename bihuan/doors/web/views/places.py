"""Places: the list, one with its load of today, registering, changing, loading many. Counts, never who."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext
from django.views.decorators.http import require_POST

from bihuan.doors.exchange.place_list import read_places
from bihuan.doors.web import places as territories
from bihuan.doors.web.access import access
from bihuan.doors.web.forms import add_errors
from bihuan.doors.web.lists import Asked, Cell, Column, Filter, Found, ListSpec, respond
from bihuan.epi.tables.called import called
from bihuan.registry import access as registry_access
from bihuan.registry import clock, scope, territory
from bihuan.registry.errors import BihuanError, Invalid
from bihuan.registry.text import name_of
from bihuan.tracing.actions.gates import rules_at
from bihuan.tracing.actions.places import PlaceInput, change_place, register_place, register_places
from bihuan.tracing.queries import places as queries
from bihuan.tracing.queries.places import KINDS, MUSTS, GateDay, PlaceFilter, PlaceRow

RIGHT: Final = "place.write"
LARGEST: Final = 10 * 2**20


class PlaceForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    name_en = forms.CharField(label=gettext_lazy("English name"), max_length=200, required=False)
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=KINDS)
    territory_code = forms.CharField(
        label=gettext_lazy("Territory"),
        max_length=80,
        help_text=gettext_lazy("Code or name of the community, street or county."),
    )
    address = forms.CharField(label=gettext_lazy("Where it is"), max_length=300, required=False)
    capacity = forms.IntegerField(
        label=gettext_lazy("People at once"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=gettext_lazy("What the place is made for; the policy says which share of it is allowed."),
    )
    store_id = forms.CharField(
        label=gettext_lazy("Id in entry records"),
        max_length=120,
        required=False,
        help_text=gettext_lazy("Where a gate writes its own; empty: the number it gets here."),
    )


class FileForm(forms.Form):
    file = forms.FileField(label=gettext_lazy("List of places (CSV, XLSX)"))
    territory_code = forms.CharField(
        label=gettext_lazy("Territory of rows without one"), max_length=80, required=False
    )


@access("territory.view")
def places(request: HttpRequest) -> HttpResponseBase:
    """Every place of the territory, filtered by the address."""
    code, _error = territories.asked(request, within_scope=True)
    may_write = registry_access.may(None, RIGHT).allowed
    now = clock.now()
    begin = clock.start_of_day(clock.local_day(now))
    days: dict[int, GateDay] = {}

    def find(asked: Asked) -> Found[PlaceRow]:
        given = PlaceFilter(
            text=asked.q,
            territory=code,
            kind=asked.filters.get("kind", ""),
            active=None if asked.filters.get("closed") else True,
            over=bool(asked.filters.get("over")),
            sort=asked.sort,
        )
        page = queries.list_places(given, cursor=asked.after, size=asked.limit)
        days.update(queries.gate_days([row.id for row in page.rows], since=begin, until=now))
        return Found(page.rows, page.next, None if asked.after else queries.count_places(given))

    spec: ListSpec[PlaceRow] = ListSpec(
        key="places",
        title=_("Places"),
        columns=_columns(days),
        find=find,
        filters=[
            Filter("kind", _("Kind"), KINDS),
            Filter("over", _("Over the limit"), [("1", _("yes"))]),
            Filter("closed", _("Closed ones too"), [("1", _("yes"))]),
        ],
        default_sort="name",
        searchable=True,
        search_hint=_("Name, address or id"),
        views=[
            (_("All"), ""),
            (_("Over the limit"), "over=1"),
            (_("Gates of communities"), "kind=community_gate"),
        ],
        empty=(
            _("No place here yet"),
            _("Shops, wards, gates: where entry records are made. Load a list, or register one."),
            reverse("web:place_new") if may_write else "",
            _("Register a place"),
        ),
        may_export=registry_access.may(None, "export.run").allowed,
        context={
            "crumbs": territories.crumbs(request, code),
            "actions": [
                (_("Register a place"), reverse("web:place_new")),
                (_("Load a list"), reverse("web:places_load")),
            ]
            if may_write
            else [],
        },
    )
    return respond(request, spec)


def _columns(days: dict[int, GateDay]) -> list[Column[PlaceRow]]:
    kinds = dict(KINDS)

    def gate(row: PlaceRow) -> Cell:
        day = days.get(row.id)
        if day is None or day.percent is None:
            return Cell("–", export="")
        tone = "done" if day.percent == 100 else "soon"
        under = ngettext("%(n)s entry", "%(n)s entries", day.entries) % {"n": day.entries}
        return Cell(f"{day.percent} %", tone=tone, under=under)

    def load(row: PlaceRow) -> Cell:
        day = days.get(row.id)
        inside = day.inside if day else 0
        text = str(inside) if day or row.capacity else "–"
        under = _("of %(n)s") % {"n": row.capacity} if row.capacity else ""
        return Cell(text, tone="late" if row.is_over else "", under=under, export=inside)

    return [
        Column("name", _("Place"), _name_cell, sort="name"),
        Column("inside", _("Inside now"), load, lead=True),
        Column("gate", _("Complete today"), gate),
        Column("kind", _("Kind"), lambda row: Cell(str(kinds.get(row.kind, row.kind)))),
        Column("territory", _("Territory"), lambda row: Cell(territories.below(row.territory_code))),
        Column("address", _("Where it is"), lambda row: Cell(row.address or "–")),
        Column("store_id", _("Id in entry records"), lambda row: Cell(row.store_id), shown=False),
    ]


def _name_cell(row: PlaceRow) -> Cell:
    under = row.public_id if row.active else f"{row.public_id} · {pgettext('place', 'closed')}"
    return Cell(
        name_of(row.name, row.name_en),
        href=reverse("web:place", args=[row.public_id]),
        under=under,
        export=row.name,
    )


@access("territory.view")
def place(request: HttpRequest, public_id: str) -> HttpResponse:
    """One place: its facts, how full, how complete its gate is today."""
    found = queries.find_place(public_id)
    row = found.place
    may = {
        "change": registry_access.may(None, RIGHT, territory_code=row.territory_code).allowed,
        "record": registry_access.may(None, "visits.record", territory_code=row.territory_code).allowed,
    }
    words = dict(MUSTS)
    musts = [
        {
            "label": words[must],
            "missing": found.day.missing.get(must, 0),
            "done": found.day.entries - found.day.missing.get(must, 0),
        }
        for must in found.required
    ]
    context = {
        "found": found,
        "place": row,
        "name": name_of(row.name, row.name_en),
        "kind": dict(KINDS).get(row.kind, row.kind),
        "where": territory.name_path(row.territory_code),
        "musts": musts,
        "may": may,
        "unsent_hours": rules_at(row.territory_code, clock.now()).unsent_hours,
    }
    return render(request, "web/places/place.html", context)


@access(RIGHT)
def place_new(request: HttpRequest) -> HttpResponse:
    """Register a place."""
    acting = scope.current()
    form = PlaceForm(request.POST or None, initial={"territory_code": acting.lo if acting else ""})
    if request.method == "POST" and form.is_valid():
        try:
            told = _facts(form)
            public_id = register_place(PlaceInput(**told), actor=request.actor)[1]  # type: ignore[attr-defined]
        except BihuanError as wrong:
            _put_back(form, wrong)
        else:
            messages.success(request, _("The place is registered."))
            return redirect("web:place", public_id=public_id)
    context = {"form": form, "title": _("Register a place"), "back": reverse("web:places")}
    return render(request, "web/places/form.html", context, status=422 if form.errors else 200)


@access(RIGHT)
def place_edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Change a place, close it, open it again."""
    row = queries.find_place(public_id).place
    registry_access.require(RIGHT, territory_code=row.territory_code)
    names = [name for name in PlaceForm.base_fields if name != "store_id"]
    form = PlaceForm(request.POST or None, initial={name: getattr(row, name) for name in names})
    del form.fields["store_id"]
    if request.method == "POST" and form.is_valid():
        try:
            change_place(public_id, _facts(form), actor=request.actor)  # type: ignore[attr-defined]
        except BihuanError as wrong:
            _put_back(form, wrong)
        else:
            return redirect("web:place", public_id=public_id)
    context = {
        "form": form,
        "title": name_of(row.name, row.name_en),
        "back": reverse("web:place", args=[public_id]),
    }
    return render(request, "web/places/form.html", context, status=422 if form.errors else 200)


@require_POST
@access(RIGHT)
def place_active(request: HttpRequest, public_id: str) -> HttpResponse:
    """Close a place, or open it again."""
    change_place(public_id, {"active": request.POST.get("active") == "1"}, actor=request.actor)  # type: ignore[attr-defined]
    return redirect("web:place", public_id=public_id)


@access(RIGHT)
def places_load(request: HttpRequest) -> HttpResponse:
    """Load a list of places; all of it or nothing."""
    form = FileForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            done = _load(form.cleaned_data["file"], form.cleaned_data["territory_code"], request.actor)  # type: ignore[attr-defined]
        except BihuanError as wrong:
            form.add_error(None, str(wrong))
            for error in getattr(wrong, "errors", [])[:20]:
                form.add_error("file", f"{error.get('row', '')}: {error.get('message', '')}")
        else:
            text = _("%(made)s places new, %(changed)s changed, %(known)s known.")
            messages.success(
                request, text % {"made": done.made, "changed": done.changed, "known": done.known}
            )
            return redirect("web:places")
    context = {"form": form, "title": _("Load a list"), "back": reverse("web:places"), "is_file": True}
    return render(request, "web/places/form.html", context, status=422 if form.errors else 200)


def _load(upload: Any, territory_code: str, actor: Any) -> Any:
    if upload.size > LARGEST:
        raise Invalid(_("The file is too large; load it with `bihuan places load`."))
    with tempfile.TemporaryDirectory(prefix="bihuan-places-") as folder:
        path = Path(folder) / ("list" + Path(upload.name or "").suffix[:6])
        path.write_bytes(upload.read())
        return register_places(
            read_places(called(path, upload.name or ""), territory_code=territory_code), actor=actor
        )


def _facts(form: PlaceForm) -> dict[str, Any]:
    """What the form says, its territory by code or name. Raises BihuanError for an unknown one."""
    told = dict(form.cleaned_data)
    text = told["territory_code"].strip()
    told["territory_code"] = (territory.find(text) or territory.one_by_name(text)).code
    return told


def _put_back(form: forms.Form, wrong: BihuanError) -> None:
    if isinstance(wrong, Invalid):
        add_errors(form, wrong)
    else:
        form.add_error("territory_code", str(wrong))
