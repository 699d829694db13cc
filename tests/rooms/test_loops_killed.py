"""Two at once, and killed in the middle: nothing is doubled, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from bihuan.loops.actions import NewEvent, complete_bulk, record, sweep
from bihuan.loops.models import Duty, Escalation, LogEvent
from bihuan.loops.queries import check
from bihuan.registry import scope
from bihuan.registry.models import Notice
from tests.cast import GRID
from tests.rules.loop_examples import local

from .loop_room import SYSTEM, Room, assert_stored_is_replayed, at
from .loop_room import open_room as open_room
from .loop_room import packs_in_force as packs_in_force

ROOT = Path(__file__).resolve().parent.parent.parent


def many(n: int, *, prefix: str = "K") -> list[NewEvent]:
    return [
        NewEvent("contact", f"{prefix}{i}", kind, local(1, hour), GRID, idempotency_key=f"{prefix}{i}/{kind}")
        for i in range(n)
        for kind, hour in (("contact.confirmed", 10), ("contact.located", 11), ("order.started", 15))
    ]


def in_thread(work: Any) -> Any:
    def run(_: int) -> Any:
        try:
            with scope.system():
                return work()
        finally:
            connection.close()

    return run


def test_two_sweeps_at_once_make_what_one_makes(open_room: Room):
    record(many(60), actor=SYSTEM, now=local(1, 16))
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(in_thread(lambda: sweep(local(3, 12))), range(3)))
    assert sum(r.slots for r in results) == 60 * 4
    assert Escalation.unscoped.count() == sum(r.escalations for r in results)
    assert Duty.unscoped.filter(key="temperature@2020-02-03/1").count() == 60
    keys = list(Notice.objects.values_list("post_id", "key"))
    assert len(keys) == len(set(keys))
    assert_stored_is_replayed(local(3, 12))


def test_the_same_file_recorded_twice_at_once_is_recorded_once(open_room: Room):
    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(in_thread(lambda: record(many(40), actor=SYSTEM, now=local(1, 16))), range(2))
        )
    assert sorted(r.recorded for r in results) == [0, 120]
    assert LogEvent.unscoped.count() == 120
    assert_stored_is_replayed(local(1, 16))


def test_recording_while_sweeping_and_closing_keeps_the_promise(open_room: Room):
    record(many(30), actor=SYSTEM, now=local(1, 16))

    def close() -> int:
        with at_system():
            ids = list(Duty.unscoped.filter(kind="test", state=0).values_list("id", flat=True)[:20])
            return complete_bulk(ids, {"result": "negative"}, local(1, 17), SYSTEM) if ids else 0

    works = [
        in_thread(lambda: sweep(local(2, 12))),
        in_thread(lambda: record(many(30, prefix="M"), actor=SYSTEM, now=local(2, 12))),
        in_thread(close),
        in_thread(lambda: sweep(local(3, 12))),
    ]
    with at(local(3, 12)), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda work: work(0), works))
    sweep(local(3, 12))
    assert_stored_is_replayed(local(3, 12))


def at_system() -> Any:
    return scope.system()


_KILLED = """
    import os, signal, sys
    import django
    django.setup()
    from django.db import connection
    from tests.rooms import loop_room
    from bihuan.loops import bindings
    from bihuan.registry import scope
    bindings.packs = loop_room.Packs()
    bindings.compile_for = lambda subject: lambda text: loop_room.hot
    left = int(sys.argv[1])

    def count(execute, sql, params, many, context):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(sql, params, many, context)

    with scope.system(), connection.execute_wrapper(count):
        {work}
    print("finished")
"""


def run_killed(work: str, after: int) -> str:
    """Run `work` in a process that kills itself before its n-th statement. Returns what it printed."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_KILLED).format(work=work), str(after)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "bihuan.config.settings",
        "BIHUAN_MODE": "test"},
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout


def let_the_server_notice() -> None:
    """Wait until the killed process's transaction is gone."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <>"
                " pg_backend_pid()"
                " AND state LIKE 'idle in transaction%%' OR state = 'active' AND pid <> pg_backend_pid()"
                " AND datname = current_database()"
            )
            if cursor.fetchone()[0] == 0:
                return
        time.sleep(0.05)


@pytest.mark.slow
def test_a_sweep_killed_before_any_of_its_statements_doubles_and_loses_nothing(open_room: Room):
    record(many(10), actor=SYSTEM, now=local(1, 16))
    work = (
        "from bihuan.loops.actions import sweep; from tests.rules.loop_examples import local;"
        " sweep(local({day}, 12))"
    )
    finished, statement = 0, 3
    for day in (2, 3):
        while True:
            printed = run_killed(work.format(day=day), statement)
            let_the_server_notice()
            assert check().violations == []
            if "finished" in printed:
                finished += 1
                break
            statement += 4
        statement = 4
    assert finished == 2
    sweep(local(3, 12))
    assert Duty.unscoped.filter(kind="temperature").count() == 10 * 5
    assert_stored_is_replayed(local(3, 12))


@pytest.mark.slow
def test_recording_killed_in_the_middle_is_nothing_and_again_is_everything(open_room: Room):
    work = (
        "from tests.rooms.test_loops_killed import many; from bihuan.loops.actions import record;"
        " from tests.rules.loop_examples import local;"
        " record(many(5), actor=loop_room.SYSTEM, now=local(1, 16))"
    )
    for statement in (5, 12, 16, 20):
        printed = run_killed(work, statement)
        let_the_server_notice()
        assert "finished" in printed or LogEvent.unscoped.count() == 0
        assert check().violations == []
        if "finished" in printed:
            break
    record(many(5), actor=SYSTEM, now=local(1, 16) + timedelta(minutes=1))
    assert LogEvent.unscoped.count() == 15
    assert_stored_is_replayed(local(1, 17))
