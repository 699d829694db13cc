"""`bihuan trace place` and `common`: who was at a place, and where several cases were together."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from django.utils.translation import gettext as _

from bihuan.doors.cli.epi import columns
from bihuan.doors.cli.epi.options import Lang, Out, on_file
from bihuan.doors.cli.epi.output import Answer, check_outs, give, working
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json
from bihuan.doors.cli.spoken import language
from bihuan.doors.cli.trace.options import CASES, CaseList, case_list, notes_on
from bihuan.doors.cli.visits.options import Store, store_folder
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, by_day, trace
from bihuan.epi.visits.backward import BLOCK_MINUTES, common_places
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.cases import Cases, parse_time
from bihuan.epi.visits.day_answers import common_row, common_sentence
from bihuan.epi.visits.drawn import drawn_places
from bihuan.epi.visits.risk import times


def register(app: typer.Typer) -> None:
    app.command("place")(place_command)
    app.command("common")(common_command)


class Sort(Enum):
    chance = "chance"
    cases = "cases"


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
    begin, end = span(since, until, opened)
    if opened.places.find(place) < 0:
        raise _unknown(place, opened)
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
    answer = Answer(facts=facts, sentences=lines, rows=lambda: rows, columns=columns.PRESENT)
    give(answer, outs=outs, json=json)


@on_file
@grouped(listed=case_list)
def common_command(
    listed: CaseList,
    cases: Annotated[Path, CASES],
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
    out: Out = None,
    store: Store = None,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """List places and hours where several cases were together, the least likely by chance first.

    bihuan trace common --cases cases.csv --days-before 14
    """
    spoken, outs, opened = language(lang), check_outs(out), VisitStore(store_folder(store))
    days = by_day.is_by_day(opened)
    read = listed.read(opened, cases, days_before=days_before, until_onset=True)
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
    facts = {"cases": read.windows.size, "found": len(rows)} | ({} if any_time else {"block": block})
    notes = notes_on(opened, read, bool(rows), spoken)
    notes += [] if any_time else _only_cases(read, opened, spoken, sort)
    kind = columns.DRAWN if any_time else columns.COMMON_BY_DAY if days else columns.COMMON
    answer = Answer(facts=facts, sentences=said, rows=lambda: rows, notes=notes, columns=kind)
    give(answer, outs=outs, json=json)


#: Above this share of cases among all people of a store, chance cannot be told from the rest.
_MANY_CASES = 0.2


def _unknown(place: str, store: VisitStore) -> InputError:
    """Names places whose id is much the same: other capitals, a part of it, or it and more."""
    asked = place.strip().casefold()
    near = (one for one in store.places.ids if asked in one.casefold() or one.casefold() in asked)
    some = ", ".join(repr(one) for one in islice(near, 3) if asked)
    return InputError(
        f"the store knows no place {place!r}; write its id as it stands in the files that were read in"
        + (f", such as {some}" if some else ""),
        f"库中没有场所 {place!r}；请按读入文件中的编号书写" + (f"，例如 {some}" if some else ""),
        field="place",
    )


def _keyed(store: VisitStore, person: int) -> str:
    return f"{int(store.people.keys[person]):016x}"


def span(since: str, until: str, store: VisitStore) -> tuple[int, int]:
    """First and last minute of the store's clock; a day as end means to its end."""
    return _time(since, "from", store)[0], _time(until, "to", store)[1]


def _time(text: str, field: str, store: VisitStore) -> tuple[int, int]:
    found = parse_time(text, store.offset)
    if found is None:
        raise InputError(
            f"{text!r} is no time such as 2020-02-08 or 2020-02-08 13:05",
            f"{text!r} 不是时间，例如 2020-02-08 或 2020-02-08 13:05",
            field=field,
        )
    return found


def _only_cases(read: Cases, store: VisitStore, lang: str, sort: Sort) -> list[str]:
    """Chance is judged by those who are no cases: said where there are hardly any."""
    by_chance = sort is Sort.chance
    n, people = len(set(read.windows.person.tolist())), max(store.people.known(), 1)
    if n <= _MANY_CASES * people:
        return []
    if lang.startswith("zh"):
        said = f"库中 {people} 人有 {n} 人是所问病例：无人群作比，p、q 不可信"
        return [said + "，请用 --sort cases" * by_chance]
    said = f"{n} of {people} people in the store are the cases asked about: without others p, q tell nothing"
    return [said + "; use --sort cases" * by_chance]
