"""What the commands of `bihuan trace` ask alike: a file of cases, and what looks for contacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from bihuan.doors.cli.epi.options import Encoding, Where, conditions
from bihuan.doors.cli.visits.options import key_path, mapping_of
from bihuan.epi.errors import InputError
from bihuan.epi.visits import VisitStore, bulk, secret, trace
from bihuan.epi.visits.batch import DAY_MINUTES
from bihuan.epi.visits.cases import Cases, read_cases
from bihuan.epi.visits.risk import times
from bihuan.epi.visits.spark import on_spark

CASES = typer.Option(
    "--cases",
    metavar="FILE",
    help="Table: person or keyed_number; from and to, or onset (CSV, Parquet, JSON).",
)


class By(Enum):
    index_ = "index"
    duckdb = "duckdb"
    spark = "spark"


ENGINES: dict[By, trace.Engine] = {By.index_: trace.meet, By.duckdb: bulk.meet}


@dataclass(frozen=True, slots=True)
class CaseList:
    """How a file of cases is to be read; the commands say which file, and from which days on they ask."""

    roles: dict[str, str]
    where: list[tuple[str, str]]
    skip_undated: bool
    encoding: str | None

    def read(self, store: VisitStore, path: Path, *, days_before: int, until_onset: bool = False) -> Cases:
        return read_cases(
            store, path, key=key_of_people, days_before=days_before, until_onset=until_onset,
            encoding=self.encoding, given=self.roles, where=self.where, skip_undated=self.skip_undated,
        )  # fmt: skip


def case_list(
    map_: Annotated[
        list[str] | None,
        typer.Option(
            "--map", metavar="COLUMN=NAME", help="What a column of the cases is: person, from, to, onset."
        ),
    ] = None,
    where: Where = None,
    skip_undated: Annotated[
        bool,
        typer.Option("--skip-undated", help="Leave out cases without a date, instead of refusing the file."),
    ] = False,
    encoding: Encoding = "",
) -> CaseList:
    """The options on a file of cases."""
    return CaseList(mapping_of(map_), list(conditions(where)), skip_undated, encoding or None)


@dataclass(frozen=True, slots=True)
class Machine:
    """What looks for contacts: an engine of this machine, or Spark where it runs."""

    by: By
    master: str
    options: dict[str, str]
    folder: str

    @contextmanager
    def engine(self) -> Iterator[trace.Engine]:
        if self.by is By.spark:
            with on_spark(master=self.master, options=self.options, folder=self.folder) as way:
                yield way
            return
        if self.master or self.options or self.folder:
            raise InputError(
                "--spark-… are for --engine spark", "--spark-… 只用于 --engine spark", field="engine"
            )
        yield ENGINES[self.by]


def machine_of(
    engine: Annotated[By, typer.Option(help="All give the same rows.")] = By.index_,
    spark_master: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS",
            help="With spark: where it runs (yarn, k8s://…, spark://…). Default: as configured.",
        ),
    ] = "",
    spark_conf: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="With spark: a setting of Spark; repeatable."),
    ] = None,
    spark_folder: Annotated[
        str, typer.Option(metavar="ADDRESS", help="With spark: the store's folder as the cluster sees it.")
    ] = "",
) -> Machine:
    """The options on what looks for contacts."""
    return Machine(engine, spark_master, _settings(spark_conf), spark_folder)


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


def key_of_people() -> bytes:
    """The key under which the store knows people."""
    return secret.load_key(key_path())


def notes_on(store: VisitStore, read: Cases, is_found: bool, lang: str) -> list[str]:
    """What has to be known beside the rows: cases left out, an empty answer, that a name is a candidate."""
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
    if not is_found and read.windows.size:
        notes.append(_nothing(store, read, lang))
    if is_found:
        notes.append(
            "结果仅为同时空推断，须经人工核实确认"
            if zh
            else "Inferred from presence only: candidates and leads, until a person confirms"
        )
    return notes


def _nothing(store: VisitStore, read: Cases, lang: str) -> str:
    """An empty list is an answer too: which days were asked about, and which the store holds."""
    since, until = times([int(read.windows.since.min()), int(read.windows.until.max())])
    days = [segment.day * DAY_MINUTES for segment in store.segments()]
    held = " – ".join(text[:10] for text in times([min(days), max(days)])) if days else "-"
    if lang.startswith("zh"):
        return f"所问时段（{since} – {until}）内无结果；库中记录为 {held}。请核对病例日期与已读入的日期"
    return (
        f"Nothing was found between {since} and {until}; the store holds {held}. Check the dates of the "
        "cases and the days that were read in"
    )
