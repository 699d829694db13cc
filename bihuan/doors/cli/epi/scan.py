"""`bihuan epi scan`: where and when cases cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.columns import CLUSTERS
from bihuan.doors.cli.epi.options import Lang, Out, Source, on_counts, said
from bihuan.doors.cli.epi.output import Answer, check_outs, give, periods, working
from bihuan.doors.cli.epi.parameters import Set, settings
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.errors import InputError
from bihuan.epi.scan import Scan
from bihuan.epi.scan import scan as scan_of
from bihuan.epi.series import Frequency, Panel
from bihuan.epi.tables import Note, Wanted, open_table, read_columns
from bihuan.epi.tables.roles import POPULATIONS, SERIES

MOST_REPLICATIONS = 100_000
MODELS = ("permutation", "poisson", "expectation")
ACROSS = (("x", "y"), ("lon", "lat"), ("longitude", "latitude"), ("经度", "纬度"))
ON_EARTH = ("lon", "longitude", "经度")


def register(app: typer.Typer) -> None:
    app.command("scan")(scan)


@on_counts
def scan(
    source: Source,
    locations: Annotated[
        Path, typer.Option(help="Table of the places: name, x and y (or lon and lat), and population if any.")
    ],
    model: Annotated[str, typer.Option(help=f"One of {', '.join(MODELS)}.")] = "permutation",
    retrospective: Annotated[bool, typer.Option("--retrospective", help="Windows may end anywhere.")] = False,
    duration: Annotated[
        int | None, typer.Option(min=1, help="Longest window, in periods. Default: half of all.")
    ] = None,
    share: Annotated[float, typer.Option(help="Widest circle, as a share of the whole.")] = 0.5,
    replications: Annotated[
        int, typer.Option(min=0, max=MOST_REPLICATIONS, help="Replications for the p-value.")
    ] = 999,
    seed: Annotated[int, typer.Option(help="Of the replications.")] = 20051,
    set_: Set = None,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Scan for clusters: circles of all sizes around all places, windows of all lengths.

    bihuan epi scan cases.csv --locations places.csv --duration 14 --out clusters.csv --out clusters.png
    """
    spoken, outs = language(lang), check_outs(out)
    read = source.read()
    places = Places.read(locations)
    panel, notes = places.matched(read.panel, source.how.gaps == "zero")
    options: dict[str, Any] = {
        "model": model,
        "prospective": not retrospective,
        "max_duration": duration,
        "max_share": share,
        "replications": replications,
        "seed": seed,
        "distance": places.distance,
        "population": places.population_of(panel) if model == "poisson" else None,
    } | settings(set_, scan_of, method="scan")
    points = {name: places.points[name] for name in panel.names}
    with working(_("scanning")):
        found: Scan = scan_of(panel, points, **options)
    told = said([*read.notes, *notes], spoken)
    answer = _answer(found, source, points, frequency=panel.frequency, notes=told, lang=spoken)
    give(answer, outs=outs, json=json)


def _answer(
    found: Scan,
    source: Source,
    points: Mapping[str, tuple[float, float]],
    *,
    frequency: Frequency,
    notes: Sequence[str],
    lang: str,
) -> Answer:
    """What is told of the clusters that were found."""
    return Answer(
        facts={
            "file": str(source.file),
            "places": len(found.names),
            "periods": f"{found.n_periods} {frequency}",
            "from": str(found.first),
            "until": str(found.last),
            "cases": found.total,
            "model": found.model,
            "prospective": found.prospective,
            "replications": found.replications,
            "clusters": len(found.clusters),
            "significant": len(found.significant()),
        },
        sentences=[found.explain(lang, cluster=one.rank) for one in found.clusters] or [found.explain(lang)],
        rows=found.rows,
        columns=CLUSTERS,
        shown={"periods": periods(found.n_periods, frequency)},
        notes=notes,
        draw=lambda path: found.plot(locations=points, lang=lang, path=str(path)),
    )


class Places:
    """Points of places, their population where the table has it, and how distances are measured."""

    def __init__(
        self, points: dict[str, tuple[float, float]], population: dict[str, float], distance: str
    ) -> None:
        self.points, self.population, self.distance = points, population, distance

    @classmethod
    def read(cls, path: Path) -> Places:
        """By the names of the columns; InputError says what is missing."""
        with open_table(path) as table:
            known = {name.strip().casefold(): name for name in table.columns}
        across = next(((x, y) for x, y in ACROSS if x in known and y in known), None)
        named = next((known[name] for name in ("code", "代码", *SERIES) if name in known), "")
        if across is None or not named:
            found = ", ".join(known.values())
            raise InputError(
                f"{path.name} needs columns name, x and y (or lon and lat); it has {found}",
                f"{path.name} 需要 name、x、y（或 lon、lat）列；现有 {found}",
                field="locations",
            )
        x, y = across
        wanted = {
            "name": Wanted(named, "text", True),
            "x": Wanted(known[x], "number", True),
            "y": Wanted(known[y], "number", True),
        }
        people = next((known[name] for name in POPULATIONS if name in known), "")
        if people:
            wanted["population"] = Wanted(people, "number")
        read = read_columns(path, wanted)
        names = [str(name) for name in read["name"]]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise InputError(
                f"{path.name} has {twice!r} twice; keep one row a place",
                f"{path.name} 中 {twice!r} 出现两次；每个地点只留一行",
                field="locations",
            )
        points = dict(zip(names, zip(read["x"].tolist(), read["y"].tolist(), strict=True), strict=True))
        counted = dict(zip(names, read["population"].tolist(), strict=True)) if people else {}
        return cls(points, counted, "great_circle" if x in ON_EARTH else "euclidean")

    def matched(self, panel: Panel, with_empty: bool) -> tuple[Panel, list[Note]]:
        """The panel with a series for every place, or a note on places without one."""
        unknown = [name for name in panel.names if name not in self.points]
        if unknown:
            raise InputError(
                f"{len(unknown)} places of the cases have no location, such as {unknown[0]!r}",
                f"{len(unknown)} 个病例地点没有坐标，例如 {unknown[0]!r}",
                field="locations",
            )
        more = [name for name in self.points if name not in panel.names]
        if not more:
            return panel, []
        if not with_empty:
            note = Note(
                f"{len(more)} places have no row of cases and are left out (--gaps zero: they had none)",
                f"{len(more)} 个地点没有病例行，未纳入（--gaps zero：按零病例纳入）",
            )
            return panel, [note]
        counts = np.vstack([panel.counts, np.zeros((len(more), panel.n_times))])
        return replace(panel, counts=counts, names=(*panel.names, *more), population=None), []

    def population_of(self, panel: Panel) -> list[float] | None:
        """In the order of the panel; None when the panel brings its own."""
        if panel.population is not None and not self.population:
            return None
        missing = next((n for n in panel.names if not self.population.get(n, 0) > 0), None)
        if missing is not None:
            raise InputError(
                f"the Poisson scan needs the population of each place; {missing!r} has none above zero",
                f"泊松扫描需要每个地点的人口数；{missing!r} 没有大于零的人口数",
                field="population",
            )
        return [self.population[name] for name in panel.names]
