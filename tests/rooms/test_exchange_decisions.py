"""Who named this installation or changed its key, and who trusted or suspended others, stays on record."""

from __future__ import annotations

import dataclasses

import pytest
from django.db import ProgrammingError, transaction
from django.test import override_settings

from bihuan.registry import scope
from bihuan.registry.actor import Actor
from bihuan.registry.chain import chained_tables
from bihuan.registry.errors import NotAllowed
from bihuan.tracing.actions import assistance as verbs
from bihuan.tracing.errors import PeerInvalid
from bihuan.tracing.models import ExchangeDecision, Peer
from bihuan.tracing.peers import keys
from bihuan.tracing.queries import peers as queries
from tests.rooms.exchange_room import SYSTEM
from tests.rooms.test_exchange import NOON, carry

LI = Actor(7, 3, "李敏", "web")


def told(n: int) -> list[tuple[str, str, str]]:
    with scope.system():
        return [(one.what, one.name, one.by) for one in queries.decisions(limit=n)]


def test_naming_changing_and_a_new_key_are_kept_with_who_and_the_fingerprint(tmp_path, db) -> None:
    card = {"url": "https://a.example", "serves": ["4203"], "actor": LI}
    with override_settings(BIHUAN_HOME=tmp_path), scope.system():
        first = verbs.name_installation(name="十堰", **card)
        verbs.name_installation(name="十堰疾控", **card)
        made = verbs.rotate_key(actor=LI, newest=first.newest.id)
        verbs.rotate_key(actor=LI, newest=first.newest.id)  # asked twice, made once
        verbs.deliver(now=NOON)
        found = queries.decisions()
    assert [(one.what, one.name, one.by) for one in found] == [
        ("key_dropped", "十堰疾控", "assistance"),
        ("key_changed", "十堰疾控", "李敏"),
        ("changed", "十堰疾控", "李敏"),
        ("named", "十堰", "李敏"),
    ]
    assert made.serial == 3, "the second asking changed nothing"
    assert found[1].fingerprint == keys.fingerprint(made.newest.public) != found[2].fingerprint
    row = ExchangeDecision.objects.get(what="key_changed")
    assert (row.by_account_id, row.by_post_id, row.door, row.serves) == (7, 3, "web", ["4203"])


def test_trusted_suspended_and_trusted_again_each_keeps_its_name(houses, noon) -> None:
    asking, asked, _line = houses
    wang = dataclasses.replace(LI, name="王强")
    with asking.acting():
        verbs.revoke_peer(asked.number, reason="密钥可能外泄", actor=wang)
        verbs.add_peer(asked.card(), actor=LI)
    peer = Peer.objects.get(installation=asked.number)
    assert (peer.trusted_by, peer.revoked_by) == ("李敏", "")
    assert told(2) == [("trusted", "4206 CDC", "李敏"), ("revoked", "4206 CDC", "王强")]
    assert ExchangeDecision.objects.get(what="revoked").reason == "密钥可能外泄"


def test_a_key_that_the_other_side_changed_is_kept_as_its_own_deed(houses, noon) -> None:
    _asking, asked, line = houses
    with asked.acting():
        verbs.rotate_key(actor=SYSTEM)
    carry(asked, line)
    row = ExchangeDecision.objects.get(what="peer_key")
    assert (row.installation, row.by_name, row.door) == (asked.number, "4206 CDC", "exchange")
    assert row.fingerprint == keys.fingerprint(Peer.objects.get(installation=asked.number).key)


def test_what_is_refused_leaves_no_decision(houses, noon) -> None:
    asking, asked, _line = houses
    before = ExchangeDecision.objects.count()
    with asking.acting():
        with pytest.raises(PeerInvalid):
            verbs.revoke_peer(asked.number, reason=" ", actor=LI)
        with pytest.raises(PeerInvalid):
            verbs.name_installation(name="A", url="ftp://x", serves=["4203"], actor=LI)
    assert ExchangeDecision.objects.count() == before


def test_nobody_changes_it_and_the_chain_has_it(houses, noon) -> None:
    assert "tracing_exchangedecision" in chained_tables()
    with pytest.raises(ProgrammingError), transaction.atomic():
        ExchangeDecision.objects.update(by_name="x")


def test_only_who_administers_reads_it(houses, noon) -> None:
    with pytest.raises(NotAllowed):
        queries.decisions()
