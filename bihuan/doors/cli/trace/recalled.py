"""`bihuan trace recalled`: contacts that records show, and those that people recalled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.columns import RECALLED
from bihuan.doors.cli.epi.options import Encoding, Lang, Out, Where, conditions, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.doors.cli.trace.options import key_of_people
from bihuan.doors.cli.trace.places import span
from bihuan.doors.cli.visits.options import Store, mapping_of, store_folder
from bihuan.epi.errors import InputError
from bihuan.epi.recalled import EDGES, read_diaries, recalled
from bihuan.epi.visits import VisitStore


def register(app: typer.Typer) -> None:
    app.command("recalled")(recalled_command)


@on_file
def recalled_command(
    diaries: Annotated[
        Path,
        typer.Option("--diaries", metavar="FILE", help="Table: reporter, contact, and what was told of it."),
    ],
    since: Annotated[str, typer.Option("--from", help="The first day or minute the diaries tell of.")],
    until: Annotated[str, typer.Option("--to", help="The last one; a day means to its end.")],
    minutes: Annotated[
        str, typer.Option(help="Minutes at which classes of contacts begin, above the first.")
    ] = ",".join(map(str, EDGES)),
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="COLUMN=NAME", help="What a column of the diaries is: reporter, contact, told."
        ),
    ] = None,
    where: Where = None,
    encoding: Encoding = "",
    out: Out = None,
    store: Store = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Hold contacts that the records show against those that people wrote down or told. Counts only.

    bihuan trace recalled --diaries diaries.csv --from 2020-02-08 --to 2020-02-08 --out recalled.csv
    """
    spoken, outs, opened = language(lang), check_outs(out), VisitStore(store_folder(store))
    begin, end = span(since, until, opened)
    told = read_diaries(
        opened, diaries, key=key_of_people, given=mapping_of(map_), where=conditions(where),
        encoding=encoding or None,
    )  # fmt: skip
    with working(_("tracing")):
        found = recalled(opened, told, since=begin, until=end, edges=_edges(minutes))
    answer = Answer(
        facts={"writers": found.writers, "entries": found.entries, "strangers": found.strangers},
        sentences=[one.explain(spoken) for one in (*found.measured, *found.named)],
        rows=found.rows,
        columns=RECALLED,
        notes=[_("Neither is the truth of the other: records miss whom they do not reach, people forget.")],
    )
    give(answer, outs=outs, json=json)


def _edges(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise InputError(
            f"minutes are whole numbers such as 5,15,60; not {text!r}",
            f"分钟应为整数，如 5,15,60；现为 {text!r}",
            field="minutes",
        ) from None
