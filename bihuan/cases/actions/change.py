"""Change what is known of one case: keep the original, tell the loops what is new and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import insert_rows
from bihuan.cases.actions.report import news_of
from bihuan.cases.errors import CaseInvalid, UnknownCase
from bihuan.cases.models import Case, CaseRevision
from bihuan.cases.queries.facts import facts_from
from bihuan.cases.rules import DATED, TIMED, LifeEvent, Moment, check_dates, life
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.loops.models import LogEvent
from bihuan.registry.actor import Actor

# What is unknown may be filled in without a revision; anything else that changes leaves one.
UNKNOWN = frozenset({"", None, "unknown", "under_investigation"})
WORDS = ("classification", "severity", "test_result", "outcome", "origin", "facility", "local_id", "disease")


def locked(case_id: str) -> Case:
    """The case, held until the transaction ends. Raises UnknownCase."""
    case = Case.objects.select_for_update(of=("self",)).filter(public_id=case_id).first()
    if case is None:
        raise UnknownCase(case_id)
    return case


def change(
    case: Case,
    changes: Mapping[str, Any],
    *,
    reason: str,
    at: Moment,
    actor: Actor,
    now: datetime,
    tz: ZoneInfo,
) -> list[str]:
    """Write `changes` (`date_<name>` to Moment or None, or words of WORDS) into a locked case.

    Returns the fields that changed. Each changed field that was known before leaves a revision with both
    times. Events the case's life no longer holds are retracted, new ones recorded. Raises CaseInvalid.
    """
    before = life(facts_from(case), tz)
    revisions = []
    changed = []
    for name, value in changes.items():
        old, new = _old(case, name), _plain(value)
        if old == new:
            continue
        changed.append(name)
        if _known(old):
            revisions.append((name, old, new))
        _set(case, name, value)
    if not changed:
        return []
    _check(case, now, tz)
    events = life(facts_from(case), tz)
    case.found_at, case.found_precision = events[0].at, events[0].precision
    case.save()
    _keep(case, revisions, reason=reason, at=at, actor=actor, now=now, tz=tz)
    _tell(case, before, events, actor=actor, now=now)
    return changed


def _tell(
    case: Case, before: Sequence[LifeEvent], after: Sequence[LifeEvent], *, actor: Actor, now: datetime
) -> None:
    """Record what is new in the life of a case; take back, never delete, what no longer holds."""
    gone = {event.kind: event for event in before if event not in after}
    told = []
    for event in after:
        if event not in before:
            old = gone.pop(event.kind, None)
            told.append(_event(case, event, now, revises=_key_of(case, old) if old else None))
    for old in gone.values():
        told.append(
            _event(case, replace(old, kind="case.corrected", data={}), now, revises=_key_of(case, old))
        )
    if told:
        tell_loops(told, actor=actor, now=now)


def _event(case: Case, event: LifeEvent, now: datetime, *, revises: str | None) -> NewEvent:
    made = news_of(event, case.public_id, case.territory_code, case.person_id)
    return replace(made, idempotency_key=f"{made.idempotency_key}:{now.isoformat()}", revises=revises)


def _key_of(case: Case, event: LifeEvent) -> str | None:
    """The key under which the log holds this event: the newest, should it have come and gone before."""
    return (
        LogEvent.unscoped.filter(
            subject__kind="case", subject__ref=case.public_id, kind=event.kind, at=event.at
        )
        .exclude(idempotency_key=None)
        .order_by("-id")
        .values_list("idempotency_key", flat=True)
        .first()
    )


def _old(case: Case, name: str) -> str:
    if name in WORDS:
        return str(getattr(case, name))
    instant = getattr(case, f"{name[5:]}_at") if name[5:] in TIMED else None
    return _plain(instant or getattr(case, name))


def _plain(value: Any) -> str:
    if isinstance(value, Moment):
        return _plain(value.at or value.day)
    if isinstance(value, date | datetime):
        return value.isoformat()
    return "" if value is None else str(value)


def _known(old: str) -> bool:
    return old not in UNKNOWN


def _set(case: Case, name: str, value: Any) -> None:
    if name in WORDS:
        setattr(case, name, value)
        return
    setattr(case, name, value.day if value else None)
    if name[5:] in TIMED:
        setattr(case, f"{name[5:]}_at", value.at if value else None)


def _check(case: Case, now: datetime, tz: ZoneInfo) -> None:
    days = {name: getattr(case, f"date_{name}") for name in DATED}
    wrong = [i for i in check_dates(days, now.astimezone(tz).date()) if i.level == "error"]
    if wrong:
        errors = [
            {
                "field": i.field,
                "rule": i.rule,
                "message": _(i.message) % dict(i.params),
                "hint": _("Check the date in the source."),
            }
            for i in wrong
        ]
        raise CaseInvalid(
            _("%(n)s things are wrong; nothing was recorded.") % {"n": len(errors)}, errors=errors
        )


def _keep(
    case: Case,
    revisions: list[tuple[str, str, str]],
    *,
    reason: str,
    at: Moment,
    actor: Actor,
    now: datetime,
    tz: ZoneInfo,
) -> None:
    columns = (
        "case_id",
        "territory_code",
        "field",
        "old",
        "new",
        "at",
        "at_precision",
        "recorded_at",
        "by_account_id",
        "by_post_id",
        "by_name",
        "reason",
    )
    rows = [
        [
            case.id,
            case.territory_code,
            name,
            old,
            new,
            at.instant(tz),
            at.precision,
            now,
            actor.account_id,
            actor.post_id,
            actor.name,
            reason,
        ]
        for name, old, new in revisions
    ]
    insert_rows(CaseRevision, columns, rows)
