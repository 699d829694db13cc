"""Her own page: a post gives somebody a code, and she opens with it what is held about her, why, until when,
and who looked (architecture 7.3). She has no account and no post; what she may see is the reach of the post
that gave the code, and of that only what is about her."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext as _

from bihuan.care.actions.appeals import file_appeal
from bihuan.care.errors import HasCode, HasDied, NoProof, OwnPageClosed
from bihuan.care.models import Appeal, Order, OwnAccess
from bihuan.care.queries.own_page import PROVABLE, died_among, has_died, last_sheets, without_code
from bihuan.care.rules.own_page import CODE_LENGTH, TRIES, VALID_DAYS, OwnEnd, is_hers, plain_code
from bihuan.cases.actions.common import moment_now, writing
from bihuan.loops.queries.sight import classes_of
from bihuan.registry import access, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import BihuanError, NotAllowed, NotFound
from bihuan.registry.identity import LOCAL
from bihuan.registry.ids import ALPHABET
from bihuan.registry.models import Person
from bihuan.registry.people import id_place, phone_place
from bihuan.registry.queries import person_by_public_id, unknown_person
from bihuan.registry.roles_rules import Granted
from bihuan.registry.scope import Scope
from bihuan.registry.secrets import keyring
from bihuan.registry.whole import hold_whole

RIGHT = "person.view"
#: What her own page tells: whoever gives a code sees all of it.
TOLD = frozenset({"identity", "health", "location"})
#: Key of the advisory lock on making a sheet.
_ONE_SHEET: Final = 0x1B6
_HERSELF = Actor.system("the person herself", door="web")


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """A code as it is handed over, once; afterwards nobody can read it. `person_id`: as it was asked for;
    `until` in UTC."""

    person_id: str
    access: OwnAccess
    code: str
    until: datetime


@dataclass(frozen=True, slots=True)
class NotGiven:
    """Who was given no code, and why."""

    person_id: str
    why: BihuanError


def may_give(person: Person) -> bool:
    """Whether the post acted in sees all that the person's own page would tell."""
    acting = scope.current()
    if acting is None or acting.post_id is None or acting.glass:
        return False
    try:
        return classes_of(RIGHT, territory_code=person.territory_code, person_id=person.pk) >= TOLD
    except NotFound:
        return False


def may_give_many() -> bool:
    """Whether the post acted in sees all of it of everybody in its territory, not of its own desk alone."""
    acting = scope.current()
    if acting is None or acting.post_id is None or acting.glass or access.reach(None, RIGHT) != "below":
        return False
    return access.field_classes(None, RIGHT, territory_code=acting.lo) >= TOLD


def require_give_many() -> None:
    """Raises NotAllowed unless `may_give_many`."""
    if not may_give_many():
        raise _not_given_by_post()


def give_code(person_id: str, *, actor: Actor, now: datetime | None = None) -> Given:
    """A new code for somebody's own page; the one before opens nothing any more.

    Raises NotAllowed for a post that does not see all of it, NoProof for a person of whom no number is held,
    HasDied for one who can open nothing any more.
    """
    given, refused = give_codes([person_id], actor=actor, renew=True, now=now)
    for one in refused:
        raise one.why
    return given[0]


def give_sheet(
    territory_code: str, *, most: int, actor: Actor, now: datetime | None = None
) -> tuple[list[Given], list[NotGiven]]:
    """Codes for the first `most` who are looked after in a territory and have none. Of two sheets at once the
    second waits for the first, and goes on where it ends. Raises NotAllowed unless `may_give_many`."""
    require_give_many()
    at = moment_now(now)
    with writing(actor):
        _one_sheet()
        return give_codes(without_code(territory_code, most=most, now=at), actor=actor, now=at)


