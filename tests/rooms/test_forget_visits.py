"""Visits go when their time is up, and not while somebody needs them; the deletion is proven."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bihuan.epi.visits import VisitStore
from bihuan.epi.visits.deletions import STORE_ALONE
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor
from bihuan.registry.errors import Invalid
from bihuan.tracing.actions.forget_visits import (
    due,
    follow_list,
    forget,
    forget_due,
    note_by_hand,
)
from bihuan.tracing.actions.gates import GateRecord, StrangerInput, record_gate
from bihuan.tracing.actions.places import PlaceInput, register_place
from bihuan.tracing.actions.record_visits import record_rows
from bihuan.tracing.models import Cluster, GateCheck, Stranger, VisitDeletion
from bihuan.tracing.queries.visit_store import deletions, retention_log, view_store
from tests.cast import COMMUNITY, Cast
from tests.rooms.care_room import local

TODAY = local("06-20 09:00")
WORKER = Actor.system("retention")


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    settings.BIHUAN_HOME = tmp_path
    return tmp_path


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Visits of the first and the nineteenth of June, and what the gate counted of a stranger."""
    for day in ("06-01 08:00", "06-19 08:00"):
        with cast.community.acting(), clock.frozen(local(day)):
            given = PlaceInput("超市", COMMUNITY, kind="shop", store_id="shop")
            public_id = register_place(given, actor=cast.community.actor)[1]
            told = StrangerInput(name="甲", origin="襄阳")
            one = GateRecord(event=day, at=local(day), who="13871234567", stranger=told)
            record_gate(public_id, [one], sent_at=local(day), actor=cast.community.actor)
    return cast


def test_days_past_the_retention_go_with_all_that_the_gates_kept(filled: Cast) -> None:
    done = forget_due(actor=WORKER, now=TODAY)
    assert done is not None
    assert (done.before, done.stays, done.checks, done.strangers) == (date(2020, 6, 6), 1, 1, 1)
    with scope.system():
        assert GateCheck.unscoped.count() == Stranger.unscoped.count() == 1
    assert [row.day for row in view_store().days] == [date(2020, 6, 19)]
    assert retention_log()[0]["stays"] == 1
    assert "unverified" in deletions()[0].source
    assert forget_due(actor=WORKER, now=TODAY) is None


def test_a_deletion_stands_under_the_audit_chain_and_stays(filled: Cast) -> None:
    from bihuan.registry import chain

    forget_due(actor=WORKER, now=TODAY)
    assert "tracing_visitdeletion" in chain.chained_tables()
    with pytest.raises(Exception, match="Cannot update or delete"), scope.system():
        VisitDeletion.objects.all().delete()


def test_what_an_open_cluster_needs_stays_and_goes_after_it(filled: Cast) -> None:
    with scope.system():
        cluster = Cluster.objects.create(
            name="x", territory_code=COMMUNITY, date_first=date(2020, 5, 28), opened_at=TODAY,
            recorded_at=TODAY,
        )  # fmt: skip
    assert due(TODAY).holding == ((cluster.public_id, date(2020, 5, 28)),)
    assert forget_due(actor=WORKER, now=TODAY) is None
    with scope.system():
        Cluster.objects.filter(pk=cluster.pk).update(status="closed", closed_at=TODAY)
    assert forget_due(actor=WORKER, now=TODAY + timedelta(days=13)) is None
    assert forget_due(actor=WORKER, now=TODAY + timedelta(days=15)) is not None


def test_a_forgotten_day_takes_no_visits(filled: Cast) -> None:
    forget(date(2020, 6, 6), actor=WORKER, now=TODAY)
    rows = [{"event": "z", "person": "13871234567", "place": "shop", "start": "2020-06-01 09:00"}]
    with filled.community.acting():
        done = record_rows(rows, now=TODAY)
    assert (done.added, done.rejected, done.reasons[0].reason) == (0, 1, "forgotten")


def test_what_a_restored_database_brings_back_of_deleted_days_is_deleted_again(
    filled: Cast, home: Path
) -> None:
    with scope.system():
        kept = [list(model.unscoped.order_by("at")) for model in (GateCheck, Stranger)]
    forget(date(2020, 6, 10), actor=WORKER, now=TODAY)
    assert follow_list(actor=WORKER, now=TODAY) is None, "here the database knows"
    with scope.system():
        for rows in kept:
            type(rows[0]).unscoped.bulk_create(rows[:1])  # as a backup of before brings them back
    done = follow_list(actor=WORKER, now=TODAY)
    assert done is not None
    assert (done.before, done.stays, done.checks, done.strangers) == (date(2020, 6, 10), 0, 1, 1)
    with scope.system():
        assert GateCheck.unscoped.count() == Stranger.unscoped.count() == 1
    newest = deletions()[0]
    assert (newest.before, newest.source) == (date(2020, 6, 10), "visits.deletions")
    assert follow_list(actor=WORKER, now=TODAY) is None


def test_what_was_deleted_from_the_store_alone_leaves_what_gates_counted(filled: Cast, home: Path) -> None:
    store = VisitStore(home / "visits")
    store.forget((date(2020, 6, 10) - date(1970, 1, 1)).days, by=f"{STORE_ALONE} (somebody)")
    assert follow_list(actor=WORKER, now=TODAY) is None
    with scope.system():
        assert GateCheck.unscoped.count() == 2


def test_nobody_forgets_the_future(filled: Cast) -> None:
    with pytest.raises(Invalid):
        forget(date(2020, 6, 21), actor=WORKER, now=TODAY)


def test_what_was_deleted_from_the_store_alone_is_entered_once(filled: Cast, home: Path) -> None:
    from bihuan.epi.visits import VisitStore

    VisitStore(home / "visits").forget((date(2020, 6, 6) - date(1970, 1, 1)).days)
    assert (note_by_hand(), note_by_hand()) == (1, 0)
    assert deletions()[0].reason == "by hand"
    assert deletions()[0].stays == 1
