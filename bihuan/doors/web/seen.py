"""What of a person a page shows to whoever looks, and the note that it was shown.

Lists, cards and the board name everybody masked (周*明): enough to recognize, too little to find. The whole
name, address and numbers stand only on the person's own page, for posts whose role holds that class of
fields; each such page leaves an entry in the access log, and so does every file. Which classes of fields a
post sees of somebody is asked of `loops.queries.sight`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from django.utils.translation import gettext as _

from bihuan.registry import access, audit
from bihuan.registry.masking import mask_address, mask_name

IDENTITY: Final = "identity"
LOCATION: Final = "location"
HEALTH: Final = "health"
SEXES: Final = ("M", "F", "O")


class Named(Protocol):
    """What a mask is made from: a person as queries give her."""

    @property
    def name(self) -> str: ...
    @property
    def sex(self) -> str: ...
    @property
    def age_years(self) -> int | None: ...
    @property
    def local_id(self) -> str: ...


def name_in_list(person: Named | None) -> str:
    """The masked name, or the number in the list she comes from where that names nobody."""
    if person is None:
        return _("out of sight")
    return mask_name(person.name) or _numbered(person)


def name_on_page(person: Named, classes: frozenset[str]) -> str:
    return (person.name if IDENTITY in classes else mask_name(person.name)) or _numbered(person)


def _numbered(person: Named) -> str:
    return _("No. %(id)s") % {"id": person.local_id} if person.local_id else _("name unknown")


def address_on_page(address: str, classes: frozenset[str]) -> str:
    return address if LOCATION in classes else mask_address(address)


def about(person: Named | None) -> str:
    """男 · 34 岁: sex and age, what is known of them."""
    if person is None:
        return ""
    words = {"M": _("male"), "F": _("female"), "O": _("other sex")}
    parts = [words.get(person.sex, "")]
    if person.age_years is not None:
        parts.append(_("%(n)d years") % {"n": person.age_years})
    return " · ".join(part for part in parts if part)


def classes(right: str) -> frozenset[str]:
    """The classes of fields the post acted in may see in a list under a right."""
    return access.field_classes(None, right)


def note(person_ids: Iterable[int | None], shown: Sequence[str] | frozenset[str], purpose: str) -> None:
    """Write who was shown, which classes of fields, and what for."""
    known = [person_id for person_id in person_ids if person_id is not None]
    if known:
        audit.log_read(known, sorted(shown), purpose)
