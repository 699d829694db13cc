"""Do a duty the way its definition says: by its verb, or, where it names none, with plain evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from bihuan.care.verbs import VERBS, perform
from bihuan.cases.actions.common import zone_of
from bihuan.cases.errors import CaseInvalid
from bihuan.cases.verbs import AT, Verb, read
from bihuan.loops import actions, queries
from bihuan.loops.queries import DutyFilter, DutyRow
from bihuan.registry import clock
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid, NotFound
from bihuan.registry.text import label


def verb_of(row: DutyRow) -> Verb | None:
    """The verb that ends a duty; None for one that is completed plainly."""
    verb = VERBS.get(row.verb)
    return verb if verb is not None and verb.subject == row.subject_kind else None


def do_duty(duty_id: int, given: Mapping[str, Any], actor: Actor) -> str:
    """Do one duty with the fields of its verb (or `at` and its evidence); the sentence for the worker.

    Raises NotFound, CaseInvalid, and what the action raises.
    """
    return _do(_row(duty_id), given, actor)


def do_duties(duty_ids: Sequence[int], given: Mapping[str, Any], actor: Actor) -> int:
    """Do many duties with the same fields, all or none; how many. Needs the right duty.bulk for plain ones.

    Refuses a duty whose verb restricts a person or asks for a value of each: those are done one by one.
    """
    ids = list(dict.fromkeys(duty_ids))
    with transaction.atomic():
        rows = queries.find_duties(DutyFilter(ids=ids, status=""), limit=len(ids)).rows
        missing = sorted(set(ids) - {row.id for row in rows})
        if missing:
            raise NotFound(_("There is no duty D-%(id)s here.") % {"id": missing[0]}, code="unknown-duty")
        plain = [row for row in rows if verb_of(row) is None]
        if plain:
            at, precision, evidence = _plain(plain[0], given)
            actions.complete_bulk([row.id for row in plain], evidence, at, actor, at_precision=precision)
        for row in rows:
            if verb_of(row) is not None:
                _require_alike(row)
                _do(row, given, actor)
    return len(rows)


def _row(duty_id: int) -> DutyRow:
    row = queries.get_duty(duty_id)
    if row is None:
        raise NotFound(_("There is no duty D-%(id)s here.") % {"id": duty_id}, code="unknown-duty")
    return row


def _do(row: DutyRow, given: Mapping[str, Any], actor: Actor) -> str:
    verb = verb_of(row)
    if verb is None:
        at, precision, evidence = _plain(row, given)
        actions.complete_duty(row.id, evidence, at, actor, at_precision=precision)
        return _("Done: %(what)s.") % {"what": label(row.label)}
    known = {field.name for field in verb.fields}
    data = {**given, **({"duty": row.key} if "duty" in known else {})}
    return perform(row.verb, row.subject_kind, row.subject_ref, data, actor).message


def _plain(row: DutyRow, given: Mapping[str, Any]) -> tuple[datetime, str, dict[str, Any]]:
    """When it was done, how precisely that is known, and the evidence, of a duty without a verb."""
    form = Verb(row.verb, label(row.label), row.subject_kind, ("duty.do",), (AT,), _never)
    tz = zone_of(row.territory_code)
    when: date | datetime | None = read(form, {"at": given.get("at")}, tz)["at"]
    evidence = {name: value for name, value in given.items() if name != "at"}
    if when is None:
        at, precision = clock.now(), "minute"
    elif isinstance(when, datetime):
        at, precision = when, "minute"
    else:
        at, precision = datetime.combine(when, time.min, tzinfo=tz), "day"
    if at > clock.now():
        message = _("%(value)s lies in the future.") % {"value": given.get("at")}
        raise CaseInvalid(message, errors=[{"field": "at", "rule": "future", "message": message, "hint": ""}])
    if "at" in row.evidence_asked:
        evidence["at"] = at.isoformat()
    return at, precision, evidence


def _require_alike(row: DutyRow) -> None:
    verb = verb_of(row)
    if verb is not None and (verb.adverse or not verb.one_tap):
        raise Invalid(
            _("“%(what)s” asks for a value or a decision about each person; do it by itself.")
            % {"what": label(row.label)},
            code="not-in-bulk",
        )


def _never(*args: object) -> Any:
    raise AssertionError("a duty without a verb is completed by the loop engine")
