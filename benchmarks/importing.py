"""Rows of a line list imported end to end: read, parsed, checked, registered, opened as loops, booked.

Bars (issue: the house): 4,000 rows/s without looking for known people, 1,000 rows/s with duplicate search
against a million people. Peers, as they publish: DHIS2 about 3,240 tracked entities/s on 4+4 processors
without fuzzy match; SORMAS 0.13 imported rows/s with its similarity search (#2539).

    python3 bihuan.py bench importing [--rows 20000] [--people 1000000] [--runs 5] [--keep] [--profile]

`unlike` are rows whose dates carry minutes, so that hardly two tell the same story: nothing that is worked
out once for all alike is of use there. Beside the rates stand the load of the machine and the processor time
a row took in Python and in PostgreSQL, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import cProfile
import csv
import json
import os
import platform
import pstats
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import scratch

PEERS = {"DHIS2 without fuzzy match, rows/s": 3240, "SORMAS with similarity search, rows/s": 0.13}
MAPPING = """mapping: bench
kind: linelist
list: {list}
disease: covid-19
dates: {{era: {{from: 2019-12-01, to: 2020-12-31}}}}
columns:
  病例编号: {{field: case.local_id}}
  姓名: {{field: person.name}}
  性别: {{field: person.sex}}
  出生日期: {{field: person.birth_date}}
  联系电话: {{field: person.phone}}
  现住址: {{field: person.address}}
  行政区划: {{field: territory.code}}
  发病日期: {{field: case.date_onset}}
  确诊日期: {{field: case.date_confirmation}}
  报告日期: {{field: case.date_report}}
  临床分型: {{field: case.severity}}
constants: {{case.classification: confirmed}}
required: [case.local_id]
"""
HEADER = ("病例编号", "姓名", "性别", "出生日期", "联系电话", "现住址", "行政区划")
HEADER += ("发病日期", "确诊日期", "报告日期", "临床分型")


def main(words: Sequence[str] = ()) -> dict[str, Any]:
    """Run it; prints and returns rows per second, medians of the runs."""
    options = _options(words)
    scratch.set_up()
    from bihuan.registry import scope

    figures: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "rows": options.rows,
        "runs": options.runs,
    }
    with scratch.database("bench_importing", keep=options.keep) as found, scope.system():
        if not found:
            _prepare(options.people)
        figures["people"] = options.people
        figures["validated_only_rows_per_second"] = _measure_validation(options)
        for name, search, unlike in (
            ("plain", False, False),
            ("unlike", False, True),
            ("with_duplicate_search", True, False),
        ):
            if search and not options.people:
                continue
            rate, python, postgres = _measure(options, search=search, unlike=unlike, label=name)
            figures[f"{name}_rows_per_second"] = rate
            figures[f"{name}_cpu_microseconds_per_row"] = {"python": python, "postgresql": postgres}
        figures["load"] = [round(load, 1) for load in os.getloadavg()]
        _hold_against_the_log()
    figures["peers"] = PEERS
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    return figures


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench importing")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=1_000_000, help="0: only without duplicate search")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="keep the filled database for the next run")
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    return parser.parse_args(list(words))


def _prepare(people: int) -> None:
    """The tree of China, the administrator's post, and that many known people."""
    from benchmarks.duplicates import fill
    from bihuan.registry.actions.organizations import ensure_administration
    from bihuan.registry.actions.roles import sync_roles
    from bihuan.registry.actions.territory import load_builtin
    from bihuan.registry.actor import Actor

    actor = Actor.system("bench")
    load_builtin(actor=actor)
    sync_roles(actor=actor)
    ensure_administration(actor=actor)
    if people:
        fill(people)


def _measure_validation(options: argparse.Namespace) -> int:
    """Read, parsed, checked and placed, as the preview does it; nothing is written."""
    from datetime import date

    from bihuan.doors.exchange import mapping, places, reader, rows

    built = mapping.loads(MAPPING.format(list="validation"))
    rates = []
    for turn in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            path = write_list(Path(folder) / "list.csv", options.rows, seed=500 + turn)
            started = time.perf_counter()
            table = reader.open_table(path)
            positions, _notes = mapping.bind(built, table)
            read = rows.RowReader(built, positions, built.conventions(date(2020, 12, 31)))
            finder = places.PlaceFinder(built.territory)
            parsed = [read.read(raw, number) for number, raw in enumerate(table.rows(), start=1)]
            codes = [finder.place(row, read.column_of) for row in parsed]
            rates.append(options.rows / (time.perf_counter() - started))
            if not all(codes) or any(row.rejected for row in parsed):
                raise SystemExit("Rows of the made-up list were rejected: no figure.")
    return round(statistics.median(rates))


