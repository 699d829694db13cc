"""Errors of the cases room.

BihuanError
├── NotFound
│   └── UnknownCase        no case of that number in the territory acted in
├── Invalid
│   └── CaseInvalid        facts that cannot be true; `.errors` names row and field
└── Conflict
    ├── CaseClosed         the case was discarded or has died
    └── OutOfOrder         a step that needs another before it
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from bihuan.registry.errors import Conflict, Invalid, NotFound


class UnknownCase(NotFound):
    code = "unknown-case"

    def __init__(self, case_id: str) -> None:
        super().__init__(
            _("There is no case %(id)s here.") % {"id": case_id},
            hint=_("Check the number, and that the post you act in covers the territory of the case."),
        )


class CaseInvalid(Invalid):
    code = "case-invalid"


class CaseClosed(Conflict):
    code = "case-closed"


class OutOfOrder(Conflict):
    code = "out-of-order"
