"""Name close contacts, one or many. Being named one has consequences, so a person stands for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions.merge import Named, name_contacts
from bihuan.tracing.actions.naming import KINDS, ContactInput
from bihuan.tracing.models import Contact

__all__ = ["KINDS", "ConfirmResult", "ContactInput", "confirm_contact", "confirm_contacts"]


@dataclass(frozen=True, slots=True)
class ConfirmResult:
    """`named` in the order of the inputs: what became of each."""

    named: tuple[Named, ...]

    @property
    def contacts(self) -> tuple[tuple[int, str], ...]:
        """(id, public_id) in the order of the inputs."""
        return tuple((one.pk, one.public_id) for one in self.named)

    @property
    def known(self) -> int:
        """How many were here already, by their source key."""
        return sum(one.known for one in self.named)

    @property
    def joined(self) -> int:
        """How many were open contacts already and took the exposure there."""
        return sum(one.joined for one in self.named)


def confirm_contact(given: ContactInput, *, actor: Actor, now: datetime | None = None) -> Contact:
    """Name one close contact and open the loop. Raises ContactInvalid, NotAllowed, NotFound."""
    result = confirm_contacts([given], actor=actor, now=now)
    with scope.system():  # the investigator sees whom she named, also a person living elsewhere
        return Contact.objects.select_related("person", "case").get(id=result.contacts[0][0])


def confirm_contacts(
    inputs: Sequence[ContactInput], *, actor: Actor, now: datetime | None = None
) -> ConfirmResult:
    """Name many contacts and open their loops, in one transaction. All or nothing; a known source key is not
    taken again, and whoever is an open contact already is not made a second one. The right contact.write is
    needed at each territory."""
    return ConfirmResult(tuple(name_contacts(inputs, actor=actor, now=now)))
