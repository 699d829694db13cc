"""Shares with their intervals, and attack rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from bihuan.epi.delays import times
from bihuan.epi.errors import InputError

Interval = Literal["wilson", "exact"]
_PAPERS = {"wilson": "Wilson 1927", "exact": "Clopper–Pearson 1934"}


@dataclass(frozen=True, slots=True)
class Proportion:
    """`n` of `of`; the share and its interval are None when `of` is zero: there is nothing to divide by."""

    what_en: str
    what_zh: str
    n: int
    of: int
    low: float | None
    high: float | None
    method: Interval = "wilson"
    level: float = 0.95

    @property
    def share(self) -> float | None:
        return self.n / self.of if self.of else None

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "what": self.what_en,
                "n": self.n,
                "of": self.of,
                "share": self.share,
                "low": self.low,
                "high": self.high,
                "method": self.method,
            }
        ]

    def explain(self, lang: str = "en") -> str:
        """One sentence: the share, its interval, the counts, the paper."""
        chinese = lang.startswith("zh")
        if self.share is None or self.low is None or self.high is None:
            return (
                f"{self.what_zh}：未评估，分母为零。"
                if chinese
                else (f"{self.what_en}: not assessed because there is nobody at risk.")
            )
        low, high, share = (f"{100 * x:.1f}" for x in (self.low, self.high, self.share))
        paper = _PAPERS[self.method]
        if chinese:
            counts = f"{self.n}/{self.of}；{paper}"
            return f"{self.what_zh} {share}%（{100 * self.level:g}% 区间 {low}%～{high}%，{counts}）。"
        return (
            f"{self.what_en} {share}% ({100 * self.level:g}% interval {low} to {high}%, "
            f"{self.n} of {self.of}; {paper})."
        )


def attack_rate(
    cases: int,
    at_risk: int,
    *,
    method: Interval = "wilson",
    level: float = 0.95,
    what: tuple[str, str] = ("Attack rate", "罹患率"),
) -> Proportion:
    """Cases of those at risk, with Wilson's score interval or the exact one of Clopper and Pearson."""
    n, of = _whole(cases, "cases"), _whole(at_risk, "at_risk")
    if n > of:
        raise InputError(
            f"{n} cases among {of} at risk: a part cannot exceed the whole",
            f"{of} 名易感者中有 {n} 例病例：部分不能大于整体",
            field="cases",
        )
    if not 0 < level < 1:
        raise InputError(
            f"level is {level}; it lies between 0 and 1", f"置信水平 {level} 应在 0 与 1 之间", field="level"
        )
    low, high = (None, None) if of == 0 else _interval(n, of, method, level)
    return Proportion(what[0], what[1], n, of, low, high, method, level)


def attack_rates(
    groups: Sequence[str], is_case: Sequence[Any], *, method: Interval = "wilson", level: float = 0.95
) -> dict[str, Proportion]:
    """The attack rate of each group of a list of persons, by group in order of name."""
    if len(groups) != len(is_case):
        raise InputError(
            f"{len(groups)} groups for {len(is_case)} persons; they must pair up",
            f"{len(is_case)} 人却有 {len(groups)} 个分组；必须一一对应",
            field="groups",
        )
    labels, ill = np.asarray(groups, dtype=object), np.asarray(is_case, dtype=bool)
    return {
        label: attack_rate(
            int(ill[labels == label].sum()),
            int((labels == label).sum()),
            method=method,
            level=level,
            what=(f"Attack rate of {label}", f"{label}罹患率"),
        )
        for label in sorted(set(groups))
    }


