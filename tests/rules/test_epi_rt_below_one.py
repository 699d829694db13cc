"""Rt below one for two weeks: told in days, and not assessed where a window of them cannot be judged."""

from __future__ import annotations

import numpy as np

from bihuan.epi import estimate_r, rt_below_one

SI = {"mean_si": 5.0, "sd_si": 2.0}
GROWING = np.round(20 * np.exp(0.08 * np.arange(30)))
FALLING = np.round(200 * np.exp(-0.05 * np.arange(40)))


def test_a_falling_epidemic_meets_the_two_weeks() -> None:
    counts = np.concatenate([GROWING, FALLING])
    found = rt_below_one(estimate_r(counts, **SI))
    below = estimate_r(counts, **SI).mean[0] < 1
    assert found.met is True
    assert found.value == below.size - 1 - np.flatnonzero(~below)[-1]


def test_a_growing_epidemic_has_not_been_below_one_for_a_day() -> None:
    found = rt_below_one(estimate_r(GROWING, **SI))
    assert found.value == 0
    assert found.met is False


def test_days_below_one_count_from_the_last_window_above() -> None:
    counts = np.concatenate([GROWING, FALLING[:12]])
    found = rt_below_one(estimate_r(counts, **SI))
    assert found.met is False
    assert found.value is not None
    assert 0 < found.value < 14
    assert "未达标" in found.explain("zh")


def test_windows_of_too_few_cases_are_not_judged() -> None:
    counts = np.concatenate([GROWING, FALLING, np.tile([1.0, 0, 0, 0], 5)])
    found = rt_below_one(estimate_r(counts, **SI))
    assert found.value is None
    assert found.met is None
    assert "未评估" in found.explain("zh")
    assert "not assessed because" in found.explain("en")


def test_a_period_nobody_reported_leaves_it_open() -> None:
    counts = np.concatenate([GROWING, FALLING])
    counts[-3] = np.nan
    assert rt_below_one(estimate_r(counts, **SI)).met is None


def test_fewer_days_than_asked_say_nothing() -> None:
    counts = FALLING[:20]
    found = rt_below_one(estimate_r(counts, **SI, windows=([10, 11], [16, 17])))
    assert found.met is None
    assert "fewer than 14 days" in found.explain("en")
