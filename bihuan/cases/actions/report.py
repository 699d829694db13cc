"""Report cases, one or many thousands, by the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize_all, insert_rows, moment_now, writing, zone_of
from bihuan.cases.actions.inputs import (
    CaseInput,
    Judged,
    Problem,
    errors_in,
    find_problems,
    moments_of,
)
from bihuan.cases.errors import CaseInvalid
from bihuan.cases.models import DATE_FIELDS, INSTANT_FIELDS, Case
from bihuan.cases.rules import DATED, TIMED, CaseFacts, LifeEvent, Moment, life
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import get_ready as ready_loops
from bihuan.loops.actions import record as tell_loops
from bihuan.registry import bulk, scope
from bihuan.registry.actions.people import SEQUENCE as PEOPLE
from bihuan.registry.actions.people import Ready, register_rows
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound
from bihuan.registry.ids import new_ids
from bihuan.registry.models import Person
from bihuan.registry.people import PersonInput

_EVENTS_OF_MOST = 3  # drawn ahead a case; those of longer lives are drawn when needed
Who = PersonInput | Ready | str | int

COLUMNS = (
    "public_id",
    "person_id",
    "territory_code",
    "local_id",
    "disease",
    "classification",
    "severity",
    *DATE_FIELDS,
    *INSTANT_FIELDS,
    "test_result",
    "outcome",
    "origin",
    "facility",
    "source_text",
    "reported_by_id",
    "found_at",
    "found_precision",
    "source_key",
    "recorded_at",
    "recorded_by_account_id",
    "recorded_by_post_id",
)


@dataclass(frozen=True, slots=True)
class ReportResult:
    """`cases` in the order of the inputs: (id, public_id). `known` = how many were here already by source
    key.
    """

    cases: tuple[tuple[int, str], ...]
    known: int
    warnings: tuple[Problem, ...] = field(default=())


def report_case(given: CaseInput, *, actor: Actor, now: datetime | None = None) -> Case:
    """Report one case and open its loop. Returns the case. Raises CaseInvalid, NotAllowed, NotFound."""
    result = report_cases([given], actor=actor, now=now)
    with scope.system():  # the reporter sees what she reported, also of a person living elsewhere
        return Case.objects.select_related("person").get(id=result.cases[0][0])


def judge_reports(inputs: Sequence[CaseInput], *, now: datetime | None = None) -> list[Judged]:
    """Look at reports ahead: what `report_cases` would say of their words and dates. Asks no database."""
    at = moment_now(now)
    zones = {code: zone_of(code) for code in {given.territory_code for given in inputs}}
    todays = {code: at.astimezone(tz).date() for code, tz in zones.items()}
    judged = []
    for given in inputs:
        code = given.territory_code
        known = moments_of(given, zones[code])
        problems = find_problems(given, row=0, today=todays[code], tz=zones[code], moments=known)
        judged.append(Judged(given, known, tuple(problems)))
    return judged


def report_cases(
    inputs: Sequence[CaseInput | Judged], *, actor: Actor, now: datetime | None = None
) -> ReportResult:
    """Report many cases and open their loops, in one transaction with a handful of statements.

    Raises CaseInvalid listing every error of every row, and then nothing is written. A row whose `source_key`
    is known already is not taken again; its case is returned. Territory: the right case.write is
    needed at each. What `judge_reports` looked at for the same moment is not looked at again.
    """
    at = moment_now(now)
    told = [one.given if isinstance(one, Judged) else one for one in inputs]
    authorize_all("case.write", (given.territory_code for given in told))
    now_judged = iter(judge_reports([one for one in inputs if isinstance(one, CaseInput)], now=at))
    judged = [one if isinstance(one, Judged) else next(now_judged) for one in inputs]
    problems = [replace(p, row=row) for row, one in enumerate(judged) for p in one.problems]
    wrong = errors_in(problems)
    if wrong:
        raise CaseInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(wrong)},
            errors=[problem.as_dict() for problem in wrong],
        )
    with writing(actor):
        known = _known([given.source_key for given in told if given.source_key])
        fresh = {
            row: one
            for row, one in enumerate(judged)
            if one.given.source_key is None or one.given.source_key not in known
        }
        made = iter(_write(list(fresh.values()), actor=actor, at=at, rows=list(fresh)))
    taken = [
        known[given.source_key] if given.source_key is not None and given.source_key in known else next(made)
        for given in told
    ]
    return ReportResult(
        tuple(taken), len(inputs) - len(fresh), tuple(p for p in problems if p.level == "warning")
    )


def _known(keys: Sequence[str]) -> dict[str, tuple[int, str]]:
    if not keys:
        return {}
    with connection.cursor() as cursor:
        # One by one by the index: for thousands of keys at once the planner rather reads the whole table.
        cursor.execute(
            "SELECT found.* FROM unnest(%s::text[]) AS asked (key) CROSS JOIN LATERAL ("
            "SELECT source_key, id, public_id FROM cases_case"
            ' WHERE source_key = asked.key COLLATE "C" LIMIT 1) AS found',
            [list(keys)],
        )
        return {key: (pk, public_id) for key, pk, public_id in cursor.fetchall()}


def _get_ready(inputs: Sequence[CaseInput]) -> None:
    """Inside a `bulk.lane`: draw the numbers of what `report_cases` will write, all at once."""
    new = sum(isinstance(given.person, PersonInput) for given in inputs)
    tables = {PEOPLE: new, "cases_case_id_seq": len(inputs)}
    bulk.reserve({name: n for name, n in tables.items() if n})
    ready_loops(events=_EVENTS_OF_MOST * len(inputs), subjects=len(inputs))


def _write(
    fresh: Sequence[Judged], *, actor: Actor, at: datetime, rows: Sequence[int]
) -> list[tuple[int, str]]:
    if not fresh:
        return []
    if bulk.current() is not None:
        _get_ready([one.given for one in fresh])
    people = person_ids([one.given.ready or one.given.person for one in fresh], actor, rows=rows)
    public_ids = new_ids("C", len(fresh))
    zones = {code: zone_of(code) for code in {one.given.territory_code for one in fresh}}
    lines: list[list[Any]] = []
    news: list[NewEvent] = []
    for one, person_id, public_id in zip(fresh, people, public_ids, strict=True):
        given = one.given
        events = _life(given, one.moments, at, zones[given.territory_code])
        lines.append(_row(given, public_id, person_id, one.moments, events[0], at, actor))
        for event in events:
            news.append(news_of(event, public_id, given.territory_code, person_id, given.reported_by_id))
    ids = insert_rows(Case, COLUMNS, lines)
    tell_loops(news, actor=actor, now=at, fresh=True)
    return list(zip(ids, public_ids, strict=True))


def _life(
    given: CaseInput, moments: Mapping[str, Moment], at: datetime, tz: ZoneInfo
) -> tuple[LifeEvent, ...]:
    """The life of a case; of those alike in all it depends on, worked out once."""
    told = tuple(item for item in moments.items() if item[0] != "onset")
    return _life_of(given.classification, given.outcome, given.test_result, told, at, tz)


@lru_cache(maxsize=8192)
def _life_of(
    classification: str,
    outcome: str,
    result: str,
    moments: tuple[tuple[str, Moment], ...],
    at: datetime,
    tz: ZoneInfo,
) -> tuple[LifeEvent, ...]:
    facts = CaseFacts(
        classification=classification, recorded_at=at, moments=dict(moments), outcome=outcome, result=result
    )
    return tuple(life(facts, tz))


def person_ids(people: Sequence[Who], actor: Actor, *, rows: Sequence[int]) -> list[int]:
    """Row ids of people: registered now, found by public id, or given. Raises NotFound for an unknown one,
    and Invalid for those who cannot be registered, by their numbers in `rows`."""
    fresh = {row: who for row, who in zip(rows, people, strict=True) if isinstance(who, PersonInput | Ready)}
    registered = iter(register_rows(list(fresh.values()), actor, rows=list(fresh)))
    wanted = {person for person in people if isinstance(person, str)}
    known = dict(Person.objects.filter(public_id__in=wanted).values_list("public_id", "id")) if wanted else {}
    for public_id in wanted:
        if public_id not in known:
            raise NotFound(_("There is no person %(id)s here.") % {"id": public_id}, code="unknown-person")
    return [_person_id(person, registered, known) for person in people]


def _person_id(person: Who, registered: Iterator[int], known: Mapping[str, int]) -> int:
    if isinstance(person, int):
        return person
    return known[person] if isinstance(person, str) else next(registered)


def _row(
    given: CaseInput,
    public_id: str,
    person_id: int,
    moments: Mapping[str, Moment],
    first: LifeEvent,
    at: datetime,
    actor: Actor,
) -> list[Any]:
    return [
        public_id,
        person_id,
        given.territory_code,
        given.local_id,
        given.disease,
        given.classification,
        given.severity,
        *(moments[name].day if name in moments else None for name in DATED),
        *(moments[name].at if name in moments else None for name in TIMED),
        given.test_result,
        given.outcome,
        given.origin,
        given.facility,
        given.source_text,
        given.reported_by_id,
        first.at,
        first.precision,
        given.source_key,
        at,
        actor.account_id,
        actor.post_id,
    ]


def news_of(
    event: LifeEvent, public_id: str, territory_code: str, person_id: int, organization_id: int | None = None
) -> NewEvent:
    """A life event as the loops hear it. Its key makes hearing it twice harmless.

    `organization_id` is who found the case: its own posts then owe before others of the place.
    """
    data = dict(event.data)
    if organization_id is not None:
        data["organization_id"] = organization_id
    return NewEvent(
        subject_kind="case",
        subject_id=public_id,
        kind=event.kind,
        at=event.at,
        at_precision=event.precision,
        data=data,
        territory_code=territory_code,
        person_id=person_id,
        idempotency_key=f"{public_id}:{event.kind}:{event.at.isoformat()}",
    )