@dataclass(frozen=True, slots=True)
class SecondaryAttackRate:
    """`rate`: secondary cases of those exposed in groups with a case; `coprimary` fell ill with the index or
    so soon after that both had one source, and count on neither side; `undated` cases have no onset and count
    on neither side; `groups` had a case with an onset."""

    rate: Proportion
    groups: int
    index: int
    coprimary: int
    undated: int

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                **self.rate.rows()[0],
                "groups": self.groups,
                "index": self.index,
                "coprimary": self.coprimary,
                "undated": self.undated,
            }
        ]

    def explain(self, lang: str = "en") -> str:
        if lang.startswith("zh"):
            return self.rate.explain(lang)[:-1] + (
                f"；{self.groups} 个有病例的家庭或群组，首例 {self.index} 例、同期 {self.coprimary} 例、"
                f"无发病日期 {self.undated} 例不计入。"
            )
        return self.rate.explain(lang)[:-1] + (
            f"; {self.groups} groups with a case; {self.index} index, {self.coprimary} co-primary and "
            f"{self.undated} undated cases count on neither side."
        )


def secondary_attack_rate(
    groups: Sequence[str],
    is_case: Sequence[Any],
    onset: Iterable[Any],
    *,
    coprimary_days: int = 1,
    within_days: int = 14,
    method: Interval = "wilson",
    level: float = 0.95,
) -> SecondaryAttackRate:
    """Secondary cases of those exposed in each group (household, ward), pooled over groups (Halloran 2010).

    One row a person. The index is the first onset of the group (one person); those ill within
    `coprimary_days` of it are co-primary; those ill later, up to `within_days`, are secondary; those ill
    still later count as exposed and not infected by the index. Groups without a dated case tell nothing.
    """
    when = times.read(onset, field="onset").values
    if not len(groups) == len(is_case) == when.size:
        raise InputError(
            f"{len(groups)} groups, {len(is_case)} persons and {when.size} onsets; they must pair up",
            f"{len(groups)} 个分组、{len(is_case)} 人、{when.size} 个发病日期；必须一一对应",
            field="groups",
        )
    _, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    ill = np.asarray(is_case, dtype=bool)
    dated = ill & ~np.isnan(when)
    first = np.full(int(group.max(initial=-1)) + 1, np.inf)
    np.minimum.at(first, group[dated], np.floor(when[dated]))
    known = np.isfinite(first)
    gap = np.where(dated & known[group], np.floor(when) - np.where(known, first, 0.0)[group], np.nan)
    with np.errstate(invalid="ignore"):
        near, secondary = gap <= coprimary_days, (gap > coprimary_days) & (gap <= within_days)
    undated = ill & ~dated & known[group]
    exposed = known[group] & ~near & ~undated
    rate = attack_rate(
        int(secondary.sum()),
        int(exposed.sum()),
        method=method,
        level=level,
        what=("Secondary attack rate", "续发率"),
    )
    n_groups = int(known.sum())
    return SecondaryAttackRate(rate, n_groups, n_groups, int(near.sum()) - n_groups, int(undated.sum()))


def _whole(value: int, field: str) -> int:
    if isinstance(value, bool) or value != int(value) or value < 0:
        raise InputError(
            f"{field} is {value}; it must be a whole number of at least zero",
            f"{field} 为 {value}；应为不小于零的整数",
            field=field,
        )
    return int(value)


def _interval(n: int, of: int, method: Interval, level: float) -> tuple[float, float]:
    if method == "wilson":
        return wilson(n, of, level)
    if method == "exact":
        return exact(n, of, level)
    raise InputError(
        f"method {method!r} is not wilson or exact", f"方法 {method!r} 不是 wilson 或 exact", field="method"
    )


def wilson(n: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson 1927: the shares a score test does not reject."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, extra = n / of, z * z / of
    middle = (share + extra / 2) / (1 + extra)
    half = z * np.sqrt(share * (1 - share) / of + extra / (4 * of)) / (1 + extra)
    return (0.0 if n == 0 else float(middle - half)), (1.0 if n == of else float(middle + half))


def exact(n: int, of: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson 1934, by quantiles of the beta distribution."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = 0.0 if n == 0 else float(betaincinv(n, of - n + 1, tail))
    high = 1.0 if n == of else float(betaincinv(n + 1, of - n, 1 - tail))
    return low, high
