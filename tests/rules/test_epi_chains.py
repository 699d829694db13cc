"""Chains: links put together as they were told, and infectors never without their support."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.chains import Infectors, Odd, chains, likely_infectors
from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.oracles.cases import find_cases, run_case

GENERATION = [0.0, 0.1, 0.3, 0.3, 0.2, 0.1]
INCUBATION = [0.0, 0.2, 0.5, 0.3]
DAY = date(2020, 1, 20)


def infectors(onsets: Any, **settings_: Any) -> Infectors:
    return likely_infectors(onsets, **({"generation_time": GENERATION, "incubation": INCUBATION} | settings_))


def supports(found: Infectors) -> dict[tuple[str, str | None], float]:
    return {(one.case, c.infector): c.support for one in found.cases for c in one.candidates}


# ---- against the peers


def test_chains_of_the_peers_are_ours_too(shared: Path) -> None:
    cases = [
        one
        for one in find_cases(shared / "oracles" / "analytics")
        if one.kind.startswith(("outbreaker2", "epicontacts"))
    ]
    assert len(cases) >= 3
    assert {one.name: [str(d) for d in run_case(one)] for one in cases} == {one.name: [] for one in cases}


# ---- links


def test_links_make_components_degrees_and_intervals() -> None:
    found = chains(
        [("a", "b"), ("a", "c"), ("d", "e")],
        onsets={"a": DAY, "b": DAY + timedelta(4), "c": DAY + timedelta(6), "d": DAY, "e": None, "f": DAY},
    )
    assert found.components == (("a", "b", "c"), ("d", "e"), ("f",))
    assert found.sizes == (3, 2, 1)
    assert found.out_degrees == (2, 0, 0, 1, 0, 0)
    assert found.in_degrees == (0, 1, 1, 0, 1, 0)
    assert found.intervals == (4, 6)
    assert [link.odd for link in found.links] == [Odd.NONE, Odd.NONE, Odd.NO_DATE]
    assert next(found.case_rows())["size"] == 3


def test_undirected_links_have_no_sign() -> None:
    found = chains([("a", "b")], onsets={"a": 5, "b": 2}, directed=False)
    assert found.intervals == (3,)
    assert found.out_degrees == (1, 1)
    assert found.odd_links == ()


def test_dates_that_cannot_be_are_marked_and_kept_out_of_intervals() -> None:
    found = chains(
        [("a", "b"), ("b", "c"), ("d", "e"), ("e", "d")],
        onsets={"a": 10, "b": 3, "c": 1, "d": 1, "e": 2},
        infected_from={"a": 5},
    )
    assert [link.odd for link in found.links] == [Odd.IMPOSSIBLE, Odd.BACKWARD, Odd.CIRCLE, Odd.CIRCLE]
    assert found.intervals == (-2,)
    assert "4 links whose dates should be checked" in found.explain()
    assert "4 条关联的日期须核对" in found.explain("zh-hans")


@pytest.mark.parametrize(
    ("links", "settings_", "message"),
    [
        ([("a", "a")], {}, "joins 'a' with itself"),
        ([("a", "b"), ("a", "b")], {}, "given twice"),
        (["abc"], {}, "link 1 is not a pair"),
        ([("a", "b")], {"cases": ["a"]}, "not on the list of cases"),
        ([("a", "b")], {"onsets": {"a": "soon", "b": 2}}, "date of a, 'soon', cannot be read"),
    ],
)
def test_links_that_cannot_be_read_are_refused(links: list, settings_: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        chains(links, **settings_)


def test_no_links_are_no_chains() -> None:
    assert chains([]).components == ()
    assert chains([]).explain() == "0 cases and 0 links in 0 chains."


# ---- infectors


def by_enumeration(onsets: list[int]) -> np.ndarray:
    """Exact posterior of every infector: all infection days of all cases, the first being imported."""
    n, delays = len(onsets), range(1, len(INCUBATION))
    total, support = 0.0, np.zeros((n, n))
    for chosen in itertools.product(delays, repeat=n):
        days = [onset - delay for onset, delay in zip(onsets, chosen, strict=True)]
        weights = np.array(
            [
                [
                    GENERATION[a - b] if i != j and 0 < a - b < len(GENERATION) else 0.0
                    for j, b in enumerate(days)
                ]
                for i, a in enumerate(days)
            ]
        )
        sums = weights[1:].sum(axis=1)
        likelihood = np.prod([INCUBATION[d] for d in chosen]) * np.prod(sums)
        if likelihood > 0:
            total += likelihood
            support[1:] += likelihood * weights[1:] / sums[:, None]
    return support / total


def test_support_is_the_exact_posterior() -> None:
    onsets = [0, 3, 4, 6, 7]
    found = infectors(onsets, draws=20_000)
    exact, ours = by_enumeration(onsets), supports(found)
    assert found.apart < 0.03
    for i, j in itertools.product(range(1, 5), range(5)):
        assert ours.get((str(i + 1), str(j + 1)), 0.0) == pytest.approx(exact[i, j], abs=0.015)


def test_support_adds_up_to_one_and_the_best_stands_first() -> None:
    found = infectors({f"c{i}": DAY + timedelta(i * 2) for i in range(8)})
    for one in found.cases:
        assert sum(c.support for c in one.candidates) == pytest.approx(1)
        assert [c.support for c in one.candidates] == sorted(
            (c.support for c in one.candidates), reverse=True
        )


@given(st.lists(st.integers(0, 40), min_size=2, max_size=10), st.integers(0, 5))
@settings(max_examples=25, deadline=None)
def test_no_candidate_has_impossible_dates(onsets: list[int], seed: int) -> None:
    found = infectors(onsets, seed=seed, draws=100, burn_in=50)
    longest = len(GENERATION) - 1 + len(INCUBATION) - 2
    for one in found.cases:
        for candidate in one.candidates:
            if candidate.infector is None:
                continue
            gap = int(one.onset) - onsets[int(candidate.infector) - 1]  # type: ignore[arg-type]
            assert 1 - (len(INCUBATION) - 2) <= gap <= longest
            assert candidate.infector != one.case


def test_a_case_nobody_can_have_infected_is_said_to_be_from_outside() -> None:
    found = infectors({"a": 0, "b": 3, "far": 90})
    assert found.of("far").best.infector is None
    assert found.of("far").best.support == pytest.approx(1)
    assert "somebody not listed (100%)" in found.explain(case="far")


def test_a_recorded_contact_raises_support() -> None:
    onsets = {"a": 0, "b": 1, "c": 5, "d": 6, "e": 9, "f": 10}
    links = [("a", "c"), ("b", "d"), ("c", "e"), ("d", "f")]
    without, learned, weighed = (
        infectors(onsets, imported=["a", "b"], contacts=contacts)
        for contacts in (None, links, [(*link, 50.0) for link in links])
    )
    for infector, case in links:
        assert learned.of(case).support(infector) > without.of(case).support(infector)
        assert weighed.of(case).support(infector) > 0.9
    assert learned.contact_given_transmission is not None
    assert learned.evidence == ("dates", "contacts")


def test_contacts_between_cases_too_far_apart_say_how_common_contacts_are() -> None:
    far = {f"f{i}": 100 * i for i in range(1, 9)}
    among = list(itertools.combinations(far, 2))
    found = infectors({"a": 0, "b": 3} | far, contacts=[("a", "b"), *among])
    # 28 of the 44 pairs in which nobody can have infected the other
    assert found.parameters[:, 2].mean() == pytest.approx(29 / 46, abs=0.02)


def test_sequences_tell_apart_what_dates_cannot() -> None:
    onsets = {"a": 0, "b": 0, "c": 4, "d": 4}
    distance = np.array([[0, 20, 0, 20], [20, 0, 20, 0], [0, 20, 0, 20], [20, 0, 20, 0]])
    found = infectors(onsets, imported=["a", "b"], snp_distance=distance, genome_length=3000)
    assert found.of("c").support("a") > 0.99
    assert found.of("d").support("b") > 0.99
    assert found.mutation_rate is not None
    assert found.mutation_rate[1] < found.mutation_rate[0] < found.mutation_rate[2]


def test_an_exposure_window_rules_out_who_came_too_early() -> None:
    onsets = {"a": 0, "b": 3, "c": 6}
    assert infectors(onsets).of("c").support("a") > 0.05
    late = infectors(onsets, exposure={"c": (5, None)})
    assert late.of("c").infected[0] >= 5  # type: ignore[operator]
    assert late.of("c").support("a") < infectors(onsets).of("c").support("a")


def test_an_unseen_case_between_is_allowed_when_asked_for() -> None:
    onsets = {"a": 0, "c": 9}
    assert infectors(onsets).of("c").best.infector is None
    assert infectors(onsets, max_generations=3).of("c").best.infector == "a"


def test_a_source_outside_takes_its_share_when_allowed() -> None:
    onsets = {"a": 0, "b": 7}
    assert infectors(onsets, outside=0.0).of("b").support(None) < 1e-6
    assert infectors(onsets, outside=0.5).of("b").support(None) > 0.3


@pytest.mark.parametrize("said", [["b"], np.array(["b"]), iter(["b"])])
def test_imported_cases_come_in_any_collection(said: Any) -> None:
    found = infectors({"a": 0, "b": 3, "c": 5}, imported=said)
    assert [one.case for one in found.cases if one.imported] == ["b"]


def test_the_same_seed_gives_the_same_support() -> None:
    onsets = list(range(0, 20, 2))
    one, two, other = (infectors(onsets, seed=seed, draws=200) for seed in (1, 1, 2))
    assert supports(one) == supports(two)
    assert supports(one) != supports(other)


@given(st.permutations(range(7)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_cases_changes_nothing(order: list[int]) -> None:
    onsets = {f"c{i}": i * 2 for i in range(7)}
    distance = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    names = list(onsets)
    here = infectors(onsets, snp_distance=distance, genome_length=1000, draws=100)
    there = infectors(
        {names[i]: onsets[names[i]] for i in order}, snp_distance=distance[np.ix_(order, order)],
        genome_length=1000, draws=100,
    )  # fmt: skip
    assert supports(here) == supports(there)
    assert [one.case for one in there.cases] == [names[i] for i in order]


@given(st.integers(-3000, 3000))
@settings(max_examples=10, deadline=None)
def test_shifting_time_changes_nothing_but_dates(days: int) -> None:
    here = infectors({f"c{i}": DAY + timedelta(i * 2) for i in range(6)}, draws=100)
    there = infectors({f"c{i}": DAY + timedelta(i * 2 + days) for i in range(6)}, draws=100)
    assert supports(here) == supports(there)
    assert there.cases[3].infected[0] - here.cases[3].infected[0] == timedelta(days)  # type: ignore[operator]


def test_a_far_case_changes_nobodys_support() -> None:
    onsets = [0, 3, 4, 6, 7]
    exact, ours = by_enumeration(onsets), supports(infectors([*onsets, 400], draws=20_000))
    assert ours["4", "2"] == pytest.approx(exact[3, 1], abs=0.02)


@pytest.mark.parametrize(
    ("onsets", "settings_", "message"),
    [
        ([1], {}, "two cases"),
        ([1, None], {}, "2 has no onset"),
        ([1, float("nan")], {}, "2 has no onset"),
        ([1, "then"], {}, "cannot be read"),
        ([1, 2], {"ids": ["a", "a"]}, "different ids"),
        ([1, 2], {"generation_time": [0.5, 0.5]}, "must be 0: nobody infects on the day"),
        ([1, 2], {"generation_time": [0, -1, 2]}, "none negative"),
        ([1, 2], {"incubation": []}, "probabilities"),
        ([1, 2], {"incubation": "long"}, "probabilities"),
        ([1, 2], {"contacts": [("1", "9")]}, "'9' is in contacts but has no onset"),
        ([1, 2], {"contacts": [("1", "2", 0.0)]}, "must be above 0"),
        ([1, 2], {"snp_distance": np.zeros((3, 3))}, "must be 2 × 2"),
        ([1, 2], {"snp_distance": np.zeros((2, 2))}, "needs genome_length"),
        ([1, 2], {"exposure": {"2": (8, 9)}}, "no such length"),
        ([1, 2], {"imported": ["x"]}, "'x' is in imported"),
        ([1, 2], {"draws": 0}, "draws is at least 1"),
        ([1, 2], {"outside": 2}, "between 0 and 1"),
        ([1, 2], {"max_generations": 0}, "at least 1"),
    ],
)
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_what_cannot_be_read_is_said_plainly(onsets: list, settings_: dict, message: str) -> None:
    with pytest.raises((InputError, NotEnoughData), match=message) as refused:
        infectors(onsets, **settings_)
    assert refused.value.text("zh-hans") != refused.value.text("en")


# ---- telling


def test_no_infector_is_told_without_its_support() -> None:
    found = infectors({f"c{i}": DAY + timedelta(i * 2) for i in range(6)})
    for lang in ("en", "zh-hans"):
        text = found.explain(lang, case="c4")
        for candidate in found.of("c4").candidates[:3]:
            assert f"{candidate.infector}" in text
            assert f"{candidate.support:.0%}" in text
    assert all({"infector", "support"} <= set(row) for row in found.rows())
    assert all(len(link) == 3 for link in found.links(least=0.1))
    assert "taken as imported" in found.explain(case="c0")
    assert "two independent runs" in found.explain()
    with pytest.raises(InputError, match="no case is called"):
        found.of("nobody")


def test_chains_and_infectors_are_drawn(tmp_path: Path) -> None:
    onsets = {f"c{i}": DAY + timedelta(i * 2) for i in range(6)}
    infectors(onsets, draws=100).plot(path=str(tmp_path / "infectors.png"), lang="zh-hans")
    chains([("c0", "c1"), ("c1", "c2")], onsets=onsets).plot(path=str(tmp_path / "chains.png"))
    chains([]).plot()
    assert (tmp_path / "infectors.png").stat().st_size > 5000
    assert (tmp_path / "chains.png").stat().st_size > 5000
