"""Tracing on published lists, where they lie: the commands of the how-to, and the figures of the reference.

Nothing of the data is copied into this repository. Skipped where ../shared is not beside the checkout.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from django.test import override_settings

from bihuan.doors.cli import main
from bihuan.epi.recalled import read_diaries, recalled
from bihuan.epi.visits import VisitStore, by_day, secret
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.numbers import keyed_number
from bihuan.epi.visits.trace import Window, meet
from tests.conftest import ROOT

HOW_TO = ROOT / "docs" / "how-to" / "trace-real-data.md"
RESULTS = ROOT / "docs" / "reference" / "tracing.md"
MALL = "宝坻区百货大楼"
Pairs = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Played:
    """What the commands of the how-to left: stores and tables in `out`, and the key of `home`."""

    data: Path
    out: Path
    key: bytes
    met: dict[str, Pairs] = field(default_factory=dict)

    def pairs(self, name: str) -> Pairs:
        """Minutes of every pair of a store, asked for once."""
        if name not in self.met:
            self.met[name] = pairs(VisitStore(self.out / name))
        return self.met[name]

    def number(self, person: object) -> int:
        return keyed_number(self.key, str(person))

    def table(self, name: str) -> list[dict[str, str]]:
        return read(self.out / name)


def read(path: Path) -> list[dict[str, str]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def commands() -> list[str]:
    text = HOW_TO.read_text("utf-8").replace("\\\n", " ")
    return re.findall(r"^    bihuan (.+)$", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def played(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """The page as a user walks through it."""
    home, out = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("out")
    (out / "student.csv").write_text("person,from\n454,2013-12-05\n", "utf-8")
    with override_settings(BIHUAN_HOME=str(home)):
        for line in commands():
            words = shlex.split(line.replace("$DATA", str(shared / "data")).replace("$OUT", str(out)))
            with contextlib.redirect_stdout(io.StringIO()) as said:
                assert main.run([*words, "--json"]) == 0, (words, said.getvalue())
        yield Played(shared / "data", out, secret.load_key(home / "secrets" / "visits.key"))


def shown(*cells: object) -> str:
    """A row of a table in the reference."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def test_the_page_has_its_commands():
    assert len(commands()) == 13


# --- China, January 2020 ------------------------------------------------------------------------------------


def test_the_department_store_of_baodi_is_the_place_the_cases_have_in_common(played: Played):
    ever, days, tianjin = (played.table(name) for name in ("any-time.csv", "same-day.csv", "tianjin.csv"))
    results = RESULTS.read_text("utf-8")
    assert ever[0]["place"] == days[0]["place"] == tianjin[0]["place"] == MALL
    assert days[0]["day"] == tianjin[0]["day"] == "2020-01-20"
    assert all(row["precision"] == "day" and "from" not in row for row in days)
    cells = ("in 14 days before onset, any time", ever[0]["n_cases"], ever[1]["n_cases"])
    assert shown(*cells) in results
    assert shown("on one day", days[0]["n_cases"], days[1]["n_cases"]) in results
    first, second = (f"{float(row['p']):.2g}" for row in tianjin[:2])
    assert shown("Tianjin alone, p among cases", first, second) in results


def test_every_row_of_the_trajectories_is_taken_or_told_why_not(played: Played):
    reasons = Counter(row["reason"] for row in played.table("rejected.csv"))
    store = VisitStore(played.out / "china")
    assert by_day.is_by_day(store)
    assert 3117 - sum(reasons.values()) == 1454
    assert shown("rows / taken / stays of a day / people", "3,117 / 1,454", f"{store.stats().stays:,}",
                 store.stats().people) in RESULTS.read_text("utf-8")  # fmt: skip
    assert reasons.keys() == {"no-place", "no-start", "end-before-start", "too-many-days", "too-long"}


