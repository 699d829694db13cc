"""What can be wrong with loops and duties.

BihuanError
├── NotFound
│   ├── UnknownLoop
│   └── UnknownDuty
├── Invalid
│   ├── EvidenceMissing     what ends the duty lacks a key its definition asks for
│   ├── ReasonMissing       waiving, undoing and handing over say why
│   └── BadDefinition       a pack's loop definition cannot be read or bound
└── Conflict
    └── NotOpen             the duty has already ended
"""

from __future__ import annotations

from bihuan.registry.errors import Conflict, Invalid, NotFound


class UnknownLoop(NotFound):
    code = "unknown-loop"


class UnknownDuty(NotFound):
    code = "unknown-duty"


class EvidenceMissing(Invalid):
    code = "evidence-missing"


class ReasonMissing(Invalid):
    code = "reason-missing"


class BadDefinition(Invalid):
    code = "bad-loop-definition"


class NotOpen(Conflict):
    code = "duty-not-open"
