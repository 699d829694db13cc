"""Entry records in: from gates, by the day, of people near each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Console
from rich.markup import escape

from bihuan.doors.cli.epi.options import Encoding, Lang, on_file
from bihuan.doors.cli.epi.output import working
from bihuan.doors.cli.given import to_write
from bihuan.doors.cli.grouped import grouped
from bihuan.doors.cli.output import Json, show
from bihuan.doors.cli.spoken import language
from bihuan.doors.cli.visits.options import Store, key_path, mapping_of, store_folder
from bihuan.doors.cli.visits.told import facts, ledger, tell
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, by_day, secret
from bihuan.epi.visits.cases import parse_time
from bihuan.epi.visits.ingest import Ingested, ingest
from bihuan.epi.visits.near import ingest_near
from bihuan.epi.visits.spool import Spool

Files = Annotated[list[Path], typer.Argument(metavar="FILE…")]
RejectedFile = Annotated[
    Path | None,
    typer.Option("--rejected", callback=to_write, help="Write rows that were not taken to this CSV."),
]
CLOCK_MINUTES = 480
Offset = Annotated[
    int | None,
    typer.Option(
        help="Minutes the clock of a new store is ahead of UTC.", min=-840, max=840,
        show_default=str(CLOCK_MINUTES),
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest_command)
    app.command("ingest-days")(ingest_days_command)
    app.command("ingest-near")(ingest_near_command)


@dataclass(frozen=True, slots=True)
class Incoming:
    """How files are taken into a store, whatever they hold."""

    rejected: Path | None
    encoding: str
    offset_minutes: int | None

    def open(self, folder: Path, create: Callable[..., VisitStore] = VisitStore.create) -> VisitStore:
        """The store in `folder`, made where there is none. StoreError for one that has lost its key,
        InputError for one on another clock than asked for."""
        if not key_path().exists() and (folder / "store.json").exists():
            secret.load_key(key_path())  # says so; no other key is made
        asked = self.offset_minutes
        opened = create(folder, offset_minutes=CLOCK_MINUTES if asked is None else asked)
        if asked not in (None, opened.offset):
            raise InputError(
                f"the clock of this store is {opened.offset} minutes ahead of UTC, not {asked}; leave out "
                "--utc-offset and give times with their offset, or name another store",
                f"该库的时钟比 UTC 早 {opened.offset} 分钟，而非 {asked}；"
                "请去掉 --utc-offset 并写明各时间的时区，或指定另一个库",
                field="utc-offset",
            )
        return opened

    def take(
        self,
        store: VisitStore,
        files: list[Path],
        ingest: Callable[..., Ingested],
        *,
        lang: str,
        json: bool,
        spool: Spool | None = None,
    ) -> None:
        """Read the files into the store and say what became of every row. `spool`: what gates and systems
        send meanwhile is taken in between."""
        made = not key_path().exists()
        key = _made_key() if made else secret.load_key(key_path())
        with ledger(self.rejected, lang) as write, working(_("reading visits")) as progress:
            between = {"on_batch": partial(_between_parts, store, spool, progress)} if spool else {}
            done = ingest(
                store,
                files,
                key=key,
                now=timezone.now(),
                encoding=self.encoding,
                on_rejected=write,
                **between,
            )
            store.compact()
        said = facts(done) | {"store": str(store.folder), "key": str(key_path()), "key_made": made}
        if self.rejected is not None:
            said["rejected_file"] = str(self.rejected)
        show(said, json=json, human=lambda console: tell(console, done, said, lang))


def incoming(rejected: RejectedFile = None, encoding: Encoding = "", utc_offset: Offset = None) -> Incoming:
    """The options on files that are taken into a store."""
    return Incoming(rejected, encoding, utc_offset)


@on_file
@grouped(files_in=incoming)
def ingest_command(
    files_in: Incoming,
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
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add entry records to the store. The same event twice is one; every row is counted.

    bihuan visits ingest gates.csv --map 刷码时间=start --rejected rejected.csv
    """
    spoken, folder, given = language(lang), store_folder(store), mapping_of(map_)
    opened = files_in.open(folder)
    by_day.refuse_exact(opened)
    files_in.take(opened, files, partial(ingest, given=given), spool=Spool(folder), lang=spoken, json=json)


@on_file
@grouped(files_in=incoming)
def ingest_days_command(
    files_in: Incoming,
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
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add stays known by the day (line lists, bulletins, routes) to a store of their own.

    bihuan visits ingest-days trajectory.csv --store stays --map case_id=person --split /
    """
    spoken, given = language(lang), _columns_of(map_)
    reader = partial(by_day.ingest_days, given=given, places=by_day.Places(split=split, cut=cut))
    files_in.take(files_in.open(store, by_day.create), files, reader, lang=spoken, json=json)


@on_file
@grouped(files_in=incoming)
def ingest_near_command(
    files_in: Incoming,
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
    lang: Lang = "",
    json: Json = False,
) -> None:
    """Add records that two people were near each other (badges, phones): each pair is a place of its own.

    bihuan visits ingest-near proximity.csv --map i=person --map j=other --map t=time
    """
    spoken, given = language(lang), mapping_of(map_)
    opened = files_in.open(store_folder(store))
    reader = partial(ingest_near, seconds=seconds, zero=_zero(clock_zero, opened), given=given)
    files_in.take(opened, files, reader, lang=spoken, json=json)


def _zero(text: str, store: VisitStore) -> int | None:
    if not text:
        return None
    found = parse_time(text, store.offset)
    if found is None:
        raise InputError(
            f"{text!r} is no time such as 2020-02-08 13:05",
            f"{text!r} 不是时间，例如 2020-02-08 13:05",
            field="clock-zero",
        )
    return found[0]


def _between_parts(store: VisitStore, spool: Spool, progress: Any, rows: int) -> None:
    """Gates and systems that send meanwhile do not wait for the end of a long file."""
    progress.what = f"{_('reading visits')} {rows:,}"
    spool.merge(store)


def _made_key() -> bytes:
    """The first run's key. It is told at once: whatever becomes of the files, a copy has to be kept."""
    key = secret.load_key(key_path(), make=True)
    text = _("Key made: %(path)s. Keep a copy: without it nobody is found.") % {"path": key_path()}
    Console(stderr=True).print(escape(text), style="bold", soft_wrap=True, highlight=False)
    return key


def _columns_of(given: list[str] | None) -> dict[str, list[str]]:
    """Role to its columns, in the order they were given."""
    found: dict[str, list[str]] = {}
    for column, role in mapping_of(given).items():
        found.setdefault(role, []).append(column)
    return found
