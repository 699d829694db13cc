"""Who a keyed number is, as somebody told it at a gate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from bihuan.cases.actions.common import authorize, writing
from bihuan.registry import access, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Conflict
from bihuan.tracing.actions.looks.gate import RIGHT, enter, noted
from bihuan.tracing.errors import UnknownProposal
from bihuan.tracing.models import ContactProposal
from bihuan.tracing.models.proposals import PROPOSED
from bihuan.tracing.queries.gates import strangers_of

WRITE = "investigation.write"


@dataclass(frozen=True, slots=True)
class StrangerLook:
    """What the stranger behind a proposal told at gates of this territory: never where or when she was there.
    `found` is False where no gate registered her in the hours of the investigation, or her registration is
    deleted."""

    investigation: str
    look_id: int
    found: bool
    name: str = ""
    phone: str = ""
    origin: str = ""


def look_stranger(
    proposal_id: str, *, purpose: str, actor: Actor, now: datetime | None = None
) -> StrangerLook:
    """Open what gates registered of the number of one proposal, within the hours of its investigation, while
    it is not known who it is (`proposals_ask.ask_gates`: of many).

    Who may look and may also enter who it is. Raises UnknownProposal, Conflict (it is known who it is, or she
    lives elsewhere, or it was decided), NotAllowed, and what `gate.enter` does.
    """
    with writing(actor):
        rows = ContactProposal.objects.select_related("investigation")
        proposal = rows.filter(public_id=proposal_id).first()
        if proposal is None:
            raise UnknownProposal(proposal_id)
        authorize(WRITE, proposal.territory_code)
        if not scope.is_system():  # a name and a phone
            access.require(RIGHT, field_class="identity", territory_code=proposal.territory_code)
        gate = enter(proposal.investigation.public_id, purpose=purpose, actor=actor, now=now)
        is_asked = proposal.person_id is None and not proposal.county and proposal.state == PROPOSED
        if not is_asked or proposal.number is None:
            raise Conflict(
                _("Gates are asked only about a number nobody knows: %(id)s is none.") % {"id": proposal_id},
                code="look-known",
            )
        told = strangers_of([proposal.number], since=gate.since, until=gate.until).get(proposal.number)
        note = noted(
            gate, "stranger", persons=(), rows=int(told is not None), since=gate.since, until=gate.until
        )
        public_id = gate.investigation.public_id
        if told is None:
            return StrangerLook(public_id, note.pk, found=False)
        return StrangerLook(public_id, note.pk, True, told.name, told.phone, told.origin)
