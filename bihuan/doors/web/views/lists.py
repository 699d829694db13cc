"""Line lists: cases, contacts, duties, people; and the views people keep of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_POST

from bihuan.care.actions.own_page import may_give_many
from bihuan.care.queries import find_rings
from bihuan.cases import queries as cases
from bihuan.cases.queries import CaseFilter, CaseRow, Owed, people
from bihuan.cases.queries.people import PersonBrief
from bihuan.cases.queries.words import CLASSIFICATION_LABELS, ORIGIN_LABELS, OUTCOME_LABELS, SEVERITY_LABELS
from bihuan.doors.web import cards, moments, places, saved_views, seen
from bihuan.doors.web.access import access
from bihuan.doors.web.lists import Asked, Cell, Column, Filter, Found, ListSpec, a_date, respond, typed
from bihuan.doors.web.templatetags.bihuan import case_word, due, span, when
from bihuan.loops import queries as loops
from bihuan.loops.queries import DutyFilter, DutyRow, sight
from bihuan.registry import access as registry_access
from bihuan.registry.errors import NotAllowed
from bihuan.registry.purposes import purpose
from bihuan.registry.text import label
from bihuan.tracing import queries as contacts
from bihuan.tracing.queries import ContactFilter, ContactRow
from bihuan.tracing.queries.named import by_post, parted
from bihuan.tracing.queries.reasons import criterion_labels, spoken
from bihuan.tracing.queries.words import EXPOSURE_LABELS, STATUS_LABELS

PEOPLE_SHOWN = 100  # of a search; a longer answer is narrowed by more letters


def yes_no() -> list[tuple[str, str]]:
    return [("1", _("yes")), ("0", _("no"))]


def owed_cell(owed: Owed) -> Cell:
    """What is owed next and whether something is late, as one cell."""
    if owed.late:
        text = _("late %(n)s") % {"n": owed.late}
        return Cell(text, tone="late", under=str(due(owed.next_due)), export=owed.late)
    if owed.open:
        return Cell(due(owed.next_due), under=_("%(n)s open") % {"n": owed.open}, export=owed.next_due)
    return Cell("✓", tone="done", export="")


def _day(day: Any) -> Cell:
    return Cell(when(day) if day else "–", export=day)


def case_columns(shown: frozenset[str]) -> list[Column[CaseRow]]:
    """The columns of the case list that the classes of fields allow."""
    columns: list[Column[CaseRow]] = [
        Column("case", _("Case"), _case_cell),
        Column("owed", _("Owed"), lambda row: owed_cell(row.owed), lead=True),
    ]
    if seen.HEALTH in shown:
        columns += [
            Column("classification", _("Classification"), lambda row: Cell(case_word(row.classification))),
            Column("severity", _("Severity"), lambda row: Cell(case_word(row.severity)), shown=False),
            Column("onset", _("Onset"), lambda row: _day(row.date_onset), sort="date_onset"),
            Column("report", _("Report"), lambda row: _day(row.date_report), sort="date_report"),
            Column("confirmation", _("Confirmation"), lambda row: _day(row.date_confirmation), shown=False),
            Column("isolation", _("Isolation"), lambda row: _day(row.date_isolation), shown=False),
            Column("admission", _("Admission"), lambda row: _day(row.date_admission)),
            Column("outcome", _("Outcome"), _outcome_cell),
            Column("origin", _("Origin"), lambda row: Cell(case_word(row.origin)), shown=False),
            Column("facility", _("Facility"), lambda row: Cell(row.facility or "–"), shown=False),
        ]
    columns += [
        Column("territory", _("Territory"), lambda row: Cell(places.below(row.territory_code))),
        Column("found", pgettext("case", "Found"), _found_cell, sort="found_at", shown=False),
    ]
    return columns


def _case_cell(row: CaseRow) -> Cell:
    return Cell(
        seen.name_in_list(row.person),
        href=reverse("web:case", args=[row.public_id]),
        under=" · ".join(part for part in (seen.about(row.person), row.local_id or row.public_id) if part),
        export=row.public_id,
    )


def _outcome_cell(row: CaseRow) -> Cell:
    under = str(when(row.date_outcome)) if row.date_outcome else ""
    return Cell(case_word(row.outcome), under=under, export=row.outcome)


def _found_cell(row: CaseRow) -> Cell:
    return Cell(when(row.found_at, row.found_precision), export=row.found_at)


def _case_filter(asked: Asked, code: str, as_of: datetime | None) -> CaseFilter:
    given = asked.filters
    words = {
        name: (given[name],) for name in ("classification", "severity", "outcome", "origin") if name in given
    }
    return CaseFilter(
        text=asked.q,
        territory=code,
        onset_from=given.get("onset_from"),
        onset_to=given.get("onset_to"),
        report_from=given.get("report_from"),
        report_to=given.get("report_to"),
        stage=given.get("stage", ""),
        late={"1": True, "0": False}.get(given.get("late", "")),
        as_of=as_of,
        sort=asked.sort,
        **words,
    )


@access("case.view")
def case_list(request: HttpRequest) -> HttpResponseBase:
    """Every case of the territory, filtered by the address."""
    sight.require_whole("case.view")
    code, _error = places.asked(request, within_scope=True)
    shown = seen.classes("case.view")
    as_of = moments.asked(request).given

    def find(asked: Asked) -> Found[CaseRow]:
        given = _case_filter(asked, code, as_of)
        page = cases.list_cases(given, cursor=asked.after, size=asked.limit)
        total = None if asked.after else cases.count_cases(given)
        return Found(page.rows, page.next, total.n if total else None, total.exact if total else True)

    spec: ListSpec[CaseRow] = ListSpec(
        key="cases",
        title=_("Cases"),
        columns=case_columns(shown),
        find=find,
        filters=_case_filters(shown),
        default_sort="-found_at",
        searchable=seen.IDENTITY in shown,
        search_hint=_("Name, pinyin, initials or case number"),
        views=[(_("All"), ""), (_("Something late"), "late=1"), (_("In care"), "outcome=in_care")],
        empty=(
            _("No case here yet"),
            _("Cases appear here when they are reported or imported."),
            reverse("web:importing"),
            _("Import a list"),
        ),
        may_export=registry_access.may(None, "export.run").allowed,
        context={"crumbs": places.crumbs(request, code)},
        exported=lambda rows: seen.note([row.person_id for row in rows], shown, purpose("export.cases")),
    )
    return respond(request, spec)


def _case_filters(shown: frozenset[str]) -> Sequence[Filter]:
    late = Filter("late", _("Something late"), yes_no())
    if seen.HEALTH not in shown:
        return [late]
    return [
        Filter("classification", _("Classification"), CLASSIFICATION_LABELS),
        Filter("severity", _("Severity"), SEVERITY_LABELS),
        Filter("outcome", _("Outcome"), OUTCOME_LABELS),
        Filter("origin", _("Origin"), ORIGIN_LABELS),
        Filter("onset_from", _("Onset from"), type="date", parse=a_date),
        Filter("onset_to", _("Onset to"), type="date", parse=a_date),
        late,
    ]


def contact_columns(shown: frozenset[str]) -> list[Column[ContactRow]]:
    """The columns of the contact list that the classes of fields allow."""
    columns: list[Column[ContactRow]] = [
        Column("contact", _("Contact"), _contact_cell),
        Column("owed", _("Owed"), lambda row: owed_cell(row.owed), lead=True),
        Column("status", _("Status"), _status_cell),
    ]
    if seen.HEALTH in shown:
        columns += [
            Column("exposure", _("Exposure"), _exposure_cell),
            Column("last", _("Last exposure"), lambda row: _day(row.exposure_last), sort="exposure_last"),
            Column("case", _("Source case"), _source_cell),
            Column("why", _("Criterion and reason"), _why_cell),
            Column("setting", _("Where they met"), _setting_cell, shown=False, filed=True),
            Column("by", _("Confirmed by"), _by_cell, shown=False, filed=True),
        ]
    columns += [
        Column("territory", _("Territory"), lambda row: Cell(places.below(row.territory_code))),
        Column("confirmed", _("Named on"), _confirmed_cell, sort="confirmed_at"),
        Column("released", _("Released"), lambda row: _day(row.released_at), shown=False),
    ]
    return columns


def _contact_cell(row: ContactRow) -> Cell:
    return Cell(
        seen.name_in_list(row.person),
        href=reverse("web:contact", args=[row.public_id]),
        under=" · ".join(part for part in (seen.about(row.person), row.local_id or row.public_id) if part),
        export=row.public_id,
    )


def _status_cell(row: ContactRow) -> Cell:
    tone = "late" if row.status == "lost" else "done" if row.status == "released" else ""
    return Cell(dict(STATUS_LABELS).get(row.status, row.status), tone=tone, export=row.status)


def _exposure_cell(row: ContactRow) -> Cell:
    kind = dict(EXPOSURE_LABELS).get(row.exposure_kind, row.exposure_kind)
    return Cell(kind, under=row.setting, export=row.exposure_kind)


def _source_cell(row: ContactRow) -> Cell:
    """The case first named; a file tells all whose namings stand."""
    every = "; ".join(dict.fromkeys(why.case for why in row.whys if why.case))
    if not row.case:
        return Cell("–", export=every)
    return Cell(row.case, href=reverse("web:case", args=[row.case]), export=every)


def _why_cell(row: ContactRow) -> Cell:
    """By which criterion, and the reason kept with it; of each naming that stands."""
    told = list(dict.fromkeys(why.criterion for why in row.whys if why.criterion))
    whole = "; ".join(spoken(criterion) for criterion in told)
    if not told:
        return Cell("–", export="")
    kind, reason = parted(told[0])
    more = _("%(n)s more") % {"n": len(told) - 1} if len(told) > 1 else ""
    under = " · ".join(part for part in (reason if kind else "", more) if part)
    return Cell(criterion_labels().get(kind, reason), under=under, export=whole)


def _setting_cell(row: ContactRow) -> Cell:
    return Cell("; ".join(dict.fromkeys(why.setting for why in row.whys if why.setting)))


def _by_cell(row: ContactRow) -> Cell:
    return Cell("; ".join(dict.fromkeys(filter(None, (by_post(why.post_id) for why in row.whys)))))


def _confirmed_cell(row: ContactRow) -> Cell:
    return Cell(when(row.confirmed_at, row.confirmed_precision), export=row.confirmed_at)


@access("contact.view")
def contact_list(request: HttpRequest) -> HttpResponseBase:
    """Every contact of the territory, filtered by the address."""
    sight.require_whole("contact.view")
    code, _error = places.asked(request, within_scope=True)
    shown = seen.classes("contact.view")
    as_of = moments.asked(request).given

    def find(asked: Asked) -> Found[ContactRow]:
        given = ContactFilter(
            text=asked.q,
            territory=code,
            status=_one(asked, "status"),
            exposure_kind=_one(asked, "exposure_kind"),
            case=asked.filters.get("case", ""),
            stage=asked.filters.get("stage", ""),
            late={"1": True, "0": False}.get(asked.filters.get("late", "")),
            as_of=as_of,
            sort=asked.sort,
        )
        page = contacts.list_contacts(given, cursor=asked.after, size=asked.limit)
        total = None if asked.after else contacts.count_contacts(given)
        return Found(page.rows, page.next, total.n if total else None, total.exact if total else True)

    spec: ListSpec[ContactRow] = ListSpec(
        key="contacts",
        title=_("Contacts"),
        columns=contact_columns(shown),
        find=find,
        filters=[
            Filter("status", _("Status"), STATUS_LABELS),
            *([Filter("exposure_kind", _("Exposure"), EXPOSURE_LABELS),
               Filter("case", _("Source case"))] if seen.HEALTH in shown else []),
            Filter("late", _("Something late"), yes_no()),
        ],
        default_sort="-confirmed_at",
        searchable=seen.IDENTITY in shown,
        search_hint=_("Name, pinyin, initials or number"),
        views=[(_("All"), ""), (_("Something late"), "late=1"), (_("Under observation"), "status=confirmed"),
               (_("Not found"), "status=lost")],
        empty=(
            _("No contact here yet"),
            _("Contacts appear here when somebody is named a close contact, or a list is imported."),
            reverse("web:importing"),
            _("Import a list"),
        ),
        may_export=registry_access.may(None, "export.run").allowed,
        context={"crumbs": places.crumbs(request, code), "actions": _own_pages(code)},
        exported=lambda rows: seen.note([row.person_id for row in rows], shown, purpose("export.contacts")),
    )  # fmt: skip
    return respond(request, spec)


def _own_pages(code: str) -> list[tuple[str, str]]:
    """The way to a sheet of codes for people's own pages, for posts that may give them."""
    if not may_give_many():
        return []
    return [(_("Codes for their own pages"), f"{reverse('web:own_codes')}?territory={quote(code)}")]


