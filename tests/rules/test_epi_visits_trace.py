"""Names, their scores and where they come from: held against counting by hand on small made-up stores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from bihuan.epi.errors import InputError
from bihuan.epi.visits import Batch, VisitStore, adding, buckets, bulk, meeting, ranking
from bihuan.epi.visits.backward import CommonPlace, common_places, spans
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.risk import CASE_MINUTES, ENCOUNTER_MINUTES, SCALE_MINUTES, scored
from bihuan.epi.visits.trace import Window, Windows, meet

ZERO = 18_300 * DAY_MINUTES  # 2020-02-08


def store_of(folder: Path, rows: list[tuple[int, str, int, int]]) -> VisitStore:
    """Rows of (person key, place, start, end), minutes of the first day; person n of a new store is n - 1."""
    store = VisitStore.create(folder)
    people, places, starts, ends = zip(*rows, strict=True)
    batch = Batch(
        np.arange(1, len(rows) + 1, dtype=np.uint64),
        np.array(people, np.uint64),
        np.array(places, object),
        np.array(starts, np.int64) + ZERO,
        np.array(ends, np.int64) + ZERO,
    )
    store.append(batch)
    return store


def crowd(folder: Path, *, n: int = 30_000, people: int = 2_000, places: int = 40) -> VisitStore:
    rng = np.random.default_rng(5)
    where = rng.zipf(1.5, n) % places
    start = rng.integers(0, 3 * DAY_MINUTES, n)
    rows = zip(
        rng.integers(1, people, n).tolist(),
        (f"place {w}" for w in where),
        start.tolist(),
        (start + rng.integers(0, 90, n)).tolist(),
        strict=True,
    )
    return store_of(folder, list(rows))


def asked(k: int) -> Windows:
    return Windows(np.arange(k, dtype=np.uint32), np.full(k, ZERO), np.full(k, ZERO + 3 * DAY_MINUTES))


def test_windows_as_columns_and_as_objects_ask_the_same(tmp_path: Path):
    store = crowd(tmp_path)
    objects = [Window(p, ZERO, ZERO + 3 * DAY_MINUTES) for p in range(9)]
    assert np.array_equal(meet(store, objects).table, meet(store, asked(9)).table)


@pytest.mark.parametrize("k", [1, 30, 700])
def test_all_sizes_of_question_are_answered_alike_by_both_engines(tmp_path: Path, k: int):
    store = crowd(tmp_path)
    for margin in (0, 15):
        assert np.array_equal(
            meet(store, asked(k), margin=margin).table, bulk.meet(store, asked(k), margin=margin).table
        )


def test_a_large_question_leaves_nothing_behind_for_the_next(tmp_path: Path):
    store = crowd(tmp_path)
    once = meet(store, asked(400)).table
    assert np.array_equal(meet(store, asked(400)).table, once)


@pytest.mark.parametrize(("name", "instead"), [("_BITS", 1), ("_bits", lambda most: None)])
def test_what_does_not_fit_into_one_number_is_ranked_by_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, instead: Any
):
    store = crowd(tmp_path)
    once = meet(store, asked(300)).table
    tables = tables_of(monkeypatch)
    monkeypatch.setattr(adding, "_PEOPLE_A_ROW", 0)
    with monkeypatch.context() as patch:
        patch.setattr(adding, name, instead)
        patch.setattr(ranking, "MOST_CLASSES", 0)
        assert np.array_equal(meet(store, asked(300)).table, once)
    assert tables == [1]
    assert np.array_equal(meet(store, asked(300)).table, once)
    assert tables == [1]


@pytest.mark.parametrize(
    ("minutes", "times", "cases", "fits"),
    [
        ((1 << 28) - 1, (1 << 20) - 1, (1 << 16) - 1, True), (1 << 28, 1, 1, False), (1, 1 << 20, 1, False),
        (1, 1, 1 << 16, False),
    ],
)  # fmt: skip
def test_a_record_that_is_too_large_for_one_number_says_so(minutes: int, times: int, cases: int, fits: bool):
    record = np.zeros((1, buckets.N_RECORD), np.int32)
    columns = [buckets.TOGETHER, buckets.ENCOUNTERS, buckets.CASES, buckets.FIRST, buckets.LAST]
    record[0, columns] = minutes, times, cases, 5, 9
    rank, _named, beyond = _taken(record)
    assert (beyond == 0) == fits
    assert not record.any()
    if fits:
        assert ranking.parted(int(rank)) == (minutes, times, cases)


@njit
def _taken(record: Any) -> Any:
    return buckets._take(record.ctypes.data, 7, 12)


@pytest.mark.parametrize(
    ("name", "instead"), [("MOST_CLASSES", 0), ("are_few", lambda bits: False), ("parted", ranking.parted)]
)
def test_a_hundred_cases_are_ranked_by_class_and_digit_by_digit_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, instead: Any
):
    store = town(tmp_path)
    wanted = bulk.meet(store, asked(200), margin=5).table
    monkeypatch.setattr(adding, "_PEOPLE_A_ROW", 0)
    with monkeypatch.context() as patch:
        patch.setattr(ranking, name, instead)
        assert np.array_equal(meet(store, asked(200), margin=5).table, wanted)
    assert np.array_equal(meet(store, asked(200), margin=5).table, wanted)


def tables_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often a question is answered by a hash table."""
    times: list[int] = []
    by_table = meeting.met_in

    def counted(*words: Any) -> Any:
        times.append(1)
        return by_table(*words)

    monkeypatch.setattr(meeting, "met_in", counted)
    return times


