"""Errors of the care room.

BihuanError
├── NotFound
│   ├── UnknownOrder
│   ├── UnknownAppeal
│   └── OwnPageClosed      the code of somebody's own page opens nothing any more
├── Invalid
│   ├── RecordIncomplete   no control without a complete decision record; `.errors` names what is missing
│   └── ReadingInvalid     a temperature nobody can have, a check in the future
├── NotAllowed
│   └── NobodyDecides      an order needs a person who decides; the system alone may not
└── Conflict
    ├── NotReleasable      the rule says not yet; `.details["reasons"]` says why
    │   └── NotMovable     nor may the person go home yet for the second stage
    ├── NotTwoStages       the order has no second stage at home to move to
    ├── AlreadyObserved    an order runs already; extend it instead
    ├── NotObserved        no order runs
    ├── AppealWaiting      the order has an appeal that waits for its answer
    ├── NoProof            no number of a person is held by which she could show that a page is hers
    ├── HasCode            a code opens her page already, and no other was asked for
    └── HasDied            nobody can open a page as her own any more
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from bihuan.cases.rules import Decision
from bihuan.registry.errors import Conflict, Invalid, NotAllowed, NotFound


class UnknownOrder(NotFound):
    code = "unknown-order"

    def __init__(self, order_id: str) -> None:
        super().__init__(_("There is no order %(id)s here.") % {"id": order_id})


class UnknownAppeal(NotFound):
    code = "unknown-appeal"

    def __init__(self, appeal_id: str) -> None:
        super().__init__(_("There is no appeal %(id)s here.") % {"id": appeal_id})


class RecordIncomplete(Invalid):
    code = "record-incomplete"


class ReadingInvalid(Invalid):
    code = "reading-invalid"


class NobodyDecides(NotAllowed):
    code = "nobody-decides"


class NotReleasable(Conflict):
    code = "not-releasable"

    def __init__(self, decision: Decision) -> None:
        said = [_(reason.text) % dict(reason.params) for reason in decision.reasons]
        super().__init__(
            _("Not yet: %(reasons)s") % {"reasons": " ".join(said)},
            details={"reasons": [reason.code for reason in decision.reasons], "rule": decision.rule},
        )


class NotMovable(NotReleasable):
    code = "not-movable"


class NotTwoStages(Conflict):
    code = "not-two-stages"


class AlreadyObserved(Conflict):
    code = "already-observed"


class NotObserved(Conflict):
    code = "not-observed"


class AppealWaiting(Conflict):
    code = "appeal-waiting"


class OwnPageClosed(NotFound):
    code = "own-page-closed"

    def __init__(self) -> None:
        super().__init__(
            _("This page is closed."), hint=_("Open it again with your code, or ask for a new code.")
        )


class NoProof(Conflict):
    code = "no-proof"

    def __init__(self) -> None:
        super().__init__(
            _("Neither a document number nor a telephone of this person is held."),
            hint=_("Enter one first: with its last characters she shows that the page is hers."),
        )


class HasCode(Conflict):
    code = "has-code"

    def __init__(self) -> None:
        super().__init__(
            _("She has a code that opens her page."),
            hint=_("If it was lost, ask for a new one: it ends the one before."),
        )


class HasDied(Conflict):
    code = "has-died"

    def __init__(self) -> None:
        super().__init__(
            _("This person has died; nobody opens a page as her own any more."),
            hint=_("If that is not so, correct the outcome of the case, or order her observation anew."),
        )
