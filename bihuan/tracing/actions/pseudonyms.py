"""From people to their keyed numbers in the visit store, and back as far as the scope acted in reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max

from bihuan.registry import clock, scope
from bihuan.registry.people import id_place, phone_place
from bihuan.registry.secrets import Keyring, keyring
from bihuan.tracing import visits
from bihuan.tracing.models import Pseudonym

_BLOCK = 5_000
_MAINLAND = "86"
_MOBILE = re.compile(r"1[3-9]\d{9}")  # as `registry.identity` judges them
#: People are looked for again that were registered so long before the newest number: transactions end in any
#: order, and none lasts this long.
_OVERLAP = timedelta(hours=6)

_MISSING = """
    SELECT p.id, p.public_id, p.id_cipher, p.id_index, p.phone_cipher, p.phone_index
    FROM registry_person p
    WHERE p.id > %(after)s AND (%(since)s::timestamptz IS NULL OR p.created_at >= %(since)s) AND (
        p.id_index <> '' AND p.id_cipher IS NOT NULL
            AND NOT EXISTS (SELECT FROM tracing_pseudonym t WHERE t.person_id = p.id AND t.of = p.id_index)
        OR p.phone_index <> '' AND p.phone_cipher IS NOT NULL
            AND NOT EXISTS (SELECT FROM tracing_pseudonym t WHERE t.person_id = p.id AND t.of = p.phone_index)
    )
    ORDER BY p.id LIMIT %(block)s
"""


def catch_up(*, everybody: bool = False) -> int:
    """Give a number to people who have none yet; how many numbers were added. Safe twice at once.

    Looks at people registered since the last time; with `everybody`, at all (nightly: numbers that were
    corrected). Runs as the system (worker, command line).
    """
    key, ring, added, after = visits.key(make=True), keyring(), 0, 0
    with scope.system():
        since = None if everybody else _since()
        while rows := _missing(after, since):
            after = rows[-1][0]
            fresh = [p for row in rows for p in _numbers(row, key, ring)]
            with transaction.atomic():
                added += len(Pseudonym.objects.bulk_create(fresh, ignore_conflicts=True))
    return added


def _since() -> datetime | None:
    newest: datetime | None = Pseudonym.objects.aggregate(at=Max("recorded_at"))["at"]
    return newest - _OVERLAP if newest else None


def _missing(after: int, since: datetime | None) -> list[tuple[int, str, bytes, str, bytes, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_MISSING, {"after": after, "since": since, "block": _BLOCK})
        return list(cursor.fetchall())


def _numbers(row: tuple[int, str, bytes, str, bytes, str], key: bytes, ring: Keyring) -> Iterator[Pseudonym]:
    person, public_id, id_cipher, id_index, phone_cipher, phone_index = row
    told = (
        (Pseudonym.ID, id_cipher, id_index, id_place(public_id)),
        (Pseudonym.PHONE, phone_cipher, phone_index, phone_place(public_id)),
    )
    for kind, cipher, of, place in told:
        if cipher is not None and of:
            told_as = ring.decrypt(cipher, place=place)
            for form in written(told_as) if kind == Pseudonym.PHONE else (told_as,):
                number = visits.number_of(form, with_key=key)
                yield Pseudonym(person_id=person, key=number, kind=kind, of=of, recorded_at=clock.now())


def written(phone: str) -> tuple[str, ...]:
    """The ways a gate may write a telephone number that we keep as + and country code: as it is, with 00,
    without either, and without the code of a mainland number (fixed lines with the 0 before the area)."""
    digits = phone.removeprefix("+")
    forms = (phone, digits, "00" + digits)
    if not digits.startswith(_MAINLAND):
        return forms
    national = digits.removeprefix(_MAINLAND)
    return (*forms, national if _MOBILE.fullmatch(national) else "0" + national)


def keys_of(person_ids: Sequence[int]) -> dict[int, list[int]]:
    """The signed keyed numbers of people of the scope acted in, by id of the person as joined (root)."""
    found: dict[int, list[int]] = {}
    for person, key in _asked("tracing_keys_of", sorted(set(person_ids))):
        found.setdefault(person, []).append(key)
    return found


def persons_of(keys: Iterable[int]) -> dict[int, int]:
    """Who stands behind signed keyed numbers: id of the person (as joined), within the scope acted in."""
    return dict(_asked("tracing_persons_of", sorted(set(keys))))


def counties_of(keys: Iterable[int]) -> dict[int, str]:
    """The county each keyed number lives in, for anybody the register knows: no more than that."""
    return dict(_asked("tracing_counties_of", sorted(set(keys))))


def _asked(function: str, numbers: list[int]) -> list[tuple[int, Any]]:
    bounds = scope.bounds()
    if not numbers or bounds is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {function}(%s, %s, %s)", [numbers, *bounds])
        return list(cursor.fetchall())
