"""`bihuan epi detect`: early warning on one series or thousands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan import epi
from bihuan.doors.cli.epi import columns
from bihuan.doors.cli.epi.marks import Marks, marks_of, warnings_told
from bihuan.doors.cli.epi.options import Lang, Out, Source, on_counts, said
from bihuan.doors.cli.epi.output import Answer, check_outs, give, listed, periods, working
from bihuan.doors.cli.epi.parameters import Set, settings
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.detection.results import REASONS, Detection, Reason
from bihuan.epi.errors import InputError
from bihuan.epi.quality import Mark, MarkedDetection, QualityWarning, detect_with_marks, jumps
from bihuan.epi.series import Panel
from bihuan.epi.tables import Counts, Wanted, read_columns

#: Method on the command line → the function of the room and what is settled by the name.
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "auto": ("detect", {}),
    "ears-c1": ("ears", {"method": "C1"}),
    "ears-c2": ("ears", {"method": "C2"}),
    "ears-c3": ("ears", {"method": "C3"}),
    "ears-c3-cdc": ("ears", {"method": "C3_CDC"}),
    "farrington-flexible": ("farrington_flexible", {}),
    "farrington": ("farrington", {}),
    "cusum": ("cusum", {}),
    "bayes": ("bayes", {}),
    "rki": ("rki", {}),
    "glr-nb": ("glr_nb", {}),
    "outbreak-p": ("outbreak_p", {}),
    "ewma": ("ewma", {}),
    "regression": ("regression", {}),
    "switch": ("switch", {}),
    "nbinom-alert": ("nbinom_alert", {}),
}
BLOCK = 200  # series in one call, so that progress can be told
MOST_EXPLAINED = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """Detections of blocks of series, one after the other, q-values by series and period if asked, and
    warnings of the data."""

    parts: Sequence[Any]
    q: np.ndarray | None
    warnings: Sequence[QualityWarning]

    def places(self) -> Iterator[tuple[Any, int]]:
        for part in self.parts:
            for i in range(bare(part).panel.n_series):
                yield part, i

    def joined(self, name: str) -> np.ndarray:
        return np.concatenate([getattr(bare(part), name) for part in self.parts])


def bare(part: Any) -> Any:
    """The detection itself, where marks stand around it."""
    return part.detection if isinstance(part, MarkedDetection) else part


def newest_run(part: Any) -> Any:
    """The detection that speaks of the newest periods, where changes of definition cut a series."""
    return part.runs[-1] if isinstance(part, MarkedDetection) else part


def register(app: typer.Typer) -> None:
    app.command("detect")(detect)


@on_counts
def detect(
    source: Source,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "auto",
    newest: Annotated[int, typer.Option(min=0, help="Assess the newest N periods only; 0: all.")] = 0,
    alarms: Annotated[bool, typer.Option("--alarms", help="Write rows of alarms only.")] = False,
    q: Annotated[str, typer.Option("--q", help="q-values across series, each period: bh or by.")] = "",
    q_within: Annotated[
        str,
        typer.Option(
            "--q-within", help="Column of a group of series, such as the province: found only where it is."
        ),
    ] = "",
    plot: Annotated[str, typer.Option(help="Series to draw; default the one with the newest alarm.")] = "",
    mark: Marks = None,
    set_: Set = None,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Early warning: expected, upper bound, p-value, alarm and why, for each series and period.

    bihuan epi detect counts.csv --method farrington-flexible --newest 1 --out alarms.parquet --out last.png
    """
    spoken, outs = language(lang), check_outs(out)
    function, settled = method_named(method)
    read = source.read()
    options = settled | settings(set_, function, method=method)
    marks = marks_of(mark, read.panel.names)
    groups = groups_of(source, read, q_within) if q_within else None
    found = _detect(read.panel, function, options, marks, newest=newest)
    if q or groups:
        found = replace(found, q=_adjusted(found.joined("p_value"), groups, method=q or "bh"))
    facts, alarm = _facts(source, read, found, method), found.joined("alarm")
    answer = Answer(
        facts=facts,
        shown=_shown(found, read.panel, facts, spoken),
        sentences=list(_sentences(found, alarm, spoken)),
        rows=lambda: _rows(found, spoken, alarms_only=alarms),
        columns=_columns(found, marks),
        notes=said(read.notes, spoken) + warnings_told(found.warnings, spoken),
        draw=lambda path: _draw(found, alarm, plot, spoken, path),
    )
    give(answer, outs=outs, json=json)


def _facts(source: Source, read: Counts, found: Found, method: str) -> dict[str, Any]:
    """What is told of the whole, by the keys that programs read."""
    alarm, reason = found.joined("alarm"), found.joined("reason")
    unsaid = {
        code.name.lower(): int((reason == code).sum()) for code in Reason if code and (reason == code).any()
    }
    return {
        "file": str(source.file),
        "series": read.panel.n_series,
        "periods": f"{read.panel.n_times} {read.panel.frequency}",
        "from": str(read.panel.dates[0]),
        "until": str(read.panel.dates[-1]),
        "method": method,
        **({"chosen": _chosen(found)} if method == "auto" else {}),
        "alarms": int(alarm.sum()),
        "assessed": int((reason == Reason.ASSESSED).sum()),
        "reasons": unsaid,
    }


