"""Errors of the tracing room.

BihuanError
├── NotFound
│   └── UnknownContact     no contact of that number in the territory acted in
├── Invalid
│   └── ContactInvalid     facts that cannot be true; `.errors` names row and field
└── Conflict
    └── ContactClosed      released, became a case, or re-assessed as a general contact
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from bihuan.registry.errors import Conflict, Invalid, NotFound


class UnknownContact(NotFound):
    code = "unknown-contact"

    def __init__(self, contact_id: str) -> None:
        super().__init__(
            _("There is no contact %(id)s here.") % {"id": contact_id},
            hint=_("Check the number, and that the post you act in covers the territory of the contact."),
        )


class ContactInvalid(Invalid):
    code = "contact-invalid"


class ContactClosed(Conflict):
    code = "contact-closed"
