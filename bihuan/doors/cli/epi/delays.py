"""`bihuan epi delays`: how long it takes from one date to another, and what is still to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan import epi
from bihuan.doors.cli.epi.options import DAY, Encoding, Lang, Out, Where, conditions, language, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.output import Json
from bihuan.epi.errors import EpiError, InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.tables.counts import UNKNOWN

KINDS = ("delay", "serial-interval", "incubation")


def register(app: typer.Typer) -> None:
    app.command("delays")(delays)


@on_file
def delays(
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
    bootstrap: Annotated[int, typer.Option(min=0, help="Intervals by this many resamples.")] = 0,
    where: Where = None,
    encoding: Encoding = "",
    plot: Annotated[str, typer.Option(help="Group to draw; default the first.")] = "",
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Delays, serial intervals and incubation periods, with censoring and truncation seen to.

    bihuan epi delays linelist.csv --from date_onset --to date_report --until 2020-02-20 --out delays.csv
    """
    spoken, outs = language(lang), check_outs(out)
    if kind not in KINDS:
        raise InputError(
            f"no kind is called {kind!r}; there are {', '.join(KINDS)}",
            f"没有名为 {kind!r} 的类型；可用的有 {'、'.join(KINDS)}",
            field="kind",
        )
    names = {"a": from_, "b": to, "a2": from_latest, "b2": to_latest}
    wanted = {key: Wanted(name, "date") for key, name in names.items() if name}
    if by:
        wanted["by"] = Wanted(by)
    read = read_columns(file, wanted, where=conditions(where), encoding=encoding or None)
    options: dict[str, Any] = {"until": until.date() if until else None, "bootstrap": bootstrap}
    if families:
        options["families"] = tuple(word.strip() for word in families.split(","))
    if kind == "delay":
        options["what"] = (f"From {from_} to {to}", f"{from_} 至 {to}")
    groups = _groups(read, by)
    found, failed = {}, {}
    with working(_("fitting"), len(groups)) as progress:
        for name, rows in groups.items():
            try:
                found[name] = _fit(kind, {key: values[rows] for key, values in read.items()}, options)
            except EpiError as error:
                if len(groups) == 1:
                    raise
                failed[name] = error
            progress.advance()
    if plot and plot not in found:
        raise InputError(
            f"no group called {plot!r} was fitted; there are {', '.join(found)}",
            f"没有已拟合的组 {plot!r}；现有 {'、'.join(found)}",
            field="plot",
        )
    drawn = plot or next(iter(found), "")
    answer = Answer(
        facts={"file": str(file), "kind": kind, "rows": int(read["row"].size), "groups": len(groups)},
        sentences=[
            f"{name}{':' if name else ''} {one.explain(spoken)}".strip() for name, one in found.items()
        ],
        rows=lambda: _rows(found, by),
        notes=[f"{name}: {error.text(spoken)}" for name, error in failed.items()],
        draw=_drawing(found.get(drawn), spoken),
    )
    give(answer, outs=outs, json=json)


def _groups(read: dict[str, Any], by: str) -> dict[str, Any]:
    """Rows of each group; one group without a name when nobody asked for groups."""
    if not by:
        return {"": slice(None)}
    return {str(name) or UNKNOWN: read["by"] == name for name in sorted(set(read["by"].tolist()))}


def _fit(kind: str, read: dict[str, Any], options: dict[str, Any]) -> Any:
    a, b, a2, b2 = read["a"], read["b"], read.get("a2"), read.get("b2")
    if kind == "delay":
        return epi.delay_distribution(a, b, start_latest=a2, end_latest=b2, **options)
    if kind == "serial-interval":
        return epi.serial_interval(a, b, infector_latest=a2, infectee_latest=b2, **options)
    ends = a2 if a2 is not None else np.full(a.size, np.datetime64("NaT"))
    return epi.incubation(a, ends, b, onset_latest=b2, **options)


def _rows(found: dict[str, Any], by: str) -> Iterator[dict[str, Any]]:
    for name, one in found.items():
        for row in one.rows():
            yield ({by: name} if by else {}) | row


def _drawing(one: Any, lang: str) -> Callable[[Path], Any] | None:
    return None if one is None else lambda path: one.plot(lang=lang, path=str(path))