def method_named(name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The room's function for a method, and the parameters its name settles."""
    if name not in METHODS:
        raise InputError(
            f"no method is called {name!r}; there are {', '.join(METHODS)}",
            f"没有名为 {name!r} 的方法；可用的有 {'、'.join(METHODS)}",
            field="method",
        )
    function, settled = METHODS[name]
    return getattr(epi, function), dict(settled)


def _shown(found: Found, panel: Panel, facts: dict[str, Any], lang: str) -> dict[str, str]:
    """Periods, methods and reasons in words."""
    chinese = lang.startswith("zh")
    told = {"periods": periods(panel.n_times, panel.frequency)}
    labels: Counter[str] = Counter()
    for part, i in found.places():
        if "chosen" in facts:
            method = newest_run(part).method_of(i)
            labels[method.label_zh if chinese else method.label_en] += 1
    if labels:
        told["chosen"] = listed(labels.items(), chinese=chinese)
    reasons = [(REASONS[Reason[code.upper()]][chinese], n) for code, n in facts["reasons"].items()]
    return told | ({"reasons": listed(reasons, chinese=chinese)} if reasons else {})


def _chosen(found: Found) -> dict[str, int]:
    """How many series were given each method."""
    return dict(Counter(choice.name for part in found.parts for choice in newest_run(part).choices))


def _detect(
    panel: Panel,
    function: Callable[..., Any],
    options: dict[str, Any],
    marks: Sequence[Mark],
    *,
    newest: int,
) -> Found:
    at = range(max(0, panel.n_times - newest), panel.n_times) if newest else None
    run = partial(_call, function, options=options, at=at)
    parts: list[Any] = []
    warnings: list[QualityWarning] = []
    with working(_("detecting"), panel.n_series) as progress:
        for first in range(0, panel.n_series, BLOCK):
            block = _part(panel, slice(first, first + BLOCK))
            own = [one for one in marks if one.series is None or one.series in block.names]
            parts.append(detect_with_marks(run, block, marks=own) if marks else run(block))
            warnings += parts[-1].warnings if marks else jumps(block)
            progress.advance(block.n_series)
    return Found(parts, None, warnings)


def _adjusted(p: np.ndarray, groups: list[str] | None, *, method: Any) -> np.ndarray:
    """q-values across series, each period by itself; of two levels where series stand in groups."""
    if groups is None:
        return np.stack([epi.q_values(column, method=method) for column in p.T], axis=1)
    return np.stack([epi.hierarchical_q_values(column, groups, method=method).q for column in p.T], axis=1)


def groups_of(source: Source, read: Counts, column: str) -> list[str]:
    """The group of every series, in their order; InputError where a series stands in two."""
    named = read.columns.series
    if not named or not read.columns.count:
        raise InputError(
            "--q-within needs a column that names the series beside the one of their groups",
            "--q-within 需要一列给出序列名称，另一列给出其分组",
            field="q_within",
        )
    wanted = {"series": Wanted(named, "text", True), "group": Wanted(column, "text", True)}
    cells = read_columns(source.file, wanted, where=source.how.where, encoding=source.how.encoding)
    group: dict[str, str] = {}
    for name, own in dict.fromkeys(zip(cells["series"].tolist(), cells["group"].tolist(), strict=True)):
        if group.setdefault(name, own) != own:
            raise InputError(
                f"{name!r} stands in two groups of {column!r}: {group[name]!r} and {own!r}; "
                "name the series by more columns (--series A,B)",
                f"{name!r} 在“{column}”列中属于两组：{group[name]!r} 与 {own!r}；"
                "请用更多列区分序列（--series A,B）",
                field="q_within",
            )
    return [group[name] for name in read.panel.names]


def _call(function: Callable[..., Any], block: Panel, *, options: dict[str, Any], at: range | None) -> Any:
    try:
        return function(block, **({"at": list(at)} if at is not None else {}), **options)
    except TypeError as error:
        raise InputError(
            f"a parameter has a value of the wrong kind: {error}", f"参数值的类型不对：{error}", field="set"
        ) from error


def _part(panel: Panel, rows: slice) -> Panel:
    population = None if panel.population is None else panel.population[rows]
    return Panel(panel.counts[rows], panel.dates, panel.frequency, panel.names[rows], population)


def _sentences(found: Found, alarm: np.ndarray, lang: str) -> Iterator[str]:
    """Alarms, the newest first; without one, the newest period of the first series."""
    places = list(found.places())
    order = sorted(np.argwhere(alarm).tolist(), key=lambda place: (-place[1], place[0]))
    for i, t in islice(order, MOST_EXPLAINED):
        part, own = places[i]
        yield part.explain(lang, series=own, time=t)
    if not order:
        yield places[0][0].explain(lang, series=0)


def _rows(found: Found, lang: str, *, alarms_only: bool) -> Iterator[dict[str, Any]]:
    """The rows of every series, with q-value where asked, and the sentence where there is an alarm."""
    first = 0
    for part in found.parts:
        n, t = bare(part).alarm.shape
        for k, row in enumerate(part.rows()):
            i, time = divmod(k, t)
            if alarms_only and not row["alarm"]:
                continue
            q = {} if found.q is None else {"q_value": _number(found.q[first + i, time])}
            text = part.explain(lang, series=i, time=time) if row["alarm"] else ""
            yield {**row, **q, "explained": text}
        first += n


def _columns(found: Found, marks: Sequence[Mark]) -> columns.Schema:
    """Those of the rows, also where there is no alarm to write."""
    marked = columns.MARKED if marks else {}
    q = {} if found.q is None else columns.Q_VALUE
    return {**columns.ALARMS, **marked, **q, **columns.EXPLAINED}


def _draw(found: Found, alarm: np.ndarray, name: str, lang: str, path: Path) -> None:
    places = list(found.places())
    if name:
        parts = [bare(part) for part in found.parts]
        part: Detection = next((one for one in parts if name in one.panel.names), parts[0])
        part.plot(series=name, lang=lang, path=str(path))
        return
    newest = np.where(alarm.any(axis=1), alarm.shape[1] - np.argmax(alarm[:, ::-1], axis=1), 0)
    part, own = places[int(newest.argmax())]
    bare(part).plot(series=own, lang=lang, path=str(path))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