def test_links_of_the_bulletins_between_cases_with_stays_are_found_by_half(played: Played):
    """What presence by the day finds of the links that volunteers read out of the bulletins."""
    folder, store = played.data / "linelist_china_trajectories", VisitStore(played.out / "china")
    met = set(pairs(store))
    known = {int(key) for key in store.people.keys}
    links = {
        tuple(sorted((played.number(row["case_id"]), played.number(row["linked_case_id"]))))
        for row in read(folder / "links.csv")
    }
    both = {pair for pair in links if pair[0] != pair[1] and set(pair) <= known}
    cells = ("links with stays of both / found / pairs found in all", len(both), len(both & met), len(met))
    assert shown(*cells) in RESULTS.read_text("utf-8")
    assert 0.4 < len(both & met) / len(both) < 0.6


def test_vehicles_bring_cases_together_too(played: Played):
    rows = played.table("vehicles.csv")
    assert rows[0]["n_cases"] == "5"
    assert not any(row["place"] in ("无", "") for row in rows)


# --- Korea, February 2020 -----------------------------------------------------------------------------------


def test_the_pilgrims_of_korea_are_found_at_an_airport_and_a_school_without_their_label(played: Played):
    patients = {
        str(played.number(row["global_id"])): row
        for row in read(played.data / "linelist_korea_routes_2020" / "patients.csv")
    }
    store, rows = VisitStore(played.out / "korea"), played.table("korea.csv")
    elsewhere = [row for row in rows if row["place"].split()[0] not in ("health", "locality")]
    assert [(row["place"].split()[0], row["day"], row["n_cases"]) for row in elsewhere[:2]] == [
        ("airport", "2020-02-17", "5"),
        ("school", "2020-02-17", "5"),
    ]
    for row in elsewhere[:2]:
        who = [patients[str(int(store.people.keys[int(case)]))] for case in row["cases"].split()]
        assert {one["group"] for one in who} == {"Pilgrimage"}
    together = [set(row["cases"].split()) for row in elsewhere[:2]]
    assert together[0] == together[1]
    churches = [row["n_cases"] for row in rows if row["place"].split()[0] == "church"]
    assert churches == ["2"]
    assert shown("churches on one day", len(churches), "2 cases") in RESULTS.read_text("utf-8")


def test_of_what_members_of_the_church_told_of_that_sunday_one_stay_names_a_church(played: Played):
    folder, results = played.data / "linelist_korea_routes_2020", RESULTS.read_text("utf-8")
    groups = {row["global_id"]: row["group"] for row in read(folder / "patients.csv")}
    kinds = Counter(
        row["type"]
        for row in read(folder / "routes.csv")
        if groups.get(row["global_id"]) == "Shincheonji Church" and row["start"][:10] == "2020-02-16"
    )
    assert f"{kinds.total()} stays on" in results
    assert (kinds["locality"], kinds["church"]) == (6, 1)
    assert not any(row["place"].startswith("gym") for row in played.table("korea.csv"))
    assert f"({Counter(groups.values())['Pilgrimage']} people)".replace("6", "six") in results


# --- badges -------------------------------------------------------------------------------------------------


def pairs(store: VisitStore, day: int | None = None) -> Pairs:
    """Minutes of every pair of keyed numbers that met, asked of the engine case by case."""
    since = min(s.day for s in store.segments()) if day is None else day
    until = max(s.day for s in store.segments()) if day is None else day
    window, keys = (since * DAY_MINUTES, (until + 1) * DAY_MINUTES - 1), store.people.keys
    found: Pairs = {}
    for person in range(store.people.count):
        met = meet(store, [Window(person, *window)])
        for other, minutes in zip(met.person, met.minutes, strict=True):
            one, two = int(keys[person]), int(keys[int(other)])
            if one < two:
                found[one, two] = int(minutes)
    return found


SETS = (
    ("school", "contacts_highschool_2013", "class"),
    ("office", "contacts_workplace_2015", "department"),
    ("ward", "contacts_hospital_lyon_2010", ""),
)


