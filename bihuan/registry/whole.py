"""All records of a person, held so that nobody joins, parts, shreds or changes them meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from bihuan.registry import scope
from bihuan.registry.models import Person


def hold_whole(person_ids: Iterable[int]) -> None:
    """Hold all records that are joined with these, until the transaction ends, in the order of their ids: who
    holds many waits for others who do, and none of them for ever.

    Of whatever territory, as records of several are joined. Rows that refer to them may be added meanwhile.
    """
    ids = set(person_ids)
    with scope.system():
        roots: set[int] = set()
        while new := _roots(ids) - roots:  # again for who was joined before she was held
            roots |= new
            rows = Person.objects.select_for_update(no_key=True, of=("self",)).filter(root_id__in=new)
            list(rows.order_by("id").values_list("id", flat=True))


def _roots(ids: set[int]) -> set[int]:
    return set(Person.objects.filter(id__in=ids).values_list("root_id", flat=True))
