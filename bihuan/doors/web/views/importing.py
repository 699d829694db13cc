"""The import wizard: drop a file, say what its columns are, see errors by cell, run, read the ledger."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from bihuan.doors.exchange import jobs, mapping
from bihuan.doors.exchange.errors import FileRefused
from bihuan.doors.exchange.fields import CONTACTS, FIELDS, LINELIST, LINKS, Field
from bihuan.doors.exchange.mapping import ColumnMap, Mapping
from bihuan.doors.exchange.models import ACCEPTED, DUPLICATE, REJECTED, ImportJob
from bihuan.doors.web import mapping_form, places
from bihuan.doors.web.access import access
from bihuan.registry import territory
from bihuan.registry.errors import BihuanError
from bihuan.registry.text import label

SAMPLES: Final = 3  # filled cells shown beside each column
SAMPLED_ROWS: Final = 40
PREVIEW_ROWS: Final = 50
LEDGER_PAGE: Final = 50
CODED: Final = ("code", "sex", "bool")


def _kinds() -> list[tuple[str, str]]:
    return [(LINELIST, _("Cases")), (CONTACTS, _("Contacts")), (LINKS, _("Links between cases"))]


@access("import.run")
def importing(request: HttpRequest) -> HttpResponse:
    """Drop a file; below it, what was imported before."""
    context: dict[str, Any] = {
        "kinds": _kinds(),
        "kind": request.POST.get("kind", LINELIST),
        "jobs": jobs.recent(),
    }
    if request.method == "POST":
        file = request.FILES.get("file")
        kind = request.POST.get("kind", LINELIST)
        if file is None:
            context["error"] = _("Choose a file first: CSV, TSV, XLS, XLSX or ODS.")
        else:
            try:
                job = jobs.create_job(
                    file,
                    name=file.name or "list",
                    kind=kind if kind in (LINELIST, CONTACTS, LINKS) else LINELIST,
                    actor=request.actor,  # type: ignore[attr-defined]
                )
            except FileRefused as refused:
                context["error"] = str(refused)
            else:
                return redirect("web:import_columns", job_id=job.public_id)
    return render(request, "web/importing/start.html", context, status=422 if "error" in context else 200)


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """One column of the file: some of its cells, and the field it is taken for."""

    index: int
    header: str
    samples: tuple[str, ...]
    chosen: str
    also: tuple[str, ...]
    confidence: int | None
    reason: str
    values: tuple[tuple[int, str, str, tuple[tuple[str, str], ...]], ...]


@access("import.run")
def columns(request: HttpRequest, job_id: str) -> HttpResponse:
    """What each column was taken for; every guess can be changed."""
    job = jobs.get(job_id)
    base = jobs.mapping_of(job) if job.mapping else jobs.guess_mapping(job)
    error, typed = "", None
    if request.method == "POST":
        typed = mapping_form.read(request.POST, base.kind)
        base = _changed(request, base, typed)
        try:
            if typed.is_wrong:
                raise ValueError(_("Something below cannot be read; it says what to do."))
            changed = mapping.loads(mapping.dumps(base), name=base.name)
            jobs.set_mapping(job, changed, territory_code=_territory(request), as_of=_as_of(request))
        except (BihuanError, ValueError) as wrong:
            error = str(wrong)
        else:
            if "stay" in request.POST:
                return redirect(f"{reverse('web:import_columns', args=[job.public_id])}#more")
            return redirect("web:import_preview", job_id=job.public_id)
    table = jobs.table_of(job, base)
    unknown = mapping_form.unknown_names(job, base) if typed is None else []
    fields = [(f.key, mapping_form.label_of(f)) for f in jobs.choices(base.kind)]
    context = {
        "job": job,
        "mapping": base,
        "step": 2,
        "fields": fields,
        "columns": _choices(base, table),
        "classification": base.constants.get("case.classification", ""),
        "classifications": FIELDS["case.classification"].codes,
        "asks_classification": base.kind == LINELIST and not base.feeds("case.classification"),
        "territory_text": request.POST.get(
            "territory", job.given_territory or (base.territory.constant or "")
        ),
        "territory_name": _place_named(job.given_territory or base.territory.constant or ""),
        "known_as": _shipped_title(base),
        "fixed_fields": mapping_form.fixed_fields(base.kind),
        "constants": typed.constant_rows if error and typed else mapping_form.constant_rows(base),
        "names": typed.name_rows if error and typed else mapping_form.name_rows(base, unknown),
        "n_constants": sum(key != mapping_form.ASKED_ABOVE for key in base.constants),
        "n_names": len(base.territory.names),
        "n_unknown": len(unknown),
        "wrong_below": bool(typed and typed.is_wrong),
        "as_of": request.POST.get("as_of", job.as_of.isoformat() if job.as_of else ""),
        "error": error,
        "notes": table.notes,
    }
    return render(request, "web/importing/columns.html", context, status=422 if error else 200)


def _place_named(code: str) -> str:
    found = territory.find(code) if code else None
    return territory.name_path(found.code) if found else ""


def _shipped_title(base: Mapping) -> str:
    """The title of the shipped mapping that this one is; "" for a guess."""
    return label(base.title) if base.title and base.name in jobs.shipped() else ""


def _choices(base: Mapping, table: Any) -> list[ColumnChoice]:
    sample: dict[int, list[str]] = {}
    for row, _n in zip(table.rows(), range(SAMPLED_ROWS), strict=False):
        for index, cell in enumerate(row.cells[: len(table.headers)]):
            kept = sample.setdefault(index, [])
            text = "" if cell is None else str(cell)
            if text and text not in kept and len(kept) < SAMPLES:
                kept.append(text[:40])
    by_header = {column.header: column for column in base.columns}
    found = []
    for index, header in enumerate(table.headers):
        column = by_header.get(header, ColumnMap(header))
        first = column.fields[0] if column.fields else ""
        field = FIELDS.get(first)
        codes = _codes(field)
        values = (
            tuple((n, was, to, codes) for n, (was, to) in enumerate(column.values.items())) if codes else ()
        )
        confidence = None if column.confidence is None else round(column.confidence * 100)
        found.append(
            ColumnChoice(index, header, tuple(sample.get(index, ())), first, column.fields[1:], confidence,
                         column.reason, values)
        )  # fmt: skip
    return found


def _codes(field: Field | None) -> tuple[tuple[str, str], ...]:
    """What the values of a column may mean, as code and word."""
    if field is None or field.kind not in CODED:
        return ()
    if field.kind == "bool":
        return (("true", _("yes")), ("false", _("no")))
    return tuple(mapping_form.codes_of(field.key))


def _changed(request: HttpRequest, base: Mapping, typed: mapping_form.Read) -> Mapping:
    """The mapping with what the form says: fields by column, meanings by value, what holds for every row, and
    what names of places mean."""
    changed = []
    for index, column in enumerate(base.columns):
        wanted = request.POST.get(f"field-{index}", column.fields[0] if column.fields else "")
        same = column.fields[:1] == ((wanted,) if wanted else ())
        fields = column.fields if same else ((wanted,) if wanted in FIELDS else ())
        values = {
            was: request.POST.get(f"value-{index}-{n}", to)
            for n, (was, to) in enumerate(column.values.items())
        } if same else {}  # fmt: skip
        changed.append(replace(column, fields=fields, values=values, implies=column.implies if same else {}))
    was = base.constants.get(mapping_form.ASKED_ABOVE, "")
    constants = {**({mapping_form.ASKED_ABOVE: was} if was else {}), **typed.constants}
    classification = request.POST.get("classification", "")
    if any("case.classification" in column.fields for column in changed):
        constants.pop("case.classification", None)
    elif classification:
        constants["case.classification"] = classification
    places = replace(base.territory, names=typed.names)
    return replace(base, columns=tuple(changed), constants=constants, territory=places)


def _territory(request: HttpRequest) -> str:
    text = request.POST.get("territory", "").strip()
    if not text:
        return ""
    return (territory.find(text) or territory.one_by_name(text)).code


def _as_of(request: HttpRequest) -> date | None:
    text = request.POST.get("as_of", "")
    if not text:
        return None
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(_("Write the date as 2020-02-17."))
    return date.fromisoformat(text)


@access("import.run")
def preview(request: HttpRequest, job_id: str) -> HttpResponse:
    """The first rows as they will be read, each cell that is wrong with its rule and the way out."""
    job = jobs.get(job_id)
    if not job.mapping:
        return redirect("web:import_columns", job_id=job_id)
    if request.method == "POST":
        jobs.start(job)
        return redirect("web:import_job", job_id=job_id)
    found = jobs.preview(job, n=PREVIEW_ROWS)
    heads = [(h, ", ".join(mapping_form.label_of(f) for f in found.fields.get(h, ()))) for h in found.headers]
    rows = []
    for row in found.rows:
        cells = [
            (text, row.of(header), label or header)
            for (header, label), text in zip(heads, row.cells, strict=False)
        ]
        whole = [e for e in row.findings if e.column not in found.headers]
        rows.append(
            {
                "row": row,
                "cells": cells,
                "whole": whole,
                "place": places.below(row.territory_code) if row.territory_code else "",
            }
        )
    n_rejected = sum(1 for row in found.rows if row.rejected)
    n_cells = sum(len(row.findings) for row in found.rows)
    context = {
        "job": job,
        "step": 3,
        "preview": found,
        "heads": heads,
        "rows": rows,
        "n_rejected": n_rejected,
        "unknown_places": any(e.rule in mapping_form.PLACE_RULES for row in found.rows for e in row.findings),
        "n_cells": n_cells,
    }
    return render(request, "web/importing/preview.html", context)


@access("import.run")
def job(request: HttpRequest, job_id: str) -> HttpResponse:
    """How far a job is, and its ledger."""
    found = jobs.get(job_id)
    if request.method == "POST":
        jobs.start(found)
        return redirect("web:import_job", job_id=job_id)
    status = request.GET.get("status", "")
    status = status if status in (ACCEPTED, DUPLICATE, REJECTED) else ""
    page = int(request.GET.get("page", "1")) if request.GET.get("page", "1").isdigit() else 1
    now = jobs.progress(found)
    rows = jobs.ledger_rows(found, status=status, page=max(1, page), size=LEDGER_PAGE)
    total = {"": now.counts.rows, ACCEPTED: now.counts.accepted, DUPLICATE: now.counts.duplicate,
             REJECTED: now.counts.rejected}[status]  # fmt: skip
    context = {
        "job": found,
        "step": 4,
        "now": now,
        "percent": round((now.share or 0) * 100),
        "rows": rows,
        "status": status,
        "tabs": _tabs(now.counts, status),
        "page": page,
        "next_page": page + 1 if total > page * LEDGER_PAGE else None,
        "previous_page": page - 1 if page > 1 else None,
        "subject_url": "web:case" if found.kind == LINELIST else "web:contact",
    }
    template = (
        "web/importing/progress.html" if request.headers.get("HX-Request") else "web/importing/job.html"
    )
    return render(request, template, context)


def _tabs(counts: Any, status: str) -> list[dict[str, Any]]:
    return [
        {"key": key, "label": text, "n": n, "current": key == status, "tone": tone}
        for key, text, n, tone in (
            ("", _("All rows"), counts.rows, ""),
            (ACCEPTED, _("Accepted"), counts.accepted, "done"),
            (DUPLICATE, _("Already there"), counts.duplicate, ""),
            (REJECTED, _("Rejected"), counts.rejected, "late"),
        )
    ]


@access("import.run")
def ledger(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """Every row and what became of it, as CSV."""
    found = jobs.get(job_id)
    return _file(jobs.ledger_csv(found), f"{found.public_id}-ledger.csv", "text/csv; charset=utf-8")


@access("import.run")
def mapping_file(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """The mapping of a job, as a file that the command line takes too."""
    found: ImportJob = jobs.get(job_id)
    return _file([found.mapping], f"{found.public_id}-mapping.yaml", "application/yaml")


def _file(parts: Any, name: str, content_type: str) -> HttpResponseBase:
    answer = StreamingHttpResponse(parts, content_type=content_type)
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer
