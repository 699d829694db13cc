"""Oracle cases made on the spot: random series and parameters, answered by the R package surveillance.

The peer is only called, never read. Cases have the format of ../shared/oracles/analytics, so what answers
those answers these.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

#: Called with the folder of cases: reads input.csv and control.R of each, writes expected.csv.
PEER = r"""
suppressMessages(library(surveillance))
root <- commandArgs(trailingOnly = TRUE)[1]
answer <- function(folder) {
  given <- read.csv(file.path(folder, "input.csv"))
  source(file.path(folder, "control.R"), local = TRUE)
  slots <- list(observed = matrix(given$observed), frequency = freq, start = c(2000, 1))
  if (by_date) slots$epoch <- as.Date(given$date)
  if (!is.null(given$population)) slots$population <- matrix(given$population)
  series <- do.call(sts, slots)
  found <- suppressWarnings(switch(kind, ears = earsC(series, control = control),
    farflex = farringtonFlexible(series, control = control),
    farrington = farrington(series, control = control, verbose = FALSE)))
  out <- data.frame(t = control$range, observed = as.numeric(observed(found)),
                    upperbound = as.numeric(upperbound(found)), alarm = as.numeric(alarms(found)))
  if (kind == "farflex") {
    out$expected <- as.numeric(found@control$expected)
    out$score <- as.numeric(found@control$score)
    out$pvalue <- as.numeric(found@control$pvalue)
    if (control$thresholdMethod != "delta") out$mu0 <- as.numeric(found@control$mu0Vector)
    out$phi <- as.numeric(found@control$phiVector)
    out$trend_coef <- as.numeric(found@control$trendVector)
    out$trend_used <- as.numeric(found@control$trend)
  }
  write.table(format(out, digits = 15, trim = TRUE), file.path(folder, "expected.csv"),
              sep = ",", quote = FALSE, row.names = FALSE)
}
for (folder in list.dirs(root, recursive = FALSE))
  tryCatch(answer(folder), error = function(e) writeLines(conditionMessage(e), file.path(folder, "refused")))
"""


def ask_peer(root: Path) -> None:
    """Let the peer answer every case below `root`; skips the test where R or the package is absent."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not here: the peer cannot be asked")
    if subprocess.run(["Rscript", "-e", "library(surveillance)"], capture_output=True).returncode:
        pytest.skip("the R package surveillance is not here: the peer cannot be asked")
    script = root / "peer.R"
    script.write_text(PEER, encoding="utf-8")
    subprocess.run(["Rscript", str(script), str(root)], check=True, capture_output=True)


def write_case(
    root: Path, name: str, *, series: dict[str, Any], params: dict[str, Any], control: dict[str, Any]
) -> None:
    """`params` as params.json, `control` as the peer takes it (with its range)."""
    folder = root / name
    folder.mkdir()
    about = {"case": name, "peer": "surveillance", "params": params}
    (folder / "params.json").write_text(json.dumps(about), encoding="utf-8")
    with (folder / "input.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(series)
        writer.writerows(zip(*series.values(), strict=True))
    kind = name.partition("_")[0]
    lines = [
        f'kind <- "{kind}"',
        f"by_date <- {_r(bool(params.get('epochAsDate')))}",
        f"freq <- {params.get('frequency', 365)}",
        f"control <- list({', '.join(f'{key} = {_r(value)}' for key, value in control.items())})",
    ]
    (folder / "control.R").write_text("\n".join(lines), encoding="utf-8")


def random_counts(rng: np.random.Generator, n: int, *, year: int) -> np.ndarray[Any, Any]:
    """A series from almost empty to thousands: trend, season, overdispersion, quiet spells and outbreaks."""
    t = np.arange(n)
    level = rng.choice([0.02, 0.1, 0.4, 1.0, 3.0, 10.0, 60.0, 800.0])
    log_mean = np.log(level) + rng.choice([0, 0, rng.normal(0, 0.6)]) * t / n
    log_mean += rng.choice([0, 0.3, 1.0]) * np.sin(2 * np.pi * (t / year + rng.random()))
    phi = rng.choice([1.0, 1.2, 2.0, 5.0])
    mean = np.exp(log_mean)
    counts = rng.poisson(mean if phi == 1 else rng.gamma(mean / (phi - 1), phi - 1))
    for _ in range(rng.integers(0, 4)):
        start = rng.integers(0, n)
        counts[start : start + 6] += rng.poisson(
            3 * np.sqrt(level * phi) + 2, size=counts[start : start + 6].size
        )
    return counts


def _r(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, (list, tuple, np.ndarray)):
        return f"c({', '.join(_r(each) for each in value)})"
    return repr(float(value)) if isinstance(value, float) else str(value)
