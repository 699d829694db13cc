"""Cases of R's p.adjust."""

from __future__ import annotations

from collections.abc import Iterator

from bihuan.epi.detection.qvalues import q_values
from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.oracles.charts import unknown_parameters

#: The peer's names for the methods known here; "none" leaves p as it is.
_METHODS = {
    "bh": "bh",
    "fdr": "bh",
    "by": "by",
    "holm": "holm",
    "hommel": "hommel",
    "bonferroni": "bonferroni",
}


@case("p_adjust")
def adjusted_case(one: Case) -> Iterator[Difference]:
    yield from unknown_parameters(one, set())
    p = one.numbers()["p"]
    for name, expected in one.numbers("expected").items():
        method = _METHODS.get(name.lower())
        if name == "p" or name.lower() == "none":
            yield from compare(name, expected, p, rel=1e-9)
        elif method is None:
            yield Difference("method", name, "not known")
        else:
            yield from compare(name, expected, q_values(p, method=method), rel=1e-9)  # type: ignore[arg-type]