@pytest.mark.parametrize(("name", "folder", "_room"), SETS)
def test_every_contact_of_the_badges_is_found_with_its_minutes(
    played: Played, name: str, folder: str, _room: str
):
    seconds: Counter[tuple[int, int]] = Counter()
    numbers: dict[str, int] = {}
    for row in read(played.data / folder / "proximity_20s.csv.gz"):
        one, two = (numbers.setdefault(row[c], played.number(row[c])) for c in "ij")
        seconds[min(one, two), max(one, two)] += 20
    met = played.pairs(name)
    assert met.keys() == seconds.keys()
    assert max(abs(met[pair] - seconds[pair] / 60) for pair in met) <= 0.5
    if name == "school":
        by_seconds = sum(value >= 5 * 60 for value in seconds.values())
        assert f"the badges give {by_seconds:,}" in RESULTS.read_text("utf-8")
    assert shown(name, f"{len(met):,}", f"{sum(seconds.values()) / 60:,.0f}", f"{sum(met.values()):,}") in (
        RESULTS.read_text("utf-8")
    )


@pytest.mark.parametrize(("name", "folder", "room"), SETS)
def test_what_knowing_the_room_of_the_day_finds_of_those_contacts(
    played: Played, tmp_path: Path, name: str, folder: str, room: str
):
    """Presence by the day in one's own class, department or ward, held against the badges."""
    badges = VisitStore(played.out / name)
    people = {played.number(row["id"]): row for row in read(played.data / folder / "people.csv")}
    with (tmp_path / "rooms.csv").open("w", encoding="utf-8") as file:
        file.write("person,place,start\n")
        for segment in badges.segments():
            for person in np.unique(badges.stays_of(segment).person):
                row = people[int(badges.people.keys[person])]
                file.write(f"{row['id']},{row[room] if room else 'ward'},{np.datetime64(segment.day, 'D')}\n")
    store = by_day.create(tmp_path / "rooms")
    now = datetime(2020, 1, 1, tzinfo=UTC)
    by_day.ingest_days(store, [tmp_path / "rooms.csv"], key=played.key, now=now)
    rooms, met, results = set(pairs(store)), played.pairs(name), RESULTS.read_text("utf-8")
    for least in (0, 5, 15, 60):
        true = {pair for pair, minutes in met.items() if minutes >= least}
        hit = len(true & rooms)
        said = shown(name, least, f"{len(true):,}", f"{hit / len(true):.0%}", f"{hit / len(rooms):.0%}")
        assert said in results, said


def test_what_diaries_recalled_of_the_contacts_that_badges_measured(played: Played):
    """One day, students who kept a diary and wore a badge: recall by minutes measured, and what they told."""
    rows, results = played.table("recalled.csv"), RESULTS.read_text("utf-8")
    measured = [row for row in rows if row["of"] == "records"]
    for words, row in zip(("0 to 4", "5 to 14", "15 to 59", "60 and more"), measured, strict=True):
        said = shown(words, row["contacts"], row["known"], f"{float(row['share']):.0%}")
        assert said in results, said
    named = [row for row in rows if row["of"] == "diaries"]
    for words, row in zip(("under 5", "5 to 15", "15 to 60", "over 60"), named, strict=True):
        cells = (
            row["contacts"],
            row["known"],
            f"{float(row['share']):.0%}",
            f"{float(row['median_minutes']):g}",
        )
        assert shown(words, *cells) in results, cells


def test_the_students_who_wrote_and_wore_a_badge_are_counted(played: Played):
    store = VisitStore(played.out / "school")
    diaries = played.data / "contacts_highschool_2013" / "contact_diaries.csv"
    told = read_diaries(store, diaries, key=lambda: played.key)
    day = (date(2013, 12, 5) - date(1970, 1, 1)).days * DAY_MINUTES
    found = recalled(store, told, since=day, until=day + DAY_MINUTES - 1)
    assert f"{found.writers} students" in RESULTS.read_text("utf-8")
    assert found.strangers + sum(one.contacts for one in found.named) == found.entries == 502


def test_one_student_asks_through_the_command(played: Played):
    rows = played.table("met.csv")
    assert rows
    assert all(row["status"] == "candidate" for row in rows)
