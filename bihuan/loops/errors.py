"""What can be wrong with loops and duties.

BihuanError
├── NotFound
│   ├── UnknownLoop
│   └── UnknownDuty
├── Invalid
│   ├── EvidenceMissing     what ends the duty lacks a key its definition asks for
│   ├── NotPlain            it ends by an action with a rule of its own, not by evidence alone
│   ├── ReasonMissing       waiving, undoing and handing over say why
│   ├── CannotTakeOver      the post a duty is handed to lies elsewhere, is not active or may do no duties
│   └── BadDefinition       a pack's loop definition cannot be read or bound
└── Conflict
    ├── NotOpen             the duty has already ended
    └── NotHandedOver       there is no hand-over of this duty to take back
"""

from __future__ import annotations

from bihuan.registry.errors import Conflict, Invalid, NotFound


class UnknownLoop(NotFound):
    code = "unknown-loop"


class UnknownDuty(NotFound):
    code = "unknown-duty"


class EvidenceMissing(Invalid):
    code = "evidence-missing"


class NotPlain(Invalid):
    code = "not-plain"


class ReasonMissing(Invalid):
    code = "reason-missing"


class CannotTakeOver(Invalid):
    code = "cannot-take-over"


class BadDefinition(Invalid):
    code = "bad-loop-definition"


class NotOpen(Conflict):
    code = "duty-not-open"


class NotHandedOver(Conflict):
    code = "not-handed-over"
