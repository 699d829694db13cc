"""`bihuan chains`: chains of transmission from a line list and its links; needs no database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi import columns
from bihuan.doors.cli.epi.options import Encoding, Lang, Out, Where, conditions, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.given import to_write
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.epi.chains import ChainGraph, Picture, Plausible, chain_graph, likely_infectors, picture
from bihuan.epi.chains.files import case_rows, day_text, graphml, link_rows
from bihuan.epi.chains.graph import INFECTIOUS_BEFORE
from bihuan.epi.chains.reading import LineList, read_line_list
from bihuan.epi.chains.sentences import ODD_WORDS
from bihuan.epi.chains.statistics import describe
from bihuan.epi.errors import InputError
from bihuan.epi.reproduction import discretized_si

app = typer.Typer(
    no_args_is_help=True,
    help="Chains of transmission from line list and links: statistics, pictures, files, likely infectors.",
)

GRAPHML = ".graphml"
MOST_DAYS = 36_500  # a hundred years

File = Annotated[Path, typer.Argument(metavar="LINELIST", help="Cases: CSV, Parquet or JSON.")]
Links = Annotated[
    Path | None,
    typer.Option("--links", metavar="FILE", help="Table of links; without one, a column of the line list."),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column", metavar="KEY=COLUMN",
        help="Where id, onset, day, infected_from, territory, setting or classification stands; repeatable.",
    ),
]  # fmt: skip
LinkColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--link-column", metavar="KEY=COLUMN",
        help="Where infector, infectee, support, setting or source of a link stands; repeatable.",
    ),
]  # fmt: skip
Before = Annotated[
    int,
    typer.Option(
        "--infectious-before", min=0, max=60, help="Days before onset one can infect; else impossible."
    ),
]


@dataclass(frozen=True, slots=True)
class Read:
    """A line list as a graph; `notes` on what was left out."""

    graph: ChainGraph
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Source:
    """A line list, its links, and how both are to be read."""

    file: Path
    links: Path | None
    columns: dict[str, str]
    link_columns: dict[str, str]
    where: tuple[tuple[str, str], ...]
    encoding: str | None

    def line_list(self, *, without_links: bool = False) -> LineList:
        """`without_links`: a file that names no links will do."""
        return read_line_list(
            self.file,
            self.links,
            columns=self.columns,
            link_columns=self.link_columns,
            where=self.where,
            encoding=self.encoding,
            without_links=without_links,
        )

    def graph(self, *, infectious_before: int, lang: str) -> Read:
        found = self.line_list()
        graph = chain_graph(found.cases, found.ties, plausible=Plausible(infectious_before=infectious_before))
        return Read(graph, _without_case(found.without, lang))


def _source(
    file: File,
    links: Links = None,
    column: Columns = None,
    link_column: LinkColumns = None,
    where: Where = None,
    encoding: Encoding = "",
) -> Source:
    """The options on a line list and its links."""
    return Source(
        file, links, dict(conditions(column)), dict(conditions(link_column)), conditions(where),
        encoding or None,
    )  # fmt: skip


@app.command("stats")
@on_file
@grouped(source=_source)
def stats_command(
    source: Source,
    infectious_before: Before = INFECTIOUS_BEFORE,
    unripe_days: Annotated[
        int,
        typer.Option(
            min=0, max=MOST_DAYS, help="Cases of the last N days are not asked how many they infected."
        ),
    ] = 0,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Serial interval, generations, offspring distribution, superspreading share, links that cannot be.

    bihuan chains stats linelist.csv --links contacts.csv --out statistics.csv
    """
    spoken, outs = language(lang), check_outs(out)
    read = source.graph(infectious_before=infectious_before, lang=spoken)
    with working(_("fitting")):
        found = describe(read.graph, unripe_days=unripe_days)
    facts = {"file": str(source.file), "cases": found.cases, "links": found.links, "chains": found.chains}
    give(
        Answer(
            facts=facts,
            sentences=[*found.explain(spoken), *_impossible(read.graph, spoken)],
            rows=lambda: found.rows(),
            notes=read.notes,
            draw=lambda path: _draw(picture(read.graph), path, spoken),
        ),
        outs=outs,
        json=json,
    )


