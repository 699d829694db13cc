"""Take back a naming made in error: the contact is free at once, unless another naming stands."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.care.actions.sources import end_namings
from bihuan.care.rules import ReleaseReason
from bihuan.cases.actions.common import authorize, moment_now, writing
from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict, Invalid
from bihuan.tracing.actions.namings import namings_of, places_of
from bihuan.tracing.actions.proposals_decide import key_of
from bihuan.tracing.errors import UnknownProposal
from bihuan.tracing.models import Contact, ContactProposal, Exposure
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
        with scope.system():  # she may live in another territory, and may have been named in a third one
            contact = Contact.objects.select_for_update(of=("self",)).get(pk=found.contact_id)
            gone = places_of((contact.public_id, key) for key in _namings_by(found, contact))
            held = Contact.objects.select_for_update(of=("self",)).filter(id__in=gone).order_by("id")
            fallen = end_namings(
                list(held),
                lambda contact, naming: naming.key in gone[contact.pk],
                release=ReleaseReason.NAMED_IN_ERROR,
                reason=reason.strip(),
                actor=actor,
                now=at,
            )
        found.state, found.reason, found.decided_at = DISMISSED, reason.strip()[:300], at
        found.decided_by_name, found.decided_by_account_id = actor.name, actor.account_id
        found.decided_by_post_id = actor.post_id
        found.save()
        return bool(fallen.released)


def _namings_by(proposal: ContactProposal, contact: Contact) -> set[int]:
    """The namings of the contact that this proposal made. One that was told already had none of its own: then
    those for its case, unless another proposal stands for that."""
    key = key_of(proposal)
    made = Exposure.objects.filter(contact=contact, source_key__startswith=key)
    found = set(made.values_list("id", flat=True)) | (
        {0} if (contact.source_key or "").startswith(key) else set()
    )
    if found:
        return found
    case = proposal.investigation.case_id
    same = ContactProposal.objects.filter(contact=contact, state=CONFIRMED, investigation__case=case)
    if same.exclude(pk=proposal.pk).exists():
        return set()
    return {n.key for n in namings_of([contact])[contact.pk] if n.stands and n.case == case}
