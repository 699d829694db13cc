"""The cast put back as rows is the cast that its verbs make."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from bihuan.registry import clock, posts, scope
from bihuan.registry.models import Account, Organization
from tests import cast as people
from tests import recorded as worlds
from tests.rooms.care_room import local

pytestmark = pytest.mark.django_db


def world():
    """The digests of all tables but those of random numbers and ids, and what the members hold."""
    with scope.system():
        held = {a.username: sorted(map(repr, posts.held_by(a))) for a in Account.objects.all()}
        return worlds._digests(), held


def made_and_undone(told):
    with transaction.atomic():
        told.append((people.make_cast(), *world()))
        transaction.set_rollback(True)


@pytest.fixture
def nothing_recorded(monkeypatch):
    if not worlds._may_silence_triggers():
        pytest.skip("this user of PostgreSQL may not silence triggers: the cast is made anew every time")
    monkeypatch.setattr(worlds, "_recordings", {})


def test_every_table_is_as_the_verbs_left_it(nothing_recorded, monkeypatch):
    told = []
    made_and_undone(told)
    assert len(worlds._recordings) == 1
    monkeypatch.setattr(people, "_make_cast", None)  # from here on nobody makes it
    made_and_undone(told)
    (first, tables, held), (again, tables_again, held_again) = told
    assert tables == tables_again
    assert held == held_again
    assert first == again
    assert again.officer.account is not first.officer.account


def test_numbers_given_out_later_are_new(nothing_recorded):
    told = []
    made_and_undone(told)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('registry_account_id_seq', 1)")
    made_and_undone(told)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('registry_account_id_seq')")
        [number] = cursor.fetchone()
    assert number > told[0][0].stranger.id


def test_at_another_instant_and_where_something_stands_already_it_is_made_anew(nothing_recorded):
    told = []
    made_and_undone(told)
    with clock.frozen(local("01-01 08:00")):
        made_and_undone(told)
    assert len(worlds._recordings) == 2
    with scope.system():
        Organization.objects.create(name="x", kind="cdc", territory_code="42")
    made_and_undone(told)
    assert len({one.officer.account.id for one, _tables, _held in told}) == 3
