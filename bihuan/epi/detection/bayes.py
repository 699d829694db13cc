"""The Bayes system: is the count beyond what the reference values let us predict?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

from bihuan.epi.arguments import checked
from bihuan.epi.detection.assembly import At, assemble, check_above, positions
from bihuan.epi.detection.references import same_season
from bihuan.epi.detection.results import Detection, Method
from bihuan.epi.series import PERIODS_A_YEAR, Floats, Panel, panel

#: Jeffreys' prior of a Poisson mean, Gamma(1/2, 0) (Riebler 2004, section 3.2).
PRIOR_SHAPE = 0.5


@checked
def bayes(
    counts: ArrayLike | Panel,
    *,
    b: int = 0,
    w: int = 6,
    act_y: bool = True,
    alpha: float = 0.05,
    year: int | None = None,
    at: At = None,
    **panel_kw: Any,
) -> Detection:
    """Predictive posterior of a Poisson count given n reference values of sum s (Riebler 2004).

    With Jeffreys' prior it is negative binomial with size s + 1/2 and probability n / (n + 1). `upper` is its
    (1 - alpha) quantile; alarm when the count is above it. `p_value` is P(X >= count), `score` its -log10.
    References: `b` years back, 2w + 1 periods each around the same one, and the w periods before if `act_y`.
    The defaults are Bayes 1; b=1, w=6 is Bayes 2; b=2, w=4, act_y=False is Bayes 3.
    `year` is the number of periods in a year (default 365, 52 or 12).
    """
    series = panel(counts, **panel_kw)
    check_above("alpha", alpha, below=1.0)
    where = positions(series, at)
    length = year or PERIODS_A_YEAR[series.frequency]
    known = same_season(series, where, years=b, half_width=w, this_year=act_y, year=length)
    size, chance = known.total + PRIOR_SHAPE, known.n / (known.n + 1)
    observed = series.counts[:, where]
    usable = known.reason == 0
    upper, p_value = np.full(observed.shape, np.nan), np.full(observed.shape, np.nan)
    upper[usable] = stats.nbinom.ppf(1 - alpha, size[usable], chance[usable])
    both = usable & np.isfinite(observed)
    p_value[both] = at_least(observed[both], size[both], chance[both])
    with np.errstate(divide="ignore", invalid="ignore"):
        score = -np.log10(np.maximum(p_value, np.finfo(float).tiny))
        alarm = observed > upper
    past = (f"{b} × {2 * w + 1} periods of earlier years", f"往前 {b} 年同期各 {2 * w + 1} 期") if b else ()
    near = (f"{w} periods before", f"此前 {w} 期") if act_y else ()
    method = Method(
        key="bayes",
        label_en="Bayes",
        label_zh="贝叶斯法",
        paper="Riebler 2004",
        baseline_en=" and ".join(part[0] for part in (past, near) if part),
        baseline_zh="及".join(part[1] for part in (past, near) if part),
        parameters={"b": b, "w": w, "act_y": act_y, "alpha": alpha, "year": length},
    )
    return assemble(
        series,
        method,
        where,
        reason=known.reason,
        alarm=alarm,
        expected=size / np.maximum(known.n, 1),
        upper=upper,
        score=score,
        p_value=p_value,
    )


def at_least(count: Floats, size: Floats, chance: Floats) -> Floats:
    """P(X >= count), X negative binomial with `size` and success probability `chance`."""
    above = np.ceil(count)
    tail = special.betainc(np.maximum(above, 1e-300), size, 1 - chance)
    return np.asarray(np.where(above <= 0, 1.0, tail))