def _one(asked: Asked, name: str) -> tuple[str, ...]:
    return (asked.filters[name],) if name in asked.filters else ()


@dataclass(frozen=True, slots=True)
class DutyLine:
    """A duty with the person it is about, as the list shows it."""

    row: DutyRow
    person: PersonBrief | None


def _statuses() -> list[tuple[str, str]]:
    return [
        ("open", _("Open")),
        ("due_soon", _("Due soon")),
        ("late", _("Late")),
        ("done", _("Done")),
        ("waived", _("Waived")),
        ("superseded", _("Superseded")),
    ]


def duty_columns(now: datetime) -> list[Column[DutyLine]]:
    return [
        Column("what", _("What"), _what_cell),
        Column("due", _("Until"), lambda line: _due_cell(line.row, now), lead=True),
        Column("whom", _("About whom"), _whom_cell),
        Column("owner", _("Who owes it"), _owner_cell),
        Column("place", _("Territory"), lambda line: Cell(places.below(line.row.territory_code))),
        Column("basis", _("Basis"), lambda line: Cell(cards.basis_of(line.row))),
        Column("opened", _("Opened"), lambda line: _day(line.row.opened_at), shown=False),
        Column("ended", _("Ended"), _ended_cell, shown=False),
    ]


def _what_cell(line: DutyLine) -> Cell:
    row = line.row
    return Cell(
        label(row.label), href=reverse("web:duty", args=[row.id]), under=cards.note_of(row), export=row.ref
    )


