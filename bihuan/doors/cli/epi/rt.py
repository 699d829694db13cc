"""`bihuan epi rt`: reproduction numbers and growth rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan import epi
from bihuan.doors.cli.epi.options import Lang, Out, Source, on_counts, said
from bihuan.doors.cli.epi.output import Answer, check_outs, give, periods, working
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.errors import InputError
from bihuan.epi.series import Panel
from bihuan.epi.tables import Wanted, read_columns

METHODS = ("cori", "wallinga-teunis", "growth")


def register(app: typer.Typer) -> None:
    app.command("rt")(rt)


@on_counts
def rt(
    source: Source,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "cori",
    si_mean: Annotated[float | None, typer.Option(help="Mean of the serial interval, in periods.")] = None,
    si_sd: Annotated[float | None, typer.Option(help="Its standard deviation.")] = None,
    si: Annotated[
        Path | None, typer.Option(help="Table of the serial interval: one column `weight`, from lag 0.")
    ] = None,
    window: Annotated[int, typer.Option(min=1, help="Periods of a sliding window.")] = 7,
    imported: Annotated[str, typer.Option(help="Column of imported cases among the counts.")] = "",
    plot: Annotated[str, typer.Option(help="Series to draw; default the first.")] = "",
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Reproduction numbers with their intervals (Cori 2013), or by cohort, or the growth rate.

    bihuan epi rt flu.csv --si-mean 2.6 --si-sd 1.5 --out rt.csv --out rt.png
    """
    spoken, outs = language(lang), check_outs(out)
    read = source.read()
    panel = read.panel
    _check_method(method)
    found: Any
    with working(_("estimating")):
        if method == "growth":
            found = epi.growth_rate(panel)
        else:
            given = {**_interval(si, si_mean, si_sd), "windows": _windows(panel, window)}
            if imported:
                given["imported"] = _imported(source, imported, panel)
            found = (epi.estimate_r if method == "cori" else epi.wallinga_teunis)(panel, **given)
    answer = Answer(
        facts={
            "file": str(source.file),
            "series": panel.n_series,
            "periods": f"{panel.n_times} {panel.frequency}",
            "from": str(panel.dates[0]),
            "until": str(panel.dates[-1]),
            "method": method,
        },
        sentences=list(_sentences(found, panel, spoken)),
        rows=found.rows,
        shown={"periods": periods(panel.n_times, panel.frequency)},
        notes=said(read.notes, spoken),
        draw=lambda path: found.plot(series=plot or 0, lang=spoken, path=str(path)),
    )
    give(answer, outs=outs, json=json)


def _check_method(name: str) -> None:
    if name not in METHODS:
        raise InputError(
            f"no method is called {name!r}; there are {', '.join(METHODS)}",
            f"没有名为 {name!r} 的方法；可用的有 {'、'.join(METHODS)}",
            field="method",
        )


def _interval(si: Path | None, mean: float | None, sd: float | None) -> dict[str, Any]:
    if si is not None:
        return {"si": read_columns(si, {"weight": Wanted("weight", "number", True)})["weight"]}
    if mean is None or sd is None:
        raise InputError(
            "the serial interval is needed: --si-mean and --si-sd, or --si FILE",
            "需要代际间隔：--si-mean 与 --si-sd，或 --si 文件",
            field="si",
        )
    return {"mean_si": mean, "sd_si": sd}


def _windows(panel: Panel, length: int) -> Any:
    """Sliding windows from the second period; the method refuses what does not fit."""
    if panel.n_times - length < 1:
        raise epi.NotEnoughData(
            f"{panel.n_times} periods are too few for a window of {length}; say a shorter --window",
            f"共 {panel.n_times} 期，不足以构成 {length} 期的窗口；请用更短的 --window",
            field="window",
        )
    start = np.arange(2, panel.n_times - length + 2)
    return start, start + length - 1


def _imported(source: Source, column: str, panel: Panel) -> Panel:
    """Imported cases on the periods of the counts."""
    other = replace(source, columns=replace(source.columns, count=column, population="-"))
    found = other.read().panel
    if found.counts.shape != panel.counts.shape:
        raise InputError(
            f"column {column!r} has other series or periods than the counts",
            f"“{column}”列的序列或时段与计数不一致",
            field="imported",
        )
    return found


def _sentences(found: Any, panel: Panel, lang: str) -> Iterator[str]:
    """The newest of every series; of Rt also how long it has been below one."""
    for i in range(panel.n_series):
        yield found.explain(lang, series=i)
        if isinstance(found, epi.RtEstimate) and found.method.key.startswith("cori"):
            yield epi.rt_below_one(found, series=i).explain(lang)
