"""Errors of the tracing room.

BihuanError
├── NotFound
│   ├── UnknownCluster     no cluster of that number in the territory acted in
│   ├── UnknownContact     no contact of that number in the territory acted in
│   ├── UnknownInvestigation  no investigation of that number there
│   ├── UnknownPlace       no place of that number there
│   ├── UnknownProposal    no proposal of a contact of that number there
│   ├── UnknownAssistance  no assistance request of that number in the territory acted in
│   └── UnknownPeer        no installation of that number is known
├── Invalid
│   ├── ClusterInvalid     a cluster without a name, or with cases or days that cannot be
│   ├── ContactInvalid     facts that cannot be true; `.errors` names row and field
│   ├── PlaceInvalid       a place that cannot be so; `.errors` names row and field
│   ├── VisitsInvalid      visits that cannot be read, or a store that cannot be written
│   ├── AssistanceInvalid  a request that shares too much, asks oneself, or says too little
│   └── PeerInvalid        no card of an installation, or one that cannot be a peer
├── VisitsFull             no room on the disk of the visit store; the same may be sent again
└── Conflict
    ├── TakenByOther       records of one person sent while another is logged in, and not handed over
    ├── InvestigationClosed    it is closed; reopened with a reason it can be worked on
    ├── InvestigationOpen      the case has one that is open
    ├── ClusterClosed      closed, or merged into another
    ├── AssistanceClosed   a request that does not stand where this could be said
    └── ContactClosed      released, became a case, or re-assessed as a general contact
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from bihuan.registry.errors import BihuanError, Conflict, Invalid, NotFound


class UnknownContact(NotFound):
    code = "unknown-contact"

    def __init__(self, contact_id: str) -> None:
        super().__init__(
            _("There is no contact %(id)s here.") % {"id": contact_id},
            hint=_("Check the number, and that the post you act in covers the territory of the contact."),
        )


class UnknownProposal(NotFound):
    code = "unknown-proposal"

    def __init__(self, proposal_id: str) -> None:
        super().__init__(
            _("There is no proposal %(id)s here.") % {"id": proposal_id},
            hint=_("Check the number, and that the post you act in covers the investigation."),
        )


class UnknownCluster(NotFound):
    code = "unknown-cluster"

    def __init__(self, cluster_id: str) -> None:
        super().__init__(
            _("There is no cluster %(id)s here.") % {"id": cluster_id},
            hint=_("Check the number, and that the post you act in covers its territory."),
        )


class ClusterInvalid(Invalid):
    code = "cluster-invalid"


class ClusterClosed(Conflict):
    code = "cluster-closed"


class ContactInvalid(Invalid):
    code = "contact-invalid"


class ContactClosed(Conflict):
    code = "contact-closed"


class UnknownAssistance(NotFound):
    code = "unknown-assistance"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            _("There is no assistance request %(id)s here.") % {"id": request_id},
            hint=_("It belongs to the territory that asked and to the one that was asked."),
        )


class UnknownPeer(NotFound):
    code = "unknown-peer"

    def __init__(self, installation: str) -> None:
        super().__init__(_("No installation %(id)s is known here.") % {"id": installation})


class AssistanceInvalid(Invalid):
    code = "assistance-invalid"

    def __init__(self, errors: Iterable[Mapping[str, Any]]) -> None:
        told = list(errors)
        first = str(told[0]["message"]) if told else ""
        super().__init__(first, errors=told, hint=str(told[0].get("hint", "")) if len(told) == 1 else "")


class AssistanceClosed(Conflict):
    code = "assistance-closed"


class PeerInvalid(Invalid):
    code = "peer-invalid"


class UnknownPlace(NotFound):
    code = "unknown-place"

    def __init__(self, place_id: str) -> None:
        super().__init__(
            _("There is no place %(id)s here.") % {"id": place_id},
            hint=_("Check the number, and that the post you act in covers the territory of the place."),
        )


class PlaceInvalid(Invalid):
    code = "place-invalid"


class UnknownInvestigation(NotFound):
    code = "unknown-investigation"

    def __init__(self, investigation_id: str) -> None:
        super().__init__(
            _("There is no investigation %(id)s here.") % {"id": investigation_id},
            hint=_("Check the number, and that the post you act in covers the territory of the case."),
        )


class InvestigationInvalid(Invalid):
    code = "investigation-invalid"


class InvestigationClosed(Conflict):
    code = "investigation-closed"

    def __init__(self, investigation_id: str) -> None:
        super().__init__(
            _("Investigation %(id)s is closed.") % {"id": investigation_id},
            hint=_("Reopen it with a reason, if there is more to find out."),
        )


class InvestigationOpen(Conflict):
    code = "investigation-open"

    def __init__(self, investigation_id: str) -> None:
        super().__init__(
            _("Investigation %(id)s of this case is open.") % {"id": investigation_id},
            hint=_("Go on with that one."),
            details={"investigation": investigation_id},
        )


class VisitsInvalid(Invalid):
    code = "visits-invalid"


class VisitsFull(BihuanError):
    """The disk of the visit store has no room: nothing of the call was kept, or all of it waits."""

    code = "visits-full"
    status = 503

    def __init__(self) -> None:
        super().__init__(
            _("The disk of the visit store is full."),
            hint=_("Send the same again later; what is there already is not taken twice."),
            details={"retry_after": 60},
        )


class TakenByOther(Conflict):
    code = "taken-by-other"

    def __init__(self) -> None:
        super().__init__(
            _("Somebody else took these records; nothing was recorded."),
            hint=_("She logs in on this device and they go by themselves, or you hand them over."),
        )
