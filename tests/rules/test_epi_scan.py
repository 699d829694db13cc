"""Scans: a cluster is found where it was put, chance is not called a cluster, and order changes nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bihuan.epi.errors import InputError, NotEnoughData
from bihuan.epi.oracles.cases import find_cases, run_case
from bihuan.epi.scan import Outcome, Scan, kernel, scan, spatial_scan
from bihuan.epi.scan.bounds import STEP, bounds
from bihuan.epi.scan.design import lay_out
from bihuan.epi.scan.inference import alias, simulate
from bihuan.epi.scan.zones import circles

PEERS = ("satscan", "scan_", "kulldorff")
START = date(2024, 1, 1)


def made_up(
    *, seed: int = 1, places: int = 16, days: int = 30, mean: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    where = np.array([(x * 10.0, y * 10.0) for x in range(4) for y in range(4)][:places])
    return draw.poisson(mean, (places, days)), where + draw.uniform(-1, 1, where.shape)


def with_outbreak(cases: np.ndarray) -> np.ndarray:
    out = cases.copy()
    out[[0, 1, 4], -5:] += 4
    return out


def told(found: Scan) -> list[tuple]:
    return [
        (c.members, c.first, c.last, c.observed, round(c.expected, 9), round(c.llr, 9), c.p_value)
        for c in found.clusters
    ]


# ---- against the peers


def peer_cases(shared: Path) -> list:
    return [one for one in find_cases(shared / "oracles" / "analytics") if one.kind.startswith(PEERS)]


def test_every_scan_of_the_peers_is_ours_too(shared: Path) -> None:
    cases = peer_cases(shared)
    assert len(cases) >= 21
    assert {one.name: [str(d) for d in run_case(one)] for one in cases} == {one.name: [] for one in cases}


# ---- finding


def test_an_outbreak_of_the_last_days_is_the_first_cluster() -> None:
    cases, where = made_up()
    found = scan(
        with_outbreak(cases), where, start=START, max_duration=10, names=[f"p{i:02}" for i in range(16)]
    )
    first = found.clusters[0]
    assert first.members == ("p00", "p01", "p04")
    assert (first.first, first.last) == (date(2024, 1, 26), date(2024, 1, 30))
    assert first.p_value is not None
    assert first.p_value < 0.001
    assert first.p_method == "gumbel"
    assert first.recurrence_days == pytest.approx(1 / first.p_value)
    assert found.significant() == (first,)


def test_an_outbreak_in_the_middle_is_found_by_looking_back_and_has_no_recurrence() -> None:
    cases, where = made_up()
    cases[[5, 6], 10:14] += 6
    found = scan(cases, where, prospective=False, start=START, max_duration=7)
    first = found.clusters[0]
    assert (first.first, first.last) == (date(2024, 1, 11), date(2024, 1, 14))
    assert set(first.members) == {"series 6", "series 7"}
    assert first.recurrence_days is None


@pytest.mark.parametrize("model", ["permutation", "poisson", "expectation"])
def test_chance_alone_is_seldom_called_a_cluster(model: str) -> None:
    found = []
    for seed in range(40):
        cases, where = made_up(seed=seed)
        one = scan(
            cases, where, model=model, max_duration=7, replications=199, seed=seed,  # type: ignore[arg-type]
            population=np.full(16, 1000), baselines=np.ones(16),
        )  # fmt: skip
        found.append(bool(one.significant(0.05)))
    assert sum(found) <= 7  # 2 expected; 8 or more of 40 has a chance below 0.1 %


def test_a_poisson_scan_blames_no_place_for_being_large() -> None:
    cases, where = made_up()
    people = np.full(16, 1000.0)
    cases[3] = np.random.default_rng(5).poisson(20, 30)
    people[3] = 20_000
    assert not scan(cases, where, model="poisson", population=people, max_share=0.8).significant(0.01)
    crowded = scan(cases, where, model="poisson", population=np.full(16, 1000), prospective=False)
    assert crowded.clusters[0].members == ("series 4",)


def test_a_permutation_scan_is_blind_to_places_that_always_have_more() -> None:
    cases, where = made_up()
    cases[3] *= 12
    flat = np.tile(cases.sum(axis=1)[:, None], (1, 30))
    assert scan(flat, where).clusters == ()
    assert scan(flat, where).outcome is not Outcome.SCANNED


def test_clusters_share_no_place_at_the_same_time() -> None:
    cases, where = made_up(mean=2.0)
    found = scan(with_outbreak(cases), where, prospective=False, max_p=None, replications=0)
    assert len(found.clusters) > 3
    for i, one in enumerate(found.clusters):
        for other in found.clusters[:i]:
            apart_in_time = one.first > other.last or other.first > one.last
            assert apart_in_time or not set(one.members) & set(other.members)
    ratios = [c.llr for c in found.clusters]
    assert ratios == sorted(ratios, reverse=True)


def test_without_replications_nothing_is_said_of_chance() -> None:
    cases, where = made_up()
    found = scan(with_outbreak(cases), where, replications=0)
    assert found.clusters[0].p_value is None
    assert "not assessed against chance" in found.explain()


def test_weekly_counts_recur_in_weeks_and_end_on_sunday() -> None:
    cases, where = made_up()
    first = scan(with_outbreak(cases), where, frequency="weekly", start=START, max_duration=10).clusters[0]
    assert first.last.isoweekday() == 7
    assert first.p_value is not None
    assert first.recurrence_days == pytest.approx(7 / first.p_value)


def test_a_spatial_scan_leaves_time_aside() -> None:
    draw = np.random.default_rng(2)
    people = np.full(16, 10_000)
    _, where = made_up()
    cases = draw.poisson(10, 16)
    cases[[0, 1, 4]] += 20
    found = spatial_scan(cases, where, population=people)
    assert set(found.clusters[0].members) == {"series 1", "series 2", "series 5"}
    assert found.clusters[0].recurrence_days is None
    assert "purely spatial" in found.explain()


def test_a_spatial_scan_reads_mappings() -> None:
    where = {"a": (0.0, 0.0), "b": (1.0, 0.0), "c": (9.0, 9.0), "d": (9.5, 9.0)}
    found = spatial_scan({"a": 9, "b": 9, "c": 1, "d": 1}, where, population=[50, 50, 50, 50])
    assert found.clusters[0].members == ("a", "b")


def test_circles_on_the_globe_are_measured_on_the_globe() -> None:
    zones = circles(
        np.array([[179.9, 60.0], [-179.9, 60.0], [170.0, 60.0]]),
        weights=np.ones(3),
        nearest=2,
        distance="great_circle",
    )
    assert list(zones.members(0, 2)) == [0, 1]
    assert zones.radius(0, 2) == pytest.approx(11.1, abs=0.1)


# ---- the kernel's short cuts change nothing


@given(st.integers(0, 10_000), st.booleans(), st.booleans(), st.floats(0.02, 3.0))
@settings(max_examples=40, deadline=None)
def test_the_bound_never_hides_the_largest_ratio(
    seed: int, prospective: bool, conditional: bool, mean: float
) -> None:
    draw = np.random.default_rng(seed)
    counts = draw.poisson(mean * draw.gamma(1, 1, (12, 1)), (12, 20)).astype(np.int32)
    counts[draw.integers(12), draw.integers(20)] += draw.integers(0, 30)
    expected = np.full(counts.shape, max(counts.mean(), 0.01)) * draw.uniform(0.5, 1.5, (12, 1))
    if conditional:
        expected *= counts.sum() / expected.sum()
    zones = circles(draw.uniform(0, 1, (12, 2)), weights=expected.sum(axis=1))
    design = lay_out(
        counts, expected, zones, model="poisson" if conditional else "expectation", prospective=prospective,
        shortest=1, longest=8,
    )  # fmt: skip
    limits = bounds(total=float(design.total), most_expected=design.most_expected(), conditional=conditional)
    fast, slow = (
        kernel.largest(
            design.sums(), design.means.astype(np.float32), design.means, zones.order, zones.sizes,
            float(design.total), design.kind, prospective, 1, 8, alphas2, betas, STEP,
        )
        for alphas2, betas in (
            (limits.alphas2, limits.betas),
            (np.zeros_like(limits.alphas2), np.full_like(limits.betas, -1e9)),
        )
    )  # fmt: skip
    assert fast == slow
    scores, _ = kernel.best_windows(
        design.sums(), design.means, zones.order, zones.sizes, float(design.total), design.kind, prospective,
        1, 8, 1, 0.0,
    )  # fmt: skip
    assert scores.max() == pytest.approx(slow, rel=1e-9)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_alias_tables_give_each_cell_its_share(seed: int) -> None:
    weights = np.random.default_rng(seed).gamma(0.5, 1, 50)
    keep, other = alias(weights)
    share = keep.copy()
    np.add.at(share, other, 1 - keep)
    assert share / 50 == pytest.approx(weights / weights.sum())


# ---- what must not matter


def test_the_same_seed_gives_the_same_p_on_any_number_of_threads() -> None:
    cases, where = made_up()
    one, two, other = (
        scan(cases, where, max_duration=7, seed=seed, threads=threads)
        for seed, threads in ((7, 1), (7, 3), (8, 2))
    )
    assert np.array_equal(one.simulated, two.simulated)
    assert told(one) == told(two)
    assert not np.array_equal(one.simulated, other.simulated)


@given(
    st.integers(0, 1000),
    st.permutations(range(16)),
    st.sampled_from(["permutation", "poisson", "expectation"]),
)
@settings(max_examples=15, deadline=None)
def test_the_order_of_places_changes_nothing(seed: int, order: list[int], model: str) -> None:
    cases, where = made_up(seed=seed)
    names, people = np.array([f"p{i:02}" for i in range(16)]), np.linspace(500, 2000, 16)
    told_of = [
        told(
            scan(
                cases[at], where[at], model=model, names=list(names[at]), population=people[at],  # type: ignore[arg-type]
                baselines=people[at] / 1000, max_duration=6, replications=49, prospective=False,
            )
        )
        for at in (np.arange(16), np.array(order))
    ]  # fmt: skip
    assert told_of[0] == told_of[1]


@given(st.integers(-4000, 4000))
@settings(max_examples=10, deadline=None)
def test_shifting_time_shifts_the_dates_and_nothing_else(days: int) -> None:
    cases, where = made_up()
    here = scan(cases, where, start=START, max_duration=6, replications=49)
    there = scan(
        cases, where, start=np.datetime64(START) + np.timedelta64(days, "D"), max_duration=6, replications=49
    )  # type: ignore[arg-type]
    assert [c.p_value for c in here.clusters] == [c.p_value for c in there.clusters]
    assert [(b.first - a.first).days for a, b in zip(here.clusters, there.clusters, strict=True)] == [
        days
    ] * len(here.clusters)


@given(st.integers(0, 500), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 10))
@settings(max_examples=10, deadline=None)
def test_moving_or_scaling_the_map_changes_nothing(seed: int, dx: float, dy: float, scale: float) -> None:
    cases, where = made_up(seed=seed)
    here = scan(cases, where, max_duration=6, replications=49)
    there = scan(cases, (where + np.array([dx, dy])) * scale, max_duration=6, replications=49)
    assert told(here) == told(there)


@given(st.integers(0, 500))
@settings(max_examples=10, deadline=None)
def test_an_empty_place_beside_another_leaves_cases_and_ratios_as_they_were(seed: int) -> None:
    cases, where = made_up(seed=seed)
    names = [f"p{i:02}" for i in range(16)]
    here = scan(cases, where, names=names, max_duration=6, replications=0)
    there = scan(
        np.vstack([cases, np.zeros((1, 30))]), np.vstack([where, where[7]]), names=[*names, "q"],
        max_duration=6, replications=0,
    )  # fmt: skip
    assert [(c.observed, round(c.expected, 9), round(c.llr, 9)) for c in here.clusters] == [
        (c.observed, round(c.expected, 9), round(c.llr, 9)) for c in there.clusters
    ]
    assert [c.members for c in here.clusters] == [
        tuple(m for m in c.members if m != "q") for c in there.clusters
    ]


def test_doubling_people_everywhere_changes_nothing() -> None:
    cases, where = made_up()
    people = np.linspace(500, 2000, 16)
    one, two = (
        scan(cases, where, model="poisson", population=p, replications=99) for p in (people, people * 2)
    )
    assert told(one) == told(two)


# ---- bad input


def test_a_missing_report_is_not_a_zero() -> None:
    cases, where = made_up()
    holes = cases.astype(float)
    holes[2, 3] = np.nan
    with pytest.raises(
        InputError, match="series 3 on 2024-01-04 was not reported; a missing report is not a zero"
    ):
        scan(holes, where, start=START)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "bernoulli"}, "not one of permutation, poisson, expectation"),
        ({"model": "poisson"}, "needs the population"),
        ({"model": "poisson", "population": np.zeros(16)}, "not all zero"),
        ({"model": "poisson", "population": [1, 2, 3]}, "one number a place"),
        ({"model": "expectation", "max_duration": 30}, "periods before its longest window"),
        ({"max_duration": 31}, "need as many; there are 30"),
        ({"max_duration": 0}, "cannot be"),
        ({"max_share": 0}, "between 0 and 1"),
        ({"max_share": 0.01}, "a single location is larger"),
        ({"nearest": 0}, "at least 1"),
        ({"replications": -1}, "cannot be negative"),
        ({"distance": "great_circle", "locations": np.full((16, 2), 100)}, "within ±180 and ±90"),
        ({"distance": "walking"}, "not one of euclidean, great_circle"),
        ({"locations": np.zeros((15, 2))}, "15 locations for 16 series"),
        ({"locations": np.full((16, 2), np.nan)}, "location of 1 is not known"),
        ({"locations": np.zeros((16, 3))}, "pairs of numbers"),
        ({"locations": [["a", "b"]] * 16}, "not a number"),
        (
            {"locations": {"a": (0, 0)}, "names": [f"p{i}" for i in range(16)]},
            "'p0' has cases but no location",
        ),
        ({"cases": -np.ones((16, 30))}, "negative"),
        ({"cases": np.full((16, 30), 0.5)}, "not a whole number"),
        ({"cases": np.full((16, 30), 1e6)}, "more than a scan counts exactly"),
        ({"dates": ["2024-01-01"] * 30}, "stands twice"),
    ],
)
def test_what_cannot_be_scanned_is_said_plainly(change: dict, message: str) -> None:
    cases, where = made_up()
    given_ = {"cases": cases, "locations": where} | change
    with pytest.raises((InputError, NotEnoughData), match=message) as refused:
        scan(given_.pop("cases"), given_.pop("locations"), **given_)
    assert refused.value.text("zh-hans") != refused.value.text("en")


def test_cases_where_nobody_lives_are_refused() -> None:
    cases, where = made_up()
    people = np.full(16, 1000)
    people[2] = 0
    with pytest.raises(InputError, match="where none can be expected"):
        scan(cases, where, model="poisson", population=people)


@pytest.mark.parametrize("model", ["permutation", "poisson", "expectation"])
@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_no_cases_at_all_are_no_cluster_and_no_error(model: str) -> None:
    _, where = made_up()
    found = scan(np.zeros((16, 30)), where, model=model, population=np.ones(16), baselines=np.ones(16))  # type: ignore[arg-type]
    assert (found.outcome, found.clusters) == (Outcome.NO_CASES, ())
    assert "no cases to scan" in found.explain()
    assert "没有可扫描的病例" in found.explain("zh-hans")


@pytest.mark.filterwarnings("error", "ignore::ResourceWarning")
def test_one_case_is_scanned_without_a_warning() -> None:
    cases = np.zeros((16, 30))
    cases[3, -1] = 1
    _, where = made_up()
    found = scan(cases, where, max_share=1.0)
    assert not found.significant()


def test_one_period_cannot_be_scanned_in_time_but_does_not_break() -> None:
    cases, where = made_up(days=1)
    assert scan(cases, where).clusters == ()


# ---- telling


def test_a_cluster_explains_itself_in_two_languages() -> None:
    cases, where = made_up()
    found = scan(
        with_outbreak(cases), where, start=START, max_duration=10, names=[f"p{i:02}" for i in range(16)]
    )
    text = found.explain()
    assert text.startswith("Cluster 1: p00, p01, p04 (around p00) from 2024-01-26 to 2024-01-30: ")
    for part in ("Kulldorff 2005", "Gumbel tail of 999 replications", "by chance once in"):
        assert part in text
    assert found.explain("zh-hans").startswith(
        "聚集 1：p00、p01、p04（中心 p00），2024-01-26 至 2024-01-30："
    )
    with pytest.raises(InputError, match="clusters"):
        found.explain(cluster=99)


def test_rows_are_one_a_cluster() -> None:
    cases, where = made_up()
    found = scan(with_outbreak(cases), where)
    rows = list(found.rows())
    assert [row["cluster"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["members"] == "series 1|series 2|series 5"
    assert set(rows[0]) >= {"first", "last", "observed", "expected", "llr", "p_value", "recurrence_days"}


def test_a_replication_is_like_the_data_it_stands_for() -> None:
    """The null of a permutation scan keeps the totals of places and days: its mean ratio is near that of
    scans of independent data with the same means.
    """
    ratios, null = [], None
    for seed in range(60):
        cases, where = made_up(seed=seed, mean=3.0)
        found = scan(cases, where, max_duration=7, replications=0, max_p=None)
        ratios.append(found.clusters[0].llr)
        null = simulate(found.design, replications=400, seed=seed) if null is None else null
    assert null is not None
    assert np.mean(ratios) == pytest.approx(null.mean(), abs=4 * np.std(ratios) / np.sqrt(60))
