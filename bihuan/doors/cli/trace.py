"""`bihuan trace`: who was where cases were, who was at a place, where cases were together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi.options import Encoding, Lang, Out, Where, language, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.visits import Store, key_path, store_folder
from bihuan.epi.errors import InputError
from bihuan.epi.tables import Wanted, read_columns
from bihuan.epi.visits import VisitStore, bulk, by_day, secret, trace
from bihuan.epi.visits.backward import BLOCK_MINUTES, common_places
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.cases import Cases, parse_time, read_cases
from bihuan.epi.visits.day_answers import SharedDays, common_row, common_sentence
from bihuan.epi.visits.drawn import drawn_places
from bihuan.epi.visits.risk import Scored, scored, times
from bihuan.epi.visits.spark import on_spark
from bihuan.epi.visits.windows import Windows

app = typer.Typer(
    invoke_without_command=True,
    help="Tracing: who was present where cases were, from the visit store. Names are numbers of the store.",
)

_CASES = typer.Option(
    "--cases",
    metavar="FILE",
    help="Table: person or keyed_number; from and to, or onset (CSV, Parquet, JSON).",
)


Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="COLUMN=NAME", help="What a column of the cases is: person, from, to, onset."
    ),
]
SkipUndated = Annotated[
    bool, typer.Option("--skip-undated", help="Leave out cases without a date, instead of refusing the file.")
]


class Sort(Enum):
    chance = "chance"
    cases = "cases"


class By(Enum):
    index_ = "index"
    duckdb = "duckdb"
    spark = "spark"


ENGINES: dict[By, trace.Engine] = {By.index_: trace.meet, By.duckdb: bulk.meet}
_MASTER = typer.Option(
    metavar="ADDRESS", help="With spark: where it runs (yarn, k8s://…, spark://…). Default: as configured."
)
_CONF = typer.Option(metavar="NAME=VALUE", help="With spark: a setting of Spark; repeatable.")
_FOLDER = typer.Option(metavar="ADDRESS", help="With spark: the store's folder as the cluster sees it.")


@app.callback()
@on_file
def contacts(
    ctx: typer.Context,
    cases: Annotated[Path | None, _CASES] = None,
    second: Annotated[
        bool, typer.Option("--second-order", help="Also whom those met, from their first meeting on.")
    ] = False,
    engine: Annotated[By, typer.Option(help="All give the same rows.")] = By.index_,
    spark_master: Annotated[str, _MASTER] = "",
    spark_conf: Annotated[list[str] | None, _CONF] = None,
    spark_folder: Annotated[str, _FOLDER] = "",
    margin: Annotated[int, typer.Option(min=0, max=1440, help="Minutes before and after that count.")] = 0,
    days_before: Annotated[
        int, typer.Option(min=0, max=60, help="With onset: from so many days before.")
    ] = 2,
    weights: Annotated[
        Path | None, typer.Option(help="Table place, weight: settings that count more or less than 1.")
    ] = None,
    why: Annotated[int, typer.Option(min=0, max=1000, help="Tell every encounter of the first N names.")] = 0,
    map_: Map = None,
    where: Where = None,
    skip_undated: SkipUndated = False,
    out: Out = None,
    store: Store = None,
    encoding: Encoding = "",
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
    days = by_day.is_by_day(opened)
    if days and (margin or weights):
        raise InputError(
            "this store knows days only: --margin and --weights count minutes",
            "该库只有按日记录：--margin 与 --weights 以分钟计，不适用",
            field="margin" if margin else "weights",
        )
    read = read_cases(
        opened, cases, key=_key, days_before=days_before, encoding=encoding or None,
        given=_pairs(map_, "map"), where=list(_pairs(where, "where").items()), skip_undated=skip_undated,
    )  # fmt: skip
    settings, spark = _weights(weights), (spark_master, _settings(spark_conf), spark_folder)
    with working(_("tracing")), _by(engine, *spark) as way:
        if days:
            first, then = _by_days(opened, read.windows, way, second=second)
        else:
            first, then = _by_score(opened, read.windows, way, margin=margin, weights=settings, second=second)
    sentences = [line for rank in range(min(why, first.size)) for line in first.explain(spoken, rank=rank)]
    sentences += [first.total(rank, spoken) for rank in range(why, min(first.size, 20))]
    facts = {"cases": read.windows.size, "engine": engine.value, "margin": margin, "candidates": first.size}
    if then is not None:
        facts["second_order"] = then.size
    answer = Answer(
        facts=facts, sentences=sentences, notes=_notes(read, first.size > 0, spoken),
        rows=lambda: [*_named(opened, first, order=1), *(_named(opened, then, order=2) if then else ())],
    )  # fmt: skip
    give(answer, outs=outs, json=json)


#: Above this share of cases among all people of a store, chance cannot be told from the rest.
_MANY_CASES = 0.2

Listed = Scored | SharedDays


def _by_score(
    store: VisitStore,
    windows: Windows,
    way: trace.Engine,
    *,
    margin: int,
    weights: dict[str, float],
    second: bool,
) -> tuple[Listed, Listed | None]:
    first = scored(store, windows, margin=margin, weights=weights, engine=way)
    if not second:
        return first, None
    met = trace.second_order(store, windows, first.met, margin=margin, engine=way)
    sources = trace.sources_of(windows, first.met)
    return first, scored(store, sources, margin=margin, weights=weights, among=met)


def _by_days(
    store: VisitStore, windows: Windows, way: trace.Engine, *, second: bool
) -> tuple[Listed, Listed | None]:
    first = SharedDays.of(way(store, windows), store, windows)
    if not second:
        return first, None
    met = trace.second_order(store, windows, first.met, engine=way)
    return first, SharedDays.of(met, store, trace.sources_of(windows, first.met))


@app.command("place")
@on_file
def place_command(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="Id of the place, as it was ingested.")],
    since: Annotated[str, typer.Option("--from", help="2020-02-08 or “2020-02-08 13:05”.")],
    until: Annotated[str, typer.Option("--to", help="A day means to its end.")],
    out: Out = None,
    store: Store = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """List who was at a place, and when.

    bihuan trace place P0000017 --from "2020-02-08 13:00" --to "2020-02-08 15:00"
    """
    outs, opened = check_outs(out), VisitStore(store_folder(store))
    begin, end = _time(since, "from", opened)[0], _time(until, "to", opened)[1]
    if opened.places.find(place) < 0:
        raise InputError(f"the store knows no place {place!r}", f"库中没有场所 {place!r}", field="place")
    found = trace.present_at(opened, place, begin, end)
    starts, ends = times([a for _p, a, _b in found]), times([b for _p, _a, b in found])
    if by_day.is_by_day(opened):
        starts, ends = ([text[:10] for text in told] for told in (starts, ends))
    rows = [
        {"person": p, "keyed_number": _keyed(opened, p), "from": a, "to": b}
        for (p, _a, _b), a, b in zip(found, starts, ends, strict=True)
    ]
    facts = {
        "place": place, "from": times([begin])[0], "to": times([end])[0], "stays": len(rows),
        "people": len({row["person"] for row in rows}),
    }  # fmt: skip
    lines = [f"{row['from']} – {row['to']}  {row['person']}" for row in rows[:1000]]
    give(Answer(facts=facts, sentences=lines, rows=lambda: rows), outs=outs, json=json)


@app.command("common")
@on_file
def common_command(
    cases: Annotated[Path, _CASES],
    days_before: Annotated[
        int, typer.Option(min=0, max=60, help="With onset: from so many days before.")
    ] = 14,
    at_least: Annotated[int, typer.Option(min=2, help="Cases that were there.")] = 2,
    block: Annotated[
        int,
        typer.Option(help="Minutes of a block of time; it divides a day. Of a store by the day: the day."),
    ] = BLOCK_MINUTES,
    sort: Annotated[
        Sort, typer.Option(help="What stands first: the least likely by chance, or the most cases.")
    ] = Sort.chance,
    any_time: Annotated[
        bool, typer.Option("--any-time", help="Places that drew several cases, together or not.")
    ] = False,
    map_: Map = None,
    where: Where = None,
    skip_undated: SkipUndated = False,
    out: Out = None,
    store: Store = None,
    encoding: Encoding = "",
    lang: Lang = "",
    json: Json = False,
) -> None:
    """List places and hours where several cases were together, the least likely by chance first.

    bihuan trace common --cases cases.csv --days-before 14
    """
    spoken, outs, opened = language(lang), check_outs(out), VisitStore(store_folder(store))
    days = by_day.is_by_day(opened)
    read = read_cases(
        opened, cases, key=_key, days_before=days_before, until_onset=True, encoding=encoding or None,
        given=_pairs(map_, "map"), where=list(_pairs(where, "where").items()), skip_undated=skip_undated,
    )  # fmt: skip
    block = DAY_MINUTES if days else block
    with working(_("tracing")):
        if any_time:
            drawn = drawn_places(opened, read.windows, at_least=at_least)
            rows, said = [one.row() for one in drawn], [one.explain(spoken) for one in drawn]
        else:
            found = common_places(opened, read.windows, at_least=at_least, block=block)
            if sort is Sort.cases:
                found.sort(key=lambda one: -len(one.cases))
            rows = [common_row(one) if days else one.row() for one in found]
            said = [common_sentence(one, spoken) if days else one.explain(spoken) for one in found]
    facts = {"cases": read.windows.size, "block": None if any_time else block, "found": len(rows)}
    notes = _notes(read, bool(rows), spoken) + ([] if any_time else _only_cases(read, opened, spoken))
    give(Answer(facts=facts, sentences=said, rows=lambda: rows, notes=notes), outs=outs, json=json)


@contextmanager
def _by(engine: By, master: str, options: dict[str, str], folder: str) -> Iterator[trace.Engine]:
    if engine in ENGINES:
        if master or options or folder:
            raise InputError(
                "--spark-… are for --engine spark", "--spark-… 只用于 --engine spark", field="engine"
            )
        yield ENGINES[engine]
        return
    with on_spark(master=master, options=options, folder=folder) as way:
        yield way


def _pairs(given: list[str] | None, field: str) -> dict[str, str]:
    found = {}
    for text in given or ():
        left, sign, right = text.partition("=") if field == "where" else text.rpartition("=")
        if not sign:
            raise InputError(f"“{text}” is not COLUMN=…", f"“{text}”不是 列=… 的形式", field=field)
        found[left.strip()] = right.strip()
    return found


def _settings(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not sign or not name.startswith("spark."):
            raise InputError(
                f"{text!r} is no setting such as spark.executor.memory=8g",
                f"{text!r} 不是设置，例如 spark.executor.memory=8g",
                field="spark-conf",
            )
        found[name] = value
    return found


def _key() -> bytes:
    return secret.load_key(key_path())


def _weights(path: Path | None) -> dict[str, float]:
    if path is None:
        return {}
    read = read_columns(
        path, {"place": Wanted("place", "text", True), "weight": Wanted("weight", "number", True)}
    )
    return dict(zip((str(p) for p in read["place"]), read["weight"].tolist(), strict=True))


def _named(store: VisitStore, listed: Listed, *, order: int) -> Iterator[dict[str, Any]]:
    """Rows as they are given out. A list may hold everybody: keyed numbers are looked up all at once."""
    rows = listed.rows()
    keys = store.people.keys[np.array([row["person"] for row in rows], np.int64)].tolist()
    for row, key in zip(rows, keys, strict=True):
        found = {"order": order, "rank": row["rank"], "person": row["person"]}
        yield found | {"keyed_number": f"{key:016x}"} | row


def _keyed(store: VisitStore, person: int) -> str:
    return f"{int(store.people.keys[person]):016x}"


def _time(text: str, field: str, store: VisitStore) -> tuple[int, int]:
    found = parse_time(text, store.offset)
    if found is None:
        raise InputError(
            f"{text!r} is no time such as 2020-02-08 or 2020-02-08 13:05",
            f"{text!r} 不是时间，例如 2020-02-08 或 2020-02-08 13:05",
            field=field,
        )
    return found


def _only_cases(read: Cases, store: VisitStore, lang: str) -> list[str]:
    """Chance is judged by those who are no cases: said where there are hardly any."""
    n, people = len(set(read.windows.person.tolist())), max(store.people.count, 1)
    if n <= _MANY_CASES * people:
        return []
    if lang.startswith("zh"):
        return [f"库中 {people} 人有 {n} 人是所问病例：无人群作比，p、q 不可信，请用 --sort cases"]
    return [
        f"{n} of {people} people in the store are the cases asked about: without others p and q tell nothing;"
        " use --sort cases"
    ]


def _notes(read: Cases, is_found: bool, lang: str) -> list[str]:
    zh, notes = lang.startswith("zh"), []
    if read.unseen:
        some = ", ".join(str(r) for r in read.unseen[:10])
        notes.append(
            f"{len(read.unseen)} 例病例从未出现在库中（文件记录号：{some}）"
            if zh
            else f"{len(read.unseen)} cases were never seen in the store (records {some} of the file)"
        )
    if read.undated:
        n = len(read.undated)
        notes.append(f"{n} 例病例无日期，未计入" if zh else f"{n} cases have no date and were left out")
    if is_found:
        notes.append(
            "结果仅为同时空推断，须经人工核实确认"
            if zh
            else "Inferred from presence only: candidates and leads, until a person confirms"
        )
    return notes
