"""What every command on a file of counts takes, said once: `@on_counts` hands a command its `source`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from django.utils import translation
from django.utils.translation import gettext as _

from bihuan.doors.cli.grouped import Command, as_command, grouped
from bihuan.doors.cli.main import needs_no_database
from bihuan.doors.cli.spoken import LANGUAGES, language
from bihuan.epi.errors import EpiError
from bihuan.epi.tables import Columns, Counts, Note, Reading, read_counts
from bihuan.registry.errors import Invalid

DAY = ["%Y-%m-%d"]

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="CSV (also gzipped), Parquet or JSON: long, or wide.")
]
Out = Annotated[
    list[Path] | None,
    typer.Option("--out", help="Write to this file too: .csv .parquet .json, or a picture: .png .svg .pdf"),
]
Lang = Annotated[str, typer.Option("--lang", help="zh or en.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="COLUMN=VALUE", help="Keep these rows only; repeatable."),
]
Encoding = Annotated[str, typer.Option(help="Of a CSV file that is not UTF-8, such as gb18030 or cp1252.")]
Day = Annotated[datetime | None, typer.Option(formats=DAY)]


class Frequency(StrEnum):
    daily = "daily"
    weekly = "weekly"
    monthly = "monthly"


class Gaps(StrEnum):
    missing = "missing"
    zero = "zero"


class Negative(StrEnum):
    error = "error"
    missing = "missing"


class Weeks(StrEnum):
    iso = "iso"
    mmwr = "mmwr"


def _counts_options(
    file: File,
    date: Annotated[str, typer.Option(help="Column of dates; `year,week` or `year,month` are two.")] = "",
    series: Annotated[
        str, typer.Option(help="Column(s) that tell the series apart: A or A,B; `-`: all are one.")
    ] = "",
    count: Annotated[str, typer.Option(help="Column of counts; without one, every column is a series.")] = "",
    population: Annotated[str, typer.Option(help="Column of population; `-` for none.")] = "",
    line_list: Annotated[bool, typer.Option("--line-list", help="Every row is one case.")] = False,
    frequency: Annotated[
        Frequency | None, typer.Option(help="Add days up to weeks (from Monday) or months.")
    ] = None,
    gaps: Annotated[
        Gaps | None,
        typer.Option(help="A period without a row is not reported, or none. Line lists: none."),
    ] = None,
    cumulative: Annotated[bool, typer.Option("--cumulative", help="Counts are totals so far.")] = False,
    negative: Annotated[
        Negative, typer.Option(help="Refuse negative counts, or take them as not reported.")
    ] = Negative.error,
    add: Annotated[bool, typer.Option("--sum", help="Add rows of the same series and date.")] = False,
    since: Annotated[datetime | None, typer.Option(formats=DAY, help="First day to read.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAY, help="Last day to read.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option(formats=DAY, help="The date column numbers the periods 1, 2, …; this is the first."),
    ] = None,
    weeks: Annotated[Weeks, typer.Option(help="How 2020-W06 is counted.")] = Weeks.iso,
    where: Where = None,
    encoding: Encoding = "",
) -> Source:
    """The options of a file of counts, with their defaults and help."""
    return Source(
        file,
        Columns(date, series, count, population),
        Reading(
            lines=line_list,
            frequency=frequency.value if frequency else None,
            gaps=gaps.value if gaps else None,
            cumulative=cumulative,
            negative=negative.value,
            duplicates="sum" if add else "error",
            since=since.date() if since else None,
            until=until.date() if until else None,
            start=start.date() if start else None,
            weeks=weeks.value,
            where=conditions(where),
            encoding=encoding or None,
        ),
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A file of counts and how it is to be read."""

    file: Path
    columns: Columns
    how: Reading

    def read(self) -> Counts:
        return read_counts(self.file, self.columns, how=self.how)


def on_counts(function: Command) -> Command:
    """A command on a file of counts: its parameter `source` becomes the file and all options on it."""
    return on_file(grouped(source=_counts_options)(function))


def on_file(function: Command) -> Command:
    """A command on files, without a database; what `epi` refuses becomes an error of the house (exit 2)."""

    def guarded(**given: Any) -> None:
        lang = language(given.get("lang", ""))
        try:
            with translation.override(LANGUAGES[lang[:2]]):
                function(**given)
        except EpiError as error:
            raise Invalid(error.text(lang), code="epi", details={"field": error.field}) from None
        except OSError as error:  # a folder that is not there, no room, no right to write
            if isinstance(error, BrokenPipeError) or not error.errno:
                raise
            which = os.fsdecode(error.filename) if error.filename else _("A file")
            said = {"option": which, "reason": os.strerror(error.errno)}
            raise Invalid(_("%(option)s cannot be used: %(reason)s.") % said, code="file") from None

    listed = inspect.signature(function, eval_str=True).parameters.values()
    return needs_no_database(as_command(guarded, listed, like=function))


def conditions(given: list[str] | None) -> tuple[tuple[str, str], ...]:
    """`COLUMN=VALUE` as pairs."""
    found = [text.partition("=") for text in given or ()]
    wrong = next(
        (text for text, (_column, sign, _value) in zip(given or (), found, strict=True) if not sign), None
    )
    if wrong is not None:
        raise Invalid(_("“%(text)s” is not COLUMN=VALUE.") % {"text": wrong})
    return tuple((column.strip(), value.strip()) for column, _sign, value in found)


def said(notes: Iterable[Note], lang: str) -> list[str]:
    return [note.text(lang) for note in notes]
