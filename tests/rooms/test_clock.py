"""The clock: one source of now, movable where no real work is done."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from django.conf import settings as django_settings

from bihuan.doors.cli.main import run
from bihuan.registry import clock
from bihuan.registry.errors import Invalid

THEN = datetime(2020, 2, 5, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fresh():
    clock.forget()
    yield
    clock.forget()


@pytest.mark.django_db
def test_a_clock_set_runs_on_from_there():
    clock.set_to(THEN)
    first, second = clock.now(), clock.now()
    assert THEN <= first <= second < THEN + timedelta(seconds=20)


@pytest.mark.django_db
def test_it_is_advanced_from_what_it_shows_and_back_again():
    clock.set_to(THEN)
    clock.advance(timedelta(days=3))
    clock.advance(timedelta(hours=-1))
    assert abs(clock.now() - THEN - timedelta(days=3) + timedelta(hours=1)) < timedelta(seconds=20)
    clock.reset()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=20)


@pytest.mark.django_db
def test_asking_often_asks_the_database_once(django_assert_num_queries):
    clock.set_to(THEN)
    with django_assert_num_queries(1):
        for _i in range(1000):
            clock.now()


def test_real_work_is_on_the_real_clock_without_any_query(settings):
    settings.BIHUAN_MODE = "production"
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "move", [lambda: clock.set_to(THEN), lambda: clock.advance(timedelta(1)), clock.reset]
)
def test_the_clock_of_real_work_cannot_be_moved_and_says_where_it_can(settings, move):
    settings.BIHUAN_MODE = "production"
    with pytest.raises(clock.ClockFixed) as caught:
        move()
    assert "production" in caught.value.message
    assert "BIHUAN_MODE" in caught.value.hint


def test_frozen_stands_still_and_nests():
    with clock.frozen(THEN):
        assert clock.now() == THEN
        with clock.frozen(THEN + timedelta(1)):
            assert clock.now() == THEN + timedelta(1)
        assert clock.now() == THEN


@pytest.mark.django_db
def test_a_time_without_zone_is_refused():
    with pytest.raises(Invalid):
        clock.set_to(datetime(2020, 2, 5))


def test_a_day_is_the_local_day():
    late = datetime(2020, 2, 4, 16, 30, tzinfo=UTC)
    assert clock.local_day(late, "Asia/Shanghai") == date(2020, 2, 5)
    assert clock.local_day(late, "America/Guatemala") == date(2020, 2, 4)
    assert clock.start_of_day(date(2020, 2, 5), "Asia/Shanghai") == datetime(2020, 2, 4, 16, tzinfo=UTC)


def test_a_day_with_a_clock_change_begins_at_its_own_midnight():
    assert clock.start_of_day(date(2020, 3, 29), "Europe/Paris") == datetime(2020, 3, 28, 23, tzinfo=UTC)
    assert clock.start_of_day(date(2020, 3, 30), "Europe/Paris") == datetime(2020, 3, 29, 22, tzinfo=UTC)


def test_an_unknown_zone_is_named():
    with pytest.raises(Invalid, match="Mars"):
        clock.zone("Mars/Olympus")


@pytest.mark.django_db
def test_the_command_line_sets_and_shows_it(capsys):
    assert run(["clock", "set", "2020-02-05T08:00", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["now"].startswith("2020-02-05T08:00")
    assert said["mode"] == django_settings.BIHUAN_MODE
    assert run(["clock", "advance", "1d12h", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["now"].startswith("2020-02-06T20:00")
    assert run(["clock", "advance", "soon"]) == 2
    assert "1d12h" in capsys.readouterr().err
