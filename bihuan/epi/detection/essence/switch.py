"""Regression where it explains the baseline, the weighted mean where it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble
from bihuan.epi.detection.essence.baselines import ALERT, BASELINE, GUARD
from bihuan.epi.detection.essence.ewma import FAST, SLOW, ewma
from bihuan.epi.detection.essence.regression import regression
from bihuan.epi.detection.results import Detection, Method, Reason
from bihuan.epi.series import Floats, Panel, panel

#: Adjusted R² from which the regression is taken to explain the baseline (ESSENCE).
EXPLAINED = 0.60


@checked
def switch(
    counts: ArrayLike | Panel,
    *,
    baseline: int = BASELINE,
    guard: int = GUARD,
    w1: float = SLOW,
    w2: float = FAST,
    alpha: float = ALERT,
    calendar: str | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Adaptive regression while its adjusted R² is at least 0.60, else EWMA (Burkom et al. 2007, ESSENCE).

    Parameters as in `regression` and `ewma`. `extra["regression"]` is 1 where the regression judged.
    """
    series = panel(counts, **panel_kw)
    options: dict[str, Any] = {
        "baseline": baseline, "guard": guard, "alpha": alpha, "calendar": calendar, "at": at
    }  # fmt: skip
    line = regression(series, **options)
    mean = ewma(series, w1=w1, w2=w2, **options)
    r_squared = line.extra["adjusted_r_squared"]
    with np.errstate(invalid="ignore"):
        by_line = (r_squared >= EXPLAINED) & (
            (line.reason == Reason.ASSESSED) | (line.reason == Reason.NOT_REPORTED)
        )

    def either(name: str) -> Floats:
        return np.where(by_line, getattr(line, name), getattr(mean, name))

    method = Method(
        key="switch",
        label_en="regression or EWMA",
        label_zh="回归/EWMA 切换",
        paper="Burkom, Murphy, Shmueli 2007",
        baseline_en=mean.method.baseline_en + (f", holidays of {calendar}" if calendar else ""),
        baseline_zh=mean.method.baseline_zh + (f"，按 {calendar} 节假日" if calendar else ""),
        parameters={"w1": w1, "w2": w2, **options},
    )
    return assemble(
        series,
        method,
        line.at,
        reason=either("reason").astype(np.uint8),
        alarm=either("alarm").astype(bool),
        expected=either("expected"),
        upper=either("upper"),
        score=either("score"),
        p_value=either("p_value"),
        extra={"regression": by_line.astype(np.float64), "adjusted_r_squared": r_squared},
    )
