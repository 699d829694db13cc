"""Cases of surveillance::nowcast (lawless, bayes.trunc, bayes.notrunc) from line lists of two dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.nowcast import CountPrior, nowcast, reporting_triangle
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.oracles.reproduction import unknown
from bihuan.epi.series import DAY

METHODS = {"lawless": "lawless", "bayes.trunc": "bayes_trunc", "bayes.notrunc": "bayes_notrunc"}
SHAPES = {"hoehle_anderheiden2014": "reports", "lawless1994": "events"}
#: README of the cases: median ±1, interval ±2, and 5 % of wide ones, since the peer draws.
MEDIAN, BOUND, SHARE = 1.0, 2.0, 0.05
KNOWN = {
    "now", "when", "method", "D", "m", "m_interpretation", "date_range", "alpha", "N_tInf_max", "prior",
    "gd_prior_kappa", "nSamples", "n_samples", "seed", "aggregate_by", "dEventCol", "dReportCol",
}  # fmt: skip


@case("nowcast")
def answer(one: Case) -> Iterator[Difference]:
    p, table, written = one.params, one.numbers("expected"), one.text("expected")
    yield from unknown(p, KNOWN)
    method = METHODS.get(str(p.get("method")))
    if method is None:
        yield Difference("params.method", p.get("method"), f"known: {', '.join(METHODS)}")
        return
    records = one.text()
    names = list(records)
    dates = [_dates(records[p.get(key) or names[k]]) for k, key in enumerate(("dEventCol", "dReportCol"))]
    weekly = "week" in str(p.get("aggregate_by") or "")
    triangle = reporting_triangle(
        dates[0],
        dates[1],
        now=np.datetime64(p["now"], "D") + (6 if weekly else 0) * DAY,  # the peer knows the whole week of now
        max_delay=int(p.get("D") or 15),
        start=_start(p, dates[0], weekly=weekly),
        frequency="weekly" if weekly else "daily",
        negative="leave_out",
    )
    ours = nowcast(
        triangle,
        method=method,  # type: ignore[arg-type]
        when=written["date"],
        window=p.get("m"),
        window_shape=SHAPES[p.get("m_interpretation") or "hoehle_anderheiden2014"],  # type: ignore[arg-type]
        level=1 - float(p.get("alpha") or 0.05),
        prior=_prior(p.get("prior")),
        kappa=float(p.get("gd_prior_kappa") or 0.1),
        n_max=p.get("N_tInf_max"),
        n_samples=4000,
        compatible=True,
    )
    labels = written["date"]
    if "observed_by_now" in table:
        yield from compare("observed_by_now", table["observed_by_now"], ours.observed[0], labels=labels)
    sampled = method != "lawless"
    for name, value in (("nowcast", ours.estimate[0]), ("lo", ours.low[0]), ("hi", ours.high[0])):
        allowed = 0.0 if not sampled else MEDIAN if name == "nowcast" else BOUND
        share = SHARE if sampled and name != "nowcast" else 0.0
        yield from compare(name, table[name], value, absolute=allowed, rel=share, labels=labels)


def _dates(cells: list[str]) -> list[str | None]:
    return [None if cell in ("", "NA") else cell for cell in cells]


def _start(p: dict[str, Any], events: list[str | None], *, weekly: bool) -> str:
    """The range given, or the first event; weeks begin on Monday, as the peer's do."""
    first = (p.get("date_range") or [min(day for day in events if day)])[0]
    if not weekly:
        return str(first)
    day = np.datetime64(first, "D")
    return str(day - (day.astype(np.int64) + 3) % 7)


def _prior(text: Any) -> CountPrior:
    """As in "poisgamma mean.lambda=50 var.lambda=3000"."""
    if not text:
        return CountPrior()
    kind = str(text).split()[0]
    values = {m[1]: float(m[2]) for m in re.finditer(r"([\w.]+)\s*=\s*([\d.eE+-]+)", str(text))}
    mean = values.get("mean.lambda", values.get("lambda"))
    return CountPrior(kind, mean, values.get("var.lambda"))  # type: ignore[arg-type]
