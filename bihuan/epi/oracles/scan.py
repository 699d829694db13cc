"""Scans of SaTScan, scanstatistics, smerc and SpatialEpi, held against ours.

Monte-Carlo p-values: the peer's own error is beyond its README's ±0.01 (at p = 0.5, 999 replications give
±0.05 in one of a thousand cases), so a difference is one that is larger than 0.01 and than what the two sets
of replications explain together. Ours are twice as many as a peer's usual 999.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from math import isfinite, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bihuan.epi.oracles.cases import Case, Difference, case, compare
from bihuan.epi.scan.results import Cluster, Scan

#: Replications of ours against which a peer's p-value is held.
_REPLICATIONS = 1999
#: Two-sided normal quantile of 1 in 1000.
_SIGMAS = 3.29
_P_TOLERANCE = 0.01
#: A cluster of ours that the peer does not list must be one that chance nearly always gives.
_UNLISTED_P = 0.97
_KNOWN = {
    "model", "type", "max_days", "max_pop", "shape", "mc_reps", "t0", "secondary", "injected", "K",
    "uses_last", "scheme", "min_days", "seed",
}  # fmt: skip


@case("satscan")
def satscan(one: Case) -> Iterator[Difference]:
    """Clusters in order: members, dates and cases exact; expected ±0.01; ratio 1e-5; p-value (see above)."""
    yield from _unknown(one)
    settings, wrong = _satscan_settings(one)
    if wrong:
        yield wrong
        return
    ours = _run(one, settings)
    yield from _same_clusters(one, ours)


def _satscan_settings(one: Case) -> tuple[dict[str, Any], Difference | None]:
    p = one.params
    kind = str(p.get("type", "prospective")).lower()
    model = str(p.get("model", "permutation")).lower()
    if model not in ("permutation", "poisson", "space-time permutation", "discrete poisson"):
        return {}, Difference("model", model, "not one of permutation, poisson")
    if str(p.get("shape", "circle")) not in ("circle", "circular"):
        return {}, Difference("shape", p["shape"], "only circles")
    secondary = str(p.get("secondary", "no geographical overlap")).lower()
    if secondary not in ("no geographical overlap", "no restrictions"):
        return {}, Difference("secondary", secondary, "only no geographical overlap, no restrictions")
    spatial = "spatial" in kind
    settings: dict[str, Any] = {
        "model": "poisson" if "poisson" in model else "permutation",
        "prospective": kind.startswith("pro") and not spatial,
        "max_share": _share(p.get("max_pop", 0.5)),
        "min_duration": int(p.get("min_days", 1)),
        "max_duration": None if spatial or "max_days" not in p else int(p["max_days"]),
        "start": p.get("t0"),
        "overlap": "any" if secondary == "no restrictions" else "none",
        "replications": max(int(p.get("mc_reps", 999)), _REPLICATIONS),
        "max_p": None,
    }
    return settings | {"spatial": spatial}, None


def _int(one: Case, name: str, default: int) -> int:
    return int(one.params.get(name, default))


def _share(value: Any) -> float:
    share = float(value)
    return share / 100 if share > 1 else share


@case("scan_permutation", "scan_pb_poisson", "scan_eb_poisson")
def scanstatistics(one: Case) -> Iterator[Difference]:
    """The most likely windows in order: zone and duration exact, score and relative risk 1e-6."""
    yield from _unknown(one)
    model = {
        "scan_permutation": "permutation",
        "scan_pb_poisson": "poisson",
        "scan_eb_poisson": "expectation",
    }
    places, points, population = _geography(one)
    counts = _counts(one, places)
    counts = counts[:, -_int(one, "uses_last", counts.shape[1]) :]
    from bihuan.epi.scan.scanning import scan

    kind = next(model[name] for name in model if one.kind.startswith(name))
    found = scan(
        counts, points, model=kind, names=places, nearest=_int(one, "K", len(places)),  # type: ignore[arg-type]
        max_duration=_int(one, "max_days", counts.shape[1]),
        population=population if kind == "poisson" else None,
        baselines=_baselines(one, places, counts) if kind == "expectation" else None,
        replications=0,
    )  # fmt: skip
    expected = one.text("expected")
    windows = found.windows(len(expected["zone"]))
    if len(windows) != len(expected["zone"]):
        yield Difference("windows", len(expected["zone"]), len(windows))
        return
    scores = np.array([float(x) for x in expected["score"]])
    yield from compare("score", scores, np.array([w.llr for w in windows]), rel=1e-6)
    yield from _same_windows(expected, scores, windows)


def _same_windows(expected: dict[str, list[str]], scores: NDArray[Any], windows: list[Any]) -> Iterator[Any]:
    """Zones and durations, in order; those of one score may stand in any order among themselves."""
    theirs = [
        (frozenset(z.split("|")), int(float(d)))
        for z, d in zip(expected["zone"], expected["duration"], strict=True)
    ]
    ours = [(frozenset(w.members), w.periods) for w in windows]
    tied_at_end = np.isclose(scores, scores[-1], rtol=1e-9)
    for i, one in enumerate(theirs):
        group = [j for j in range(len(ours)) if np.isclose(scores[i], windows[j].llr, rtol=1e-6)]
        match = next((j for j in group if ours[j] == one), None)
        if match is None:
            if not tied_at_end[i]:
                yield Difference(f"window {i + 1}", "|".join(sorted(one[0])), ours[i])
            continue
        if "rr" in expected and expected["rr"][i] not in ("NA", ""):
            yield from compare(
                f"rr {i + 1}",
                np.array([float(expected["rr"][i])]),
                np.array([windows[match].observed / windows[match].expected]),  # what this peer calls so
                rel=1e-6,
            )


@case("kulldorff")
def kulldorff(one: Case) -> Iterator[Difference]:
    """Purely spatial Poisson: zone, cases and number of places exact, the rest 1e-6, p-value as above."""
    yield from _unknown(one)
    from bihuan.epi.scan.scanning import spatial_scan

    places, points, population = _geography(one)
    table = dict(zip(one.text("input_cases")["id"], one.numbers("input_cases")["cases"], strict=True))
    text = str(one.params.get("model", ""))
    share = one.params.get("max_pop", _percent(text))
    found = spatial_scan(
        [table.get(place, 0) for place in places], points, population=population, names=places,
        max_share=_share(share), replications=_REPLICATIONS, max_p=None,
    )  # fmt: skip
    expected = one.text("expected")
    for i, zone in enumerate(expected["zone"]):
        if i >= len(found.clusters):
            yield Difference("clusters", len(expected["zone"]), len(found.clusters))
            return
        yield from _same_zone(expected, i, zone, found.clusters[i], found)


def _percent(text: str) -> float:
    """The share in a description such as `max 50% population`."""
    words = [word for word in text.replace(",", " ").split() if word.endswith("%")]
    return float(words[0].rstrip("%")) / 100 if words else 0.5


def _same_zone(
    expected: dict[str, list[str]], i: int, zone: str, ours: Cluster, found: Scan
) -> Iterator[Difference]:
    if sorted(zone.split("|")) != list(ours.members):
        yield Difference(f"zone {i + 1}", zone, "|".join(ours.members))
        return
    figures = {
        "n_locations": float(len(ours.members)),
        "cases": float(ours.observed),
        "expected": ours.expected,
        "rr": ours.relative_risk or 0.0,
        "smr": ours.ratio,
        "llr": ours.llr,
    }
    for name, value in figures.items():
        if name in expected and expected[name][i] not in ("NA", ""):
            peer = np.array([float(expected[name][i])])
            yield from compare(f"{name} {i + 1}", peer, np.array([value]), rel=1e-6)
    for name in expected:
        if name.startswith("pvalue") and expected[name][i] not in ("NA", ""):
            digits = "".join(c for c in name if c.isdigit())
            yield from _same_p(
                f"{name} {i + 1}", float(expected[name][i]), ours, found, int(digits) if digits else 999
            )


def _run(one: Case, settings: dict[str, Any]) -> Scan:
    from bihuan.epi.scan.scanning import scan

    places, points, population = _geography(one)
    counts = _counts(one, places)
    if settings.pop("spatial"):
        counts = counts.sum(axis=1, keepdims=True)
        settings |= {"max_duration": 1, "prospective": False}
    return scan(
        counts,
        points,
        names=places,
        population=population if settings["model"] == "poisson" else None,
        **settings,
    )


def _same_clusters(one: Case, found: Scan) -> Iterator[Difference]:
    expected = one.text("expected")
    n = len(expected["members"])
    if len(found.clusters) < n:
        yield Difference("clusters", n, len(found.clusters))
    for i, ours in enumerate(found.clusters[:n]):
        yield from _same_cluster(expected, i, ours, found, int(one.params.get("mc_reps", 999)))
    if len(found.clusters) > n and (found.clusters[n].p_value or 0) < _UNLISTED_P:
        yield Difference("clusters", n, len(found.clusters), f"{n + 1} has p {found.clusters[n].p_value}")


def _same_cluster(
    expected: dict[str, list[str]], i: int, ours: Cluster, found: Scan, replications: int
) -> Iterator[Difference]:
    cell = {name: column[i] for name, column in expected.items()}
    exact: list[tuple[str, Any, Any]] = [
        ("members", sorted(cell["members"].split("|")), sorted(ours.members)),
        ("observed", int(cell["observed"]), ours.observed),
    ]
    if not found.spatial and cell.get("start"):
        exact += [("start", _date(cell["start"]), ours.first), ("end", _date(cell["end"]), ours.last)]
    for name, theirs, mine in exact:
        if theirs != mine:
            yield Difference(f"{name} of cluster {i + 1}", theirs, mine)
    for name, value, rel, absolute in (
        ("expected", ours.expected, 0.0, 0.01),
        ("ode", ours.ratio, 0.0, 0.0101),
        ("rr", ours.relative_risk, 0.0, 0.0101),
        ("llr", ours.llr, 1e-5, 0.0),
    ):
        if cell.get(name) not in (None, "", "NA") and value is not None:
            peer, mine = np.array([float(cell[name])]), np.array([value])
            yield from compare(f"{name} of cluster {i + 1}", peer, mine, rel=rel, absolute=absolute)
    if cell.get("pvalue") not in (None, "", "NA"):
        yield from _same_p(f"p of cluster {i + 1}", float(cell["pvalue"]), ours, found, replications)
    if bool(cell.get("recurrence")) != (ours.recurrence_days is not None):
        yield Difference(f"recurrence of cluster {i + 1}", cell.get("recurrence"), ours.recurrence_days)


def _same_p(where: str, theirs: float, ours: Cluster, found: Scan, replications: int) -> Iterator[Difference]:
    mine = ours.p_value
    if mine is None or not isfinite(mine):
        yield Difference(where, theirs, mine)
        return
    chance = mine * (1 - mine) * (1 / max(replications, 1) + 1 / max(found.replications, 1))
    if abs(theirs - mine) > _P_TOLERANCE + _SIGMAS * sqrt(chance):
        yield Difference(where, theirs, mine, "further than both sets of replications explain")


def _date(text: str) -> date:
    year, month, day = (int(part) for part in text.replace("-", "/").split("/"))
    return date(year, month, day)


def _unknown(one: Case) -> Iterator[Difference]:
    for name in sorted(set(one.params) - _KNOWN):
        yield Difference(f"parameter {name}", one.params[name], "not known here")


def _geography(one: Case) -> tuple[list[str], NDArray[Any], NDArray[Any] | None]:
    table = one.numbers("input_geo")
    places = one.text("input_geo")["id"]
    return places, np.column_stack([table["x"], table["y"]]), table.get("pop")


def _counts(one: Case, places: list[str]) -> NDArray[np.float64]:
    """Place × time; a place and time without a row has no cases. Times are 1-based, or dates from `t0` on."""
    ids, times = one.text("input_counts")["id"], one.text("input_counts")["t"]
    cases = one.numbers("input_counts")["cases"]
    at = np.array([_time(t, one.params.get("t0")) for t in times])
    index = {place: i for i, place in enumerate(places)}
    counts = np.zeros((len(places), int(at.max()) + 1))
    np.add.at(counts, (np.array([index[i] for i in ids]), at), cases)
    return counts


def _time(text: str, start: str | None) -> int:
    if "-" in text or "/" in text:
        return (_date(text) - (_date(start) if start else date.min + timedelta())).days
    return int(float(text)) - 1


def _baselines(one: Case, places: list[str], counts: NDArray[Any]) -> NDArray[np.float64]:
    text, table = one.text("input_baselines"), one.numbers("input_baselines")
    index = {place: i for i, place in enumerate(places)}
    rows = np.array([index[i] for i in text["id"]])
    if "t" not in table:
        out = np.zeros(len(places))
        out[rows] = table["baseline"]
        return out
    out = np.zeros((len(places), int(table["t"].max())))
    out[rows, table["t"].astype(int) - 1] = table["baseline"]
    return out[:, -counts.shape[1] :]