@app.command("graph")
@on_file
@grouped(source=_source)
def graph_command(
    source: Source,
    infectious_before: Before = INFECTIOUS_BEFORE,
    most: Annotated[int, typer.Option(min=20, help="Marks to draw at most; more cases are bundled.")] = 2000,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Draw the tree by onset, or list what is drawn: marks with their day, lane and number of cases.

    bihuan chains graph linelist.csv --links contacts.csv --out chains.svg
    """
    spoken, outs = language(lang), check_outs(out)
    read = source.graph(infectious_before=infectious_before, lang=spoken)
    drawn = picture(read.graph, most=most)
    facts = {
        "file": str(source.file),
        "cases": read.graph.n,
        "marks": drawn.drawn,
        "lanes": drawn.layout.lanes,
    }
    answer = Answer(
        facts=facts,
        sentences=_impossible(read.graph, spoken),
        rows=lambda: _mark_rows(drawn),
        columns=columns.MARKS,
        notes=read.notes,
        draw=lambda path: _draw(drawn, path, spoken),
    )
    give(answer, outs=outs, json=json)


@app.command("export")
@on_file
@grouped(source=_source)
def export_command(
    source: Source,
    out: Annotated[
        list[Path],
        typer.Option("--out", help=".graphml, or a table: .csv .parquet .json; repeatable."),
    ],
    infectious_before: Before = INFECTIOUS_BEFORE,
    cases: Annotated[bool, typer.Option("--cases", help="A table of cases instead of links.")] = False,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Write the graph for network programs (GraphML), or its links or cases as a table.

    bihuan chains export linelist.csv --links contacts.csv --out chains.graphml --out links.csv
    """
    spoken = language(lang)
    outs = check_outs([path for path in out if path.suffix.lower() != GRAPHML])
    graphs = [to_write(path) for path in out if path.suffix.lower() == GRAPHML]
    read = source.graph(infectious_before=infectious_before, lang=spoken)
    answer = Answer(
        facts={"file": str(source.file), "cases": read.graph.n, "links": int(read.graph.source.size)},
        sentences=_impossible(read.graph, spoken),
        rows=lambda: case_rows(read.graph) if cases else link_rows(read.graph),
        columns=columns.CASES if cases else columns.LINKS,
        notes=read.notes,
    )
    for path in filter(None, graphs):
        with path.open("w", encoding="utf-8") as file_:
            file_.writelines(graphml(read.graph))
        answer.written.append(path)
    give(answer, outs=outs, json=json)


@app.command("infectors")
@on_file
@grouped(source=_source)
def infectors_command(
    source: Source,
    generation: Annotated[
        str, typer.Option(metavar="MEAN,SD", help="Infection to infection, in days, such as 5,1.9.")
    ],
    incubation: Annotated[
        str, typer.Option(metavar="MEAN,SD", help="Infection to onset, in days, such as 5.5,2.4.")
    ],
    outside: Annotated[
        float, typer.Option(min=0, max=1, help="How likely a source not on the list is, beside the best.")
    ] = 0.0,
    least: Annotated[float, typer.Option(min=0.01, max=1, help="Least support that is listed.")] = 0.05,
    out: Out = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Who may have infected whom, from onsets and contacts, each with its support (Jombart 2014).

    bihuan chains infectors linelist.csv --links contacts.csv --generation 5,1.9 --incubation 5.5,2.4
    """
    spoken, outs = language(lang), check_outs(out)
    read = source.line_list(without_links=True)
    dated = [one for one in read.cases if one.onset is not None]
    known = {one.id for one in dated}
    contacts = [(t.infector, t.infectee) for t in read.ties if {t.infector, t.infectee} <= known]
    with working(_("inferring")):
        found = likely_infectors(
            {one.id: one.onset for one in dated},
            generation_time=_pmf(generation, "generation"),
            incubation=_pmf(incubation, "incubation"),
            contacts=contacts or None,
            outside=outside,
        )
    answer = Answer(
        facts={"file": str(source.file), "cases": len(dated)},
        sentences=[found.explain(spoken), *(found.explain(spoken, case=one.case) for one in found.cases)],
        rows=lambda: found.rows(least=least),
        columns=columns.INFECTORS,
        notes=_without_onset(len(read.cases) - len(dated), spoken) + _without_case(read.without, spoken),
        draw=lambda path: found.plot(lang=spoken, path=str(path)),
    )
    give(answer, outs=outs, json=json)


def _impossible(graph: ChainGraph, lang: str) -> list[str]:
    chinese = lang.startswith("zh")
    return [f"{a} → {b}: {ODD_WORDS[odd][chinese]}" for a, b, odd in graph.impossible()]


def _without_case(n: int, lang: str) -> list[str]:
    if not n:
        return []
    if lang.startswith("zh"):
        return [f"{n} 条关联的病例不在名单中或未写明，未计入"]
    return [f"{n} links name a case that is not listed, or one case only; they are left out"]


def _without_onset(n: int, lang: str) -> list[str]:
    if not n:
        return []
    return [
        f"{n} 例无发病日期，未参与推断" if lang.startswith("zh") else f"{n} cases without onset are left out"
    ]


def _pmf(text: str, field: str) -> Any:
    try:
        mean, sd = (float(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"--{field} is {text!r}; write mean and SD in days, such as 5,1.9",
            f"--{field} 为 {text!r}；请写均值与标准差（天），如 5,1.9",
            field=field,
        ) from None
    return discretized_si(mean, sd)


def _mark_rows(drawn: Picture) -> list[dict[str, Any]]:
    graph, marks = drawn.graph, drawn.marks
    return [
        {
            "mark": i,
            "case": graph.ids[marks.case[i]] if marks.case[i] >= 0 else "",
            "n": int(marks.n[i]),
            "day": day_text(int(marks.day[i])),
            "last": day_text(int(marks.last[i])),
            "lane": int(drawn.layout.lane[i]),
            "parent": int(marks.parent[i]) if marks.parent[i] >= 0 else None,
            "generation": int(marks.generation[i]),
        }
        for i in range(drawn.drawn)
    ]


def _draw(drawn: Picture, path: Path, lang: str) -> Any:
    from bihuan.epi.figures.chains import plot_picture

    return plot_picture(drawn, lang=lang, path=path)
