"""R packages run beside ours: cases made here are handed to R, which writes its answer as an oracle
folder."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Asked:
    """One call: the kind that answers it here, the counts, parameters as params.json, and the R to run.

    `r` sees `x` (the counts), `input` (the table) and must leave a data frame `out`. `columns` stand in the
    input table instead of `t` and `observed`.
    """

    name: str
    counts: Sequence[float]
    params: dict[str, Any]
    r: str
    columns: dict[str, list[Any]] = field(default_factory=dict)


def need_r(*packages: str) -> str:
    """The path of Rscript; skips the test when it or a package is not installed."""
    found = shutil.which("Rscript")
    if not found:
        pytest.skip("R is not installed (apt install r-base-core)")
    for package in packages:
        check = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
        if subprocess.run([found, "-e", check], capture_output=True, check=False).returncode:
            pytest.skip(f"the R package {package} is not installed (apt install r-cran-{package.lower()})")
    return found


def answer(asked: Sequence[Asked], folder: Path, *, library: str) -> list[str]:
    """Let R answer all of them in one run; writes `folder`/name with params.json, input.csv, expected.csv.

    A call at which the peer itself stops with an error leaves no folder; the names of those are returned.
    """
    rscript = need_r(library)
    lines = [f"options(warn=-1); suppressMessages(library({library}))"]
    for one in asked:
        place = folder / one.name
        place.mkdir(parents=True)
        about = {"case": one.name, "peer": library, "params": one.params}
        (place / "params.json").write_text(json.dumps(about), encoding="utf-8")
        with (place / "input.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            table = one.columns or {
                "t": list(range(1, len(one.counts) + 1)),
                "observed": [int(count) for count in one.counts],
            }
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
        lines.append(
            f'try({{ input <- read.csv("{place}/input.csv"); x <- input$observed\n{one.r}\n'
            f'write.csv(out, "{place}/expected.csv", row.names=FALSE, quote=FALSE) }}, TRUE)'
        )
    script = folder / "run.R"
    script.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run(
        [rscript, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin:/usr/local/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    stopped = [one.name for one in asked if not (folder / one.name / "expected.csv").is_file()]
    for name in stopped:
        shutil.rmtree(folder / name)
    return stopped
