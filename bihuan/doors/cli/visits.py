"""`bihuan visits`: the store of who was where. Files in; what is held; what is deleted. Needs no database."""

from __future__ import annotations

import csv
import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.epi.options import DAY, Encoding, Lang, language, on_file
from bihuan.doors.cli.epi.output import working
from bihuan.doors.cli.output import Json, show, table
from bihuan.doors.exchange.reader import safe_cell
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, by_day, deletions, secret, snapshot
from bihuan.epi.visits.cases import parse_time
from bihuan.epi.visits.ingest import Ingested, Rejected, ingest
from bihuan.epi.visits.near import ingest_near
from bihuan.epi.visits.spool import Spool

app = typer.Typer(
    no_args_is_help=True, help="Visits: entry records in, what the store holds, deletion when time is up."
)
KEY_FILE = "visits.key"

Store = Annotated[
    Path | None, typer.Option("--store", help="Folder of the store. Default: visits in the data folder.")
]


def store_folder(given: Path | None) -> Path:
    """The folder of the store: as asked, else `visits` in the data folder."""
    return given if given is not None else Path(settings.BIHUAN_HOME) / "visits"


Files = Annotated[list[Path], typer.Argument(metavar="FILE…")]
RejectedFile = Annotated[
    Path | None, typer.Option("--rejected", help="Write rows that were not taken to this CSV.")
]
Offset = Annotated[
    int, typer.Option(help="Minutes the clock of a new store is ahead of UTC.", min=-840, max=840)
]


def key_path() -> Path:
    """Where the secret key lies under which people become numbers: never in the folder of a store."""
    return Path(settings.BIHUAN_HOME) / "secrets" / KEY_FILE


@app.command("ingest")
@on_file
def ingest_command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CSV, TSV (also gzipped) or Parquet.")],
    store: Store = None,
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=NAME",
            help="What a column is: event, person, place, start, end, temperature or how; repeatable.",
        ),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option("--rejected", help="Write rows that were not taken to this CSV.")
    ] = None,
    encoding: Encoding = "",
    utc_offset: Annotated[
        int, typer.Option(help="Minutes the clock of a new store is ahead of UTC.", min=-840, max=840)
    ] = 480,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add entry records to the store. The same event twice is one; every row is counted.

    bihuan visits ingest gates.csv --map 刷码时间=start --rejected rejected.csv
    """
    spoken, given = language(lang), _mapping(map_)
    folder = store_folder(store)
    made = not key_path().exists()
    if made and (folder / "store.json").exists():
        secret.load_key(key_path())  # a store without its key: say so, and make no other
    opened = VisitStore.create(folder, offset_minutes=utc_offset)
    by_day.refuse_exact(opened)
    key = _made_key() if made else secret.load_key(key_path())
    with _ledger(rejected, spoken) as write, working(_("reading visits")) as progress:
        done = ingest(
            opened,
            files,
            key=key,
            now=timezone.now(),
            given=given,
            encoding=encoding,
            on_rejected=write,
            on_batch=partial(_between_parts, opened, Spool(folder), progress),
        )
        opened.compact()
    _say(done, folder, rejected, made=made, lang=spoken, json=json)


def _between_parts(store: VisitStore, spool: Spool, progress: Any, rows: int) -> None:
    """Gates and systems that send meanwhile do not wait for the end of a long file."""
    progress.what = f"{_('reading visits')} {rows:,}"
    spool.merge(store)


@app.command("ingest-days")
@on_file
def ingest_days_command(
    files: Files,
    store: Annotated[Path, typer.Option("--store", help="Folder of a store that knows days only.")],
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COLUMN=NAME",
            help="What a column is: person, place (several make one name), start, end, how; none: not read.",
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="The sign between places where a cell lists several.")] = "",
    cut: Annotated[str, typer.Option(help="The sign before which the place stands, as in G316/13/03F.")] = "",
    rejected: RejectedFile = None,
    encoding: Encoding = "",
    utc_offset: Offset = 480,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add stays known by the day (line lists, bulletins, routes) to a store of their own.

    bihuan visits ingest-days trajectory.csv --store stays --map case_id=person --split /
    """
    spoken, given = language(lang), _columns_of(map_)
    made = not key_path().exists()
    opened = by_day.create(store, offset_minutes=utc_offset)
    key = _made_key() if made else secret.load_key(key_path())
    with _ledger(rejected, spoken) as write, working(_("reading visits")):
        places = by_day.Places(split=split, cut=cut)
        done = by_day.ingest_days(
            opened, files, key=key, now=timezone.now(), given=given, places=places, encoding=encoding,
            on_rejected=write,
        )  # fmt: skip
        opened.compact()
    _say(done, store, rejected, made=made, lang=spoken, json=json)


