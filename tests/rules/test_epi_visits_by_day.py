"""Stays known by the day never look exact; two people near each other met each other and nobody else."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bihuan.doors.cli import main
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, by_day
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.ingest import ingest
from bihuan.epi.visits.near import ingest_near
from bihuan.epi.visits.numbers import keyed_number
from bihuan.epi.visits.trace import Window, meet

KEY = bytes(range(32))
NOW = datetime(2020, 3, 1, tzinfo=UTC)
EVER = (18_000 * DAY_MINUTES, 19_000 * DAY_MINUTES)


def days(folder: Path, text: str, *, given: dict | None = None, places: by_day.Places | None = None):
    file = folder / "stays.csv"
    file.write_text(text, "utf-8")
    store = by_day.create(folder / "days")
    return store, by_day.ingest_days(store, [file], key=KEY, now=NOW, given=given, places=places)


def held(store: VisitStore) -> list[tuple[str, str, str]]:
    """Place, first and last minute of every stay."""
    found = []
    for segment in store.segments():
        stays = store.stays_of(segment)
        for place, start, minutes in zip(stays.place, stays.start, stays.minutes, strict=True):
            ends = (str(np.datetime64(int(t), "m"))[5:] for t in (start, start + int(minutes)))
            found.append((store.places.ids[place], *ends))
    return sorted(found)


@pytest.mark.parametrize(
    ("start", "end", "wanted"),
    [
        ("2020-02-05", "", ["02-05"]),
        ("2020-02-05", "2020-02-06", ["02-05", "02-06"]),
        ("2020-02-05T00:00", "2020-02-06T00:00", ["02-05"]),  # 0:00 ends the day before
        ("2020-02-05T00:00", "2020-02-05T00:00", ["02-05"]),
        ("2020-02-05 20:00", "2020-02-06 01:00", ["02-05", "02-06"]),
        ("2020年2月5日", "不详", ["02-05"]),
    ],
)
def test_a_stay_is_one_of_each_of_its_days_whole(tmp_path: Path, start: str, end: str, wanted: list[str]):
    store, done = days(tmp_path, f"person,place,start,end\na,shop,{start},{end}\n")
    assert (done.added, done.rejected) == (len(wanted), 0)
    assert held(store) == [("shop", f"{d}T00:00", f"{d}T23:59") for d in wanted]


def test_names_of_places_are_alike_only_but_for_width_and_spaces(tmp_path: Path):
    text = "person,place,start\n" + "\n".join(
        f"{i},{name},2020-02-05"
        for i, name in enumerate(["百货大楼", " 百货 大楼", "Ａ１ hall", "A1  hall", "A2 hall"])
    )
    store, done = days(tmp_path, text)
    assert done.added == 5
    assert sorted(store.places.ids) == ["A1 hall", "A2 hall", "百货 大楼", "百货大楼"]


def test_a_cell_may_list_places_or_hold_more_than_the_place_and_columns_may_make_one_name(tmp_path: Path):
    text = "person,place,start\na,mall/market/mall,2020-02-05\n"
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "three").mkdir()
    assert sorted(days(tmp_path / "one", text, places=by_day.Places(split="/"))[0].places.ids) == [
        "mall",
        "market",
    ]
    assert days(tmp_path / "two", text, places=by_day.Places(cut="/"))[0].places.ids == ["mall"]
    named = {"person": ["who"], "place": ["kind", "lat"], "start": ["when"], "none": ["end"]}
    store, done = days(
        tmp_path / "three", "who,kind,lat,when,end\na,gym,1.5,2020-02-05,2020-02-09\n", given=named
    )
    assert (store.places.ids, done.added) == (["gym 1.5"], 1)


def test_every_row_is_counted_and_told_why_it_was_not_taken(tmp_path: Path):
    rows = {
        "a,shop,2020-02-05,": None,
        "a,shop,2020-02-05 13:00,": None,  # the same day: there already
        ",shop,2020-02-05,": "no-person",
        "a,无,2020-02-05,": "no-place",
        "a,shop,,": "no-start",
        "a,shop,soon,": "bad-start",
        "a,shop,2020-02-05,later": "bad-end",
        "a,shop,2020-02-05,2020-02-04": "end-before-start",
        "a,shop,2019-02-05,2020-02-05": "too-many-days",
        "a,shop,2020-03-05,": "future",
        "a,shop,1899-12-30,": "too-old",
        "a," + "x" * 129 + ",2020-02-05,": "too-long",
    }
    _store, done = days(tmp_path, "person,place,start,end\n" + "\n".join(rows))
    assert (done.rows, done.added, done.duplicate) == (12, 1, 1)
    assert done.reasons == Counter(reason for reason in rows.values() if reason)
    assert all(row.said != "a" for row in done.examples)


def test_exact_times_and_whole_days_are_never_in_one_store(tmp_path: Path):
    store, _done = days(tmp_path, "person,place,start\na,shop,2020-02-05\n")
    assert by_day.is_by_day(VisitStore(store.folder))
    with pytest.raises(InputError, match="two stores"):
        by_day.refuse_exact(store)
    exact = VisitStore.create(tmp_path / "exact")
    (tmp_path / "gate.csv").write_text("person,place,start\na,shop,2020-02-05 08:00\n")
    ingest(exact, [tmp_path / "gate.csv"], key=KEY, now=NOW)
    with pytest.raises(InputError, match="two stores"):
        by_day.create(exact.folder)
    with pytest.raises(InputError, match="two stores"):
        by_day.ingest_days(exact, [tmp_path / "gate.csv"], key=KEY, now=NOW)
    with pytest.raises(InputError, match="two stores"):
        ingest_near(store, [tmp_path / "gate.csv"], key=KEY, now=NOW)


def asked(capsys, *words: str) -> dict:
    assert main.run(["trace", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def home(tmp_path: Path, settings, capsys) -> Path:
    settings.BIHUAN_HOME = str(tmp_path)
    (tmp_path / "stays.csv").write_text(
        "person,place,start,end\nANNA,ward,2020-02-05,2020-02-06\nBERT,ward,2020-02-06 09:00,\n"
        "CARL,gym,2020-02-06,\nBERT,gym,2020-02-07,\nCARL,ward,2020-02-09,\n"
    )
    (tmp_path / "cases.csv").write_text(
        "case,county,onset\nANNA,east,2020-02-08\nCARL,east,2020-02-10\nBERT,west,2020-02-09\nDORA,east,\n"
    )
    words = ["visits", "ingest-days", str(tmp_path / "stays.csv"), "--store", str(tmp_path / "days")]
    assert main.run([*words, "--json"]) == 0
    capsys.readouterr()
    return tmp_path


def test_a_store_of_days_answers_in_days_without_minutes_or_score(home: Path, capsys):
    words = ["--cases", str(home / "cases.csv"), "--store", str(home / "days"), "--days-before", "14"]
    words += ["--where", "county=east", "--skip-undated", "--lang", "en"]
    found = asked(capsys, *words, "--why", "1")
    assert [(r["case_days"], r["cases"], r["first"], r["last"], r["precision"]) for r in found["rows"]] == [
        (1, 1, "2020-02-06", "2020-02-06", "day")
    ]
    assert not {"minutes", "score"} & found["rows"][0].keys()
    assert found["explained"][1] == "2020-02-06 at ward, the same day as 1 cases"
    assert "1 cases have no date" in found["notes"][0]
    assert main.run(["trace", *words, "--margin", "15"]) == 2
    assert "knows days only" in capsys.readouterr().err
    place = asked(capsys, "place", "ward", "--from", "2020-02-06", "--to", "2020-02-06", "--store", words[3])
    assert [(r["from"], r["to"]) for r in place["rows"]] == [("2020-02-06", "2020-02-06")] * 2


def test_common_places_of_a_store_of_days_are_days_or_any_time(home: Path, capsys):
    words = ["common", "--cases", str(home / "cases.csv"), "--store", str(home / "days"), "--skip-undated"]
    found = asked(capsys, *words, "--sort", "cases", "--lang", "en")
    assert [(r["place"], r["day"], r["n_cases"], r["precision"]) for r in found["rows"]] == [
        ("ward", "2020-02-06", 2, "day")
    ]
    assert any("3 of 3 people in the store are the cases asked about" in note for note in found["notes"])
    ever = asked(capsys, *words, "--any-time", "--lang", "en")
    assert [(r["place"], r["n_cases"], r["days"]) for r in ever["rows"]] == [("gym", 2, 2), ("ward", 3, 3)][
        ::-1
    ]
    assert ever["explained"][0].startswith("ward: 3 cases were there on 3 days from 2020-02-05 to 2020-02-09")


def test_a_case_without_a_date_is_still_refused_unless_asked(home: Path, capsys):
    words = ["trace", "--cases", str(home / "cases.csv"), "--store", str(home / "days"), "--lang", "en"]
    assert main.run(words) == 2
    assert "record 4 of the cases has neither from nor onset" in capsys.readouterr().err
    assert main.run([*words, "--map", "county=village"]) == 2
    assert "county=village" in capsys.readouterr().err


# --- near each other ------------------------------------------------------------------------------------


def near(folder: Path, rows: list[tuple[str, str, object]], **more):
    file = folder / "near.csv"
    file.write_text("i,j,t\n" + "".join(f"{i},{j},{t}\n" for i, j, t in rows))
    store = VisitStore.create(folder / "near", offset_minutes=0)
    return store, ingest_near(store, [file], key=KEY, now=NOW, zero=18_300 * DAY_MINUTES, **more)


def found_by(store: VisitStore) -> dict[tuple[str, str], int]:
    """Minutes of every pair that met, by the engine."""
    names = {keyed_number(KEY, name): name for name in "ABCD"}
    said = {}
    for person in range(store.people.count):
        met = meet(store, [Window(person, *EVER)])
        own = names[int(store.people.keys[person])]
        for other, minutes in zip(met.person, met.minutes, strict=True):
            said[own, names[int(store.people.keys[other])]] = int(minutes)
    return said


def test_who_was_near_two_others_did_not_bring_them_together(tmp_path: Path):
    rows = [("A", "B", 20 * k) for k in range(1, 16)] + [("C", "B", 20 * k) for k in range(1, 10)]
    store, done = near(tmp_path, rows)
    assert (done.rows, done.added) == (24, 4)
    assert found_by(store) == {("A", "B"): 5, ("B", "A"): 5, ("B", "C"): 3, ("C", "B"): 3}
    assert not any(name in place for place in store.places.ids for name in "ABC")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)  # fmt: skip
@given(
    st.lists(
        st.tuples(st.sampled_from(["AB", "BC", "AC", "BD"]), st.integers(1, 400)), min_size=1, max_size=80
    )
)
def test_the_minutes_of_a_pair_are_right_to_half_a_minute_however_it_was_near(tmp_path_factory, steps):
    seconds = Counter((pair, 20 * at) for pair, at in steps)
    wanted = Counter(pair for pair, _at in seconds)
    rows = [(pair[at % 40 == 0], pair[at % 40 != 0], at) for (pair, at), _n in seconds.items()]
    store, done = near(tmp_path_factory.mktemp("near"), rows)
    said = found_by(store)
    assert done.rejected == 0
    assert {(a, b) for a, b in said} == {p for ab in wanted for p in ((ab[0], ab[1]), (ab[1], ab[0]))}
    for (a, b), minutes in said.items():
        pair = a + b if a + b in wanted else b + a
        assert minutes == (wanted[pair] * 20 + 30) // 60


def test_a_row_of_nearness_that_cannot_be_is_named(tmp_path: Path):
    rows = [
        ("A", "", 20),
        ("A", "A", 20),
        ("A", "B", ""),
        ("A", "B", "soon"),
        ("A", "B", "2020-02-08"),
        ("A", "B", 9),
    ]
    _store, done = near(tmp_path, rows)
    assert done.reasons == Counter({"no-person": 1, "alone": 1, "no-start": 1, "bad-start": 2})
    assert (done.rows, done.rejected, done.added) == (6, 5, 2)


def test_seconds_since_a_beginning_nobody_named_are_refused_with_the_way_out(
    tmp_path: Path, settings, capsys
):
    settings.BIHUAN_HOME = str(tmp_path)
    (tmp_path / "near.csv").write_text("i,j,t\nA,B,140\n")
    words = ["visits", "ingest-near", str(tmp_path / "near.csv"), "--lang", "en"]
    assert main.run([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rejected"], said["examples"][0]["reason"]) == (1, "too-old")
    assert "--clock-zero" in said["examples"][0]["en"]
    assert main.run([*words, "--clock-zero", "2020-02-08", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["added"] == 2