def give_sheet_again(
    given_at: datetime, *, actor: Actor, now: datetime | None = None
) -> tuple[list[Given], list[NotGiven]]:
    """A sheet of the post acted in was lost: new codes for whom of it has not opened her page; those before
    end. Raises NotAllowed unless `may_give_many`."""
    require_give_many()
    at = moment_now(now)
    with writing(actor):
        _one_sheet()
        lost = [one for sheet in last_sheets(now=at) if sheet.given_at == given_at for one in sheet.unopened]
        return give_codes(lost, actor=actor, renew=True, now=at)


def _one_sheet() -> None:
    """Wait for whoever makes a sheet, and be the only one until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_SHEET])


def give_codes(
    person_ids: Sequence[str], *, actor: Actor, renew: bool = False, now: datetime | None = None
) -> tuple[list[Given], list[NotGiven]]:
    """A code for each, as `give_code`; who can be given none holds up nobody else. Who has one that opens
    keeps it, so that of two sheets printed at once none is void, unless `renew`. Somebody named by two of
    her records gets one."""
    at = moment_now(now)
    asked = list(dict.fromkeys(person_ids))
    refused: dict[str, BihuanError] = {}
    with writing(actor):
        hold_whole(Person.objects.filter(public_id__in=asked).values_list("id", flat=True))
        found = {one.public_id: one for one in Person.objects.filter(public_id__in=asked)}
        facts = _facts(found.values(), at)
        free: dict[int, Person] = {}
        for public_id in asked:
            try:
                person = _given_to(found, public_id)
                facts.check(person, renew=renew)
                if free.setdefault(person.root_id, person) is not person:
                    raise HasCode()
            except BihuanError as why:
                refused[public_id] = why
        _end(free, OwnEnd.RENEWED, at)
        given = _give(free.values(), actor, at)
    return given, [NotGiven(public_id, why) for public_id, why in refused.items()]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of which people (roots) a code opens their page, who has died, and of whom a number is held."""

    coded: frozenset[int]
    died: frozenset[int]
    provable: frozenset[int]

    def check(self, person: Person, *, renew: bool) -> None:
        if person.root_id in self.died:
            raise HasDied()
        if person.root_id in self.coded and not renew:
            raise HasCode()
        if person.root_id not in self.provable:
            raise NoProof()


def _facts(people: Iterable[Person], at: datetime) -> _Facts:
    roots = {one.root_id for one in people}
    with scope.system():  # wherever it was recorded: she has one page
        rows = Person.objects.filter(root_id__in=roots)
        codes = OwnAccess.objects.filter(person__root_id__in=roots, ended_at__isnull=True, until_at__gt=at)
        return _Facts(
            coded=frozenset(codes.values_list("person__root_id", flat=True)),
            died=died_among(roots),
            provable=frozenset(rows.filter(PROVABLE).values_list("root_id", flat=True)),
        )


def _give(people: Iterable[Person], actor: Actor, at: datetime) -> list[Given]:
    """Codes, written together."""
    acting = scope.current()
    codes = [(one, "".join(secrets.choice(ALPHABET) for _n in range(CODE_LENGTH))) for one in people]
    made = OwnAccess.objects.bulk_create(
        OwnAccess(
            person=one,
            territory_code=one.territory_code,
            reach=acting.lo if acting is not None else "",
            code_index=_index(code),
            given_at=at,
            given_by=actor.name[:120],
            given_by_account_id=actor.account_id,
            given_by_post_id=actor.post_id,
            until_at=at + timedelta(days=VALID_DAYS),
        )
        for one, code in codes
    )
    return [
        Given(one.public_id, row, code, row.until_at) for row, (one, code) in zip(made, codes, strict=True)
    ]


def take_code_back(person_id: str, *, actor: Actor, now: datetime | None = None) -> int:
    """The person's code opens nothing any more; returns how many were ended."""
    at = moment_now(now)
    with writing(actor):
        person = person_by_public_id(person_id)
        hold_whole([person.pk])
        person = _given_to({person_id: person_by_public_id(person_id)}, person_id)
        return _end([person.root_id], OwnEnd.TAKEN_BACK, at)


