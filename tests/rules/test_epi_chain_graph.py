"""The graph of chains: infectors, generations, impossible dates, lanes, bundles, and the numbers."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bihuan.epi.chains import (
    CaseFact,
    ChainGraph,
    Plausible,
    Tie,
    chain_graph,
    describe,
    offspring_distribution,
    picture,
    share_causing,
)
from bihuan.epi.chains.files import case_rows, graphml, link_rows
from bihuan.epi.chains.relative import relative_support
from bihuan.epi.errors import InputError, NotEnoughData


def graph(onsets: dict[str, Any], pairs: list[tuple], **options: Any) -> ChainGraph:
    return chain_graph(
        [CaseFact(case, onset) for case, onset in onsets.items()],
        [Tie(*pair) for pair in pairs],
        **options,
    )


def infector(found: ChainGraph, case: str) -> str | None:
    i = int(found.parent[found.ids.index(case)])
    return found.ids[i] if i >= 0 else None


# ---- the tree


def test_generations_count_from_the_first_of_each_chain() -> None:
    found = graph({"a": 1, "b": 5, "c": 9, "d": 2}, [("a", "b"), ("b", "c")])
    assert list(found.generation) == [0, 1, 2, 0]
    assert list(found.subtree()) == [3, 2, 1, 1]
    assert list(found.offspring) == [1, 1, 0, 0]
    assert list(found.component) == [0, 0, 0, 1]


def test_of_several_sources_the_nearest_in_time_is_in_the_tree_and_each_has_its_part() -> None:
    found = graph({"a": 1, "b": 6, "c": 9}, [("a", "c"), ("b", "c")])
    assert infector(found, "c") == "b"
    assert list(found.support) == [0.5, 0.5]
    assert picture(found).uncertain().all()


def test_a_declared_source_goes_before_an_inferred_one() -> None:
    ties = [("a", "c", 0.95, False), ("b", "c")]
    assert infector(graph({"a": 5, "b": 1, "c": 9}, ties), "c") == "b"


def test_inferred_sources_never_close_a_circle() -> None:
    ties = [("a", "b", 0.4, False), ("b", "a", 0.3, False), ("b", "c", 0.9, False), ("c", "a", 0.35, False)]
    found = graph({"a": 3, "b": 3, "c": 3}, ties)
    assert [infector(found, case) for case in "abc"] == [None, "a", "b"]


def test_a_link_whose_dates_cannot_be_is_listed_and_not_drawn_as_a_tree() -> None:
    found = graph({"a": 20, "b": 5}, [("a", "b")])
    assert found.impossible() == [("a", "b", "impossible")]
    assert infector(found, "b") is None
    assert describe(found).chains == 0


def test_how_early_is_impossible_is_the_askers_to_say() -> None:
    onsets, pairs = {"a": 10, "b": 6}, [("a", "b")]
    assert graph(onsets, pairs).impossible() == []
    assert graph(onsets, pairs, plausible=Plausible(infectious_before=2)).impossible()


def test_nobody_infects_before_she_can_have_been_infected() -> None:
    cases = [CaseFact("a", 10, infected_from=8), CaseFact("b", 8), CaseFact("c", 9)]
    found = chain_graph(cases, [Tie("a", "b"), Tie("a", "c")])
    assert found.impossible() == [("a", "b", "impossible")]


def test_a_circle_is_marked_unless_one_of_its_links_is_impossible_anyway() -> None:
    assert len(graph({"a": 1, "b": 2}, [("a", "b"), ("b", "a")]).impossible()) == 2
    broken = graph({"a": 1, "b": 20}, [("a", "b"), ("b", "a")])
    assert broken.impossible() == [("b", "a", "impossible")]
    assert infector(broken, "b") == "a"


def test_a_case_without_onset_stands_by_its_report_or_beside_its_infector() -> None:
    cases = [CaseFact("a", "2020-02-01"), CaseFact("b", None, "2020-02-07"), CaseFact("c")]
    found = chain_graph(cases, [Tie("a", "b"), Tie("b", "c")])
    assert list(found.day - found.day[0]) == [0, 6, 7]
    assert describe(found).undated == 2


@pytest.mark.parametrize(
    ("onsets", "pairs", "message"),
    [
        ({"a": 1}, [("a", "a")], "joins 'a' with itself"),
        ({"a": 1}, [("a", "b")], "'b' is linked but not on the list"),
        ({"a": 1, "b": 2}, [("a", "b", 1.5)], "between 0 and 1"),
    ],
)
def test_what_cannot_be_a_graph_is_refused(onsets: dict, pairs: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph(onsets, pairs)


def test_a_case_listed_twice_is_refused() -> None:
    with pytest.raises(InputError, match="'a' is listed twice"):
        chain_graph([CaseFact("a", 1), CaseFact("a", 2)], [])


def test_no_cases_are_an_empty_picture() -> None:
    found = chain_graph([], [])
    assert (picture(found).drawn, describe(found).cases) == (0, 0)


# ---- infectors by onsets alone


def test_those_who_fell_ill_before_share_a_case_by_the_chance_of_the_days_between() -> None:
    found = graph({"a": 0, "b": 1, "c": 3, "d": None}, [("a", "b")])
    assert relative_support(found, [0, 0.1, 0.3, 0.6], imported=["a"]) == [
        ("a", "c", pytest.approx(2 / 3)), ("b", "c", pytest.approx(1 / 3)),
    ]  # fmt: skip


def test_nobody_is_asked_about_whom_she_infected_herself() -> None:
    """a fell ill after b and c, whom she infected before her symptoms: e alone can be her source."""
    found = graph({"e": 0, "c": 1, "b": 2, "a": 3}, [("a", "b"), ("b", "c")])
    assert relative_support(found, [0, 0.5, 0.3, 0.2]) == [("e", "a", 1.0)]


# ---- any graph


@st.composite
def any_graph(draw: st.DrawFn, most: int = 40) -> ChainGraph:
    n = draw(st.integers(1, most))
    days = draw(st.lists(st.none() | st.integers(0, 60), min_size=n, max_size=n))
    case = st.integers(0, n - 1)
    pairs = draw(st.lists(st.tuples(case, case, st.booleans(), st.floats(0.01, 1)), max_size=2 * n))
    ties = [
        Tie(f"c{a}", f"c{b}", None if declared else support, declared, setting="x" if a % 2 else "y")
        for a, b, declared, support in pairs
        if a != b
    ]
    return chain_graph([CaseFact(f"c{i}", day, territory=str(i % 3)) for i, day in enumerate(days)], ties)


@given(any_graph())
@settings(max_examples=150, deadline=None)
def test_the_tree_has_no_circle_and_no_impossible_link(found: ChainGraph) -> None:
    for i in range(found.n):
        seen, at = set(), i
        while at >= 0:
            assert at not in seen
            seen.add(at)
            at = int(found.parent[at])
    used = found.parent_link[found.parent_link >= 0]
    assert found.usable[used].all()
    assert sum(level.size for level in found.levels) == found.n
    assert int(found.subtree()[found.parent < 0].sum()) == found.n


@given(any_graph(), st.integers(20, 30))
@settings(max_examples=150, deadline=None)
def test_every_case_is_in_one_mark_and_no_two_marks_share_a_spot(found: ChainGraph, most: int) -> None:
    drawn = picture(found, most=most)
    assert drawn.drawn <= most
    assert int(drawn.marks.n.sum()) == found.n
    assert sorted(np.bincount(drawn.mark_of)) == sorted(drawn.marks.n)
    spots = list(zip(drawn.layout.lane, drawn.marks.day, strict=True))
    assert len(set(spots)) == len(spots)
    assert drawn.layout.lane.min() >= 0
    assert drawn.layout.lane.max() < drawn.layout.lanes
    inside = int((drawn.mark_of[found.source] == drawn.mark_of[found.target]).sum())
    assert int(drawn.lines.n.sum()) + inside == found.source.size


def test_a_tree_whose_first_case_fell_ill_last_keeps_clear_of_the_tree_beside_it() -> None:
    """Packed by the day of its root, d would lie on b."""
    cases = [CaseFact("a", 0), CaseFact("b", 0), CaseFact("c", 5), CaseFact("d", 0)]
    ties = [Tie("a", "b"), Tie("c", "d")]
    drawn = picture(chain_graph(cases, ties, plausible=Plausible(infectious_before=7)))
    spots = list(zip(drawn.layout.lane, drawn.marks.day, strict=True))
    assert len(set(spots)) == len(spots)
    assert set(drawn.layout.lane[:2]).isdisjoint(drawn.layout.lane[2:])


def test_a_hundred_thousand_links_are_at_most_two_thousand_marks() -> None:
    draw = np.random.default_rng(1)
    n = 100_001
    above = np.concatenate(([0], (np.arange(1, n) * draw.random(n - 1) ** 0.6).astype(int)))
    day = np.zeros(n, int)
    for i in range(1, n):
        day[i] = day[above[i]] + draw.integers(1, 9)
    cases = [CaseFact(str(i), int(day[i]), territory=f"42030{i % 30}", setting="ab"[i % 2]) for i in range(n)]
    found = chain_graph(cases, [Tie(str(above[i]), str(i)) for i in range(1, n)])
    drawn = picture(found)
    assert found.source.size == 100_000
    assert 500 < drawn.drawn <= 2000
    assert int(drawn.marks.n.sum()) == n


# ---- how unevenly


def test_r_and_k_are_those_of_the_likelihood() -> None:
    counts = stats.nbinom.rvs(0.3, 0.3 / (0.3 + 1.4), size=4000, random_state=3)
    found = offspring_distribution(counts)
    assert found.r[0] == pytest.approx(counts.mean())
    assert found.r[1] < 1.4 < found.r[2]
    assert found.k[1] < 0.3 < found.k[2]

    def loss(k: float, r: float = counts.mean()) -> float:
        return float(-stats.nbinom.logpmf(counts, k, k / (k + r)).sum())

    grid = np.linspace(found.k[0] * 0.9, found.k[0] * 1.1, 41)
    assert grid[int(np.argmin([loss(k) for k in grid]))] == pytest.approx(found.k[0], rel=0.01)
    edge = stats.chi2.ppf(0.95, 1) / 2
    assert loss(found.k[1]) - loss(found.k[0]) == pytest.approx(edge, abs=1e-3)
    assert loss(found.k[2]) - loss(found.k[0]) == pytest.approx(edge, abs=1e-3)


def test_even_counts_are_poisson() -> None:
    found = offspring_distribution([1] * 30)
    assert found.k[0] == float("inf")
    assert found.k[2] == float("inf")
    assert found.k[1] > 1


@pytest.mark.parametrize(
    ("counts", "share"),
    [([10, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0.08), ([1] * 10, 0.8), ([8, 2, 0, 0], 0.25), ([0, 0], None)],
)
def test_the_share_of_cases_behind_most_of_the_transmission(counts: list[int], share: float | None) -> None:
    assert share_causing(counts) == (None if share is None else pytest.approx(share))


def test_too_little_is_no_distribution() -> None:
    with pytest.raises(NotEnoughData):
        offspring_distribution([0, 0, 0, 0, 0, 0])
    with pytest.raises(InputError, match="whole numbers"):
        offspring_distribution([0.5] * 9)


# ---- files


def test_graphml_is_read_back_as_it_was() -> None:
    found = chain_graph(
        [CaseFact("a<1>", "2020-02-01", setting="宴 & 会"), CaseFact("b", "2020-02-05")], [Tie("a<1>", "b")]
    )
    root = ET.fromstring("".join(graphml(found, more={"name": {"b": "周*明"}})))
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    assert [node.get("id") for node in root.iterfind(".//g:node", space)] == ["a<1>", "b"]
    (edge,) = root.iterfind(".//g:edge", space)
    assert (edge.get("source"), edge.get("target")) == ("a<1>", "b")
    told = {data.get("key"): data.text for data in root.iterfind(".//g:node[2]/g:data", space)}
    assert told["n_name"] == "周*明"
    assert told["n_infector"] == "a<1>"
    assert told["n_generation"] == "1"
    assert [row["interval"] for row in link_rows(found)] == [4]
    assert [row["infected"] for row in case_rows(found)] == [1, 0]


# ---- real outbreaks


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [{k: "" if v == "NA" else v for k, v in row.items()} for row in csv.DictReader(file)]


def test_three_patients_are_behind_most_of_mers_in_korea(shared: Path) -> None:
    """KCDC 2015 (Osong Public Health Res Perspect 6:269): 83.2 % of transmission by five superspreaders; this
    list holds the first weeks."""
    folder = shared / "data" / "linelist_mers_korea_2015"
    cases = [
        CaseFact(row["id"], row["dt_onset"] or None, row["dt_report"] or None, row["dt_start_exp"] or None)
        for row in read(folder / "linelist.csv")
    ]
    ties = [Tie(row["from"], row["to"], setting=row["exposure"]) for row in read(folder / "contacts.csv")]
    found = describe(chain_graph(cases, ties))
    assert [(one.case, one.infected) for one in found.spreaders[:3]] == [
        ("SK_14", 37), ("SK_1", 26), ("SK_16", 20),
    ]  # fmt: skip
    offspring = found.offspring
    assert offspring is not None
    assert offspring.transmissions == 95
    assert sum(one.infected for one in found.spreaders[:5]) / 95 > 0.83
    assert offspring.share == pytest.approx(0.0164, abs=1e-3)
    assert offspring.k[0] < 0.05
    assert found.serial_interval.mean == pytest.approx(14.4, abs=0.05)


def test_tianjin_has_the_serial_interval_its_paper_gives(shared: Path) -> None:
    """Tindale 2020 (eLife 9:e57149): 4.31 days (95 % CI 2.91 to 5.72), the same links otherwise weighed."""
    folder = shared / "data" / "linelist_tianjin_2020"
    cases = [
        CaseFact(
            row["case_id"], row["symptom_onset"] or None, row["confirm_date"], row["start_source"] or None
        )
        for row in read(folder / "linelist.csv")
    ]
    ties = [Tie(row["from_case"], row["to_case"]) for row in read(folder / "contacts.csv")]
    graph_ = chain_graph(cases, ties)
    found = describe(graph_)
    assert found.serial_interval.mean is not None
    assert 2.91 < found.serial_interval.mean < 5.72
    assert graph_.impossible() == [
        ("TJ96", "TJ97", "circle"), ("TJ97", "TJ96", "circle"), ("TJ103", "TJ108", "impossible"),
        ("TJ114", "TJ115", "circle"), ("TJ115", "TJ114", "circle"),
    ]  # fmt: skip