@app.command("ingest-near")
@on_file
def ingest_near_command(
    files: Files,
    store: Store = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="COLUMN=NAME", help="What a column is: person, other or time."),
    ] = None,
    seconds: Annotated[
        int, typer.Option(min=1, max=3600, help="Seconds before its time a row stands for.")
    ] = 20,
    clock_zero: Annotated[
        str, typer.Option(help="The time from which seconds count, where they do not count from 1970 UTC.")
    ] = "",
    rejected: RejectedFile = None,
    encoding: Encoding = "",
    utc_offset: Offset = 480,
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add records that two people were near each other (badges, phones): each pair is a place of its own.

    bihuan visits ingest-near proximity.csv --map i=person --map j=other --map t=time
    """
    spoken, folder = language(lang), store_folder(store)
    made = not key_path().exists()
    opened = VisitStore.create(folder, offset_minutes=utc_offset)
    zero = parse_time(clock_zero, opened.offset) if clock_zero else None
    if clock_zero and zero is None:
        raise InputError(
            f"{clock_zero!r} is no time such as 2020-02-08 13:05",
            f"{clock_zero!r} 不是时间，例如 2020-02-08 13:05",
            field="clock-zero",
        )
    key = _made_key() if made else secret.load_key(key_path())
    with _ledger(rejected, spoken) as write, working(_("reading visits")):
        done = ingest_near(
            opened, files, key=key, now=timezone.now(), seconds=seconds, zero=zero and zero[0],
            given=_mapping(map_), encoding=encoding, on_rejected=write,
        )  # fmt: skip
        opened.compact()
    _say(done, folder, rejected, made=made, lang=spoken, json=json)


@app.command()
@on_file
def compact(store: Store = None, json: Json = False) -> None:
    """Merge the parts of each day into one, and forget event ids of days a week past."""
    opened = VisitStore(store_folder(store))
    with working(_("compacting")):
        days = opened.compact(today=_today(opened), least=2)
    show({"days": days, "segments": opened.stats().segments}, json=json)


@app.command()
@on_file
def stats(store: Store = None, json: Json = False) -> None:
    """How much the store holds, and in how many bytes."""
    opened = VisitStore(store_folder(store))
    found = opened.stats()
    days = [segment.day for segment in opened.segments()]
    per = max(found.stays, 1)
    show(
        asdict(found)
        | {
            "first_day": _date(min(days)) if days else None,
            "last_day": _date(max(days)) if days else None,
            "forgotten_before": _date(opened.forgotten) if opened.forgotten else None,
            "truth_bytes_per_stay": round(found.truth_bytes / per, 2),
            "index_bytes_per_stay": round(found.index_bytes / per, 2),
            "store": str(opened.folder),
        },
        json=json,
    )


@app.command()
@on_file
def verify(
    store: Store = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move damaged parts out of the way; the rest answers.")
    ] = False,
    json: Json = False,
) -> None:
    """Read every file of the truth and compare its checksum. Exit 1 when one is damaged. A damaged index is
    made again."""
    opened = VisitStore(store_folder(store))
    with working(_("verifying")):
        damaged = opened.verify(set_aside=set_aside)
        remade = opened.mend()
    said = {
        "ok": not damaged,
        "damaged": [str(path) for path in damaged],
        "set_aside": bool(set_aside and damaged),
        "index_made_again": [str(path) for path in remade],
    }
    show(said, json=json, human=lambda console: _tell_damage(console, damaged, remade, set_aside=set_aside))
    if damaged:
        raise typer.Exit(1)


@app.command()
@on_file
def forget(
    before: Annotated[datetime, typer.Option("--before", formats=DAY, help="The first day that stays.")],
    store: Store = None,
    json: Json = False,
) -> None:
    """Delete all days before a date, for good: visits of those days are not taken again."""
    opened = VisitStore(store_folder(store))
    day = (before.date() - date(1970, 1, 1)).days
    if day > _today(opened):
        raise InputError(
            f"{before.date()} is in the future; the store would take no visits until then",
            f"{before.date()} 在将来；在此之前库将不收录任何记录",
            field="before",
        )
    with working(_("deleting")):
        done = opened.forget(day, by=f"{deletions.STORE_ALONE} ({_login()})", at=_utc())
    show(asdict(done) | {"record": str(opened.folder / "retention.log")}, json=json)


@app.command("deletions")
@on_file
def deletions_command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A later copy of this list.")] = None,
    store: Store = None,
    json: Json = False,
) -> None:
    """Which days were deleted, when and by whom: the list beside the store. With FILE, a later copy of that
    list, delete here too what it adds; one that does not go on from the list here is refused."""
    folder = store_folder(store)
    if file is None:
        listed = [asdict(one) for one in deletions.read(folder)]
        path = str(deletions.path_of(folder))
        columns = ("before", "at", "by", "store")
        show(
            {"list": path, "deletions": listed},
            json=json,
            human=lambda console: table(console, listed, columns, title=path),
        )
        return
    with working(_("deleting")):
        added, done = snapshot.follow(folder, file)
    show({"list": str(deletions.path_of(folder)), "added": added} | asdict(done), json=json)


@app.command()
def expire(
    before: Annotated[
        datetime | None,
        typer.Option("--before", formats=DAY, help="The first day that stays; default: by the policy."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the rule says.")] = False,
    json: Json = False,
) -> None:
    """Delete visits whose time is up (the worker does it every night), with an entry under the audit chain.

    Also what gates counted on those days and strangers they registered. `forget` does it to a store alone.
    """
    from bihuan.registry.actor import Actor
    from bihuan.tracing.actions import forget_visits

    rule = forget_visits.due()
    held = [{"needs": needs, "from": str(day)} for needs, day in rule.holding]
    said: dict[str, Any] = {
        "days": rule.days, "source": rule.source, "before": str(rule.before), "held_by": held
    }  # fmt: skip
    if not dry_run:
        actor = Actor.system("bihuan visits expire", door="cli")
        if before is not None:
            said |= asdict(forget_visits.forget(before.date(), actor=actor))
        else:
            done = forget_visits.forget_due(actor=actor)
            said |= asdict(done) if done else {"stays": 0}
    show(said, json=json)


def _made_key() -> bytes:
    """The first run's key. It is told at once: whatever becomes of the files, a copy has to be kept."""
    key = secret.load_key(key_path(), make=True)
    text = _("Key made: %(path)s. Keep a copy: without it nobody is found.") % {"path": key_path()}
    Console(stderr=True).print(escape(text), style="bold", soft_wrap=True, highlight=False)
    return key


