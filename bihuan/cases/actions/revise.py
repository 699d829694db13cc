"""Revise a case (订正): the earlier statement stays, with both times and who said so (D4-21c)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.actions.change import WORDS, change, locked
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.actions.inputs import ALLOWED
from bihuan.cases.errors import CaseInvalid
from bihuan.cases.models import Case
from bihuan.cases.rules import CONFIRMED_LIKE, DATED, Classification, Moment, moment
from bihuan.registry.actor import Actor


def revise_case(
    case_id: str,
    changes: Mapping[str, Any],
    *,
    reason: str,
    actor: Actor,
    at: Day = None,
    now: datetime | None = None,
) -> Case:
    """Correct or complete a case. `changes`: `date_<name>` to a date, aware datetime or None, or a
    word field.

    `at` is when the new statement became true (default now). Confirming or excluding a suspected case is a
    change of `classification`; its date is filled with `at` unless given. Raises UnknownCase, CaseInvalid.
    """
    moment_of_record = moment_now(now)
    with writing(actor):
        case = locked(case_id)
        authorize("case.write", case.territory_code, subject=("case", case_id))
        tz = zone_of(case.territory_code)
        since = moment(at if at is not None else moment_of_record, tz)
        assert since is not None
        wanted = _read(changes, reason)
        for name in DATED:
            if f"date_{name}" in changes:
                wanted[f"date_{name}"] = moment(changes[f"date_{name}"], tz)
        new_class = wanted.get("classification", case.classification)
        if new_class != case.classification:
            if case.date_diagnosis is None and "date_diagnosis" not in wanted:
                wanted["date_diagnosis"] = _found(case, tz)  # what opened the loop stays where it was
            if new_class in CONFIRMED_LIKE and case.date_confirmation is None:
                wanted.setdefault("date_confirmation", since)
            if new_class == Classification.DISCARDED:
                wanted.setdefault("date_outcome", since)
        change(case, wanted, reason=reason, at=since, actor=actor, now=moment_of_record, tz=tz)
        return case


def _found(case: Case, tz: ZoneInfo) -> Moment:
    day = case.found_at.astimezone(tz).date()
    return Moment(day, case.found_at if case.found_precision == "minute" else None)


def _read(changes: Mapping[str, Any], reason: str) -> dict[str, Any]:
    errors = []
    known = {*WORDS, *(f"date_{name}" for name in DATED)}
    for name, value in changes.items():
        if name not in known:
            errors.append(_error(name, "unknown", _("A case has no field %(name)s.") % {"name": name}))
        elif name in ALLOWED and value not in ALLOWED[name]:
            errors.append(_error(name, "choice", _("%(value)s is not allowed here.") % {"value": value}))
        elif name not in WORDS and value is not None and not isinstance(value, date):
            errors.append(_error(name, "date", _("%(value)s is not a date.") % {"value": value}))
    if not reason.strip():
        errors.append(_error("reason", "required", _("A revision needs a reason.")))
    if errors:
        raise CaseInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
        )
    return {name: value for name, value in changes.items() if name in WORDS}


def _error(field: str, rule: str, message: str) -> dict[str, str]:
    return {"field": field, "rule": rule, "message": message, "hint": ""}