def test_one_number_with_very_many_stays_and_rows_beyond_sixteen_bits_are_found(tmp_path: Path):
    rng = np.random.default_rng(2)
    n = 140_000
    start = rng.integers(0, 1000, n).tolist()
    where = rng.integers(0, 50_000, n).tolist()
    rows = [
        (1 + i % 2 * (i % 977), f"p{w}", a, a + 20) for i, (w, a) in enumerate(zip(where, start, strict=True))
    ]
    store = store_of(tmp_path, rows)
    for windows in (asked(1), asked(40)):
        assert np.array_equal(meet(store, windows).table, bulk.meet(store, windows).table)


def town(folder: Path) -> VisitStore:
    """More people than three buckets hold, some at a place where thousands are."""
    rng = np.random.default_rng(11)
    n, people = 120_000, 110_000
    store = VisitStore.create(folder)
    start = ZERO + rng.integers(0, 4 * DAY_MINUTES, n)
    store.append(
        Batch(
            np.arange(1, n + 1, dtype=np.uint64),
            np.concatenate([np.arange(1, people + 1), rng.integers(1, people, n - people)]).astype(np.uint64),
            np.array([f"place {w}" for w in rng.zipf(1.4, n) % 300], object),
            start,
            start + rng.choice([0, 20, 55, 61, 300, 1440], n),
        )
    )
    return store


@pytest.mark.parametrize(
    ("a_round", "threads", "people_a_row"),
    [(1 << 24, 1, 9), (1 << 24, 2, 0), (1 << 24, 3, 9), (30_000, 3, 0)],
)
def test_people_of_many_buckets_in_one_round_and_in_many_are_found_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, a_round: int, threads: int, people_a_row: int
):
    store = town(tmp_path)
    wanted = {k: bulk.meet(store, asked(k), margin=5) for k in (40, 3_000)}
    monkeypatch.setattr(adding, "ROUND_ROWS", a_round)
    monkeypatch.setattr(adding, "SHARED_ROWS", 1)
    monkeypatch.setattr(adding, "_SHARED_NAMES", 1_000)
    monkeypatch.setattr(adding, "workers", lambda: threads)
    monkeypatch.setattr(adding, "_PEOPLE_A_ROW", people_a_row)
    for k, table in wanted.items():
        found = meet(store, asked(k), margin=5)
        assert found.size > 20_000
        assert found.person.max() > 3 * 32_768
        assert np.array_equal(found.table, table.table)


