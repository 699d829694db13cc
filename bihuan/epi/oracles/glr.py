"""Cases of surveillance's glrnb, glrpois and outbreakP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bihuan.epi.detection.glrnb import SeasonalMean, glr_nb
from bihuan.epi.detection.outbreak_p import outbreak_p
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.oracles.charts import assessed, known_alarm, unknown_parameters

_PEER_FREQUENCY = 52
#: The peer stops its own solver this close to the best ratio.
_NOTHING = 1e-8


@case("glrnb", "glrpois")
def glr_case(one: Case) -> Iterator[Difference]:
    read = {"c.ARL", "mu0", "Mtilde", "M", "change", "theta", "dir", "ret", "alpha", "xMax", "mu0_used"}
    yield from unknown_parameters(one, read)
    params = one.params
    if (params.get("change") or "intercept") != "intercept":
        yield Difference("change", params["change"], "not offered", "only a change of the intercept is")
        return
    counts, where, expected = assessed(one)
    poisson = one.kind.startswith("glrpois")
    window = int(params.get("M", -1))
    found = glr_nb(
        counts[: where[-1] + 1],
        c=float(params.get("c.ARL", 5)),
        mean=_mean(params.get("mu0"), float(params.get("frequency") or _PEER_FREQUENCY)),
        alpha=0.0 if poisson else _alpha(params),
        theta=_number(params.get("theta")),
        direction=str(params.get("dir") or "inc"),  # type: ignore[arg-type]
        window=None if window < 0 else window,
        least=int(params.get("Mtilde", 1)),
        monitor_from=where[0],
        bounds="upperbound" in expected,
        compatible=True,
    )
    if "glr" in expected:
        yield from compare("glr", expected["glr"], found.score[0], rel=1e-6, absolute=_NOTHING)
    if "upperbound" in expected:
        ours = found.score[0] if params.get("ret") == "value" else found.upper[0]
        yield from compare("upperbound", expected["upperbound"], ours, rel=1e-6, absolute=_NOTHING)
    yield from compare("alarm", expected["alarm"], known_alarm(found), labels=expected["t"])


def _number(value: Any) -> float | None:
    return None if value is None or value == [] or value == {} else float(value)


def _alpha(params: dict[str, Any]) -> float | None:
    """The peer's default is 0; null asks for an estimate."""
    return _number(params["alpha"]) if "alpha" in params else 0.0


def _mean(mu0: Any, period: float) -> Any:
    if isinstance(mu0, list | float | int) and mu0 != []:
        return np.asarray(mu0, dtype=np.float64)
    asked = mu0 if isinstance(mu0, dict) else {}
    return SeasonalMean(
        harmonics=int(asked.get("S", 1)),
        trend=bool(asked.get("trend", False)),
        refit=bool(asked.get("refit", False)),
        period=period,
        as_r=True,
    )


@case("outbreakP")
def outbreak_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, {"k", "ret", "maxUpperboundCases"})
    counts, where, expected = assessed(one)
    params = one.params
    cases = (params.get("ret") or "cases") == "cases"
    found = outbreak_p(
        counts,
        k=float(params.get("k", 100)),
        at=where,
        most=float(params.get("maxUpperboundCases", 1e5)),
        bounds=cases,
    )
    ours = found.upper[0] if cases else found.score[0]
    yield from compare("upperbound", expected["upperbound"], ours, rel=1e-9, labels=expected["t"])
    yield from compare("alarm", expected["alarm"], known_alarm(found), labels=expected["t"])
