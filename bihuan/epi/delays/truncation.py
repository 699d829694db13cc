"""What was seen by a day, corrected for what had not ended by then, without assuming a shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from bihuan.epi.delays import times
from bihuan.epi.errors import NotEnoughData
from bihuan.epi.series import Floats


@dataclass(frozen=True, slots=True, eq=False)
class TruncatedCurve:
    """`cdf[i]`: chance that a delay is at most `days[i]`, among delays no longer than `longest` (nothing can
    be known of longer ones: nobody was watched that long). `seen` is the plain share, for comparison."""

    days: Floats
    cdf: Floats
    seen: Floats
    longest: float
    n: int

    def quantile(self, q: float) -> float:
        """The first delay whose chance reaches q."""
        return float(self.days[np.searchsorted(self.cdf, q - 1e-12)])

    def rows(self) -> list[dict[str, float]]:
        return [
            {"days": float(d), "cdf": float(c), "seen": float(s)}
            for d, c, s in zip(self.days, self.cdf, self.seen, strict=True)
        ]

    def explain(self, lang: str = "en") -> str:
        plain = float(self.days[np.searchsorted(self.seen, 0.5 - 1e-12)])
        if lang.startswith("zh"):
            return (
                f"右截断校正后中位数 {self.quantile(0.5):.0f} 天（未校正 {plain:.0f} 天），{self.n} 条记录，"
                f"仅就不超过 {self.longest:.0f} 天者而言（反向时间乘积限法，Lagakos 1988）。"
            )
        return (
            f"Median {self.quantile(0.5):.0f} days after the correction for right truncation "
            f"({plain:.0f} as seen), {self.n} records, among delays of at most {self.longest:.0f} days "
            "(product limit in reverse time, Lagakos 1988)."
        )


def truncated_curve(start: Iterable[Any], end: Iterable[Any], *, until: date | str) -> TruncatedCurve:
    """The product-limit estimate in reverse time (Lynden-Bell 1971; Lagakos 1988; Kalbfleisch and Lawless
    1989): of the delays of at most x that could have been seen, the share that was exactly x, from the
    longest down. Whole days; delays below zero are left out.
    """
    first, last = times.read(start, field="start"), times.read(end, field="end")
    times.pair_up(first, last, names=("start", "end"))
    cut = float(np.floor(times.read([until], field="until").values[0]))
    with np.errstate(invalid="ignore"):
        delay, room = np.floor(last.values) - np.floor(first.values), cut - np.floor(first.values)
        kept = (delay >= 0) & (delay <= room)
    delay, room = delay[kept], room[kept]
    if not delay.size:
        raise NotEnoughData(
            "not assessed because no delay had ended by then", "未评估：截至该日尚无已结束的间隔"
        )
    days = np.unique(delay)
    exactly = (delay[None, :] == days[:, None]).sum(axis=1)
    at_risk = ((delay[None, :] <= days[:, None]) & (room[None, :] >= days[:, None])).sum(axis=1)
    shares = 1.0 - exactly / at_risk
    cdf = np.append(np.cumprod(shares[:0:-1])[::-1], 1.0)
    return TruncatedCurve(days, cdf, np.cumsum(exactly) / delay.size, float(days[-1]), int(delay.size))
