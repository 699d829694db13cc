"""A naming made by hand or by a list was an error: it no longer counts."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.care.actions.sources import Fallen, end_namings
from bihuan.care.rules import ReleaseReason
from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.cases.models import Case
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.tracing.actions import locked
from bihuan.tracing.actions.namings import namings_of
from bihuan.tracing.models import Contact, ContactProposal
from bihuan.tracing.models.proposals import CONFIRMED, DISMISSED


def withdraw_exposure(
    contact_id: str, *, reason: str, actor: Actor, case: str = "", now: datetime | None = None
) -> Fallen:
    """This person was no contact of `case` (its public id; "" = the only source, or the one not known): what
    else obliges her decides, and if nothing does she is free at once.

    Proposals confirmed for that case are dismissed with it. Raises UnknownContact, ContactClosed, NotAllowed,
    Invalid (no reason, or no such naming stands).
    """
    at = moment_now(now)
    if not reason.strip():
        raise Invalid(_("Say why: the reason stays with the decision."), code="no-reason")
    with writing(actor):
        contact = locked(contact_id)
        authorize("contact.write", contact.territory_code)
        with scope.system():  # a source may live elsewhere: its number is enough to name it
            source = _source(contact, case)
            _dismiss(contact, source, reason, actor, at)
            return end_namings(
                [contact],
                lambda _contact, naming: naming.case == source,
                release=ReleaseReason.NAMED_IN_ERROR,
                reason=reason.strip(),
                actor=actor,
                now=at,
            )


def _source(contact: Contact, case: str) -> int | None:
    standing = list(dict.fromkeys(n.case for n in namings_of([contact])[contact.pk] if n.stands))
    known = dict(
        Case.objects.filter(id__in=[n for n in standing if n is not None]).values_list("public_id", "id")
    )
    if case and case in known:
        return known[case]
    if not case and (len(standing) == 1 or None in standing):
        return standing[0] if len(standing) == 1 else None
    names = ", ".join(sorted(known))
    if case:
        message = _("Contact %(id)s is not named for case %(case)s.") % {
            "id": contact.public_id,
            "case": case,
        }
    else:
        message = _("Contact %(id)s is named for several cases: say which.") % {"id": contact.public_id}
    raise Invalid(
        message,
        hint=_("It is named for: %(cases)s.") % {"cases": names},
        code="no-such-naming",
        details={"field": "case"},
    )


def _dismiss(contact: Contact, source: int | None, reason: str, actor: Actor, at: datetime) -> None:
    if source is None:
        return
    ContactProposal.objects.filter(contact=contact, investigation__case=source, state=CONFIRMED).update(
        state=DISMISSED,
        reason=reason.strip()[:300],
        decided_at=at,
        decided_by_account_id=actor.account_id,
        decided_by_post_id=actor.post_id,
        decided_by_name=actor.name,
    )
