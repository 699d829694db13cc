"""What of a person a page shows to whoever looks, and the note that it was shown.

Lists, cards and the board name everybody masked (周*明): enough to recognize, too little to find. The whole
name, address and numbers stand only on the person's own page, for posts whose role holds that class of
fields; each such page leaves an entry in the access log, and so does every file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from django.utils.translation import gettext as _

from bihuan.loops import queries as loops
from bihuan.loops.queries import DutyFilter
from bihuan.registry import access, audit, scope
from bihuan.registry.errors import NotAllowed, NotFound
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


def require_list(right: str) -> None:
    """A list of everybody in a territory is for posts that answer for the territory, not for one desk."""
    if access.reach(None, right) != "below":
        raise NotAllowed(
            _("Your post sees single people that it owes something, not lists of a territory."),
            hint=_("Open them from your duties."),
        )


def classes_of(
    right: str, *, territory_code: str, person_id: int | None = None, subject: tuple[str, str] | None = None
) -> frozenset[str]:
    """The classes of one person's fields that may be seen here. Raises NotFound if none may.

    A post that sees only its own desk sees whom one of its duties is about.
    """
    acting = scope.current()
    post_id = acting.post_id if acting else None
    found = access.field_classes(None, right, territory_code=territory_code)
    if not found and post_id is not None and _on_desk(post_id, person_id, subject):
        found = access.field_classes(None, right, territory_code=territory_code, post_id=post_id)
    if not found:
        raise NotFound(
            _("There is nobody of that number in your territory or on your desk."),
            hint=_("Open people from your duties or your lists."),
        )
    return found


def _on_desk(post_id: int, person_id: int | None, subject: tuple[str, str] | None) -> bool:
    """Does this post owe something about her, or did it?"""
    asked = []
    if subject is not None:
        asked.append(DutyFilter(post_id=post_id, subject=subject, status=""))
    if person_id is not None:
        asked.append(DutyFilter(post_id=post_id, person_id=person_id, status=""))
    return any(loops.find_duties(one, limit=1).rows for one in asked)


def note(person_ids: Iterable[int | None], shown: Sequence[str] | frozenset[str], purpose: str) -> None:
    """Write who was shown, which classes of fields, and what for."""
    known = [person_id for person_id in person_ids if person_id is not None]
    if known:
        audit.log_read(known, sorted(shown), purpose)