def _due_cell(row: DutyRow, now: datetime) -> Cell:
    if row.status == "late":
        return Cell(_("Late %(span)s") % {"span": span(now - row.due_at)}, tone="late", export=row.due_at)
    tone = {"due_soon": "soon", "done": "done", "done_late": "late"}.get(row.status, "")
    return Cell(due(row.due_at), tone=tone, export=row.due_at)


def _whom_cell(line: DutyLine) -> Cell:
    row = line.row
    if line.person is None:
        return Cell(row.subject_ref, href=reverse("web:loop", args=[row.loop]))
    name = seen.name_in_list(line.person)
    return Cell(name, href=reverse("web:person", args=[line.person.public_id]), export=row.subject_ref)


def _owner_cell(line: DutyLine) -> Cell:
    return Cell(line.row.owner, under=_("fell to command") if line.row.owner_fallback else "")


def _ended_cell(line: DutyLine) -> Cell:
    row = line.row
    if row.ended_at is None:
        return Cell("–", export="")
    return Cell(
        when(row.ended_at, "day" if row.ended_day_only else "minute"), under=row.reason, export=row.ended_at
    )


@access("duty.view")
def duty_list(request: HttpRequest) -> HttpResponseBase:
    """Every duty of the territory, the most urgent first."""
    code, _error = places.asked(request, within_scope=True)
    moment = moments.asked(request)
    stages = _stage_choices()

    def find(asked: Asked) -> Found[DutyLine]:
        given = _duty_filter(asked, code)
        page = loops.find_duties(
            given, as_of=moment.given, page=asked.after or None, limit=min(asked.limit, 500)
        )
        known = people.briefs(row.person_id for row in page.rows if row.person_id)
        total = None
        if not asked.after and given.status in ("open", "due_soon", "late"):
            counts = loops.count_duties(given, as_of=moment.given)
            total = getattr(counts, given.status)
        return Found(
            [DutyLine(row, known.get(row.person_id or 0)) for row in page.rows], page.next or "", total
        )

    bulk = registry_access.may(None, "duty.bulk").allowed and not moment.looking_back
    spec: ListSpec[DutyLine] = ListSpec(
        key="duties",
        title=_("All duties"),
        columns=duty_columns(moment.at),
        find=find,
        filters=[
            Filter("status", _("State"), _statuses()),
            Filter("stage", _("Stage"), stages),
            Filter("due_from", _("Due from"), type="date", parse=a_date),
            Filter("due_to", _("Due to"), type="date", parse=a_date),
        ],
        views=[(_("Open"), ""), (_("Late"), "status=late"), (_("Due soon"), "status=due_soon")],
        empty=(
            _("Nothing is owed here"),
            _("Duties appear here when a fact opens what it obliges somebody to do."),
            "",
            "",
        ),
        may_export=registry_access.may(None, "export.run").allowed,
        select=(lambda line: str(line.row.id) if line.row.state == "open" else "") if bulk else None,
        name=lambda line: label(line.row.label),
        context={
            "crumbs": places.crumbs(request, code),
            "may_waive": registry_access.may(None, "duty.waive").allowed,
        },
        exported=lambda lines: seen.note(
            (line.row.person_id for line in lines), ("operational",), purpose("export.duties")
        ),
    )
    return respond(request, spec)


