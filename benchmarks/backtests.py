"""Backtests on real data, written to docs/reference/backtests.md: labelled outbreaks, Hubei 2020, simulation.

The peer is R `surveillance` (farringtonFlexible), run in the same run through Rscript. Needs no database.

    python3 bihuan.py bench backtests [--data ../shared/data] [--no-write]
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bihuan.epi.detection.ears import ears
from bihuan.epi.detection.farrington import farrington_flexible
from bihuan.epi.detection.results import Detection
from bihuan.epi.evaluation import (
    SCENARIOS,
    Evaluation,
    Labelled,
    Signals,
    compare,
    evaluate,
    inject,
    labelled,
    signals_of,
    simulate,
)
from bihuan.epi.evaluation.scenarios import N_CURRENT, N_TIMES
from bihuan.epi.quality import Mark, MarkedDetection, detect_with_marks, increments
from bihuan.epi.series import Panel, panel

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "backtests.md"
RATES = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05)
FIRST_WEEK = "2001-01-01"

#: Settings under which both are run: (label, R's control, ours). Same words, same values.
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "delta, 10 season blocks": (
        'noPeriods=10, pastWeeksNotIncluded=26, thresholdMethod="delta", alpha=0.01, pThresholdTrend=0.05',
        {"threshold_method": "delta", "p_threshold_trend": 0.05},
    ),
    "nbPlugin, 10 season blocks (our default)": (
        'noPeriods=10, pastWeeksNotIncluded=26, thresholdMethod="nbPlugin", alpha=0.01, pThresholdTrend=1',
        {},
    ),
}
MAIN = "delta, 10 season blocks"
OURS_BY_DEFAULT = "nbPlugin, 10 season blocks (our default)"

R_CODE = """
args <- commandArgs(trailingOnly=TRUE)
suppressMessages(library(surveillance))
d <- read.csv(args[1]); out <- NULL
for (s in unique(d$series)) {
  x <- d$count[d$series == s]; at <- (52 * YEARS + 4):length(x)
  r <- suppressWarnings(farringtonFlexible(sts(observed=x, start=c(2001, 1), frequency=52),
    control=list(range=at, b=YEARS, w=3, reweight=TRUE, weightsThreshold=2.58, limit54=c(5, 4),
                 trend=TRUE, CONTROL)))
  out <- rbind(out, data.frame(series=s, t=at, alarm=as.logical(alarms(r)),
    upper=as.numeric(upperbound(r)), p_value=as.numeric(r@control$pvalue)))
}
write.csv(out, args[2], row.names=FALSE)
cat(as.character(packageVersion("surveillance")))
"""


def main(words: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="bench backtests")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args(list(words))
    if shutil.which("Rscript") is None:
        print("Rscript is not here: the peer cannot be run (Debian: r-cran-surveillance).", file=sys.stderr)
        return 1
    version, rki = rki_backtest(options.data)
    hubei = hubei_backtest(options.data)
    text = page(version, rki, hubei, simulation())
    print(text)
    if not options.no_write:
        PAGE.write_text(text, encoding="utf-8")
    print(json.dumps({"rki": rki["bars"], "hubei": hubei["bars"]}, indent=2))
    return 0 if all((*rki["bars"].values(), *hubei["bars"].values())) else 1


# --- labelled outbreaks -----------------------------------------------------------------------------


def read_labelled(data: Path) -> tuple[Labelled, dict[str, str], str]:
    """The 14 series, their descriptions, and their file."""
    path = data / "earlywarning_rki_labelled" / "rki_labelled_weekly.csv"
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows[row["series"]].append(row)
    counts = [[float(r["count"]) for r in series] for series in rows.values()]
    marks = [[int(r["outbreak"]) for r in series] for series in rows.values()]
    found = labelled(counts, marks, start=FIRST_WEEK, frequency="weekly", names=list(rows))
    return found, {name: series[0]["description"] for name, series in rows.items()}, str(path)


def run_peer(path: str, control: str, years: int, data: Labelled) -> tuple[str, Signals]:
    """farringtonFlexible over every series; its alarms and p-values as signals. A bound it does not give (its
    small-count limit) holds the alarm back."""
    with tempfile.TemporaryDirectory() as folder:
        script, table = Path(folder) / "peer.R", Path(folder) / "peer.csv"
        script.write_text(R_CODE.replace("YEARS", str(years)).replace("CONTROL", control), encoding="utf-8")
        done = subprocess.run(
            ["Rscript", str(script), path, str(table)], capture_output=True, text=True, check=True
        )
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    for row in rows:
        row["date"] = str(data.panel.dates[int(row["t"]) - 1])
        if row["upper"] == "NA":
            row["alarm"], row["p_value"] = "FALSE", "NA"
    return done.stdout.strip(), signals_of(rows, data.panel, name="peer")


def our_signals(data: Labelled, years: int, options: Mapping[str, Any]) -> Signals:
    at = np.arange(52 * years + 3, data.panel.n_times)
    found = farrington_flexible(data.panel, mode="corrected", b=years, at=at, **options)
    return signals_of(found, data.panel, name="ours")


def rki_backtest(folder: Path) -> tuple[str, dict[str, Any]]:
    data, about, path = read_labelled(folder)
    found: dict[tuple[str, int], dict[str, Any]] = {}
    version = ""
    for label, (control, options) in SETTINGS.items():
        for years in (1, 2):
            print(f"peer: {label}, {years} year(s) of baseline …", file=sys.stderr)
            version, peer = run_peer(path, control, years, data)
            ours = our_signals(data, years, options)
            pair = {"peer": peer, "ours": ours}
            found[label, years] = {
                "signals": pair,
                "own": {n: evaluate(s, data, name=n) for n, s in pair.items()},
                "equal": compare(pair, data),
                "rates": {rate: compare(pair, data, false_alarm_rate=rate) for rate in RATES},
            }
    main_one = found[MAIN, 1]["equal"]
    best = compare(
        {"peer": found[MAIN, 1]["signals"]["peer"], "ours": found[OURS_BY_DEFAULT, 1]["signals"]["ours"]},
        data,
    )
    bars = {
        "not worse in any labelled series": not worse_series(main_one),
        "better overall": (main_one["ours"].sensitivity or 0) > (main_one["peer"].sensitivity or 0),
        "our default not worse overall than the peer's delta": (best["ours"].sensitivity or 0)
        >= (best["peer"].sensitivity or 0),
    }
    return version, {"found": found, "about": about, "data": data, "bars": bars, "default": best}


def worse_series(pair: Mapping[str, Evaluation]) -> list[str]:
    """Series in which ours finds fewer labelled weeks or waits longer."""
    rows = zip(pair["peer"].rows(by_series=True), pair["ours"].rows(by_series=True), strict=True)
    return [
        a["series"]
        for a, b in rows
        if a["outbreaks"] and (b["hit"] < a["hit"] - 1e-9 or b["mean_wait"] > a["mean_wait"] + 1e-9)
    ]


# --- Hubei 2020 -------------------------------------------------------------------------------------

MARKS = (
    Mark(date(2020, 2, 12), "definition_change", "clinically diagnosed cases count from this day"),
    Mark(
        date(2020, 4, 16), "correction", "Wuhan corrected its totals: 325 cases, 1,290 deaths",
        last=date(2020, 4, 17),
    ),
)  # fmt: skip


def hubei_backtest(folder: Path) -> dict[str, Any]:
    path = folder / "covid_china_daily" / "china_province_daily.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["province_code"] == "420000"]
    totals = [[float(r[name]) for r in rows] for name in ("confirmed", "dead")]
    new, fell = increments(totals, dates=[r["date"] for r in rows], names=["confirmed", "deaths"])
    window = new.until("2020-06-30")
    found: dict[str, dict[str, MarkedDetection]] = {}
    for method in ("C1", "C2", "C3"):
        run = _ears(method)
        found[method] = {
            "unmarked": detect_with_marks(run, window, known_warnings=fell),
            "marked": detect_with_marks(run, window, marks=MARKS, known_warnings=fell),
        }
    marked, plain = found["C1"]["marked"], found["C1"]["unmarked"]
    warned = {str(w.day) for w in plain.warnings}
    held = {"2020-02-12", "2020-04-16", "2020-04-17"}
    bars = {
        "alerts in January": any("2020-01" in d for d in alarms(marked, "confirmed")),
        "none on marked days": all(
            not held & {*alarms(one["marked"], "confirmed"), *alarms(one["marked"], "deaths")}
            for one in found.values()
        ),
        "a data-quality warning when not marked": {"2020-02-12", "2020-04-16"} <= warned,
    }
    return {"found": found, "bars": bars}


def _ears(method: Any) -> Callable[[Panel], Detection]:
    return lambda series: ears(series, method=method)


def alarms(found: MarkedDetection, series: str) -> list[str]:
    return [str(r["date"]) for r in found.rows(alarms_only=True) if r["series"] == series]


# --- simulation -------------------------------------------------------------------------------------


def simulation(n_series: int = 10, size: int = 5) -> dict[str, Evaluation]:
    """Noufaily's 42 scenarios with four past outbreaks and one in the newest 49 weeks, at equal false-alarm
    rate. "compatible" gives the peer's numbers."""
    counts, outbreak = [], []
    for number, scenario in enumerate(SCENARIOS):
        base = simulate(scenario, n_series=n_series, n_times=N_TIMES, seed=number)
        deviation = scenario.deviation(N_TIMES)
        past = N_TIMES - N_CURRENT
        before = inject(
            base.counts[:, :past], size=range(1, 11), n_outbreaks=4, newest=None, deviation=deviation[:past],
            seed=number, frequency="weekly",
        )  # fmt: skip
        whole = np.hstack([before.panel.counts, base.counts[:, past:]])
        now = inject(whole, size=size, deviation=deviation, seed=number, frequency="weekly")
        counts.append(now.panel.counts)
        outbreak.append(now.outbreak)
    names = [f"{s.name} {i + 1}" for s in SCENARIOS for i in range(n_series)]
    data = Labelled(panel(np.vstack(counts), frequency="weekly", names=names), np.vstack(outbreak))
    at = np.arange(N_TIMES - N_CURRENT, N_TIMES)
    options = {"trend kept when p < 0.05": {"p_threshold_trend": 0.05}, "trend always kept (default)": {}}
    runs: dict[str, Any] = {}
    for label, option in options.items():
        for mode in ("compatible", "corrected"):
            runs[f"farringtonFlexible {mode}, nbPlugin, {label}"] = farrington_flexible(
                data.panel, mode=mode, at=at, **option
            )
    for mode in ("compatible", "corrected"):
        runs[f"farringtonFlexible {mode}, delta"] = farrington_flexible(
            data.panel, mode=mode, at=at, threshold_method="delta", p_threshold_trend=0.05
        )
    runs["EARS C1"] = ears(data.panel, method="C1", at=at)
    runs["EARS C2"] = ears(data.panel, method="C2", at=at)
    return compare(runs, data, false_alarm_rate=0.01)


