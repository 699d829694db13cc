"""`bihuan epi delays`: how long it takes from one date to another, and what is still to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan import epi
from bihuan.doors.cli.epi.columns import DELAYS
from bihuan.doors.cli.epi.options import DAY, Encoding, Lang, Out, Where, conditions, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.errors import EpiError, InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.counts import UNKNOWN

MOST_RESAMPLES = 100_000
KINDS = ("delay", "serial-interval", "incubation")


def register(app: typer.Typer) -> None:
    app.command("delays")(delays)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which delays of a file are fitted. `dates`: a and b, the first date and the second, to the columns they
    stand in; a2 and b2, the latest day each can be, where there are such columns."""

    file: Path
    where: tuple[tuple[str, str], ...]
    encoding: str | None
    dates: dict[str, str]
    kind: str
    by: str
    options: dict[str, Any]

    def read(self) -> dict[str, Any]:
        wanted = {key: Wanted(name, "date") for key, name in self.dates.items()}
        if self.by:
            wanted["by"] = Wanted(self.by)
        return read_columns(self.file, wanted, where=self.where, encoding=self.encoding)

    def fit(self, read: Mapping[str, Any]) -> Any:
        """The distribution of one group."""
        a, b, a2, b2 = read["a"], read["b"], read.get("a2"), read.get("b2")
        if self.kind == "serial-interval":
            return epi.serial_interval(a, b, infector_latest=a2, infectee_latest=b2, **self.options)
        if self.kind == "incubation":
            ends = a2 if a2 is not None else np.full(a.size, np.datetime64("NaT"))
            return epi.incubation(a, ends, b, onset_latest=b2, **self.options)
        names = self.dates["a"], self.dates["b"]
        what = ("From {} to {}".format(*names), "{} 至 {}".format(*names))
        return epi.delay_distribution(a, b, start_latest=a2, end_latest=b2, what=what, **self.options)


def _asked(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A line list, or pairs: CSV, Parquet, JSON.")],
    from_: Annotated[
        str, typer.Option("--from", help="Column of the first date; the infector's onset; exposure begins.")
    ],
    to: Annotated[str, typer.Option("--to", help="Column of the second date; the infectee's onset; onset.")],
    from_latest: Annotated[
        str, typer.Option(help="Column of the latest day the first date can be; exposure ends.")
    ] = "",
    to_latest: Annotated[str, typer.Option(help="Column of the latest day the second can be.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "delay",
    by: Annotated[str, typer.Option(help="Column to tell groups apart.")] = "",
    until: Annotated[
        datetime | None,
        typer.Option(formats=DAY, help="Last day anything was seen: corrects for what had not ended."),
    ] = None,
    families: Annotated[str, typer.Option(help="Such as gamma,lognormal. Default: all that fit.")] = "",
    bootstrap: Annotated[
        int, typer.Option(min=0, max=MOST_RESAMPLES, help="Intervals by this many resamples.")
    ] = 0,
    where: Where = None,
    encoding: Encoding = "",
) -> Asked:
    """The options on delays and the file they stand in."""
    if kind not in KINDS:
        raise InputError(
            f"no kind is called {kind!r}; there are {', '.join(KINDS)}",
            f"没有名为 {kind!r} 的类型；可用的有 {'、'.join(KINDS)}",
            field="kind",
        )
    columns = {"a": from_, "b": to, "a2": from_latest, "b2": to_latest}
    options: dict[str, Any] = {"until": until.date() if until else None, "bootstrap": bootstrap}
    if families:
        options["families"] = tuple(word.strip() for word in families.split(","))
    dates = {key: name for key, name in columns.items() if name}
    return Asked(file, conditions(where), encoding or None, dates, kind, by, options)


@on_file
@grouped(asked=_asked)
def delays(
    asked: Asked,
    plot: Annotated[str, typer.Option(help="Group to draw; default the first.")] = "",
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Delays, serial intervals and incubation periods, with censoring and truncation seen to.

    bihuan epi delays linelist.csv --from date_onset --to date_report --until 2020-02-20 --out delays.csv
    """
    spoken, outs = language(lang), check_outs(out)
    read = asked.read()
    groups = _groups(read, asked.by)
    found, failed = _fitted(asked, read, groups)
    answer = Answer(
        facts={
            "file": str(asked.file),
            "kind": asked.kind,
            "rows": int(read["row"].size),
            "groups": len(groups),
        },
        sentences=[
            f"{name}{':' if name else ''} {one.explain(spoken)}".strip() for name, one in found.items()
        ],
        rows=lambda: _rows(found, asked.by),
        columns=({asked.by: str} if asked.by else {}) | dict(DELAYS),
        notes=[f"{name}: {error.text(spoken)}" for name, error in failed.items()],
        draw=_drawing(_drawn(found, plot), spoken),
    )
    give(answer, outs=outs, json=json)


def _fitted(
    asked: Asked, read: Mapping[str, Any], groups: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, EpiError]]:
    """What was fitted, and why the other groups were not. The only group there is must fit."""
    found: dict[str, Any] = {}
    failed: dict[str, EpiError] = {}
    with working(_("fitting"), len(groups)) as progress:
        for name, rows in groups.items():
            try:
                found[name] = asked.fit({key: values[rows] for key, values in read.items()})
            except EpiError as error:
                if len(groups) == 1:
                    raise
                failed[name] = error
            progress.advance()
    return found, failed


def _drawn(found: Mapping[str, Any], plot: str) -> Any:
    """The group that is drawn: as asked, else the first; None where nothing was fitted."""
    if plot and plot not in found:
        raise InputError(
            f"no group called {plot!r} was fitted; there are {', '.join(found)}",
            f"没有已拟合的组 {plot!r}；现有 {'、'.join(found)}",
            field="plot",
        )
    return found.get(plot or next(iter(found), ""))


def _groups(read: dict[str, Any], by: str) -> dict[str, Any]:
    """Rows of each group; one group without a name when nobody asked for groups."""
    if not by:
        return {"": slice(None)}
    return {str(name) or UNKNOWN: read["by"] == name for name in sorted(set(read["by"].tolist()))}


def _rows(found: dict[str, Any], by: str) -> Iterator[dict[str, Any]]:
    for name, one in found.items():
        for row in one.rows():
            yield ({by: name} if by else {}) | row


def _drawing(one: Any, lang: str) -> Callable[[Path], Any] | None:
    return None if one is None else lambda path: one.plot(lang=lang, path=str(path))