def open_own_page(code: str, answer: str, *, now: datetime | None = None) -> OwnAccess | None:
    """What a code and the end of one of her numbers open; None when either is wrong, which is counted.

    After `TRIES` wrong answers the code opens nothing any more.
    """
    at = moment_now(now)
    plain = plain_code(code)
    if not plain:
        return None
    with writing(_HERSELF), scope.system():  # who has no post stands in no territory
        found = (
            OwnAccess.objects.select_for_update(of=("self",)).select_related("person")
            .filter(code_index=_index(plain), ended_at__isnull=True, until_at__gt=at).first()
        )  # fmt: skip
        if found is None or has_died(found.person):
            return None
        if is_hers(answer, _numbers(found.person)):
            OwnAccess.objects.filter(pk=found.pk).update(opened=F("opened") + 1, opened_at=at, wrong=0)
            return found
        found.wrong += 1
        if found.wrong >= TRIES:
            found.ended_at, found.end_reason = at, OwnEnd.GUESSED.value
        found.save(update_fields=["wrong", "ended_at", "end_reason"])
        return None


@contextmanager
def on_own_page(access_id: str, *, now: datetime | None = None) -> Iterator[Person]:
    """Act as somebody on her own page: within the reach of the post that gave the code, without any right.

    Raises OwnPageClosed when the code opens nothing any more.
    """
    at = moment_now(now)
    with scope.system():  # whose page it is, is not known before
        rows = OwnAccess.objects.select_related("person").filter(public_id=access_id, ended_at__isnull=True)
        found = rows.filter(until_at__gt=at).first()
        if found is None or has_died(found.person):
            raise OwnPageClosed()
    with scope.acting_as(Scope(lo=found.reach)):
        person = Person.objects.filter(pk=found.person_id, shredded_at__isnull=True).first()
        if person is None:
            raise OwnPageClosed()
        yield person


def appeal_own(access_id: str, order_id: str, *, text: str, now: datetime | None = None) -> Appeal:
    """The person herself appeals against an order about her. Raises OwnPageClosed, and what `file_appeal`
    raises; an order about somebody else does not exist for her."""
    at = moment_now(now)
    with on_own_page(access_id, now=at) as person:
        order = Order.objects.filter(public_id=order_id, person__root_id=person.root_id).first()
        if order is None:
            raise OwnPageClosed()
        name, code = person.name, order.territory_code
    files = Scope(lo=code, grants=frozenset({Granted("appeal.file", "operational", "below")}))
    with scope.acting_as(files):
        return file_appeal(
            order_id, text=text, filed_by=name or _("the person herself"), actor=_HERSELF, now=at
        )


def _given_to(found: Mapping[str, Person], public_id: str) -> Person:
    """The person of this id, if the post may give her a code. Raises NotFound, NotAllowed."""
    person = found.get(public_id)
    if person is None:
        raise unknown_person(public_id)
    if not may_give(person):
        raise _not_given_by_post()
    return person


def _not_given_by_post() -> NotAllowed:
    return NotAllowed(
        _("A code is given by a post that sees who the person is, where, and her health."),
        hint=_("Ask the community, the street or the CDC that looks after her."),
    )


def _end(roots: Iterable[int], why: OwnEnd, at: datetime) -> int:
    with scope.system():  # she has one code, wherever she lived or a record joined with hers lies
        rows = OwnAccess.objects.filter(person__root_id__in=list(roots), ended_at__isnull=True)
        return rows.update(ended_at=at, end_reason=why.value)


def _numbers(person: Person) -> list[str]:
    """Her document numbers and telephones, of all records joined with hers. A serial of a list is neither:
    whoever holds the list could guess it."""
    ring, found = keyring(), []
    for one in Person.objects.filter(root_id=person.root_id):
        if one.id_cipher and one.id_kind != LOCAL:
            found.append(ring.decrypt(one.id_cipher, place=id_place(one.public_id)))
        if one.phone_cipher:
            found.append(ring.decrypt(one.phone_cipher, place=phone_place(one.public_id)))
    return found


def _index(code: str) -> str:
    return keyring().index("own page", code)
