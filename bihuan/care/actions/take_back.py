"""Take back a naming made in error: the contact is free at once, unless another naming stands."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.care.actions.release import release_contact
from bihuan.care.rules import ReleaseReason
from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.tracing.actions.merge import LIVE
from bihuan.tracing.actions.namings import sources_of
from bihuan.tracing.errors import UnknownProposal
from bihuan.tracing.models import Contact, ContactProposal
from bihuan.tracing.models.proposals import CONFIRMED, DISMISSED


def take_back(proposal_id: str, *, reason: str, actor: Actor, now: datetime | None = None) -> bool:
    """A confirmed proposal was an error. Returns whether the contact was released: not if another case, or
    another naming, still obliges her. Also of a closed investigation: freedom does not wait for its
    reopening.

    Raises UnknownProposal, Invalid (no reason), Conflict (not confirmed), NotAllowed.
    """
    at = moment_now(now)
    if not reason.strip():
        raise Invalid(_("Say why: the reason stays with the decision."), code="no-reason")
    with writing(actor):
        rows = ContactProposal.objects.select_for_update(of=("self",)).select_related(
            "contact", "investigation"
        )
        found = rows.filter(public_id=proposal_id).first()
        if found is None:
            raise UnknownProposal(proposal_id)
        authorize("investigation.write", found.territory_code)
        if found.state != CONFIRMED or found.contact is None:
            params = {"id": proposal_id, "state": found.get_state_display()}
            raise Conflict(_("%(id)s was decided: %(state)s.") % params, code="not-decidable")
        free = found.contact.status in LIVE and not _stands(found.contact, found)
        if free:
            release_contact(
                found.contact.public_id,
                reason=ReleaseReason.NAMED_IN_ERROR.value,
                text=reason,
                actor=actor,
                now=at,
            )
        found.state, found.reason, found.decided_at = DISMISSED, reason.strip()[:300], at
        found.decided_by_name, found.decided_by_account_id = actor.name, actor.account_id
        found.decided_by_post_id = actor.post_id
        found.save()
        return free


def _stands(contact: Contact, proposal: ContactProposal) -> bool:
    """Whether another case, or another confirmed proposal, names the same contact."""
    with scope.system():  # it may have been named in another territory
        others = set(sources_of([contact])[contact.pk]) - {proposal.investigation.case_id}
        namings = ContactProposal.objects.filter(contact=contact, state=CONFIRMED).exclude(pk=proposal.pk)
        return bool(others) or namings.exists()