# --- what is said ----------------------------------------------------------------------------------------


def _say(done: Ingested, folder: Path, rejected: Path | None, *, made: bool, lang: str, json: bool) -> None:
    said = _facts(done) | {"store": str(folder), "key": str(key_path()), "key_made": made}
    if rejected is not None:
        said["rejected_file"] = str(rejected)
    show(said, json=json, human=lambda console: _tell(console, done, said, lang))


def _columns_of(given: list[str] | None) -> dict[str, list[str]]:
    """Role to its columns, in the order they were given."""
    found: dict[str, list[str]] = {}
    for column, role in _mapping(given).items():
        found.setdefault(role, []).append(column)
    return found


def _mapping(given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        column, sign, role = text.rpartition("=")
        if not sign:
            raise InputError(f"“{text}” is not COLUMN=NAME", f"“{text}”不是 列=含义 的形式", field="map")
        found[column.strip()] = role.strip()
    return found


@contextmanager
def _ledger(path: Path | None, lang: str) -> Iterator[Callable[[Rejected], None] | None]:
    """Writes rejected rows as they come; nobody's identity is among what is written."""
    if path is None:
        yield None
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "row", "reason", "column", "said", "what_to_do"])

        def write(row: Rejected) -> None:
            told = (row.file, row.row, row.reason, row.column, row.said, row.text(lang))
            writer.writerow([safe_cell(cell) for cell in told])

        yield write


