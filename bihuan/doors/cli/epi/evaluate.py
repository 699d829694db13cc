"""`bihuan epi evaluate`: how well detectors find known outbreaks, ours or a peer's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.detect import METHODS, method_named
from bihuan.doors.cli.epi.options import Lang, Out, Source, on_counts, said
from bihuan.doors.cli.epi.output import Answer, check_outs, give, periods, working
from bihuan.doors.cli.epi.parameters import Set, settings
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.errors import InputError
from bihuan.epi.evaluation import (
    Labelled,
    compare,
    evaluate,
    inject,
    labelled,
    replay,
    signals_of,
    vintages,
)
from bihuan.epi.series import Panel
from bihuan.epi.tables import Counts, Wanted, open_table, read_columns
from bihuan.epi.tables.roles import find

MOST_DEVIATIONS = 1000  # an outbreak of so many standard deviations is seen without any method
SIZES = "1,2,3,4,5,6,7,8,9,10"


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate_command)


@on_counts
def evaluate_command(
    source: Source,
    method: Annotated[
        list[str] | None, typer.Option(help=f"Repeatable. Of {', '.join(METHODS)}. Default: auto.")
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(help="A peer's output: series, date, and alarm, p_value or score; repeatable."),
    ] = None,
    outbreak: Annotated[str, typer.Option(help="Column that marks periods of an outbreak by 1.")] = "",
    size: Annotated[
        str, typer.Option(help="Without labels outbreaks are injected: sizes in standard deviations.")
    ] = SIZES,
    outbreaks: Annotated[int, typer.Option(min=1, help="Injected into each series.")] = 1,
    newest: Annotated[int, typer.Option(min=2, help="Injected into the newest N periods.")] = 49,
    seed: Annotated[int, typer.Option(help="Of the injection.")] = 1,
    false_alarm_rate: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Set all thresholds to this share of quiet periods, such as 0.02."),
    ] = None,
    equal: Annotated[
        bool, typer.Option("--equal", help="Set all thresholds to the first one's own false-alarm rate.")
    ] = False,
    known: Annotated[
        str, typer.Option(help="With --line-list: column of the day a case became known; replays the past.")
    ] = "",
    by_series: Annotated[bool, typer.Option("--by-series", help="One row a series.")] = False,
    set_: Set = None,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Evaluate detectors: outbreaks found, delay, false alarms, on labels, injected outbreaks or as of then.

    bihuan epi evaluate weekly.csv --outbreak outbreak --method ears-c1 --method farrington-flexible --equal
    """
    spoken, outs = language(lang), check_outs(out)
    names = list(method or ([] if results else ["auto"]))
    detectors: dict[str, Any] = {name: _detector(name, set_) for name in names}
    if known:
        give(_replayed(source, known, names, detectors, spoken), outs=outs, json=json)
        return
    read = source.read()
    data = _data(source, read, outbreak, size=size, n_outbreaks=outbreaks, newest=newest, seed=seed)
    detectors |= {path.stem: _peer(path) for path in results or ()}
    found = _evaluated(detectors, data, equal=equal, rate=false_alarm_rate)
    answer = Answer(
        facts={
            "file": str(source.file),
            "series": read.panel.n_series,
            "periods": f"{read.panel.n_times} {read.panel.frequency}",
            "outbreaks": data.n_outbreaks,
            "injected": not outbreak,
        },
        sentences=[one.explain(spoken) for one in found.values()],
        rows=lambda: _rows(found.values(), by_series),
        shown={"periods": periods(read.panel.n_times, read.panel.frequency)},
        notes=said(read.notes, spoken),
    )
    give(answer, outs=outs, json=json)


def _evaluated(
    detectors: Mapping[str, Any], data: Labelled, *, equal: bool, rate: float | None
) -> dict[str, Any]:
    """How each detector does, at thresholds of one false-alarm rate if so asked."""
    signals = {}
    with working(_("evaluating"), len(detectors)) as progress:
        for name, detector in detectors.items():
            signals[name] = signals_of(detector, data.panel, name=name)
            progress.advance()
        if equal or rate is not None:
            return dict(compare(signals, data, false_alarm_rate=rate))
        return {name: evaluate(one, data, name=name) for name, one in signals.items()}


def _detector(name: str, set_: list[str] | None) -> Callable[[Panel], Any]:
    function, settled = method_named(name)
    return partial(function, **(settled | settings(set_, function, method=name)))


def _data(
    source: Source, read: Counts, outbreak: str, *, size: str, n_outbreaks: int, newest: int, seed: int
) -> Labelled:
    """Labels as the file has them, else injected outbreaks."""
    if outbreak:
        columns = replace(read.columns, count=outbreak, population="-")
        marks = replace(source, columns=columns, how=replace(source.how, cumulative=False)).read().panel
        at = np.isin(marks.dates, read.panel.dates)
        return labelled(read.panel, np.nan_to_num(marks.counts[:, at]) > 0)
    try:
        sizes = [float(word) for word in size.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(0 < one <= MOST_DEVIATIONS for one in sizes):
        raise InputError(
            f"sizes are numbers above 0 up to {MOST_DEVIATIONS}, such as 2,4,8; not {size!r}",
            f"size 应为 0 以上、{MOST_DEVIATIONS} 以下的数字，如 2,4,8；现为 {size!r}",
            field="size",
        )
    return inject(read.panel, size=sizes, n_outbreaks=n_outbreaks, newest=newest, seed=seed)


def _peer(path: Path) -> list[Mapping[str, Any]]:
    """Rows of a peer's output."""
    with open_table(path) as table:
        columns = [name for name in ("alarm", "p_value", "score", "reason") if name in table.columns]
    if not columns:
        raise InputError(
            f"{path.name} has none of the columns alarm, p_value, score",
            f"{path.name} 没有 alarm、p_value、score 中的任何一列",
            field="results",
        )
    wanted = {"series": Wanted("series", "text", True), "date": Wanted("date", "date", True)}
    read = read_columns(path, wanted | {name: Wanted(name) for name in columns})
    names = list(wanted) + columns
    return [dict(zip(names, cells, strict=True)) for cells in zip(*(read[n] for n in names), strict=True)]


def _replayed(source: Source, known: str, names: list[str], detectors: dict[str, Any], lang: str) -> Answer:
    if not source.how.lines:
        raise InputError(
            "--known is a column of a line list: add --line-list",
            "--known 是病例清单的一列：请加 --line-list",
            field="known",
        )
    with open_table(source.file, encoding=source.how.encoding) as table:
        columns = find(table, source.columns, lines=True)
    wanted = {"event": Wanted(columns.date, "date"), "known": Wanted(known, "date")}
    if columns.series:
        wanted["series"] = Wanted(columns.series)
    read = read_columns(source.file, wanted, where=source.how.where, encoding=source.how.encoding)
    triangle = vintages(
        read["event"],
        read["known"],
        territory=read["series"].tolist() if "series" in read else None,
        frequency=source.how.frequency or "daily",
        first=source.how.since,
        last=source.how.until,
    )
    found = {}
    with working(_("replaying"), len(names)) as progress:
        for name in names:
            found[name] = replay(triangle, detectors[name])
            progress.advance()
    return Answer(
        facts={"file": str(source.file), "series": len(triangle.names), "missing": triangle.missing},
        sentences=[f"{name}: {one.explain(lang)}" for name, one in found.items()],
        rows=lambda: ({"detector": name} | row for name, one in found.items() for row in one.rows()),
    )


def _rows(found: Iterable[Any], by_series: bool) -> Iterator[dict[str, Any]]:
    for one in found:
        yield from one.rows(by_series=by_series)
