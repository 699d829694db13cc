"""A small drill, played through the real verbs, leaves loops that hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bihuan.drill import queries
from bihuan.drill.actions import hire, play, staff
from bihuan.drill.actions.play import scenario
from bihuan.loops.queries import check
from bihuan.registry import clock, posts, scope
from bihuan.registry.actions import roles
from bihuan.registry.actions.territory import load_builtin
from bihuan.registry.actor import Actor
from bihuan.registry.models import Account
from bihuan.tracing.models import CaseLink

NOW = datetime(2020, 2, 3, 12, 40, tzinfo=UTC)


@pytest.fixture
def played(db):
    with scope.system():
        load_builtin(actor=Actor.system("test"))
        roles.sync_roles(actor=Actor.system("test"))
        staff()
        result = play(replace(scenario(), now=NOW, max_cases=8))
        hire()
        yield result
    clock.reset()


@pytest.mark.django_db
def test_a_played_outbreak_leaves_loops_that_hold_and_a_clock_that_stands_at_its_end(played):
    assert played.cases == 8
    assert played.contacts > 10
    assert played.checks > 50
    found = check()
    assert found.violations == []
    assert found.created == found.open + found.done + found.waived + found.superseded
    assert (clock.now() - NOW).total_seconds() < 60
    assert not queries.is_empty()


@pytest.mark.django_db
def test_links_of_a_played_outbreak_say_where_the_infection_happened(played):
    kinds = list(CaseLink.unscoped.values_list("kind", flat=True))
    assert kinds
    assert "unknown" not in kinds


@pytest.mark.django_db
def test_a_play_is_cut_off_until_its_accounts_are_there(played):
    usernames = [account.username for account in hire()]
    assert not queries.is_cut_off(usernames)
    assert queries.is_cut_off([*usernames, "somebody-later"])


@pytest.mark.django_db
def test_where_no_drill_began_none_was_cut_off():
    assert not queries.is_cut_off(["cdc"])


@pytest.mark.django_db
def test_every_account_of_the_drill_holds_a_post_of_its_role(played):
    for account in hire():
        held = posts.held_by(Account.objects.get(username=account.username).pk)
        assert [one.post.function for one in held] == [account.function], account.username
