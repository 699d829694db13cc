"""The steps of a case after its report: test, isolation, transfer, admission, review, investigation,
outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from bihuan.cases.actions.change import change, locked
from bihuan.cases.actions.common import Day, authorize, moment_now, stamp, writing, zone_of
from bihuan.cases.errors import CaseClosed, CaseInvalid
from bihuan.cases.models import NO_TRACK_LABELS, Case, Step, Test
from bihuan.cases.rules import Classification, Moment, NoTrack, Outcome, TestResult, moment
from bihuan.loops.actions import NewEvent
from bihuan.loops.actions import record as tell_loops
from bihuan.registry.actor import Actor

# Whoever may write cases, and whoever owes a duty about this one.
RIGHTS = ("case.write", "duty.do")
MACHINE = ("contacts_found", "finding", "investigation", "no_track")


def record_reported(case_id: str, *, actor: Actor, at: Day = None, now: datetime | None = None) -> Case:
    """The report went out (网络直报) at `at` (default now)."""
    return _date(case_id, "report", at=at, actor=actor, now=now)


def record_isolation(
    case_id: str, *, actor: Actor, at: Day = None, facility: str = "", now: datetime | None = None
) -> Case:
    """The ill person is isolated since `at` (default now), at `facility` if given."""
    return _date(case_id, "isolation", at=at, actor=actor, now=now, facility=facility)


def record_admission(
    case_id: str, *, actor: Actor, at: Day = None, facility: str = "", now: datetime | None = None
) -> Case:
    """Admitted to `facility` at `at` (default now)."""
    return _date(
        case_id, "admission", at=at, actor=actor, now=now, facility=facility, outcome=Outcome.IN_CARE
    )


def record_outcome(
    case_id: str, *, outcome: str, actor: Actor, at: Day = None, now: datetime | None = None
) -> Case:
    """Recovered (discharged) or died, at `at` (default now). Raises CaseInvalid for another word."""
    if outcome not in (Outcome.RECOVERED, Outcome.DIED):
        message = _("%(value)s is not an outcome.") % {"value": outcome}
        error = {"field": "outcome", "rule": "choice", "message": message, "hint": "recovered, died"}
        raise CaseInvalid(message, errors=[error])
    return _date(case_id, "outcome", at=at, actor=actor, now=now, outcome=outcome)


def record_test(
    case_id: str,
    *,
    result: str,
    actor: Actor,
    sampled: Day = None,
    at: Day = None,
    now: datetime | None = None,
) -> Test:
    """A specimen of a case. `result` pending = only sampled (at `sampled`, default now); else known at
    `at`.
    """
    known_at = moment_now(now)
    with writing(actor):
        case = locked(case_id)
        authorize(RIGHTS, case.territory_code, subject=("case", case_id))
        tz = zone_of(case.territory_code)
        taken, found = sample_moments(result, sampled=sampled, at=at, now=known_at, tz=tz)
        changes: dict[str, Any] = {"date_sample": taken} if taken else {}
        if found is not None:
            changes |= {"date_result": found, "test_result": result}
        since = found or taken
        assert since is not None
        change(case, changes, reason=_("A later test."), at=since, actor=actor, now=known_at, tz=tz)
        return store_test(case, "case", result=result, taken=taken, found=found, actor=actor, now=known_at)


def sample_moments(
    result: str, *, sampled: Day, at: Day, now: datetime, tz: Any
) -> tuple[Moment | None, Moment | None]:
    """When sampled and when the result was known; a pending test has no result time."""
    if result == TestResult.PENDING:
        return moment(sampled or at or now, tz), None
    return moment(sampled, tz), moment(at or now, tz)


def store_test(
    subject: Any,
    kind: str,
    *,
    result: str,
    taken: Moment | None,
    found: Moment | None,
    actor: Actor,
    now: datetime,
) -> Test:
    """Write a test of a case or a contact (`subject`)."""
    tz = zone_of(subject.territory_code)
    return Test.objects.create(
        territory_code=subject.territory_code,
        person_id=subject.person_id,
        subject_kind=kind,
        subject_id=subject.public_id,
        sampled_at=taken.instant(tz) if taken else None,
        sampled_precision=taken.precision if taken else "minute",
        result=result,
        result_at=found.instant(tz) if found else None,
        result_precision=found.precision if found else "minute",
        recorded_at=now,
        **stamp(actor),
    )


def record_review(
    case_id: str, *, actor: Actor, at: Day = None, finding: str = "", now: datetime | None = None
) -> Case:
    """The report was checked (三级审核)."""
    return _step(case_id, "case.reviewed", {"finding": finding}, at=at, actor=actor, now=now)


def record_investigation(
    case_id: str,
    *,
    actor: Actor,
    at: Day = None,
    summary: str = "",
    contacts_found: int | None = None,
    investigation: str = "",
    no_track: str = "",
    now: datetime | None = None,
) -> Case:
    """The individual investigation (流调) is finished.

    `investigation` is the one kept here, with a track (the caller has looked); without one `no_track` says
    why, a word of NoTrack. Raises CaseInvalid where neither is told.
    """
    _require_track(case_id, investigation, no_track)
    data = {
        "summary": summary,
        "contacts_found": contacts_found,
        "investigation": investigation,
        "no_track": "" if investigation else no_track,
    }
    return _step(case_id, "case.investigated", data, at=at, actor=actor, now=now)


def _require_track(case_id: str, investigation: str, no_track: str) -> None:
    if investigation or no_track in set(NoTrack):
        return
    words = ", ".join(f"{label} ({key})" for key, label in NO_TRACK_LABELS)
    if no_track:
        rule, message = "choice", _("%(value)s is not allowed here.") % {"value": no_track}
    else:
        rule = "required"
        message = _("Case %(id)s has no track here, and no reason says why not.") % {"id": case_id}
    hint = _("Open an investigation and tell the track day by day, or say why it is not here: %(words)s.")
    error = {"field": "no_track", "rule": rule, "message": message, "hint": hint % {"words": words}}
    raise CaseInvalid(message, hint=hint % {"words": words}, errors=[error])


def record_transfer(
    case_id: str,
    *,
    actor: Actor,
    at: Day = None,
    vehicle: str = "",
    to: str = "",
    now: datetime | None = None,
) -> Case:
    """The patient arrived at (or is on the way to) the hospital."""
    return _step(case_id, "case.transferred", {"vehicle": vehicle, "to": to}, at=at, actor=actor, now=now)


def _date(case_id: str, name: str, *, at: Day, actor: Actor, now: datetime | None, **words: str) -> Case:
    known_at = moment_now(now)
    with writing(actor):
        case = locked(case_id)
        authorize(RIGHTS, case.territory_code, subject=("case", case_id))
        _refuse_closed(case, name)
        tz = zone_of(case.territory_code)
        when = moment(at if at is not None else known_at, tz)
        assert when is not None
        changes = {f"date_{name}": when, **{key: str(word) for key, word in words.items() if word}}
        if name == "admission" and case.outcome != Outcome.UNKNOWN:
            changes.pop("outcome")  # learnt late: how it ended is known already
        change(case, changes, reason=_("Recorded again."), at=when, actor=actor, now=known_at, tz=tz)
        return case


def _refuse_closed(case: Case, step: str) -> None:
    if case.classification == Classification.DISCARDED:
        raise CaseClosed(
            _("Case %(id)s was discarded.") % {"id": case.public_id},
            hint=_("If it is a case after all, revise its classification first."),
        )
    if case.outcome == Outcome.DIED and step in ("admission", "isolation"):
        raise CaseClosed(
            _("The person of case %(id)s has died.") % {"id": case.public_id},
            hint=_("Revise the outcome first."),
        )


def _step(
    case_id: str, kind: str, data: Mapping[str, Any], *, at: Day, actor: Actor, now: datetime | None
) -> Case:
    known_at = moment_now(now)
    with writing(actor):
        case = locked(case_id)
        authorize(RIGHTS, case.territory_code, subject=("case", case_id))
        _refuse_closed(case, kind)
        tz = zone_of(case.territory_code)
        when = moment(at if at is not None else known_at, tz)
        assert when is not None
        told = {key: value for key, value in data.items() if value not in ("", None)}
        Step.objects.create(
            case=case,
            territory_code=case.territory_code,
            kind=kind,
            at=when.instant(tz),
            at_precision=when.precision,
            data=told,
            recorded_at=known_at,
            **stamp(actor),
        )
        event = NewEvent(
            subject_kind="case",
            subject_id=case.public_id,
            kind=kind,
            at=when.instant(tz),
            at_precision=when.precision,
            data=_machine(told),
            territory_code=case.territory_code,
            person_id=case.person_id,
        )
        tell_loops([event], actor=actor, now=known_at)
        return case


def _machine(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the loops may keep as evidence: no free text about a person."""
    return {key: value for key, value in told.items() if key in MACHINE}
