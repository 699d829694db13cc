"""`bihuan trace`: who was present where the cases were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi import columns
from bihuan.doors.cli.epi.options import Lang, Out, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.doors.cli.trace.options import CASES, CaseList, Machine, case_list, machine_of, notes_on
from bihuan.doors.cli.visits.options import Store, store_folder
from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.visits import VisitStore, by_day, trace
from bihuan.epi.visits.day_answers import SharedDays
from bihuan.epi.visits.risk import Scored, scored
from bihuan.epi.visits.windows import Windows


def register(app: typer.Typer) -> None:
    app.callback()(contacts)


@on_file
@grouped(listed=case_list, machine=machine_of)
def contacts(
    ctx: typer.Context,
    listed: CaseList,
    machine: Machine,
    cases: Annotated[Path | None, CASES] = None,
    second: Annotated[
        bool, typer.Option("--second-order", help="Also whom those met, from their first meeting on.")
    ] = False,
    margin: Annotated[int, typer.Option(min=0, max=1440, help="Minutes before and after that count.")] = 0,
    days_before: Annotated[
        int, typer.Option(min=0, max=60, help="With onset: from so many days before.")
    ] = 2,
    weights: Annotated[
        Path | None, typer.Option(help="Table place, weight: settings that count more or less than 1.")
    ] = None,
    why: Annotated[int, typer.Option(min=0, max=1000, help="Tell every encounter of the first N names.")] = 0,
    out: Out = None,
    store: Store = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """List everybody present where the cases were, in the order of a stated score.

    bihuan trace --cases cases.csv --margin 15 --second-order --out candidates.csv
    """
    if ctx.invoked_subcommand is not None:
        return
    if cases is None:
        raise InputError("name a file of cases: --cases FILE", "请指定病例文件：--cases FILE", field="cases")
    spoken, outs, opened = language(lang), check_outs(out), VisitStore(store_folder(store))
    _refuse_minutes(opened, margin=margin, weights=weights)
    read = listed.read(opened, cases, days_before=days_before)
    counted = _weights(weights)
    with working(_("tracing")), machine.engine() as way:
        first, then = _met(opened, read.windows, way, margin=margin, weights=counted, second=second)
    facts = {
        "cases": read.windows.size, "engine": machine.by.value, "margin": margin, "candidates": first.size
    }  # fmt: skip
    if then is not None:
        facts["second_order"] = then.size
    answer = Answer(
        facts=facts, sentences=_told(first, why, spoken),
        notes=notes_on(opened, read, first.size > 0, spoken) + _without_place(opened, counted, spoken),
        rows=lambda: [*_named(opened, first, order=1), *(_named(opened, then, order=2) if then else ())],
        columns=columns.CANDIDATES_BY_DAY if by_day.is_by_day(opened) else columns.CANDIDATES,
    )  # fmt: skip
    give(answer, outs=outs, json=json)


Listed = Scored | SharedDays


def _met(
    store: VisitStore,
    windows: Windows,
    way: trace.Engine,
    *,
    margin: int,
    weights: dict[str, float],
    second: bool,
) -> tuple[Listed, Listed | None]:
    """Those who met the cases, and if asked for those whom these met: scored, or of a store by the day by the
    days they shared."""
    days = by_day.is_by_day(store)
    first: Listed
    if days:
        first = SharedDays.of(way(store, windows), store, windows)
    else:
        first = scored(store, windows, margin=margin, weights=weights, engine=way)
    if not second:
        return first, None
    met = trace.second_order(store, windows, first.met, margin=margin, engine=way)
    sources = trace.sources_of(windows, first.met)
    if days:
        return first, SharedDays.of(met, store, sources)
    return first, scored(store, sources, margin=margin, weights=weights, among=met)


def _refuse_minutes(store: VisitStore, *, margin: int, weights: Path | None) -> None:
    if by_day.is_by_day(store) and (margin or weights):
        raise InputError(
            "this store knows days only: --margin and --weights count minutes",
            "该库只有按日记录：--margin 与 --weights 以分钟计，不适用",
            field="margin" if margin else "weights",
        )


def _told(listed: Listed, why: int, lang: str) -> list[str]:
    """Every encounter of the first `why` names; of the others, to the twentieth, the sum."""
    told = [line for rank in range(min(why, listed.size)) for line in listed.explain(lang, rank=rank)]
    return told + [listed.total(rank, lang) for rank in range(why, min(listed.size, 20))]


def _weights(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    read = read_columns(
        path, {"place": Wanted("place", "text", True), "weight": Wanted("weight", "number", True)}
    )
    places = [str(place) for place in read["place"]]
    twice = next((place for place, n in Counter(places).items() if n > 1), None)
    if twice is not None:
        raise InputError(
            f"{path.name} weighs {twice!r} twice; keep one row of it",
            f"{path.name} 中 {twice!r} 有两个权重；请只保留一行",
            field="weights",
        )
    return dict(zip(places, read["weight"].tolist(), strict=True))


def _without_place(store: VisitStore, weights: dict[str, float], lang: str) -> list[str]:
    """A weight of a place that the store does not know changes nothing, and is told."""
    unknown = [place for place in weights if store.places.find(place) < 0]
    if not unknown:
        return []
    n, some = len(unknown), repr(unknown[0])
    if lang.startswith("zh"):
        return [f"{n} 个权重的场所不在库中，不起作用（例如 {some}）"]
    return [f"{n} weights are of places the store does not know, and change nothing (such as {some})"]


def _named(store: VisitStore, listed: Listed, *, order: int) -> Iterator[dict[str, Any]]:
    """Rows as they are given out. A list may hold everybody: keyed numbers are looked up all at once."""
    rows = listed.rows()
    keys = store.people.keys[np.array([row["person"] for row in rows], np.int64)].tolist()
    for row, key in zip(rows, keys, strict=True):
        found = {"order": order, "rank": row["rank"], "person": row["person"]}
        yield found | {"keyed_number": f"{key:016x}"} | row
