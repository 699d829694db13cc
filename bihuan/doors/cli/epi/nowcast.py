"""`bihuan epi nowcast`: counts as they will stand when all reports are in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.options import DAY, Encoding, Lang, Out, Where, conditions, language, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.epi.parameters import Set, settings
from bihuan.doors.cli.output import Json
from bihuan.epi.errors import InputError
from bihuan.epi.nowcast import estimate_r_nowcast, reporting_triangle
from bihuan.epi.nowcast import nowcast as nowcast_of
from bihuan.epi.nowcast.estimate import METHODS
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.counts import UNKNOWN

NAMES = tuple(name.replace("_", "-") for name in METHODS)


def register(app: typer.Typer) -> None:
    app.command("nowcast")(nowcast)


@on_file
def nowcast(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A line list: CSV, Parquet, JSON.")],
    event: Annotated[str, typer.Option(help="Column of the event, such as onset.")],
    report: Annotated[str, typer.Option(help="Column of the day it became known.")],
    now: Annotated[datetime | None, typer.Option(formats=DAY, help="As known on this day.")] = None,
    by: Annotated[str, typer.Option(help="Column to tell series apart.")] = "",
    method: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "bayes-trunc",
    max_delay: Annotated[int, typer.Option(min=1, help="Longest delay told apart, in periods.")] = 14,
    weekly: Annotated[bool, typer.Option("--weekly", help="Periods are weeks.")] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out reports that stand before their event.")
    ] = False,
    rt: Annotated[
        bool, typer.Option("--rt", help="Reproduction numbers of the nowcast; needs --si-mean and --si-sd.")
    ] = False,
    si_mean: Annotated[float | None, typer.Option(help="Mean of the serial interval, in periods.")] = None,
    si_sd: Annotated[float | None, typer.Option(help="Its standard deviation.")] = None,
    set_: Set = None,
    where: Where = None,
    encoding: Encoding = "",
    plot: Annotated[str, typer.Option(help="Series to draw; default the first.")] = "",
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Nowcast: what was reported by now, and what is still to come of the newest periods.

    bihuan epi nowcast linelist.csv --event date_onset --report date_report --now 2020-02-10
    """
    spoken, outs = language(lang), check_outs(out)
    if method.replace("-", "_") not in METHODS:
        raise InputError(
            f"no method is called {method!r}; there are {', '.join(NAMES)}",
            f"没有名为 {method!r} 的方法；可用的有 {'、'.join(NAMES)}",
            field="method",
        )
    options = settings(set_, nowcast_of, method=method)
    wanted = {"event": Wanted(event, "date"), "report": Wanted(report, "date")}
    if by:
        wanted["by"] = Wanted(by)
    read = read_columns(file, wanted, where=conditions(where), encoding=encoding or None)
    with working(_("nowcasting")):
        triangle = reporting_triangle(
            read["event"],
            read["report"],
            now=now.date() if now else _newest(read["report"], report),
            max_delay=max_delay,
            groups=np.where(read["by"] == "", UNKNOWN, read["by"]).tolist() if by else None,
            frequency="weekly" if weekly else "daily",
            negative="leave_out" if leave_out else "refuse",
        )
        found: Any = nowcast_of(triangle, **({"method": method.replace("-", "_")} | options))
        names, today = found.names, found.now
        if rt:
            found = estimate_r_nowcast(found, mean_si=si_mean, sd_si=si_sd)
    answer = Answer(
        facts={
            "file": str(file),
            "series": len(names),
            "now": str(today),
            "method": method,
            "left_out": triangle.left_out,
            "later_than_now": triangle.later,
        },
        sentences=list(_sentences(found, len(names), rt, spoken)),
        rows=found.rows,
        draw=lambda path: found.plot(series=plot or 0, lang=spoken, path=str(path)),
    )
    give(answer, outs=outs, json=json)


def _newest(reports: Any, column: str) -> Any:
    """The last day anything was reported."""
    known = reports[~np.isnat(reports)]
    if not known.size:
        raise InputError(f"no row has a date in column {column!r}", f"“{column}”列没有一个日期", field=column)
    return known.max()


def _sentences(found: Any, n: int, rt: bool, lang: str) -> Iterator[str]:
    """Every series: the newest periods, from now backwards; of Rt the newest window."""
    for i in range(n):
        if rt:
            yield found.explain(lang, series=i)
            continue
        for k in range(found.at.size - 1, max(-1, found.at.size - 8), -1):
            yield found.explain(lang, series=i, time=k)