# --- the page ---------------------------------------------------------------------------------------

LABELLED_TEXT = """\
Weekly counts whose outbreak weeks were named afterwards (RKI SurvStat). Four years are there, so one year of
baseline (b = 1) leaves the most weeks to judge; two years are given beside it. With fewer than three years
neither side fits a trend. *At equal rate*: both thresholds are moved, over each side's own p-values, to the
false-alarm rate the peer has at its own threshold; between two possible thresholds figures are mixed so that
the rate is met exactly, so hits may be fractions. Delay: weeks from the first labelled week to the first
alarm, a missed outbreak counted at its length."""
SAME_TEXT = """\
With nbPlugin and no trend the peer's fault (wrong dispersion after reweighting) reaches neither the bound nor
the p-value: both sides give the same numbers. It acts on the delta threshold, the peer's default:"""
HUBEI_TEXT = """\
New confirmed cases and deaths a day from the province's running totals (national bulletin), 1 December 2019
to 30 June 2020; EARS with its defaults. The caller marks the change of case definition of 12 February and the
correction of 16-17 April. After a change of definition counts before it are no baseline any more, so the next
days are not assessed."""
SIMULATION_TEXT = """\
Ten series a scenario of 624 weeks, four past outbreaks of 1 to 10 standard deviations, one of 5 in the newest
49 weeks, which are judged; every detector is set to 1 % false alarms over all series, on the weeks all
assess. `compatible` gives the peer's numbers. Differences of a point or two lie within chance (about 400
outbreaks); EARS, which knows neither season nor trend, is far behind where there are years of history."""


