"""How stays were recorded: read from the truth for the rows somebody looks at."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bihuan.epi.visits import Batch, VisitStore, recorded, roles
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.recorded import Stay, how_of
from bihuan.epi.visits.roles import code_of
from bihuan.tracing.rules.recorded import WORDS, shows_presence, word_of

DAY = 18_000 * DAY_MINUTES
rows = st.lists(
    st.tuples(
        st.integers(1, 4), st.integers(0, 2), st.integers(0, 3 * DAY_MINUTES), st.integers(0, DAY_MINUTES),
        st.integers(0, 8),
    ),
    min_size=1, max_size=12, unique_by=lambda row: row[:3],
)  # fmt: skip


def stored(folder: Path, told: list[tuple[int, int, int, int, int]], *, parts: int = 1) -> VisitStore:
    store = VisitStore.create(folder)
    for part in np.array_split(np.arange(len(told)), parts):
        some = [told[i] for i in part]
        start = np.array([DAY + s for _p, _l, s, _m, _h in some], np.int64)
        store.append(
            Batch(
                np.array([i + 1 for i in part], np.uint64),
                np.array([p for p, *_ in some], np.uint64),
                np.array([f"L{place}" for _p, place, *_ in some], object),
                start,
                start + np.array([m for *_, m, _h in some], np.int64),
                how=np.array([h for *_, h in some], np.uint8),
            )
        )
    return store


def asked(store: VisitStore, row: tuple[int, int, int, int, int], cut: int = 0) -> Stay:
    """A stay as an answer gives it, its first `cut` minutes cut away."""
    person, place, start, minutes, _how = row
    number = int(store.people.find(np.array([person], np.uint64))[0])
    begin = DAY + start + min(cut, minutes)
    return Stay(number, store.places.find(f"L{place}"), begin, DAY + start + minutes)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.integers(1, 3), st.integers(0, DAY_MINUTES))
def test_each_stay_whole_or_cut_is_told_as_one_of_its_records(told, parts, cut):
    with TemporaryDirectory() as folder:
        store = stored(Path(folder), told, parts=min(parts, len(told)))
        whole = how_of(store, [asked(store, row) for row in told])
        assert [whole[asked(store, row)] for row in told] == [row[4] for row in told]
        stays = [asked(store, row, cut) for row in told]
        found = how_of(store, stays)
        for row, stay in zip(told, stays, strict=True):
            may = {
                h for p, place, s, m, h in told
                if (p, place) == row[:2] and DAY + s <= stay.start and stay.end <= DAY + s + m
            }  # fmt: skip
            assert found[stay] in may


def test_a_stay_that_nobody_recorded_is_not_told(tmp_path):
    store = stored(tmp_path, [(1, 0, 60, 30, 1)])
    number = asked(store, (1, 0, 60, 30, 1))
    other = Stay(number.person, number.place, number.start, number.end + 1)
    assert how_of(store, [other, number]) == {number: 1}
    assert how_of(store, []) == {}


def test_no_more_is_read_than_may_be(tmp_path, monkeypatch):
    told = [(1, place, day * DAY_MINUTES, 5, 2) for day in range(2) for place in range(3)]
    store = stored(tmp_path, told)
    monkeypatch.setattr(recorded, "AT_MOST", 4)
    assert len(how_of(store, [asked(store, row) for row in told])) == 4


def test_a_damaged_file_leaves_it_untold(tmp_path):
    row = (1, 0, 60, 30, 1)
    store = stored(tmp_path, [row])
    stay = asked(store, row)
    for path in tmp_path.glob("*/*-place.parquet"):
        path.write_bytes(b"PAR1 nothing")
    assert how_of(store, [stay]) == {}


def test_a_code_alone_shows_nobodys_presence():
    assert [word for word in WORDS if not shows_presence(word)] == ["", "code", "self", "transport"]
    assert [word_of(code) for code in (None, 0, 1, 5, 200)] == ["", "", "code", "gate", ""]


def test_codes_that_stores_hold_keep_their_meaning():
    held = ["", "code", "card", "face", "hand", "gate", "self", "interview", "transport"]
    assert [word_of(code) for code in range(len(roles.HOW))] == held
    assert [code_of(word) for word in held] == list(range(len(held)))


@pytest.mark.parametrize(
    "word", ["transport", "Ticket", "passenger list", "车票", "乘车码", "登机", "boleto", "8"]
)
def test_what_a_carrier_recorded_has_a_code_of_its_own(word):
    assert word_of(code_of(word)) == "transport"


def test_a_ticket_is_kept_and_told_beside_records_of_older_codes(tmp_path):
    rows = [(1, place, 60 * place, 30, how) for place, how in enumerate((0, 1, 7, 8))]
    store = stored(tmp_path, rows)
    assert [how_of(store, [asked(store, row)]) for row in rows] == [
        {asked(store, row): row[-1]} for row in rows
    ]
