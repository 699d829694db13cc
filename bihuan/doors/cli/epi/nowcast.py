"""`bihuan epi nowcast`: counts as they will stand when all reports are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.options import DAY, Encoding, Lang, Out, Where, conditions, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.epi.parameters import Set, settings
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.errors import InputError
from bihuan.epi.nowcast import ReportingTriangle, estimate_r_nowcast, reporting_triangle
from bihuan.epi.nowcast import nowcast as nowcast_of
from bihuan.epi.nowcast.estimate import METHODS
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.counts import UNKNOWN

NAMES = tuple(name.replace("_", "-") for name in METHODS)


def register(app: typer.Typer) -> None:
    app.command("nowcast")(nowcast)


@dataclass(frozen=True, slots=True)
class Reports:
    """A line list of events and the days they became known, and how it is counted."""

    file: Path
    event: str
    report: str
    now: date | None
    by: str
    max_delay: int
    weekly: bool
    leave_out: bool
    where: tuple[tuple[str, str], ...]
    encoding: str | None

    def triangle(self) -> ReportingTriangle:
        wanted = {"event": Wanted(self.event, "date"), "report": Wanted(self.report, "date")}
        if self.by:
            wanted["by"] = Wanted(self.by)
        read = read_columns(self.file, wanted, where=self.where, encoding=self.encoding)
        return reporting_triangle(
            read["event"],
            read["report"],
            now=self.now or _newest(read["report"], self.report),
            max_delay=self.max_delay,
            groups=np.where(read["by"] == "", UNKNOWN, read["by"]).tolist() if self.by else None,
            frequency="weekly" if self.weekly else "daily",
            negative="leave_out" if self.leave_out else "refuse",
        )


def _reports(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A line list: CSV, Parquet, JSON.")],
    event: Annotated[str, typer.Option(help="Column of the event, such as onset.")],
    report: Annotated[str, typer.Option(help="Column of the day it became known.")],
    now: Annotated[datetime | None, typer.Option(formats=DAY, help="As known on this day.")] = None,
    by: Annotated[str, typer.Option(help="Column to tell series apart.")] = "",
    max_delay: Annotated[int, typer.Option(min=1, help="Longest delay told apart, in periods.")] = 14,
    weekly: Annotated[bool, typer.Option("--weekly", help="Periods are weeks.")] = False,
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="Leave out reports that stand before their event.")
    ] = False,
    where: Where = None,
    encoding: Encoding = "",
) -> Reports:
    """The options on a line list of reports."""
    return Reports(
        file, event, report, now.date() if now else None, by, max_delay, weekly, leave_out, conditions(where),
        encoding or None,
    )  # fmt: skip


@on_file
@grouped(reports=_reports)
def nowcast(
    reports: Reports,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(NAMES)}.")] = "bayes-trunc",
    rt: Annotated[
        bool, typer.Option("--rt", help="Reproduction numbers of the nowcast; needs --si-mean and --si-sd.")
    ] = False,
    si_mean: Annotated[float | None, typer.Option(help="Mean of the serial interval, in periods.")] = None,
    si_sd: Annotated[float | None, typer.Option(help="Its standard deviation.")] = None,
    set_: Set = None,
    plot: Annotated[str, typer.Option(help="Series to draw; default the first.")] = "",
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Nowcast: what was reported by now, and what is still to come of the newest periods.

    bihuan epi nowcast linelist.csv --event date_onset --report date_report --now 2020-02-10
    """
    spoken, outs = language(lang), check_outs(out)
    name = _method(method)
    options = settings(set_, nowcast_of, method=method)
    with working(_("nowcasting")):
        triangle = reports.triangle()
        found: Any = nowcast_of(triangle, **({"method": name} | options))
        names, today = found.names, found.now
        if rt:
            found = estimate_r_nowcast(found, mean_si=si_mean, sd_si=si_sd)
    answer = Answer(
        facts={
            "file": str(reports.file),
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


def _method(asked: str) -> str:
    """The name of a method as the room knows it."""
    name = asked.replace("-", "_")
    if name not in METHODS:
        raise InputError(
            f"no method is called {asked!r}; there are {', '.join(NAMES)}",
            f"没有名为 {asked!r} 的方法；可用的有 {'、'.join(NAMES)}",
            field="method",
        )
    return name


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
