"""What naming a contact takes: the facts, what may be wrong with them, and the record they open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.actions import Problem
from bihuan.cases.actions.common import Day, authorize_all, insert_rows, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import EARLIEST, Moment, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import NotFound
from bihuan.registry.ids import new_id
from bihuan.registry.people import PersonInput
from bihuan.tracing.errors import ContactInvalid
from bihuan.tracing.models import EXPOSURE_LABELS, Contact
from bihuan.tracing.rules import ExposureKind, Status

KINDS = frozenset(key for key, _label in EXPOSURE_LABELS)
COLUMNS = (
    "public_id",
    "person_id",
    "case_id",
    "territory_code",
    "local_id",
    "exposure_kind",
    "setting",
    "exposure_first",
    "exposure_last",
    "criterion",
    "status",
    "confirmed_at",
    "confirmed_precision",
    "located_precision",
    "release_reason",
    "source_key",
    "recorded_at",
    "recorded_by_account_id",
    "recorded_by_post_id",
)


@dataclass(frozen=True, slots=True)
class ContactInput:
    """One contact as named. `person` as in CaseInput; `case` is the public id of the source case,
    "" if unknown.

    `confirmed` is when the person was named a close contact (date, or aware datetime; None = now).
    `criterion` says why: the criterion of the pack, or the investigator's words. `alone`: a record of its own
    even where one is open, because it can go back to the territory it came from.
    """

    person: PersonInput | str | int
    territory_code: str
    case: str = ""
    exposure_kind: str = ExposureKind.UNKNOWN.value
    setting: str = ""
    exposure_first: date | None = None
    exposure_last: date | None = None
    criterion: str = ""
    confirmed: Day = None
    local_id: str = ""
    source_key: str | None = None
    alone: bool = False


def require_sound(inputs: Sequence[ContactInput], *, now: datetime) -> None:
    """Raises NotAllowed (contact.write is needed at each territory), or ContactInvalid naming every row and
    field that is wrong."""
    authorize_all("contact.write", (given.territory_code for given in inputs))
    zones = {code: zone_of(code) for code in {given.territory_code for given in inputs}}
    wrong = [
        p
        for row, given in enumerate(inputs)
        for p in find_problems(given, row=row, now=now, tz=zones[given.territory_code])
    ]
    if wrong:
        raise ContactInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(wrong)},
            errors=[problem.as_dict() for problem in wrong],
        )


def find_problems(given: ContactInput, *, row: int, now: datetime, tz: ZoneInfo) -> list[Problem]:
    """Everything wrong with one contact."""
    today = now.astimezone(tz).date()
    problems = []
    if given.exposure_kind not in KINDS:
        text = _("%(value)s is not allowed here.") % {"value": given.exposure_kind}
        problems.append(Problem(row, "exposure_kind", "choice", text, ", ".join(sorted(KINDS))))
    hint = _("Check the date in the source.")
    named = moment(given.confirmed, tz)
    days = {
        "exposure_first": given.exposure_first,
        "exposure_last": given.exposure_last,
        "confirmed": named.day if named else None,
    }
    for name, day in days.items():
        if day is not None and day > today:
            params = {"date": day.isoformat(), "today": today.isoformat()}
            text = _("%(date)s lies after today (%(today)s).") % params
            problems.append(Problem(row, name, "future", text, hint))
        elif day is not None and day < EARLIEST:
            text = _("%(date)s is too long ago.") % {"date": day.isoformat()}
            problems.append(Problem(row, name, "too_early", text, hint))
    first, last = given.exposure_first, given.exposure_last
    if first is not None and last is not None and last < first:
        text = _("The last exposure (%(last)s) lies before the first (%(first)s).")
        params = {"last": last.isoformat(), "first": first.isoformat()}
        problems.append(Problem(row, "exposure_last", "order", text % params, hint))
    return problems


def open_records(
    fresh: Sequence[ContactInput],
    people: Sequence[int],
    sources: Mapping[str, int],
    *,
    actor: Actor,
    at: datetime,
) -> list[tuple[int, str]]:
    """Make a contact of each of these people and open the loops; (id, public id) in order. `sources` are the
    ids of the source cases by public id."""
    if not fresh:
        return []
    zones = {code: zone_of(code) for code in {given.territory_code for given in fresh}}
    rows: list[list[Any]] = []
    told: list[NewEvent] = []
    for given, person_id in zip(fresh, people, strict=True):
        tz = zones[given.territory_code]
        named = moment(given.confirmed if given.confirmed is not None else at, tz)
        assert named is not None
        public_id = new_id("K")
        rows.append(_row(given, public_id, person_id, sources.get(given.case), named, tz, at, actor))
        told.append(_opening(given, public_id, person_id, named, tz))
    ids = insert_rows(Contact, COLUMNS, rows)
    tell_loops(told, actor=actor, now=at, fresh=True)
    return [(pk, event.subject_id) for pk, event in zip(ids, told, strict=True)]


def sources_named(fresh: Sequence[ContactInput]) -> dict[str, int]:
    """Source cases by public id. A source may live in another territory: its number is enough to name it.
    Raises NotFound."""
    wanted = {given.case for given in fresh if given.case}
    if not wanted:
        return {}
    with scope.system():
        found = dict(Case.objects.filter(public_id__in=wanted).values_list("public_id", "id"))
    for public_id in wanted:
        if public_id not in found:
            raise NotFound(_("There is no case %(id)s.") % {"id": public_id}, code="unknown-case")
    return found


def _row(
    given: ContactInput,
    public_id: str,
    person_id: int,
    case_id: int | None,
    named: Moment,
    tz: ZoneInfo,
    at: datetime,
    actor: Actor,
) -> list[Any]:
    first = given.exposure_first if given.exposure_first is not None else given.exposure_last
    last = given.exposure_last if given.exposure_last is not None else given.exposure_first
    return [
        public_id,
        person_id,
        case_id,
        given.territory_code,
        given.local_id,
        given.exposure_kind,
        given.setting,
        first,
        last,
        given.criterion,
        Status.CONFIRMED.value,
        named.instant(tz),
        named.precision,
        "minute",
        "",
        given.source_key,
        at,
        actor.account_id,
        actor.post_id,
    ]


def _opening(given: ContactInput, public_id: str, person_id: int, named: Moment, tz: ZoneInfo) -> NewEvent:
    last = given.exposure_last or given.exposure_first
    return NewEvent(
        subject_kind="contact",
        subject_id=public_id,
        kind="contact.confirmed",
        at=named.instant(tz),
        at_precision=named.precision,
        data={"last_exposure": last.isoformat()} if last else {},
        territory_code=given.territory_code,
        person_id=person_id,
        idempotency_key=f"{public_id}:contact.confirmed",
    )
