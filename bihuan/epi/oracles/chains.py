"""outbreaker2 and epicontacts, held against ours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bihuan.epi.chains.infectors import likely_infectors
from bihuan.epi.chains.linking import chains
from bihuan.epi.chains.results import Infectors
from bihuan.epi.oracles.cases import Case, Difference, case

#: Ancestors with at least this support must agree in at least this share (README of the oracles).
_SUPPORTED, _AGREED = 0.8, 0.9
_OUTBREAKER = {
    "n_iter", "sample_every", "burnin", "find_import", "kappa", "max_kappa", "f_dens", "seq_length", "w_dens",
    "seed", "injected",
}  # fmt: skip
_EPICONTACTS = {"directed", "seed"}


@case("outbreaker2")
def outbreaker2(one: Case) -> Iterator[Difference]:
    """Consensus ancestors supported by 0.8 or more agree in 90 %."""
    yield from _unknown(one, _OUTBREAKER)
    if one.params.get("find_import"):
        yield Difference(
            "find_import", True, "outliers are not sought here; name imported cases, or use outside"
        )
        return
    ours = _infectors(one)
    expected = one.text("expected_consensus")
    support = np.array([np.nan if s in ("NA", "") else float(s) for s in expected["support"]])
    compared = [i for i in range(support.size) if support[i] >= _SUPPORTED and expected["from"][i] != "NA"]
    differ = [
        Difference(f"infector of {expected['to'][i]}", expected["from"][i], ours.of(expected["to"][i]).best)
        for i in compared
        if ours.of(expected["to"][i]).best.infector != expected["from"][i]
    ]
    if len(differ) > (1 - _AGREED) * len(compared) + 1e-9:
        yield from differ


def _infectors(one: Case) -> Infectors:
    rows = one.text("input_cases")
    generation = one.numbers("input_generation_time")
    pmf = np.zeros(int(generation["day"].max()) + 1)
    pmf[generation["day"].astype(int)] = generation["pmf"]
    pmf[0] = 0.0
    sequences = one.has("input_snp_distance") and "dates_only" not in one.name
    ids = rows["id"]
    contacts = None
    if one.has("input_contacts") and "dates_only" not in one.name:
        table = one.text("input_contacts")
        contacts = list(zip(table["from"], table["to"], strict=True))
    return likely_infectors(
        [int(float(day)) if "-" not in day.lstrip("-") else day for day in rows["onset"]],
        ids=ids,
        generation_time=pmf,
        incubation=[0.0, *one.params["f_dens"]],
        contacts=contacts,
        snp_distance=_snp(one, ids) if sequences else None,
        genome_length=int(one.params["seq_length"]) if sequences else None,
        max_generations=int(one.params.get("max_kappa", one.params.get("kappa", 1))),
    )


def _snp(one: Case, ids: list[str]) -> np.ndarray:
    table, values = one.text("input_snp_distance"), one.numbers("input_snp_distance")["snp"]
    index = {case: i for i, case in enumerate(ids)}
    out = np.full((len(ids), len(ids)), np.nan)
    out[[index[c] for c in table["from"]], [index[c] for c in table["to"]]] = values
    return np.where(np.isnan(out), out.T, out)


@case("epicontacts")
def epicontacts(one: Case) -> Iterator[Difference]:
    """Degrees, intervals and clusters, exact."""
    yield from _unknown(one, _EPICONTACTS)
    links, cases = one.text("input_contacts"), one.text("input_linelist")
    onsets = {
        i: int(float(day)) if "-" not in day.lstrip("-") else day
        for i, day in zip(cases["id"], cases["onset"], strict=True)
        if day not in ("", "NA")
    }
    found = chains(
        zip(links["from"], links["to"], strict=True),
        onsets=onsets,  # type: ignore[arg-type]
        cases=dict.fromkeys([*cases["id"], *links["from"], *links["to"]]),
        directed=bool(one.params.get("directed", True)),
    )
    ours = {row["case"]: row for row in found.case_rows()}
    for kind in ("out_degree", "in_degree", "degree"):
        if one.has(f"expected_{kind}"):
            table = one.text(f"expected_{kind}")
            for case_, value in zip(table["id"], table[kind], strict=True):
                if int(value) != ours[case_][kind]:
                    yield Difference(f"{kind} of {case_}", value, ours[case_][kind])
    if one.has("expected_serial_interval"):
        yield from _intervals(one, {(link.infector, link.infectee): link.interval for link in found.links})
    if one.has("expected_clusters"):
        table = one.text("expected_clusters")
        for case_, value in zip(table["id"], table["cluster_size"], strict=True):
            if int(value) != ours[case_]["size"]:
                yield Difference(f"cluster size of {case_}", value, ours[case_]["size"])


def _intervals(one: Case, ours: dict[tuple[str, str], int | None]) -> Iterator[Difference]:
    table = one.text("expected_serial_interval")
    for infector, infectee, value in zip(table["from"], table["to"], table["si"], strict=True):
        mine = ours.get((infector, infectee))
        if (None if value in ("NA", "") else float(value)) != mine:
            yield Difference(f"interval {infector} → {infectee}", value, mine)


def _unknown(one: Case, known: set[str]) -> Iterator[Difference]:
    for name in sorted(set(one.params) - known):
        yield Difference(f"parameter {name}", one.params[name], "not known here")