def _measure(
    options: argparse.Namespace, *, search: bool, unlike: bool, label: str
) -> tuple[int, int, int | None]:
    """Rows a second, and the processor time of a row in Python and in PostgreSQL: medians of the runs."""
    found = []
    for turn in range(options.runs):
        with tempfile.TemporaryDirectory() as folder:
            seed = 1_000 + turn + 100 * search + 200 * unlike
            path = write_list(Path(folder) / "list.csv", options.rows, seed=seed, minutes=unlike)
            found.append(_one(path, options, search=search, name=f"{label}-{turn}-{time.time_ns()}"))
    rates, python, postgres = zip(*found, strict=True)
    per_row = 1_000_000 / options.rows
    server = None if None in postgres else round(statistics.median(postgres) * per_row)
    return round(statistics.median(rates)), round(statistics.median(python) * per_row), server


def _hold_against_the_log() -> None:
    """The loops that came of it hold, or there is no figure."""
    from django.db import connection

    from bihuan.loops.queries import check

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as PostgreSQL does by itself a minute later
    if violations := check().violations:
        raise SystemExit(f"Loops are broken, no figure: {violations[:3]}")


def _server_seconds() -> float | None:
    """Processor seconds of this connection's server process; None where they cannot be read."""
    from django.db import connection

    try:
        fields = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2]
        user, system = fields.split()[11:13]
    except (OSError, AttributeError, ValueError):
        return None
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _one(
    path: Path, options: argparse.Namespace, *, search: bool, name: str
) -> tuple[float, float, float | None]:
    from bihuan.doors.exchange import jobs, mapping, run
    from bihuan.registry.actor import Actor

    job = jobs.create_job(path, name=path.name, actor=Actor.system("bench"), look_for_duplicates=search)
    jobs.set_mapping(job, mapping.loads(MAPPING.format(list=name)))
    profiler = cProfile.Profile() if options.profile else None
    started, worked, served = time.perf_counter(), time.process_time(), _server_seconds()
    if profiler:
        profiler.enable()
    counts = run.run(job.public_id)
    if profiler:
        profiler.disable()
    seconds, work, end = time.perf_counter() - started, time.process_time() - worked, _server_seconds()
    if counts.rows != options.rows or counts.rejected:
        raise SystemExit(f"{counts.rows} rows of {options.rows}, {counts.rejected} rejected: no figure.")
    if profiler:
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
    return options.rows / seconds, work, None if served is None or end is None else end - served


def write_list(path: Path, rows: int, *, seed: int, minutes: bool = False) -> Path:
    """A line list of made-up people in Hubei's counties, with the dates of January and February 2020;
    with `minutes` confirmed and reported at some minute of the day."""
    from benchmarks.synthetic_people import REPORTED, Maker
    from bihuan.registry import territory

    counties = [t.code for city in territory.children("42") for t in territory.children(city.code)]
    maker = Maker(seed)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for number, person in enumerate(maker.many(rows), start=1):
            onset = REPORTED - timedelta(days=maker.random.randrange(5, 30))
            sure = onset + timedelta(days=maker.random.randrange(1, 5))
            sex = {"M": "男", "F": "女"}.get(person.sex, "")
            writer.writerow(
                [
                    *(f"B{number}", person.name, sex, person.date_birth or "", person.phone, person.address),
                    *(
                        counties[number % len(counties)],
                        onset,
                        f"{sure.year}年{sure.month}月{sure.day}日{_time(maker, minutes)}",
                        f"{sure}{_time(maker, minutes)}",
                    ),
                    ("普通型", "重型", "轻型")[number % 3],
                ]
            )
    return path


def _time(maker: Any, wanted: bool) -> str:
    if not wanted:
        return ""
    minute = maker.random.randrange(24 * 60)
    return f" {minute // 60:02}:{minute % 60:02}"


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
