"""People of a list: found by what was typed, and read apart from the list.

A case may stand in a territory while its person lives in another, out of sight: the row stays, the name is
missing. So people are never joined in, but looked up for the rows of a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from bihuan.registry import names
from bihuan.registry.models import Person

# From this many people on, the list is read in its order and each row's name compared instead.
FEW = 2000
# The last character there is.
LAST = "\U0010ffff"
_PUBLIC_ID = re.compile(r"^[A-Z]-[0-9A-HJKMNP-TV-Z]{10}$")


@dataclass(frozen=True, slots=True)
class PersonBrief:
    """What a list shows of a person. Doors mask it by the rights of whoever looks."""

    id: int
    public_id: str
    name: str
    sex: str
    age_years: int | None
    birth_year: int | None
    address: str
    territory_code: str
    local_id: str
    """The number a source list gives her; all there is where a list names nobody."""


def is_public_id(text: str) -> bool:
    return bool(_PUBLIC_ID.match(text.strip().upper()))


def matching(text: str) -> Q:
    """People whose name, pinyin or initials begin with `text`."""
    typed = names.clean(text)
    if names.is_han(typed[:1]):
        return _begins("name", typed)
    plain = typed.lower().replace(" ", "")
    return _begins("name_pinyin", plain) | _begins("name_initials", plain) | _begins("name", typed)


def _begins(column: str, text: str) -> Q:
    """Texts that begin with `text`, as an interval in byte order: under row-level security the
    planner takes no
    index for LIKE, which might leak."""
    return Q(**{f"{column}__gte": text, f"{column}__lt": text + LAST})


def few(text: str) -> list[int] | None:
    """Row ids of the people `text` finds, or None if they are too many to list."""
    found = list(Person.objects.filter(matching(text)).order_by().values_list("id", flat=True)[: FEW + 1])
    return found if len(found) <= FEW else None


def many(text: str) -> QuerySet[Person]:
    return Person.objects.filter(matching(text))


def briefs(ids: Iterable[int]) -> dict[int, PersonBrief]:
    """People by row id; those out of sight are missing."""
    rows = Person.objects.filter(id__in=set(ids)).values_list(
        "id", "public_id", "name", "sex", "age_years", "birth_year", "address", "territory_code", "local_id"
    )
    return {row[0]: PersonBrief(*row) for row in rows}
