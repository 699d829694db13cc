"""Two installations in one test database: each has its own home (name and keys) and sees the other as its
peer.

Which of the two acts is said by `House.acting`: it sets the data folder and stands in for the other database
by hiding the house's own row among the peers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.test import override_settings

from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.models import Peer
from bihuan.tracing.peers import keys
from bihuan.tracing.peers.envelope import Envelope
from bihuan.tracing.peers.wire import NotDelivered

SYSTEM = Actor.system("test", door="test")


@dataclass
class House:
    """An installation: its data folder, the territory it serves, its number."""

    home: Path
    serves: str
    number: str = ""

    @contextmanager
    def acting(self) -> Iterator[None]:
        """This house works: its keys, and not itself among its peers."""
        with override_settings(BIHUAN_HOME=self.home), scope.system():
            hidden = Peer.objects.filter(installation=self.number, revoked_at=None)
            ids = list(hidden.values_list("id", flat=True))
            Peer.objects.filter(id__in=ids).update(revoked_at=clock.now())
            try:
                yield
            finally:
                Peer.objects.filter(id__in=ids).update(revoked_at=None)

    def card(self) -> dict[str, Any]:
        with override_settings(BIHUAN_HOME=self.home):
            return keys.card_of(keys.own())

    def receive(self, raw: bytes) -> dict[str, Any]:
        """A message comes in; what it did is kept or taken back like a request's transaction."""
        with self.acting(), transaction.atomic():
            return verbs.receive(raw)


def pair(folder: Path, *, asking: str, asked: str) -> tuple[House, House]:
    """Two houses that trust each other."""
    made = []
    for name, serves in (("asking", asking), ("asked", asked)):
        house = House(folder / name, serves)
        with override_settings(BIHUAN_HOME=house.home), scope.system():
            verbs.name_installation(name=f"{serves} CDC", url=f"https://{name}.example", serves=[serves])
            house.number = keys.own().installation
        made.append(house)
    for here, there in (made, made[::-1]):
        card = there.card()
        with override_settings(BIHUAN_HOME=here.home), scope.system():
            verbs.add_peer(card, actor=SYSTEM)
    for house, other in (made, made[::-1]):
        with override_settings(BIHUAN_HOME=other.home):
            Peer.objects.filter(installation=house.number).update(knows_key=keys.own().newest.id)
    return made[0], made[1]


class Line:
    """The wire between houses. `loses_request`, `loses_answer`: how often; everything carried is
    remembered."""

    def __init__(self, *houses: House) -> None:
        self.houses = {house.number: house for house in houses}
        self.carried: list[bytes] = []
        self.down = False
        self.loses_answer = False

    def post(self, url: str, given: Envelope) -> Any:
        if self.down:
            raise NotDelivered("unreachable")
        raw = given.as_bytes()
        self.carried.append(raw)
        with _elsewhere(settings.BIHUAN_HOME):
            try:
                answer = self.houses[given.receiver].receive(raw)
            except verbs.Refused as refused:
                raise NotDelivered(refused.code, refused.status) from None
        if self.loses_answer:
            raise NotDelivered("unreachable")
        return json.loads(json.dumps(answer))

    def again(self, n: int) -> None:
        """An old message comes once more, by whatever way."""
        raw = self.carried[n % len(self.carried)]
        receiver = json.loads(raw)["to"]
        with suppress(verbs.Refused):  # an old key, or a thread that is not there yet
            self.houses[receiver].receive(raw)


@contextmanager
def _elsewhere(_home: object) -> Iterator[None]:
    """While the other house works, this one's peers are what that one sees: nothing of ours stays hidden."""
    hidden = list(Peer.objects.filter(revoked_at__isnull=False).values_list("id", "revoked_at"))
    Peer.objects.filter(id__in=[pk for pk, _at in hidden]).update(revoked_at=None)
    try:
        yield
    finally:
        for pk, at in hidden:
            Peer.objects.filter(id=pk).update(revoked_at=at)
