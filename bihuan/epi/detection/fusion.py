"""Several sources on the same territory and day brought together in one p-value.

Sources lead by different times: medicine sales rise days before fever clinics do, and these before reported
cases. A source that leads by L days speaks about day d on day d - L. A source that is silent on its day is
left out; it is not a source that saw nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from bihuan.epi.detection.assembly import check_one_of
from bihuan.epi.detection.sentences import period_name
from bihuan.epi.errors import InputError
from bihuan.epi.series import Dates, Floats

Combination = Literal["cauchy", "stouffer"]

PAPERS = {"cauchy": "Liu, Xie 2020", "stouffer": "Stouffer et al. 1949; Lipták 1958"}
_LABELS = {
    "cauchy": ("Cauchy combination", "柯西合并"),
    "stouffer": ("Stouffer combination", "Stouffer 合并"),
}
#: p-values are kept off 0 and 1. A count of zero has p = 1 exactly, and one such source would silence all
#: others in the Cauchy combination, which is not defined at 1 (Liu and Xie 2020).
LEAST_P, MOST_P = 1e-15, 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """`p_value` and `n_sources` are territories × days, NaN and 0 where no source spoke.

    `aligned` (territories × sources × days) holds the p-values after the shift by lead time.
    """

    p_value: Floats
    n_sources: NDArray[np.int64]
    aligned: Floats
    lead_days: tuple[int, ...]
    method: Combination
    territories: tuple[str, ...]
    sources: tuple[str, ...]
    dates: Dates | None

    def rows(self) -> Iterator[dict[str, Any]]:
        """One dict a territory and day: p_value, sources heard, the strongest of them."""
        for i, t in np.ndindex(*self.p_value.shape):
            strongest = self._strongest(i, t)
            yield {
                "territory": self.territories[i],
                "date": self._day(t),
                "p_value": None if np.isnan(self.p_value[i, t]) else float(self.p_value[i, t]),
                "n_sources": int(self.n_sources[i, t]),
                "strongest": None if strongest is None else self.sources[strongest],
                "method": self.method,
            }

    def explain(self, lang: str = "en", *, territory: int | str = 0, time: int = -1) -> str:
        """One sentence: the territory and day, which sources spoke, the strongest, and the combined p-value.
        One sentence: the territory and day, which sources spoke, the strongest, and the combined p-value."""
        i = self._index(territory)
        if not -self.p_value.shape[1] <= time < self.p_value.shape[1]:
            raise InputError(
                f"there are {self.p_value.shape[1]} days",
                f"共有 {self.p_value.shape[1]} 天",
                field="time",
            )
        chinese = lang.startswith("zh")
        head = self.territories[i] + ("，" if chinese else ", ") + self._when(time, lang)
        strongest = self._strongest(i, time)
        if strongest is None:
            return (
                f"{head}：没有来源报告，未评估。" if chinese else f"{head}: not assessed, no source reported."
            )
        p, best = float(self.p_value[i, time]), float(self.aligned[i, strongest, time])
        silent = np.flatnonzero(np.isnan(self.aligned[i, :, time]))
        names = ("、" if chinese else ", ").join(self.sources[s] for s in silent)
        heard, total, lead = int(self.n_sources[i, time]), len(self.sources), self.lead_days[strongest]
        label = _LABELS[self.method][chinese]
        if chinese:
            missing = f"，未报告：{names}" if names else ""
            return (
                f"{head}：{total} 个来源中 {heard} 个有报告{missing}；合并 p = {p:.2g}，"
                f"最强为{self.sources[strongest]}（p = {best:.2g}，提前 {lead} 天）；"
                f"方法：{label}（{PAPERS[self.method]}）。"
            )
        missing = f" (silent: {names})" if names else ""
        return (
            f"{head}: {heard} of {total} sources reported{missing}; combined p = {p:.2g}, strongest "
            f"{self.sources[strongest]} (p = {best:.2g}, leading by {lead} days); "
            f"method {label} ({PAPERS[self.method]})."
        )

    def _index(self, territory: int | str) -> int:
        if isinstance(territory, str):
            if territory not in self.territories:
                raise InputError(f"no territory is called {territory!r}", f"没有名为 {territory!r} 的地区")
            return self.territories.index(territory)
        if not -len(self.territories) <= territory < len(self.territories):
            n = len(self.territories)
            raise InputError(f"there are {n} territories", f"共有 {n} 个地区", field="territory")
        return territory

    def _strongest(self, i: int, t: int) -> int | None:
        here = self.aligned[i, :, t]
        return None if np.isnan(here).all() else int(np.nanargmin(here))

    def _day(self, t: int) -> Any:
        return int(t) if self.dates is None else self.dates[t].astype(object)

    def _when(self, t: int, lang: str) -> str:
        if self.dates is not None:
            return period_name(self.dates[t], "daily", lang)
        day = t % self.p_value.shape[1] + 1
        return f"第 {day} 天" if lang.startswith("zh") else f"day {day}"


def fuse(
    p: ArrayLike,
    *,
    lead_days: Sequence[int] | None = None,
    weights: ArrayLike | None = None,
    method: Combination = "cauchy",
    territories: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    dates: Dates | None = None,
) -> Fused:
    """One p-value a territory and day from those of several sources (territories × sources × days, or
    sources × days of one territory; NaN where a source was silent).

    "cauchy": T = Σ w tan((1/2 - p) π) / Σ w, p = 1/2 - arctan(T) / π, which holds whatever the dependence of
    the sources (Liu and Xie 2020). "stouffer": Z = Σ w Φ⁻¹(1 - p) / sqrt(Σ w²), for independent sources
    (Stouffer et al. 1949, weights by Lipták 1958). Source s is read `lead_days[s]` days before the day in
    question.
    """
    check_one_of("method", method, tuple(PAPERS))
    values = _cube(p)
    n_territories, n_sources, n_days = values.shape
    leads = _leads(lead_days, n_sources)
    weight = _weights(weights, n_sources)
    aligned = _align(values, leads)
    heard = np.isfinite(aligned)
    bounded = np.clip(np.where(heard, aligned, 0.5), LEAST_P, MOST_P)
    share = np.where(heard, weight[:, None], 0.0)
    n = heard.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        if method == "cauchy":
            total = (share * np.tan((0.5 - bounded) * np.pi)).sum(axis=1) / share.sum(axis=1)
            combined = 0.5 - np.arctan(total) / np.pi
            # Far in the tail the difference above loses its digits; there arctan(1/T) is the same number.
            combined = np.where(total > 1e3, np.arctan(1 / total) / np.pi, combined)
        else:
            z = (share * -ndtri(bounded)).sum(axis=1) / np.sqrt((share**2).sum(axis=1))
            combined = ndtr(-z)
    return Fused(
        p_value=np.where(n > 0, combined, np.nan),
        n_sources=n,
        aligned=aligned,
        lead_days=leads,
        method=method,
        territories=_labels(territories, n_territories, "territory"),
        sources=_labels(sources, n_sources, "source"),
        dates=_days(dates, n_days),
    )


def _cube(p: ArrayLike) -> Floats:
    try:
        values = np.asarray(p, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("p-values must be numbers", "p 值必须是数字", field="p") from None
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or 0 in values.shape:
        raise InputError(
            f"p-values must be territories × sources × days, and not empty; they have shape {values.shape}",
            f"p 值应为“地区 × 来源 × 日”，且不能为空；现形状为 {values.shape}",
            field="p",
        )
    if np.any((values < 0) | (values > 1)):
        raise InputError("p-values must lie between 0 and 1", "p 值应在 0 与 1 之间", field="p")
    return values


def _leads(lead_days: Sequence[int] | None, n: int) -> tuple[int, ...]:
    leads = (0,) * n if lead_days is None else tuple(lead_days)
    if len(leads) != n or any(lead < 0 or lead != int(lead) for lead in leads):
        raise InputError(
            f"lead_days must be {n} whole numbers of days, zero or more; they are {list(leads)}",
            f"lead_days 应为 {n} 个不小于零的整数天数；现为 {list(leads)}",
            field="lead_days",
        )
    return tuple(int(lead) for lead in leads)


def _weights(weights: ArrayLike | None, n: int) -> Floats:
    given = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (n,) or np.any(~(given > 0)):
        raise InputError(
            f"weights must be {n} numbers above zero", f"权重应为 {n} 个大于零的数", field="weights"
        )
    return given


def _align(values: Floats, leads: tuple[int, ...]) -> Floats:
    """Every source moved `lead` days on; the days before it began are silent."""
    out = np.full(values.shape, np.nan)
    for s, lead in enumerate(leads):
        if lead < values.shape[2]:
            out[:, s, lead:] = values[:, s, : values.shape[2] - lead]
    return out


def _labels(given: Sequence[str] | None, n: int, kind: str) -> tuple[str, ...]:
    labels = tuple(given) if given is not None else tuple(f"{kind} {i + 1}" for i in range(n))
    if len(labels) != n:
        raise InputError(
            f"{len(labels)} names for {n}; they must pair up", f"{n} 项却有 {len(labels)} 个名称", field=kind
        )
    return labels


def _days(dates: Dates | None, n: int) -> Dates | None:
    if dates is None:
        return None
    days = np.asarray(dates, dtype="datetime64[D]")
    if days.shape != (n,):
        raise InputError(f"{days.size} dates for {n} days", f"{n} 天却有 {days.size} 个日期", field="dates")
    return days
