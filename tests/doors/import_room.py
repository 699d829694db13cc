"""Short words for tests of imports: a tree with the lists' countries, a file, a job run to its end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bihuan.doors.exchange import jobs, mapping, run
from bihuan.doors.exchange.models import ImportJob
from bihuan.doors.exchange.reader import open_table
from bihuan.registry import clock, scope
from bihuan.registry.actor import Actor

ROOT = Path(__file__).resolve().parent.parent.parent
SYSTEM = Actor.system("test", door="import")
LATER = datetime(2021, 6, 1, 4, tzinfo=UTC)

MAP = """mapping: county
kind: linelist
list: county-2020
dates: {era: {from: 2019-12-01, to: 2020-12-31}}
territory: {constant: "420303"}
columns:
  编号: {field: case.local_id}
  姓名: {field: person.name}
  身份证号: {field: person.id_number}
  性别: {field: person.sex}
  年龄: {field: person.age}
  发病日期: {field: case.date_onset}
  确诊日期: {field: case.date_confirmation}
  临床分型: {field: case.severity}
  死亡日期: {field: case.date_outcome, implies: {case.outcome: died}}
constants: {case.classification: confirmed}
required: [case.local_id]
"""
HEADER = "编号,姓名,身份证号,性别,年龄,发病日期,确诊日期,临床分型,死亡日期\n"


def load_trees() -> None:
    """Provinces to counties of China, and the two small trees that are shipped."""
    from bihuan.registry.actions import organizations, roles, territory
    from bihuan.registry.actions.territory import builtin_units

    with scope.system():
        territory.store_units([u for u in builtin_units() if u.level <= 3])
        roles.sync_roles(actor=SYSTEM)
        organizations.ensure_administration(actor=SYSTEM)
        for name in ("kr", "gt"):
            territory.load_file(ROOT / "packs" / "territories" / f"{name}.csv", actor=SYSTEM)


def make(path: Path, text: str | None = None, *, given: str = "", **more: Any) -> ImportJob:
    """A mapped job of the system. `text`: a mapping; without it the shipped or guessed one."""
    with scope.system():
        chosen = mapping.loads(text) if text else jobs.propose(open_table(path))
        kind = "linelist" if chosen.kind == "linelist" else "contacts"
        job = jobs.create_job(path, name=path.name, actor=SYSTEM, kind=kind, territory_code=given, **more)
        jobs.set_mapping(job, chosen)
        return job


def bring(
    path: Path, text: str | None = None, *, at: datetime = LATER, **more: Any
) -> tuple[ImportJob, run.Counts]:
    """Import a file as the system at a moment; the job as it stands afterwards."""
    with clock.frozen(at):
        job = make(path, text, **more)
        counts = run.run(job.public_id)
    with scope.system():
        job.refresh_from_db()
    return job, counts


def findings(job: ImportJob) -> list[tuple[int, str, str, str]]:
    """(line, status, rule, column) of every finding of a job."""
    with scope.system():
        rows = jobs.ledger_rows(job, size=100_000)
    return [(r.line, r.status, e.rule, e.column) for r in rows for e in r.findings]