def _facts(done: Ingested) -> dict[str, Any]:
    return {
        "rows": done.rows,
        "added": done.added,
        "duplicate": done.duplicate,
        "rejected": done.rejected,
        "reasons": dict(done.reasons),
        "examples": [asdict(row) for row in done.examples],
        "unread_temperatures": done.unread_temperatures,
        "bounded": done.bounded,
        "unknown_how": dict(done.unknown_how.most_common(20)),
        "columns": done.columns,
        "seconds": round(done.seconds, 3),
    }


def _tell(console: Console, done: Ingested, said: dict[str, Any], lang: str) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(escape(text), style=style or None, soft_wrap=True, highlight=False)

    for file, columns in done.columns.items():
        line(f"{file}: " + ", ".join(f"{column} → {role}" for role, column in columns.items()), "dim")
    counts = {k: f"{said[k]:,}" for k in ("rows", "added", "duplicate", "rejected")}
    if done.rows == done.added + done.duplicate + done.rejected:
        text = _("%(rows)s rows: %(added)s added, %(duplicate)s there already, %(rejected)s rejected.")
    else:  # a row can be a stay of several days or places, and many rows one stay
        text = _(
            "%(rows)s rows, %(rejected)s rejected; the others hold %(added)s new stays and %(duplicate)s "
            "that were there already."
        )
    line(text % counts)
    if done.rejected:
        table(console, _by_reason(done, lang))
        if "rejected_file" in said:
            line(_("All of them: %(path)s") % {"path": said["rejected_file"]}, "dim")
        elif done.rejected > 1:
            line(_("--rejected FILE writes all of them, row by row."), "dim")
    if done.unread_temperatures:
        line(
            _("%(n)d temperatures are none (25–45 °C) and were left out.") % {"n": done.unread_temperatures},
            "yellow",
        )
    if done.bounded:
        line(_("%(n)d stays of more than a day were cut to one day.") % {"n": done.bounded}, "yellow")
    if done.unknown_how:
        words = ", ".join(word for word, _n in done.unknown_how.most_common(5))
        line(_("How they were recorded is not known for: %(words)s") % {"words": words}, "yellow")
    line(_("Store: %(path)s") % {"path": said["store"]}, "dim")


def _by_reason(done: Ingested, lang: str) -> list[dict[str, str]]:
    """Why rows were not taken, the most frequent reason first, each with the rows that came first."""
    told = []
    for reason, n in done.reasons.most_common():
        some = [row for row in done.examples if row.reason == reason][:3]
        where = ", ".join(f"{row.row}" for row in some if row.file == some[0].file)
        cell = f" {some[0].column}: {some[0].said}" if some[0].said else ""
        told.append(
            {
                _("rows"): f"{n:,}",
                _("why, and what to do"): some[0].text(lang),
                _("for example"): _("%(file)s, row %(rows)s") % {"file": some[0].file, "rows": where} + cell,
            }
        )
    return told


def _tell_damage(console: Console, damaged: list[Path], remade: list[Path], *, set_aside: bool) -> None:
    for path in remade:
        told = _("%(path)s: damaged, made again from the visits.") % {"path": path}
        console.print(escape(told), soft_wrap=True, highlight=False)
    if not damaged:
        console.print(f"[bold green]✓[/] {escape(_('All files are whole.'))}")
        return
    for path in damaged:
        console.print(f"[bold red]✗[/] {escape(str(path))}", soft_wrap=True, highlight=False)
    text = _("Set aside; the rest answers.") if set_aside else _("--set-aside lets the rest answer.")
    console.print(escape(text))


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may know no name for the number it runs under
        return str(os.getuid())


def _utc() -> str:
    return timezone.now().astimezone(UTC).isoformat(timespec="seconds")


def _today(store: VisitStore) -> int:
    return int((timezone.now().astimezone(UTC).timestamp() / 60 + store.offset) // 1440)


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))
