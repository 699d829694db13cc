"""Pictures as they are read: all of a line in the frame, gray said for what it is, words of the language."""

from __future__ import annotations

import numpy as np

from bihuan import epi

CASES = np.array(
    [3, 1, 0, 0, 1, 2, 1, 2, 1, 7, 5, 8, 8, 9, 6, 3, 7, 9, 8, 8, 6, 6, 4, 4, 1, 2, 4, 3, 3, 1, 1]
)


def _legend(axes: object) -> list[str]:
    return list(axes.get_legend_handles_labels()[1])  # type: ignore[attr-defined]


def test_the_whole_line_of_a_cohort_number_stands_in_the_frame() -> None:
    found = epi.wallinga_teunis(CASES, mean_si=4.2, sd_si=2)
    below = found.plot().axes[1]
    assert below.get_ylim()[1] > np.nanmax(found.mean[found.assessed])


def test_gray_is_said_for_what_it_is() -> None:
    cohort = epi.wallinga_teunis(CASES, mean_si=4.2, sd_si=2).plot().axes[1]
    cori = epi.estimate_r(CASES, mean_si=4.2, sd_si=2).plot().axes[1]
    assert "too few cases, or more to come" in _legend(cohort)
    assert "too few cases" in _legend(cori)


def test_a_growth_rate_is_named_beside_its_number() -> None:
    title = epi.growth_rate(CASES).plot().axes[0].get_title(loc="left")
    assert title.startswith("series 1 · growth rate +0.")
    empty = epi.growth_rate(np.zeros(9)).plot().axes[0].get_title(loc="left")
    assert empty == "series 1 · not assessed"


def test_families_of_a_delay_go_by_their_names_in_the_language() -> None:
    start = np.datetime64("2020-01-01") + np.arange(60)
    found = epi.delay_distribution(start, start + np.random.default_rng(1).integers(1, 9, 60))
    labels = " ".join(_legend(found.plot(lang="en").axes[0]))
    assert "Weibull (AIC" in labels
    assert found.explain("zh").count("天，均值") == 1
    assert " 天" not in found.explain("zh").replace("均值 ", "").split("观察")[0]
