"""How delays fall, from a triangle cut off at now.

Reverse-time hazards: g(d) is the probability that a report comes d periods after the event, given that it
comes by then. They can be learned from what is cut off (Lawless JF (1994) Can J Stat 22:15; Höhle M, an der
Heiden M (2014) Biometrics 70:993, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bihuan.epi.errors import InputError
from bihuan.epi.nowcast.triangle import ReportingTriangle
from bihuan.epi.series import Floats

#: Which part of the triangle a window of m periods keeps: reports since now - m ("reports", Höhle 2014), or
#: for each delay the same number of events ("events", Lawless 1994, Figure 2).
WindowShape = Literal["reports", "events"]


@dataclass(frozen=True, slots=True, eq=False)
class Hazards:
    """Series × delays 0 … D: `exactly` d among `within` d periods; `hazard` their ratio, NaN where nothing is
    known; `cdf` the probability to be reported within d periods; `log_variance` of ln cdf (Greenwood).
    """

    exactly: Floats
    within: Floats

    @property
    def hazard(self) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            g = self.exactly / self.within
        g[:, 0] = 1.0
        return np.asarray(g)

    @property
    def cdf(self) -> Floats:
        return np.asarray(_after(1 - self.hazard, np.multiply.accumulate, 1.0))

    @property
    def log_variance(self) -> Floats:
        g = self.hazard
        with np.errstate(divide="ignore", invalid="ignore"):
            part = g / ((1 - g) * self.within)
        return np.asarray(_after(part, np.add.accumulate, 0.0))


def reverse_hazards(
    triangle: ReportingTriangle, *, window: int | None = None, shape: WindowShape = "reports"
) -> Hazards:
    """Counts behind g(d) from the last `window` + 1 periods (default: all)."""
    kept = kept_cells(triangle, window=window, shape=shape)
    cells = np.nan_to_num(triangle.counts, nan=0.0)
    exactly = (cells * kept).sum(axis=1)
    within = (np.cumsum(cells, axis=2) * kept).sum(axis=1)
    return Hazards(exactly, within)


def kept_cells(triangle: ReportingTriangle, *, window: int | None, shape: WindowShape) -> Floats:
    """1 for the cells (time × delay) that are known and within the window, else 0."""
    if window is not None and window < triangle.max_delay:
        raise InputError(
            f"the window of {window} periods is shorter than the longest delay {triangle.max_delay}",
            f"窗口 {window} 期短于最长延迟 {triangle.max_delay} 期",
            field="window",
        )
    if shape not in ("reports", "events"):
        raise InputError(
            f"window shape {shape!r} is neither reports nor events",
            f"窗口形状 {shape!r} 应为 reports 或 events",
            field="window_shape",
        )
    last = triangle.n_times - 1
    t, d = np.arange(last + 1)[:, None], np.arange(triangle.max_delay + 1)[None, :]
    kept = t + d <= last
    if window is not None:
        kept &= t >= last - window - (d if shape == "events" else 0)
    return kept.astype(np.float64)


def _after(values: Floats, accumulate: np.ufunc | object, nothing: float) -> Floats:
    """Accumulated over delays above each; `nothing` at the last."""
    out = np.full_like(values, nothing)
    out[:, :-1] = accumulate(values[:, :0:-1], axis=1)[:, ::-1]  # type: ignore[operator]
    return out
