"""Every parameter of one run, checked, with where its default comes from."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

from scipy.special import ndtri

from bihuan.epi.detection.assembly import check_above, check_one_of
from bihuan.epi.errors import InputError

Mode = Literal["compatible", "corrected"]
ThresholdMethod = Literal["delta", "nbPlugin", "muan"]
PowerTransform = Literal["2/3", "1/2", "none"]

POWERS: dict[str, float] = {"2/3": 2 / 3, "1/2": 1 / 2, "none": 1.0}
#: A trend is only asked of at least three years (Farrington et al. 1996).
YEARS_FOR_A_TREND = 3

#: No series of counts is as long.
MOST_YEARS = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """Names as in the papers; `z` is the normal quantile of the upper bound. `by_date` is about the windows,
    `time_by_date` about the trend: days (so that months are not all equally long) or periods.

    `refit_dispersion`: whose dispersion stands in standard error and trend test after reweighting, see
    weights.py. `least_dispersion` is its lower limit there, `least_mean` that of the expected count.
    `accepts_empty`: a baseline without any case is an expectation of none, although its fit never settles.
    """

    b: int
    w: int
    no_periods: int
    past_not_included: int
    threshold_method: ThresholdMethod
    reweight: bool
    weights_threshold: float
    alpha: float
    two_sided: bool
    trend: bool
    p_threshold_trend: float
    limit54: tuple[float, int]
    power_transform: PowerTransform
    population_offset: bool
    by_date: bool
    periods_a_year: int
    time_by_date: bool = True
    refit_dispersion: Literal["pearson", "peer"] = "pearson"
    least_dispersion: float = 0.0
    least_mean: float = 0.0
    accepts_empty: bool = False

    def __post_init__(self) -> None:
        check_one_of("threshold_method", self.threshold_method, get_args(ThresholdMethod))
        check_one_of("power_transform", self.power_transform, get_args(PowerTransform))
        check_above("alpha", self.alpha, below=1)
        check_above("weights_threshold", self.weights_threshold)
        check_above("b", self.b, below=MOST_YEARS)
        for name, least in (("b", 1), ("w", 0), ("no_periods", 1), ("past_not_included", 0)):
            _check_whole(name, getattr(self, name), least=least)
        _check_whole("periods_a_year", self.periods_a_year, least=1)
        _check_limit54(self.limit54)
        if self.no_periods > 1 and self.periods_a_year - 2 * self.w - 1 < self.no_periods - 1:
            raise InputError(
                f"{self.no_periods} season blocks and windows of {2 * self.w + 1} periods do not fit into a "
                f"year of {self.periods_a_year}; lower no_periods or w",
                f"一年只有 {self.periods_a_year} 期，容不下 {self.no_periods} 个季节块和 "
                f"{2 * self.w + 1} 期的窗口；请减小 no_periods 或 w",
                field="no_periods",
            )

    @property
    def z(self) -> float:
        return float(-ndtri(self.alpha / 2 if self.two_sided else self.alpha))

    @property
    def power(self) -> float:
        return POWERS[self.power_transform]

    @property
    def asks_trend(self) -> bool:
        return self.trend and self.b >= YEARS_FOR_A_TREND


def _check_limit54(limit: tuple[float, int]) -> None:
    pair = list(limit) if isinstance(limit, tuple | list) else []
    if len(pair) != 2 or not all(isinstance(value, Real) for value in pair) or not pair[0] >= 0:
        raise InputError(
            f"limit54 is two numbers, cases and periods, such as (5, 4); it is {limit!r}",
            f"limit54 应为两个数字（病例数、期数），如 (5, 4)；现为 {limit!r}",
            field="limit54",
        )
    _check_whole("limit54[1]", pair[1], least=1)


def _check_whole(name: str, value: float, *, least: int) -> None:
    if int(value) != value or value < least:
        raise InputError(
            f"{name} must be a whole number, at least {least}; it is {value}",
            f"参数 {name} 应为不小于 {least} 的整数；现为 {value}",
            field=name,
        )