def page(
    version: str, rki: Mapping[str, Any], hubei: Mapping[str, Any], simulated: Mapping[str, Evaluation]
) -> str:
    parts = [
        "# Backtests on real data",
        "",
        "Written by `python3 bihuan.py bench backtests`; run it again after a change to a detector. "
        f"The peer is R surveillance {version} (`farringtonFlexible`), run in the same run.",
        "",
        *_rki_page(rki),
        *_hubei_page(hubei),
        *_simulation_page(simulated),
    ]
    return "\n".join(parts) + "\n"


def _rki_page(rki: Mapping[str, Any]) -> list[str]:
    main_one, data = rki["found"][MAIN, 1]["equal"], rki["data"]
    lines = [
        "## Labelled outbreaks: 14 series of the Robert Koch Institute, 2001-2004",
        "",
        LABELLED_TEXT,
        "",
        "| settings | b | | outbreaks found | labelled weeks with alarm | false alarms | delay | PPV |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for (label, years), one in rki["found"].items():
        for how in ("own", "equal"):
            for name in ("peer", "ours"):
                word = "own threshold" if how == "own" else "at equal rate"
                lines.append(f"| {label} | {years} | {name}, {word} | {_figures(one[how][name])} |")
    for name, one in rki["default"].items():
        side = "ours, nbPlugin (default)" if name == "ours" else "peer, delta"
        lines.append(f"| each side's default threshold | 1 | {side}, at equal rate | {_figures(one)} |")
    lines += [
        "",
        SAME_TEXT,
        "",
        f"### By series: {MAIN}, b = 1, at equal rate",
        "",
        "| series | | labelled weeks | alarmed: peer | ours | delay: peer | ours | false: peer | ours |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = zip(main_one["peer"].rows(by_series=True), main_one["ours"].rows(by_series=True), strict=True)
    for a, b in rows:
        about = rki["about"][a["series"]]
        waits = [_number(r["mean_wait"], 1) for r in (a, b)]
        lines.append(
            f"| {a['series']} | {about} | {a['outbreak_periods']:.0f} | {a['hit']:.4g} | {b['hit']:.4g} | "
            f"{waits[0]} | {waits[1]} | {a['false']:.4g} | {b['false']:.4g} |"
        )
    hits = {name: one.counts.hit.sum() for name, one in main_one.items()}
    lower = [
        f"{100 * rate:g}% (b = {years})"
        for years in (1, 2)
        for rate, pair in rki["found"][MAIN, years]["rates"].items()
        if (pair["ours"].sensitivity or 0) < (pair["peer"].sensitivity or 0) - 1e-9
    ]
    worse = worse_series(main_one)
    unjudged = data.n_outbreaks - int(main_one["peer"].counts.outbreaks.sum())
    lines += [
        "",
        f"Series in which ours is worse: {', '.join(worse) if worse else 'none'}. The gain is small: "
        f"{hits['ours']:.4g} labelled weeks against {hits['peer']:.4g}. {unjudged} of "
        f"{data.n_outbreaks} labelled outbreaks lie in the first year, which neither side can judge.",
        "",
        f"### At other false-alarm rates: {MAIN}",
        "",
        "| false-alarm rate | b = 1: peer | ours | b = 2: peer | ours |",
        "| --- | --- | --- | --- | --- |",
    ]
    for rate in RATES:
        cells = [
            f"{_percent(rki['found'][MAIN, years]['rates'][rate][name].sensitivity)}"
            for years in (1, 2)
            for name in ("peer", "ours")
        ]
        lines.append(f"| {100 * rate:g}% | {' | '.join(cells)} |")
    lines += [
        "",
        "Share of labelled weeks with an alarm; a point is a week or two. Ours is lower at: "
        f"{', '.join(lower) or 'none of these'}.",
        "",
    ]
    return lines


def _figures(one: Evaluation) -> str:
    c = one.counts
    return (
        f"{c.found.sum():.4g} of {c.outbreaks.sum():.0f} | {_percent(one.sensitivity)} | "
        f"{_percent(one.false_alarm_rate)} | {_number(one.mean_wait, 2)} | {_percent(one.ppv)}"
    )


def _hubei_page(hubei: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Hubei 2020, daily",
        "",
        HUBEI_TEXT,
        "",
        "| method | series | alerts, unmarked | alerts, marked |",
        "| --- | --- | --- | --- |",
    ]
    for method, one in hubei["found"].items():
        for series in ("confirmed", "deaths"):
            cells = [_short(alarms(one[how], series)) for how in ("unmarked", "marked")]
            lines.append(f"| {method} | {series} | {cells[0]} | {cells[1]} |")
    found = hubei["found"]["C1"]
    lines += ["", "Data-quality warnings when nothing is marked:", ""]
    lines += [f"- {w.explain()}" for w in found["unmarked"].warnings]
    left = found["marked"].warnings
    days = ", ".join(f"{w.day} ({w.series})" for w in left)
    lines += [
        "",
        f"When both are marked these remain: {days}.",
        "On 27 January Wuhan alone reported 892 cases, after at most 80 a day; it is not marked, so the",
        "warning stands beside the alert.",
        "",
    ]
    return lines


def _simulation_page(simulated: Mapping[str, Evaluation]) -> list[str]:
    lines = [
        "## Simulated outbreaks: Noufaily's 42 scenarios",
        "",
        SIMULATION_TEXT,
        "",
        "| detector | outbreaks found | outbreak weeks with alarm | false alarms | delay | PPV |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return lines + [f"| {name} | {_figures(one)} |" for name, one in simulated.items()]


def _short(days: Sequence[str]) -> str:
    """Dates with runs drawn together: 2020-01-16…18, 2020-01-24."""
    out: list[list[np.datetime64]] = []
    for day in (np.datetime64(d) for d in days):
        if out and day - out[-1][-1] == np.timedelta64(1, "D"):
            out[-1].append(day)
        else:
            out.append([day])
    words = [str(r[0])[2:] if len(r) == 1 else f"{str(r[0])[2:]}…{str(r[-1])[5:]}" for r in out]
    return ", ".join(words) or "none"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}%"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
