"""The visit store: nothing lost or doubled, and both engines say what counting by hand says."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bihuan.epi.visits import Batch, VisitStore, adding, bulk, trace
from bihuan.epi.visits.batch import DAY_MINUTES, LONGEST_MINUTES
from bihuan.epi.visits.layout import StoreError
from bihuan.epi.visits.store import UNKNOWN_END
from bihuan.epi.visits.trace import Met, Window, encounters, meet, present_at, second_order

DAY_ONE = 18_300  # 2020-02-08
ZERO = DAY_ONE * DAY_MINUTES


def batch(rows: list[tuple[int, int, str, int, int]]) -> Batch:
    """Rows of (event, person key, place, start, end)."""
    events, people, places, starts, ends = zip(*rows, strict=True) if rows else ((),) * 5
    return Batch(
        np.array(events, np.uint64),
        np.array(people, np.uint64),
        np.array(places, object),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
    )


def by_hand(rows: list[tuple[int, str, int, int]], windows: list[Window], margin: int) -> dict[int, tuple]:
    """Of every person met: encounters, minutes, cases, first, last. Rows of (person, place, start, end)."""
    met: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for c, w in enumerate(windows):
        for person, place, a, b in rows:
            if person != w.person or b < w.since or a > w.until:
                continue
            v_a, v_b = max(a, w.since), min(b, w.until)
            for other, where, start, end in rows:
                if where != place or other == w.person or end < v_a - margin or start > v_b + margin:
                    continue
                shared = min(end, v_b) - max(start, v_a)
                at = max(start, v_a) if shared >= 0 else max(min(start, v_b), min(v_a, end))
                met[other].append((c, max(shared, 0), at))
    return {
        other: (
            len(found),
            sum(m for _c, m, _t in found),
            len({c for c, _m, _t in found}),
            min(t for *_x, t in found),
            max(t for *_x, t in found),
        )
        for other, found in met.items()
    }


def as_dict(met: Met) -> dict[int, tuple]:
    return {int(row[0]): tuple(int(v) for v in row[1:]) for row in met.table}


#: A store is files: shrinking an example would write thousands of them.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]

VISITS = st.lists(
    st.tuples(
        st.integers(1, 8),  # person key
        st.sampled_from(["gate", "market", "bus"]),
        st.one_of(
            st.integers(-90, 3 * DAY_MINUTES),
            st.builds(lambda day, off: day * DAY_MINUTES + off, st.integers(0, 2), st.integers(-2, 2)),
        ),
        # a check-in, across an hour and a day, without an end, and of a gate whose clocks do not agree
        st.one_of(st.integers(0, 70), st.just(0), st.integers(60, 2000), st.none(), st.integers(-30, -1)),
    ),
    min_size=1,
    max_size=40,
)
WINDOWS = st.lists(
    st.tuples(st.integers(1, 8), st.integers(-60, 2 * DAY_MINUTES), st.integers(0, 2 * DAY_MINUTES)),
    min_size=1,
    max_size=4,
)


def as_kept(stay: int | None) -> int:
    """Minutes that stand in the store."""
    return 0 if stay is None else min(max(stay, 0), LONGEST_MINUTES)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
@given(
    visits=VISITS, windows=WINDOWS, margin=st.sampled_from([0, 1, 15, 120]), cut=st.integers(0, 40),
    a_round=st.sampled_from([1, 3, 1 << 24]), people_a_row=st.sampled_from([0, 1 << 20]),
)  # fmt: skip
def test_all_ways_say_what_counting_by_hand_says(
    tmp_path_factory, visits, windows, margin, cut, a_round, people_a_row
):
    store = VisitStore.create(tmp_path_factory.mktemp("store"))
    rows = [
        (n + 1, key, place, ZERO + a, UNKNOWN_END if stay is None else ZERO + a + stay)
        for n, (key, place, a, stay) in enumerate(visits)
    ]
    for part in (rows[:cut], rows[cut:]):
        store.append(batch(part))
    numbers = {key: int(store.people.find(np.array([key], np.uint64))[0]) for _e, key, *_r in rows}
    kept = [(numbers[key], place, ZERO + a, ZERO + a + as_kept(stay)) for key, place, a, stay in visits]
    asked = [Window(numbers[k], ZERO + a, ZERO + a + b) for k, a, b in windows if k in numbers]
    wanted = by_hand(kept, asked, margin)
    assert as_dict(meet(store, asked, margin=margin)) == wanted
    assert as_dict(bulk.meet(store, asked, margin=margin)) == wanted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TABLE_ROWS", -1)  # as a question of any size is dealt into buckets,
        patch.setattr(adding, "ROUND_ROWS", a_round)  # in many rounds,
        patch.setattr(adding, "SHARED_ROWS", 1)  # by three threads
        patch.setattr(adding, "_SHARED_NAMES", 0)
        patch.setattr(adding, "workers", lambda: 3)
        patch.setattr(adding, "_PEOPLE_A_ROW", people_a_row)  # and ranked by class, or digit by digit
        assert as_dict(meet(store, asked, margin=margin)) == wanted
    store.compact(day=DAY_ONE)
    assert as_dict(meet(store, asked, margin=margin)) == wanted


def test_a_crowd_is_counted_alike_by_hash_table_and_by_record_for_everybody(tmp_path: Path):
    rng = np.random.default_rng(7)
    store = VisitStore.create(tmp_path)
    n = 4_000
    starts = ZERO + rng.integers(0, 2 * DAY_MINUTES, n)
    rows = [
        (i + 1, int(p), f"place {w}", int(s), int(s + m))
        for i, (p, w, s, m) in enumerate(
            zip(rng.integers(1, 300, n), rng.zipf(1.6, n) % 50, starts, rng.integers(0, 200, n), strict=True)
        )
    ]
    store.append(batch(rows))
    everyone = [Window(p, ZERO, ZERO + 2 * DAY_MINUTES) for p in range(40)]
    many = meet(store, everyone, margin=10)
    assert np.array_equal(many.table, bulk.meet(store, everyone, margin=10).table)
    one = meet(store, everyone[:1], margin=10)
    assert np.array_equal(one.table, bulk.meet(store, everyone[:1], margin=10).table)
    assert many.size > one.size > 10


def test_the_same_event_sent_again_is_one_event_also_in_a_later_batch(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    rows = [(1, 5, "gate", ZERO, ZERO + 5), (1, 5, "gate", ZERO, ZERO + 5), (2, 6, "gate", ZERO, ZERO + 9)]
    assert store.append(batch(rows)).added == 2
    again = VisitStore(tmp_path).append(batch([*rows, (3, 7, "gate", ZERO, ZERO + 1)]))
    assert (again.added, again.duplicate) == (1, 3)
    store.compact(day=DAY_ONE)
    assert VisitStore(tmp_path).append(batch(rows)).added == 0
    assert store.stats().stays == 3


def test_what_lies_outside_the_days_asked_for_is_refused_and_counted(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    rows = [
        (1, 5, "gate", ZERO - 1, ZERO),
        (2, 5, "gate", ZERO, ZERO - 4),
        (3, 5, "gate", ZERO + 99, ZERO + 100),
    ]
    said = store.append(batch(rows), since=ZERO, until=ZERO + 50)
    assert (said.events, said.added, said.duplicate, said.refused, said.turned) == (3, 1, 0, 2, 1)


def test_who_was_at_a_place_is_named_with_their_hours(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    store.append(
        batch(
            [(1, 5, "gate", ZERO, ZERO + 5), (2, 6, "gate", ZERO + 90, ZERO + 300), (3, 6, "bus", ZERO, ZERO)]
        )
    )
    assert present_at(store, "gate", ZERO + 4, ZERO + 95) == [(0, ZERO, ZERO + 5), (1, ZERO + 90, ZERO + 300)]
    assert present_at(store, "gate", ZERO + 6, ZERO + 89) == []
    assert present_at(store, "harbor", ZERO, ZERO + 100) == []


def test_every_name_has_its_encounters(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    store.append(
        batch(
            [(1, 5, "gate", ZERO, ZERO + 30), (2, 6, "gate", ZERO + 10, ZERO + 50), (3, 6, "bus", ZERO, ZERO)]
        )
    )
    why = encounters(store, [Window(0, ZERO, ZERO + 100)], [1])
    assert [(e.case, e.person, e.place, e.start - ZERO, e.end - ZERO, e.together) for e in why] == [
        (0, 1, "gate", 10, 50, 20)
    ]


def test_the_second_order_begins_with_the_first_meeting(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    rows = [
        (1, 5, "gate", ZERO + 100, ZERO + 130),  # the case
        (2, 6, "gate", ZERO + 110, ZERO + 120),  # meets her
        (3, 6, "home", ZERO, ZERO + 50),  # before
        (4, 7, "home", ZERO, ZERO + 50),
        (5, 6, "bus", ZERO + 200, ZERO + 220),  # after
        (6, 8, "bus", ZERO + 210, ZERO + 230),
    ]
    store.append(batch(rows))
    windows = [Window(0, ZERO, ZERO + 300)]
    first = meet(store, windows)
    eight = int(store.people.find(np.array([8], np.uint64))[0])
    assert as_dict(second_order(store, windows, first)) == {eight: (1, 10, 1, ZERO + 210, ZERO + 210)}


def test_forgotten_days_leave_neither_stays_nor_people(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    store.append(batch([(1, 5, "gate", ZERO, ZERO), (2, 6, "gate", ZERO + DAY_MINUTES, ZERO + DAY_MINUTES)]))
    done = store.forget(DAY_ONE + 1)
    assert (done.days, done.stays, done.people) == (1, 1, 1)
    assert not (tmp_path / "day-2020-02-08").exists()
    assert list(store.people.find(np.array([5, 6], np.uint64))) == [-1, 1]
    assert b"\x05\0\0\0\0\0\0\0" not in (tmp_path / "people.log").read_bytes()
    assert store.append(batch([(3, 9, "gate", ZERO + DAY_MINUTES, ZERO + DAY_MINUTES)])).added == 1
    assert list(VisitStore(tmp_path).people.find(np.array([9], np.uint64))) == [2]


def test_a_lost_or_damaged_index_is_made_again(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    store.append(batch([(1, 5, "gate", ZERO, ZERO + 30), (2, 6, "gate", ZERO + 10, ZERO + 50)]))
    wanted = as_dict(meet(store, [Window(0, ZERO, ZERO + 100)]))
    (path,) = tmp_path.glob("day-*/*.index")
    for damage in (b"", b"\0" * 200, path.read_bytes()[:-3]):
        path.write_bytes(damage)
        assert as_dict(meet(VisitStore(tmp_path), [Window(0, ZERO, ZERO + 100)])) == wanted


def test_a_damaged_file_is_named_and_set_aside_and_the_rest_answers(tmp_path: Path):
    store = VisitStore.create(tmp_path)
    store.append(batch([(1, 5, "gate", ZERO, ZERO + 30)]))
    store.append(batch([(2, 6, "gate", ZERO, ZERO + 30)]))
    first = sorted(tmp_path.glob("day-*/*-place.parquet"))[0]
    first.write_bytes(first.read_bytes()[:-9])
    for path in tmp_path.glob("day-*/*.index"):
        path.unlink()
    with pytest.raises(StoreError, match=first.name):
        present_at(VisitStore(tmp_path), "gate", ZERO, ZERO + 5)
    assert store.verify() == [first]
    assert store.verify(set_aside=True) == [first]
    assert store.verify() == []
    again = VisitStore(tmp_path)
    assert [p for p, *_t in present_at(again, "gate", ZERO, ZERO + 5)] == [1]
    assert any(first.name in name for name in again.stats().set_aside)


def test_two_writers_do_not_write_at_once(tmp_path: Path):
    one, two = VisitStore.create(tmp_path), VisitStore(tmp_path)
    with one.writer(), pytest.raises(StoreError, match="another process"):
        two.append(batch([(1, 5, "gate", ZERO, ZERO)]))
    assert two.append(batch([(1, 5, "gate", ZERO, ZERO)])).added == 1


def test_an_event_that_another_writer_kept_meanwhile_is_not_kept_twice(tmp_path: Path):
    one, two = VisitStore.create(tmp_path), VisitStore(tmp_path)
    one.append(batch([(1, 5, "gate", ZERO, ZERO)]))
    two.append(batch([(2, 6, "gate", ZERO, ZERO)]))
    again = one.append(batch([(2, 6, "gate", ZERO, ZERO), (3, 7, "gate", ZERO, ZERO)]))
    assert (again.added, again.duplicate) == (1, 1)
    assert two.append(batch([(1, 5, "gate", ZERO, ZERO), (3, 7, "gate", ZERO, ZERO)])).added == 0


def test_events_that_could_not_be_kept_come_in_when_sent_again(tmp_path: Path, monkeypatch):
    store = VisitStore.create(tmp_path)
    rows = batch([(1, 5, "gate", ZERO, ZERO), (2, 6, "gate", ZERO, ZERO)])
    with monkeypatch.context() as broken:
        broken.setattr(VisitStore, "_place_numbers", lambda *_given: _full())
        with pytest.raises(OSError, match="full"):
            store.append(rows)
    assert store.append(rows).added == 2


def _full() -> None:
    raise OSError("disk full")