def test_many_who_ask_at_once_are_answered_as_one_after_the_other(tmp_path: Path):
    store = town(tmp_path)
    wanted = {k: meet(store, asked(k), margin=5).table.copy() for k in (1, 30, 40, 300)}

    def ask(number: int) -> bool:
        k = list(wanted)[number % 4]
        return np.array_equal(meet(store, asked(k), margin=5).table, wanted[k])

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(ask, range(60)))


def test_an_answer_somebody_holds_is_not_written_over_by_the_next(tmp_path: Path):
    store = town(tmp_path)
    first = meet(store, asked(40))
    column, table = first.minutes[5:50], first.table.copy()
    held = column.copy()
    for _n in range(4):
        assert np.array_equal(meet(store, asked(40)).table, table)
        meet(store, asked(90))
    del first
    meet(store, asked(90))
    assert np.array_equal(column, held)


def test_a_question_over_more_years_than_a_meeting_holds_is_answered_too(tmp_path: Path):
    store = crowd(tmp_path)
    far = ZERO + 5 * 366 * DAY_MINUTES
    one, place = np.array([2**40], np.uint64), np.array(["place 1"], object)
    store.append(Batch(one, np.array([2], np.uint64), place, np.array([far]), np.array([far])))
    windows = Windows(np.arange(400, dtype=np.uint32), np.full(400, ZERO), np.full(400, far + 10))
    assert np.array_equal(meet(store, windows).table, bulk.meet(store, windows).table)


CAFE = [
    (1, "cafe", 0, 60),  # the case
    (2, "cafe", 30, 90),  # 30 minutes
    (3, "park", 100, 140),  # 40 minutes in the open air
    (1, "park", 100, 200),
    (4, "cafe", 60, 61),  # one minute of touching ends: none shared
]


def test_the_score_is_the_sum_of_its_parts(tmp_path: Path):
    store = store_of(tmp_path, CAFE)
    found = scored(store, [Window(0, ZERO, ZERO + 300)], weights={"park": 0.1, "nowhere": 5})
    assert [int(p) for p in found.met.person] == [1, 3, 2]
    first, touched, park = (found.parts(i) for i in range(3))
    assert (first.minutes, first.encounters, first.cases) == (30, ENCOUNTER_MINUTES, 0)
    assert (park.minutes, park.encounters) == pytest.approx((4, 0.1 * ENCOUNTER_MINUTES))
    assert (touched.minutes, touched.encounters) == (0, ENCOUNTER_MINUTES)
    assert found.score == pytest.approx([1 - np.exp(-found.parts(i).dose / SCALE_MINUTES) for i in range(3)])


def test_without_weights_more_cases_count_more(tmp_path: Path):
    store = store_of(tmp_path, [*CAFE, (5, "cafe", 60, 61)])
    windows = [Window(0, ZERO, ZERO + 300), Window(1, ZERO, ZERO + 300)]
    found = scored(store, windows)
    four = [int(p) for p in found.met.person].index(3)
    assert found.parts(four).cases == CASE_MINUTES
    assert all(row["status"] == "candidate" for row in found.rows())


def test_a_name_says_with_which_case_where_when_and_how_long(tmp_path: Path):
    store = store_of(tmp_path, CAFE)
    found = scored(store, [Window(0, ZERO, ZERO + 300)])
    rank = [int(p) for p in found.met.person].index(1)
    total, why = found.explain("en", rank=rank)
    assert total.startswith("Candidate 1: 1 encounters with 1 cases, 30 minutes together; score 0.44")
    assert "a person confirms" in total
    assert why == "2020-02-08 00:30 to 01:30 at cafe, 30 minutes together with case 0"
    assert found.explain("zh", rank=rank)[1] == "2020-02-08 00:30–01:30 在 cafe，与病例 0 同处 30 分钟"


