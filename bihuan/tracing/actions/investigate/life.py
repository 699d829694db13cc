"""An investigation from its opening to its closing: opened for one case, closed in time or late, reopened."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from bihuan.cases.actions import record_investigation
from bihuan.cases.actions.common import Day, authorize, moment_now, writing, zone_of
from bihuan.cases.models import Case
from bihuan.cases.rules import Classification, moment
from bihuan.registry.actor import Actor
from bihuan.registry.audit import attributed
from bihuan.registry.errors import NotFound
from bihuan.registry.purposes import neutral
from bihuan.tracing.actions.investigate.stays import stays_of
from bihuan.tracing.actions.links import LinkInput, link_cases
from bihuan.tracing.actions.windows import duty_of, renew, window_of
from bihuan.tracing.errors import (
    InvestigationClosed,
    InvestigationInvalid,
    InvestigationOpen,
    UnknownInvestigation,
)
from bihuan.tracing.models import ContactProposal, Investigation, SourceHypothesis, TrackEntry
from bihuan.tracing.models.proposals import CONFIRMED, SENT
from bihuan.tracing.queries.named import count_for
from bihuan.tracing.rules.track import Certainty, days_of, untold

RIGHT = "investigation.write"
_TOLD = (Certainty.CONFIRMED.value, Certainty.LIKELY.value)
#: The longest texts.
PURPOSE, BASIS, REASON, SUMMARY = 200, 200, 300, 4_000


def open_investigation(
    case_id: str,
    *,
    purpose: str,
    actor: Actor,
    legal_basis: str = "",
    now: datetime | None = None,
) -> Investigation:
    """Open the investigation of a case. From now on its visits may be looked at, for `purpose`, within the
    window of the policy in force; it is due when its duty is.

    Raises NotFound (no such case in the scope), NotAllowed, InvestigationOpen (there is one),
    InvestigationInvalid (no purpose, or the case is discarded).
    """
    at = moment_now(now)
    with writing(actor):
        case = Case.objects.filter(public_id=case_id).first()
        if case is None:
            raise NotFound(_("There is no case %(id)s here.") % {"id": case_id}, code="unknown-case")
        authorize(RIGHT, case.territory_code)
        _refuse(case, purpose, legal_basis)
        open_one = Investigation.objects.filter(case=case, status=Investigation.OPEN).first()
        if open_one is not None:
            raise InvestigationOpen(open_one.public_id)
        asked, duty = window_of(case, now=at), duty_of(case)
        try:
            with transaction.atomic():
                return Investigation.objects.create(
                    case=case,
                    territory_code=case.territory_code,
                    purpose=neutral(purpose),
                    legal_basis=legal_basis.strip(),
                    source_from=asked.source_from,
                    window_from=asked.window_from,
                    window_to=asked.window_to,
                    opened_at=at,
                    opened_by_account_id=actor.account_id,
                    opened_by_post_id=actor.post_id,
                    opened_by_name=actor.name,
                    due_at=duty.due_at if duty is not None else None,
                    recorded_at=at,
                )
        except IntegrityError:  # somebody else opened it in the same moment
            taken = Investigation.objects.get(case=case, status=Investigation.OPEN)
            raise InvestigationOpen(taken.public_id) from None


def _refuse(case: Case, purpose: str, legal_basis: str) -> None:
    if not neutral(purpose):
        raise wrong("purpose", "required", _("Say what this investigation is for."))
    too_long("purpose", purpose, PURPOSE)
    too_long("legal_basis", legal_basis, BASIS)
    if case.classification == Classification.DISCARDED:
        text = _("Case %(id)s was discarded: there is nothing to investigate.") % {"id": case.public_id}
        hint = _("If it is a case after all, revise its classification first.")
        raise wrong("case", "discarded", text, hint)


def close_investigation(
    investigation_id: str,
    *,
    actor: Actor,
    summary: str = "",
    no_track_reason: str = "",
    at: Day = None,
    now: datetime | None = None,
) -> Investigation:
    """Close it: done at `at` (None = now), in time or late. The investigation duty of the case ends with it.

    The track tells of each day of the window, or `no_track_reason` says why not (D1-11); else
    InvestigationInvalid names the days. A leading hypothesis that names a case becomes a link of the chain.
    """
    known_at = moment_now(now)
    with writing(actor):
        found = locked(investigation_id)
        renew(found, now=known_at)
        tz = zone_of(found.territory_code)
        ended = moment(at if at is not None else known_at, tz)
        assert ended is not None
        _refuse_closing(found, summary, no_track_reason, ended.instant(tz), known_at)
        found.status = Investigation.CLOSED
        found.closed_at, found.closed_by_name = ended.instant(tz), actor.name
        found.summary, found.no_track_reason = summary.strip(), no_track_reason.strip()
        found.window_to = found.window_to or min(known_at, ended.instant(tz) + timedelta(days=1))
        found.save()
        _link(found, actor=actor, now=known_at)
        _tell(found, at=at, actor=actor, now=known_at)
        return found


def _refuse_closing(
    found: Investigation, summary: str, no_track_reason: str, ended: datetime, now: datetime
) -> None:
    too_long("summary", summary, SUMMARY)
    too_long("no_track_reason", no_track_reason, REASON)
    if ended > now:
        raise wrong("at", "future", _("It cannot have been finished in the future."))
    missing = missing_days(found, now=now)
    if missing and not no_track_reason.strip():
        days = ", ".join(day.isoformat() for day in missing)
        raise wrong(
            "no_track_reason",
            "days_missing",
            _("The track tells nothing confirmed or likely of: %(days)s.") % {"days": days},
            _("Enter where the person was on these days, or say why it cannot be known."),
            details={"days": [day.isoformat() for day in missing]},
        )


def missing_days(investigation: Investigation, *, now: datetime) -> list[date]:
    """Local days of the window (until now, if it has not ended) of which the track tells nothing
    confirmed."""
    tz = zone_of(investigation.territory_code)
    until = min(investigation.window_to or now, now)
    stays = stays_of(investigation)
    days = days_of(stays, since=investigation.window_from, until=until, tz=tz, gap=timedelta(0))
    return untold(days)


def _link(found: Investigation, *, actor: Actor, now: datetime) -> None:
    leading = SourceHypothesis.objects.filter(investigation=found, standing="leading", case__isnull=False)
    links = [
        LinkInput(source, found.case.public_id, source=found.public_id)
        for source in leading.values_list("case__public_id", flat=True)
    ]
    if links:
        link_cases(links, actor=actor, now=now)


def _tell(found: Investigation, *, at: Day, actor: Actor, now: datetime) -> None:
    """End the duty. One that ended before (closed, reopened, closed again) stays as it ended."""
    duty = duty_of(found.case)
    if found.case.classification == Classification.DISCARDED or (duty is not None and duty.state != "open"):
        return
    record_investigation(
        found.case.public_id,
        actor=actor,
        at=at,
        summary=found.summary,
        investigation=found.public_id,
        contacts_found=count_for([found.case_id]),
        now=now,
    )


def finish_investigation(
    case_id: str,
    *,
    actor: Actor,
    at: Day = None,
    summary: str = "",
    contacts_found: int | None = None,
    no_track: str = "",
    now: datetime | None = None,
) -> Case:
    """The investigation of a case is finished, as its duty asks: by the newest one kept here whose track
    tells something certain or likely, else with the reason why none does (`cases.rules.NoTrack`).

    Raises CaseInvalid where there is neither.
    """
    told = TrackEntry.objects.filter(
        investigation__case__public_id=case_id, retracted_at=None, certainty__in=_TOLD
    )
    newest = told.order_by("-investigation_id").values_list("investigation__public_id", flat=True).first()
    return record_investigation(
        case_id,
        actor=actor,
        at=at,
        summary=summary,
        contacts_found=contacts_found,
        investigation=newest or "",
        no_track=no_track,
        now=now,
    )


def withdraw_investigation(
    investigation_id: str, *, reason: str, actor: Actor, now: datetime | None = None
) -> Investigation:
    """It was opened for the wrong case: closed, with the reason; looks made in it stay noted. The duty to
    investigate the case stays as it is. Raises InvestigationInvalid once anything was found out in it."""
    at = moment_now(now)
    with writing(actor), attributed(actor, reason=reason.strip()[:REASON]):
        found = locked(investigation_id)
        if not reason.strip():
            raise wrong("reason", "required", _("Say how it came to be opened in error."))
        too_long("reason", reason, REASON)
        told = TrackEntry.objects.filter(investigation=found, retracted_at=None, certainty__in=_TOLD)
        decided = ContactProposal.objects.filter(investigation=found, state__in=[CONFIRMED, SENT])
        if told.exists() or decided.exists():
            text = _("Something was found out in it already: it is closed as every other one.")
            raise wrong("reason", "worked_on", text)
        found.status, found.in_error, found.no_track_reason = Investigation.CLOSED, True, reason.strip()
        found.closed_at, found.closed_by_name = at, actor.name
        found.window_to = found.window_to or at
        found.save()
        return found


def reopen_investigation(
    investigation_id: str, *, reason: str, actor: Actor, now: datetime | None = None
) -> Investigation:
    """Work on it again, with a reason that stays in its history. What ended the duty stays."""
    at = moment_now(now)
    with writing(actor), attributed(actor, reason=reason.strip()[:REASON]):
        found = locked(investigation_id, open_only=False)
        if found.status == Investigation.OPEN:
            return found
        if not reason.strip():
            raise wrong("reason", "required", _("Say why it is opened again."))
        too_long("reason", reason, REASON)
        other = Investigation.objects.filter(case=found.case, status=Investigation.OPEN).first()
        if other is not None:
            raise InvestigationOpen(other.public_id)
        found.status, found.closed_at, found.closed_by_name = Investigation.OPEN, None, ""
        found.in_error = False
        found.save(update_fields=["status", "closed_at", "closed_by_name", "in_error"])
        renew(found, now=at)
        return found


def locked(investigation_id: str, *, open_only: bool = True) -> Investigation:
    """The investigation, held until the transaction ends, for somebody who may write in it. Raises
    UnknownInvestigation, NotAllowed; InvestigationClosed if it has to be open."""
    rows = Investigation.objects.select_for_update(of=("self",)).select_related("case")
    found = rows.filter(public_id=investigation_id).first()
    if found is None:
        raise UnknownInvestigation(investigation_id)
    authorize(RIGHT, found.territory_code)
    if open_only and found.status != Investigation.OPEN:
        raise InvestigationClosed(found.public_id)
    return found


def wrong(
    field: str, rule: str, message: str, hint: str = "", *, row: int | None = None, details: Any = None
) -> InvestigationInvalid:
    """The error that names one field."""
    error = {"field": field, "rule": rule, "message": message, "hint": hint}
    if row is not None:
        error = {"row": row, **error}  # type: ignore[dict-item]
    return InvestigationInvalid(message, hint=hint, errors=[error], details=details or {})


def too_long(field: str, text: str, most: int) -> None:
    if len(text.strip()) > most:
        message = _("At most %(n)s characters.") % {"n": most}
        raise wrong(field, "length", message)