def _stage_choices() -> list[tuple[str, str]]:
    """Stages as the rings name them: ring.stage."""
    return [
        (f"{ring.key}.{stage.key}", f"{label(ring.label)} · {label(stage.label)}")
        for ring in find_rings().values()
        for stage in ring.stages
    ]


def _duty_filter(asked: Asked, code: str) -> DutyFilter:
    given = asked.filters
    status = given.get("status", "open")
    definitions, stages = _stage_sources(given.get("stage", ""))
    return DutyFilter(
        territory=code,
        status=status,
        definitions=definitions,
        stages=stages,
        due_from=_start(given.get("due_from")),
        due_to=_start(given.get("due_to"), days=1),
    )


def _stage_sources(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The definitions and stages behind one arc of a ring. Pairs are told apart by their stage names."""
    ring_key, _dot, stage_key = name.partition(".")
    ring = find_rings().get(ring_key)
    stage = next((s for s in ring.stages if s.key == stage_key), None) if ring else None
    if stage is None:
        return (), ()
    definitions = tuple(dict.fromkeys(definition for definition, _stage in stage.sources))
    return definitions, tuple(dict.fromkeys(source for _definition, source in stage.sources))


def _start(day: date | None, *, days: int = 0) -> datetime | None:
    if day is None:
        return None
    return timezone.make_aware(datetime.combine(day + timedelta(days=days), time.min))


@access("person.view", personal=True)
def people_search(request: HttpRequest) -> HttpResponseBase:
    """People by name, pinyin or initials."""
    sight.require_whole("person.view")
    if seen.IDENTITY not in seen.classes("person.view"):
        raise NotAllowed(
            _("Your post sees no names, so it cannot look for them."),
            hint=_("Open people from the lists of cases and contacts."),
        )

    def find(asked: Asked) -> Found[PersonBrief]:
        if not asked.q:
            return Found([])
        ids = people.few(asked.q)
        if ids is None:
            return Found([], total=people.FEW, exact=False)
        known = people.briefs(ids[:PEOPLE_SHOWN])
        return Found(sorted(known.values(), key=lambda one: one.name), total=len(ids))

    asked_for = typed(request, "q")
    spec: ListSpec[PersonBrief] = ListSpec(
        key="people",
        title=_("People"),
        columns=[
            Column("name", _("Name"), _person_cell),
            Column("about", _("About"), lambda one: Cell(seen.about(one))),
            Column("place", _("Territory"), lambda one: Cell(places.below(one.territory_code))),
        ],
        find=find,
        searchable=True,
        search_hint=_("Name, pinyin or initials"),
        empty=(_("Look for somebody"), _("Type the beginning of a name, its pinyin or initials."), "", ""),
        context={"actions": _pairs()},
    )
    if asked_for:
        shown = [one.id for one in find(Asked({}, asked_for, "", "", PEOPLE_SHOWN)).rows]
        seen.note(shown, (seen.IDENTITY,), purpose("search.name"))
    return respond(request, spec)


def _pairs() -> list[tuple[str, str]]:
    """The way to the pairs that wait for a decision, for posts that decide on them."""
    if registry_access.reach(None, "person.merge") != "below":
        return []
    return [(_("One person or two?"), reverse("web:same_pairs"))]


def _person_cell(one: PersonBrief) -> Cell:
    return Cell(seen.name_in_list(one), href=reverse("web:person", args=[one.public_id]))


@require_POST
@access(scope="account")
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep a list's filters under a name."""
    addresses = {
        "cases": "web:cases",
        "contacts": "web:contacts",
        "duties": "web:duties",
        "people": "web:people",
    }
    key = request.POST.get("list", "")
    if key not in addresses:
        return redirect("web:home")
    query = request.POST.get("query", "")
    saved = saved_views.save(request, list_key=key, name=request.POST.get("name", ""), query=query)
    address = reverse(addresses[key])
    return redirect(f"{address}?{saved.query}" if saved and saved.query else address)