def test_a_weight_out_of_range_is_refused_by_name(tmp_path: Path):
    store = store_of(tmp_path, CAFE)
    with pytest.raises(InputError, match="'park' is -1"):
        scored(store, [Window(0, ZERO, ZERO + 300)], weights={"park": -1})


def market(folder: Path) -> VisitStore:
    """A station where everybody is, also the five cases; and a small market where only they met."""
    rows = [(p, "station", (p * 7) % 600, (p * 7) % 600 + 50) for p in range(1, 400)]
    rows += [(p, f"shop {p % 60}", 700 + p % 50, 720 + p % 50) for p in range(1, 400)]
    rows += [(p, "market", 1000 + p, 1030 + p) for p in range(1, 6)]
    rows += [(p, f"shop {p % 60}", 1000, 1050) for p in range(6, 400)]
    return store_of(folder, rows)


def test_the_market_where_cases_met_comes_before_the_station_where_all_are(tmp_path: Path):
    store = market(tmp_path)
    windows = [Window(p, ZERO, ZERO + DAY_MINUTES) for p in range(5)]
    found = common_places(store, windows)
    assert (found[0].place, found[0].cases) == ("market", (0, 1, 2, 3, 4))
    assert (found[0].since, found[0].until) == (ZERO + 960, ZERO + 1020)
    assert found[0].presences == 5
    assert found[0].expected == pytest.approx(5 * 5 / 399)
    assert found[0].q < 1e-4
    station = [one for one in found if one.place == "station"]
    assert station
    assert all(one.q > 0.5 for one in station)
    assert [one.p for one in found] == sorted(one.p for one in found)


def test_cases_by_chance_are_no_finding(tmp_path: Path):
    store = market(tmp_path)
    rng = np.random.default_rng(3)
    for _ in range(5):
        chosen = rng.choice(np.arange(6, 390), 8, replace=False)
        found = common_places(store, [Window(int(p), ZERO, ZERO + 600) for p in chosen])
        assert all(one.q > 0.05 for one in found)


def test_the_same_case_twice_is_one_case(tmp_path: Path):
    store = market(tmp_path)
    twice = [Window(0, ZERO, ZERO + DAY_MINUTES)] * 2
    assert common_places(store, twice) == []


def test_a_case_known_by_two_numbers_is_one_case(tmp_path: Path):
    store = market(tmp_path)
    two = [Window(0, ZERO, ZERO + DAY_MINUTES), Window(1, ZERO, ZERO + DAY_MINUTES)]
    assert common_places(store, two)[0].cases == (0, 1)
    assert common_places(store, two, as_one={0: 0, 1: 0}) == []


hours = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 8), st.sets(st.integers(0, 4), min_size=2)),
    unique_by=lambda one: one[:2], max_size=14,
).map(
    lambda told: [
        CommonPlace(place, 60 * n, 60 * n + 60, tuple(sorted(who)), 9, 0.1, rank / 99, rank / 99)
        for rank, (place, n, who) in enumerate(told)
    ]
)  # fmt: skip


@given(hours)
def test_neighboring_hours_are_one_row_whose_figures_are_of_one_of_them(found: list[CommonPlace]):
    joined = spans(found)
    held = [(span.place, at) for span in joined for at in range(span.since, span.until, 60)]
    assert sorted(held) == sorted((one.place, one.since) for one in found), "each hour once, and no other"
    for span in joined:
        inside = [one for one in found if one.place == span.place and span.since <= one.since < span.until]
        assert span.best is inside[0], "the first of the ranking"
        assert span.blocks == len(inside)
        assert set(span.cases) == {case for one in inside for case in one.cases}
        for other in joined:
            assert other is span or other.place != span.place or other.since != span.until
    assert [found.index(span.best) for span in joined] == sorted(found.index(s.best) for s in joined)


def test_a_block_that_does_not_divide_the_day_is_refused(tmp_path: Path):
    store = market(tmp_path)
    with pytest.raises(InputError, match="divides a day"):
        common_places(store, [Window(0, ZERO, ZERO)], block=7)
